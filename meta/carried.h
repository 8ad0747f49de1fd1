/* SPDX-License-Identifier: MIT
 *
 * Tasks that are carried together through the inner loop and back: one task by one thread, or a few
 * by the team of all threads. Internal to meta/; what a method may ask of them is declared in
 * meta/methods.h.
 */
#ifndef TSR_META_CARRIED_H
#define TSR_META_CARRIED_H

#include "inner/inner_loop.h"
#include "meta/methods.h"

/* What a task needs beside its way through the inner loop. */
struct tsr_carried_task {
    tsr_real *v, *product, *scaled; /* v; H (alpha v); alpha v. [n_params] each */
    /* Where not all parameters adapt: u = B^T v, [n]; of each inner step alpha u and alpha gz, [K,
     * n] each, and, if there is a basis to learn, v, [K, n_params]. */
    tsr_real *u, *of_u, *of_gz, *of_v;
    tsr_real *out;        /* outputs at phi_K, of methods that want them */
    unsigned char *tapes; /* [tape_room] bytes: room for K tapes; or NULL */
    size_t tape_room;
    double query_error;
};

struct tsr_carried {
    const struct tsr_engine *engine;
    const struct tsr_rates *rates;
    const tsr_real *theta, *basis; /* [slots, n_params], [slots, n_directions, n_params] */
    size_t thread;                 /* or TSR_TEAM */
    size_t inner_steps;
    size_t n;
    struct tsr_trajectory *ways; /* [n], with history; g_k is what the method puts in its place */
    struct tsr_carried_task *tasks; /* [n] */
    struct tsr_pass *passes;        /* [n], scratch */
};

/* Takes the storage of one task of up to max_points points from the arena. */
void tsr_carried_layout(struct tsr_carried_task *t, struct tsr_trajectory *way,
                        const struct tsr_engine *engine, const struct tsr_method *method,
                        size_t inner_steps, size_t max_points, struct tsr_arena *arena);

/* What the task adds to the gradient of its slot's basis, [n_directions, n_params], overwritten:
 * minus the sum over k of v_{k+1} (alpha_k gz_k)^T + g_k (alpha_k u_{k+1})^T. Once, after the
 * method has finished. */
void tsr_carried_basis(const struct tsr_carried_task *t, const struct tsr_trajectory *way,
                       const struct tsr_engine *engine, size_t inner_steps, tsr_real *d_basis);

/* From theta [slots, n_params] through K inner steps: phi_k and g_k of all tasks, whose ways'
 * `task` is set. forwards: what the thread remembers; NULL for a team. */
void tsr_carried_start(struct tsr_carried *c, struct tsr_forwards *forwards);

#endif
