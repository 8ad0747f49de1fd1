/* SPDX-License-Identifier: MIT
 *
 * A first layer of sines on a lattice. Part of kernel_vector.h, a template.
 *
 * The pixels of a rectangle have few different coordinates along each axis, and
 *     sin(a + b) = sin a cos b + cos a sin b,    cos(a + b) = cos a cos b - sin a sin b
 * makes their sines of those of its columns and of its rows, computed once a call. The error is at
 * most twice that of a sine, 4e-7.
 */

/* Floats of x [n] that differ from those `back` before, where `axis` (0 or 1) is their place modulo
 * 2. */
static size_t NAME(changes)(const float *x, size_t n, size_t back, size_t axis) {
    IVEC count = {0}, chosen = {0};
    size_t i = back, changes = 0;
    for (size_t k = 0; k < LANES; k++)
        chosen[k] = (i + k) % 2 == axis ? -1 : 0;
    for (; i + LANES <= n; i += LANES)
        count -=
            (IVEC)(*(const NAME(unaligned) *)(x + i) != *(const NAME(unaligned) *)(x + i - back)) &
            chosen;
    for (size_t k = 0; k < LANES; k++)
        changes += (size_t)count[k];
    for (; i < n; i++)
        changes += i % 2 == axis && x[i] != x[i - back];
    return changes;
}

/* Points from p on, at most n, that have the same coordinate `axis`. */
static inline size_t NAME(run)(const float *x, size_t p, size_t n, size_t axis) {
    size_t end = p;
    while (end < n && x[2 * end + axis] == x[2 * p + axis])
        end++;
    return end - p;
}

/* Are points x [n, 2] a lattice of whole rows, but for the first and the last? */
static struct lattice NAME(find_lattice)(const float *x, size_t n) {
    const struct lattice none = {0};
    struct lattice l = {0};
    if (n < 4) return none;
    l.along = x[0] != x[2] ? 0 : 1;
    size_t across = 1 - l.along, head = NAME(run)(x, 0, n, across);
    size_t second = NAME(run)(x, head, n, across);
    if (second == 0) return none;
    l.columns = head > second ? head : second;
    l.first = l.columns - head;
    size_t starts = 0;
    l.rows = (l.first + n + l.columns - 1) / l.columns;
    if (n < 2 * (l.columns + l.rows)) return none;
    for (size_t p = head; p < n; p += l.columns)
        starts += x[2 * p + across] != x[2 * (p - 1) + across];
    bool whole = NAME(changes)(x, 2 * n, 2 * l.columns, l.along) == 0 &&
                 NAME(changes)(x, 2 * n, 2, across) == starts;
    return whole ? l : none;
}

/* Vector v of the weights that input `input` meets in layer 0, which has been packed. */
static inline VEC NAME(input_weights)(const struct plan *p, size_t input, size_t v) {
    size_t v0 = 0, vecs = p->vecs;
    if (vecs > MAX_VECS)
        for (vecs = panel_vecs(vecs, MAX_VECS); v0 + vecs <= v;) {
            v0 += vecs;
            vecs = panel_vecs(p->vecs - v0, MAX_VECS);
        }
    return AT(p->forward[0], (2 * v0 + input * vecs + v - v0) * LANES);
}

/* Sines and cosines of `n` angles w x + b, x 2 `step` floats apart, a row of vector v each. */
static ALWAYS_INLINE void NAME(lattice_table)(size_t n, VEC w, const float *x, size_t step, VEC b,
                                              size_t row, float *s, float *c) {
#ifdef PAIR
    for (BOTH sine, cosine; n >= 2; n -= 2, x += 4 * step, s += 2 * row, c += 2 * row) {
        BOTH at = PAIR_OF(SPLAT(x[0]), SPLAT(x[2 * step]));
        PAIR(sincos)(PAIR_MULTIPLY_ADD(NAME(twice)(w), at, NAME(twice)(b)), &sine, &cosine);
        *(PAIR(unaligned) *)s = sine;
        *(PAIR(unaligned) *)c = cosine;
    }
#endif
    for (size_t at = 0; n > 0; n--, at += row, x += 2 * step) {
        VEC sine, cosine;
        NAME(sincos)(MULTIPLY_ADD(w, SPLAT(*x), b), &sine, &cosine);
        AT(s, at) = sine;
        AT(c, at) = cosine;
    }
}

