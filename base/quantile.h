/* SPDX-License-Identifier: MIT
 *
 * Quantiles of numbers.
 */
#ifndef TSR_BASE_QUANTILE_H
#define TSR_BASE_QUANTILE_H

#include "base/api.h"

/* Ascending; NaN has no place. */
TSR_API void tsr_sort(double *values, size_t n);

/* The quantile q, 0 to 1, of sorted values [n], 1 or more: linear between the two that it lies
 * between. */
TSR_API double tsr_quantile(const double *sorted, size_t n, double q);

#endif
