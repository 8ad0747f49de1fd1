/* SPDX-License-Identifier: MIT
 *
 * Products: the one loop nest of the vector kernels, and what becomes of its results while they
 * are in registers. Part of kernel_vector.h, a template.
 */

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

/* ... of few rows whose sums are long: in `sets` sums of each, which keep more multiply-adds under
 * way at a time. */
static ALWAYS_INLINE void NAME(accumulate_apart)(VEC acc[8][MAX_VECS], int rows, int vecs, int sets,
                                                 const float *a, size_t a_step, const float *b,
                                                 size_t b_row, size_t k) {
    for (; k >= (size_t)sets; k -= (size_t)sets)
        UNROLL for (int i = 0; i < sets; i++, a += a_step, b += b_row)
            NAME(step)(acc + i * rows, rows, vecs, a, 1, b);
    for (; k > 0; k--, a += a_step, b += b_row)
        NAME(step)(acc, rows, vecs, a, 1, b);
}

/* What the sums of a block start from: bias, what is there, or 0. */
static ALWAYS_INLINE void NAME(start)(enum mode mode, const struct job *j, VEC acc[8][MAX_VECS],
                                      int rows, int vecs, size_t v0, size_t at) {
    UNROLL for (int r = 0; r < rows; r++) UNROLL for (int v = 0; v < vecs; v++) {
        acc[r][v] = (VEC){0};
        if (has_bias(mode)) acc[r][v] = AT(j->bias, (v0 + (size_t)v) * LANES);
    }
    if (mode != WEIGHTS || j->fresh) return;
    UNROLL for (int r = 0; r < rows; r++, at += j->row) UNROLL for (int v = 0; v < vecs; v++)
        acc[r][v] = AT(j->to, at + (size_t)v * LANES);
}

static ALWAYS_INLINE void NAME(block)(enum mode mode, enum unit unit, const struct job *j, int rows,
                                      int vecs, bool square, size_t r0, size_t v0) {
    VEC acc[8][MAX_VECS];
    size_t at = r0 * j->row + v0 * LANES;
    const int sets = mode != WEIGHTS || rows * vecs > 4 ? 1 : rows * vecs > 2 ? 2 : 4;
    NAME(start)(mode, j, acc, rows, vecs, v0, at);
    UNROLL for (int r = rows; r < sets * rows; r++) UNROLL for (int v = 0; v < vecs; v++)
        acc[r][v] = (VEC){0};
    UNROLL for (int i = 0; i < 2; i++) {
        if (i == 1 && !two_sums(mode)) break;
        size_t k = j->sum[i].k, a_row = mode == WEIGHTS ? 1 : j->a_row;
        size_t a_step = mode == WEIGHTS ? j->a_step : 1;
        size_t b_row = mode == WEIGHTS ? j->b_row : (size_t)vecs * LANES;
        const float *a = j->sum[i].a + r0 * a_row;
        const float *b = j->sum[i].b + v0 * LANES * (mode == WEIGHTS ? 1 : k);
        if (sets > 1)
            NAME(accumulate_apart)(acc, rows, vecs, sets, a, a_step, b, b_row, k);
        else
            NAME(accumulate)(acc, rows, vecs, square, a, a_row, a_step, b, b_row, k);
    }
    UNROLL for (int r = rows; r < sets * rows; r++) UNROLL for (int v = 0; v < vecs; v++)
        acc[r % rows][v] += acc[r][v];
    UNROLL for (int r = 0; r < rows; r++, at += j->row) {
        UNKNOWN(at);
        UNROLL for (int v = 0; v < vecs; v++)
            NAME(finish)(mode, unit, j, acc[r][v], at + (size_t)v * LANES);
    }
}

