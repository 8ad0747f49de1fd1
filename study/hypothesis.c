/* SPDX-License-Identifier: MIT */
#include "study/hypothesis.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "inner/adam.h"
#include "inner/pass.h"
#include "study/step_function.h"

/* Points of the 1-D test set that are evaluated before its error so far is looked at. */
enum { CHUNK = 480 };

void tsr_hypothesis_default(size_t dim, struct tsr_hypothesis *h) {
    *h = (struct tsr_hypothesis){.dim = dim,
                                 .width = 32,
                                 .hidden_layers = 3,
                                 .omega_first = dim == 1 ? 10 : 30,
                                 .omega_hidden = 30,
                                 .points = dim == 1 ? 5000 : 256,
                                 .max_steps = 4000,
                                 .target = 0.05,
                                 .lr = 1e-3,
                                 .partition = 1};
}

size_t tsr_hypothesis_pieces(const struct tsr_hypothesis *h) {
    return h->dim == 1 ? h->partition : h->partition * h->partition;
}

static struct tsr_network_config network_of(const struct tsr_hypothesis *h) {
    struct tsr_network_config config = {.kind = tsr_choice_of(&tsr_kind_siren.object),
                                        .in_dim = h->dim,
                                        .out_dim = 1,
                                        .width = h->width,
                                        .hidden_layers = h->hidden_layers};
    (void)tsr_choice_set(&config.kind, "omega_first", h->omega_first);
    (void)tsr_choice_set(&config.kind, "omega_hidden", h->omega_hidden);
    return config;
}

void tsr_hypothesis_network(const struct tsr_hypothesis *h, struct tsr_net *net) {
    struct tsr_network_config config = network_of(h);
    size_t pieces = tsr_hypothesis_pieces(h);
    tsr_network_layout(&config, net);
    if (pieces == 1) return;
    config.width = tsr_network_width_for(&config, (double)net->n_params / (double)pieces);
    tsr_network_layout(&config, net);
}

enum tsr_status tsr_hypothesis_check(const struct tsr_hypothesis *h, struct tsr_error *err) {
    struct tsr_network_config config = network_of(h);
    if (h->dim != 1 && h->dim != 2)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "%zu dimensions; it must be 1 or 2", h->dim);
    TSR_TRY(tsr_network_config_check(&config, err));
    if (h->max_steps < 1)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "no steps allowed; it must be 1 or more");
    if (!(h->target > 0 && isfinite(h->target)))
        return TSR_ERROR(err, TSR_ERR_CONFIG, "the target is %g; it must be positive", h->target);
    if (!(h->lr > 0 && isfinite(h->lr)))
        return TSR_ERROR(err, TSR_ERR_CONFIG, "the rate is %g; it must be positive", h->lr);
    if (h->partition < 1 || h->partition > TSR_HYPOTHESIS_MAX_PARTITION)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "%zu pieces along a coordinate; it must be 1 to %d",
                         h->partition, TSR_HYPOTHESIS_MAX_PARTITION);
    if (h->points / 2 < h->partition || h->points > (h->dim == 1 ? 1u << 24 : 1u << 12))
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "%zu points along a coordinate; there must be 2 for each of %zu pieces, "
                         "and at most %u",
                         h->points, h->partition, h->dim == 1 ? 1u << 24 : 1u << 12);
    return TSR_OK;
}

/* ---- one piece ------------------------------------------------------------------------------- */

/* What one thread works with. */
struct bench {
    tsr_real *phi, *g, *m, *v; /* [n_params] */
    tsr_real *partial;         /* of passes over many points */
    tsr_real *x, *y;           /* training points, which in 2-D are also the test set */
    tsr_real *test_x, *test_y; /* 1-D: the test set */
    tsr_real *out;             /* 1-D: outputs of a chunk */
};

struct experiment {
    const struct tsr_hypothesis *h;
    const struct tsr_hypothesis_events *events;
    struct tsr_engine engine;
    struct tsr_arena arena;
    struct bench *benches; /* [threads] */
    size_t max_points;     /* of a piece */
    atomic_bool stopped;
};

