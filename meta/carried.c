/* SPDX-License-Identifier: MIT */
#include "meta/carried.h"

#include <string.h>

/* Largest total of the tapes of a task, in bytes: what a share of the outer cache holds. */
enum { TAPE_LIMIT = 8 << 20 };
/* Parameters that one thread of a team takes at a time between passes. */
enum { SLICE = 4096 };

/* ---- storage --------------------------------------------------------------------------------- */

/* Places the tapes of a task of n points; the bytes they take, 0 if none are kept of so many. */
static size_t place_tapes(struct tsr_carried_task *t, const struct tsr_engine *engine,
                          size_t inner_steps, size_t n) {
    t->tape_stride = 0;
    if (tsr_pass_pieces(n) > 1) return 0;
    struct tsr_tape_size size = engine->kernel->tape_size(&engine->net, n);
    t->tape_backward = tsr_align_up(size.forward);
    size_t stride = tsr_align_up(t->tape_backward + size.backward);
    if (stride * inner_steps > TAPE_LIMIT) return 0;
    t->tape_stride = stride;
    return stride * inner_steps;
}

/* Where the largest tasks have no tapes, smaller ones may: what they do not use is never touched.
 */
static size_t tape_room(struct tsr_carried_task *t, const struct tsr_engine *engine,
                        const struct tsr_method *method, size_t inner_steps, size_t max_points) {
    if (!method->second_order || !engine->kernel->tape_size || inner_steps == 0) return 0;
    size_t room = place_tapes(t, engine, inner_steps, max_points);
    return room ? room : TAPE_LIMIT;
}

void tsr_carried_layout(struct tsr_carried_task *t, const struct tsr_engine *engine,
                        const struct tsr_method *method, size_t inner_steps, size_t max_points,
                        struct tsr_arena *a) {
    size_t n = engine->net.n_params;
    size_t partial = tsr_pass_partial(engine, max_points, engine->threads > 1);
    size_t outputs = method->wants_outputs ? max_points * engine->net.out_dim : 0;
    *t = (struct tsr_carried_task){0};
    t->phi = tsr_arena_take(a, (inner_steps + 1) * n, sizeof *t->phi);
    t->g = tsr_arena_take(a, inner_steps * n, sizeof *t->g);
    t->v = tsr_arena_take(a, n, sizeof *t->v);
    t->product = tsr_arena_take(a, n, sizeof *t->product);
    t->scaled = tsr_arena_take(a, n, sizeof *t->scaled);
    t->partial = partial ? tsr_arena_take(a, partial, sizeof *t->partial) : NULL;
    t->out = outputs ? tsr_arena_take(a, outputs, sizeof *t->out) : NULL;
    t->tape_room = tape_room(t, engine, method, inner_steps, max_points);
    t->tapes = t->tape_room ? tsr_arena_take(a, t->tape_room, 1) : NULL;
}

/* ---- work between passes ----------------------------------------------------------------------
 */

/* What happens to the parameters [from, to) of one task at inner step k. */
typedef void (*slice_fn)(const struct tsr_carried *c, struct tsr_carried_task *t, size_t k,
                         double weight, size_t from, size_t to);

/* All parameters of all tasks: by the one thread, or in slices by the team. */
static void by_slices(const struct tsr_carried *c, slice_fn fn, size_t k, double weight) {
    size_t n_params = c->engine->net.n_params, slices = (n_params + SLICE - 1) / SLICE;
    if (c->thread != TSR_TEAM) {
        for (size_t i = 0; i < c->n; i++)
            fn(c, c->tasks[i], k, weight, 0, n_params);
        return;
    }
#pragma omp parallel for schedule(static) num_threads((int)c->engine->threads)
    for (size_t i = 0; i < c->n * slices; i++) {
        size_t from = i % slices * SLICE, to = from + SLICE;
        fn(c, c->tasks[i / slices], k, weight, from, to < n_params ? to : n_params);
    }
}

static tsr_real *phi_at(const struct tsr_carried *c, const struct tsr_carried_task *t, size_t k) {
    return t->phi + k * c->engine->net.n_params;
}

static tsr_real *g_at(const struct tsr_carried *c, const struct tsr_carried_task *t, size_t k) {
    return t->g + k * c->engine->net.n_params;
}

/* phi_{k+1} = phi_k - alpha_k * g_k */
static void descend(const struct tsr_carried *c, struct tsr_carried_task *t, size_t k,
                    double weight, size_t from, size_t to) {
    (void)weight;
    tsr_rates_descend(c->rates, &c->engine->net, k, t->task->slot, from, to, 1, phi_at(c, t, k),
                      g_at(c, t, k), phi_at(c, t, k + 1));
}

static void scale_by_rates(const struct tsr_carried *c, struct tsr_carried_task *t, size_t k,
                           double weight, size_t from, size_t to) {
    (void)weight;
    tsr_rates_apply_range(c->rates, &c->engine->net, k, t->task->slot, from, to, t->v, t->scaled);
}

static void rates_of_step(const struct tsr_carried *c, struct tsr_carried_task *t, size_t k,
                          double weight, size_t from, size_t to) {
    tsr_real *g = g_at(c, t, k);
    (void)weight;
    for (size_t i = from; i < to; i++)
        g[i] *= -t->v[i];
}

/* Are the query points the context points? Then their gradients differ by a factor. */
static bool same_points(const struct tsr_task *task) {
    return task->qry.x == task->ctx.x && task->qry.y == task->ctx.y && task->qry.n == task->ctx.n;
}

