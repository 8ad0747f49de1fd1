/* SPDX-License-Identifier: MIT
 *
 * The fused vector kernels: a template, included once or twice by kernel_avx512.c, kernel_avx2.c
 * and kernel_portable.c for vectors of LANES floats. Formulas and notation: kernel_ref.c.
 *
 * Layout. Points are worked off in tiles that stay in the cache. Everything of a tile is stored
 * [point][unit], units padded to whole vectors. All products are then of one form,
 * result[r][units..] += sum_k broadcast(a[r, k]) * b[k][units..], and no activation is ever
 * transposed:
 *     forward    z[p][o..]  = b + sum_i a[p][i] * W^T[i][o..]     b: packed W^T, times omega / pi
 *     backward   e[p][i..]  = sum_o d[p][o] * W[o][i..]           b: packed W, times omega below
 *     weights    dW[o][i..] += sum_p d[p][o] * a[p][i..]          b: the activations themselves
 * One block of the result, `rows` x `vecs` vectors, stays in registers over the whole sum; bias,
 * sine and cosine, slopes and the terms of the R-operator are applied to it there, before it is
 * stored. The R-operator adds a second sum to the same block. Packed matrices are cut into panels
 * of up to MAX_VECS vectors of columns, each contiguous, so that a block reads memory in order.
 *
 * Scaling. With the factors above, stored quantities are free of omega: c = cos, d and e are the
 * d_l and omega_l W^T d of the reference, and z is in half turns, as sincos.h wants it.
 *
 * ReLU. The sign of s is the slope, so that c, e and rz do not exist. Encoded inputs are rows of a
 * tile like any others.
 *
 * Ends. The weight gradient of layer 0 is accumulated transposed, [in_dim][width], so that its
 * vectors too run over units. The last layer's few outputs are products of NARROW vectors (8 lanes
 * where 16 would be mostly padding). Padding holds s = 0, c = 1 and d = e = 0: it stays out of all
 * sums without masks.
 *
 * The includer defines LANES, MAX_VECS, NAME(x), MULTIPLY_ADD(a, b, c), optionally REMAINDER(u,
 * flip) for sincos.h, which are undefined at the end, and NARROW(x), NARROW_LANES. If sine layers
 * have no more than LANES units and the processor has vectors twice as long, it may define
 * SINCOS_PAIR(a, b, s, c): sine and, unless c is NULL, cosine of two vectors, stored one behind the
 * other.
 */

#ifndef TSR_VECTOR_COMPILER
#define TSR_VECTOR_COMPILER
#define ALWAYS_INLINE inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#define SHUFFLE(ivec, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define UNROLL _Pragma("GCC unroll 16")
#define SHUFFLE(ivec, a, b, ...) __builtin_shuffle(a, b, (ivec){__VA_ARGS__})
#endif
#endif

#define VEC NAME(vec)
#define IVEC NAME(ivec)

typedef float VEC __attribute__((vector_size(LANES * 4), may_alias));
typedef int32_t IVEC __attribute__((vector_size(LANES * 4), may_alias));
typedef float NAME(unaligned) __attribute__((vector_size(LANES * 4), may_alias, aligned(4)));

/* x - 0 is x for every x, so this is a broadcast and no subtraction. */
#define SPLAT(x) ((x) - (VEC){0})

/* The vector at p[at]. */
#define AT(p, at) (*(VEC *)((p) + (at)))

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

#include "inner/kernels/encode.h"

/* ---- products ---------------------------------------------------------------------------- */

/* What becomes of a block once its sums are complete. */
#ifndef TSR_VECTOR_MODES
#define TSR_VECTOR_MODES
enum mode {
    LINEAR,          /* store */
    R_LINEAR,        /* store the sum of two products */
    SINE,            /* s = sin, c untouched */
    SINE_COSINE,     /* s = sin, c = cos */
    BACKWARD,        /* d = c * sum, e = sum if wanted */
    R_FORWARD,       /* rz = pi * sum, ra = c * rz */
    R_BACKWARD,      /* rd = c * sum - s * rz * e */
    WEIGHTS,         /* add to what is there, or overwrite if `fresh` */
    RELU,            /* s = max(sum, 0) */
    RELU_BACKWARD,   /* d = sum where s > 0, else 0 */
    R_RELU_FORWARD,  /* ra likewise */
    R_RELU_BACKWARD, /* rd likewise */
};

/* result [rows, vecs vectors] = f(bias + sum over k of a b + the same of a2 b2). a(r, k) is at
 * a[r * a_row + k * a_step]. b is packed panels if b_row is 0, else a matrix with that stride. */
struct job {
    size_t rows, vecs;
    size_t a_row, a_step, b_row;
    struct {
        const float *a, *b;
        size_t k;
    } sum[2];
    const float *bias; /* padded; not in ..BACKWARD and WEIGHTS */
    size_t row;        /* stride of all following */
    float *to, *to2;
    const float *s, *c, *e, *rz;
    bool fresh;
};

static ALWAYS_INLINE bool two_sums(enum mode mode) {
    return mode == R_LINEAR || mode == R_FORWARD || mode == R_BACKWARD || mode == WEIGHTS ||
           mode == R_RELU_FORWARD || mode == R_RELU_BACKWARD;
}

static inline size_t round_up(size_t n, size_t multiple) {
    return (n + multiple - 1) / multiple * multiple;
}

/* Vectors in the next panel when `left` of them are to be cut as evenly as possible. */
static inline size_t panel_vecs(size_t left, size_t most) {
    size_t panels = (left + most - 1) / most;
    return (left + panels - 1) / panels;
}
#endif

