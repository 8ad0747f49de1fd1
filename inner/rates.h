/* SPDX-License-Identifier: MIT
 *
 * Inner learning rates alpha: phi_{k+1} = phi_k - alpha_k * grad L(phi_k), * elementwise.
 *
 * Where not all parameters adapt, the same with the numbers z of inner/adaptations.h for phi.
 *
 * Seven kinds, one layout: value [n_steps, n_slots, n_units] with n_steps 1 or K, n_slots 1 or the
 * number of slots, n_units 1, as many as there are groups of numbers (layers), or numbers, or more.
 * All but the first are learned by the outer loop (per-param: Meta-SGD, arXiv 1707.09835;
 * per-layer-per-step: arXiv 1810.09502; kron-per-layer-per-step: Meta-Curvature, arXiv 1902.03356).
 *
 *     fixed                [1, 1, 1]
 *     per-step             [K, slots, 1]
 *     per-layer-per-step   [K, slots, n_groups]
 *     per-param            [1, slots, n]
 *     per-param-per-step   [K, slots, n]
 *     kron-per-layer-per-step  [K, slots, sum over groups of rows^2 + columns^2]
 *     full-per-step        [K, slots, n^2]
 *
 * The last two couple the numbers: alpha_k is a matrix P_k, row by row, or, of a group of numbers
 * that is a matrix G (of a layer: its weights, and its biases as the last column), G becomes L G R.
 * L [rows, rows] stands before R [columns, columns]; a group of one column has no R.
 *
 * Inner steps past the last trained one repeat its rates.
 */
#ifndef TSR_INNER_RATES_H
#define TSR_INNER_RATES_H

#include <stdbool.h>

#include "base/names.h"
#include "base/status.h"
#include "inner/adaptations.h"

enum tsr_rates_kind {
    TSR_RATES_FIXED,
    TSR_RATES_PER_STEP,
    TSR_RATES_PER_LAYER_PER_STEP,
    TSR_RATES_PER_PARAM,
    TSR_RATES_PER_PARAM_PER_STEP,
    TSR_RATES_KRON_PER_LAYER_PER_STEP,
    TSR_RATES_FULL_PER_STEP,
};
/* Rows or columns of a matrix of rates at most. */
enum { TSR_RATES_MOST_ROWS = 512 };

TSR_API extern const struct tsr_names tsr_rates_names;
TSR_API const char *tsr_rates_name(enum tsr_rates_kind kind);
TSR_API enum tsr_status tsr_rates_parse(const char *text, enum tsr_rates_kind *out,
                                        struct tsr_error *err) TSR_MUST_USE;

struct tsr_rates {
    enum tsr_rates_kind kind;
    size_t n_steps, n_slots, n_units;
    tsr_real *value; /* [n_steps, n_slots, n_units]; belongs to whoever set it */
    size_t n;        /* numbers that have rates, in groups that end before end[i] */
    size_t n_groups, end[TSR_MAX_LAYERS], rows[TSR_MAX_LAYERS]; /* a group each has a matrix */
};

/* Would the matrices of such rates be too large? TSR_ERR_CONFIG says which. */
TSR_API enum tsr_status tsr_rates_check(enum tsr_rates_kind kind, const struct tsr_space *space,
                                        struct tsr_error *err) TSR_MUST_USE;

/* Sets the extents for K inner steps and `slots` slots; value is NULL. K = 0 counts as 1. */
TSR_API void tsr_rates_layout(struct tsr_rates *rates, enum tsr_rates_kind kind, size_t inner_steps,
                              size_t slots, const struct tsr_space *space);
/* The same where all parameters of the network adapt. */
TSR_API void tsr_rates_layout_all(struct tsr_rates *rates, enum tsr_rates_kind kind,
                                  size_t inner_steps, size_t slots, const struct tsr_net *net);
/* Numbers in value. */
TSR_API size_t tsr_rates_count(const struct tsr_rates *rates);
/* Offset in value of the units of inner step k (from 0) and a slot. */
TSR_API size_t tsr_rates_at(const struct tsr_rates *rates, size_t k, size_t slot);

/* Do they couple the numbers, by matrices? */
static inline bool tsr_rates_couple(const struct tsr_rates *rates) {
    return rates->kind >= TSR_RATES_KRON_PER_LAYER_PER_STEP;
}

/* All rates of the slots become such that alpha_k is this number. */
TSR_API void tsr_rates_start(struct tsr_rates *rates, double alpha);

/* What number i has of its own in alpha_k: of a matrix, its diagonal. */
TSR_API double tsr_rates_own(const struct tsr_rates *rates, size_t k, size_t slot, size_t i);

/* The rates of inner step k, all slots together; of matrices their diagonals. */
struct tsr_rates_summary {
    double mean, least, most, negative; /* the share below 0 */
};
TSR_API struct tsr_rates_summary tsr_rates_summarize(const struct tsr_rates *rates, size_t k);

/* out = alpha_k g for the numbers [from, to) of these vectors [n]; out may be g unless they couple.
 */
TSR_API void tsr_rates_apply(const struct tsr_rates *rates, size_t k, size_t slot, size_t from,
                             size_t to, const tsr_real *g, tsr_real *out);
/* The same by the transposed of alpha_k. */
TSR_API void tsr_rates_apply_transposed(const struct tsr_rates *rates, size_t k, size_t slot,
                                        size_t from, size_t to, const tsr_real *v, tsr_real *out);

/* next = phi - factor * alpha_k g, an inner step, for the numbers [from, to) of these vectors
 * [n]; next may be phi. */
TSR_API void tsr_rates_descend(const struct tsr_rates *rates, size_t k, size_t slot, size_t from,
                               size_t to, double factor, const tsr_real *phi, const tsr_real *g,
                               tsr_real *next);

/* Sums the rate gradients of single numbers, full [n], over the numbers that share a rate, and adds
 * them to those of one step, units [n_units]. */
TSR_API void tsr_rates_reduce(const struct tsr_rates *rates, const tsr_real *full, tsr_real *units);

/* Of rates that couple: adds the derivatives of - v^T alpha_k g to those of one step, units
 * [n_units]. */
TSR_API void tsr_rates_derive(const struct tsr_rates *rates, size_t k, size_t slot,
                              const tsr_real *v, const tsr_real *g, tsr_real *units);

#endif
