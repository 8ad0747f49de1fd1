/* SPDX-License-Identifier: MIT
 *
 * 2^x for x <= 0; whoever needs exp(x) folds log2 e into a factor that it applies anyway.
 *
 * Relative error below 2e-7 for -126 <= x <= 0 (below the smallest normal number, where the result
 * would lose digits, it is 0). NaN stays NaN, minus infinity gives 0. x = n + r with whole n and r
 * in [-1/2, 1/2]; 2^n is made of exponent bits, 2^r a minimax fit of degree 5 whose coefficients
 * were rounded to float one after the other, each time refitting the rest (relative error of the
 * polynomial alone 9.4e-8). In the double build: libm.
 *
 * A template: the includer defines
 *     EXP2(name)        how functions of this instance are called
 *     EXP2_VEC, EXP2_INT   float and int32_t, or GCC vectors of them with equally many lanes
 *     EXP2_MASK(x)      a comparison of EXP2_VEC as EXP2_INT, -1 where true
 *     EXP2_FMA(a, b, c) a * b + c, fused if that is fast; b and c as in sincos.h
 * or none of them, for the scalar tsr_exp2(). All are undefined at the end.
 */
#include <math.h>
#include <stdint.h>

#include "base/api.h"

#ifndef EXP2
#define EXP2(name) tsr_##name
#define EXP2_VEC float
#define EXP2_INT int32_t
#define EXP2_MASK(x) (-(int32_t)(x))
#define EXP2_FMA(a, b, c) ((a) * (b) + (c))
#ifdef TSR_REAL_DOUBLE
#define EXP2_LIBM
#endif
#endif

#ifdef EXP2_LIBM
static inline double EXP2(exp2)(double x) {
    return exp2(x);
}
#else

union EXP2(exp2_bits) {
    EXP2_VEC f;
    EXP2_INT i;
};

/* Adding 1.5 * 2^23 + 127 rounds to a whole number and leaves it, as the exponent of its power, in
 * the lowest bits. */
static inline EXP2_VEC EXP2(exp2)(EXP2_VEC x) {
    const float magic = 12583039.0f;
    union EXP2(exp2_bits) shifted, power, result;
    shifted.f = x + magic;
    EXP2_VEC r = x - (shifted.f - magic);
    power.i = (shifted.i & 255) * 8388608; /* to the exponent */
    result.f = EXP2_FMA(r, 0.00132694060f, 0.00967129413f);
    result.f = EXP2_FMA(r, result.f, 0.0555071123f);
    result.f = EXP2_FMA(r, result.f, 0.240222469f);
    result.f = EXP2_FMA(r, result.f, 0.693147004f);
    result.f = EXP2_FMA(r, result.f, 1.0f) * power.f;
    result.i &= ~EXP2_MASK(x < -126.0f);
    return result.f;
}
#endif

#undef EXP2
#undef EXP2_VEC
#undef EXP2_INT
#undef EXP2_MASK
#undef EXP2_FMA
#undef EXP2_LIBM
