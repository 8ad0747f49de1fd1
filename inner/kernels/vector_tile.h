/* SPDX-License-Identifier: MIT
 *
 * Small passes over a tile: biases, sums of rows, residuals, outputs. Part of kernel_vector.h, a
 * template, and, behind vector_lanes.h, includable alone, for NARROW.
 */

/* The first `count` floats at p, or as many as a vector holds; the rest 0. */
static ALWAYS_INLINE VEC NAME(load_some)(const float *p, size_t count) {
    if (count >= LANES) return *(const NAME(unaligned) *)p;
    VEC x = {0};
    for (size_t i = 0; i < count; i++)
        x[i] = p[i];
    return x;
}

/* to[o] = bias[o] * scale + offset, 0 in the padding. */
static inline void NAME(pack_bias)(size_t out, const float *bias, float scale, float offset,
                                   float *to) {
    size_t o = 0;
    for (; o + LANES <= out; o += LANES)
        *(VEC *)(to + o) = *(const NAME(unaligned) *)(bias + o) * scale + offset;
    for (; o < round_up(out, LANES); o++)
        to[o] = o < out ? bias[o] * scale + offset : 0;
}

/* to[units] = (fresh ? 0 : to) + sum of n rows */
static inline void NAME(sum_rows)(size_t n, size_t vecs, const float *d, size_t row, bool fresh,
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
