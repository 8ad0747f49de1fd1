/* SPDX-License-Identifier: MIT */
#include "meta/outer_optimizer.h"

#include <math.h>

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