/* v <- v - product + the query gradient at phi_k, which stands in `scaled` or follows from g_k. */
static void step_back(const struct tsr_carried *c, struct tsr_carried_task *t, size_t k,
                      double weight, size_t from, size_t to) {
    const struct tsr_task *task = t->task;
    const tsr_real *g = g_at(c, t, k), *query = same_points(task) ? g : t->scaled;
    tsr_real f = same_points(task) ? (tsr_real)(weight * task->qry_scale / task->ctx_scale) : 1;
    for (size_t i = from; i < to; i++)
        t->product[i] = t->v[i] - t->product[i];
    for (size_t i = from; weight != 0 && i < to; i++)
        t->product[i] += f * query[i];
    rates_of_step(c, t, k, weight, from, to);
    memcpy(t->v + from, t->product + from, (to - from) * sizeof *t->v);
}

static void displacement(const struct tsr_carried *c, struct tsr_carried_task *t, size_t k,
                         double weight, size_t from, size_t to) {
    const tsr_real *end = phi_at(c, t, k);
    (void)weight;
    for (size_t i = from; i < to; i++)
        t->v[i] = t->phi[i] - end[i];
}

/* ---- passes ---------------------------------------------------------------------------------- */

/* The tape of inner step k; {NULL, NULL} if none is kept. */
static struct tsr_tape tape_of(const struct tsr_carried_task *t, size_t k) {
    struct tsr_tape tape = {0};
    if (t->tape_stride) {
        tape.forward = t->tapes + k * t->tape_stride;
        tape.backward = t->tapes + k * t->tape_stride + t->tape_backward;
    }
    if (k == 0 && t->forward) tape.forward = t->forward;
    return tape;
}

static void inner_step(struct tsr_carried *c, size_t k) {
    for (size_t i = 0; i < c->n; i++) {
        struct tsr_carried_task *t = c->tasks[i];
        bool recorded = k == 0 && t->forward;
        c->passes[i] = (struct tsr_pass){.kind = recorded ? TSR_PASS_BACKWARD : TSR_PASS_GRADIENT,
                                         .points = &t->task->ctx,
                                         .scale = t->task->ctx_scale,
                                         .phi = phi_at(c, t, k),
                                         .result = g_at(c, t, k),
                                         .tape = tape_of(t, k),
                                         .partial = t->partial};
    }
    tsr_pass_run(c->engine, c->thread, c->passes, c->n);
    by_slices(c, descend, k, 0);
}

void tsr_carried_start(struct tsr_carried *c, const tsr_real *theta,
                       struct tsr_forwards *forwards) {
    size_t n_params = c->engine->net.n_params;
    for (size_t i = 0; i < c->n; i++) {
        struct tsr_carried_task *t = c->tasks[i];
        const tsr_real *from = theta + t->task->slot * n_params;
        memcpy(t->phi, from, n_params * sizeof *t->phi);
        size_t size = t->tapes ? place_tapes(t, c->engine, c->inner_steps, t->task->ctx.n) : 0;
        if (size > t->tape_room) t->tape_stride = 0;
        t->forward = forwards && c->inner_steps > 0
                         ? tsr_forwards_find(forwards, c->engine, c->thread, from, &t->task->ctx)
                         : NULL;
    }
    for (size_t k = 0; k < c->inner_steps; k++)
        inner_step(c, k);
}

size_t tsr_carried_steps(const struct tsr_carried *c) {
    return c->inner_steps;
}

/* Query passes at phi_k, to `v` or `scaled`; of methods without a gradient, outputs. */
static void query_passes(struct tsr_carried *c, size_t k, double weight, bool to_v) {
    for (size_t i = 0; i < c->n; i++) {
        struct tsr_carried_task *t = c->tasks[i];
        c->passes[i] = (struct tsr_pass){.kind = t->out ? TSR_PASS_FORWARD : TSR_PASS_GRADIENT,
                                         .points = &t->task->qry,
                                         .scale = weight * t->task->qry_scale,
                                         .phi = phi_at(c, t, k),
                                         .result = to_v ? t->v : t->scaled,
                                         .out = t->out,
                                         .partial = t->partial};
    }
    tsr_pass_run(c->engine, c->thread, c->passes, c->n);
}

static void keep_query_errors(const struct tsr_carried *c) {
    for (size_t i = 0; i < c->n; i++)
        c->tasks[i]->query_error = c->passes[i].error;
}

void tsr_carried_query(struct tsr_carried *c, double weight) {
    query_passes(c, c->inner_steps, weight, true);
    keep_query_errors(c);
}

void tsr_carried_query_error(struct tsr_carried *c) {
    query_passes(c, c->inner_steps, 0, true);
    keep_query_errors(c);
}

void tsr_carried_rates(struct tsr_carried *c, size_t k) {
    by_slices(c, rates_of_step, k, 0);
}

void tsr_carried_back(struct tsr_carried *c, size_t k, double weight) {
    bool same = true;
    by_slices(c, scale_by_rates, k, 0);
    for (size_t i = 0; i < c->n; i++) {
        struct tsr_carried_task *t = c->tasks[i];
        const struct tsr_tape none = {NULL, NULL};
        same = same && same_points(t->task);
        c->passes[i] = (struct tsr_pass){.kind = TSR_PASS_HVP,
                                         .points = &t->task->ctx,
                                         .scale = t->task->ctx_scale,
                                         .phi = phi_at(c, t, k),
                                         .v = t->scaled,
                                         .result = t->product,
                                         .tape = t->tape_stride ? tape_of(t, k) : none,
                                         .partial = t->partial};
    }
    tsr_pass_run(c->engine, c->thread, c->passes, c->n);
    if (weight != 0 && !same) query_passes(c, k, weight, false);
    by_slices(c, step_back, k, weight);
}

void tsr_carried_displacement(struct tsr_carried *c) {
    by_slices(c, displacement, c->inner_steps, 0);
}