/* acc[r][v] += broadcast(a[r, 0]) * b[0][v] */
static ALWAYS_INLINE void NAME(step)(VEC acc[8][MAX_VECS], int rows, int vecs, const float *a,
                                     size_t a_row, const float *b) {
    VEC w[MAX_VECS];
    UNROLL for (int v = 0; v < vecs; v++) w[v] = *(const VEC *)(b + v * LANES);
    UNROLL for (int r = 0; r < rows; r++) {
        VEC x = SPLAT(a[(size_t)r * a_row]);
        UNROLL for (int v = 0; v < vecs; v++) acc[r][v] = MULTIPLY_ADD(x, w[v], acc[r][v]);
    }
}

/* acc[r][v] += sum over k of broadcast(a[r, k]) * b[k][v]. If `square`, k is LANES. */
static ALWAYS_INLINE void NAME(accumulate)(VEC acc[8][MAX_VECS], int rows, int vecs, bool square,
                                           const float *a, size_t a_row, size_t a_step,
                                           const float *b, size_t b_row, size_t k) {
    if (square)
        UNROLL for (size_t i = 0; i < LANES; i++)
            NAME(step)(acc, rows, vecs, a + i * a_step, a_row, b + i * b_row);
    else
        for (; k > 0; k--, a += a_step, b += b_row)
            NAME(step)(acc, rows, vecs, a, a_row, b);
}

/* One finished vector of the result at offset `at`. */
static ALWAYS_INLINE void NAME(finish)(enum mode mode, const struct job *j, VEC sum, size_t at) {
    VEC *to = (VEC *)(j->to + at), second;
    switch (mode) {
    case LINEAR:
    case R_LINEAR:
    case WEIGHTS:
        *to = sum;
        break;
    case SINE:
        NAME(sincos)(sum, to, &second);
        break;
    case SINE_COSINE:
        NAME(sincos)(sum, &sum, &second);
        *to = sum, AT(j->to2, at) = second;
        break;
    case BACKWARD:
        if (j->to2) AT(j->to2, at) = sum;
        *to = AT(j->c, at) * sum;
        break;
    case R_FORWARD:
        sum *= 3.14159265358979323846f;
        *to = AT(j->c, at) * sum, AT(j->to2, at) = sum;
        break;
    case R_BACKWARD:
        second = AT(j->s, at) * AT(j->rz, at);
        sum = sum * AT(j->c, at);
        *to = MULTIPLY_ADD(-second, AT(j->e, at), sum);
        break;
    case RELU: /* NaN stays */
        *to = (VEC)((IVEC)sum & ~(IVEC)(sum <= 0));
        break;
    case RELU_BACKWARD:
    case R_RELU_FORWARD:
    case R_RELU_BACKWARD:
        *to = (VEC)((IVEC)sum & (IVEC)(AT(j->s, at) > 0));
        break;
    }
}

/* What the sums of a block start from: bias, what is there, or 0. */
static ALWAYS_INLINE void NAME(start)(enum mode mode, const struct job *j, VEC acc[8][MAX_VECS],
                                      int rows, int vecs, size_t v0, size_t at) {
    bool bias = mode != BACKWARD && mode != R_BACKWARD && mode != WEIGHTS &&
                mode != RELU_BACKWARD && mode != R_RELU_BACKWARD;
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < vecs; v++) {
        acc[r][v] = (VEC){0};
        if (bias) acc[r][v] = AT(j->bias, (v0 + (size_t)v) * LANES);
    }
    if (mode != WEIGHTS || j->fresh) return;
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < vecs; v++) acc[r][v] =
        AT(j->to, at + (size_t)r * j->row + (size_t)v * LANES);
}

static ALWAYS_INLINE void NAME(block)(enum mode mode, const struct job *j, int rows, int vecs,
                                      bool square, size_t r0, size_t v0) {
    VEC acc[8][MAX_VECS];
    size_t at = r0 * j->row + v0 * LANES;
    NAME(start)(mode, j, acc, rows, vecs, v0, at);
    UNROLL for (int i = 0; i < 2; i++) {
        if (i == 1 && !two_sums(mode)) break;
        size_t k = j->sum[i].k, a_row = mode == WEIGHTS ? 1 : j->a_row;
        size_t a_step = mode == WEIGHTS ? j->a_step : 1;
        size_t b_row = mode == WEIGHTS ? j->b_row : (size_t)vecs * LANES;
        const float *b = j->sum[i].b + v0 * LANES * (mode == WEIGHTS ? 1 : k);
        NAME(accumulate)
        (acc, rows, vecs, square, j->sum[i].a + r0 * a_row, a_row, a_step, b, b_row, k);
    }
#ifdef SINCOS_PAIR
    if ((mode == SINE || mode == SINE_COSINE) && rows % 2 == 0) { /* vecs is 1 */
        UNROLL for (int r = 0; r < rows; r += 2)
            SINCOS_PAIR(acc[r][0], acc[r + 1][0], j->to + at + r * LANES,
                        mode == SINE ? NULL : j->to2 + at + r * LANES);
        return;
    }
#endif
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < vecs; v++)
        NAME(finish)(mode, j, acc[r][v], at + (size_t)r * j->row + (size_t)v * LANES);
}

/* All rows of one panel. */
static ALWAYS_INLINE void NAME(panel)(enum mode mode, const struct job *j, int rows, int vecs,
                                      bool square, size_t v0) {
    size_t r = 0;
    for (; r + (size_t)rows <= j->rows; r += (size_t)rows)
        NAME(block)(mode, j, rows, vecs, square, r, v0);
    if (j->rows - r >= 4) {
        NAME(block)(mode, j, 4, vecs, square, r, v0);
        r += 4;
    }
    if (j->rows - r >= 2) {
        NAME(block)(mode, j, 2, vecs, square, r, v0);
        r += 2;
    }
    if (j->rows - r) NAME(block)(mode, j, 1, vecs, square, r, v0);
}

/* The whole product when all units fit one vector and there are as many: strides and lengths of the
 * sums are then constants. */
