/* SPDX-License-Identifier: MIT
 *
 * Adam (Kingma & Ba, arXiv 1412.6980) on a vector: of the outer loop, of ordinary learning, of long
 * adaptation at test time.
 */
#ifndef TSR_INNER_ADAM_H
#define TSR_INNER_ADAM_H

#include "base/api.h"

struct tsr_adam {
    double lr, beta1, beta2;
    uint64_t t; /* number of this update, from 1 */
};

/* One update of x [n] by the gradient g [n] times `factor`; m, v [n] are the moments. */
TSR_API void tsr_adam_update(const struct tsr_adam *adam, double factor, size_t n,
                             const tsr_real *g, tsr_real *x, tsr_real *m, tsr_real *v);

#endif
