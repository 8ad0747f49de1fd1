/* SPDX-License-Identifier: MIT */
#include "meta/outer_optimizer.h"

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

double tsr_schedule(uint64_t outer_step, uint64_t warmup, double progress, double final) {
    double p = progress < 0 ? 0 : progress > 1 ? 1 : progress;
    double ramp = outer_step < warmup ? (double)(outer_step + 1) / (double)warmup : 1;
    return ramp * (final + (1 - final) * 0.5 * (1 + cos(3.141592653589793 * p)));
}

double tsr_norm(const tsr_real *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sqrt(sum);
}

double tsr_clip_factor(double norm, double clip) {
    return clip > 0 && norm > clip ? clip / norm : 1;
}
