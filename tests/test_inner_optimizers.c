/* SPDX-License-Identifier: MIT
 *
 * The form of optimisers serves more than gradient steps: one that accepts or rejects steps by
 * their loss, and Newton steps by conjugate gradients over Hessian-vector products, are defined
 * here and run through the driver; by one thread and by the team, cut into several calls, with
 * hooks.
 */
#include "tests/check.h"

#include "base/memory.h"
#include "inner/inner_loop.h"
#include "inner/network.h"

enum { TASKS = 3, POINTS = 41 };

/* ---- step acceptance: the gradient step halved until the loss falls ----------------------------
 */

/* What it keeps; the trial point follows. */
struct acceptance {
    double rate;
    size_t tries, accepted;
};

static tsr_real *trial_of(const struct tsr_inner_state *s) {
    return (tsr_real *)(void *)((char *)s->state + TSR_ALIGNMENT);
}

static size_t acceptance_size(size_t n_params) {
    return TSR_ALIGNMENT + n_params * sizeof(tsr_real);
}

static void acceptance_next(const struct tsr_inner_state *s, struct tsr_request *r) {
    struct acceptance *a = s->state;
    tsr_real *trial = trial_of(s);
    size_t n = s->n;
    if (r->want == TSR_WANT_NOTHING) {
        a->rate = a->rate > 0 ? 2 * a->rate : 1e6; /* much too large: it must come down */
    } else if (r->loss < s->loss || a->rate < 1e-12) {
        memcpy(s->next, r->loss < s->loss ? trial : s->phi, n * sizeof *trial);
        a->accepted++;
        r->want = TSR_WANT_NOTHING;
        return;
    } else {
        a->rate /= 2;
    }
    a->tries++;
    for (size_t i = 0; i < n; i++)
        trial[i] = s->phi[i] - (tsr_real)a->rate * s->g[i];
    r->want = TSR_WANT_LOSS;
    r->at = trial;
}

static const struct tsr_optimizer acceptance = {
    .object = {.name = "acceptance", .about = "halves what does not help"},
    .asks_loss = true,
    .state_size = acceptance_size,
    .next = acceptance_next,
};

/* ---- damped Newton: (H + damping) d = -g by conjugate gradients ---------------------------------
 */

enum { CG_STEPS = 60 };
static const double DAMPING = 0.1;

struct newton {
    size_t i;
    double rr; /* squared residual */
    double damping;
};

/* d, residual, direction, product, trial [n_params] each. */
static tsr_real *vector_of(const struct tsr_inner_state *s, size_t i) {
    return (tsr_real *)(void *)((char *)s->state + TSR_ALIGNMENT) + i * s->n;
}

static size_t newton_size(size_t n_params) {
    return TSR_ALIGNMENT + 5 * n_params * sizeof(tsr_real);
}

static double dot(const tsr_real *a, const tsr_real *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)a[i] * (double)b[i];
    return sum;
}

/* One step of conjugate gradients from the product H p. */
static void cg_step(const struct tsr_inner_state *s, struct newton *w) {
    size_t n = s->n;
    tsr_real *d = vector_of(s, 0), *r = vector_of(s, 1), *p = vector_of(s, 2),
             *hp = vector_of(s, 3);
    for (size_t i = 0; i < n; i++)
        hp[i] += (tsr_real)w->damping * p[i];
    double alpha = w->rr / dot(p, hp, n);
    for (size_t i = 0; i < n; i++) {
        d[i] += (tsr_real)alpha * p[i];
        r[i] -= (tsr_real)alpha * hp[i];
    }
    double rr = dot(r, r, n), beta = rr / w->rr;
    for (size_t i = 0; i < n; i++)
        p[i] = r[i] + (tsr_real)beta * p[i];
    w->rr = rr;
}

/* Conjugate gradients begin at d = 0. */
static void cg_begin(const struct tsr_inner_state *s, struct newton *w) {
    w->i = 0;
    w->rr = dot(s->g, s->g, s->n);
    for (size_t i = 0; i < s->n; i++) {
        vector_of(s, 0)[i] = 0;
        vector_of(s, 1)[i] = vector_of(s, 2)[i] = -s->g[i];
    }
}

