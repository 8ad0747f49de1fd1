/* SPDX-License-Identifier: MIT
 *
 * What the tests share: cmocka, comparison, random numbers.
 */
#ifndef TSR_TESTS_CHECK_H
#define TSR_TESTS_CHECK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "base/status.h"

/* A statement that must succeed; its message is shown otherwise. */
#define MUST(expression)                                                                           \
    do {                                                                                           \
        struct tsr_error must_err = {0}, *err = &must_err;                                         \
        enum tsr_status must_status = (expression);                                                \
        if (must_status != TSR_OK) fail_msg("%s: %s", #expression, must_err.message);              \
    } while (0)

/* A statement that must fail with this status and a message that contains `text`. */
#define MUST_FAIL(expression, expected, text)                                                      \
    do {                                                                                           \
        struct tsr_error must_err = {0}, *err = &must_err;                                         \
        enum tsr_status must_status = (expression);                                                \
        if (must_status != (expected)) fail_msg("%s: status %d", #expression, (int)must_status);   \
        if (!strstr(must_err.message, (text)))                                                     \
            fail_msg("%s: message \"%s\" lacks \"%s\"", #expression, must_err.message, (text));    \
    } while (0)

/* Largest |a - b| relative to the largest |b|; infinity when anything is not finite. */
static inline double relative_error(const tsr_real *a, const double *b, size_t n) {
    double worst = 0, scale = 1e-300;
    for (size_t i = 0; i < n; i++) {
        double d = fabs((double)a[i] - b[i]);
        if (!(d <= worst)) worst = isfinite(d) ? d : (double)INFINITY;
        if (fabs(b[i]) > scale) scale = fabs(b[i]);
    }
    return worst / scale;
}

#define ASSERT_CLOSE(what, a, b, n, tolerance)                                                     \
    do {                                                                                           \
        double close_error = relative_error((a), (b), (n));                                        \
        if (!(close_error <= (tolerance)))                                                         \
            fail_msg("%s: relative error %.3g above %.3g", (what), close_error,                    \
                     (double)(tolerance));                                                         \
    } while (0)

/* Equal in every bit; says where not. */
#define ASSERT_SAME_BITS(what, a, b, n)                                                            \
    do {                                                                                           \
        size_t same_at = 0, same_n = (n);                                                          \
        while (same_at < same_n && memcmp((a) + same_at, (b) + same_at, sizeof *(a)) == 0)         \
            same_at++;                                                                             \
        if (same_at < same_n)                                                                      \
            fail_msg("%s: item %zu of %zu: %.17g, not %.17g", (what), same_at, same_n,             \
                     (double)(a)[same_at], (double)(b)[same_at]);                                  \
    } while (0)

/* The next of a fixed sequence of random numbers, uniform in [lo, hi). */
static inline double draw(double lo, double hi) {
    static uint64_t count;
    return lo + (hi - lo) * tsr_random_uniform(2026, TSR_STREAM_USER, count++);
}

/* ... and a whole number in lo .. hi. */
static inline size_t draw_size(size_t lo, size_t hi) {
    return lo + (size_t)draw(0, (double)(hi - lo + 1));
}

static inline void draw_all(tsr_real *x, size_t n, double lo, double hi) {
    for (size_t i = 0; i < n; i++)
        x[i] = (tsr_real)draw(lo, hi);
}

/* `n` items of `size` zero bytes. */
static inline void *make(size_t n, size_t size) {
    void *p = calloc(n ? n : 1, size);
    if (!p) abort();
    return p;
}

#endif
