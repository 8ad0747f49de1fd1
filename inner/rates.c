/* SPDX-License-Identifier: MIT */
#include "inner/rates.h"

#include <math.h>
#include <string.h>

#include "base/names.h"
#include "inner/dot.h"

static const char *const kind_names[] = {
    "fixed",        "per-step",           "per-layer-per-step",
    "per-param",    "per-param-per-step", "kron-per-layer-per-step",
    "full-per-step"};
TSR_DEFINE_NAMES(tsr_rates, tsr_rates_kind, kind_names, "kind of rates")

/* ---- extents --------------------------------------------------------------------------------- */

/* Groups of numbers, each with a matrix of its own. */
static void take_groups(struct tsr_rates *rates, const struct tsr_space *space) {
    if (rates->kind == TSR_RATES_FULL_PER_STEP) {
        rates->n_groups = 1;
        rates->end[0] = rates->rows[0] = space->n;
        return;
    }
    rates->n_groups = space->n_groups;
    memcpy(rates->end, space->end, sizeof rates->end);
    memcpy(rates->rows, space->rows, sizeof rates->rows);
}

static size_t group_start(const struct tsr_rates *rates, size_t i) {
    return i ? rates->end[i - 1] : 0;
}

static size_t group_columns(const struct tsr_rates *rates, size_t i) {
    return (rates->end[i] - group_start(rates, i)) / rates->rows[i];
}

/* Rates of a group of such an extent. */
static size_t matrix_units(size_t rows, size_t columns) {
    return rows * rows + (columns > 1 ? columns * columns : 0);
}

static size_t count_units(const struct tsr_rates *rates) {
    size_t units = 0;
    switch (rates->kind) {
    case TSR_RATES_PER_PARAM:
    case TSR_RATES_PER_PARAM_PER_STEP:
        return rates->n;
    case TSR_RATES_PER_LAYER_PER_STEP:
        return rates->n_groups;
    case TSR_RATES_KRON_PER_LAYER_PER_STEP:
    case TSR_RATES_FULL_PER_STEP:
        for (size_t i = 0; i < rates->n_groups; i++)
            units += matrix_units(rates->rows[i], group_columns(rates, i));
        return units;
    default:
        return 1;
    }
}

void tsr_rates_layout(struct tsr_rates *rates, enum tsr_rates_kind kind, size_t inner_steps,
                      size_t slots, const struct tsr_space *space) {
    bool per_step = kind != TSR_RATES_FIXED && kind != TSR_RATES_PER_PARAM;
    *rates = (struct tsr_rates){
        .kind = kind,
        .n_steps = per_step && inner_steps > 1 ? inner_steps : 1,
        .n_slots = kind == TSR_RATES_FIXED ? 1 : slots,
        .n = space->n,
    };
    take_groups(rates, space);
    rates->n_units = count_units(rates);
}

void tsr_rates_layout_all(struct tsr_rates *rates, enum tsr_rates_kind kind, size_t inner_steps,
                          size_t slots, const struct tsr_net *net) {
    const struct tsr_choice all = tsr_choice_of(&tsr_adaptation_all.object);
    struct tsr_space space;
    tsr_space_layout(&all, net, &space);
    tsr_rates_layout(rates, kind, inner_steps, slots, &space);
}

enum tsr_status tsr_rates_check(enum tsr_rates_kind kind, const struct tsr_space *space,
                                struct tsr_error *err) {
    struct tsr_rates rates = {.kind = kind};
    if (!tsr_rates_couple(&rates)) return TSR_OK;
    take_groups(&rates, space);
    for (size_t i = 0; i < rates.n_groups; i++) {
        size_t columns = group_columns(&rates, i);
        size_t most = rates.rows[i] > columns ? rates.rows[i] : columns;
        if (most > TSR_RATES_MOST_ROWS)
            return TSR_ERROR(err, TSR_ERR_CONFIG,
                             "rates %s: a matrix of %zu rows and columns would be needed; at most "
                             "%d are taken",
                             tsr_rates_name(kind), most, TSR_RATES_MOST_ROWS);
    }
    return TSR_OK;
}