/* All rows of one panel. */
static ALWAYS_INLINE void NAME(panel)(enum mode mode, enum unit unit, const struct job *j, int rows,
                                      int vecs, bool square, size_t v0) {
    size_t r = 0;
    for (; r + (size_t)rows <= j->rows; r += (size_t)rows)
        NAME(block)(mode, unit, j, rows, vecs, square, r, v0);
    if (j->rows - r >= 4) {
        NAME(block)(mode, unit, j, 4, vecs, square, r, v0);
        r += 4;
    }
    if (j->rows - r >= 2) {
        NAME(block)(mode, unit, j, 2, vecs, square, r, v0);
        r += 2;
    }
    if (j->rows - r) NAME(block)(mode, unit, j, 1, vecs, square, r, v0);
}

/* The whole product when all units fit one vector and there are as many: strides and lengths of the
 * sums are then constants. */
static ALWAYS_INLINE void NAME(square)(enum mode mode, enum unit unit, struct job *j) {
    j->a_row = j->row = LANES;
    NAME(panel)(mode, unit, j, 8, 1, true, 0);
}

/* The copy of the job tells the compiler that stores of results do not change it. */
static ALWAYS_INLINE void NAME(product)(enum mode mode, enum unit unit, const struct job *task) {
    struct job copy = *task, *const j = &copy;
#ifdef PAIR
    if (NAME(pair_product)(mode, unit, j)) return;
#endif
    if (mode != WEIGHTS && j->vecs == 1 && j->a_row == LANES && j->row == LANES &&
        j->sum[0].k == LANES && (!two_sums(mode) || j->sum[1].k == LANES)) {
        NAME(square)(mode, unit, j);
        return;
    }
    for (size_t v0 = 0, vecs; v0 < j->vecs; v0 += vecs) {
        vecs = panel_vecs(j->vecs - v0, MAX_VECS);
        switch (vecs) {
        case 1:
            NAME(panel)(mode, unit, j, 8, 1, false, v0);
            break;
#if MAX_VECS > 1
        case 2:
            NAME(panel)(mode, unit, j, MAX_VECS > 2 ? 8 : 6, 2, false, v0);
            break;
#endif
#if MAX_VECS > 2
        case 3:
            NAME(panel)(mode, unit, j, 8, 3, false, v0);
            break;
        case 4:
            NAME(panel)(mode, unit, j, 6, 4, false, v0);
            break;
#endif
        }
    }
}

static void NAME(backward)(const struct job *j) {
    NAME(product)(BACKWARD, UNIT_NONE, j);
}
static void NAME(r_forward)(const struct job *j) {
    NAME(product)(R_FORWARD, UNIT_NONE, j);
}
static void NAME(r_backward)(const struct job *j) {
    NAME(product)(R_BACKWARD, UNIT_NONE, j);
}
static void NAME(weights)(const struct job *j) {
    NAME(product)(WEIGHTS, UNIT_NONE, j);
}
static void NAME(kinked_backward)(const struct job *j) {
    NAME(product)(KINKED_BACKWARD, UNIT_NONE, j);
}
static void NAME(kinked_r_forward)(const struct job *j) {
    NAME(product)(KINKED_R_FORWARD, UNIT_NONE, j);
}
static void NAME(kinked_r_backward)(const struct job *j) {
    NAME(product)(KINKED_R_BACKWARD, UNIT_NONE, j);
}
#define UNIT_PRODUCTS(name)                                                                        \
    static void NAME(name##_values)(const struct job *j) {                                         \
        NAME(product)(VALUES, UNIT_##name, j);                                                     \
    }                                                                                              \
    static void NAME(name##_slopes)(const struct job *j) {                                         \
        NAME(product)(SLOPES, UNIT_##name, j);                                                     \
    }
TSR_KINDS(UNIT_PRODUCTS)
#undef UNIT_PRODUCTS

/* The kinds as this instance knows them. */
#define UNIT_OPS(name)                                                                             \
    {&tsr_kind_##name, name##_scale, name##_bend, NAME(name##_values), NAME(name##_slopes)},
static const struct unit_ops NAME(unit_ops)[] = {TSR_KINDS(UNIT_OPS)};
#undef UNIT_OPS
