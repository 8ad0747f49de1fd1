/* SPDX-License-Identifier: MIT
 *
 * What surrounds Adam (inner/adam.h) in the outer loop: the schedule of its rate, and clipping.
 */
#ifndef TSR_META_OUTER_OPTIMIZER_H
#define TSR_META_OUTER_OPTIMIZER_H

#include "base/api.h"

/* Factor of the learning rate: linear warm-up over `warmup` outer steps, then a half cosine from 1
 * to `final` over the progress 0..1 of the run (arXiv 1608.03983, without restarts). */
TSR_API double tsr_schedule(uint64_t outer_step, uint64_t warmup, double progress, double final);

/* Factor of the learning rates after so many rollbacks: half of it for each. */
TSR_API double tsr_rollback_factor(uint64_t rollbacks);

/* Euclidean norm, summed in double in a fixed order. */
TSR_API double tsr_norm(const tsr_real *x, size_t n);

/* Factor that bounds a gradient of this norm by `clip` (0: no bound): 1 or clip / norm. */
TSR_API double tsr_clip_factor(double norm, double clip);

#endif
