/* SPDX-License-Identifier: MIT
 *
 * Rows of a basis: sums of them, products with them, their gradients, for many vectors at a time.
 * Part of kernel_vector.h, a template. A number of a result is one sum in one order, whatever
 * other numbers are computed with it and wherever the work is cut.
 *
 * Sums of rows and gradients are one product, out[r][i] += sum over j of c[j][r] term[j][i]: terms
 * are cut into as many as stay in the cache, columns into blocks, and a few rows of the result are
 * in registers at a time.
 */

#ifndef BASIS_TERMS
#define BASIS_TERMS 128
#define BASIS_COLUMNS 1024
#endif

/* Rows and vectors of a block in registers; fewer rows have longer ones. */
enum { NAME(basis_rows) = LANES == 16 ? 8 : 4, NAME(basis_vecs) = 8 };

static ALWAYS_INLINE int NAME(vecs_of)(int rows) {
    return rows >= 4 ? 3 : rows == 2 ? 4 : NAME(basis_vecs);
}

static ALWAYS_INLINE void NAME(store_some)(float *p, VEC x, size_t count) {
    if (count >= LANES)
        *(NAME(unaligned) *)p = x;
    else
        for (size_t i = 0; i < count; i++)
            p[i] = x[i];
}

/* out[r][at ..] += sum over j < n of c[j][r] term[j][at ..], `count` numbers of each row. */
static ALWAYS_INLINE void NAME(add_block)(int rows, int vecs, const float *c, const float *term,
                                          size_t stride, size_t n, float *const *out, size_t at,
                                          size_t count) {
    VEC sum[8][NAME(basis_vecs)], x[NAME(basis_vecs)];
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < vecs; v++) sum[r][v] =
        NAME(load_some)(out[r] + at + (size_t)v * LANES, count);
    for (size_t j = 0; j < n; j++, c += rows, term += stride) {
        UNROLL for (int v = 0; v < vecs; v++) x[v] =
            NAME(load_some)(term + at + (size_t)v * LANES, count);
        UNROLL for (int r = 0; r < rows; r++) {
            VEC factor = SPLAT(c[r]);
            UNROLL for (int v = 0; v < vecs; v++) sum[r][v] = MULTIPLY_ADD(factor, x[v], sum[r][v]);
        }
    }
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < vecs; v++)
        NAME(store_some)(out[r] + at + (size_t)v * LANES, sum[r][v], count);
}

static ALWAYS_INLINE void NAME(add_columns)(int rows, const float *c, const float *term,
                                            size_t stride, size_t n, float *const *out, size_t from,
                                            size_t to) {
    const int vecs = NAME(vecs_of)(rows);
    for (; from + (size_t)vecs * LANES <= to; from += (size_t)vecs * LANES)
        NAME(add_block)(rows, vecs, c, term, stride, n, out, from, LANES);
    for (; from + LANES <= to; from += LANES)
        NAME(add_block)(rows, 1, c, term, stride, n, out, from, LANES);
    if (from < to) NAME(add_block)(rows, 1, c, term, stride, n, out, from, to - from);
}

/* Rows that the next block takes of `left`. */
static ALWAYS_INLINE int NAME(next_rows)(size_t left) {
    if (NAME(basis_rows) == 8 && left >= 8) return 8;
    return left >= 4 ? 4 : left >= 2 ? 2 : 1;
}

static void NAME(add_rows)(int rows, const float *c, const float *term, size_t stride, size_t n,
                           float *const *out, size_t from, size_t to) {
    switch (rows) {
    case 8:
        NAME(add_columns)(8, c, term, stride, n, out, from, to);
        break;
    case 4:
        NAME(add_columns)(4, c, term, stride, n, out, from, to);
        break;
    case 2:
        NAME(add_columns)(2, c, term, stride, n, out, from, to);
        break;
    default:
        NAME(add_columns)(1, c, term, stride, n, out, from, to);
    }
}

/* y[t][i] += sum over d < n of z[t][d0 + d] rows[d][i], n <= BASIS_TERMS. */
static inline void NAME(combine_block)(const float *rows, size_t stride, size_t d0, size_t n,
                                       size_t count, const float *const *z, size_t from, size_t to,
                                       float *const *y) {
    float c[BASIS_TERMS * 8];
    for (size_t t = 0, many; t < count; t += many) {
        many = (size_t)NAME(next_rows)(count - t);
        for (size_t q = 0; q < many; q++)
            for (size_t d = 0; d < n; d++)
                c[d * many + q] = z[t + q][d0 + d];
        NAME(add_rows)((int)many, c, rows, stride, n, y + t, from, to);
    }
}