size_t tsr_rates_count(const struct tsr_rates *rates) {
    return rates->n_steps * rates->n_slots * rates->n_units;
}

size_t tsr_rates_at(const struct tsr_rates *rates, size_t k, size_t slot) {
    size_t step = k < rates->n_steps ? k : rates->n_steps - 1;
    size_t s = rates->n_slots > 1 ? slot : 0;
    return (step * rates->n_slots + s) * rates->n_units;
}

/* ---- matrices --------------------------------------------------------------------------------
 */

/* One group: number j of row o is at + o * inner + j, and the last one of the row last + o. */
struct matrix {
    const tsr_real *left, *right; /* [rows, rows], [columns, columns] or NULL: 1 */
    size_t rows, columns, at, inner, last;
};

/* Group i; *units: where its rates stand, moved behind them. */
static struct matrix matrix_of(const struct tsr_rates *rates, size_t i, const tsr_real **units) {
    size_t rows = rates->rows[i], columns = group_columns(rates, i);
    struct matrix m = {.left = *units,
                       .rows = rows,
                       .columns = columns,
                       .at = group_start(rates, i),
                       .inner = columns - 1};
    m.last = m.at + rows * m.inner;
    if (columns > 1) m.right = *units + rows * rows;
    *units += matrix_units(rows, columns);
    return m;
}

/* Row o of the group in g. */
static void take_row(const struct matrix *m, size_t o, const tsr_real *g, tsr_real *row) {
    memcpy(row, g + m->at + o * m->inner, m->inner * sizeof *row);
    row[m->inner] = g[m->last + o];
}

/* out [columns] = sum over p of a[p * stride] times row p of g. */
static void mix_rows(const struct matrix *m, const tsr_real *a, size_t stride, const tsr_real *g,
                     tsr_real *out) {
    double last = 0;
    memset(out, 0, m->inner * sizeof *out);
    for (size_t p = 0; p < m->rows; p++) {
        const tsr_real *row = g + m->at + p * m->inner;
        for (size_t j = 0; j < m->inner; j++)
            out[j] += a[p * stride] * row[j];
        last += (double)a[p * stride] * (double)g[m->last + p];
    }
    out[m->inner] = (tsr_real)last;
}

/* row <- row R, or row R^T. */
static void turn_row(const struct matrix *m, bool transposed, tsr_real *row) {
    tsr_real out[TSR_RATES_MOST_ROWS] = {0};
    if (!m->right) return;
    for (size_t j = 0; j < m->columns; j++) {
        const tsr_real *of_j = m->right + j * m->columns;
        if (transposed)
            out[j] = (tsr_real)tsr_dot(row, of_j, m->columns);
        else
            tsr_add(out, (double)row[j], of_j, m->columns);
    }
    memcpy(row, out, m->columns * sizeof *row);
}

/* Has row o a number of [from, to)? */
static bool touches(const struct matrix *m, size_t o, size_t from, size_t to) {
    size_t begin = m->at + o * m->inner, last = m->last + o;
    return (last >= from && last < to) || (begin < to && begin + m->inner > from);
}

/* What becomes of y = alpha g: out = y, or out = phi - factor y. */
struct sink {
    size_t from, to;
    const tsr_real *phi; /* or NULL */
    tsr_real factor, *out;
};

static void put(const struct sink *s, size_t i, tsr_real y) {
    if (i >= s->from && i < s->to) s->out[i] = s->phi ? s->phi[i] - s->factor * y : y;
}

static void multiply(const struct tsr_rates *rates, size_t k, size_t slot, bool transposed,
                     const tsr_real *g, const struct sink *sink) {
    const tsr_real *units = rates->value + tsr_rates_at(rates, k, slot);
    tsr_real row[TSR_RATES_MOST_ROWS];
    for (size_t i = 0; i < rates->n_groups; i++) {
        const struct matrix m = matrix_of(rates, i, &units);
        for (size_t o = 0; o < m.rows; o++) {
            if (!touches(&m, o, sink->from, sink->to)) continue;
            mix_rows(&m, m.left + (transposed ? o : o * m.rows), transposed ? m.rows : 1, g, row);
            turn_row(&m, transposed, row);
            for (size_t j = 0; j < m.inner; j++)
                put(sink, m.at + o * m.inner + j, row[j]);
            put(sink, m.last + o, row[m.inner]);
        }
    }
}

