/* SPDX-License-Identifier: MIT
 *
 * Positional encoding: angles x pe_omega 2^k of all octaves of a coordinate, reduced exactly.
 *
 * The last of 60 octaves turns 2^57 times as often as the first, so that the fraction of a turn has
 * to be known to 2^-90 or so at the first. With x pe_omega / 2 pi as an unevaluated sum of two
 * doubles (106 bits) each octave is a multiplication by a power of two: a shift. For x as it stands
 * the results are correct to the rounding of tsr_real plus 2^-100 times the angle.
 */
#ifndef TSR_INNER_KERNELS_ENCODE_H
#define TSR_INNER_KERNELS_ENCODE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "inner/kernels/net.h"

/* head + tail, without a rounding in between: turns of the first octave. */
struct tsr_turns {
    double head, tail;
};

/* ... of x = 1 */
static inline struct tsr_turns tsr_turns_of_one(const struct tsr_net *net) {
    const double head = 0x1.45f306dc9c883p-3, tail = -0x1.6b01ec5417056p-57; /* 1 / (2 pi) */
    double f = net->pe_omega * head;
    return (struct tsr_turns){f, fma(net->pe_omega, head, -f) + net->pe_omega * tail};
}

static inline struct tsr_turns tsr_turns(struct tsr_turns one, tsr_real x) {
    double t = (double)x * one.head;
    return (struct tsr_turns){t, fma((double)x, one.head, -t) + (double)x * one.tail};
}

/* Fraction of a turn at octave k, in [-1, 1]. Both subtractions are exact. */
static inline double tsr_octave(struct tsr_turns t, size_t k) {
    double factor = (double)(UINT64_C(1) << k), head = t.head * factor, tail = t.tail * factor;
    return (head - rint(head)) + (tail - rint(tail));
}

/* What tsr_half_turns() may write behind its result. */
#define TSR_HALF_TURNS_SPARE 8

/* u [n, octaves], and spare = half turns of all octaves of coordinates x [n], in [-2, 2]. Where x
 * pe_omega is 2^27 turns or more, NaN. */
#ifdef TSR_REAL_DOUBLE
static inline void tsr_half_turns(struct tsr_turns one, size_t octaves, const double *x, size_t n,
                                  double *u) {
    for (size_t i = 0; i < n; i++) {
        struct tsr_turns t = tsr_turns(one, x[i]);
        for (size_t k = 0; k < octaves; k++)
            u[i * octaves + k] = fabs(t.head) < 0x1p27 ? 2 * tsr_octave(t, k) : (double)NAN;
    }
}
#else
typedef float tsr_float8 __attribute__((vector_size(32), may_alias, aligned(4)));
typedef int32_t tsr_int8 __attribute__((vector_size(32)));
typedef uint32_t tsr_word8 __attribute__((vector_size(32)));
typedef double tsr_double8 __attribute__((vector_size(64)));
typedef int64_t tsr_long8 __attribute__((vector_size(64)));
typedef uint64_t tsr_bits8 __attribute__((vector_size(64)));

/* Fractions of 8 turns in fixed point: 64 bits and 64 bits, the last one set is 2^-100. */
struct tsr_fractions {
    tsr_bits8 high, low;
    tsr_float8 half_turn; /* NaN where the fraction is not known */
};

/* x to the nearest integer, as double and as integer, for |x| < 2^51. */
#define TSR_ROUND(x, rounded, integer)                                                             \
    do {                                                                                           \
        const double magic = 0x1.8p52;                                                             \
        tsr_double8 shifted = (x) + magic;                                                         \
        rounded = shifted - magic;                                                                 \
        integer = (tsr_long8)shifted - INT64_C(0x4338000000000000);                                \
    } while (0)

/* `one` in pieces of 26, 27 and 53 bits: the products of x with the first two are exact. */
static inline void tsr_fractions(struct tsr_turns one, const float *x, struct tsr_fractions *f) {
    double split = one.head * 134217729, first = split - (split - one.head); /* Veltkamp */
    tsr_double8 x8 = __builtin_convertvector(*(const tsr_float8 *)x, tsr_double8), whole;
    tsr_double8 head = x8 * first, middle = x8 * (one.head - first) * 0x1p50;
    tsr_double8 tail = x8 * one.tail * 0x1p50;
    tsr_long8 known = (head < 0x1p27) & (head > -0x1p27), a, b, c, d;
    head = (tsr_double8)((tsr_long8)head & known);
    middle = (tsr_double8)((tsr_long8)middle & known);
    tail = (tsr_double8)((tsr_long8)tail & known);
    TSR_ROUND(head, whole, a);
    head = (head - whole) * 0x1p50;
    TSR_ROUND(head, whole, a);
    tail += head - whole;
    TSR_ROUND(middle, whole, b);
    tail += middle - whole;
    TSR_ROUND(tail, whole, c);
    TSR_ROUND((tail - whole) * 0x1p50, whole, d);
    f->high = ((tsr_bits8)(a + b + c) << 14) + (tsr_bits8)(d >> 36);
    f->low = (tsr_bits8)d << 28;
    tsr_int8 narrow = __builtin_convertvector(known, tsr_int8), nan = ~narrow & 0x7fc00000;
    f->half_turn = (tsr_float8)(nan | (narrow & 0x30000000)); /* 2^-31 */
}

/* An octave is a shift. */
static inline void tsr_half_turns(struct tsr_turns one, size_t octaves, const float *x, size_t n,
                                  float *u) {
    const tsr_word8 lane = {0, 1, 2, 3, 4, 5, 6, 7};
    for (size_t from = 0; from < n; from += 8) {
        size_t m = n - from < 8 ? n - from : 8;
        struct tsr_fractions f;
        float some[8] = {0};
        memcpy(some, x + from, m * sizeof *some);
        tsr_fractions(one, some, &f);
        for (size_t i = 0; i < m; i++, u += octaves) {
            const uint32_t word[] = {(uint32_t)(f.high[i] >> 32), (uint32_t)f.high[i],
                                     (uint32_t)(f.low[i] >> 32)};
            for (size_t k = 0; k < octaves; k += 8) {
                tsr_word8 shift = lane + (uint32_t)k % 32;
                tsr_word8 turns = word[k / 32] << shift | word[k / 32 + 1] >> 1 >> (31 - shift);
                *(tsr_float8 *)(u + k) =
                    __builtin_convertvector((tsr_int8)turns, tsr_float8) * f.half_turn[i];
            }
        }
    }
}
#undef TSR_ROUND
#endif

#endif
