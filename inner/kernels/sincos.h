/* SPDX-License-Identifier: MIT
 *
 * Sine and cosine together, of an angle in half turns: s = sin(pi u), c = cos(pi u).
 *
 * In half turns the range reduction r = u - round(u) is exact, with no Cody-Waite constants and for
 * any size of u; whoever needs sin(omega z) folds omega/pi into a factor that it applies anyway.
 * The quadrant logic of the usual pi/2 reduction goes too: sine and cosine of r in [-1/2, 1/2]
 * change sign together, with the parity of round(u).
 *
 * Absolute error below 2e-7 (1.4e-7 with fused multiply-add) for |u| < 2^22; beyond, values stay in
 * [-1, 1] to rounding. NaN and infinities give NaN. The polynomials are minimax fits in r^2 whose
 * coefficients were rounded to float one after the other, each time refitting the rest (error of
 * the polynomials alone 8e-9 and 5.4e-8). In the double build: libm.
 *
 * A template: the includer defines
 *     SINCOS(name)      how functions of this instance are called
 *     SINCOS_VEC, SINCOS_INT   float and int32_t, or GCC vectors of them with equally many lanes
 *     SINCOS_MASK(x)    a comparison of SINCOS_VEC as SINCOS_INT, -1 where true
 *     SINCOS_FMA(a, b, c)      a * b + c, fused if that is fast
 *     SINCOS_REMAINDER  if it brings its own SINCOS(remainder)
 * or none of them, for the scalar tsr_sincos(). All are undefined at the end.
 */
#include <math.h>
#include <stdint.h>

#include "base/api.h"

#ifndef SINCOS
#define SINCOS(name) tsr_##name
#define SINCOS_VEC float
#define SINCOS_INT int32_t
#define SINCOS_MASK(x) (-(int32_t)(x))
#define SINCOS_FMA(a, b, c) ((a) * (b) + (c))
#ifdef TSR_REAL_DOUBLE
#define SINCOS_LIBM
#endif
#endif

#ifdef SINCOS_LIBM
static inline void SINCOS(sincos)(double u, double *s, double *c) {
    const double pi = 3.14159265358979323846;
    *s = sin(pi * u);
    *c = cos(pi * u);
}
#else

union SINCOS(bits) {
    SINCOS_VEC f;
    SINCOS_INT i;
};

#ifndef SINCOS_REMAINDER
/* u - round(u); *flip gets the sign bit where round(u) is odd. Adding 1.5 * 2^23 rounds to an
 * integer and leaves its parity in the lowest bit. Where |u| is too large for that, the remainder
 * is set to 0 unless it happens to be in range. */
static inline SINCOS_VEC SINCOS(remainder)(SINCOS_VEC u, SINCOS_INT *flip) {
    const float magic = 12582912.0f;
    union SINCOS(bits) shifted, r;
    shifted.f = u + magic;
    r.f = u - (shifted.f - magic);
    r.i &= ~(SINCOS_MASK(r.f > 0.5f) | SINCOS_MASK(r.f < -0.5f));
    *flip = (shifted.i & 1) * INT32_MIN;
    return r.f;
}
#endif

static inline void SINCOS(sincos)(SINCOS_VEC u, SINCOS_VEC *s, SINCOS_VEC *c) {
    SINCOS_INT flip;
    SINCOS_VEC r = SINCOS(remainder)(u, &flip), q = r * r;
    union SINCOS(bits) sine, cosine;
    sine.f = SINCOS_FMA(q, 0.0764330998f, -0.597625256f);
    sine.f = SINCOS_FMA(q, sine.f, 2.54995775f);
    sine.f = SINCOS_FMA(q, sine.f, -5.1677022f);
    sine.f = SINCOS_FMA(q, sine.f, 3.1415925f) * r;
    cosine.f = SINCOS_FMA(q, 0.220006958f, -1.33206236f);
    cosine.f = SINCOS_FMA(q, cosine.f, 4.05844736f);
    cosine.f = SINCOS_FMA(q, cosine.f, -4.93479538f);
    cosine.f = SINCOS_FMA(q, cosine.f, 1.0f);
    sine.i ^= flip;
    cosine.i ^= flip;
    *s = sine.f;
    *c = cosine.f;
}
#endif

#undef SINCOS
#undef SINCOS_VEC
#undef SINCOS_INT
#undef SINCOS_MASK
#undef SINCOS_FMA
#undef SINCOS_REMAINDER
#undef SINCOS_LIBM
