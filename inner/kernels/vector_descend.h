/* SPDX-License-Identifier: MIT
 *
 * Layers of one vector of units on the way back: the layer below and the weights at once, so
 * that each number of a d meets both while it is in a register. Part of kernel_vector.h, a
 * template.
 *
 * The sums of the weights, a vector for each row of them, stay in registers over all points.
 */

/* Does descend() know a layer of so many units? */
static inline bool NAME(can_descend_to)(size_t units) {
    return units == LANES;
}

/* Points at a time: as many as the registers hold beside the sums. */
#if LANES == 16
#define DESCENT 4
#define R_DESCENT 2
#else
#define DESCENT 2
#define R_DESCENT 1
#endif

/* Where the few rows of a last layer leave room, points take turns with two sets of sums. */
#define SUM_OF(rows, point, o) ((rows) == 4 && LANES > 4 ? 4 * ((point)&1) + (o) : (o))

/* What a tile adds to the gradient of a layer: a vector for each row of the weights; the biases of
 * a whole vector of units or of the four outputs. */
struct NAME(layer_sums) {
    VEC weights[LANES], bias;
    NARROW(vec) outputs;
};

/* Adds the d of `points` points. */
static ALWAYS_INLINE void NAME(sum_biases)(int rows, int points, const float *d,
                                           struct NAME(layer_sums) * g) {
    UNROLL for (int p = 0; p < points; p++, d += rows) {
        if (rows == LANES)
            g->bias += AT(d, 0);
        else
            g->outputs += *(const NARROW(vec) *)d;
    }
}

/* `points` points from r on: backward() of j, whose weights b have `rows` rows, and
 * weights[o] += sum over points of d[o] s. */
static ALWAYS_INLINE void NAME(descend_points)(bool kinked, int rows, int points,
                                               const struct job *j, size_t r,
                                               struct NAME(layer_sums) * g) {
    VEC e[DESCENT], s[DESCENT];
    const float *d = j->sum[0].a + r * j->a_row;
    size_t at = r * LANES;
    NAME(sum_biases)(rows, points, d, g);
    UNROLL for (int p = 0; p < points; p++) {
        e[p] = (VEC){0};
        s[p] = AT(j->s, at + (size_t)p * LANES);
    }
    UNROLL for (int o = 0; o < rows; o++) {
        VEC w = AT(j->sum[0].b, o * LANES);
        UNROLL for (int p = 0; p < points; p++) {
            VEC x = SPLAT(d[(size_t)p * j->a_row + (size_t)o]);
            e[p] = MULTIPLY_ADD(x, w, e[p]);
            VEC *sum = g->weights + SUM_OF(rows, p, o);
            *sum = MULTIPLY_ADD(x, s[p], *sum);
        }
    }
    UNROLL for (int p = 0; p < points; p++) NAME(finish)(
        kinked ? KINKED_BACKWARD : BACKWARD, UNIT_NONE, j, e[p], at + (size_t)p * LANES);
}

/* The same for r_backward() of j and weights[o] += sum over points of rd[o] s + d[o] ra. */
static ALWAYS_INLINE void NAME(r_descend_points)(bool kinked, int rows, int points,
                                                 const struct job *j, const float *ra, size_t r,
                                                 struct NAME(layer_sums) * g) {
    VEC e[R_DESCENT], re[R_DESCENT];
    const float *d = j->sum[0].a + r * j->a_row, *rd = j->sum[1].a + r * j->a_row;
    size_t at = r * LANES;
    NAME(sum_biases)(rows, points, rd, g);
    UNROLL for (int p = 0; p < points; p++) e[p] = re[p] = (VEC){0};
    UNROLL for (int o = 0; o < rows; o++) {
        VEC v = AT(j->sum[0].b, o * LANES), w = AT(j->sum[1].b, o * LANES);
        UNROLL for (int p = 0; p < points; p++) {
            VEC x = SPLAT(d[(size_t)p * j->a_row + (size_t)o]),
                *sum = g->weights + SUM_OF(rows, p, o);
            VEC y = SPLAT(rd[(size_t)p * j->a_row + (size_t)o]);
            e[p] = MULTIPLY_ADD(x, v, e[p]);
            re[p] = MULTIPLY_ADD(y, w, re[p]);
            *sum = MULTIPLY_ADD(x, AT(ra, at + (size_t)p * LANES), *sum);
            *sum = MULTIPLY_ADD(y, AT(j->s, at + (size_t)p * LANES), *sum);
        }
    }
    UNROLL for (int p = 0; p < points; p++)
        NAME(finish)(kinked ? KINKED_R_BACKWARD : R_BACKWARD, UNIT_NONE, j, e[p] + re[p],
                     at + (size_t)p * LANES);
}

/* A whole tile. weights [rows, LANES] and bias [rows] += its sums, or overwritten if j->fresh. `ra`
 * is NULL but for the R-operator. */
static ALWAYS_INLINE void NAME(descend_tile)(bool kinked, int rows, const struct job *task,
                                             const float *ra, float *weights, float *bias) {
    struct job copy = *task, *const j = &copy;
    struct NAME(layer_sums) g = {.bias = {0}};
    size_t r = 0;
    j->a_row = (size_t)rows;
    if (!j->fresh) {
        UNROLL for (int o = 0; o < rows; o++) g.weights[o] = AT(weights, o * LANES);
        if (rows == LANES)
            g.bias = AT(bias, 0);
        else
            g.outputs = *(NARROW(vec) *)bias;
    }
    if (ra) {
        for (; r + R_DESCENT <= j->rows; r += R_DESCENT)
            NAME(r_descend_points)(kinked, rows, R_DESCENT, j, ra, r, &g);
        for (; r < j->rows; r++)
            NAME(r_descend_points)(kinked, rows, 1, j, ra, r, &g);
    } else {
        for (; r + DESCENT <= j->rows; r += DESCENT)
            NAME(descend_points)(kinked, rows, DESCENT, j, r, &g);
        for (; r < j->rows; r++)
            NAME(descend_points)(kinked, rows, 1, j, r, &g);
    }
    UNROLL for (int o = 0; o < rows; o++) {
        if (SUM_OF(rows, 1, o) != o) g.weights[o] += g.weights[SUM_OF(rows, 1, o)];
        AT(weights, o * LANES) = g.weights[o];
    }
    if (rows == LANES)
        AT(bias, 0) = g.bias;
    else
        *(NARROW(vec) *)bias = g.outputs;
}

/* All cases as functions of their own. */
#define DESCEND(name, kinked, rows)                                                                \
    static void NAME(name)(const struct job *j, const float *ra, float *weights, float *bias) {    \
        if (ra)                                                                                    \
            NAME(descend_tile)(kinked, rows, j, ra, weights, bias);                                \
        else                                                                                       \
            NAME(descend_tile)(kinked, rows, j, NULL, weights, bias);                              \
    }
DESCEND(descend, false, LANES)
DESCEND(kinked_descend, true, LANES)
DESCEND(few_descend, false, 4)
DESCEND(kinked_few_descend, true, 4)
#undef DESCEND
#undef SUM_OF
#undef DESCENT
#undef R_DESCENT
