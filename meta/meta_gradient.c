/* SPDX-License-Identifier: MIT */
#include "meta/meta_gradient.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/names.h"

/* With fewer tasks than this for each thread, all threads work on the same tasks. */
enum { TASKS_PER_THREAD = 8 };
/* Tasks are summed in groups of consecutive tasks of one slot: about this many groups. */
enum { GROUPS = 128 };
/* Largest total of tapes a thread keeps, in bytes: what a share of the outer cache holds. */
enum { TAPE_LIMIT = 8 << 20 };

/* What a method does after the inner loop. */
static const struct {
    bool query_gradient, hessian;
} methods[] = {
    [TSR_METHOD_MAML] = {true, true},
    [TSR_METHOD_FOMAML] = {true, false},
    [TSR_METHOD_REPTILE] = {false, false},
};
static const char *const method_names[] = {"maml", "fomaml", "reptile"};
TSR_DEFINE_NAMES(tsr_method, tsr_method, method_names, "method")

double tsr_method_passes(enum tsr_method method, size_t inner_steps) {
    double k = (double)inner_steps;
    return 3 * k + (methods[method].query_gradient ? 3 : 0) + (methods[method].hessian ? 6 * k : 0);
}

/* What a task in flight needs besides its trajectory. */
struct flight {
    tsr_real *v, *product, *scaled; /* v; H (alpha v); alpha v. [n_params] each */
    tsr_real *out;                  /* Reptile: outputs at phi_K */
    unsigned char *tapes;           /* [tape_room] bytes, or NULL */
    size_t tape_room;
    double query_error;
};

/* Consecutive tasks of one slot, and the sum of their meta-gradients. */
struct group {
    size_t slot, first, n; /* a range of meta->order */
    tsr_real *d_theta;     /* [n_params] */
    tsr_real *d_rates;     /* [rates.n_steps, rates.n_units] */
};

struct tsr_meta {
    const struct tsr_engine *engine;
    enum tsr_method method;
    size_t inner_steps, slots, max_tasks, max_points;
    struct tsr_rates rates; /* extents */
    size_t n_flights;       /* one a thread, or as many as a team carries at once */
    struct flight *flights;
    struct tsr_trajectory *trajectories;
    struct tsr_pass *passes;
    struct tsr_forwards *forwards; /* [n_flights] of tasks carried alone */
    size_t max_groups, n_groups;
    struct group *groups;
    size_t *order;          /* [max_tasks] tasks sorted by slot */
    size_t *slot_first;     /* [slots + 1] range of each slot in order */
    struct tsr_arena arena; /* all vectors of parameters */
};

static size_t min_size(size_t a, size_t b) {
    return a < b ? a : b;
}

static bool runs_as_team(const struct tsr_engine *engine, size_t n_tasks) {
    return engine->threads > 1 && n_tasks <= GROUPS && n_tasks < TASKS_PER_THREAD * engine->threads;
}

static size_t aligned(size_t size) {
    return (size + TSR_ALIGNMENT - 1) / TSR_ALIGNMENT * TSR_ALIGNMENT;
}

/* Bytes that the tapes of a task of n points take; 0 if none are kept of so many. */
static size_t place_tapes(const struct tsr_meta *m, size_t n, struct tsr_trajectory *t) {
    const struct tsr_engine *e = m->engine;
    t->tape_stride = 0;
    if (!methods[m->method].hessian || !e->kernel->tape_size || tsr_pass_pieces(n) > 1) return 0;
    struct tsr_tape_size size = e->kernel->tape_size(&e->net, n);
    t->tape_backward = aligned(size.forward);
    t->tape_stride = aligned(t->tape_backward + size.backward);
    return t->tape_stride * m->inner_steps <= TAPE_LIMIT ? t->tape_stride * m->inner_steps : 0;
}

/* Room for the tapes of any task: where tasks of the largest size have none, smaller ones may, if
 * each thread carries its own. */
static size_t tape_room(const struct tsr_meta *m) {
    struct tsr_trajectory t;
    size_t room = place_tapes(m, m->max_points, &t);
    bool smaller = t.tape_stride == 0 && m->n_flights <= m->engine->threads;
    return smaller && methods[m->method].hessian && m->engine->kernel->tape_size ? TAPE_LIMIT
                                                                                 : room;
}

