/* SPDX-License-Identifier: MIT
 *
 * a = exp(-t^2) with t = omega z, as a power of two of u = t sqrt(log2 e):
 * slope -2 t a, bend (2 - 4 t^2) a.
 * Included by unit.h, a template like it.
 */
#ifndef TSR_UNIT_GAUSSIAN
#define TSR_UNIT_GAUSSIAN
#define gaussian_bend BEND_STORED
static inline double gaussian_scale(double omega) {
    return omega * 1.20112240878644979; /* sqrt(log2 e) */
}
#endif

static ALWAYS_INLINE struct NAME(unit) NAME(gaussian_unit)(VEC u, float omega) {
    struct NAME(unit) unit;
    VEC twice = u * 1.66510922231539537f; /* 2 t = 2 sqrt(ln 2) u */
    (void)omega;
    unit.value = NAME(exp2)(-u * u);
    unit.slope = -twice * unit.value;
    unit.bend = MULTIPLY_ADD(twice, unit.slope, unit.value + unit.value);
    return unit;
}
