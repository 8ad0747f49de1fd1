/* SPDX-License-Identifier: MIT
 *
 * The last layer: few outputs of many units. Part of kernel_vector.h, a template.
 *
 * Outputs are worked out four at a time. A vector is LANES / 4 groups of four lanes, one for each
 * output. Of each LANES units, group q takes 4 q to 4 q + 3: vector j of their packed weights holds
 * those of unit 4 q + j in group q, and a row of activations meets it by a shuffle within groups,
 * where a broadcast of each activation would meet vectors that are mostly padding. What the groups
 * have summed up is added in the end, for as many points as fill a vector with outputs.
 */

#define GROUPS (LANES / 4)
/* Points of a block: tiles are multiples of it. Rows beyond the last point are worked off too. */
#define OUTPUT_POINTS 8

/* Lanes i, j, k, l of each group of a (0 to 3) and b (4 to 7); whole groups of a (from 0) and b
 * (from GROUPS). */
#define LANE_OF(i, q) ((i) < 4 ? (i) + 4 * (q) : (i)-4 + LANES + 4 * (q))
#define LANES_OF(q, i, j, k, l) LANE_OF(i, q), LANE_OF(j, q), LANE_OF(k, q), LANE_OF(l, q)
#define GROUP_OF(i) 4 * (i), 4 * (i) + 1, 4 * (i) + 2, 4 * (i) + 3
#if LANES == 16
#define IN_GROUPS(a, b, ...)                                                                       \
    SHUFFLE(IVEC, a, b, LANES_OF(0, __VA_ARGS__), LANES_OF(1, __VA_ARGS__),                        \
            LANES_OF(2, __VA_ARGS__), LANES_OF(3, __VA_ARGS__))
#define OF_GROUPS(a, b, i, j, k, l)                                                                \
    SHUFFLE(IVEC, a, b, GROUP_OF(i), GROUP_OF(j), GROUP_OF(k), GROUP_OF(l))
#elif LANES == 8
#define IN_GROUPS(a, b, ...) SHUFFLE(IVEC, a, b, LANES_OF(0, __VA_ARGS__), LANES_OF(1, __VA_ARGS__))
#define OF_GROUPS(a, b, i, j) SHUFFLE(IVEC, a, b, GROUP_OF(i), GROUP_OF(j))
#else
#define IN_GROUPS(a, b, ...) SHUFFLE(IVEC, a, b, LANES_OF(0, __VA_ARGS__))
#endif

/* w [out, in] as the outputs read it: for each four outputs and LANES units, four vectors. */
static void NAME(pack_outputs)(size_t out, size_t in, const float *w, float *to) {
    for (size_t o = 0; o < out; o += 4)
        for (size_t i = 0; i < in; i += LANES, to += 4 * LANES) {
            VEC r[4];
            UNROLL for (size_t c = 0; c < 4; c++) r[c] =
                o + c < out ? NAME(load_some)(w + (o + c) * in + i, in - i) : (VEC){0};
            VEC a = IN_GROUPS(r[0], r[1], 0, 4, 1, 5), b = IN_GROUPS(r[2], r[3], 0, 4, 1, 5);
            VEC c = IN_GROUPS(r[0], r[1], 2, 6, 3, 7), d = IN_GROUPS(r[2], r[3], 2, 6, 3, 7);
            AT(to, 0) = IN_GROUPS(a, b, 0, 1, 4, 5);
            AT(to, LANES) = IN_GROUPS(a, b, 2, 3, 6, 7);
            AT(to, 2 * LANES) = IN_GROUPS(c, d, 0, 1, 4, 5);
            AT(to, 3 * LANES) = IN_GROUPS(c, d, 2, 3, 6, 7);
        }
}

/* acc[p] += the products of rows a [OUTPUT_POINTS, row] with packed weights b, group by group. */
static ALWAYS_INLINE void NAME(outputs_add)(VEC acc[OUTPUT_POINTS], const float *a, size_t row,
                                            const float *b, size_t vecs) {
    for (; vecs > 0; vecs--, a += LANES, b += 4 * LANES) {
        const float *x = a;
        UNROLL for (int p = 0; p < OUTPUT_POINTS; p++, x += row) {
            UNKNOWN(x);
            VEC v = AT(x, 0);
            acc[p] = MULTIPLY_ADD(IN_GROUPS(v, v, 0, 0, 0, 0), AT(b, 0), acc[p]);
            acc[p] = MULTIPLY_ADD(IN_GROUPS(v, v, 1, 1, 1, 1), AT(b, LANES), acc[p]);
            acc[p] = MULTIPLY_ADD(IN_GROUPS(v, v, 2, 2, 2, 2), AT(b, 2 * LANES), acc[p]);
            acc[p] = MULTIPLY_ADD(IN_GROUPS(v, v, 3, 3, 3, 3), AT(b, 3 * LANES), acc[p]);
        }
    }
}

