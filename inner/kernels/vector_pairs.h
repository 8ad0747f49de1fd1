/* SPDX-License-Identifier: MIT
 *
 * Layers of up to 8 units, two points at a time in vectors of 16 lanes: what vector_descend.h and
 * the square products of vector_product.h do for one point a vector. Part of kernel_vector.h, a
 * template, for LANES 8 where the includer has defined PAIR.
 *
 * A vector holds two rows of a tile, each of two groups of four lanes. A square of weights b meets
 * it without any broadcast: shuffle j, within groups, puts unit j of a point into its first group
 * and unit 4 + j into its second; the weights that they meet lie likewise,
 *     straight[j]   b[j][0..3], b[4 + j][4..7]
 *     crossed[j]    b[j][4..7], b[4 + j][0..3]
 * and the sum of all crossed products is turned, group by group, before it joins the other. Outer
 * products for the gradient of the weights are sums of the same form. A single point at the end is
 * worked off as a pair whose second row is padding, which stays out of sums over points.
 */

#define BOTH PAIR(vec)
#define PAIR_AT(p, at) (*(BOTH *)((p) + (at)))

/* Number j of each group of four lanes, in all four. */
#define IN_ALL_GROUPS(x, j)                                                                        \
    SHUFFLE(PAIR(ivec), x, x, j, j, j, j, 4 + j, 4 + j, 4 + j, 4 + j, 8 + j, 8 + j, 8 + j, 8 + j,  \
            12 + j, 12 + j, 12 + j, 12 + j)

static ALWAYS_INLINE BOTH NAME(unit_of_group)(BOTH x, int j) {
    return j == 0   ? IN_ALL_GROUPS(x, 0)
           : j == 1 ? IN_ALL_GROUPS(x, 1)
           : j == 2 ? IN_ALL_GROUPS(x, 2)
                    : IN_ALL_GROUPS(x, 3);
}

/* The two groups of each point change places. */
static ALWAYS_INLINE BOTH NAME(turned)(BOTH x) {
    return SHUFFLE(PAIR(ivec), x, x, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11);
}

static ALWAYS_INLINE BOTH NAME(twice)(VEC x) {
    return PAIR_OF(x, x);
}

/* Sum over both points. */
static ALWAYS_INLINE VEC NAME(of_both)(BOTH x) {
    union {
        BOTH both;
        VEC point[2];
    } u = {x};
    return u.point[0] + u.point[1];
}

struct NAME(square) {
    BOTH straight[4], crossed[4];
};

/* b [k, LANES], k <= LANES; further rows are 0. */
static ALWAYS_INLINE struct NAME(square) NAME(load_square)(const float *b, size_t k) {
    struct NAME(square) w;
    UNROLL for (size_t j = 0; j < 4; j++) {
        VEC low = {0}, high = {0};
        if (j < k) low = AT(b, j * LANES);
        if (4 + j < k) high = AT(b, (4 + j) * LANES);
        w.straight[j] = NAME(twice)(SHUFFLE(IVEC, low, high, 0, 1, 2, 3, 12, 13, 14, 15));
        w.crossed[j] = NAME(twice)(SHUFFLE(IVEC, low, high, 4, 5, 6, 7, 8, 9, 10, 11));
    }
    return w;
}

/* acc[p] += square of x[p], before crossed sums are turned. */
static ALWAYS_INLINE void NAME(square_add)(const struct NAME(square) * w, int pairs, const BOTH *x,
                                           BOTH *straight, BOTH *crossed) {
    UNROLL for (int j = 0; j < 4; j++) UNROLL for (int p = 0; p < pairs; p++) {
        BOTH unit = NAME(unit_of_group)(x[p], j);
        straight[p] = PAIR_MULTIPLY_ADD(unit, w->straight[j], straight[p]);
        crossed[p] = PAIR_MULTIPLY_ADD(unit, w->crossed[j], crossed[p]);
    }
}