/* Fills the tables of p if points x [n] are a lattice that they hold. */
static void NAME(prepare_lattice)(struct plan *p, const float *x, size_t n) {
    p->lattice.columns = 0;
    if (p->ops->kind != &tsr_kind_siren || p->in_row != 2) return;
    struct lattice l = NAME(find_lattice)(x, n);
    if (l.columns == 0 || (l.columns + l.rows) * p->row > LATTICE_TABLE) return;
    p->lattice = l;
    /* The columns that a first row of fewer lacks begin the second one. */
    size_t whole = l.first ? l.columns - l.first : 0, across = 1 - l.along;
    for (size_t v = 0; v < p->vecs; v++) {
        size_t at = v * LANES, rows = at + l.columns * p->row;
        VEC w = NAME(input_weights)(p, l.along, v), b = {0};
        NAME(lattice_table)
        (l.columns, w, x + 2 * whole + l.along, 1, b, p->row, p->table_s + at, p->table_c + at);
        w = NAME(input_weights)(p, across, v);
        b = AT(p->bias[0], at);
        NAME(lattice_table)(1, w, x + across, 0, b, p->row, p->table_s + rows, p->table_c + rows);
        NAME(lattice_table)
        (l.rows - 1, w, x + 2 * (l.columns - l.first) + across, l.columns, b, p->row,
         p->table_s + rows + p->row, p->table_c + rows + p->row);
    }
}

/* n points of one row, which has sines sb and cosines cb, from their columns' sa and ca. */
static ALWAYS_INLINE void NAME(lattice_row)(bool slopes, size_t n, size_t row, const float *sa,
                                            const float *ca, VEC sb, VEC cb, float *s, float *c) {
    for (size_t at = 0; n > 0; n--, at += row) {
        VEC sine = AT(sa, at), cosine = AT(ca, at);
        AT(s, at) = MULTIPLY_ADD(cosine, sb, sine * cb);
        if (slopes) AT(c, at) = MULTIPLY_ADD(-sine, sb, cosine * cb);
    }
}

/* The units of layer 0 at m points, from number `at` of the lattice on. */
static void NAME(lattice_tile)(const struct plan *p, const struct record *r, size_t at, size_t m,
                               bool slopes) {
    const struct lattice *l = &p->lattice;
    size_t column = (l->first + at) % l->columns, y = l->columns + (l->first + at) / l->columns;
    for (size_t i = 0, n; i < m; i += n, y++, column = 0) {
        n = l->columns - column < m - i ? l->columns - column : m - i;
        for (size_t v = 0; v < p->row; v += LANES) {
            const float *sa = p->table_s + column * p->row + v;
            const float *ca = p->table_c + column * p->row + v;
            VEC sb = AT(p->table_s, y * p->row + v), cb = AT(p->table_c, y * p->row + v);
            float *s = r->s + i * p->row + v, *c = r->c + i * p->row + v;
#ifdef PAIR
            BOTH sb2 = NAME(twice)(sb), cb2 = NAME(twice)(cb);
            if (slopes)
                NAME(lattice_pairs)(true, n, sa, ca, sb2, cb2, s, c);
            else
                NAME(lattice_pairs)(false, n, sa, ca, sb2, cb2, s, c);
            continue;
#endif
            if (slopes)
                NAME(lattice_row)(true, n, p->row, sa, ca, sb, cb, s, c);
            else
                NAME(lattice_row)(false, n, p->row, sa, ca, sb, cb, s, c);
        }
    }
}
