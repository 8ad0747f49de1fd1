/* SPDX-License-Identifier: MIT
 *
 * The inner loop: a few steps that adapt the network of each region to its pixels, from phi_0 =
 * theta[slot]. One driver for all who need it: training (with history, for the way back),
 * adaptation (in place, looking at each state), ordinary learning of one image (thousands of
 * steps).
 *
 * How phi_{k+1} comes from phi_k is the optimiser's business (inner/optimizers.h). The driver takes
 * many tasks at once, runs what their optimisers ask for as passes (inner/pass.h), by one thread
 * alone or by the team of all, and keeps the books. Bits do not depend on which.
 *
 * Nothing here knows that the points are pixels.
 */
#ifndef TSR_INNER_INNER_LOOP_H
#define TSR_INNER_INNER_LOOP_H

#include "inner/forwards.h"
#include "inner/optimizers.h"

/* One region of one image: context set, query set, and the factors of their squared errors in the
 * inner and the outer loss. Points are borrowed; ctx and qry are often the same. */
struct tsr_task {
    struct tsr_points ctx, qry;
    double ctx_scale; /* region mean: 1 / (n_ctx * out_dim) */
    double qry_scale;
    size_t slot;
};

/* The way of one task through K inner steps. All storage is the caller's. What belongs to inner
 * step k stands at `base + k * stride`; a stride of 0 keeps no history and steps in place. */
struct tsr_trajectory {
    const struct tsr_task *task;
    tsr_real *phi; /* [K+1] x [n_params]; phi_0 is set by the caller */
    size_t phi_stride;
    tsr_real *g; /* [K] x [n_params]: grad L_ctx(phi_k) */
    size_t g_stride;
    /* Where not all parameters adapt (inner/adaptations.h): the numbers whose phi_k this is, [K+1]
     * x [n], z_0 set by the caller, and the gradient with respect to them, [K] x [n]. NULL
     * otherwise: they are phi and g. */
    tsr_real *z, *gz;
    size_t z_stride, gz_stride;
    /* [3, n_params], for an optimiser that asks, where z is not NULL: phi, direction, result. */
    tsr_real *trial;
    unsigned char *tape; /* [K] tapes of the context points, sizes in bytes; or NULL */
    size_t tape_stride;
    size_t tape_backward; /* where in each the backward part begins */
    void *forward;        /* what tsr_forwards_find() gave for phi_0; NULL: nothing */
    /* [n_ctx, out_dim]: outputs at the last phi_k that was measured; NULL: not wanted, unless the
     * optimiser asks for losses or the state after the last inner step is to be measured. */
    tsr_real *out;
    tsr_real *partial; /* scratch of the passes (tsr_pass_partial) or NULL */
    void *state;       /* of the optimiser (tsr_optimizer_state), zeros at the start; or NULL */
    double error;      /* squared error over the context points at the last phi_k measured */
    double passes;     /* forward passes that its inner steps so far were worth: a gradient is 3 */
    double maps;       /* ways between numbers and parameters that they took */
    /* g and error are already those at the next phi_k: it is not measured, nor looked at. */
    bool known;
    bool stopped; /* takes no further part until the caller clears it */
    struct tsr_request request;
};

/* What the caller does between passes; all may be NULL. The functions of different tasks may run at
 * the same time. */
struct tsr_inner_hooks {
    /* Before phi_k is measured: sets the points of t->task. */
    void (*prepare)(void *user, struct tsr_trajectory *t, size_t k);
    /* phi_k is measured (t->error, t->out). True stops this task there. */
    bool (*look)(void *user, struct tsr_trajectory *t, size_t k);
    /* Factor of all rates in inner step k. */
    double (*factor)(void *user, size_t k);
    void *user;
};

/* The same for all tasks. */
struct tsr_inner_loop {
    const struct tsr_engine *engine;
    const struct tsr_choice *optimizer; /* of tsr_optimizers */
    const struct tsr_rates *rates;      /* NULL where the optimiser takes no step with them */
    size_t inner_steps;                 /* K */
    const struct tsr_inner_hooks *hooks;
    const tsr_real *theta, *basis; /* [slots, n_params], [slots, n_directions, n_params]; read only
                                      where not all parameters adapt */
};

/* The tape of inner step k; {NULL, NULL} if none is kept. For step 0 of a trajectory without tapes,
 * the forward part that it was given. */
TSR_API struct tsr_tape tsr_trajectory_tape(const struct tsr_trajectory *t, size_t k);

/* The slot that the numbers of a trajectory belong to. */
TSR_API struct tsr_chart tsr_inner_chart(const struct tsr_inner_loop *loop, size_t slot);

/* Puts a trajectory at phi_0 = theta of its task's slot. */
TSR_API void tsr_trajectory_start(const struct tsr_inner_loop *loop, struct tsr_trajectory *t,
                                  const tsr_real *theta);
/* Sets phi [n_params] from z [n]; nothing to do where they are one. */
TSR_API void tsr_trajectory_expand(const struct tsr_inner_loop *loop,
                                   const struct tsr_trajectory *t, const tsr_real *z,
                                   tsr_real *phi);

/* A vector that a map of the adaptation leads from and one it leads to, for a task of `slot`; `in`
 * NULL: none. */
struct tsr_mapping {
    size_t slot;
    const tsr_real *in;
    tsr_real *out;
};
/* The mapping of item i of whatever `user` is. */
typedef struct tsr_mapping (*tsr_mapping_fn)(const void *user, size_t i);
/* Takes the mappings of n items to `size` numbers each, those of one slot that follow each other
 * together; `thread` as in tsr_pass_run(). */
TSR_API void tsr_inner_map(const struct tsr_inner_loop *loop, size_t thread, tsr_map_fn map,
                           size_t size, size_t n, tsr_mapping_fn of, const void *user);

/* Regions of one slot that one thread had better carry together, 1 .. TSR_MAX_TOGETHER, where each
 * keeps `bytes` in the cache: as many as make a basis worth being read. */
#define TSR_MAX_TOGETHER 16
TSR_API size_t tsr_inner_together(const struct tsr_space *space, size_t bytes);

/* Takes trajectories [n] through inner steps first .. end-1: each begins with the loss and gradient
 * at phi_k and leads to phi_{k+1}. end may be K+1: then phi_K is measured at the end. A run may be
 * cut into several calls. passes [n]: scratch. `thread` as in tsr_pass_run(); calls of different
 * threads with different trajectories may run at the same time. No allocation. */
TSR_API void tsr_inner_run(const struct tsr_inner_loop *loop, size_t thread,
                           struct tsr_trajectory *trajectories, size_t n, size_t first, size_t end,
                           struct tsr_pass *passes);

/* Takes from the arena what a trajectory in place needs for tasks of up to max_points points: phi,
 * g, out, partial, state. `team`: it may be carried by all threads. */
TSR_API void tsr_trajectory_layout(struct tsr_trajectory *t, const struct tsr_inner_loop *loop,
                                   size_t max_points, bool team, struct tsr_arena *arena);

#endif
