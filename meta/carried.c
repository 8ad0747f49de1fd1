/* SPDX-License-Identifier: MIT */
#include "meta/carried.h"

#include <string.h>

/* Largest total of the tapes of a task, in bytes: what a share of the outer cache holds. */
enum { TAPE_LIMIT = 8 << 20 };
/* Parameters that one thread of a team takes at a time between passes. */
enum { SLICE = 4096 };

/* ---- storage --------------------------------------------------------------------------------- */

/* Places the tapes of a task of n points; the bytes they take, 0 if none are kept of so many. */
static size_t place_tapes(struct tsr_trajectory *way, const struct tsr_engine *engine,
                          size_t inner_steps, size_t n) {
    if (tsr_pass_pieces(n) > 1) return 0;
    struct tsr_tape_size size = engine->kernel->tape_size(&engine->net, n);
    way->tape_backward = tsr_align_up(size.forward);
    size_t stride = tsr_align_up(way->tape_backward + size.backward);
    if (stride * inner_steps > TAPE_LIMIT) return 0;
    way->tape_stride = stride;
    return stride * inner_steps;
}

static bool has_tapes(const struct tsr_engine *engine, const struct tsr_method *method,
                      size_t inner_steps) {
    return method->second_order && engine->kernel->tape_size && inner_steps > 0;
}

size_t tsr_carried_tapes(const struct tsr_engine *engine, const struct tsr_method *method,
                         size_t inner_steps, size_t n) {
    struct tsr_trajectory way;
    if (!has_tapes(engine, method, inner_steps)) return 0;
    return place_tapes(&way, engine, inner_steps, n);
}

/* Where the largest tasks have no tapes, smaller ones may: what they do not use is never touched.
 */
static size_t tape_room(const struct tsr_engine *engine, const struct tsr_method *method,
                        size_t inner_steps, size_t max_points) {
    if (!has_tapes(engine, method, inner_steps)) return 0;
    size_t room = tsr_carried_tapes(engine, method, inner_steps, max_points);
    return room ? room : TAPE_LIMIT;
}

bool tsr_carried_learns_basis(const struct tsr_engine *engine, const struct tsr_method *method) {
    return engine->space.n_directions > 0 && method->learns_rates;
}

void tsr_carried_keep(struct tsr_carried_task *t, struct tsr_trajectory *way,
                      const struct tsr_engine *engine, size_t inner_steps, tsr_real *a,
                      tsr_real *b) {
    way->g = a;
    t->of_v = a + inner_steps * engine->net.n_params;
    t->of_u = b;
    t->of_gz = b + inner_steps * engine->space.n;
}

/* What a task needs where its numbers are not all parameters. */
static void layout_numbers(struct tsr_carried_task *t, struct tsr_trajectory *way,
                           const struct tsr_engine *engine, size_t inner_steps, bool keeps,
                           struct tsr_arena *a) {
    size_t n = engine->space.n;
    if (tsr_space_is_whole(&engine->space)) return;
    way->z_stride = way->gz_stride = n;
    way->z = tsr_arena_take(a, (inner_steps + 1) * n, sizeof *way->z);
    way->gz = tsr_arena_take(a, inner_steps * n, sizeof *way->gz);
    t->u = tsr_arena_take(a, n, sizeof *t->u);
    if (keeps) return;
    t->of_u = tsr_arena_take(a, inner_steps * n, sizeof *t->of_u);
    t->of_gz = tsr_arena_take(a, inner_steps * n, sizeof *t->of_gz);
}

void tsr_carried_layout(struct tsr_carried_task *t, struct tsr_trajectory *way,
                        const struct tsr_engine *engine, const struct tsr_method *method,
                        const struct tsr_loss *loss, const struct tsr_rates *rates,
                        size_t inner_steps, size_t max_points, struct tsr_arena *a) {
    size_t n = engine->net.n_params;
    size_t partial = tsr_pass_partial(engine, max_points, engine->threads > 1);
    size_t values = max_points * engine->net.out_dim;
    *t = (struct tsr_carried_task){0};
    *way = (struct tsr_trajectory){.phi_stride = n, .g_stride = n};
    way->phi = tsr_arena_take(a, (inner_steps + 1) * n, sizeof *way->phi);
    bool keeps = tsr_carried_learns_basis(engine, method);
    if (!keeps) way->g = tsr_arena_take(a, inner_steps * n, sizeof *way->g);
    way->partial = partial ? tsr_arena_take(a, partial, sizeof *way->partial) : NULL;
    layout_numbers(t, way, engine, inner_steps, keeps, a);
    if (tsr_rates_couple(rates) && method->learns_rates)
        t->before = tsr_arena_take(a, inner_steps * rates->n, sizeof *t->before);
    t->v = tsr_arena_take(a, n, sizeof *t->v);
    t->product = tsr_arena_take(a, n, sizeof *t->product);
    t->scaled = tsr_arena_take(a, n, sizeof *t->scaled);
    t->out =
        method->wants_outputs || loss->slope ? tsr_arena_take(a, values, sizeof *t->out) : NULL;
    t->target = loss->slope ? tsr_arena_take(a, values, sizeof *t->target) : NULL;
    t->tape_room = tape_room(engine, method, inner_steps, max_points);
    t->tapes = t->tape_room ? tsr_arena_take(a, t->tape_room, 1) : NULL;
}

