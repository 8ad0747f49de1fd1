/* SPDX-License-Identifier: MIT
 *
 * Layers of one vector of units on the way back: the layer below and the weights at once, so
 * that each number of a d meets both while it is in a register. Part of kernel_vector.h, a
 * template.
 *
 * The sums of the weights, a vector for each row of them, stay in registers over all points.
 */

/* Points at a time: as many as the registers hold beside the sums. */
#if LANES == 16 || defined(PAIR)
#define DESCENT 4
#define R_DESCENT 2
#else
#define DESCENT 2
#define R_DESCENT 1
#endif

/* Where the few rows of a last layer leave room, points take turns with two sets of sums. */
#define SUM_OF(rows, point, o) ((rows) == 4 && LANES > 4 ? 4 * ((point)&1) + (o) : (o))

/* `points` points from r on: backward() of j, whose weights b have `rows` rows, and
 * g[o] += sum over points of d[o] s. */
static ALWAYS_INLINE void NAME(descend_points)(bool kinked, int rows, int points,
                                               const struct job *j, size_t r, VEC g[LANES]) {
    VEC e[DESCENT], s[DESCENT];
    const float *d = j->sum[0].a + r * j->a_row;
    size_t at = r * LANES;
    UNROLL for (int p = 0; p < points; p++) {
        e[p] = (VEC){0};
        s[p] = AT(j->s, at + (size_t)p * LANES);
    }
    UNROLL for (int o = 0; o < rows; o++) {
        VEC w = AT(j->sum[0].b, o * LANES);
        UNROLL for (int p = 0; p < points; p++) {
            VEC x = SPLAT(d[(size_t)p * j->a_row + (size_t)o]);
            e[p] = MULTIPLY_ADD(x, w, e[p]);
            g[SUM_OF(rows, p, o)] = MULTIPLY_ADD(x, s[p], g[SUM_OF(rows, p, o)]);
        }
    }
    UNROLL for (int p = 0; p < points; p++) NAME(finish)(
        kinked ? KINKED_BACKWARD : BACKWARD, UNIT_NONE, j, e[p], at + (size_t)p * LANES);
}

/* The same for r_backward() of j and g[o] += sum over points of rd[o] s + d[o] ra. */
static ALWAYS_INLINE void NAME(r_descend_points)(bool kinked, int rows, int points,
                                                 const struct job *j, const float *ra, size_t r,
                                                 VEC g[LANES]) {
    VEC e[R_DESCENT], re[R_DESCENT];
    const float *d = j->sum[0].a + r * j->a_row, *rd = j->sum[1].a + r * j->a_row;
    size_t at = r * LANES;
    UNROLL for (int p = 0; p < points; p++) e[p] = re[p] = (VEC){0};
    UNROLL for (int o = 0; o < rows; o++) {
        VEC v = AT(j->sum[0].b, o * LANES), w = AT(j->sum[1].b, o * LANES);
        UNROLL for (int p = 0; p < points; p++) {
            VEC x = SPLAT(d[(size_t)p * j->a_row + (size_t)o]), *sum = g + SUM_OF(rows, p, o);
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

/* A whole tile. weights [rows, LANES] += its sums, or overwritten if j->fresh. `ra` is NULL but for
 * the R-operator. */
static ALWAYS_INLINE void NAME(descend_tile)(bool kinked, int rows, const struct job *task,
                                             const float *ra, float *weights) {
    struct job copy = *task, *const j = &copy;
    VEC g[LANES];
    size_t r = 0;
    if (rows == LANES) j->a_row = LANES;
    UNROLL for (int o = 0; o < LANES; o++) {
        g[o] = (VEC){0};
        if (o < rows && !j->fresh) g[o] = AT(weights, o * LANES);
    }
    if (ra) {
        for (; r + R_DESCENT <= j->rows; r += R_DESCENT)
            NAME(r_descend_points)(kinked, rows, R_DESCENT, j, ra, r, g);
        for (; r < j->rows; r++)
            NAME(r_descend_points)(kinked, rows, 1, j, ra, r, g);
    } else {
        for (; r + DESCENT <= j->rows; r += DESCENT)
            NAME(descend_points)(kinked, rows, DESCENT, j, r, g);
        for (; r < j->rows; r++)
            NAME(descend_points)(kinked, rows, 1, j, r, g);
    }
    UNROLL for (int o = 0; o < rows; o++) {
        if (SUM_OF(rows, 1, o) != o) g[o] += g[SUM_OF(rows, 1, o)];
        AT(weights, o * LANES) = g[o];
    }
}

/* All cases as functions of their own. */
#define DESCEND(name, kinked, rows)                                                                \
    static void NAME(name)(const struct job *j, const float *ra, float *weights) {                 \
        if (ra)                                                                                    \
            NAME(descend_tile)(kinked, rows, j, ra, weights);                                      \
        else                                                                                       \
            NAME(descend_tile)(kinked, rows, j, NULL, weights);                                    \
    }
DESCEND(descend, false, LANES)
DESCEND(kinked_descend, true, LANES)
DESCEND(few_descend, false, 4)
DESCEND(kinked_few_descend, true, 4)
#undef DESCEND
#undef SUM_OF
#undef DESCENT
#undef R_DESCENT