/* Rows of a product, from r on. */
static ALWAYS_INLINE void NAME(pair_block)(enum mode mode, enum unit unit, const struct job *j,
                                           const struct NAME(square) * w, int pairs, size_t r) {
    BOTH straight[4], crossed[4], x[4];
    UNROLL for (int p = 0; p < pairs; p++) {
        straight[p] = has_bias(mode) ? NAME(twice)(AT(j->bias, 0)) : (BOTH){0};
        crossed[p] = (BOTH){0};
    }
    UNROLL for (int i = 0; i < 2; i++) {
        if (i == 1 && !two_sums(mode)) break;
        UNROLL for (int p = 0; p < pairs; p++) x[p] =
            PAIR_AT(j->sum[i].a, (r + 2 * (size_t)p) * LANES);
        NAME(square_add)(w + i, pairs, x, straight, crossed);
    }
    UNROLL for (int p = 0; p < pairs; p++) PAIR(finish)(
        mode, unit, j, straight[p] + NAME(turned)(crossed[p]), (r + 2 * (size_t)p) * LANES);
}

/* The same of points' two coordinates: inputs are j->sum[0].a [rows, 2]. */
static ALWAYS_INLINE void NAME(pair_inputs)(enum mode mode, enum unit unit, const struct job *j,
                                            BOTH w0, BOTH w1, BOTH bias, size_t r) {
    const float *x = j->sum[0].a + 2 * r;
    size_t next = r + 1 < j->rows ? 2 : 0;
    BOTH sum = PAIR_MULTIPLY_ADD(PAIR_OF(SPLAT(x[0]), SPLAT(x[next])), w0, bias);
    sum = PAIR_MULTIPLY_ADD(PAIR_OF(SPLAT(x[1]), SPLAT(x[next + 1])), w1, sum);
    PAIR(finish)(mode, unit, j, sum, r * LANES);
}

/* Is this a product for pairs? Then it has been made. */
static ALWAYS_INLINE bool NAME(pair_product)(enum mode mode, enum unit unit, const struct job *j) {
    size_t r = 0;
    if (mode == WEIGHTS) return false;
    if (has_bias(mode) && j->a_row == 2 && j->sum[0].k == 2 && j->sum[1].k == 0) {
        BOTH w0 = NAME(twice)(AT(j->sum[0].b, 0)), w1 = NAME(twice)(AT(j->sum[0].b, LANES));
        for (BOTH bias = NAME(twice)(AT(j->bias, 0)); r < j->rows; r += 2)
            NAME(pair_inputs)(mode, unit, j, w0, w1, bias, r);
        return true;
    }
    if (j->a_row != LANES || !j->padded) return false;
    struct NAME(square) w[2];
    UNROLL for (int i = 0; i < 2; i++) {
        if (i == 1 && !two_sums(mode)) break;
        if (j->sum[i].k == 0) return false;
        w[i] = NAME(load_square)(j->sum[i].b, j->sum[i].k);
    }
    for (; r + 8 <= j->rows; r += 8)
        NAME(pair_block)(mode, unit, j, w, 4, r);
    for (; r < j->rows; r += 2)
        NAME(pair_block)(mode, unit, j, w, 1, r);
    return true;
}

/* Does descend() know a layer of so many units? */
static inline bool NAME(can_descend_to)(size_t units) {
    return units <= LANES;
}

/* A pair of rows at r, without the second one if it is not there. */
static ALWAYS_INLINE BOTH NAME(pair_of_rows)(const float *x, size_t r, bool one) {
    return one ? PAIR_OF(AT(x, r * LANES), (VEC){0}) : PAIR_AT(x, r * LANES);
}

