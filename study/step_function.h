/* SPDX-License-Identifier: MIT
 *
 * Random piecewise-constant signals: the signals of the exponential-increase hypothesis (Liu et
 * al., arXiv 2310.14184).
 *
 * In 1-D n boundaries are drawn uniformly from [-1, 1); the signal is +1 right of the last of them
 * and changes its sign at each. In 2-D it is the product of one such function of the row coordinate
 * and one of the column coordinate: a checkerboard. Its n boundaries are the sides that its fields
 * share: 2 r c + r + c of r lines across the rows and c across the columns.
 */
#ifndef TSR_STUDY_STEP_FUNCTION_H
#define TSR_STUDY_STEP_FUNCTION_H

#include <stdbool.h>

#include "base/status.h"

#define TSR_STEP_MAX_BOUNDARIES 1000000

struct tsr_step_function {
    size_t dim;      /* 1 or 2 */
    size_t lines[2]; /* along each coordinate; lines[1] is 0 in 1-D */
    double *at[2];   /* [lines[i]], ascending, in [-1, 1); owned */
};

/* How many lines a signal of n boundaries has along each coordinate. 1-D: n. 2-D: the most square
 * checkerboard with 1 <= lines[0] <= lines[1], from (2 r + 1)(2 c + 1) = 2 n + 1; false if there is
 * none, that is if 2 n + 1 is a prime. */
TSR_API bool tsr_step_lines(size_t dim, size_t n, size_t lines[2]);

/* A pure function of (dim, n, seed). n is 1 .. TSR_STEP_MAX_BOUNDARIES. TSR_ERR_CONFIG if no signal
 * of this dimension has n boundaries. */
TSR_API enum tsr_status tsr_step_function_create(size_t dim, size_t n, uint64_t seed,
                                                 struct tsr_step_function *out,
                                                 struct tsr_error *err) TSR_MUST_USE;
TSR_API void tsr_step_function_clear(struct tsr_step_function *f);

/* The factor of one coordinate at x: +1 if an even number of its lines lies above x, else -1. The
 * signal is the product over its coordinates. */
TSR_API int tsr_step_sign(const struct tsr_step_function *f, size_t coordinate, double x);

#endif
