/* SPDX-License-Identifier: MIT */
#include "meta/last_layer.h"

#include <stdlib.h>
#include <string.h>

#include "base/blas.h"

/* Forward passes at once that read the units; values of residuals of tasks that are taken together.
 */
enum { AT_ONCE = 32, RESIDUALS = 1 << 20 };

static size_t most(size_t a, size_t b) {
    return a > b ? a : b;
}

size_t tsr_last_layer_place(const struct tsr_last_layer *l, size_t o, size_t j) {
    const struct tsr_net *net = &l->engine->net;
    size_t last = net->n_layers - 1;
    return j < net->width ? net->weight_at[last] + o * net->width + j : net->bias_at[last] + o;
}

static size_t chunk_of(const struct tsr_last_layer *l) {
    return l->max_points < TSR_LAST_LAYER_POINTS ? l->max_points : TSR_LAST_LAYER_POINTS;
}

/* Tasks whose residuals are kept at a time. */
static size_t together(const struct tsr_last_layer *l) {
    return most(1, RESIDUALS / most(1, chunk_of(l) * l->n_out));
}

static enum tsr_status allocate(struct tsr_last_layer *l, struct tsr_error *err) {
    const char *what = "room for a last layer";
    size_t n_params = l->engine->net.n_params, chunk = chunk_of(l), values = chunk * l->n_out;
    size_t passes = most(l->max_tasks, AT_ONCE), real = sizeof(tsr_real);
    TSR_TRY(TSR_ALLOC(&l->passes, passes, what, err));
    TSR_TRY(tsr_alloc_to(&l->phi, AT_ONCE, n_params * real, what, err));
    TSR_TRY(tsr_alloc_to(&l->out, AT_ONCE, values * real, what, err));
    TSR_TRY(tsr_alloc_to(&l->results, l->max_tasks, n_params * real, what, err));
    TSR_TRY(tsr_alloc_to(&l->partial, l->max_tasks, l->n_partial * real, what, err));
    TSR_TRY(TSR_ALLOC(&l->residual, most(values, RESIDUALS), what, err));
    size_t rows = together(l) * l->n_out;
    return tsr_alloc_to(&l->found, most(rows, l->n), l->n * real, what, err);
}

enum tsr_status tsr_last_layer_create(const struct tsr_engine *engine, const tsr_real *theta,
                                      size_t max_tasks, size_t max_points,
                                      struct tsr_last_layer *out, struct tsr_error *err) {
    *out = (struct tsr_last_layer){.engine = engine,
                                   .theta = theta,
                                   .n = engine->net.width + 1,
                                   .n_out = engine->net.out_dim,
                                   .max_tasks = max_tasks,
                                   .max_points = max_points,
                                   .n_partial = tsr_pass_partial(engine, max_points, true)};
    TSR_TRY(TSR_ALLOC(&out->units, max_tasks, "room for a last layer", err));
    return allocate(out, err);
}

void tsr_last_layer_clear(struct tsr_last_layer *l) {
    void *const blocks[] = {l->passes, l->phi,      l->results, l->partial,
                            l->out,    l->residual, l->found,   l->units};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        free((void *)blocks[i]);
    for (size_t i = 0; i < l->n_kept; i++) {
        free(l->kept[i].x);
        free(l->kept[i].f);
    }
    *l = (struct tsr_last_layer){0};
}

/* ---- F --------------------------------------------------------------------------------------- */

/* A network whose output o is unit first + o. */
static void show_units(const struct tsr_last_layer *l, size_t first, tsr_real *phi) {
    memcpy(phi, l->theta, l->engine->net.n_params * sizeof *phi);
    for (size_t o = 0; o < l->n_out; o++)
        for (size_t j = 0; j < l->n; j++)
            phi[tsr_last_layer_place(l, o, j)] = j == first + o && j + 1 < l->n;
}