/* ---- work between passes ----------------------------------------------------------------------
 */

/* What happens to the parameters, or numbers, [from, to) of task i at inner step k. */
typedef void (*slice_fn)(const struct tsr_carried *c, size_t i, size_t k, double weight,
                         size_t from, size_t to);

/* All `size` of them, of all tasks: by the one thread, or in slices by the team. */
static void by_slices(const struct tsr_carried *c, size_t size, slice_fn fn, size_t k,
                      double weight) {
    size_t slices = (size + SLICE - 1) / SLICE;
    if (c->thread != TSR_TEAM) {
        for (size_t i = 0; i < c->n; i++)
            fn(c, i, k, weight, 0, size);
        return;
    }
#pragma omp parallel for schedule(static) num_threads((int)c->engine->threads)
    for (size_t i = 0; i < c->n * slices; i++) {
        size_t from = i % slices * SLICE, to = from + SLICE;
        fn(c, i / slices, k, weight, from, to < size ? to : size);
    }
}

static bool is_whole(const struct tsr_carried *c) {
    return tsr_space_is_whole(&c->engine->space);
}

static const struct tsr_adaptation *adaptation_of(const struct tsr_carried *c) {
    return tsr_adaptation_of(&c->engine->space.choice);
}

static struct tsr_inner_loop loop_of(const struct tsr_carried *c) {
    static const struct tsr_choice sgd = {.object = &tsr_optimizer_sgd.object};
    return (struct tsr_inner_loop){.engine = c->engine,
                                   .optimizer = &sgd,
                                   .rates = c->rates,
                                   .inner_steps = c->inner_steps,
                                   .theta = c->theta,
                                   .basis = c->basis};
}

static tsr_real *phi_at(const struct tsr_trajectory *way, size_t k) {
    return way->phi + k * way->phi_stride;
}

static tsr_real *g_at(const struct tsr_trajectory *way, size_t k) {
    return way->g + k * way->g_stride;
}

static void scale_by_rates(const struct tsr_carried *c, size_t i, size_t k, double weight,
                           size_t from, size_t to) {
    const struct tsr_carried_task *t = &c->tasks[i];
    (void)weight;
    tsr_rates_apply_transposed(c->rates, k, c->ways[i].task->slot, from, to, t->v, t->scaled);
}

/* What the gradient of the rates needs of the numbers [from, to): -v g in place of g, or v. */
static void leave_rates(const struct tsr_carried *c, const struct tsr_carried_task *t, size_t k,
                        size_t from, size_t to, const tsr_real *v, tsr_real *g) {
    if (t->before) {
        memcpy(t->before + k * c->rates->n + from, v + from, (to - from) * sizeof *v);
        return;
    }
    for (size_t j = from; j < to; j++)
        g[j] *= -v[j];
}

static void rates_of_step(const struct tsr_carried *c, size_t i, size_t k, double weight,
                          size_t from, size_t to) {
    (void)weight;
    leave_rates(c, &c->tasks[i], k, from, to, c->tasks[i].v, g_at(&c->ways[i], k));
}

/* Inner step k of tasks whose numbers are not all parameters. */
struct turn {
    const struct tsr_carried *c;
    size_t k;
};

/* u = B^T v */
static struct tsr_mapping pull_of(const void *user, size_t i) {
    const struct turn *turn = user;
    const struct tsr_carried_task *t = &turn->c->tasks[i];
    return (struct tsr_mapping){turn->c->ways[i].task->slot, t->v, t->u};
}

/* scaled = B (alpha^T u) */
static struct tsr_mapping push_of(const void *user, size_t i) {
    const struct turn *turn = user;
    const struct tsr_carried_task *t = &turn->c->tasks[i];
    return (struct tsr_mapping){turn->c->ways[i].task->slot,
                                t->of_u + turn->k * turn->c->engine->space.n, t->scaled};
}