static ALWAYS_INLINE void NAME(square)(enum mode mode, struct job *j) {
    j->a_row = j->row = LANES;
    NAME(panel)(mode, j, 8, 1, true, 0);
}

/* The copy of the job tells the compiler that stores of results do not change it. */
static ALWAYS_INLINE void NAME(product)(enum mode mode, const struct job *task) {
    struct job copy = *task, *const j = &copy;
    if (mode != WEIGHTS && j->vecs == 1 && j->a_row == LANES && j->row == LANES &&
        j->sum[0].k == LANES && (!two_sums(mode) || j->sum[1].k == LANES)) {
        NAME(square)(mode, j);
        return;
    }
    for (size_t v0 = 0, vecs; v0 < j->vecs; v0 += vecs) {
        vecs = panel_vecs(j->vecs - v0, MAX_VECS);
        switch (vecs) {
        case 1:
            NAME(panel)(mode, j, 8, 1, false, v0);
            break;
#if MAX_VECS > 1
        case 2:
            NAME(panel)(mode, j, MAX_VECS > 2 ? 8 : 6, 2, false, v0);
            break;
#endif
#if MAX_VECS > 2
        case 3:
            NAME(panel)(mode, j, 8, 3, false, v0);
            break;
        case 4:
            NAME(panel)(mode, j, 6, 4, false, v0);
            break;
#endif
        }
    }
}

static inline void NAME(linear)(const struct job *j) {
    NAME(product)(LINEAR, j);
}
static inline void NAME(r_linear)(const struct job *j) {
    NAME(product)(R_LINEAR, j);
}
static void NAME(sine)(const struct job *j) {
    NAME(product)(SINE, j);
}
static void NAME(sine_cosine)(const struct job *j) {
    NAME(product)(SINE_COSINE, j);
}
static void NAME(backward)(const struct job *j) {
    NAME(product)(BACKWARD, j);
}
static void NAME(r_forward)(const struct job *j) {
    NAME(product)(R_FORWARD, j);
}
static void NAME(r_backward)(const struct job *j) {
    NAME(product)(R_BACKWARD, j);
}
static void NAME(weights)(const struct job *j) {
    NAME(product)(WEIGHTS, j);
}
static void NAME(relu)(const struct job *j) {
    NAME(product)(RELU, j);
}
static void NAME(relu_backward)(const struct job *j) {
    NAME(product)(RELU_BACKWARD, j);
}
static void NAME(r_relu_forward)(const struct job *j) {
    NAME(product)(R_RELU_FORWARD, j);
}
static void NAME(r_relu_backward)(const struct job *j) {
    NAME(product)(R_RELU_BACKWARD, j);
}

/* ---- packing ----------------------------------------------------------------------------- */

/* The first `count` floats at p, or as many as a vector holds; the rest 0. */
static ALWAYS_INLINE VEC NAME(load_some)(const float *p, size_t count) {
    if (count >= LANES) return *(const NAME(unaligned) *)p;
    VEC x = {0};
    for (size_t i = 0; i < count; i++)
        x[i] = p[i];
    return x;
}

