/* SPDX-License-Identifier: MIT
 *
 * a = sin(omega z), of u = omega z / pi half turns.
 * Included by unit.h, a template like it.
 */
#ifndef TSR_UNIT_SIREN
#define TSR_UNIT_SIREN
#define siren_bend BEND_IS_VALUE
static inline double siren_scale(double omega) {
    return omega / 3.14159265358979323846;
}
#endif

static ALWAYS_INLINE struct NAME(unit) NAME(siren_unit)(VEC u, float omega) {
    struct NAME(unit) unit;
    (void)omega;
    NAME(sincos)(u, &unit.value, &unit.slope);
    unit.bend = unit.value;
    return unit;
}
