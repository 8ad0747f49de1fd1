/* SPDX-License-Identifier: MIT
 *
 * Ends what an includer of vector_lanes.h or kernel_vector.h has defined.
 */
#undef LANES
#undef LANES_DEFINED
#undef MAX_VECS
#undef NAME
#undef MULTIPLY_ADD
#undef REMAINDER
#undef PAIR
#undef PAIR_OF
#undef PAIR_MULTIPLY_ADD
#undef VEC
#undef IVEC
#undef SPLAT
#undef AT
#undef BOTH
#undef PAIR_AT
#undef IN_ALL_GROUPS
#undef IN_HALVES
