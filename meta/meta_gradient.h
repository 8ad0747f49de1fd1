/* SPDX-License-Identifier: MIT
 *
 * The gradient of the outer loss with respect to the initialisations and the inner rates.
 *
 * Outer loss: sum over tasks of qry_scale * E_qry(phi_K). For exact second order (`maml`, arXiv
 * 1703.03400), without automatic differentiation:
 *
 *     v = d/dphi_K;   for k = K-1 .. 0:   d/dalpha_k = -v * g_k,   v <- v - H(phi_k) (alpha_k * v)
 *
 * and v ends as d/dtheta. `fomaml` drops the Hessian term. `reptile` (arXiv 1803.02999) gives
 * theta - mean over the slot's tasks of phi_K instead, and nothing for the rates.
 *
 * Kept are the K parameter vectors and gradients of the tasks in flight; activations are
 * recomputed, or remembered on tapes where they are small. Sums over tasks run in a fixed order,
 * whatever the number of threads.
 */
#ifndef TSR_META_META_GRADIENT_H
#define TSR_META_META_GRADIENT_H

#include "base/names.h"
#include "inner/inner_loop.h"

enum tsr_method { TSR_METHOD_MAML, TSR_METHOD_FOMAML, TSR_METHOD_REPTILE };
TSR_API extern const struct tsr_names tsr_method_names;
TSR_API const char *tsr_method_name(enum tsr_method method);
TSR_API enum tsr_status tsr_method_parse(const char *text, enum tsr_method *out,
                                         struct tsr_error *err) TSR_MUST_USE;

/* Forward passes (of 2 * weights FLOPs a point) that an outer step of K inner steps is worth: 9 K +
 * 3, 3 K + 3, 3 K. */
TSR_API double tsr_method_passes(enum tsr_method method, size_t inner_steps);

struct tsr_meta; /* workspace; one per engine, used by one caller at a time */

/* For up to max_tasks tasks of up to max_points context or query points each. The engine is kept.
 * Extents of `rates` (not its values) are copied. */
TSR_API enum tsr_status tsr_meta_create(const struct tsr_engine *engine, enum tsr_method method,
                                        size_t inner_steps, const struct tsr_rates *rates,
                                        size_t slots, size_t max_tasks, size_t max_points,
                                        struct tsr_meta **out, struct tsr_error *err) TSR_MUST_USE;
TSR_API void tsr_meta_free(struct tsr_meta *meta); /* accepts NULL */

/* theta [slots, n_params], rates: point of evaluation. tasks [n_tasks]. d_theta [slots, n_params]
 * and d_rates [as rates->value] are overwritten; a slot without tasks gets zeros. error [n_tasks]:
 * squared error over the query points after adaptation; it is NaN for a task whose loss, gradient
 * or meta-gradient is not finite, and then d_theta and d_rates are useless: call again without that
 * task. No allocation. */
TSR_API void tsr_meta_gradient(struct tsr_meta *meta, const tsr_real *theta,
                               const struct tsr_rates *rates, const struct tsr_task *tasks,
                               size_t n_tasks, tsr_real *d_theta, tsr_real *d_rates, double *error);

#endif
