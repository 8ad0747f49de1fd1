/* SPDX-License-Identifier: MIT
 *
 * Positional encoding: angles x pe_omega 2^k of all octaves of a coordinate, reduced exactly.
 *
 * The last of 60 octaves turns 2^57 times as often as the first, so that the fraction of a turn has
 * to be known to 2^-90 or so at the first. With x pe_omega / 2 pi as an unevaluated sum of two
 * doubles (106 bits) each octave is a multiplication by a power of two: a shift. For x as it stands
 * the results are correct to the rounding of tsr_real plus 2^-103 times the angle.
 */
#ifndef TSR_INNER_KERNELS_ENCODE_H
#define TSR_INNER_KERNELS_ENCODE_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "inner/kernels/net.h"

/* An angle in whole turns: the first octave of x, as head + tail without a rounding in between. */
struct tsr_turns {
    double head, tail;
};

static inline struct tsr_turns tsr_turns(const struct tsr_net *net, tsr_real x) {
    const double head = 0x1.45f306dc9c883p-3, tail = -0x1.6b01ec5417056p-57; /* 1 / (2 pi) */
    double f = net->pe_omega * head, f_tail = fma(net->pe_omega, head, -f) + net->pe_omega * tail;
    double t = (double)x * f;
    return (struct tsr_turns){t, fma((double)x, f, -t) + (double)x * f_tail};
}

/* Fraction of a turn at octave k, in [-1, 1]. Both subtractions are exact. */
static inline double tsr_octave(struct tsr_turns t, size_t k) {
    double factor = (double)(UINT64_C(1) << k), head = t.head * factor, tail = t.tail * factor;
    return (head - rint(head)) + (tail - rint(tail));
}

/* u [at least `count`] = half turns of octaves 0 .. count-1 of coordinate x, in [-2, 2]; count <=
 * TSR_MAX_OCTAVES. Where x times the frequency exceeds 2^50 turns, NaN. */
#ifdef TSR_REAL_DOUBLE
static inline void tsr_half_turns(const struct tsr_net *net, double x, size_t count, double *u) {
    struct tsr_turns t = tsr_turns(net, x);
    bool known = fabs(t.head) < 0x1p50;
    for (size_t k = 0; k < count; k++)
        u[k] = known ? 2 * tsr_octave(t, k) : (double)NAN;
}
#else
/* The fraction of the turn in fixed point, 128 bits of which 2^-124 is the last one set; an octave
 * is then a shift that compilers turn into vectors, and the product of two words is not needed. */
static inline void tsr_half_turns(const struct tsr_net *net, float x, size_t count, float *u) {
    struct tsr_turns t = tsr_turns(net, x);
    if (!(fabs(t.head) < 0x1p50)) {
        for (size_t k = 0; k < count; k++)
            u[k] = NAN;
        return;
    }
    double head = (t.head - rint(t.head)) * 0x1p62;
    int64_t high = (int64_t)head;
    double rest = (head - (double)high) + t.tail * 0x1p62;
    int64_t middle = (int64_t)rest, low = (int64_t)((rest - (double)middle) * 0x1p62);
    uint64_t bits = ((uint64_t)high + (uint64_t)middle) * 4 + (uint64_t)(low >> 60);
    uint64_t more = (uint64_t)low << 4;
    for (size_t k = 0; k < count; k++) {
        uint64_t shifted = bits << k | more >> 1 >> (63 - k);
        u[k] = (float)(int32_t)(shifted >> 32) * 0x1p-31f;
    }
}
#endif

#endif