/* A piece of the signal of one run. */
struct piece {
    const struct tsr_step_function *signal;
    uint64_t key;             /* seed of the run */
    size_t index;             /* among the pieces of the run, row by row */
    size_t at[2];             /* 0 .. partition - 1 along each coordinate */
    size_t from[2], count[2]; /* its part of the points along each coordinate */
    size_t n;                 /* points */
};

struct outcome {
    size_t steps;
    bool reached;
    double error; /* sum of the squared errors of the test set */
};

static struct piece make_piece(const struct tsr_hypothesis *h, const struct tsr_step_function *f,
                               uint64_t key, size_t index) {
    struct piece p = {.signal = f, .key = key, .index = index, .n = 1};
    for (size_t c = h->dim; c-- > 0; index /= h->partition) {
        p.at[c] = index % h->partition;
        p.from[c] = h->points * p.at[c] / h->partition;
        p.count[c] = h->points * (p.at[c] + 1) / h->partition - p.from[c];
        p.n *= p.count[c];
    }
    return p;
}

/* Weights and biases as torch.nn.Linear and the SIREN of the paper's code leave them: that is
 * tsr_network_randomize() but for the last bias. */
static void init_network(const struct tsr_net *net, const struct piece *p, tsr_real *phi) {
    size_t last = net->n_layers - 1, at = net->bias_at[last];
    tsr_network_randomize(net, p->key, p->index, phi);
    double u = tsr_random_uniform(p->key, (uint64_t)p->index << 32 | TSR_STREAM_INIT, at);
    phi[at] = (tsr_real)((2 * u - 1) / sqrt((double)net->fan_in[last]));
}

/* 1-D: the point t of the piece, 0 <= t < 1. */
static void set_point(const struct tsr_hypothesis *h, const struct piece *p, double t, tsr_real *x,
                      tsr_real *y) {
    *x = (tsr_real)(2 * t - 1);
    *y = (tsr_real)tsr_step_sign(p->signal, 0,
                                 2 * ((double)p->at[0] + t) / (double)h->partition - 1);
}

static void draw_points(const struct tsr_hypothesis *h, const struct piece *p, size_t step,
                        struct bench *b) {
    uint64_t stream = (uint64_t)p->index << 32 | TSR_STREAM_POINTS;
    for (size_t i = 0; i < p->n; i++)
        set_point(h, p, tsr_random_uniform(p->key, stream, step * p->n + i), &b->x[i], &b->y[i]);
}

static size_t chunks_of(size_t n) {
    return n < CHUNK ? 1 : n / CHUNK;
}

/* The regular grid, in an order in which every chunk spans the whole piece. */
static void make_test_line(const struct tsr_hypothesis *h, const struct piece *p, struct bench *b) {
    size_t chunks = chunks_of(p->n), to = 0;
    for (size_t c = 0; c < chunks; c++)
        for (size_t i = c; i < p->n; i += chunks, to++)
            set_point(h, p, (double)i / (double)p->n, &b->test_x[to], &b->test_y[to]);
}

static void make_grid(const struct tsr_hypothesis *h, const struct piece *p, struct bench *b) {
    double scale = 2 / (double)(h->points - 1);
    double across[2] = {2 / (double)(p->count[0] - 1), 2 / (double)(p->count[1] - 1)};
    for (size_t r = 0, i = 0; r < p->count[0]; r++) {
        int sign = tsr_step_sign(p->signal, 0, scale * (double)(p->from[0] + r) - 1);
        for (size_t c = 0; c < p->count[1]; c++, i++) {
            double x = scale * (double)(p->from[1] + c) - 1;
            b->x[2 * i] = (tsr_real)(across[0] * (double)r - 1);
            b->x[2 * i + 1] = (tsr_real)(across[1] * (double)c - 1);
            b->y[i] = (tsr_real)(sign * tsr_step_sign(p->signal, 1, x));
        }
    }
}

/* The gradient of the loss over the training points into b->g; the sum of squared errors. */
static double gradient(struct experiment *e, size_t thread, const struct piece *p) {
    struct bench *b = &e->benches[thread];
    struct tsr_points points = {.x = b->x, .y = b->y, .n = p->n};
    struct tsr_pass pass = {.kind = TSR_PASS_GRADIENT,
                            .points = &points,
                            .scale = 1 / (double)p->n,
                            .phi = b->phi,
                            .result = b->g,
                            .partial = b->partial};
    tsr_pass_run(&e->engine, thread, &pass, 1);
    return pass.error;
}