static void layout_flight(const struct tsr_meta *m, struct flight *f, struct tsr_trajectory *t,
                          struct tsr_arena *a) {
    const struct tsr_net *net = &m->engine->net;
    size_t k = m->inner_steps, n = net->n_params;
    size_t partial = tsr_pass_partial(m->engine, m->max_points, runs_as_team(m->engine, 1));
    size_t outputs = methods[m->method].query_gradient ? 0 : m->max_points * net->out_dim;
    *t = (struct tsr_trajectory){.phi_stride = n, .g_stride = n};
    t->phi = tsr_arena_take(a, (k + 1) * n, sizeof(tsr_real));
    t->g = tsr_arena_take(a, k * n, sizeof(tsr_real));
    f->tape_room = tape_room(m);
    f->tapes = f->tape_room ? tsr_arena_take(a, f->tape_room, 1) : NULL;
    t->partial = partial ? tsr_arena_take(a, partial, sizeof(tsr_real)) : NULL;
    f->v = tsr_arena_take(a, n, sizeof(tsr_real));
    f->product = tsr_arena_take(a, n, sizeof(tsr_real));
    f->scaled = tsr_arena_take(a, n, sizeof(tsr_real));
    f->out = outputs ? tsr_arena_take(a, outputs, sizeof(tsr_real)) : NULL;
}

static void layout(struct tsr_meta *m, struct tsr_arena *a) {
    for (size_t i = 0; i < m->n_flights; i++) {
        layout_flight(m, &m->flights[i], &m->trajectories[i], a);
        if (!runs_as_team(m->engine, m->max_tasks) && m->inner_steps > 0)
            tsr_forwards_layout(&m->forwards[i], m->engine, m->max_points, a);
    }
    for (size_t i = 0; i < m->max_groups; i++) {
        m->groups[i].d_theta = tsr_arena_take(a, m->engine->net.n_params, sizeof(tsr_real));
        m->groups[i].d_rates =
            tsr_arena_take(a, m->rates.n_steps * m->rates.n_units, sizeof(tsr_real));
    }
}

static enum tsr_status allocate(struct tsr_meta *m, struct tsr_error *err) {
    size_t threads = m->engine->threads;
    /* A team carries all tasks at once; should an outer step that usually has many be left with
     * few, it carries as many as there are threads. */
    m->n_flights =
        runs_as_team(m->engine, m->max_tasks) && m->max_tasks > threads ? m->max_tasks : threads;
    m->max_groups = min_size(m->max_tasks, GROUPS + m->slots);
    const char *what = "workspace of the meta-gradient";
    void *p;
    TSR_TRY(tsr_alloc(&p, m->n_flights, sizeof *m->flights, what, err));
    m->flights = p;
    TSR_TRY(tsr_alloc(&p, m->n_flights, sizeof *m->trajectories, what, err));
    m->trajectories = p;
    TSR_TRY(tsr_alloc(&p, m->n_flights, sizeof *m->passes, what, err));
    m->passes = p;
    TSR_TRY(tsr_alloc(&p, m->n_flights, sizeof *m->forwards, what, err));
    m->forwards = p;
    TSR_TRY(tsr_alloc(&p, m->max_groups, sizeof *m->groups, what, err));
    m->groups = p;
    TSR_TRY(tsr_alloc(&p, m->max_tasks, sizeof *m->order, what, err));
    m->order = p;
    TSR_TRY(tsr_alloc(&p, m->slots + 1, sizeof *m->slot_first, what, err));
    m->slot_first = p;
    struct tsr_arena measure = {0};
    layout(m, &measure);
    TSR_TRY(tsr_arena_create(&m->arena, measure.used, what, err));
    layout(m, &m->arena);
    return TSR_OK;
}

