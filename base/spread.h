/* SPDX-License-Identifier: MIT
 *
 * Some of many, evenly spread: of images sorted by folder the first ones are of few classes.
 */
#ifndef TSR_BASE_SPREAD_H
#define TSR_BASE_SPREAD_H

#include <stddef.h>
#include <stdint.h>

/* How many of n a limit leaves; 0 is no limit. */
static inline size_t tsr_spread_count(size_t n, size_t limit) {
    return limit && limit < n ? limit : n;
}

/* Where among n (below 2^32) lies the i-th of `count` that are spread over them:
 * floor(i n / count). The first is 0; all are different. */
static inline size_t tsr_spread(size_t i, size_t n, size_t count) {
    return (size_t)((uint64_t)i * n / count);
}

/* The same from the first to the last, count > 1: floor(i (n - 1) / (count - 1)). */
static inline size_t tsr_spread_ends(size_t i, size_t n, size_t count) {
    return (size_t)((uint64_t)i * (n - 1) / (count - 1));
}

#endif
