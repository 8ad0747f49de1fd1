/* SPDX-License-Identifier: MIT
 *
 * a = max(z, 0); NaN stays.
 * Included by unit.h, a template like it.
 */
#ifndef TSR_UNIT_RELU_PE
#define TSR_UNIT_RELU_PE
#define relu_pe_bend BEND_NONE
static inline double relu_pe_scale(double omega) {
    return omega;
}
#endif

static ALWAYS_INLINE struct NAME(unit) NAME(relu_pe_unit)(VEC u, float omega) {
    struct NAME(unit) unit = {{0}, {0}, {0}};
    (void)omega;
    unit.value = (VEC)((IVEC)u & ~(IVEC)(u <= 0));
    return unit;
}