/* F [n, width + 1] at points x, of which there are at most a chunk. */
static void compute(struct tsr_last_layer *l, const tsr_real *x, size_t n, tsr_real *f) {
    const struct tsr_points points = {x, NULL, n};
    size_t n_params = l->engine->net.n_params, width = l->n - 1, step = AT_ONCE * l->n_out;
    for (size_t from = 0; from < width; from += step) {
        size_t end = from + step < width ? from + step : width, count = 0;
        for (size_t first = from; first < end; first += l->n_out, count++) {
            show_units(l, first, l->phi + count * n_params);
            l->passes[count] = (struct tsr_pass){.kind = TSR_PASS_FORWARD,
                                                 .points = &points,
                                                 .phi = l->phi + count * n_params,
                                                 .out = l->out + count * n * l->n_out};
        }
        tsr_pass_run(l->engine, TSR_TEAM, l->passes, count);
        for (size_t j = from; j < end; j++) {
            const tsr_real *out = l->passes[(j - from) / l->n_out].out + (j - from) % l->n_out;
            for (size_t p = 0; p < n; p++)
                f[p * l->n + j] = out[p * l->n_out] - (tsr_real)l->engine->net.output_offset;
        }
    }
    for (size_t p = 0; p < n; p++)
        f[p * l->n + width] = 1;
}

static bool is_at(const struct tsr_last_layer *l, const struct tsr_units *u,
                  const struct tsr_points *points) {
    size_t bytes = points->n * l->engine->net.in_dim * sizeof *points->x;
    return u->n == points->n && memcmp(u->x, points->x, bytes) == 0;
}

/* *out NULL: it is not worth to be kept, or there is no place left. */
static enum tsr_status find(struct tsr_last_layer *l, const struct tsr_last_layer_task *task,
                            const struct tsr_units **out, struct tsr_error *err) {
    const struct tsr_points *points = task->points;
    *out = NULL;
    if (task->once) return TSR_OK;
    for (size_t i = 0; i < l->n_kept && !*out; i++)
        if (is_at(l, &l->kept[i], points)) *out = &l->kept[i];
    if (*out || points->n == 0 || points->n > chunk_of(l) || l->n_kept == TSR_LAST_LAYER_KEPT)
        return TSR_OK;
    struct tsr_units *u = &l->kept[l->n_kept++];
    size_t coordinates = points->n * l->engine->net.in_dim;
    u->n = points->n;
    TSR_TRY(TSR_ALLOC(&u->x, coordinates, "coordinates", err));
    TSR_TRY(tsr_alloc_to(&u->f, points->n, l->n * sizeof *u->f, "units of a network", err));
    memcpy(u->x, points->x, coordinates * sizeof *u->x);
    compute(l, u->x, u->n, u->f);
    *out = u;
    return TSR_OK;
}

/* ---- gradients ------------------------------------------------------------------------------- */

/* Outputs at phi, to l->out [n_out, points]. */
static void find_outputs(struct tsr_last_layer *l, const tsr_real *phi, const struct tsr_units *u) {
    size_t width = l->n - 1, n = u->n;
    const tsr_real *weights = phi + tsr_last_layer_place(l, 0, 0);
    tsr_blas_gemm(false, true, l->n_out, n, width, 1, weights, width, u->f, l->n, 0, l->out, n);
    for (size_t o = 0; o < l->n_out; o++) {
        tsr_real bias = phi[tsr_last_layer_place(l, o, width)];
        for (size_t p = 0; p < n; p++)
            l->out[o * n + p] += bias + (tsr_real)l->engine->net.output_offset;
    }
}

/* 2 scale (f - y)^T [n_out, points] of a task, from its outputs. */
static void find_residual(const struct tsr_last_layer *l, const struct tsr_last_layer_task *task,
                          tsr_real *residual) {
    size_t n = task->points->n;
    tsr_real factor = (tsr_real)(2 * task->scale);
    for (size_t o = 0; o < l->n_out; o++)
        for (size_t p = 0; p < n; p++)
            residual[o * n + p] = factor * (l->out[o * n + p] - task->points->y[p * l->n_out + o]);
}

