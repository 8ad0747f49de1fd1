/* SPDX-License-Identifier: MIT */
#include "inner/inner_loop.h"

#include <string.h>

#include "inner/network.h"

/* Numbers that one thread of a team takes at a time. */
enum { PART = 4096, MAP_PART = 256 };
/* Regions that a thread carries together, unless they have more bytes than this. */
enum { TOGETHER = 4, CARRIED_BYTES = 16 << 20 };

struct tsr_tape tsr_trajectory_tape(const struct tsr_trajectory *t, size_t k) {
    struct tsr_tape tape = {0};
    if (t->tape) {
        tape.forward = t->tape + k * t->tape_stride;
        tape.backward = t->tape + k * t->tape_stride + t->tape_backward;
    }
    if (k == 0 && t->forward) tape.forward = t->forward;
    return tape;
}

void tsr_trajectory_layout(struct tsr_trajectory *t, const struct tsr_inner_loop *loop,
                           size_t max_points, bool team, struct tsr_arena *arena) {
    const struct tsr_net *net = &loop->engine->net;
    const struct tsr_space *space = &loop->engine->space;
    bool asks = !tsr_optimizer_of(loop->optimizer)->elementwise;
    size_t partial = tsr_pass_partial(loop->engine, max_points, team);
    size_t state = tsr_optimizer_state(loop->optimizer, space->n);
    *t = (struct tsr_trajectory){0};
    t->phi = tsr_arena_take(arena, net->n_params, sizeof *t->phi);
    t->g = tsr_arena_take(arena, net->n_params, sizeof *t->g);
    if (!tsr_space_is_whole(space)) {
        t->z = tsr_arena_take(arena, space->n, sizeof *t->z);
        t->gz = tsr_arena_take(arena, space->n, sizeof *t->gz);
        t->trial = asks ? tsr_arena_take(arena, 3 * net->n_params, sizeof *t->trial) : NULL;
    }
    t->out = tsr_arena_take(arena, max_points, net->out_dim * sizeof *t->out);
    t->partial = partial ? tsr_arena_take(arena, partial, sizeof *t->partial) : NULL;
    t->state = state ? tsr_arena_take(arena, state, 1) : NULL;
}

/* What one call works on: inner step k of these trajectories. */
struct work {
    const struct tsr_inner_loop *loop;
    size_t thread;
    struct tsr_trajectory *t;
    size_t n, k;
    struct tsr_pass *passes;
};

static tsr_real *phi_at(const struct tsr_trajectory *t, size_t k) {
    return t->phi + k * t->phi_stride;
}

static tsr_real *z_at(const struct tsr_trajectory *t, size_t k) {
    return t->z ? t->z + k * t->z_stride : phi_at(t, k);
}

static tsr_real *gz_at(const struct tsr_trajectory *t, size_t k) {
    return t->gz ? t->gz + k * t->gz_stride : t->g + k * t->g_stride;
}

/* ---- numbers and parameters --------------------------------------------------------------------
 */

struct tsr_chart tsr_inner_chart(const struct tsr_inner_loop *loop, size_t slot) {
    const struct tsr_engine *e = loop->engine;
    size_t n = e->net.n_params;
    return (struct tsr_chart){.space = &e->space,
                              .net = &e->net,
                              .kernel = e->kernel,
                              .theta = loop->theta + slot * n,
                              .basis = loop->basis ? loop->basis + slot * e->space.n_directions * n
                                                   : NULL};
}

static const struct tsr_adaptation *adaptation_of(const struct tsr_inner_loop *loop) {
    return tsr_adaptation_of(&loop->engine->space.choice);
}

void tsr_trajectory_start(const struct tsr_inner_loop *loop, struct tsr_trajectory *t,
                          const tsr_real *theta) {
    size_t n = loop->engine->net.n_params, slot = t->task->slot;
    memcpy(t->phi, theta + slot * n, n * sizeof *t->phi);
    if (!t->z) return;
    const struct tsr_chart chart = tsr_inner_chart(loop, slot);
    adaptation_of(loop)->start(&chart, t->z);
}

void tsr_trajectory_expand(const struct tsr_inner_loop *loop, const struct tsr_trajectory *t,
                           const tsr_real *z, tsr_real *phi) {
    if (!t->z) return;
    const struct tsr_chart chart = tsr_inner_chart(loop, t->task->slot);
    adaptation_of(loop)->expand(&chart, 1, &z, 0, loop->engine->net.n_params, &phi);
}

/* Some items' mappings of one slot, from item *i on, which is moved behind them. */
struct maps {
    size_t n, slot;
    const tsr_real *in[TSR_MAX_TOGETHER];
    tsr_real *out[TSR_MAX_TOGETHER];
};

