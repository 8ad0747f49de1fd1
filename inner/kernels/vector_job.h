/* SPDX-License-Identifier: MIT
 *
 * What the vector kernels of all widths have in common: the job of a product. Part of
 * kernel_vector.h.
 */
#ifndef TSR_INNER_KERNELS_VECTOR_JOB_H
#define TSR_INNER_KERNELS_VECTOR_JOB_H

#include "inner/kinds.h"

/* Ends what the compiler knows of x. Addresses of all rows of a block, kept ready in registers,
 * would leave too few for its sums. */
#define UNKNOWN(x) __asm__("" : "+r"(x))
#define ALWAYS_INLINE inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#define SHUFFLE(ivec, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define UNROLL _Pragma("GCC unroll 16")
#define SHUFFLE(ivec, a, b, ...) __builtin_shuffle(a, b, (ivec){__VA_ARGS__})
#endif

/* What becomes of a block once its sums are complete. s, c, n: value, slope and bend of the units
 * (units/unit.h). */
enum mode {
    VALUES,            /* s */
    SLOPES,            /* s, c, and n if it has an array of its own */
    BACKWARD,          /* d = c * sum, e = sum if wanted */
    R_FORWARD,         /* rz = factor * sum, ra = c * rz */
    R_BACKWARD,        /* rd = c * sum - n * rz * e */
    WEIGHTS,           /* add to what is there, or overwrite if `fresh` */
    KINKED_BACKWARD,   /* of piecewise linear units: d = sum where s > 0, else 0 */
    KINKED_R_FORWARD,  /* ra likewise */
    KINKED_R_BACKWARD, /* rd likewise */
};

/* The units of VALUES and SLOPES; of other modes none. */
#define UNIT_NUMBER(name) UNIT_##name,
enum unit { TSR_KINDS(UNIT_NUMBER) UNIT_NONE };
#undef UNIT_NUMBER

/* result [rows, vecs vectors] = f(bias + sum over k of a b + the same of a2 b2). a(r, k) is at
 * a[r * a_row + k * a_step]. b is packed panels if b_row is 0, else a matrix with that stride. */
struct job {
    size_t rows, vecs;
    size_t a_row, a_step, b_row;
    bool padded; /* a: rows of a tile, aligned, and of an even number */
    struct {
        const float *a, *b;
        size_t k;
    } sum[2];
    const float *bias; /* padded; not in ..BACKWARD and WEIGHTS */
    float omega;       /* of the layer whose units these are */
    float factor;      /* R_FORWARD: omega / scale */
    size_t row;        /* stride of all following */
    float *to, *to2, *to3;
    const float *s, *c, *n, *e, *rz;
    bool fresh;
};

static ALWAYS_INLINE bool two_sums(enum mode mode) {
    return mode == R_FORWARD || mode == R_BACKWARD || mode == WEIGHTS || mode == KINKED_R_FORWARD ||
           mode == KINKED_R_BACKWARD;
}

/* Do the sums of a block start from the bias? */
static ALWAYS_INLINE bool has_bias(enum mode mode) {
    return mode == VALUES || mode == SLOPES || mode == R_FORWARD || mode == KINKED_R_FORWARD;
}

/* Where the second derivative of a kind's units comes from. */
enum bend {
    BEND_NONE,     /* piecewise linear: the slope is 1 where the value is above 0, and else 0 */
    BEND_IS_VALUE, /* the bend is the value itself */
    BEND_STORED,   /* neither: it has an array of its own */
};

/* What a call needs to know of a kind. */
struct unit_ops {
    const struct tsr_kind *kind;
    double (*scale)(double omega);
    enum bend bend;
    void (*values)(const struct job *), (*slopes)(const struct job *);
};

static inline size_t round_up(size_t n, size_t multiple) {
    return (n + multiple - 1) / multiple * multiple;
}

/* Vectors in the next panel when `left` of them are to be cut as evenly as possible. */
static inline size_t panel_vecs(size_t left, size_t most) {
    size_t panels = (left + most - 1) / most;
    return (left + panels - 1) / panels;
}

#endif