/* alpha^T u, alpha gz, and what the rates need. */
static void rates_of_numbers(const struct tsr_carried *c, size_t i, size_t k, double weight,
                             size_t from, size_t to) {
    const struct tsr_carried_task *t = &c->tasks[i];
    size_t n = c->engine->space.n, slot = c->ways[i].task->slot;
    tsr_real *gz = c->ways[i].gz + k * n;
    (void)weight;
    tsr_rates_apply_transposed(c->rates, k, slot, from, to, t->u, t->of_u + k * n);
    tsr_rates_apply(c->rates, k, slot, from, to, gz, t->of_gz + k * n);
    leave_rates(c, t, k, from, to, t->u, gz);
}

static void keep_v(const struct tsr_carried *c, size_t i, size_t k, double weight, size_t from,
                   size_t to) {
    const struct tsr_carried_task *t = &c->tasks[i];
    (void)weight;
    memcpy(t->of_v + k * c->engine->net.n_params + from, t->v + from, (to - from) * sizeof *t->v);
}

/* What the numbers of inner step k give: rates, and what the basis will need. */
static void turn_to_numbers(const struct tsr_carried *c, size_t k) {
    const struct tsr_inner_loop loop = loop_of(c);
    const struct turn turn = {c, k};
    tsr_inner_map(&loop, c->thread, adaptation_of(c)->pull, c->engine->space.n, c->n, pull_of,
                  &turn);
    by_slices(c, c->engine->space.n, rates_of_numbers, k, 0);
    if (c->engine->space.n_directions) by_slices(c, c->engine->net.n_params, keep_v, k, 0);
}

static void push_numbers(const struct tsr_carried *c, size_t k) {
    const struct tsr_inner_loop loop = loop_of(c);
    const struct turn turn = {c, k};
    tsr_inner_map(&loop, c->thread, adaptation_of(c)->push, c->engine->net.n_params, c->n, push_of,
                  &turn);
}

void tsr_carried_finish_basis(const struct tsr_carried_task *t, const struct tsr_engine *engine,
                              size_t inner_steps) {
    for (size_t i = 0; i < 2 * inner_steps * engine->space.n; i++)
        t->of_u[i] = -t->of_u[i];
}

/* Are the query points the context points, and the errors squared? Then their gradients differ by a
 * factor. */
static bool same_points(const struct tsr_carried *c, const struct tsr_task *task) {
    return !tsr_loss_of(c->loss)->slope && task->qry.x == task->ctx.x &&
           task->qry.y == task->ctx.y && task->qry.n == task->ctx.n;
}

/* v <- v - product + the query gradient at phi_k, which stands in `scaled` or follows from g_k. */
static void step_back(const struct tsr_carried *c, size_t i, size_t k, double weight, size_t from,
                      size_t to) {
    const struct tsr_task *task = c->ways[i].task;
    const struct tsr_carried_task *t = &c->tasks[i];
    const tsr_real *g = g_at(&c->ways[i], k), *query = same_points(c, task) ? g : t->scaled;
    tsr_real f = same_points(c, task) ? (tsr_real)(weight * task->qry_scale / task->ctx_scale) : 1;
    for (size_t j = from; j < to; j++)
        t->product[j] = t->v[j] - t->product[j];
    for (size_t j = from; weight != 0 && j < to; j++)
        t->product[j] += f * query[j];
    if (is_whole(c)) rates_of_step(c, i, k, weight, from, to);
    memcpy(t->v + from, t->product + from, (to - from) * sizeof *t->v);
}

static void displacement(const struct tsr_carried *c, size_t i, size_t k, double weight,
                         size_t from, size_t to) {
    const tsr_real *start = c->ways[i].phi, *end = phi_at(&c->ways[i], k);
    (void)weight;
    for (size_t j = from; j < to; j++)
        c->tasks[i].v[j] = start[j] - end[j];
}

/* ---- passes ---------------------------------------------------------------------------------- */

static void begin(const struct tsr_carried *c, const struct tsr_inner_loop *loop, size_t i,
                  struct tsr_forwards *forwards) {
    struct tsr_trajectory *way = &c->ways[i];
    const struct tsr_carried_task *t = &c->tasks[i];
    const tsr_real *from = c->theta + way->task->slot * c->engine->net.n_params;
    tsr_trajectory_start(loop, way, c->theta);
    size_t size = t->tapes ? place_tapes(way, c->engine, c->inner_steps, way->task->ctx.n) : 0;
    way->tape = size > 0 && size <= t->tape_room ? t->tapes : NULL;
    way->forward = forwards && c->inner_steps > 0
                       ? tsr_forwards_find(forwards, c->engine, c->thread, from, &way->task->ctx)
                       : NULL;
}