static inline void NAME(combine)(const float *rows, size_t stride, size_t n, size_t count,
                                 const float *const *z, size_t from, size_t to, float *const *y) {
    for (size_t i = from; i < to; i += BASIS_COLUMNS)
        for (size_t d = 0; d < n; d += BASIS_TERMS)
            NAME(combine_block)
    (rows + d * stride, stride, d, n - d < BASIS_TERMS ? n - d : BASIS_TERMS, count, z, i,
     to - i < BASIS_COLUMNS ? to : i + BASIS_COLUMNS, y);
}

static inline void NAME(outer)(size_t n_terms, const float *b, size_t n, const float *a,
                               size_t length, size_t from, size_t to, float *rows) {
    float c[BASIS_TERMS * 8], *out[8] = {NULL};
    for (size_t i = 0; i < length; i += BASIS_COLUMNS)
        for (size_t j = 0; j < n_terms; j += BASIS_TERMS) {
            size_t terms = n_terms - j < BASIS_TERMS ? n_terms - j : BASIS_TERMS;
            size_t end = length - i < BASIS_COLUMNS ? length : i + BASIS_COLUMNS;
            for (size_t d = from, many; d < to; d += many) {
                many = (size_t)NAME(next_rows)(to - d);
                for (size_t t = 0; t < terms; t++)
                    memcpy(c + t * many, b + (j + t) * n + d, many * sizeof *c);
                for (size_t q = 0; q < many; q++)
                    out[q] = rows + (d + q) * length;
                NAME(add_rows)((int)many, c, a + j * length, length, terms, out, i, end);
            }
        }
}

/* Of one product with a row: lanes summed as a tree. */
static ALWAYS_INLINE float NAME(sum_lanes)(VEC x) {
    float lane[LANES];
    *(NAME(unaligned) *)lane = x;
    UNROLL for (int half = LANES / 2; half > 0; half /= 2) UNROLL for (int i = 0; i < half; i++)
        lane[i] += lane[i + half];
    return lane[0];
}

/* out[t][d + r] = the product of row r and g[t], for 4 rows or fewer and `many` vectors. */
static ALWAYS_INLINE void NAME(project_block)(int n_rows, int many, const float *rows,
                                              size_t stride, const float *const *g, size_t length,
                                              float *const *out, size_t d) {
    VEC sum[4][4] = {{{0}}}, x[4];
    size_t i = 0;
    for (; i + LANES <= length; i += LANES) {
        UNROLL for (int t = 0; t < many; t++) x[t] = *(const NAME(unaligned) *)(g[t] + i);
        UNROLL for (int r = 0; r < n_rows; r++) {
            VEC row = *(const NAME(unaligned) *)(rows + (size_t)r * stride + i);
            UNROLL for (int t = 0; t < many; t++) sum[r][t] = MULTIPLY_ADD(row, x[t], sum[r][t]);
        }
    }
    if (i < length) {
        UNROLL for (int t = 0; t < many; t++) x[t] = NAME(load_some)(g[t] + i, length - i);
        UNROLL for (int r = 0; r < n_rows; r++) {
            VEC row = NAME(load_some)(rows + (size_t)r * stride + i, length - i);
            UNROLL for (int t = 0; t < many; t++) sum[r][t] = MULTIPLY_ADD(row, x[t], sum[r][t]);
        }
    }
    UNROLL for (int r = 0; r < n_rows; r++) UNROLL for (int t = 0; t < many; t++)
        out[t][d + (size_t)r] = NAME(sum_lanes)(sum[r][t]);
}

/* All vectors, for 4 rows or one. */
static ALWAYS_INLINE void NAME(project_rows)(int n_rows, const float *rows, size_t stride, size_t d,
                                             size_t count, const float *const *g, size_t length,
                                             float *const *out) {
    size_t t = 0;
    if (LANES == 16)
        for (; t + 4 <= count; t += 4)
            NAME(project_block)(n_rows, 4, rows, stride, g + t, length, out + t, d);
    for (; t + 2 <= count; t += 2)
        NAME(project_block)(n_rows, 2, rows, stride, g + t, length, out + t, d);
    for (; t < count; t++)
        NAME(project_block)(n_rows, 1, rows, stride, g + t, length, out + t, d);
}

static inline void NAME(project)(const float *rows, size_t stride, size_t from, size_t to,
                                 size_t count, const float *const *g, size_t length,
                                 float *const *out) {
    size_t d = from;
    for (; d + 4 <= to; d += 4)
        NAME(project_rows)(4, rows + d * stride, stride, d, count, g, length, out);
    for (; d < to; d++)
        NAME(project_rows)(1, rows + d * stride, stride, d, count, g, length, out);
}
