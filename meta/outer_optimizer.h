/* SPDX-License-Identifier: MIT
 *
 * The outer optimiser: Adam (Kingma & Ba, arXiv 1412.6980), its schedule, and clipping.
 */
#ifndef TSR_META_OUTER_OPTIMIZER_H
#define TSR_META_OUTER_OPTIMIZER_H

#include "base/api.h"

struct tsr_adam {
    double lr, beta1, beta2;
    uint64_t t; /* number of this update, from 1 */
};

/* One update of x [n] by the gradient g [n] times `factor`; m, v [n] are the moments. */
TSR_API void tsr_adam_update(const struct tsr_adam *adam, double factor, size_t n,
                             const tsr_real *g, tsr_real *x, tsr_real *m, tsr_real *v);

/* Factor of the learning rate: linear warm-up over `warmup` outer steps, then a half cosine from 1
 * to `final` over the progress 0..1 of the run (arXiv 1608.03983, without restarts). */
TSR_API double tsr_schedule(uint64_t outer_step, uint64_t warmup, double progress, double final);

/* Euclidean norm, summed in double in a fixed order. */
TSR_API double tsr_norm(const tsr_real *x, size_t n);

/* Factor that bounds a gradient of this norm by `clip` (0: no bound): 1 or clip / norm. */
TSR_API double tsr_clip_factor(double norm, double clip);

#endif