/* The lower and the upper halves of two rows, lane by lane in turn. */
static ALWAYS_INLINE void NAME(interleave)(VEC a, VEC b, VEC *low, VEC *high) {
#if LANES == 16
    *low = SHUFFLE(IVEC, a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    *high = SHUFFLE(IVEC, a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
#elif LANES == 8
    *low = SHUFFLE(IVEC, a, b, 0, 8, 1, 9, 2, 10, 3, 11);
    *high = SHUFFLE(IVEC, a, b, 4, 12, 5, 13, 6, 14, 7, 15);
#else
    *low = SHUFFLE(IVEC, a, b, 0, 4, 1, 5);
    *high = SHUFFLE(IVEC, a, b, 2, 6, 3, 7);
#endif
}

/* Transposes by log2(LANES) rounds of interleaving row i with row i + LANES/2. */
static ALWAYS_INLINE void NAME(transpose)(VEC t[LANES]) {
    UNROLL for (int round = 1; round < LANES; round *= 2) {
        VEC u[LANES];
        UNROLL for (int i = 0; i < LANES / 2; i++)
            NAME(interleave)(t[i], t[i + LANES / 2], &u[2 * i], &u[2 * i + 1]);
        UNROLL for (int i = 0; i < LANES; i++) t[i] = u[i];
    }
}

static ALWAYS_INLINE size_t NAME(vecs)(size_t units) {
    return (units + LANES - 1) / LANES;
}

/* LANES rows and columns of scale * w^T. w [LANES, LANES], rows `in` apart; to: rows `row` apart.
 */
static inline void NAME(pack_square)(const float *w, size_t in, float scale, float *to,
                                     size_t row) {
    VEC t[LANES];
    UNROLL for (size_t i = 0; i < LANES; i++) t[i] = *(const NAME(unaligned) *)(w + i * in) * scale;
    NAME(transpose)(t);
    UNROLL for (size_t i = 0; i < LANES; i++) * (VEC *)(to + i * row) = t[i];
}

/* Panels of scale * w^T: rows k < in, columns o < out. w [out, in]. */
static void NAME(pack_transposed)(size_t out, size_t in, const float *w, float scale, float *to) {
    size_t all = NAME(vecs)(out);
    for (size_t v0 = 0, vecs; v0 < all; v0 += vecs, to += vecs * LANES * in) {
        vecs = panel_vecs(all - v0, MAX_VECS);
        for (size_t v = 0, row = vecs * LANES; v < vecs; v++) {
            size_t o = (v0 + v) * LANES, k = 0;
            if (o + LANES <= out)
                for (; k + LANES <= in; k += LANES)
                    NAME(pack_square)(w + o * in + k, in, scale, to + k * row + v * LANES, row);
            for (; k < in; k++)
                for (size_t i = 0; i < LANES; i++)
                    to[k * row + v * LANES + i] = o + i < out ? w[(o + i) * in + k] * scale : 0;
        }
    }
}

/* Panels of scale * w: rows o < out, columns i < in. w [out, in]. */
static void NAME(pack)(size_t out, size_t in, const float *w, float scale, float *to) {
    size_t all = NAME(vecs)(in);
    for (size_t v0 = 0, vecs; v0 < all; v0 += vecs) {
        vecs = panel_vecs(all - v0, MAX_VECS);
        for (size_t o = 0; o < out; o++)
            for (size_t i = v0 * LANES; i < (v0 + vecs) * LANES; i += LANES, to += LANES)
                *(VEC *)to = NAME(load_some)(w + o * in + i, i < in ? in - i : 0) * scale;
    }
}

/* to[o] = bias[o] * scale + offset, 0 in the padding. */
static void NAME(pack_bias)(size_t out, const float *bias, float scale, float offset, float *to) {
    size_t o = 0;
    for (; o + LANES <= out; o += LANES)
        *(VEC *)(to + o) = *(const NAME(unaligned) *)(bias + o) * scale + offset;
    for (; o < round_up(out, LANES); o++)
        to[o] = o < out ? bias[o] * scale + offset : 0;
}

/* ---- small passes over a tile ------------------------------------------------------------ */

/* to[units] = (fresh ? 0 : to) + sum of n rows */
static void NAME(sum_rows)(size_t n, size_t vecs, const float *d, size_t row, bool fresh,
                           float *to) {
    for (size_t v = 0; v < vecs; v++, d += LANES, to += LANES) {
        VEC sum[4] = {{0}};
        size_t p = 0;
        for (; p + 4 <= n; p += 4)
            UNROLL for (size_t i = 0; i < 4; i++) sum[i] += *(const VEC *)(d + (p + i) * row);
        for (; p < n; p++)
            sum[0] += *(const VEC *)(d + p * row);
        sum[0] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
        if (!fresh) sum[0] += *(const VEC *)to;
        *(VEC *)to = sum[0];
    }
}

static inline IVEC NAME(mask)(size_t count) {
    IVEC mask;
    for (size_t i = 0; i < LANES; i++)
        mask[i] = i < count ? -1 : 0;
    return mask;
}

/* How many of n rows, `row` floats apart, can be read or written as whole vectors where `left`
 * floats are accessible. */
static inline size_t NAME(whole_rows)(size_t n, size_t row, size_t left) {
    size_t whole = left < LANES ? 0 : (left - LANES) / row + 1;
    return whole < n ? whole : n;
}

/* d = factor * (f - y) for one vector of columns of n rows: `count` columns of y [n, y_row], of
 * which `left` floats from y on can be read. Returns the sum of (f - y)^2. */
static inline double NAME(residual)(size_t n, float factor, size_t count, const float *y,
                                    size_t y_row, size_t left, const float *f, float *d,
                                    size_t d_row) {
    VEC sum[4] = {{0}};
    IVEC mask = NAME(mask)(count);
    size_t i = 0, whole = NAME(whole_rows)(n, y_row, left);
    for (; i + 4 <= whole; i += 4)
        UNROLL for (size_t k = 0; k < 4; k++) {
            IVEC row = (IVEC) * (const NAME(unaligned) *)(y + (i + k) * y_row) & mask;
            VEC r = AT(f, (i + k) * d_row) - (VEC)row;
            sum[k] = MULTIPLY_ADD(r, r, sum[k]);
            AT(d, (i + k) * d_row) = r * factor;
        }
    for (; i < n; i++) {
        VEC r = AT(f, i * d_row);
        r -= NAME(load_some)(y + i * y_row, count < LANES ? count : LANES);
        sum[0] = MULTIPLY_ADD(r, r, sum[0]);
        AT(d, i * d_row) = r * factor;
    }
    double total = 0;
    sum[0] = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    for (i = 0; i < LANES; i++)
        total += (double)sum[0][i];
    return total;
}

/* The first `count` columns of n rows of f to out [n, out_row]. Whole vectors are stored in order,
 * so that each row overwrites what the one before it wrote too much. */
static inline void NAME(copy_columns)(size_t n, size_t count, const float *f, size_t f_row,
                                      float *out, size_t out_row) {
    size_t i = 0;
    if (count == out_row)
        for (size_t whole = NAME(whole_rows)(n, out_row, n * out_row); i < whole; i++)
            *(NAME(unaligned) *)(out + i * out_row) = *(const VEC *)(f + i * f_row);
    for (; i < n; i++)
        memcpy(out + i * out_row, f + i * f_row, count * sizeof *out);
}

/* ---- memory ------------------------------------------------------------------------------ */

#ifndef TSR_VECTOR_MEMORY
#define TSR_VECTOR_MEMORY

/* What the ordinary passes leave of one tile; arrays over sine or ReLU layers, see struct plan. */
struct record {
    float *s, *c, *f;     /* forward; f: outputs [tile, out_row] */
    float *encoded;       /* forward: inputs [tile, fan_in[0]], if there is an encoding */
    float *d, *e, *d_out; /* backward; d_out: d of the last layer. e is NULL if not kept */
};

/* Shapes and storage of one call. */
struct plan {
    const struct tsr_net *net;
    size_t tile; /* points, even */
    bool relu;
    size_t vecs, row, layer;  /* of the units of a layer: row in floats, layer = tile * row */
    size_t curved;            /* `layer` of what ReLU does without: 0 there */
    size_t in_row;            /* of the inputs of layer 0 */
    float *half_turns;        /* of one tile's encoding */
    size_t out_vecs, out_row; /* of the outputs, in narrow vectors */
    size_t columns;           /* row of a weight gradient */
    float *forward[TSR_MAX_LAYERS], *backward[TSR_MAX_LAYERS], *bias[TSR_MAX_LAYERS];
    float *v_forward[TSR_MAX_LAYERS], *v_backward[TSR_MAX_LAYERS], *v_bias[TSR_MAX_LAYERS];
    float *weights[TSR_MAX_LAYERS], *bias_sum[TSR_MAX_LAYERS];
    float *ra, *rz;        /* over sine or ReLU layers */
    float *rd[2], *rd_out; /* of this layer and the one below */
};

/* tsr_arena_take() in line: small networks make this call several dozen times in a microsecond. */
static inline float *floats(struct tsr_arena *arena, size_t n) {
    size_t at = arena->used;
    arena->used = round_up(at + n * sizeof(float), TSR_ALIGNMENT);
    return arena->base ? (float *)(void *)(arena->base + at) : NULL;
}
#endif

/* Measured on Zen 4: anything from 48 to 200 is within a few per cent; few tiles suit small
 * networks, short ones the second-level cache of wide networks. */
static size_t NAME(most_points)(const struct tsr_net *net) {
    return net->width <= 32 ? 192 : net->width <= 64 ? 144 : 48;
}

/* Points of a tile when there are n: as even a cut as possible into tiles that the caches hold,
 * each but the last a multiple of all block heights. A function of the network and n alone. */
static size_t NAME(tile_points)(const struct tsr_net *net, size_t n) {
    size_t most = NAME(most_points)(net);
    size_t tiles = (n + most - 1) / most;
    return round_up((n + tiles - 1) / tiles, tiles > 1 ? 24 : 2);
}

/* The forward part of a record; returns its size. */
static size_t NAME(forward_layout)(const struct plan *p, struct record *r, void *memory) {
    struct tsr_arena arena = {.base = memory, .size = SIZE_MAX / 2};
    size_t layers = p->net->n_layers - 1;
    r->s = floats(&arena, layers * p->layer);
    r->c = floats(&arena, layers * p->curved);
    r->f = floats(&arena, p->tile * p->out_row);
    r->encoded = p->net->octaves ? floats(&arena, p->tile * p->in_row + LANES) : NULL;
    return arena.used;
}

/* The backward part, of all layers or of two at a time. */
static size_t NAME(backward_layout)(const struct plan *p, struct record *r, bool keep,
                                    void *memory) {
    struct tsr_arena arena = {.base = memory, .size = SIZE_MAX / 2};
    size_t layers = p->net->n_layers - 1;
    r->d = floats(&arena, (keep ? layers : 2) * p->layer);
    r->e = keep ? floats(&arena, layers * p->curved) : NULL;
    r->d_out = floats(&arena, p->tile * p->out_row);
    return arena.used;
}

/* Both parts of tile number `tile`, on the tape where there is one, else at `memory`. */
static void NAME(place_record)(const struct plan *p, struct record *r, const struct tsr_tape *tape,
                               bool keep, size_t tile, char *memory) {
    char *forward = tape ? tape->forward : NULL, *backward = tape ? tape->backward : NULL;
    size_t size = NAME(forward_layout)(p, r, forward ? forward : memory);
    if (forward)
        (void)NAME(forward_layout)(p, r, forward + tile * size);
    else
        memory += size;
    size = NAME(backward_layout)(p, r, keep, backward ? backward : memory);
    if (backward) (void)NAME(backward_layout)(p, r, keep, backward + tile * size);
}

static void NAME(shape)(struct plan *p, const struct tsr_net *net, size_t tile) {
    p->net = net;
    p->tile = tile;
    p->vecs = NAME(vecs)(net->width);
    p->columns = p->vecs * LANES;
    p->row = p->columns;
    p->layer = tile * p->row;
    p->relu = net->kind == &tsr_kind_relu_pe;
    p->curved = p->relu ? 0 : p->layer;
    p->in_row = net->fan_in[0];
    p->out_vecs = NARROW(vecs)(net->out_dim);
    p->out_row = p->out_vecs * NARROW_LANES;
}

/* Storage of a call; `second_order` adds what hvp() needs. Returns its size in bytes; what lies
 * behind it is for a record. */
static size_t NAME(layout)(struct plan *p, bool second_order, void *workspace) {
    struct tsr_arena arena = {.base = workspace, .size = SIZE_MAX / 2};
    size_t last = p->net->n_layers - 1;
    for (size_t l = 0; l <= last; l++) {
        size_t in = p->net->fan_in[l], out = p->net->fan_out[l];
        size_t units = l == last ? p->out_row : p->columns;
        for (int v = 0; v < (second_order ? 2 : 1); v++) {
            (v ? p->v_forward : p->forward)[l] = floats(&arena, in * units);
            (v ? p->v_backward : p->backward)[l] = floats(&arena, l ? out * p->columns : 0);
            (v ? p->v_bias : p->bias)[l] = floats(&arena, units);
        }
        p->weights[l] = floats(&arena, (l ? round_up(out, 4) : in) * p->columns);
        p->bias_sum[l] = floats(&arena, units);
    }
    size_t angles = p->tile * p->net->in_dim * p->net->octaves;
    p->half_turns = floats(&arena, angles ? angles + LANES + TSR_HALF_TURNS_SPARE : 0);
    if (!second_order) return arena.used;
    p->ra = floats(&arena, last * p->layer);
    p->rz = floats(&arena, last * p->curved);
    p->rd[0] = floats(&arena, p->layer);
    p->rd[1] = floats(&arena, p->layer);
    p->rd_out = floats(&arena, p->tile * p->out_row);
    return arena.used;
}

static size_t NAME(workspace_size)(const struct tsr_net *net) {
    struct plan p;
    struct record r;
    NAME(shape)(&p, net, NAME(most_points)(net));
    return NAME(layout)(&p, true, NULL) + NAME(forward_layout)(&p, &r, NULL) +
           NAME(backward_layout)(&p, &r, true, NULL);
}

static struct tsr_tape_size NAME(tape_size)(const struct tsr_net *net, size_t n) {
    struct plan p;
    struct record r;
    if (n == 0) return (struct tsr_tape_size){0, 0};
    NAME(shape)(&p, net, NAME(tile_points)(net, n));
    size_t tiles = (n + p.tile - 1) / p.tile;
    return (struct tsr_tape_size){tiles * NAME(forward_layout)(&p, &r, NULL),
                                  tiles * NAME(backward_layout)(&p, &r, true, NULL)};
}

/* ---- one call ---------------------------------------------------------------------------- */

static void NAME(pack_forward)(const struct plan *p, const float *parameters, float offset,
                               size_t from, float *const *to, float *const *bias) {
    const struct tsr_net *net = p->net;
    size_t last = net->n_layers - 1;
    for (size_t l = from; l < last; l++) {
        float scale = p->relu ? 1 : (float)(net->omega[l] / 3.14159265358979323846);
        const float *w = parameters + net->weight_at[l];
        NAME(pack_transposed)(net->width, net->fan_in[l], w, scale, to[l]);
        NAME(pack_bias)(net->width, parameters + net->bias_at[l], scale, 0, bias[l]);
    }
    const float *w = parameters + net->weight_at[last];
    NARROW(pack_transposed)(net->out_dim, net->width, w, 1, to[last]);
    NARROW(pack_bias)(net->out_dim, parameters + net->bias_at[last], 1, offset, bias[last]);
}

static void NAME(pack_backward)(const struct plan *p, const float *parameters, float *const *to) {
    const struct tsr_net *net = p->net;
    for (size_t l = 1; l < net->n_layers; l++) {
        const float *w = parameters + net->weight_at[l];
        NAME(pack)(net->fan_out[l], net->width, w, (float)net->omega[l - 1], to[l]);
    }
}

static void NAME(store_outputs)(const struct plan *p, const float *f, size_t m, float *out) {
    size_t n = p->net->out_dim;
    for (size_t c = 0; c < n; c += NARROW_LANES) {
        size_t count = n - c < NARROW_LANES ? n - c : NARROW_LANES;
        NARROW(copy_columns)(m, count, f + c, p->out_row, out + c, n);
    }
}

/* d of the last layer from the outputs f of m points; returns the squared error. */
static double NAME(residual_tile)(const struct plan *p, const float *y, size_t m, float factor,
                                  const float *f, float *d) {
    double error = 0;
    size_t out = p->net->out_dim;
    for (size_t c = 0; c < out; c += NARROW_LANES)
        error +=
            NARROW(residual)(m, factor, out - c, y + c, out, m * out - c, f + c, d + c, p->out_row);
    return error;
}

/* The encoding of m points, sin and cos of all angles: vectors of a row from last to first, so that
 * what the last one writes too much is overwritten by the cosines, or by the next row. */
static void NAME(encode_tile)(const struct plan *p, const struct record *r, const float *x,
                              size_t m) {
    const struct tsr_net *net = p->net;
    size_t angles = net->in_dim * net->octaves;
    tsr_half_turns(tsr_turns_of_one(net), net->octaves, x, m * net->in_dim, p->half_turns);
    for (size_t i = 0; i < m; i++) {
        float *row = r->encoded + i * p->in_row;
        for (size_t at = round_up(angles, LANES); at > 0;) {
            VEC s, c;
            at -= LANES;
            NAME(sincos)(*(NAME(unaligned) *)(p->half_turns + i * angles + at), &s, &c);
            *(NAME(unaligned) *)(row + at) = s;
            *(NAME(unaligned) *)(row + angles + at) = c;
        }
    }
}

/* Inputs of layer 0, whose points are x. */
static const float *NAME(inputs)(const struct record *r, const float *x) {
    return r->encoded ? r->encoded : x;
}

static void NAME(forward_tile)(const struct plan *p, const struct record *r, const float *x,
                               size_t m, bool slopes) {
    size_t last = p->net->n_layers - 1;
    if (r->encoded) NAME(encode_tile)(p, r, x, m);
    for (size_t l = 0; l < last; l++) {
        struct job j = {.rows = m, .vecs = p->vecs, .row = p->row, .bias = p->bias[l]};
        j.a_row = l ? p->row : p->in_row;
        j.sum[0].a = l ? r->s + (l - 1) * p->layer : NAME(inputs)(r, x);
        j.sum[0].b = p->forward[l];
        j.sum[0].k = p->net->fan_in[l];
        j.to = r->s + l * p->layer;
        j.to2 = r->c + l * p->curved;
        if (p->relu)
            NAME(relu)(&j);
        else if (slopes)
            NAME(sine_cosine)(&j);
        else
            NAME(sine)(&j);
    }
    struct job j = {.rows = m, .vecs = p->out_vecs, .row = p->out_row, .a_row = p->row};
    j.bias = p->bias[last];
    j.sum[0].a = r->s + (last - 1) * p->layer;
    j.sum[0].b = p->forward[last];
    j.sum[0].k = p->net->width;
    j.to = r->f;
    NARROW(linear)(&j);
}

/* d of layer l; without a tape only two layers are kept. */
static float *NAME(delta)(const struct plan *p, const struct record *r, size_t l) {
    if (l + 1 == p->net->n_layers) return r->d_out;
    return r->d + (r->e ? l : l & 1) * p->layer;
}

/* Adds tile by tile the weight and bias gradients of layer l: d a^T, plus d2 a2^T if d2 is not
 * NULL; the biases are those of d alone. The rows of d are rounded up to a multiple of 4, within
 * its padding; those of layer 0 are the inputs. */
static void NAME(weights_tile)(const struct plan *p, size_t l, size_t m, bool fresh, const float *d,
                               const float *a, const float *d2, const float *a2) {
    bool last = l + 1 == p->net->n_layers;
    size_t d_row = last ? p->out_row : p->row;
    struct job j = {.vecs = p->vecs, .row = p->columns, .b_row = p->row, .fresh = fresh};
    j.rows = l ? round_up(p->net->fan_out[l], 4) : p->in_row;
    j.a_step = l ? d_row : p->in_row;
    j.sum[0].a = l ? d : a;
    j.sum[0].b = l ? a : d;
    j.sum[0].k = m;
    j.sum[1].a = d2;
    j.sum[1].b = a2;
    j.sum[1].k = d2 ? m : 0;
    j.to = p->weights[l];
    NAME(weights)(&j);
    if (last)
        NARROW(sum_rows)(m, p->out_vecs, d, p->out_row, fresh, p->bias_sum[l]);
    else
        NAME(sum_rows)(m, p->vecs, d, p->row, fresh, p->bias_sum[l]);
}

/* From d of layer l to that of the layer below. */
static void NAME(backward_layer)(const struct plan *p, const struct record *r, size_t l, size_t m) {
    struct job j = {.rows = m, .vecs = p->vecs, .row = p->row};
    j.a_row = l + 1 == p->net->n_layers ? p->out_row : p->row;
    j.sum[0].a = NAME(delta)(p, r, l);
    j.sum[0].b = p->backward[l];
    j.sum[0].k = p->net->fan_out[l];
    j.s = r->s + (l - 1) * p->layer;
    j.c = r->c + (l - 1) * p->curved;
    j.to = NAME(delta)(p, r, l - 1);
    j.to2 = r->e ? r->e + (l - 1) * p->curved : NULL;
    if (p->relu)
        NAME(relu_backward)(&j);
    else
        NAME(backward)(&j);
}

static void NAME(backward_tile)(const struct plan *p, const struct record *r, const float *x,
                                size_t m, bool fresh) {
    for (size_t l = p->net->n_layers - 1; l > 0; l--) {
        const float *a = r->s + (l - 1) * p->layer;
        NAME(weights_tile)(p, l, m, fresh, NAME(delta)(p, r, l), a, NULL, NULL);
        NAME(backward_layer)(p, r, l, m);
    }
    NAME(weights_tile)(p, 0, m, fresh, NAME(delta)(p, r, 0), NAME(inputs)(r, x), NULL, NULL);
}

static void NAME(r_forward_tile)(const struct plan *p, const struct record *r, const float *x,
                                 size_t m) {
    size_t last = p->net->n_layers - 1;
    for (size_t l = 0; l <= last; l++) {
        struct job j = {.rows = m, .vecs = p->vecs, .row = p->row, .bias = p->v_bias[l]};
        j.a_row = l ? p->row : p->in_row;
        j.sum[0].a = l ? r->s + (l - 1) * p->layer : NAME(inputs)(r, x);
        j.sum[0].b = p->v_forward[l];
        j.sum[0].k = p->net->fan_in[l];
        if (l > 0) {
            j.sum[1].a = p->ra + (l - 1) * p->layer;
            j.sum[1].b = p->forward[l];
            j.sum[1].k = p->net->fan_in[l];
        }
        if (l == last) {
            j.vecs = p->out_vecs, j.row = p->out_row, j.to = p->rd_out;
            NARROW(r_linear)(&j);
            return;
        }
        j.s = r->s + l * p->layer;
        j.c = r->c + l * p->curved;
        j.to = p->ra + l * p->layer;
        j.to2 = p->rz + l * p->curved;
        if (p->relu)
            NAME(r_relu_forward)(&j);
        else
            NAME(r_forward)(&j);
    }
}

static void NAME(r_backward_tile)(const struct plan *p, const struct record *r, const float *x,
                                  size_t m, bool fresh) {
    size_t last = p->net->n_layers - 1;
    for (size_t l = last; l > 0; l--) {
        size_t below = (l - 1) * p->layer;
        const float *d = NAME(delta)(p, r, l), *rd = l == last ? p->rd_out : p->rd[l & 1];
        NAME(weights_tile)(p, l, m, fresh, rd, r->s + below, d, p->ra + below);
        struct job j = {.rows = m, .vecs = p->vecs, .row = p->row};
        j.a_row = l == last ? p->out_row : p->row;
        j.sum[0].a = d;
        j.sum[0].b = p->v_backward[l];
        j.sum[1].a = rd;
        j.sum[1].b = p->backward[l];
        j.sum[0].k = j.sum[1].k = p->net->fan_out[l];
        j.s = r->s + below;
        j.c = r->c + (l - 1) * p->curved;
        j.e = r->e + (l - 1) * p->curved;
        j.rz = p->rz + (l - 1) * p->curved;
        j.to = p->rd[(l - 1) & 1];
        if (p->relu)
            NAME(r_relu_backward)(&j);
        else
            NAME(r_backward)(&j);
    }
    NAME(weights_tile)(p, 0, m, fresh, p->rd[0], NAME(inputs)(r, x), NULL, NULL);
}

/* to[i] += from[i]; from is padded to whole vectors. */
static ALWAYS_INLINE void NAME(add)(size_t n, const float *from, float *to) {
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        *(NAME(unaligned) *)(to + i) += *(const VEC *)(from + i);
    for (; i < n; i++)
        to[i] += from[i];
}

/* grad += the sums of all tiles. Those of layer 0 are transposed. */
static void NAME(add_sums)(const struct plan *p, float *grad) {
    const struct tsr_net *net = p->net;
    for (size_t l = 0; l < net->n_layers; l++) {
        size_t in = net->fan_in[l], out = net->fan_out[l];
        float *w = grad + net->weight_at[l];
        const float *sum = p->weights[l];
        if (l > 0)
            for (size_t o = 0; o < out; o++)
                NAME(add)(in, sum + o * p->columns, w + o * in);
        else
            for (size_t i = 0; i < in; i++)
                for (size_t o = 0; o < out; o++)
                    w[o * in + i] += sum[i * p->columns + o];
        NAME(add)(out, p->bias_sum[l], grad + net->bias_at[l]);
    }
}

static void NAME(forward)(const struct tsr_net *net, const float *phi, const float *x, size_t n,
                          float *out, void *workspace) {
    struct plan p;
    struct record r;
    if (n == 0) return;
    NAME(shape)(&p, net, NAME(tile_points)(net, n));
    size_t used = NAME(layout)(&p, false, workspace);
    (void)NAME(forward_layout)(&p, &r, (char *)workspace + used);
    NAME(pack_forward)(&p, phi, (float)net->output_offset, 0, p.forward, p.bias);
    for (size_t at = 0; at < n; at += p.tile) {
        size_t m = n - at < p.tile ? n - at : p.tile;
        NAME(forward_tile)(&p, &r, x + at * net->in_dim, m, false);
        NAME(store_outputs)(&p, r.f, m, out + at * net->out_dim);
    }
}

static void NAME(record)(const struct tsr_net *net, const float *phi, const float *x, size_t n,
                         void *to, void *workspace) {
    struct plan p;
    struct record r;
    if (n == 0) return;
    NAME(shape)(&p, net, NAME(tile_points)(net, n));
    (void)NAME(layout)(&p, false, workspace);
    NAME(pack_forward)(&p, phi, (float)net->output_offset, 0, p.forward, p.bias);
    char *memory = to;
    for (size_t at = 0; at < n; at += p.tile) {
        memory += NAME(forward_layout)(&p, &r, memory);
        NAME(forward_tile)
        (&p, &r, x + at * net->in_dim, n - at < p.tile ? n - at : p.tile, true);
    }
}

/* From the forward pass of one tile to d of the last layer; returns the squared error. */
static double NAME(error_tile)(const struct plan *p, const struct record *r,
                               const struct tsr_points *points, size_t at, size_t m, double scale,
                               float *out) {
    size_t out_dim = p->net->out_dim;
    if (out) NAME(store_outputs)(p, r->f, m, out + at * out_dim);
    return NAME(residual_tile)(p, points->y + at * out_dim, m, (float)(2 * scale), r->f, r->d_out);
}

/* The gradient, with the forward pass unless that is on the tape. */
static double NAME(sweep)(const struct tsr_net *net, const float *phi,
                          const struct tsr_points *points, double scale, bool recorded, float *grad,
                          float *out, const struct tsr_tape *tape, void *workspace) {
    struct plan p;
    struct record r;
    double error = 0;
    if (points->n == 0) return 0;
    NAME(shape)(&p, net, NAME(tile_points)(net, points->n));
    size_t used = NAME(layout)(&p, false, workspace);
    if (!recorded) NAME(pack_forward)(&p, phi, (float)net->output_offset, 0, p.forward, p.bias);
    NAME(pack_backward)(&p, phi, p.backward);
    for (size_t at = 0; at < points->n; at += p.tile) {
        size_t m = points->n - at < p.tile ? points->n - at : p.tile;
        const float *x = points->x + at * net->in_dim;
        NAME(place_record)
        (&p, &r, tape, tape && tape->backward, at / p.tile, (char *)workspace + used);
        if (!recorded) NAME(forward_tile)(&p, &r, x, m, true);
        error += NAME(error_tile)(&p, &r, points, at, m, scale, out);
        NAME(backward_tile)(&p, &r, x, m, at == 0);
    }
    NAME(add_sums)(&p, grad);
    return error;
}

static double NAME(gradient)(const struct tsr_net *net, const float *phi,
                             const struct tsr_points *points, double scale, float *grad, float *out,
                             const struct tsr_tape *tape, void *workspace) {
    return NAME(sweep)(net, phi, points, scale, false, grad, out, tape, workspace);
}

static double NAME(from_record)(const struct tsr_net *net, const float *phi,
                                const struct tsr_points *points, double scale, float *grad,
                                float *out, const struct tsr_tape *tape, void *workspace) {
    return NAME(sweep)(net, phi, points, scale, true, grad, out, tape, workspace);
}

static void NAME(hvp)(const struct tsr_net *net, const float *phi, const float *v,
                      const struct tsr_points *points, double scale, float *hv,
                      const struct tsr_tape *tape, void *workspace) {
    struct plan p;
    struct record r;
    if (points->n == 0) return;
    NAME(shape)(&p, net, NAME(tile_points)(net, points->n));
    size_t used = NAME(layout)(&p, true, workspace);
    NAME(pack_forward)(&p, phi, (float)net->output_offset, tape ? 1 : 0, p.forward, p.bias);
    NAME(pack_backward)(&p, phi, p.backward);
    NAME(pack_forward)(&p, v, 0, 0, p.v_forward, p.v_bias);
    NAME(pack_backward)(&p, v, p.v_backward);
    for (size_t at = 0; at < points->n; at += p.tile) {
        size_t m = points->n - at < p.tile ? points->n - at : p.tile;
        const float *x = points->x + at * net->in_dim;
        NAME(place_record)(&p, &r, tape, true, at / p.tile, (char *)workspace + used);
        if (!tape) {
            NAME(forward_tile)(&p, &r, x, m, true);
            (void)NAME(error_tile)(&p, &r, points, at, m, scale, NULL);
            for (size_t l = net->n_layers - 1; l > 0; l--)
                NAME(backward_layer)(&p, &r, l, m);
        }
        NAME(r_forward_tile)(&p, &r, x, m);
        for (size_t i = 0; i < m * p.out_row; i++)
            p.rd_out[i] *= (float)(2 * scale);
        NAME(r_backward_tile)(&p, &r, x, m, at == 0);
    }
    NAME(add_sums)(&p, hv);
}

#undef LANES
#undef MAX_VECS
#undef NAME
#undef MULTIPLY_ADD
#undef REMAINDER
#undef SINCOS_PAIR
#undef VEC
#undef IVEC
#undef SPLAT
#undef AT
