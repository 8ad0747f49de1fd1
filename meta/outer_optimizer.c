/* SPDX-License-Identifier: MIT */
#include "meta/outer_optimizer.h"

#include <math.h>

double tsr_schedule(uint64_t outer_step, uint64_t warmup, double progress, double final) {
    double p = progress < 0 ? 0 : progress > 1 ? 1 : progress;
    double ramp = outer_step < warmup ? (double)(outer_step + 1) / (double)warmup : 1;
    return ramp * (final + (1 - final) * 0.5 * (1 + cos(3.141592653589793 * p)));
}

double tsr_rollback_factor(uint64_t rollbacks) {
    return ldexp(1, -(int)rollbacks);
}

double tsr_norm(const tsr_real *x, size_t n) {
    double sum[8] = {0}; /* no single chain of additions */
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t k = 0; k < 8; k++)
            sum[k] += (double)x[i + k] * (double)x[i + k];
    for (; i < n; i++)
        sum[0] += (double)x[i] * (double)x[i];
    return sqrt(((sum[0] + sum[1]) + (sum[2] + sum[3])) + ((sum[4] + sum[5]) + (sum[6] + sum[7])));
}

double tsr_clip_factor(double norm, double clip) {
    return clip > 0 && norm > clip ? clip / norm : 1;
}