static const struct tsr_optimizer gauss_newton;

/* The Gauss-Newton product in place of the Hessian's makes it Levenberg-Marquardt. */
static enum tsr_want product_of(const struct tsr_inner_state *s) {
    return s->choice->object == &gauss_newton.object ? TSR_WANT_GAUSS_NEWTON : TSR_WANT_HESSIAN;
}

/* The damping grows until the loss falls, and is tried smaller the next time. */
static void newton_next(const struct tsr_inner_state *s, struct tsr_request *r) {
    struct newton *w = s->state;
    size_t n = s->n;
    tsr_real *trial = vector_of(s, 4);
    if (r->want == TSR_WANT_NOTHING) {
        w->damping = w->damping > 0 ? w->damping / 4 : DAMPING;
        cg_begin(s, w);
    } else if (r->want == product_of(s)) {
        cg_step(s, w);
    } else if (r->loss < s->loss || w->damping > 1e6) { /* the gradient at the trial point */
        memcpy(s->next, r->loss < s->loss ? trial : s->phi, n * sizeof *trial);
        r->want = TSR_WANT_NOTHING;
        return;
    } else {
        w->damping *= 4;
        cg_begin(s, w);
    }
    if (w->i++ < CG_STEPS && w->rr > 1e-30) {
        *r = (struct tsr_request){product_of(s), s->phi, vector_of(s, 2), vector_of(s, 3), 0};
        return;
    }
    for (size_t i = 0; i < n; i++)
        trial[i] = s->phi[i] + vector_of(s, 0)[i];
    *r = (struct tsr_request){TSR_WANT_GRADIENT, trial, NULL, vector_of(s, 3), 0};
}

static const struct tsr_optimizer newton = {
    .object = {.name = "newton", .about = "damped Newton steps"},
    .state_size = newton_size,
    .next = newton_next,
};

static const struct tsr_optimizer gauss_newton = {
    .object = {.name = "gauss-newton", .about = "damped Gauss-Newton steps"},
    .state_size = newton_size,
    .next = newton_next,
};

/* ---- the runs
 * ------------------------------------------------------------------------------------ */

struct fixture {
    struct tsr_net net;
    struct tsr_engine engine;
    tsr_real x[POINTS * 2], y[TASKS][POINTS * 3];
    struct tsr_task task[TASKS];
    struct tsr_arena arena;
    struct tsr_trajectory t[TASKS];
    struct tsr_pass passes[TASKS];
    struct tsr_inner_loop loop;
    struct tsr_rates rates;
    tsr_real rate, theta[TASKS * 200];
};

/* What of the networks adapts, and by which rate; for all fixtures from now on. */
static const struct tsr_object *adapting = &tsr_adaptation_all.object;
static double start_rate = 1;

static void layout(struct fixture *f, struct tsr_arena *a) {
    for (size_t i = 0; i < TASKS; i++)
        tsr_trajectory_layout(&f->t[i], &f->loop, POINTS, true, a);
}

/* Each time the same: fixtures are compared. */
static void draw_same(tsr_real *x, size_t n, uint64_t which, double lo, double hi) {
    for (size_t i = 0; i < n; i++)
        x[i] = (tsr_real)(lo + (hi - lo) * tsr_random_uniform(9, TSR_STREAM_USER, which << 16 | i));
}