enum tsr_status tsr_meta_create(const struct tsr_engine *engine, enum tsr_method method,
                                size_t inner_steps, const struct tsr_rates *rates, size_t slots,
                                size_t max_tasks, size_t max_points, struct tsr_meta **out,
                                struct tsr_error *err) {
    void *p;
    *out = NULL;
    TSR_TRY(tsr_alloc(&p, 1, sizeof(struct tsr_meta), "workspace of the meta-gradient", err));
    struct tsr_meta *m = p;
    *m = (struct tsr_meta){.engine = engine,
                           .method = method,
                           .inner_steps = inner_steps,
                           .slots = slots,
                           .max_tasks = max_tasks,
                           .max_points = max_points,
                           .rates = *rates};
    m->rates.value = NULL;
    enum tsr_status status = allocate(m, err);
    if (status != TSR_OK) {
        tsr_meta_free(m);
        return status;
    }
    *out = m;
    return TSR_OK;
}

void tsr_meta_free(struct tsr_meta *meta) {
    if (!meta) return;
    tsr_arena_free(&meta->arena);
    free(meta->flights);
    free(meta->trajectories);
    free(meta->passes);
    free(meta->forwards);
    free(meta->groups);
    free(meta->order);
    free(meta->slot_first);
    free(meta);
}

/* One call's arguments. */
struct call {
    const tsr_real *theta;
    const struct tsr_rates *rates;
    const struct tsr_task *tasks;
    double *error;
};

/* Flights first .. first+n-1 of m, carried together: by one thread alone (n = 1) or by the team. */
struct formation {
    struct tsr_meta *m;
    const struct call *call;
    size_t thread; /* or TSR_TEAM */
    struct flight *flights;
    struct tsr_trajectory *t;
    struct tsr_pass *passes;
    size_t n;
};

static tsr_real *phi_at(const struct tsr_trajectory *t, size_t k) {
    return t->phi + k * t->phi_stride;
}

static void start(const struct formation *f) {
    const struct tsr_engine *engine = f->m->engine;
    size_t n_params = engine->net.n_params;
    for (size_t i = 0; i < f->n; i++) {
        struct tsr_trajectory *t = &f->t[i];
        const tsr_real *theta = f->call->theta + t->task->slot * n_params;
        memcpy(t->phi, theta, n_params * sizeof(tsr_real));
        size_t size = place_tapes(f->m, t->task->ctx.n, t);
        t->tape = size > 0 && size <= f->flights[i].tape_room ? f->flights[i].tapes : NULL;
        t->forward = f->thread == TSR_TEAM ? NULL
                                           : tsr_forwards_find(&f->m->forwards[f->thread], engine,
                                                               f->thread, theta, &t->task->ctx);
    }
}

/* Loss over the query points at phi_K and, for the methods that use it, its gradient v. */
static void query_pass(const struct formation *f) {
    bool gradient = methods[f->m->method].query_gradient;
    for (size_t i = 0; i < f->n; i++)
        f->passes[i] = (struct tsr_pass){.kind = gradient ? TSR_PASS_GRADIENT : TSR_PASS_FORWARD,
                                         .points = &f->t[i].task->qry,
                                         .scale = f->t[i].task->qry_scale,
                                         .phi = phi_at(&f->t[i], f->m->inner_steps),
                                         .result = f->flights[i].v,
                                         .out = f->flights[i].out,
                                         .partial = f->t[i].partial};
    tsr_pass_run(f->m->engine, f->thread, f->passes, f->n);
    for (size_t i = 0; i < f->n; i++)
        f->flights[i].query_error = f->passes[i].error;
}

/* g_k <- d/dalpha_k = -v * g_k */
static void rates_step(const struct formation *f, size_t k) {
    for (size_t i = 0; i < f->n; i++) {
        tsr_real *g = f->t[i].g + k * f->t[i].g_stride;
        const tsr_real *v = f->flights[i].v;
        for (size_t j = 0; j < f->m->engine->net.n_params; j++)
            g[j] *= -v[j];
    }
}

