/* SPDX-License-Identifier: MIT
 *
 * Products of vectors in double, in one order for all optimisers.
 */
#ifndef TSR_INNER_DOT_H
#define TSR_INNER_DOT_H

#include "base/api.h"

/* The sum of a[i] b[i]. */
static inline double tsr_dot(const tsr_real *a, const tsr_real *b, size_t n) {
    double sum[4] = {0}; /* no single chain of additions */
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (size_t k = 0; k < 4; k++)
            sum[k] += (double)a[i + k] * (double)b[i + k];
    for (; i < n; i++)
        sum[0] += (double)a[i] * (double)b[i];
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* to[i] += factor x[i] */
static inline void tsr_add(tsr_real *to, double factor, const tsr_real *x, size_t n) {
    for (size_t i = 0; i < n; i++)
        to[i] += (tsr_real)factor * x[i];
}

#endif