/* Of the tasks [n_tasks] that are at these points; the others are left alone. */
static void of_units(struct tsr_last_layer *l, const struct tsr_last_layer_task *tasks,
                     size_t n_tasks, const struct tsr_units *u, double *rows) {
    size_t values = u->n * l->n_out, all = l->n * l->n_out;
    size_t at_once = together(l);
    const tsr_real *phi = NULL;
    for (size_t i = 0; i < n_tasks;) {
        size_t count = 0, first = i;
        for (; i < n_tasks && count < at_once; i++) {
            if (l->units[i] != u) continue;
            if (tasks[i].phi != phi) find_outputs(l, phi = tasks[i].phi, u);
            find_residual(l, &tasks[i], l->residual + count++ * values);
        }
        tsr_blas_gemm(false, false, count * l->n_out, l->n, u->n, 1, l->residual, u->n, u->f, l->n,
                      0, l->found, l->n);
        count = 0;
        for (size_t k = first; k < i; k++) {
            if (l->units[k] != u) continue;
            const tsr_real *found = l->found + count++ * all;
            for (size_t j = 0; j < all; j++)
                rows[k * all + j] = (double)found[j];
        }
    }
}

/* By passes through the whole network. */
static void of_others(struct tsr_last_layer *l, const struct tsr_last_layer_task *tasks,
                      size_t n_tasks, double *rows) {
    size_t n_params = l->engine->net.n_params, count = 0;
    for (size_t i = 0; i < n_tasks; i++) {
        if (l->units[i]) continue;
        l->passes[count] = (struct tsr_pass){.kind = TSR_PASS_GRADIENT,
                                             .points = tasks[i].points,
                                             .scale = tasks[i].scale,
                                             .phi = tasks[i].phi,
                                             .result = l->results + count * n_params,
                                             .partial = l->partial + count * l->n_partial};
        count++;
    }
    if (count == 0) return;
    tsr_pass_run(l->engine, TSR_TEAM, l->passes, count);
    const tsr_real *result = l->results;
    for (size_t i = 0; i < n_tasks; i++) {
        if (l->units[i]) continue;
        for (size_t o = 0; o < l->n_out; o++)
            for (size_t j = 0; j < l->n; j++)
                rows[(i * l->n_out + o) * l->n + j] = (double)result[tsr_last_layer_place(l, o, j)];
        result += n_params;
    }
}

enum tsr_status tsr_last_layer_gradients(struct tsr_last_layer *l,
                                         const struct tsr_last_layer_task *tasks, size_t n_tasks,
                                         double *rows, struct tsr_error *err) {
    for (size_t i = 0; i < n_tasks; i++)
        TSR_TRY(find(l, &tasks[i], &l->units[i], err));
    for (size_t k = 0; k < l->n_kept; k++)
        of_units(l, tasks, n_tasks, &l->kept[k], rows);
    of_others(l, tasks, n_tasks, rows);
    return TSR_OK;
}

/* ---- curvature ------------------------------------------------------------------------------- */

enum tsr_status tsr_last_layer_curvature(struct tsr_last_layer *l, const struct tsr_points *points,
                                         double scale, double *sum, struct tsr_error *err) {
    size_t chunk = chunk_of(l), in = l->engine->net.in_dim;
    tsr_real *f;
    TSR_TRY(tsr_alloc_to(&f, chunk, l->n * sizeof *f, "units of a network", err));
    for (size_t from = 0; from < points->n; from += chunk) {
        size_t n = points->n - from < chunk ? points->n - from : chunk;
        compute(l, points->x + from * in, n, f);
        tsr_blas_gemm(true, false, l->n, l->n, n, (tsr_real)(2 * scale), f, l->n, f, l->n, 0,
                      l->found, l->n);
        for (size_t i = 0; i < l->n * l->n; i++)
            sum[i] += (double)l->found[i];
    }
    free(f);
    return TSR_OK;
}