void tsr_rates_derive(const struct tsr_rates *rates, size_t k, size_t slot, const tsr_real *v,
                      const tsr_real *g, tsr_real *out) {
    const tsr_real *first = rates->value + tsr_rates_at(rates, k, slot), *units = first;
    tsr_real row[TSR_RATES_MOST_ROWS], of_v[TSR_RATES_MOST_ROWS];
    for (size_t i = 0; i < rates->n_groups; i++) {
        tsr_real *left = out + (units - first);
        const struct matrix m = matrix_of(rates, i, &units);
        tsr_real *right = left + m.rows * m.rows;
        for (size_t p = 0; p < m.rows; p++) { /* dL = - V (G R)^T */
            take_row(&m, p, g, row);
            turn_row(&m, false, row);
            for (size_t o = 0; o < m.rows; o++) {
                take_row(&m, o, v, of_v);
                left[o * m.rows + p] -= (tsr_real)tsr_dot(of_v, row, m.columns);
            }
        }
        for (size_t o = 0; m.right && o < m.rows; o++) { /* dR = - (L G)^T V */
            mix_rows(&m, m.left + o * m.rows, 1, g, row);
            take_row(&m, o, v, of_v);
            for (size_t j = 0; j < m.columns; j++)
                tsr_add(right + j * m.columns, -(double)row[j], of_v, m.columns);
        }
    }
}

static void start_matrix(tsr_real *x, size_t n, double diagonal) {
    memset(x, 0, n * n * sizeof *x);
    for (size_t i = 0; i < n; i++)
        x[i * n + i] = (tsr_real)diagonal;
}

/* Both factors alike, so that one outer rate suits both. */
static void start_matrices(const struct tsr_rates *rates, double alpha, tsr_real *units) {
    for (size_t i = 0; i < rates->n_groups; i++) {
        size_t rows = rates->rows[i], columns = group_columns(rates, i);
        start_matrix(units, rows, columns > 1 ? sqrt(alpha) : alpha);
        if (columns > 1) start_matrix(units + rows * rows, columns, sqrt(alpha));
        units += matrix_units(rows, columns);
    }
}

static double own_of_matrix(const struct tsr_rates *rates, const tsr_real *units, size_t number) {
    size_t i = 0;
    for (; number >= rates->end[i]; i++)
        (void)matrix_of(rates, i, &units);
    const struct matrix m = matrix_of(rates, i, &units);
    bool last = number >= m.last;
    size_t o = last ? number - m.last : (number - m.at) / m.inner;
    size_t j = last ? m.inner : (number - m.at) % m.inner;
    double own = (double)m.left[o * (m.rows + 1)];
    return m.right ? own * (double)m.right[j * (m.columns + 1)] : own;
}

/* ---- what callers see --------------------------------------------------------------------------
 */

void tsr_rates_start(struct tsr_rates *rates, double alpha) {
    size_t n = tsr_rates_count(rates);
    for (size_t i = 0; tsr_rates_couple(rates) && i < n; i += rates->n_units)
        start_matrices(rates, alpha, rates->value + i);
    for (size_t i = 0; !tsr_rates_couple(rates) && i < n; i++)
        rates->value[i] = (tsr_real)alpha;
}

double tsr_rates_own(const struct tsr_rates *rates, size_t k, size_t slot, size_t i) {
    const tsr_real *units = rates->value + tsr_rates_at(rates, k, slot);
    size_t group = 0;
    if (tsr_rates_couple(rates)) return own_of_matrix(rates, units, i);
    if (rates->n_units == rates->n) return (double)units[i];
    while (i >= rates->end[group])
        group++;
    return (double)units[rates->n_units > 1 ? group : 0];
}