static void gather(tsr_mapping_fn of, const void *user, size_t n, size_t *i, struct maps *maps) {
    for (maps->n = 0; *i < n && maps->n < TSR_MAX_TOGETHER; ++*i) {
        const struct tsr_mapping m = of(user, *i);
        if (!m.in) continue;
        if (maps->n > 0 && m.slot != maps->slot) return;
        maps->slot = m.slot;
        maps->in[maps->n] = m.in;
        maps->out[maps->n++] = m.out;
    }
}

void tsr_inner_map(const struct tsr_inner_loop *loop, size_t thread, tsr_map_fn map, size_t size,
                   size_t n, tsr_mapping_fn of, const void *user) {
    struct maps maps;
    for (size_t i = 0; i < n;) {
        gather(of, user, n, &i, &maps);
        if (maps.n == 0) return;
        const struct tsr_chart chart = tsr_inner_chart(loop, maps.slot);
        if (thread != TSR_TEAM) {
            map(&chart, maps.n, maps.in, 0, size, maps.out);
            continue;
        }
#pragma omp parallel for schedule(static) num_threads((int)loop->engine->threads)
        for (size_t from = 0; from < size; from += MAP_PART)
            map(&chart, maps.n, maps.in, from, from + MAP_PART < size ? from + MAP_PART : size,
                maps.out);
    }
}

size_t tsr_inner_together(const struct tsr_space *space, size_t bytes) {
    size_t most = bytes ? CARRIED_BYTES / bytes : TOGETHER;
    if (space->n_directions == 0) return 1;
    return most < 1 ? 1 : most < TOGETHER ? most : TOGETHER;
}

/* What is done to numbers or parameters [from, to) of a trajectory. */
typedef void (*part_fn)(const struct work *w, const struct tsr_trajectory *t, size_t from,
                        size_t to);

static bool takes_step(const struct work *w, const struct tsr_trajectory *t) {
    return !t->stopped && w->k < w->loop->inner_steps;
}

/* All `size` of them, of all trajectories that take the step: in parts, if a team shares them. */
static void for_parts(const struct work *w, size_t size, part_fn fn) {
    if (w->thread != TSR_TEAM) {
        for (size_t i = 0; i < w->n; i++)
            if (takes_step(w, &w->t[i])) fn(w, &w->t[i], 0, size);
        return;
    }
    size_t parts = (size + PART - 1) / PART;
#pragma omp parallel for schedule(static) num_threads((int)w->loop->engine->threads)
    for (size_t i = 0; i < w->n * parts; i++) {
        size_t from = i % parts * PART, to = from + PART < size ? from + PART : size;
        if (takes_step(w, &w->t[i / parts])) fn(w, &w->t[i / parts], from, to);
    }
}

/* Of a trajectory that takes the step: gradients, and the parameters that it leads to. */
static struct tsr_mapping pull_of(const void *user, size_t i) {
    const struct work *w = user;
    const struct tsr_trajectory *t = &w->t[i];
    if (!takes_step(w, t)) return (struct tsr_mapping){0};
    return (struct tsr_mapping){t->task->slot, t->g + w->k * t->g_stride, gz_at(t, w->k)};
}

static struct tsr_mapping expand_of(const void *user, size_t i) {
    const struct work *w = user;
    const struct tsr_trajectory *t = &w->t[i];
    if (!takes_step(w, t)) return (struct tsr_mapping){0};
    return (struct tsr_mapping){t->task->slot, z_at(t, w->k + 1), phi_at(t, w->k + 1)};
}

static void pull(const struct work *w) {
    tsr_inner_map(w->loop, w->thread, adaptation_of(w->loop)->pull, w->loop->engine->space.n, w->n,
                  pull_of, w);
}

static void expand(const struct work *w) {
    tsr_inner_map(w->loop, w->thread, adaptation_of(w->loop)->expand, w->loop->engine->net.n_params,
                  w->n, expand_of, w);
}

/* ---- the measure at phi_k -------------------------------------------------------------------- */

static bool is_measured(const struct tsr_trajectory *t) {
    return !t->stopped && !t->known;
}

/* Does the remembered forward pass hold at phi_k, but for the outputs? */
static bool forward_holds(const struct work *w, const struct tsr_trajectory *t) {
    const struct tsr_net *net = &w->loop->engine->net;
    return t->forward && (w->k == 0 || net->n_fixed + 1 == net->n_layers);
}

