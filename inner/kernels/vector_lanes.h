/* SPDX-License-Identifier: MIT
 *
 * Vectors of LANES floats, and units of all kinds on them. Part of kernel_vector.h, a template,
 * and, with vector_end.h behind it, includable alone, for PAIR; LANES_DEFINED tells a later
 * kernel_vector.h of the same NAME.
 */

#include "inner/kernels/vector_job.h"

#define VEC NAME(vec)
#define IVEC NAME(ivec)

/* x - 0 is x for every x, so this is a broadcast and no subtraction. */
#define SPLAT(x) ((x) - (VEC){0})

/* The vector at p[at]. */
#define AT(p, at) (*(VEC *)((p) + (at)))

#ifndef LANES_DEFINED
typedef float VEC __attribute__((vector_size(LANES * 4), may_alias));
typedef int32_t IVEC __attribute__((vector_size(LANES * 4), may_alias));
typedef float NAME(unaligned) __attribute__((vector_size(LANES * 4), may_alias, aligned(4)));

#ifdef REMAINDER
static ALWAYS_INLINE VEC NAME(remainder)(VEC u, IVEC *flip) {
    return REMAINDER(u, flip);
}
#define SINCOS_REMAINDER
#endif
#define SINCOS NAME
#define SINCOS_VEC VEC
#define SINCOS_INT IVEC
#define SINCOS_MASK(x) ((IVEC)(x))
#define SINCOS_FMA(a, b, c) MULTIPLY_ADD(a, SPLAT(b), SPLAT(c))
#include "inner/kernels/sincos.h"

#define EXP2 NAME
#define EXP2_VEC VEC
#define EXP2_INT IVEC
#define EXP2_MASK(x) ((IVEC)(x))
#define EXP2_FMA(a, b, c) MULTIPLY_ADD(a, SPLAT(b), SPLAT(c))
#include "inner/kernels/exp2.h"

#include "inner/kernels/units/unit.h"

/* Units from their arguments, to where a job wants them. */
static ALWAYS_INLINE void NAME(store_unit)(enum unit which, bool slopes, const struct job *j,
                                           VEC sum, size_t at) {
    switch (which) {
#define STORE_UNIT(name)                                                                           \
    case UNIT_##name: {                                                                            \
        struct NAME(unit) unit = NAME(name##_unit)(sum, j->omega);                                 \
        AT(j->to, at) = unit.value;                                                                \
        if (slopes && name##_bend != BEND_NONE) AT(j->to2, at) = unit.slope;                       \
        if (slopes && name##_bend == BEND_STORED) AT(j->to3, at) = unit.bend;                      \
        break;                                                                                     \
    }
        TSR_KINDS(STORE_UNIT)
#undef STORE_UNIT
    case UNIT_NONE:
        break;
    }
}

/* One finished vector of the result at offset `at`. */
static ALWAYS_INLINE void NAME(finish)(enum mode mode, enum unit unit, const struct job *j, VEC sum,
                                       size_t at) {
    VEC *to = (VEC *)(j->to + at), second;
    switch (mode) {
    case WEIGHTS:
        *to = sum;
        break;
    case VALUES:
    case SLOPES:
        NAME(store_unit)(unit, mode == SLOPES, j, sum, at);
        break;
    case BACKWARD:
        if (j->to2) AT(j->to2, at) = sum;
        *to = AT(j->c, at) * sum;
        break;
    case R_FORWARD:
        sum *= j->factor;
        *to = AT(j->c, at) * sum, AT(j->to2, at) = sum;
        break;
    case R_BACKWARD:
        second = AT(j->n, at) * AT(j->rz, at);
        sum = sum * AT(j->c, at);
        *to = MULTIPLY_ADD(-second, AT(j->e, at), sum);
        break;
    case KINKED_BACKWARD:
    case KINKED_R_FORWARD:
    case KINKED_R_BACKWARD:
        *to = (VEC)((IVEC)sum & (IVEC)(AT(j->s, at) > 0));
        break;
    }
}
#endif
