/* SPDX-License-Identifier: MIT
 *
 * Packing: weights in the order in which the products read them. Part of
 * kernel_vector.h, a template.
 */

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

/* What interleave() took apart: every other lane of a and b, from the first and from the second on.
 */
static ALWAYS_INLINE void NAME(part)(VEC a, VEC b, VEC *even, VEC *odd) {
#if LANES == 16
    *even = SHUFFLE(IVEC, a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    *odd = SHUFFLE(IVEC, a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
#elif LANES == 8
    *even = SHUFFLE(IVEC, a, b, 0, 2, 4, 6, 8, 10, 12, 14);
    *odd = SHUFFLE(IVEC, a, b, 1, 3, 5, 7, 9, 11, 13, 15);
#else
    *even = SHUFFLE(IVEC, a, b, 0, 2, 4, 6);
    *odd = SHUFFLE(IVEC, a, b, 1, 3, 5, 7);
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

/* LANES rows of two columns of scale * w^T: of points' coordinates. */
static inline void NAME(pack_pairs)(const float *w, float scale, float *to, size_t row) {
    VEC even, odd;
    NAME(part)(*(const NAME(unaligned) *)w, *(const NAME(unaligned) *)(w + LANES), &even, &odd);
    AT(to, 0) = even * scale;
    AT(to, row) = odd * scale;
}

/* Panels of scale * w^T: rows k < in, columns o < out. w [out, in]. */
static void NAME(pack_transposed)(size_t out, size_t in, const float *w, float scale, float *to) {
    size_t all = NAME(vecs)(out);
    for (size_t v0 = 0, vecs; v0 < all; v0 += vecs, to += vecs * LANES * in) {
        vecs = panel_vecs(all - v0, MAX_VECS);
        for (size_t v = 0, row = vecs * LANES; v < vecs; v++) {
            size_t o = (v0 + v) * LANES, k = 0;
            if (o + LANES <= out && in == 2) {
                NAME(pack_pairs)(w + 2 * o, scale, to + v * LANES, row);
                continue;
            }
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