static void set_up(struct fixture *f, const struct tsr_choice *choice, size_t inner_steps) {
    struct tsr_network_config config;
    const struct tsr_kernel *kernel;
    struct tsr_arena measure = {0};
    memset(f, 0, sizeof *f);
    tsr_network_config_default(&config);
    config.width = 5;
    config.hidden_layers = 1;
    assert_true(tsr_choice_set(&config.kind, "omega_first", 2));
    assert_true(tsr_choice_set(&config.kind, "omega_hidden", 2));
    tsr_network_layout(&config, &f->net);
    MUST(tsr_kernel_find("reference", &kernel, err));
    MUST(tsr_engine_create(&f->net, kernel, 3, &f->engine, err));
    const struct tsr_choice adaptation = tsr_choice_of(adapting);
    tsr_engine_adapt(&f->engine, &adaptation);
    tsr_rates_layout(&f->rates, TSR_RATES_FIXED, 1, 1, &f->engine.space);
    f->rate = (tsr_real)start_rate;
    f->rates.value = &f->rate;
    f->loop = (struct tsr_inner_loop){.engine = &f->engine,
                                      .optimizer = choice,
                                      .rates = &f->rates,
                                      .inner_steps = inner_steps,
                                      .theta = f->theta};
    layout(f, &measure);
    MUST(tsr_arena_create(&f->arena, measure.used, "trajectories", err));
    layout(f, &f->arena);
    draw_same(f->x, POINTS * 2, TASKS, -1, 1);
    for (size_t i = 0; i < TASKS; i++) {
        draw_same(f->y[i], POINTS * 3, i, 0, 1);
        f->task[i].ctx = (struct tsr_points){f->x, f->y[i], POINTS - i};
        f->task[i].ctx_scale = 1.0 / (double)(3 * (POINTS - i));
        f->task[i].slot = i;
        f->t[i].task = &f->task[i];
        assert_true(f->net.n_params <= 200);
        tsr_network_randomize(&f->net, 5, i, f->theta + i * f->net.n_params);
        tsr_trajectory_start(&f->loop, &f->t[i], f->theta);
    }
}

static void tear_down(struct fixture *f) {
    tsr_engine_clear(&f->engine);
    tsr_arena_free(&f->arena);
}

/* Losses before each inner step and after the last [inner_steps + 1], of all tasks. */
static void run(const struct tsr_choice *choice, size_t inner_steps, size_t thread, size_t cut,
                double *loss, tsr_real *phi) {
    struct fixture f;
    set_up(&f, choice, inner_steps);
    for (size_t k = 0; k <= inner_steps; k += cut) {
        size_t end = k + cut < inner_steps + 1 ? k + cut : inner_steps + 1;
        tsr_inner_run(&f.loop, thread, f.t, TASKS, k, end, f.passes);
        for (size_t i = 0; i < TASKS; i++)
            if (end == k + 1) loss[i * (inner_steps + 1) + k] = f.t[i].error * f.task[i].ctx_scale;
    }
    for (size_t i = 0; i < TASKS; i++)
        memcpy(phi + i * f.net.n_params, f.t[i].phi, f.net.n_params * sizeof *phi);
    tear_down(&f);
}

static void same_for_any_way(const struct tsr_choice *choice, size_t inner_steps, double *loss) {
    enum { MOST = 1000 };
    static tsr_real phi[MOST], other[MOST];
    double other_loss[TASKS * 40];
    run(choice, inner_steps, 0, 1, loss, phi);
    run(choice, inner_steps, TSR_TEAM, 1, other_loss, other);
    ASSERT_SAME_BITS("team", other, phi, MOST);
    ASSERT_SAME_BITS("losses of the team", other_loss, loss, TASKS * (inner_steps + 1));
    run(choice, inner_steps, 2, inner_steps + 1, other_loss, other);
    ASSERT_SAME_BITS("in one call", other, phi, MOST);
    run(choice, inner_steps, TSR_TEAM, 4, other_loss, other);
    ASSERT_SAME_BITS("in several calls", other, phi, MOST);
}

static void accepted_steps_never_rise(void **state) {
    (void)state;
    enum { K = 20 };
    const struct tsr_choice choice = {.object = &acceptance.object};
    double loss[TASKS * (K + 1)];
    same_for_any_way(&choice, K, loss);
    for (size_t i = 0; i < TASKS; i++)
        for (size_t k = 0; k < K; k++)
            assert_true(loss[i * (K + 1) + k + 1] < loss[i * (K + 1) + k]);
}

/* The losses of a shipped optimiser, which never rise, whatever the rate. */
static void never_rise(const struct tsr_optimizer *optimizer, size_t inner_steps, double *loss) {
    const struct tsr_choice choice = tsr_choice_of(&optimizer->object);
    same_for_any_way(&choice, inner_steps, loss);
    for (size_t i = 0; i < TASKS; i++)
        for (size_t k = 0; k < inner_steps; k++)
            assert_true(loss[i * (inner_steps + 1) + k + 1] <= loss[i * (inner_steps + 1) + k]);
}

