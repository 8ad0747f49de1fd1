/* SPDX-License-Identifier: MIT
 *
 * The gradient of the outer loss with respect to the initialisations and the inner rates.
 *
 * Outer loss: sum over tasks of qry_scale * E_qry(phi_K), or as meta/losses.h says. For exact
 * second order (`maml`, arXiv 1703.03400), without automatic differentiation:
 *
 *     v = d/dphi_K;   for k = K-1 .. 0:   d/dalpha_k = -v * g_k,   v <- v - H(phi_k) (alpha_k * v)
 *
 * and v ends as d/dtheta. Where numbers z adapt, phi = phi_0 + B z (inner/adaptations.h), u = B^T v
 * takes the place of v in the step, B (alpha_k * u) that of alpha_k * v, and a basis M gets
 *
 *     d/dM = - sum over k of v_{k+1} (alpha_k * gz_k)^T + g_k (alpha_k * u_{k+1})^T
 *
 * The other methods are variations of this (meta/methods/).
 *
 * Kept are the K parameter vectors and gradients of one task per thread; activations are
 * recomputed, or remembered on tapes where they are small. The tasks of each slot are summed as a
 * fixed binary tree (meta/sum_tree.h) over the items of the meta-batch and the tasks of each: the
 * bits do not depend on the number of threads, nor on whether each thread carries tasks of its own
 * or all carry a few together, nor on how many processes share the items (meta/comm_sum.h).
 */
#ifndef TSR_META_META_GRADIENT_H
#define TSR_META_META_GRADIENT_H

#include "base/comm.h"
#include "base/names.h"
#include "inner/inner_loop.h"
#include "meta/losses.h"
#include "meta/methods.h"

/* Room for meta-gradients; one per engine, used by one caller at a time. */
struct tsr_meta_workspace;

/* How the tasks of a meta-batch are shared among processes. */
struct tsr_meta_share {
    const struct tsr_comm *comm;
    size_t items;      /* of the meta-batch, of all ranks together; at least one a rank */
    size_t item_tasks; /* most tasks of an item */
};

/* For up to max_tasks tasks of up to max_points context or query points each, of this process. The
 * engine is kept. Extents of `rates` (not its values), `method` and `loss` (of
 * tsr_losses; NULL: the squared error) are copied. `share` (may be
 * NULL: one process) is copied, its communicator kept. Memory: per thread about (2 K + 8) vectors
 * of n_params and 8 MiB of tapes, which the thread touches first; partial sums of at most 16 blocks
 * of tasks per thread and one per slot; of several processes, two vectors of all sums.
 * Where a basis is learned, a thread carries up to four tasks, and 64 MiB of what the gradient of
 * the basis needs are kept, or of as many tasks as all threads carry.
 * TSR_ERR_CONFIG: method or loss is not one of its registry, has values out of range, or cannot be
 * with the other. */
TSR_API enum tsr_status
tsr_meta_workspace_create(const struct tsr_engine *engine, const struct tsr_choice *method,
                          const struct tsr_choice *loss, size_t inner_steps,
                          const struct tsr_rates *rates, size_t slots, size_t max_tasks,
                          size_t max_points, const struct tsr_meta_share *share,
                          struct tsr_meta_workspace **out, struct tsr_error *err) TSR_MUST_USE;
TSR_API void tsr_meta_workspace_free(struct tsr_meta_workspace *workspace); /* accepts NULL */

/* Where the meta-gradient is taken. */
struct tsr_meta_point {
    const tsr_real *theta; /* [slots, n_params] */
    const tsr_real *basis; /* [slots, n_directions, n_params] of the engine's space; NULL: none */
    const struct tsr_rates *rates;
    double progress; /* of the run, 0 to 1, for methods that change during it */
};

/* The first half: carries the tasks [n_tasks] of this process and sums them. item [n_tasks]: whose
 * each is, of the items of all processes, not decreasing; NULL: the tasks of a slot are leaves in
 * their order. error [n_tasks]: squared error over the query points after adaptation; it is NaN for
 * a task whose loss, gradient or meta-gradient is not finite, and then the sums are useless: call
 * again without that task. No allocation. TSR_ERR_ARGUMENT: more tasks than the workspace has room
 * for. */
TSR_API enum tsr_status tsr_meta_sum(struct tsr_meta_workspace *workspace,
                                     const struct tsr_meta_point *at, const struct tsr_task *tasks,
                                     const size_t *item, size_t n_tasks, double *error,
                                     struct tsr_error *err) TSR_MUST_USE;

/* The second half, collective: the sums of all processes as gradients. d_theta [slots, n_params],
 * d_basis [as at->basis; NULL if there is none] and d_rates [as rates->value] are overwritten; a
 * slot without tasks gets zeros, and so do a basis and rates that the method does not learn.
 * present [slots] (may be NULL): whether any process has a task of the slot. No allocation. */
TSR_API enum tsr_status tsr_meta_combine(struct tsr_meta_workspace *workspace, tsr_real *d_theta,
                                         tsr_real *d_basis, tsr_real *d_rates, bool *present,
                                         struct tsr_error *err) TSR_MUST_USE;

/* Both, for the tasks of one process. */
TSR_API enum tsr_status tsr_meta_gradient(struct tsr_meta_workspace *workspace,
                                          const struct tsr_meta_point *at,
                                          const struct tsr_task *tasks, size_t n_tasks,
                                          tsr_real *d_theta, tsr_real *d_basis, tsr_real *d_rates,
                                          double *error, struct tsr_error *err) TSR_MUST_USE;

#endif