/* Numbers of four outputs of two points, each in both groups of its point. */
static ALWAYS_INLINE BOTH NAME(pair_of_outputs)(const float *d, size_t r, bool one) {
    VEC x = AT(d, r * 4);
    if (one) x = SHUFFLE(IVEC, x, (VEC){0}, 0, 1, 2, 3, 8, 9, 10, 11);
    return PAIR_OF(SHUFFLE(IVEC, x, x, 0, 1, 2, 3, 0, 1, 2, 3),
                   SHUFFLE(IVEC, x, x, 4, 5, 6, 7, 4, 5, 6, 7));
}

/* Weights of up to four outputs, which all groups of a point meet: straight alone. */
static ALWAYS_INLINE struct NAME(square) NAME(load_outputs)(const float *b) {
    struct NAME(square) w;
    UNROLL for (size_t j = 0; j < 4; j++) w.straight[j] = NAME(twice)(AT(b, j * LANES));
    return w;
}

/* What a tile adds to the gradient of a layer: outer products laid out as squares are, and the sum
 * of the d's. */
struct NAME(layer_sums) {
    struct NAME(square) weights;
    BOTH bias;
};

/* e += d w and g += outer product of d and a, of one pair. */
static ALWAYS_INLINE void NAME(pair_meets)(bool last, BOTH d, const struct NAME(square) * w, BOTH a,
                                           BOTH *straight, BOTH *crossed, struct NAME(square) * g) {
    BOTH other = NAME(turned)(a);
    UNROLL for (int j = 0; j < 4; j++) {
        BOTH unit = NAME(unit_of_group)(d, j);
        *straight = PAIR_MULTIPLY_ADD(unit, w->straight[j], *straight);
        g->straight[j] = PAIR_MULTIPLY_ADD(unit, a, g->straight[j]);
        if (last) continue;
        *crossed = PAIR_MULTIPLY_ADD(unit, w->crossed[j], *crossed);
        g->crossed[j] = PAIR_MULTIPLY_ADD(unit, other, g->crossed[j]);
    }
}

/* The pair at r: backward() of j, or r_backward() if `ra` is given, and sums of weights. */
static ALWAYS_INLINE void NAME(pair_descends)(bool kinked, bool last, bool one, const struct job *j,
                                              const float *ra, const struct NAME(square) * w,
                                              size_t r, struct NAME(layer_sums) * g) {
    BOTH straight = {0}, crossed = {0};
    UNROLL for (int i = 0; i < 2; i++) {
        if (i == 1 && !ra) break;
        const float *d = j->sum[i].a;
        BOTH pair = last ? NAME(pair_of_outputs)(d, r, one) : NAME(pair_of_rows)(d, r, one);
        BOTH a = NAME(pair_of_rows)(ra && i == 0 ? ra : j->s, r, one);
        NAME(pair_meets)(last, pair, w + i, a, &straight, &crossed, &g->weights);
        if (i == (ra ? 1 : 0)) g->bias += pair;
    }
    if (!last) straight += NAME(turned)(crossed);
    enum mode mode =
        ra ? (kinked ? KINKED_R_BACKWARD : R_BACKWARD) : (kinked ? KINKED_BACKWARD : BACKWARD);
    PAIR(finish)(mode, UNIT_NONE, j, straight, r * LANES);
}

/* to[i] = or, unless fresh, += x[i] */
static ALWAYS_INLINE void NAME(settle)(bool fresh, VEC x, float *to) {
    if (!fresh) x += AT(to, 0);
    AT(to, 0) = x;
}