static void shipped_steps_never_rise(void **state) {
    (void)state;
    enum { K = 30 };
    static const double rates[] = {1e3, 1, 1e-3};
    double accept[TASKS * (K + 1)], lbfgs[TASKS * (K + 1)], lm[TASKS * (K + 1)];
    for (size_t i = 0; i < 3; i++) {
        start_rate = rates[i];
        never_rise(&tsr_optimizer_accept, K, accept);
        never_rise(&tsr_optimizer_lbfgs, K, lbfgs);
        never_rise(&tsr_optimizer_lm, K, lm);
        for (size_t t = 0; t < TASKS; t++) {
            const size_t last = t * (K + 1) + K;
            assert_true(accept[last] < accept[last - K] && lbfgs[last] < 0.8 * lbfgs[last - K]);
            assert_true(lbfgs[last] < accept[last]); /* curvature is worth something */
            assert_true(lm[last] < lbfgs[last]);     /* and that of least squares more */
        }
    }
    start_rate = 1;
}

/* The loss is quadratic in the last layer: L-BFGS finds its minimum, where the gradient vanishes.
 */
static void quadratics_are_solved(void **state) {
    (void)state;
    enum { K = 60 };
    const struct tsr_choice choice = tsr_choice_of(&tsr_optimizer_lbfgs.object);
    struct fixture f;
    adapting = &tsr_adaptation_last.object;
    set_up(&f, &choice, K);
    size_t n = f.engine.space.n;
    for (size_t i = 0; i < TASKS; i++) {
        double first = 0, last = 0;
        tsr_inner_run(&f.loop, 0, f.t + i, 1, 0, 1, f.passes);
        for (size_t j = 0; j < n; j++)
            first += (double)f.t[i].gz[j] * (double)f.t[i].gz[j];
        tsr_inner_run(&f.loop, 0, f.t + i, 1, 1, K, f.passes);
        for (size_t j = 0; j < n; j++)
            last += (double)f.t[i].gz[j] * (double)f.t[i].gz[j];
        assert_true(sqrt(last) < (sizeof(tsr_real) == 4 ? 1e-3 : 1e-5) * sqrt(first));
    }
    adapting = &tsr_adaptation_all.object;
    tear_down(&f);
}

/* Books: each inner step is worth a gradient and a forward pass per try. */
static void passes_are_counted(void **state) {
    (void)state;
    enum { K = 7 };
    const struct tsr_choice choice = {.object = &acceptance.object};
    struct fixture f;
    set_up(&f, &choice, K);
    tsr_inner_run(&f.loop, 0, f.t, TASKS, 0, K + 1, f.passes);
    for (size_t i = 0; i < TASKS; i++) {
        const struct acceptance *a = f.t[i].state;
        assert_int_equal(a->accepted, K);
        assert_true(a->tries > K);
        assert_true(f.t[i].passes == 3.0 * K + (double)a->tries + 1);
    }
    tear_down(&f);
}

/* Near a minimum of the quadratic model the gradient vanishes much faster than gradient steps could
 * make it. */
static void newton_steps_converge(void **state) {
    (void)state;
    enum { K = 12 };
    const struct tsr_choice choices[] = {{.object = &newton.object},
                                         {.object = &gauss_newton.object}};
    double loss[TASKS * (K + 1)], reached[2];
    for (size_t c = 0; c < 2; c++) {
        same_for_any_way(&choices[c], K, loss);
        reached[c] = loss[K];
        for (size_t i = 0; i < TASKS; i++) {
            const double *l = loss + i * (K + 1);
            for (size_t k = 0; k < K; k++)
                assert_true(l[k + 1] <= l[k]);
            assert_true(l[K] < l[0] / 2);
        }
    }
    assert_true(reached[0] != reached[1]); /* they are different products */
}

/* ---- hooks
 * --------------------------------------------------------------------------------------- */

struct hooked {
    struct fixture *f;
    size_t prepared[TASKS], looked[TASKS];
};

