/* SPDX-License-Identifier: MIT
 *
 * The inner loop: a few gradient steps that adapt the network of each region to its pixels.
 *
 *     phi_0 = theta[slot],   phi_{k+1} = phi_k - alpha_k * grad L_ctx(phi_k)
 *
 * Nothing here knows that the points are pixels.
 */
#ifndef TSR_INNER_INNER_LOOP_H
#define TSR_INNER_INNER_LOOP_H

#include "base/names.h"
#include "inner/forwards.h"
#include "inner/rates.h"

/* One region of one image: context set, query set, and the factors of their squared errors in the
 * inner and the outer loss. Points are borrowed; ctx and qry are often the same. */
struct tsr_task {
    struct tsr_points ctx, qry;
    double ctx_scale; /* region mean: 1 / (n_ctx * out_dim) */
    double qry_scale;
    size_t slot;
};

/* The rule of the inner step. SGD uses the rates. Adam (arXiv 1412.6980, beta 0.9, 0.999, eps
 * 1e-8), for long runs at test time, begins after `sgd_steps` steps of SGD and raises its rate
 * linearly over `warmup` steps: from learned initial weights an unwarmed Adam first loses what SGD
 * gained. */
enum tsr_inner_optimizer_kind { TSR_INNER_SGD, TSR_INNER_ADAM };
struct tsr_inner_optimizer {
    enum tsr_inner_optimizer_kind kind;
    size_t sgd_steps;
    double adam_lr;
    size_t warmup;
};
TSR_API extern const struct tsr_names tsr_inner_optimizer_names;
TSR_API const char *tsr_inner_optimizer_name(enum tsr_inner_optimizer_kind kind); /* sgd, adam */
TSR_API enum tsr_status tsr_inner_optimizer_parse(const char *text,
                                                  enum tsr_inner_optimizer_kind *out,
                                                  struct tsr_error *err) TSR_MUST_USE;

/* The way of one task through K inner steps. All storage is the caller's. What belongs to inner
 * step k stands at `base + k * stride`; a stride of 0 keeps no history and steps in place. */
struct tsr_trajectory {
    const struct tsr_task *task;
    tsr_real *phi; /* [K+1] x [n_params]; phi_0 is set by the caller */
    size_t phi_stride;
    tsr_real *g; /* [K] x [n_params]: grad L_ctx(phi_k) */
    size_t g_stride;
    unsigned char *tape; /* [K] tapes of the context points, sizes in bytes; or NULL */
    size_t tape_stride;
    size_t tape_backward; /* where in each the backward part begins */
    void *forward;        /* what tsr_forwards_find() gave for phi_0; NULL: nothing */
    tsr_real
        *out; /* [n_ctx, out_dim]: outputs at the last phi_k whose gradient was taken; or NULL */
    tsr_real *moments; /* [2, n_params], zeros at the start; Adam only, else NULL */
    tsr_real *partial; /* scratch of the passes (tsr_pass_partial) or NULL */
    double *error;     /* [K]: squared error over the context points at phi_k */
};

/* The tape of inner step k; {NULL, NULL} if none is kept. For step 0 of a trajectory without tapes,
 * the forward part that it was given. */
TSR_API struct tsr_tape tsr_trajectory_tape(const struct tsr_trajectory *t, size_t k);

/* Takes inner step k of all trajectories [n]. passes [n]: scratch. `thread` as in tsr_pass_run().
 */
TSR_API void tsr_inner_step(const struct tsr_engine *engine, size_t thread,
                            const struct tsr_rates *rates,
                            const struct tsr_inner_optimizer *optimizer,
                            struct tsr_trajectory *trajectories, size_t n, size_t k,
                            struct tsr_pass *passes);

#endif
