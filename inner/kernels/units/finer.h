/* SPDX-License-Identifier: MIT
 *
 * a = sin(omega (|z| + 1) z), of u = omega z / pi: with w = (|z| + 1) u half turns and
 * m = 2 |z| + 1, slope m cos(pi w), bend m^2 sin(pi w) - 2 sign(z) cos(pi w) / omega.
 * Included by unit.h, a template like it.
 */
#ifndef TSR_UNIT_FINER
#define TSR_UNIT_FINER
#define finer_bend BEND_STORED
static inline double finer_scale(double omega) {
    return omega / 3.14159265358979323846;
}
#endif

static ALWAYS_INLINE struct NAME(unit) NAME(finer_unit)(VEC u, float omega) {
    struct NAME(unit) unit;
    IVEC sign = (IVEC)u & INT32_MIN;
    VEC size = (VEC)((IVEC)u ^ sign) * (3.14159265358979324f / omega), cosine; /* |z| */
    VEC signed_ = (VEC)((IVEC)SPLAT(2 / omega) | sign);
    signed_ = (VEC)((IVEC)signed_ & ~(IVEC)(u == 0));
    NAME(sincos)(MULTIPLY_ADD(size, u, u), &unit.value, &cosine);
    VEC m = size + size + 1.0f;
    unit.slope = m * cosine;
    unit.bend = MULTIPLY_ADD(m * m, unit.value, -signed_ * cosine);
    return unit;
}