/* v <- v - H(phi_k) (alpha_k * v) */
static void hessian_step(const struct formation *f, size_t k) {
    const struct tsr_net *net = &f->m->engine->net;
    const struct tsr_tape no_tape = {NULL, NULL};
    for (size_t i = 0; i < f->n; i++) {
        const struct tsr_task *task = f->t[i].task;
        tsr_rates_apply(f->call->rates, net, k, task->slot, f->flights[i].v, f->flights[i].scaled);
        f->passes[i] =
            (struct tsr_pass){.kind = TSR_PASS_HVP,
                              .points = &task->ctx,
                              .scale = task->ctx_scale,
                              .phi = phi_at(&f->t[i], k),
                              .v = f->flights[i].scaled,
                              .result = f->flights[i].product,
                              .tape = f->t[i].tape ? tsr_trajectory_tape(&f->t[i], k) : no_tape,
                              .partial = f->t[i].partial};
    }
    tsr_pass_run(f->m->engine, f->thread, f->passes, f->n);
    for (size_t i = 0; i < f->n; i++)
        for (size_t j = 0; j < net->n_params; j++)
            f->flights[i].v[j] -= f->flights[i].product[j];
}

/* v = theta - phi_K */
static void reptile_direction(const struct formation *f) {
    for (size_t i = 0; i < f->n; i++) {
        const tsr_real *from = f->t[i].phi, *to = phi_at(&f->t[i], f->m->inner_steps);
        for (size_t j = 0; j < f->m->engine->net.n_params; j++)
            f->flights[i].v[j] = from[j] - to[j];
    }
}

/* Through the inner loop and back: leaves d/dtheta in v and d/dalpha_k in g_k. */
static void fly(const struct formation *f) {
    static const struct tsr_choice sgd = {.object = &tsr_optimizer_sgd.object};
    const struct tsr_inner_loop loop = {.engine = f->m->engine,
                                        .optimizer = &sgd,
                                        .rates = f->call->rates,
                                        .inner_steps = f->m->inner_steps};
    start(f);
    tsr_inner_run(&loop, f->thread, f->t, f->n, 0, f->m->inner_steps, f->passes);
    query_pass(f);
    if (!methods[f->m->method].query_gradient) {
        reptile_direction(f);
        return;
    }
    for (size_t k = f->m->inner_steps; k-- > 0;) {
        rates_step(f, k);
        if (methods[f->m->method].hessian) hessian_step(f, k);
    }
}

static bool all_finite(const tsr_real *x, size_t n) {
    tsr_real sum[8] = {0}; /* NaN and infinity survive the multiplication by zero and the sum */
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t k = 0; k < 8; k++)
            sum[k] += 0 * x[i + k];
    for (; i < n; i++)
        sum[0] += 0 * x[i];
    for (size_t k = 1; k < 8; k++)
        sum[0] += sum[k];
    return sum[0] == 0;
}

/* Adds the result of a flight to the sums of its group, and reports its error. */
static void land(const struct tsr_meta *m, const struct call *c, const struct group *group,
                 const struct flight *flight, const struct tsr_trajectory *t) {
    size_t n = m->engine->net.n_params;
    bool reptile = !methods[m->method].query_gradient;
    bool finite = isfinite(flight->query_error) && all_finite(flight->v, n);
    for (size_t k = 0; k < m->inner_steps; k++)
        finite = finite && (reptile || all_finite(t->g + k * t->g_stride, n));
    c->error[t->task - c->tasks] = finite ? flight->query_error : (double)NAN;
    tsr_real weight = reptile ? (tsr_real)(1.0 / (double)(m->slot_first[group->slot + 1] -
                                                          m->slot_first[group->slot]))
                              : 1;
    for (size_t j = 0; j < n; j++)
        group->d_theta[j] += weight * flight->v[j];
    for (size_t k = 0; !reptile && k < m->inner_steps; k++) {
        size_t step = k < m->rates.n_steps ? k : m->rates.n_steps - 1;
        tsr_rates_reduce(&m->rates, &m->engine->net, t->g + k * t->g_stride,
                         group->d_rates + step * m->rates.n_units);
    }
}