/* The sums over groups of GROUPS points, one point after the other. */
static ALWAYS_INLINE VEC NAME(group_sums)(const VEC acc[GROUPS]) {
#if LANES == 16
    VEC a = OF_GROUPS(acc[0], acc[1], 0, 1, 4, 5) + OF_GROUPS(acc[0], acc[1], 2, 3, 6, 7);
    VEC b = OF_GROUPS(acc[2], acc[3], 0, 1, 4, 5) + OF_GROUPS(acc[2], acc[3], 2, 3, 6, 7);
    return OF_GROUPS(a, b, 0, 2, 4, 6) + OF_GROUPS(a, b, 1, 3, 5, 7);
#elif LANES == 8
    return OF_GROUPS(acc[0], acc[1], 0, 2) + OF_GROUPS(acc[0], acc[1], 1, 3);
#else
    return acc[0];
#endif
}

/* f [m, out_row] = bias + a b^T, plus a2 b2^T unless a2 is NULL; a, a2 [m, row] activations, b, b2
 * packed, bias [out_row]. */
static void NAME(outputs)(const struct plan *p, size_t m, const float *bias, const float *a,
                          const float *b, const float *a2, const float *b2, float *f) {
#ifdef PAIR
    if (p->out_row == 4) {
        NAME(outputs_of_pairs)(m, bias, a, b, a2, b2, f);
        return;
    }
#endif
    size_t packed = 4 * LANES * p->vecs;
    for (size_t o = 0; o < p->out_row; o += 4, b += packed, b2 += a2 ? packed : 0)
        for (size_t r = 0; r < m; r += OUTPUT_POINTS) {
            VEC acc[OUTPUT_POINTS] = {{0}};
            NAME(outputs_add)(acc, a + r * p->row, p->row, b, p->vecs);
            if (a2) NAME(outputs_add)(acc, a2 + r * p->row, p->row, b2, p->vecs);
            UNROLL for (size_t i = 0; i < OUTPUT_POINTS; i += GROUPS) {
                union {
                    VEC all;
                    NARROW(vec) point[GROUPS];
                } sum = {NAME(group_sums)(acc + i)};
                UNROLL for (size_t k = 0; k < GROUPS; k++) *
                    (NARROW(vec) *)(f + (r + i + k) * p->out_row + o) =
                    sum.point[k] + *(const NARROW(vec) *)(bias + o);
            }
        }
}
/* Three numbers a point, as colours have them, in groups of four lanes of which the last is 0. */
#if LANES == 16
#define IN_FOURS 0, 1, 2, 16, 3, 4, 5, 16, 6, 7, 8, 16, 9, 10, 11, 16
#elif LANES == 8
#define IN_FOURS 0, 1, 2, 8, 3, 4, 5, 8
#else
#define IN_FOURS 0, 1, 2, 4
#endif

/* As residual() of NARROW, of three outputs: d = factor * (f - y) of the first *n of m points of
 * which a vector can be read, y [m, 3], f and d [.., 4]. */
static ALWAYS_INLINE double NAME(colour_residual)(size_t m, float factor, const float *y,
                                                  const float *f, float *d, size_t *n) {
    VEC sum[2] = {{0}};
    size_t i = 0;
    for (; 3 * (i + GROUPS) + LANES <= 3 * m; i += 2 * GROUPS)
        UNROLL for (size_t k = 0; k < 2; k++) {
            size_t at = i + k * GROUPS;
            VEC known = *(const NAME(unaligned) *)(y + 3 * at);
            VEC r = AT(f, 4 * at) - SHUFFLE(IVEC, known, (VEC){0}, IN_FOURS);
            sum[k] = MULTIPLY_ADD(r, r, sum[k]);
            AT(d, 4 * at) = r * factor;
        }
    union {
        VEC all;
        NARROW(vec) group[GROUPS];
    } squares = {sum[0] + sum[1]};
    for (size_t k = 1; k < GROUPS; k++)
        squares.group[0] += squares.group[k];
    double total =
        (double)squares.group[0][0] + (double)squares.group[0][1] + (double)squares.group[0][2];
    *n = i;
    return total;
}
#undef IN_FOURS
#undef GROUPS
#undef OUTPUT_POINTS
#undef LANE_OF
#undef LANES_OF
#undef GROUP_OF
#undef IN_GROUPS
#undef OF_GROUPS