void tsr_carried_start(struct tsr_carried *c, struct tsr_forwards *forwards) {
    const struct tsr_inner_loop loop = loop_of(c);
    if (forwards) tsr_forwards_release(forwards);
    for (size_t i = 0; i < c->n; i++)
        begin(c, &loop, i, forwards);
    tsr_inner_run(&loop, c->thread, c->ways, c->n, 0, c->inner_steps, c->passes);
}

size_t tsr_carried_steps(const struct tsr_carried *c) {
    return c->inner_steps;
}

/* Query passes at phi_k: outputs, or the gradient to `v` or `scaled`. */
static void query_passes(struct tsr_carried *c, enum tsr_pass_kind kind, size_t k, double weight,
                         bool to_v) {
    for (size_t i = 0; i < c->n; i++) {
        struct tsr_carried_task *t = &c->tasks[i];
        const struct tsr_trajectory *way = &c->ways[i];
        bool moved = t->target && kind == TSR_PASS_GRADIENT;
        c->passes[i] = (struct tsr_pass){.kind = kind,
                                         .points = moved ? &t->moved : &way->task->qry,
                                         .scale = weight * way->task->qry_scale,
                                         .phi = phi_at(way, k),
                                         .result = to_v ? t->v : t->scaled,
                                         .out = kind == TSR_PASS_FORWARD ? t->out : NULL,
                                         .partial = way->partial};
    }
    tsr_pass_run(c->engine, c->thread, c->passes, c->n);
}

/* Targets y' with 2 (f - y') = rho'(f - y). */
static void move_targets(const struct tsr_carried *c, struct tsr_carried_task *t,
                         const struct tsr_points *qry) {
    for (size_t i = 0; i < qry->n * c->engine->net.out_dim; i++) {
        double f = (double)t->out[i],
               slope = tsr_loss_of(c->loss)->slope(c->loss, f - (double)qry->y[i]);
        t->target[i] = (tsr_real)(f - slope);
    }
    t->moved = (struct tsr_points){qry->x, t->target, qry->n};
}

static void keep_query_errors(struct tsr_carried *c) {
    for (size_t i = 0; i < c->n; i++)
        c->tasks[i].query_error = c->passes[i].error;
}

/* The gradient of the outer loss at phi_k, to `v` or `scaled`. */
static void query_gradient(struct tsr_carried *c, size_t k, double weight, bool to_v) {
    bool has_slope = tsr_loss_of(c->loss)->slope;
    query_passes(c, has_slope ? TSR_PASS_FORWARD : TSR_PASS_GRADIENT, k, weight, to_v);
    if (to_v) keep_query_errors(c);
    if (!has_slope) return;
    for (size_t i = 0; i < c->n; i++)
        move_targets(c, &c->tasks[i], &c->ways[i].task->qry);
    query_passes(c, TSR_PASS_GRADIENT, k, weight, to_v);
}

void tsr_carried_query(struct tsr_carried *c, double weight) {
    query_gradient(c, c->inner_steps, weight, true);
}

void tsr_carried_query_error(struct tsr_carried *c) {
    query_passes(c, TSR_PASS_FORWARD, c->inner_steps, 0, true);
    keep_query_errors(c);
}

void tsr_carried_rates(struct tsr_carried *c, size_t k) {
    if (is_whole(c))
        by_slices(c, c->engine->net.n_params, rates_of_step, k, 0);
    else
        turn_to_numbers(c, k);
}

void tsr_carried_back(struct tsr_carried *c, size_t k, double weight) {
    bool same = true;
    size_t n_params = c->engine->net.n_params;
    if (is_whole(c)) {
        by_slices(c, n_params, scale_by_rates, k, 0);
    } else {
        turn_to_numbers(c, k);
        push_numbers(c, k);
    }
    for (size_t i = 0; i < c->n; i++) {
        const struct tsr_carried_task *t = &c->tasks[i];
        const struct tsr_trajectory *way = &c->ways[i];
        const struct tsr_tape none = {NULL, NULL};
        same = same && same_points(c, way->task);
        c->passes[i] = (struct tsr_pass){.kind = TSR_PASS_HVP,
                                         .points = &way->task->ctx,
                                         .scale = way->task->ctx_scale,
                                         .phi = phi_at(way, k),
                                         .v = t->scaled,
                                         .result = t->product,
                                         .tape = way->tape ? tsr_trajectory_tape(way, k) : none,
                                         .partial = way->partial};
    }
    tsr_pass_run(c->engine, c->thread, c->passes, c->n);
    if (weight != 0 && !same) query_gradient(c, k, weight, false);
    by_slices(c, n_params, step_back, k, weight);
}

void tsr_carried_displacement(struct tsr_carried *c) {
    by_slices(c, c->engine->net.n_params, displacement, c->inner_steps, 0);
}
