/* SPDX-License-Identifier: MIT
 *
 * The last layer of a network as what it is: a linear map of the units before it. Gradients and
 * curvature of its parameters at the points of many tasks, where the layers below stay as they are.
 *
 * Tasks at the same points share what the units give there, which is computed once and kept (F
 * below): the gradients of all of them are then one product of matrices.
 */
#ifndef TSR_META_LAST_LAYER_H
#define TSR_META_LAST_LAYER_H

#include "inner/inner_loop.h"

#ifndef TSR_NO_BLAS

/* Points of which F is kept, and sets of them. */
#define TSR_LAST_LAYER_POINTS 4096
#define TSR_LAST_LAYER_KEPT 16

struct tsr_last_layer {
    const struct tsr_engine *engine; /* with the network */
    const tsr_real *theta;           /* [n_params] whose lower layers are meant */
    size_t n, n_out;                 /* parameters of an output, weights and bias; outputs */
    size_t max_tasks, max_points, n_partial;
    struct tsr_units {
        size_t n;        /* points */
        tsr_real *x, *f; /* [n, in_dim], F [n, width + 1]: the units, and 1 */
    } kept[TSR_LAST_LAYER_KEPT];
    size_t n_kept;
    struct tsr_pass *passes;
    tsr_real *phi, *results, *partial, *out, *residual, *found; /* scratch */
    const struct tsr_units **units;                             /* [max_tasks] */
};

/* For at most max_tasks tasks of max_points points at a time. Engine and theta are kept, by
 * reference. Errors: TSR_ERR_NO_MEMORY. To be cleared in any case. */
enum tsr_status tsr_last_layer_create(const struct tsr_engine *engine, const tsr_real *theta,
                                      size_t max_tasks, size_t max_points,
                                      struct tsr_last_layer *out,
                                      struct tsr_error *err) TSR_MUST_USE;
void tsr_last_layer_clear(struct tsr_last_layer *l);

/* Where parameter j of output o stands in phi: its weights, then its bias. */
size_t tsr_last_layer_place(const struct tsr_last_layer *l, size_t o, size_t j);

/* What a gradient is taken of: `scale` times the squared error over points, at phi. */
struct tsr_last_layer_task {
    const struct tsr_points *points;
    double scale;
    const tsr_real *phi; /* [n_params]; its lower layers are those of theta */
    bool once;           /* no other task has these points: F is not worth keeping */
};

/* rows [n_tasks, n_out, n]: 2 scale F^T (f - y) of each output, overwritten. */
enum tsr_status tsr_last_layer_gradients(struct tsr_last_layer *l,
                                         const struct tsr_last_layer_task *tasks, size_t n_tasks,
                                         double *rows, struct tsr_error *err) TSR_MUST_USE;

/* sum [n, n] += 2 scale F^T F, the same for all outputs. */
enum tsr_status tsr_last_layer_curvature(struct tsr_last_layer *l, const struct tsr_points *points,
                                         double scale, double *sum,
                                         struct tsr_error *err) TSR_MUST_USE;

#endif

#endif
