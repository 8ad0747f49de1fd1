/* SPDX-License-Identifier: MIT */
#include "inner/adam.h"

#include <math.h>

#ifdef TSR_REAL_DOUBLE
#define SQRT sqrt
#else
#define SQRT sqrtf
#endif

void tsr_adam_update(const struct tsr_adam *adam, double factor, size_t n, const tsr_real *g,
                     tsr_real *x, tsr_real *m, tsr_real *v) {
    double t = (double)adam->t;
    tsr_real lr = (tsr_real)(adam->lr / (1 - pow(adam->beta1, t)));
    tsr_real unbias = (tsr_real)(1 / sqrt(1 - pow(adam->beta2, t)));
    tsr_real b1 = (tsr_real)adam->beta1, b2 = (tsr_real)adam->beta2, eps = (tsr_real)1e-8;
    tsr_real c1 = 1 - b1, c2 = 1 - b2, f = (tsr_real)factor;
    for (size_t i = 0; i < n; i++) {
        tsr_real d = f * g[i];
        m[i] = b1 * m[i] + c1 * d;
        v[i] = b2 * v[i] + c2 * d * d;
        x[i] -= lr * m[i] / (SQRT(v[i]) * unbias + eps);
    }
}