/* The sums of a tile to weights [rows, LANES] and bias. */
static ALWAYS_INLINE void NAME(settle_layer)(bool last, const struct job *j,
                                             const struct NAME(layer_sums) * g, float *weights,
                                             float *bias) {
    VEC sum = NAME(of_both)(g->bias);
    UNROLL for (size_t o = 0; o < 4; o++) {
        VEC a = NAME(of_both)(g->weights.straight[o]), b = NAME(of_both)(g->weights.crossed[o]);
        VEC high = SHUFFLE(IVEC, a, b, 12, 13, 14, 15, 4, 5, 6, 7);
        if (!last) a = SHUFFLE(IVEC, a, b, 0, 1, 2, 3, 8, 9, 10, 11);
        NAME(settle)(j->fresh, a, weights + o * LANES);
        if (!last && 4 + o < j->sum[0].k) NAME(settle)(j->fresh, high, weights + (4 + o) * LANES);
    }
    if (last)
        for (size_t o = 0; o < 4; o++)
            bias[o] = (j->fresh ? 0 : bias[o]) + sum[o];
    else
        NAME(settle)(j->fresh, sum, bias);
}

/* A whole tile. weights [rows, LANES] and bias += its sums, or overwritten if j->fresh. `ra` is
 * NULL but for the R-operator. */
static ALWAYS_INLINE void NAME(descend_tile)(bool kinked, bool last, const struct job *task,
                                             const float *ra, float *weights, float *bias) {
    struct job copy = *task, *const j = &copy;
    struct NAME(square) w[2];
    struct NAME(layer_sums) g = {.bias = {0}};
    size_t r = 0;
    w[0] = last ? NAME(load_outputs)(j->sum[0].b) : NAME(load_square)(j->sum[0].b, j->sum[0].k);
    if (ra)
        w[1] = last ? NAME(load_outputs)(j->sum[1].b) : NAME(load_square)(j->sum[1].b, j->sum[1].k);
    for (; r + 2 <= j->rows; r += 2)
        NAME(pair_descends)(kinked, last, false, j, ra, w, r, &g);
    if (r < j->rows) NAME(pair_descends)(kinked, last, true, j, ra, w, r, &g);
    NAME(settle_layer)(last, j, &g, weights, bias);
}

#define DESCEND(name, kinked, last)                                                                \
    static void NAME(name)(const struct job *j, const float *ra, float *weights, float *bias) {    \
        if (ra)                                                                                    \
            NAME(descend_tile)(kinked, last, j, ra, weights, bias);                                \
        else                                                                                       \
            NAME(descend_tile)(kinked, last, j, NULL, weights, bias);                              \
    }
DESCEND(descend, false, false)
DESCEND(kinked_descend, true, false)
DESCEND(few_descend, false, true)
DESCEND(kinked_few_descend, true, true)
#undef DESCEND

/* Outputs of a last layer, four at most, of four points from r on: f [.., 4] = bias + a b^T, plus
 * a2 b2^T unless a2 is NULL. Weights are packed as vector_outputs.h says. */
static ALWAYS_INLINE void NAME(pair_outputs)(const float *a, const BOTH *b, const float *a2,
                                             const BOTH *b2, BOTH bias, size_t r, float *f) {
    BOTH sum[2];
    UNROLL for (size_t p = 0; p < 2; p++) {
        BOTH x = PAIR_AT(a, (r + 2 * p) * LANES), two[2] = {{0}};
        UNROLL for (int j = 0; j < 4; j++) two[j & 1] =
            PAIR_MULTIPLY_ADD(NAME(unit_of_group)(x, j), b[j], two[j & 1]);
        if (a2) {
            x = PAIR_AT(a2, (r + 2 * p) * LANES);
            UNROLL for (int j = 0; j < 4; j++) two[j & 1] =
                PAIR_MULTIPLY_ADD(NAME(unit_of_group)(x, j), b2[j], two[j & 1]);
        }
        sum[p] = two[0] + two[1];
    }
    PAIR_AT(f, r * 4) = bias +
                        SHUFFLE(PAIR(ivec), sum[0], sum[1], 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18,
                                19, 24, 25, 26, 27) +
                        SHUFFLE(PAIR(ivec), sum[0], sum[1], 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22,
                                23, 28, 29, 30, 31);
}

