/* SPDX-License-Identifier: MIT
 *
 * Tasks that are carried together through the inner loop and back: one task by one thread, or a few
 * by the team of all threads. Internal to meta/; what a method may ask of them is declared in
 * meta/methods.h.
 */
#ifndef TSR_META_CARRIED_H
#define TSR_META_CARRIED_H

#include "inner/inner_loop.h"
#include "meta/losses.h"
#include "meta/methods.h"

/* What a task needs beside its way through the inner loop. */
struct tsr_carried_task {
    tsr_real *v, *product, *scaled; /* v; H (alpha v); alpha v. [n_params] each */
    /* Where not all parameters adapt: u = B^T v, [n]; of each inner step alpha u and alpha gz, [K,
     * n] each, and, if there is a basis to learn, v_{k+1}, [K, n_params]. */
    tsr_real *u, *of_u, *of_gz, *of_v;
    tsr_real *before;     /* of rates that couple: v_{k+1} or u_{k+1}, [K, n]; else NULL */
    tsr_real *out;        /* outputs, of methods that want them and losses with a slope */
    tsr_real *target;     /* targets of the squared error with the same slope; of such losses */
    unsigned char *tapes; /* [tape_room] bytes: room for K tapes; or NULL */
    size_t tape_room;
    struct tsr_points moved; /* the query points with them */
    double query_error;
};

struct tsr_carried {
    const struct tsr_engine *engine;
    const struct tsr_choice *loss; /* of tsr_losses */
    const struct tsr_rates *rates;
    const tsr_real *theta, *basis; /* [slots, n_params], [slots, n_directions, n_params] */
    size_t thread;                 /* or TSR_TEAM */
    size_t inner_steps;
    size_t n;
    struct tsr_trajectory *ways; /* [n], with history; g_k is what the method puts in its place */
    struct tsr_carried_task *tasks; /* [n] */
    struct tsr_pass *passes;        /* [n], scratch */
};

/* Does the method learn a basis? Then the storage of g_k and of what the basis needs is given for
 * every task by tsr_carried_keep(). */
bool tsr_carried_learns_basis(const struct tsr_engine *engine, const struct tsr_method *method);

/* Takes the storage of one task of up to max_points points from the arena. */
void tsr_carried_layout(struct tsr_carried_task *t, struct tsr_trajectory *way,
                        const struct tsr_engine *engine, const struct tsr_method *method,
                        const struct tsr_loss *loss, const struct tsr_rates *rates,
                        size_t inner_steps, size_t max_points, struct tsr_arena *arena);

/* Where the task at hand keeps what its basis needs: a [2 K, n_params] and b [2 K, n], whose outer
 * products b_j a_j^T, summed over j, are what it adds to the gradient of the basis once
 * tsr_carried_finish_basis() has been called: with a = g_k, v_{k+1} and b = -alpha_k u_{k+1},
 * -alpha_k gz_k. */
void tsr_carried_keep(struct tsr_carried_task *t, struct tsr_trajectory *way,
                      const struct tsr_engine *engine, size_t inner_steps, tsr_real *a,
                      tsr_real *b);
/* Once, after the method has finished. */
void tsr_carried_finish_basis(const struct tsr_carried_task *t, const struct tsr_engine *engine,
                              size_t inner_steps);

/* Bytes of the tapes of a task of n points; 0 if none are kept of so many. */
size_t tsr_carried_tapes(const struct tsr_engine *engine, const struct tsr_method *method,
                         size_t inner_steps, size_t n);

/* From theta [slots, n_params] through K inner steps: phi_k and g_k of all tasks, whose ways'
 * `task` is set. forwards: what the thread remembers; NULL for a team. */
void tsr_carried_start(struct tsr_carried *c, struct tsr_forwards *forwards);

#endif