/* Sorts the tasks by slot, stably, and cuts them into groups. */
static void make_groups(struct tsr_meta *m, const struct tsr_task *tasks, size_t n_tasks) {
    size_t *first = m->slot_first, length = (n_tasks + GROUPS - 1) / GROUPS;
    memset(first, 0, (m->slots + 1) * sizeof *first);
    for (size_t i = 0; i < n_tasks; i++)
        first[tasks[i].slot + 1]++;
    for (size_t s = 0; s < m->slots; s++)
        first[s + 1] += first[s];
    for (size_t i = 0; i < n_tasks; i++)
        m->order[first[tasks[i].slot]++] = i;
    memmove(first + 1, first, m->slots * sizeof *first);
    first[0] = 0;
    m->n_groups = 0;
    for (size_t s = 0; s < m->slots; s++)
        for (size_t at = first[s]; at < first[s + 1]; at += length) {
            struct group *g = &m->groups[m->n_groups++];
            g->slot = s;
            g->first = at;
            g->n = min_size(length, first[s + 1] - at);
            memset(g->d_theta, 0, m->engine->net.n_params * sizeof *g->d_theta);
            memset(g->d_rates, 0, m->rates.n_steps * m->rates.n_units * sizeof *g->d_rates);
        }
}

static struct formation formation(struct tsr_meta *m, const struct call *c, size_t thread,
                                  size_t first, size_t n) {
    return (struct formation){
        m, c, thread, m->flights + first, m->trajectories + first, m->passes + first, n};
}

/* Each thread carries its tasks one after the other. */
static void run_alone(struct tsr_meta *m, const struct call *c) {
#pragma omp parallel for schedule(dynamic, 1) num_threads((int)m->engine->threads)
    for (size_t i = 0; i < m->n_groups; i++) {
        const struct group *g = &m->groups[i];
        struct formation f = formation(m, c, tsr_thread_number(), tsr_thread_number(), 1);
        for (size_t j = g->first; j < g->first + g->n; j++) {
            f.t->task = &c->tasks[m->order[j]];
            fly(&f);
            land(m, c, g, f.flights, f.t);
        }
    }
}

/* All threads carry all tasks together. Here every group is one task (n_tasks <= GROUPS). */
static void run_team(struct tsr_meta *m, const struct call *c) {
    for (size_t first = 0; first < m->n_groups; first += m->n_flights) {
        struct formation f =
            formation(m, c, TSR_TEAM, 0, min_size(m->n_flights, m->n_groups - first));
        for (size_t i = 0; i < f.n; i++)
            f.t[i].task = &c->tasks[m->order[m->groups[first + i].first]];
        fly(&f);
        for (size_t i = 0; i < f.n; i++)
            land(m, c, &m->groups[first + i], &f.flights[i], &f.t[i]);
    }
}

/* d_theta, d_rates = sums over the groups of each slot, in their order. */
static void sum_groups(const struct tsr_meta *m, const struct tsr_rates *rates, tsr_real *d_theta,
                       tsr_real *d_rates) {
    size_t n = m->engine->net.n_params, units = m->rates.n_units;
    memset(d_theta, 0, m->slots * n * sizeof *d_theta);
    memset(d_rates, 0, tsr_rates_count(&m->rates) * sizeof *d_rates);
    for (size_t i = 0; i < m->n_groups; i++) {
        const struct group *g = &m->groups[i];
        for (size_t j = 0; j < n; j++)
            d_theta[g->slot * n + j] += g->d_theta[j];
        for (size_t k = 0; k < m->rates.n_steps; k++) {
            tsr_real *to = d_rates + tsr_rates_at(rates, k, g->slot);
            for (size_t j = 0; j < units; j++)
                to[j] += g->d_rates[k * units + j];
        }
    }
}

void tsr_meta_gradient(struct tsr_meta *meta, const tsr_real *theta, const struct tsr_rates *rates,
                       const struct tsr_task *tasks, size_t n_tasks, tsr_real *d_theta,
                       tsr_real *d_rates, double *error) {
    assert(n_tasks <= meta->max_tasks);
    struct call c = {theta, rates, tasks, error};
    for (size_t i = 0; i < meta->n_flights; i++)
        tsr_forwards_forget(&meta->forwards[i]);
    make_groups(meta, tasks, n_tasks);
    if (runs_as_team(meta->engine, n_tasks))
        run_team(meta, &c);
    else
        run_alone(meta, &c);
    sum_groups(meta, rates, d_theta, d_rates);
}