struct tsr_rates_summary tsr_rates_summarize(const struct tsr_rates *rates, size_t k) {
    struct tsr_rates_summary s = {0, (double)INFINITY, -(double)INFINITY, 0};
    size_t of_slot = tsr_rates_couple(rates) ? rates->n : rates->n_units;
    size_t n = rates->n_slots * of_slot;
    for (size_t i = 0; i < n; i++) {
        size_t slot = i / of_slot, at = i % of_slot;
        double rate = tsr_rates_couple(rates)
                          ? tsr_rates_own(rates, k, slot, at)
                          : (double)rates->value[tsr_rates_at(rates, k, slot) + at];
        s.mean += rate / (double)n;
        s.least = fmin(s.least, rate);
        s.most = fmax(s.most, rate);
        s.negative += (rate < 0) / (double)n;
    }
    return s;
}

/* The part of group i within [from, to). */
static size_t part_start(const struct tsr_rates *rates, size_t i, size_t from) {
    size_t start = group_start(rates, i);
    return start > from ? start : from;
}

static size_t part_end(const struct tsr_rates *rates, size_t i, size_t to) {
    return rates->end[i] < to ? rates->end[i] : to;
}

/* out = alpha * g */
static void scale(const struct tsr_rates *rates, size_t k, size_t slot, size_t from, size_t to,
                  const tsr_real *g, tsr_real *out) {
    const tsr_real *alpha = rates->value + tsr_rates_at(rates, k, slot);
    if (rates->n_units == rates->n) {
        for (size_t i = from; i < to; i++)
            out[i] = alpha[i] * g[i];
        return;
    }
    for (size_t l = 0; l < rates->n_groups; l++) {
        tsr_real a = alpha[rates->n_units > 1 ? l : 0];
        for (size_t i = part_start(rates, l, from); i < part_end(rates, l, to); i++)
            out[i] = a * g[i];
    }
}

void tsr_rates_apply(const struct tsr_rates *rates, size_t k, size_t slot, size_t from, size_t to,
                     const tsr_real *g, tsr_real *out) {
    const struct sink sink = {from, to, NULL, 1, out};
    if (tsr_rates_couple(rates))
        multiply(rates, k, slot, false, g, &sink);
    else
        scale(rates, k, slot, from, to, g, out);
}

void tsr_rates_apply_transposed(const struct tsr_rates *rates, size_t k, size_t slot, size_t from,
                                size_t to, const tsr_real *v, tsr_real *out) {
    const struct sink sink = {from, to, NULL, 1, out};
    if (tsr_rates_couple(rates))
        multiply(rates, k, slot, true, v, &sink);
    else
        scale(rates, k, slot, from, to, v, out);
}

void tsr_rates_descend(const struct tsr_rates *rates, size_t k, size_t slot, size_t from, size_t to,
                       double factor, const tsr_real *phi, const tsr_real *g, tsr_real *next) {
    const tsr_real *alpha = rates->value + tsr_rates_at(rates, k, slot);
    tsr_real f = (tsr_real)factor;
    if (tsr_rates_couple(rates)) {
        const struct sink sink = {from, to, phi, f, next};
        multiply(rates, k, slot, false, g, &sink);
        return;
    }
    if (rates->n_units == rates->n) {
        for (size_t i = from; i < to; i++)
            next[i] = phi[i] - alpha[i] * f * g[i];
        return;
    }
    for (size_t l = 0; l < rates->n_groups; l++) {
        tsr_real a = alpha[rates->n_units > 1 ? l : 0] * f;
        for (size_t i = part_start(rates, l, from); i < part_end(rates, l, to); i++)
            next[i] = phi[i] - a * g[i];
    }
}

void tsr_rates_reduce(const struct tsr_rates *rates, const tsr_real *full, tsr_real *units) {
    if (rates->n_units == rates->n) {
        for (size_t i = 0; i < rates->n; i++)
            units[i] += full[i];
        return;
    }
    for (size_t l = 0; l < rates->n_groups; l++) {
        double sum = 0;
        for (size_t i = part_start(rates, l, 0); i < rates->end[l]; i++)
            sum += (double)full[i];
        units[rates->n_units > 1 ? l : 0] += (tsr_real)sum;
    }
}