/* All m points of a tile, and its padding. */
static void NAME(outputs_of_pairs)(size_t m, const float *bias, const float *a, const float *b,
                                   const float *a2, const float *b2, float *f) {
    BOTH w[4], w2[4];
    VEC four = SHUFFLE(IVEC, AT(bias, 0), (VEC){0}, 0, 1, 2, 3, 0, 1, 2, 3);
    UNROLL for (size_t j = 0; j < 4; j++) {
        w[j] = NAME(twice)(AT(b, j * LANES));
        w2[j] = a2 ? NAME(twice)(AT(b2, j * LANES)) : w[j];
    }
    if (a2)
        for (size_t r = 0; r < m; r += 4)
            NAME(pair_outputs)(a, w, a2, w2, NAME(twice)(four), r, f);
    else
        for (size_t r = 0; r < m; r += 4)
            NAME(pair_outputs)(a, w, NULL, NULL, NAME(twice)(four), r, f);
}

/* Number i of a vector in the first half, number i + 2 in the second. */
#define IN_HALVES(x, i)                                                                            \
    SHUFFLE(PAIR(ivec), x, x, i, i, i, i, i, i, i, i, i + 2, i + 2, i + 2, i + 2, i + 2, i + 2,    \
            i + 2, i + 2)

/* Coordinate `axis` of points 2 q and 2 q + 1 of x [8 points, 2], one in each half. */
static ALWAYS_INLINE BOTH NAME(pair_coordinate)(BOTH x, int q, int axis) {
    switch (4 * q + axis) {
    case 0:
        return IN_HALVES(x, 0);
    case 1:
        return IN_HALVES(x, 1);
    case 4:
        return IN_HALVES(x, 4);
    case 5:
        return IN_HALVES(x, 5);
    case 8:
        return IN_HALVES(x, 8);
    case 9:
        return IN_HALVES(x, 9);
    case 12:
        return IN_HALVES(x, 12);
    default:
        return IN_HALVES(x, 13);
    }
}

/* Sums over the first *n of m points, those that whole vectors of x hold, of e, and of e times
 * either coordinate: sum[0], [1] and [2] the biases. */
static ALWAYS_INLINE void NAME(first_pairs)(size_t m, const float *x, const float *e, VEC sum[3],
                                            size_t *n) {
    BOTH s[2][3] = {{{0}}};
    size_t i = 0;
    for (; i + 8 <= m; i += 8) {
        BOTH points = *(const PAIR(unaligned) *)(x + 2 * i);
        UNROLL for (int q = 0; q < 4; q++) {
            BOTH d = PAIR_AT(e, (i + 2 * (size_t)q) * LANES), *to = s[q & 1];
            to[0] = PAIR_MULTIPLY_ADD(NAME(pair_coordinate)(points, q, 0), d, to[0]);
            to[1] = PAIR_MULTIPLY_ADD(NAME(pair_coordinate)(points, q, 1), d, to[1]);
            to[2] += d;
        }
    }
    UNROLL for (int k = 0; k < 3; k++) sum[k] = NAME(of_both)(s[0][k] + s[1][k]);
    *n = i;
}

/* n points of one row of a lattice, which has sines sb and cosines cb, as lattice_row() has it: the
 * last point, if n is odd, as a pair whose second row another row will overwrite. */
static ALWAYS_INLINE void NAME(lattice_pairs)(bool slopes, size_t n, const float *sa,
                                              const float *ca, BOTH sb, BOTH cb, float *s,
                                              float *c) {
    for (size_t done = 0; done < n; done += 2) {
        const BOTH sine = *(const PAIR(unaligned) *)(sa + done * LANES);
        const BOTH cosine = *(const PAIR(unaligned) *)(ca + done * LANES);
        *(PAIR(unaligned) *)(s + done * LANES) = PAIR_MULTIPLY_ADD(cosine, sb, sine * cb);
        if (slopes)
            *(PAIR(unaligned) *)(c + done * LANES) = PAIR_MULTIPLY_ADD(-sine, sb, cosine * cb);
    }
}