static bool below_target(const struct experiment *e, const struct piece *p, double error) {
    return error / (double)p->n < e->h->target; /* false for NaN */
}

/* Sum of squared errors over the test line. Unless `all`, it ends where the sum is too large for
 * the target: far from it one chunk tells, and what is told is the same. */
static double test_line(struct experiment *e, size_t thread, const struct piece *p, bool all) {
    struct bench *b = &e->benches[thread];
    size_t chunks = chunks_of(p->n), at = 0;
    double error = 0;
    for (size_t c = 0; c < chunks && (all || below_target(e, p, error)); c++) {
        struct tsr_points points = {
            .x = b->test_x + at, .y = b->test_y + at, .n = (p->n - c - 1) / chunks + 1};
        struct tsr_pass pass = {
            .kind = TSR_PASS_FORWARD, .points = &points, .phi = b->phi, .out = b->out};
        tsr_pass_run(&e->engine, thread, &pass, 1);
        error += pass.error;
        at += points.n;
    }
    return error;
}

static bool go_on(struct experiment *e) {
    if (e->events->step && !e->events->step(e->events->user)) atomic_store(&e->stopped, true);
    return !atomic_load(&e->stopped);
}

/* In 2-D the gradient of the next step comes with the error of the test set. */
static struct outcome fit_piece(struct experiment *e, size_t thread, const struct piece *p) {
    const struct tsr_hypothesis *h = e->h;
    const struct tsr_net *net = &e->engine.net;
    struct bench *b = &e->benches[thread];
    struct tsr_adam adam = {.lr = h->lr, .beta1 = 0.9, .beta2 = 0.999};
    struct outcome o = {0};
    init_network(net, p, b->phi);
    memset(b->m, 0, net->n_params * sizeof *b->m);
    memset(b->v, 0, net->n_params * sizeof *b->v);
    if (h->dim == 1) {
        make_test_line(h, p, b);
    } else {
        make_grid(h, p, b);
        (void)gradient(e, thread, p);
    }
    do {
        if (h->dim == 1) {
            draw_points(h, p, o.steps, b);
            (void)gradient(e, thread, p);
        }
        adam.t = ++o.steps;
        tsr_adam_update(&adam, 1, net->n_params, b->g, b->phi, b->m, b->v);
        o.error =
            h->dim == 1 ? test_line(e, thread, p, o.steps == h->max_steps) : gradient(e, thread, p);
        o.reached = below_target(e, p, o.error);
    } while (go_on(e) && !o.reached && o.steps < h->max_steps);
    return o;
}

/* ---- runs ------------------------------------------------------------------------------------ */

static enum tsr_status make_run(struct experiment *e, size_t thread, struct tsr_hypothesis_run *run,
                                struct tsr_error *err) {
    const struct tsr_hypothesis *h = e->h;
    struct tsr_step_function signal;
    double start = tsr_seconds(), error = 0;
    uint64_t key = tsr_random_u64(h->seed, (uint64_t)run->n << 32 | TSR_STREAM_RUN, run->index);
    size_t n_points = 0;
    TSR_TRY(tsr_step_function_create(h->dim, run->n, key, &signal, err));
    run->steps = run->censored = 0;
    for (size_t i = 0; i < tsr_hypothesis_pieces(h) && !atomic_load(&e->stopped); i++) {
        struct piece p = make_piece(h, &signal, key, i);
        struct outcome o = fit_piece(e, thread, &p);
        run->steps += o.steps;
        run->censored += !o.reached;
        if (run->piece_steps) run->piece_steps[i] = o.steps;
        error += o.error;
        n_points += p.n;
    }
    run->mse = error / (double)n_points;
    run->seconds = tsr_seconds() - start;
    run->done = !atomic_load(&e->stopped);
    tsr_step_function_clear(&signal);
    return TSR_OK;
}

