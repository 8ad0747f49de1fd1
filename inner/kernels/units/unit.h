/* SPDX-License-Identifier: MIT
 *
 * What a network kind says to the vector kernels: three definitions in a header of its own,
 * included below, of which the last is a template (VEC, IVEC, NAME(x), SPLAT(x), MULTIPLY_ADD as
 * in kernel_vector.h).
 *
 *     static inline double KIND_scale(double omega)
 *         The kernels multiply weights and biases of a layer by it, so that a unit's argument is
 *         u = scale z: in half turns, for instance.
 *     KIND_bend   one of enum bend: where the second derivative comes from
 *     static ALWAYS_INLINE struct NAME(unit) NAME(KIND_unit)(VEC u, float omega)
 *         Value a, slope (da/dz) / omega and bend -(d2a/dz2) / omega^2 of a vector of units. At
 *         u = 0, where the padding is, all must be finite.
 */
struct NAME(unit) {
    VEC value, slope, bend;
};

#include "inner/kernels/units/finer.h"
#include "inner/kernels/units/gaussian.h"
#include "inner/kernels/units/relu_pe.h"
#include "inner/kernels/units/siren.h"