static void on_prepare(void *user, struct tsr_trajectory *t, size_t k) {
    struct hooked *h = user;
    size_t i = (size_t)(t - h->f->t);
    assert_int_equal(h->prepared[i], h->looked[i]);
    assert_int_equal(k, h->prepared[i]);
    h->prepared[i]++;
}

/* Task i stops at state 2 + i. */
static bool on_look(void *user, struct tsr_trajectory *t, size_t k) {
    struct hooked *h = user;
    size_t i = (size_t)(t - h->f->t);
    h->looked[i]++;
    return k == 2 + i;
}

static double on_factor(void *user, size_t k) {
    (void)user;
    return 1 / (double)(k + 1);
}

static void hooks_stop_and_slow(void **state) {
    (void)state;
    for (size_t team = 0; team < 2; team++) {
        struct fixture f;
        struct tsr_choice sgd = tsr_choice_of(&tsr_optimizer_sgd.object);
        struct hooked h = {.f = &f};
        const struct tsr_inner_hooks hooks = {on_prepare, on_look, on_factor, &h};
        struct tsr_rates rates;
        tsr_real rate = (tsr_real)0.25;
        set_up(&f, &sgd, 9);
        size_t n = f.net.n_params;
        tsr_rates_layout_all(&rates, TSR_RATES_FIXED, 1, 1, &f.net);
        rates.value = &rate;
        f.loop.rates = &rates;
        f.loop.hooks = &hooks;
        tsr_real *before = make(n, sizeof *before), *after = make(n, sizeof *after);
        double *want = make(n, sizeof *want);
        tsr_inner_run(&f.loop, team ? TSR_TEAM : 0, f.t, TASKS, 0, 1, f.passes);
        memcpy(before, f.t[0].phi, n * sizeof *before);
        tsr_inner_run(&f.loop, team ? TSR_TEAM : 0, f.t, TASKS, 1, 2, f.passes);
        for (size_t i = 0; i < n; i++)
            want[i] = (double)before[i] - 0.25 / 2 * (double)f.t[0].g[i];
        ASSERT_CLOSE("half the rate", f.t[0].phi, want, n, 1e-6);
        memcpy(after, f.t[0].phi, n * sizeof *after);
        tsr_inner_run(&f.loop, team ? TSR_TEAM : 0, f.t, TASKS, 2, 10, f.passes);
        ASSERT_SAME_BITS("stopped", f.t[0].phi, after, n);
        for (size_t i = 0; i < TASKS; i++) {
            assert_true(f.t[i].stopped);
            assert_int_equal(h.looked[i], 3 + i);
        }
        free(before);
        free(after);
        free(want);
        tear_down(&f);
    }
}

/* A gradient that the caller already has is not taken again. */
static void known_gradients_are_used(void **state) {
    (void)state;
    const struct tsr_choice adam = tsr_choice_of(&tsr_optimizer_adam.object);
    struct fixture a, b;
    set_up(&a, &adam, 5);
    set_up(&b, &adam, 5);
    tsr_inner_run(&a.loop, 0, a.t, 1, 0, 5, a.passes);
    struct tsr_pass pass = {.kind = TSR_PASS_GRADIENT,
                            .points = &b.task[0].ctx,
                            .scale = b.task[0].ctx_scale,
                            .phi = b.t[0].phi,
                            .result = b.t[0].g};
    tsr_pass_run(&b.engine, 0, &pass, 1);
    b.t[0].known = true;
    b.t[0].error = pass.error;
    tsr_inner_run(&b.loop, 0, b.t, 1, 0, 5, b.passes);
    ASSERT_SAME_BITS("known", b.t[0].phi, a.t[0].phi, a.net.n_params);
    assert_true(a.t[0].passes == 15 && b.t[0].passes == 12);
    tear_down(&a);
    tear_down(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted_steps_never_rise), cmocka_unit_test(passes_are_counted),
        cmocka_unit_test(newton_steps_converge),     cmocka_unit_test(hooks_stop_and_slow),
        cmocka_unit_test(known_gradients_are_used),  cmocka_unit_test(shipped_steps_never_rise),
        cmocka_unit_test(quadratics_are_solved),
    };
    return cmocka_run_group_tests_name("inner optimizers", tests, NULL, NULL);
}