static void layout(struct experiment *e, struct tsr_arena *a) {
    size_t params = e->engine.net.n_params, n = e->max_points, size = sizeof(tsr_real);
    size_t partial = tsr_pass_partial(&e->engine, n, false);
    size_t tests = e->h->dim == 1 ? n : 0;
    for (size_t i = 0; i < e->engine.threads; i++) {
        struct bench b = {.phi = tsr_arena_take(a, params, size),
                          .g = tsr_arena_take(a, params, size),
                          .m = tsr_arena_take(a, params, size),
                          .v = tsr_arena_take(a, params, size),
                          .partial = tsr_arena_take(a, partial, size),
                          .x = tsr_arena_take(a, n * e->h->dim, size),
                          .y = tsr_arena_take(a, n, size),
                          .test_x = tsr_arena_take(a, tests, size),
                          .test_y = tsr_arena_take(a, tests, size),
                          .out = tsr_arena_take(a, tests, size)};
        e->benches[i] = b;
    }
}

/* Most boundaries first: the longest runs must not begin last. */
static int by_boundaries(const void *a, const void *b) {
    const struct tsr_hypothesis_run *x = *(struct tsr_hypothesis_run *const *)a;
    const struct tsr_hypothesis_run *y = *(struct tsr_hypothesis_run *const *)b;
    if (x->n != y->n) return x->n < y->n ? 1 : -1;
    return (x > y) - (x < y);
}

static enum tsr_status run_all(struct experiment *e, struct tsr_hypothesis_run **order,
                               size_t n_runs, struct tsr_error *err) {
    enum tsr_status status = TSR_OK;
#pragma omp parallel for schedule(dynamic, 1) num_threads((int)e->engine.threads)
    for (size_t i = 0; i < n_runs; i++) {
        struct tsr_error own = {0};
        if (atomic_load(&e->stopped)) continue;
        enum tsr_status result = make_run(e, tsr_thread_number(), order[i], &own);
#pragma omp critical(tsr_hypothesis_done)
        {
            if (result != TSR_OK && status == TSR_OK) {
                status = result;
                if (err) *err = own;
                atomic_store(&e->stopped, true);
            }
            if (order[i]->done && e->events->done) e->events->done(e->events->user, order[i]);
        }
    }
    if (status == TSR_OK && atomic_load(&e->stopped))
        return TSR_ERROR(err, TSR_ERR_INTERRUPTED, "interrupted");
    return status;
}

enum tsr_status tsr_hypothesis_run(const struct tsr_hypothesis *h, const struct tsr_kernel *kernel,
                                   size_t threads, struct tsr_hypothesis_run *runs, size_t n_runs,
                                   const struct tsr_hypothesis_events *events,
                                   struct tsr_error *err) {
    static const struct tsr_hypothesis_events no_events;
    struct experiment e = {.h = h, .events = events ? events : &no_events};
    struct tsr_hypothesis_run **order = NULL;
    struct tsr_net net;
    enum tsr_status status;
    atomic_init(&e.stopped, false);
    TSR_TRY(tsr_hypothesis_check(h, err));
    tsr_hypothesis_network(h, &net);
    size_t side = (h->points - 1) / h->partition + 1;
    e.max_points = h->dim == 1 ? side : side * side;
    threads = tsr_thread_count(threads);
    if (threads > n_runs) threads = n_runs ? n_runs : 1;
    TSR_CHECK(tsr_engine_create(&net, kernel, threads, &e.engine, err));
    TSR_CHECK(TSR_ALLOC(&order, n_runs, "runs", err));
    for (size_t i = 0; i < n_runs; i++) {
        runs[i].done = false;
        order[i] = &runs[i];
    }
    qsort(order, n_runs, sizeof *order, by_boundaries);
    TSR_CHECK(TSR_ALLOC(&e.benches, e.engine.threads, "runs", err));
    layout(&e, &e.arena);
    TSR_CHECK(tsr_arena_create(&e.arena, e.arena.used, "points of the runs", err));
    layout(&e, &e.arena);
    TSR_CHECK(run_all(&e, order, n_runs, err));
done:
    tsr_arena_free(&e.arena);
    free(e.benches);
    free(order);
    tsr_engine_clear(&e.engine);
    return status;
}
