/* SPDX-License-Identifier: MIT
 *
 * Rows of a basis: sums of them, products with them, their gradients. Part of kernel_vector.h, a
 * template. What is computed of one number depends on nothing but that number, so work may be cut
 * anywhere without changing a bit.
 */

enum { NAME(basis_vecs) = 4 };

static ALWAYS_INLINE void NAME(store_some)(float *p, VEC x, size_t count) {
    if (count >= LANES)
        *(NAME(unaligned) *)p = x;
    else
        for (size_t i = 0; i < count; i++)
            p[i] = x[i];
}

static inline void NAME(combine)(const float *rows, size_t stride, size_t n, const float *z,
                                 size_t from, size_t to, float *y) {
    const size_t block = NAME(basis_vecs) * LANES;
    for (; from + block <= to; from += block) {
        VEC sum[NAME(basis_vecs)];
        UNROLL for (int v = 0; v < NAME(basis_vecs); v++) sum[v] =
            *(const NAME(unaligned) *)(y + from + (size_t)v * LANES);
        for (size_t d = 0; d < n; d++)
            UNROLL for (int v = 0; v < NAME(basis_vecs); v++) sum[v] = MULTIPLY_ADD(
                SPLAT(z[d]),
                (VEC) * (const NAME(unaligned) *)(rows + d * stride + from + (size_t)v * LANES),
                sum[v]);
        UNROLL for (int v = 0; v < NAME(basis_vecs); v++)
            NAME(store_some)(y + from + (size_t)v * LANES, sum[v], LANES);
    }
    for (; from < to; from += LANES) {
        VEC sum = NAME(load_some)(y + from, to - from);
        for (size_t d = 0; d < n; d++)
            sum = MULTIPLY_ADD(SPLAT(z[d]), NAME(load_some)(rows + d * stride + from, to - from),
                               sum);
        NAME(store_some)(y + from, sum, to - from);
    }
}

static ALWAYS_INLINE float NAME(dot)(const float *a, const float *b, size_t n) {
    const size_t block = NAME(basis_vecs) * LANES;
    VEC sum[NAME(basis_vecs)] = {{0}};
    size_t i = 0;
    for (; i + block <= n; i += block)
        UNROLL for (int v = 0; v < NAME(basis_vecs); v++) sum[v] =
            MULTIPLY_ADD((VEC) * (const NAME(unaligned) *)(a + i + (size_t)v * LANES),
                         (VEC) * (const NAME(unaligned) *)(b + i + (size_t)v * LANES), sum[v]);
    for (; i < n; i += LANES)
        sum[0] = MULTIPLY_ADD(NAME(load_some)(a + i, n - i), NAME(load_some)(b + i, n - i), sum[0]);
    VEC all = (sum[0] + sum[1]) + (sum[2] + sum[3]);
    float total = 0;
    for (int i_lane = 0; i_lane < LANES; i_lane++)
        total += all[i_lane];
    return total;
}

static inline void NAME(project)(const float *rows, size_t stride, size_t from, size_t to,
                                 const float *g, size_t length, float *out) {
    for (size_t d = from; d < to; d++)
        out[d] = NAME(dot)(rows + d * stride, g, length);
}

static inline void NAME(outer)(size_t n_terms, const float *b, size_t n, const float *a,
                               size_t length, float *rows) {
    const size_t block = NAME(basis_vecs) * LANES;
    for (size_t d = 0; d < n; d++) {
        float *row = rows + d * length;
        size_t i = 0;
        for (; i + block <= length; i += block) {
            VEC sum[NAME(basis_vecs)] = {{0}};
            for (size_t j = 0; j < n_terms; j++)
                UNROLL for (int v = 0; v < NAME(basis_vecs); v++) sum[v] = MULTIPLY_ADD(
                    SPLAT(b[j * n + d]),
                    (VEC) * (const NAME(unaligned) *)(a + j * length + i + (size_t)v * LANES),
                    sum[v]);
            UNROLL for (int v = 0; v < NAME(basis_vecs); v++)
                NAME(store_some)(row + i + (size_t)v * LANES, sum[v], LANES);
        }
        for (; i < length; i += LANES) {
            VEC sum = {0};
            for (size_t j = 0; j < n_terms; j++)
                sum = MULTIPLY_ADD(SPLAT(b[j * n + d]),
                                   NAME(load_some)(a + j * length + i, length - i), sum);
            NAME(store_some)(row + i, sum, length - i);
        }
    }
}