/* Loss and gradient; after the last inner step the loss alone. */
static struct tsr_pass measure_of(const struct work *w, const struct tsr_trajectory *t) {
    struct tsr_pass pass = {.points = &t->task->ctx,
                            .scale = t->task->ctx_scale,
                            .phi = phi_at(t, w->k),
                            .out = t->out,
                            .partial = t->partial};
    if (w->k == w->loop->inner_steps) {
        pass.kind = TSR_PASS_FORWARD;
        return pass;
    }
    pass.kind = forward_holds(w, t) ? TSR_PASS_BACKWARD : TSR_PASS_GRADIENT;
    pass.result = t->g + w->k * t->g_stride;
    pass.tape = tsr_trajectory_tape(t, w->k);
    if (forward_holds(w, t)) pass.tape.forward = t->forward;
    return pass;
}

static void measure(const struct work *w) {
    const struct tsr_inner_hooks *hooks = w->loop->hooks;
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++) {
        struct tsr_trajectory *t = &w->t[i];
        if (!is_measured(t)) continue;
        if (hooks && hooks->prepare) hooks->prepare(hooks->user, t, w->k);
        w->passes[n++] = measure_of(w, t);
    }
    tsr_pass_run(w->loop->engine, w->thread, w->passes, n);
    n = 0;
    for (size_t i = 0; i < w->n; i++) {
        if (!is_measured(&w->t[i])) continue;
        w->t[i].error = w->passes[n++].error;
        w->t[i].passes +=
            w->k == w->loop->inner_steps ? 1 : tsr_network_gradient_passes(&w->loop->engine->net);
    }
}

/* ---- asking and telling ---------------------------------------------------------------------- */

/* The optimiser's turn, for the numbers [from, to). */
static void ask(const struct work *w, const struct tsr_trajectory *t, size_t from, size_t to,
                struct tsr_request *request) {
    const struct tsr_inner_hooks *hooks = w->loop->hooks;
    const struct tsr_inner_state s = {
        .n = w->loop->engine->space.n,
        .choice = w->loop->optimizer,
        .rates = w->loop->rates,
        .slot = t->task->slot,
        .k = w->k,
        .from = from,
        .to = to,
        .factor = hooks && hooks->factor ? hooks->factor(hooks->user, w->k) : 1,
        .loss = t->task->ctx_scale * t->error,
        .phi = z_at(t, w->k),
        .g = gz_at(t, w->k),
        .next = z_at(t, w->k + 1),
        .state = t->state};
    tsr_optimizer_of(w->loop->optimizer)->next(&s, request);
}

static void ask_part(const struct work *w, const struct tsr_trajectory *t, size_t from, size_t to) {
    struct tsr_request accepts = {.want = TSR_WANT_NOTHING};
    ask(w, t, from, to, &accepts);
}

static void ask_all(const struct work *w, struct tsr_trajectory *t) {
    ask(w, t, 0, w->loop->engine->space.n, &t->request);
}

/* Shows a trajectory its measure. */
static void look(const struct work *w, struct tsr_trajectory *t) {
    const struct tsr_inner_hooks *hooks = w->loop->hooks;
    t->request = (struct tsr_request){.want = TSR_WANT_NOTHING};
    if (t->stopped) return;
    if (!t->known && hooks && hooks->look) t->stopped = hooks->look(hooks->user, t, w->k);
    t->known = false;
}

static void begin(const struct work *w, struct tsr_trajectory *t) {
    if (takes_step(w, t)) ask_all(w, t);
}

static const struct {
    enum tsr_pass_kind kind;
    double passes; /* forward passes that it is worth */
} answers[] = {
    [TSR_WANT_LOSS] = {TSR_PASS_FORWARD, 1},
    [TSR_WANT_GRADIENT] = {TSR_PASS_GRADIENT, 3},
    [TSR_WANT_HESSIAN] = {TSR_PASS_HVP, 6},
    [TSR_WANT_GAUSS_NEWTON] = {TSR_PASS_GAUSS_NEWTON, 4},
};

static bool is_product(enum tsr_want want) {
    return want == TSR_WANT_HESSIAN || want == TSR_WANT_GAUSS_NEWTON;
}

/* The request in parameters, in the room of `trial`, where the optimiser asks in numbers. */
static struct tsr_request in_parameters(const struct work *w, const struct tsr_trajectory *t) {
    struct tsr_request r = t->request;
    size_t n = w->loop->engine->net.n_params;
    if (!t->z) return r;
    const struct tsr_chart chart = tsr_inner_chart(w->loop, t->task->slot);
    if (r.at == z_at(t, w->k)) {
        r.at = phi_at(t, w->k);
    } else {
        adaptation_of(w->loop)->expand(&chart, 1, &r.at, 0, n, (tsr_real *[]){t->trial});
        r.at = t->trial;
    }
    if (is_product(r.want))
        adaptation_of(w->loop)->push(&chart, 1, &r.v, 0, n, (tsr_real *[]){t->trial + n});
    r.v = is_product(r.want) ? t->trial + n : NULL;
    r.result = t->trial + 2 * n;
    return r;
}

