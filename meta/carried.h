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

/* One task and its trajectory. */
struct tsr_carried_task {
    const struct tsr_task *task;
    tsr_real *phi; /* [K+1, n_params] */
    tsr_real *g;   /* [K, n_params]: grad L_ctx(phi_k), then what the method puts in its place */
    tsr_real *v, *product, *scaled; /* v; H (alpha v); alpha v. [n_params] each */
    tsr_real *out;                  /* outputs at phi_K, of methods that want them */
    tsr_real *partial;              /* scratch of the passes, or NULL */
    unsigned char *tapes;           /* [tape_room] bytes: room for K tapes; or NULL */
    size_t tape_room;
    /* Tapes of the task at hand: bytes from one inner step to the next (0: none are kept), and
     * where in each the backward part begins. */
    size_t tape_stride, tape_backward;
    void *forward; /* the forward part for phi_0 that the thread remembers; or NULL */
    double query_error;
};

struct tsr_carried {
    const struct tsr_engine *engine;
    const struct tsr_rates *rates;
    size_t thread; /* or TSR_TEAM */
    size_t inner_steps;
    size_t n;
    struct tsr_carried_task **tasks; /* [n] */
    struct tsr_pass *passes;         /* [n], scratch */
};

/* Takes the storage of one task of up to max_points points from the arena. */
void tsr_carried_layout(struct tsr_carried_task *t, const struct tsr_engine *engine,
                        const struct tsr_method *method, size_t inner_steps, size_t max_points,
                        struct tsr_arena *arena);

/* From theta [slots, n_params] through K inner steps: phi_k and g_k of all tasks, whose `task` is
 * set. forwards: what the thread remembers; NULL for a team. */
void tsr_carried_start(struct tsr_carried *c, const tsr_real *theta, struct tsr_forwards *forwards);

#endif