static struct tsr_pass answer_to(const struct work *w, const struct tsr_trajectory *t) {
    const struct tsr_request r = in_parameters(w, t);
    const struct tsr_tape no_tape = {NULL, NULL};
    bool taped = is_product(r.want) && r.at == phi_at(t, w->k) && t->tape;
    return (struct tsr_pass){.kind = answers[r.want].kind,
                             .points = &t->task->ctx,
                             .scale = t->task->ctx_scale,
                             .phi = r.at,
                             .v = r.v,
                             .result = r.want == TSR_WANT_LOSS ? NULL : r.result,
                             .out = r.want == TSR_WANT_LOSS ? t->out : NULL,
                             .tape = taped ? tsr_trajectory_tape(t, w->k) : no_tape,
                             .partial = t->partial};
}

/* Hands a gradient or product in parameters on in numbers. */
static void hand_on(const struct work *w, const struct tsr_trajectory *t) {
    if (!t->z || t->request.want == TSR_WANT_LOSS) return;
    const struct tsr_chart chart = tsr_inner_chart(w->loop, t->task->slot);
    size_t n = w->loop->engine->net.n_params;
    const tsr_real *found = t->trial + 2 * n;
    adaptation_of(w->loop)->pull(&chart, 1, &found, 0, chart.space->n,
                                 (tsr_real *[]){t->request.result});
}

/* Ways between numbers and parameters that an answer takes. */
static double maps_of(const struct work *w, const struct tsr_trajectory *t) {
    double there = t->request.at != z_at(t, w->k), back = t->request.want != TSR_WANT_LOSS;
    return there + is_product(t->request.want) + back;
}

/* Runs what is asked for; false: nothing is. */
static bool answer(const struct work *w) {
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++)
        if (w->t[i].request.want != TSR_WANT_NOTHING) w->passes[n++] = answer_to(w, &w->t[i]);
    if (n == 0) return false;
    tsr_pass_run(w->loop->engine, w->thread, w->passes, n);
    n = 0;
    for (size_t i = 0; i < w->n; i++) {
        struct tsr_trajectory *t = &w->t[i];
        if (t->request.want == TSR_WANT_NOTHING) continue;
        t->request.loss = t->task->ctx_scale * w->passes[n++].error;
        t->passes += answers[t->request.want].passes;
        t->maps += maps_of(w, t);
        hand_on(w, t);
    }
    return true;
}

/* ---- the run --------------------------------------------------------------------------------- */

static void ask_again(const struct work *w, struct tsr_trajectory *t) {
    if (t->request.want != TSR_WANT_NOTHING) ask_all(w, t);
}

/* A team shares this work, which is vectors of parameters and the caller's hooks, by trajectories.
 */
static void for_each(const struct work *w,
                     void (*f)(const struct work *, struct tsr_trajectory *)) {
    if (w->thread == TSR_TEAM && w->n > 1) {
#pragma omp parallel for schedule(static) num_threads((int)w->loop->engine->threads)
        for (size_t i = 0; i < w->n; i++)
            f(w, &w->t[i]);
        return;
    }
    for (size_t i = 0; i < w->n; i++)
        f(w, &w->t[i]);
}

static void step(const struct work *w) {
    for (size_t i = 0; i < w->n; i++)
        if (takes_step(w, &w->t[i])) w->t[i].maps += 2; /* g to gz, z to phi */
    if (tsr_optimizer_of(w->loop->optimizer)->elementwise) {
        for_parts(w, w->loop->engine->space.n, ask_part);
        return;
    }
    for_each(w, begin);
    while (answer(w))
        for_each(w, ask_again);
}

static bool all_stopped(const struct work *w) {
    for (size_t i = 0; i < w->n; i++)
        if (!w->t[i].stopped) return false;
    return true;
}

void tsr_inner_run(const struct tsr_inner_loop *loop, size_t thread,
                   struct tsr_trajectory *trajectories, size_t n, size_t first, size_t end,
                   struct tsr_pass *passes) {
    struct work w = {loop, thread, trajectories, n, first, passes};
    bool whole = tsr_space_is_whole(&loop->engine->space);
    for (; w.k < end && !all_stopped(&w); w.k++) {
        measure(&w);
        for_each(&w, look);
        if (!whole) pull(&w);
        step(&w);
        if (!whole) expand(&w);
    }
}
