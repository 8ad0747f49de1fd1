/* SPDX-License-Identifier: MIT
 *
 * The exact meta-gradient against central differences of the query loss after adaptation, in every
 * coordinate of theta and of the rates. The loss is computed here, by the reference kernel and
 * plain loops. In float the differences are coarse; they still tell the orders and the signs
 * apart.
 */
#include "tests/check.h"
#include "tests/test_kinds.h"

#include "base/memory.h"
#include "inner/network.h"
#include "meta/meta_gradient.h"

enum { SLOTS = 3, TASKS = 5, CTX = 11, QRY = 7 };
#define ANNEAL 0.5
#define REST 0.1

#ifdef TSR_REAL_DOUBLE
#define STEP 1e-4
#define TOLERANCE 2e-9
#else
#define STEP 7e-3
#define TOLERANCE 1e-2
#endif

struct fixture {
    struct tsr_net net;
    struct tsr_engine engine;
    struct tsr_rates rates;
    size_t steps;
    double progress; /* of the run */
    bool multi_step; /* the outer loss is that of the method multi-step */
    tsr_real *theta; /* [SLOTS, n_params] */
    tsr_real x[TASKS][(CTX + QRY) * 2], y[TASKS][(CTX + QRY) * 2];
    struct tsr_task task[TASKS];
    struct tsr_arena scratch;
};

/* Tasks of different sizes in mixed order of slots; slot 1 has none. Context and query differ. */
static void make_tasks(struct fixture *f) {
    static const size_t slot[TASKS] = {2, 0, 2, 0, 0};
    for (size_t i = 0; i < TASKS; i++) {
        draw_all(f->x[i], (CTX + QRY) * 2, -1, 1);
        draw_all(f->y[i], (CTX + QRY) * 2, 0, 1);
        struct tsr_points ctx = {f->x[i], f->y[i], CTX - i};
        struct tsr_points qry = {f->x[i] + CTX * 2, f->y[i] + CTX * 2, QRY - i};
        f->task[i] = (struct tsr_task){.ctx = ctx,
                                       .qry = qry,
                                       .ctx_scale = 1.0 / (double)(ctx.n * 2),
                                       .qry_scale = 0.3 / (double)(qry.n * 2),
                                       .slot = slot[i]};
    }
}

static void set_up(struct fixture *f, enum tsr_rates_kind kind, size_t steps) {
    struct tsr_network_config config = {.kind = siren(3, 2),
                                        .in_dim = 2,
                                        .out_dim = 2,
                                        .width = 4,
                                        .hidden_layers = 1,
                                        .output_offset = 0.5};
    const struct tsr_kernel *kernel;
    memset(f, 0, sizeof *f);
    f->steps = steps;
    tsr_network_layout(&config, &f->net);
    MUST(tsr_kernel_find("reference", &kernel, err));
    MUST(tsr_engine_create(&f->net, kernel, 1, &f->engine, err));
    MUST(tsr_arena_create(&f->scratch, kernel->workspace_size(&f->net), "scratch", err));
    tsr_rates_layout_all(&f->rates, kind, steps, SLOTS, &f->net);
    f->rates.value = make(tsr_rates_count(&f->rates), sizeof(tsr_real));
    draw_all(f->rates.value, tsr_rates_count(&f->rates), 0.05, 0.15);
    f->theta = make(SLOTS * f->net.n_params, sizeof(tsr_real));
    draw_all(f->theta, SLOTS * f->net.n_params, -0.8, 0.8);
    make_tasks(f);
}

static void tear_down(struct fixture *f) {
    tsr_engine_clear(&f->engine);
    tsr_arena_free(&f->scratch);
    free(f->rates.value);
    free(f->theta);
}

static size_t unit_of(const struct fixture *f, size_t parameter) {
    size_t layer = 0;
    if (f->rates.n_units == f->net.n_params) return parameter;
    while (layer + 1 < f->net.n_layers && parameter >= f->net.weight_at[layer + 1])
        layer++;
    return f->rates.n_units == f->net.n_layers ? layer : 0;
}

static double kernel_gradient(struct fixture *f, const tsr_real *phi,
                              const struct tsr_points *points, double scale, tsr_real *g) {
    memset(g, 0, f->net.n_params * sizeof *g);
    return f->engine.kernel->gradient(&f->net, phi, points, scale, g, NULL, NULL, f->scratch.base);
}

/* The weight of inner step k (0 .. K) in the outer loss. */
static double weight_of(const struct fixture *f, size_t k) {
    double n = (double)f->steps;
    if (!f->multi_step || f->steps == 0) return k == f->steps;
    if (k == 0) return 0;
    double left = 1 - f->progress / ANNEAL, early = (left > REST ? left : REST) / n;
    return k < f->steps ? early : 1 - (n - 1) * early;
}

/* Weighted sum over the inner steps of the squared error over the query points; *last: after the
 * last. */
static double query_loss(struct fixture *f, const struct tsr_task *task, double *last) {
    const struct tsr_rates *r = &f->rates;
    size_t n = f->net.n_params;
    double sum = 0;
    tsr_real phi[128], g[128];
    assert_true(n <= 128);
    memcpy(phi, f->theta + task->slot * n, n * sizeof *phi);
    for (size_t k = 0;; k++) {
        size_t step = r->n_steps > 1 ? k : 0, slot = r->n_slots > 1 ? task->slot : 0;
        *last = kernel_gradient(f, phi, &task->qry, 1, g);
        sum += weight_of(f, k) * *last;
        if (k == f->steps) return sum;
        (void)kernel_gradient(f, phi, &task->ctx, task->ctx_scale, g);
        for (size_t i = 0; i < n; i++)
            phi[i] -= r->value[(step * r->n_slots + slot) * r->n_units + unit_of(f, i)] * g[i];
    }
}

/* Squared error over the query points of a task after adaptation. */
static double query_error(struct fixture *f, const struct tsr_task *task) {
    double last;
    (void)query_loss(f, task, &last);
    return last;
}

static double outer_loss(struct fixture *f) {
    double sum = 0, last;
    for (size_t i = 0; i < TASKS; i++)
        sum += f->task[i].qry_scale * query_loss(f, &f->task[i], &last);
    return sum;
}

/* (loss at x + h - loss at x - h) / 2h in the coordinate *x. */
static double central(struct fixture *f, tsr_real *x, double h) {
    tsr_real at = *x, up = at + (tsr_real)h, down = at - (tsr_real)h;
    *x = up;
    double above = outer_loss(f);
    *x = down;
    double below = outer_loss(f);
    *x = at;
    return (above - below) / ((double)up - (double)down);
}

/* Derivatives of the outer loss in every coordinate of x [n], which it depends on: two differences
 * whose errors of second order cancel. */
static void differences(struct fixture *f, tsr_real *x, size_t n, double *out) {
    for (size_t i = 0; i < n; i++)
        out[i] = (4 * central(f, x + i, STEP) - central(f, x + i, 2 * STEP)) / 3;
}

static void meta_gradient(struct fixture *f, const struct tsr_object *method, tsr_real *d_theta,
                          tsr_real *d_rates) {
    struct tsr_meta_workspace *meta;
    double error[TASKS];
    struct tsr_choice choice = tsr_choice_of(method);
    if (method == &tsr_method_multi_step.object) {
        assert_true(tsr_choice_set(&choice, "anneal", ANNEAL));
        assert_true(tsr_choice_set(&choice, "rest", REST));
    }
    MUST(tsr_meta_workspace_create(&f->engine, &choice, NULL, f->steps, &f->rates, SLOTS, TASKS,
                                   CTX, NULL, &meta, err));
    /* overwritten, not added to */
    draw_all(d_theta, SLOTS * f->net.n_params, -1, 1);
    draw_all(d_rates, tsr_rates_count(&f->rates), -1, 1);
    const struct tsr_meta_point at = {f->theta, NULL, &f->rates, f->progress};
    MUST(tsr_meta_gradient(meta, &at, f->task, TASKS, d_theta, NULL, d_rates, error, err));
    for (size_t i = 0; i < TASKS; i++) {
        double want = query_error(f, &f->task[i]);
        if (method != &tsr_method_reptile.object) assert_true(fabs(error[i] - want) <= 1e-5 * want);
    }
    tsr_meta_workspace_free(meta);
}

struct comparison {
    size_t n_theta, n_rates;
    tsr_real *d_theta, *d_rates;
    double *theta, *rates; /* differences */
};

static struct comparison compare(struct fixture *f, const struct tsr_object *method) {
    struct comparison c = {.n_theta = SLOTS * f->net.n_params,
                           .n_rates = tsr_rates_count(&f->rates)};
    c.d_theta = make(c.n_theta, sizeof *c.d_theta);
    c.d_rates = make(c.n_rates, sizeof *c.d_rates);
    c.theta = make(c.n_theta, sizeof *c.theta);
    c.rates = make(c.n_rates, sizeof *c.rates);
    meta_gradient(f, method, c.d_theta, c.d_rates);
    differences(f, f->theta, c.n_theta, c.theta);
    differences(f, f->rates.value, c.n_rates, c.rates);
    return c;
}

static void clear(struct comparison *c) {
    free(c->d_theta);
    free(c->d_rates);
    free(c->theta);
    free(c->rates);
}

static void check_exact(size_t steps) {
    for (int kind = 0; kind < 5; kind++) {
        struct fixture f;
        set_up(&f, (enum tsr_rates_kind)kind, steps);
        struct comparison c = compare(&f, &tsr_method_maml.object);
        ASSERT_CLOSE("d theta", c.d_theta, c.theta, c.n_theta, TOLERANCE);
        if (steps > 0)
            ASSERT_CLOSE("d rates", c.d_rates, c.rates, c.n_rates, TOLERANCE);
        else
            for (size_t i = 0; i < c.n_rates; i++)
                assert_true(c.d_rates[i] == 0);
        for (size_t i = 0; i < f.net.n_params; i++) /* slot 1 has no tasks */
            assert_true(c.d_theta[f.net.n_params + i] == 0);
        clear(&c);
        tear_down(&f);
    }
}

static void no_inner_step(void **state) {
    (void)state;
    check_exact(0);
}

static void one_inner_step(void **state) {
    (void)state;
    check_exact(1);
}

static void three_inner_steps(void **state) {
    (void)state;
    check_exact(3);
}

/* Without inner steps MAML and FOMAML are the plain gradient of the query loss. */
static void plain_gradient(void **state) {
    (void)state;
    for (size_t method = 0; method < tsr_methods.n; method++) {
        if (tsr_methods.object[method] == &tsr_method_reptile.object) continue;
        struct fixture f;
        set_up(&f, TSR_RATES_PER_PARAM, 0);
        size_t n = f.net.n_params;
        tsr_real *d_theta = make(SLOTS * n, sizeof *d_theta), *g = make(n, sizeof *g);
        tsr_real *d_rates = make(tsr_rates_count(&f.rates), sizeof *d_rates);
        double *want = make(SLOTS * n, sizeof *want);
        for (size_t i = 0; i < TASKS; i++) {
            const struct tsr_task *t = &f.task[i];
            (void)kernel_gradient(&f, f.theta + t->slot * n, &t->qry, t->qry_scale, g);
            for (size_t j = 0; j < n; j++)
                want[t->slot * n + j] += (double)g[j];
        }
        meta_gradient(&f, tsr_methods.object[method], d_theta, d_rates);
        ASSERT_CLOSE("plain gradient", d_theta, want, SLOTS * n, 1e-6);
        free(d_theta);
        free(g);
        free(d_rates);
        free(want);
        tear_down(&f);
    }
}

/* FOMAML, from its definition: the query gradient at phi_K, summed over the tasks of the slot. */
static void first_order(void **state) {
    (void)state;
    struct fixture f;
    set_up(&f, TSR_RATES_FIXED, 3);
    size_t n = f.net.n_params;
    tsr_real *d_theta = make(SLOTS * n, sizeof *d_theta), d_rates, phi[128], g[128];
    double *want = make(SLOTS * n, sizeof *want);
    for (size_t i = 0; i < TASKS; i++) {
        const struct tsr_task *t = &f.task[i];
        memcpy(phi, f.theta + t->slot * n, n * sizeof *phi);
        for (size_t k = 0; k < 3; k++) {
            (void)kernel_gradient(&f, phi, &t->ctx, t->ctx_scale, g);
            for (size_t j = 0; j < n; j++)
                phi[j] -= f.rates.value[0] * g[j];
        }
        (void)kernel_gradient(&f, phi, &t->qry, t->qry_scale, g);
        for (size_t j = 0; j < n; j++)
            want[t->slot * n + j] += (double)g[j];
    }
    meta_gradient(&f, &tsr_method_fomaml.object, d_theta, &d_rates);
    ASSERT_CLOSE("first order", d_theta, want, SLOTS * n, 1e-5);
    free(d_theta);
    free(want);
    tear_down(&f);
}

/* Reptile: theta minus the mean of phi_K over the tasks of the slot, nothing for the rates. */
static void reptile(void **state) {
    (void)state;
    struct fixture f;
    set_up(&f, TSR_RATES_FIXED, 2);
    size_t n = f.net.n_params, count[SLOTS] = {0};
    tsr_real *d_theta = make(SLOTS * n, sizeof *d_theta), d_rates, phi[128], g[128];
    double *want = make(SLOTS * n, sizeof *want);
    for (size_t i = 0; i < TASKS; i++)
        count[f.task[i].slot]++;
    for (size_t i = 0; i < TASKS; i++) {
        const struct tsr_task *t = &f.task[i];
        const tsr_real *theta = f.theta + t->slot * n;
        memcpy(phi, theta, n * sizeof *phi);
        for (size_t k = 0; k < 2; k++) {
            (void)kernel_gradient(&f, phi, &t->ctx, t->ctx_scale, g);
            for (size_t j = 0; j < n; j++)
                phi[j] -= f.rates.value[0] * g[j];
        }
        for (size_t j = 0; j < n; j++)
            want[t->slot * n + j] += (double)(theta[j] - phi[j]) / (double)count[t->slot];
    }
    meta_gradient(&f, &tsr_method_reptile.object, d_theta, &d_rates);
    ASSERT_CLOSE("reptile", d_theta, want, SLOTS * n, 1e-4);
    assert_true(d_rates == 0);
    free(d_theta);
    free(want);
    tear_down(&f);
}

/* What is wrong must be rejected by the same comparison, with a wide margin. */
static void negative_controls(void **state) {
    (void)state;
    struct fixture f;
    set_up(&f, TSR_RATES_PER_PARAM_PER_STEP, 3);
    struct comparison c = compare(&f, &tsr_method_fomaml.object);
    assert_true(relative_error(c.d_theta, c.theta, c.n_theta) > 10 * TOLERANCE);
    assert_true(relative_error(c.d_rates, c.rates, c.n_rates) > 10 * TOLERANCE);
    clear(&c);
    c = compare(&f, &tsr_method_maml.object);
    for (size_t i = 0; i < c.n_theta; i++)
        c.d_theta[i] = -c.d_theta[i];
    assert_true(relative_error(c.d_theta, c.theta, c.n_theta) > 1);
    for (size_t i = 0; i < c.n_theta; i++)
        c.d_theta[i] = -c.d_theta[i];
    c.d_theta[c.n_theta - 1] = (tsr_real)NAN;
    assert_false(relative_error(c.d_theta, c.theta, c.n_theta) <= TOLERANCE);
    clear(&c);
    tear_down(&f);
}

/* A loss after every inner step, at the start of the run (uniform), half way of the anneal, and at
 * the end; with query sets of their own, and with those of the context, whose gradients are shared.
 */
static void check_multi_step(double progress, bool same_points, size_t steps) {
    for (int kind = 0; kind < 5; kind++) {
        struct fixture f;
        set_up(&f, (enum tsr_rates_kind)kind, steps);
        f.progress = progress;
        f.multi_step = true;
        /* on long ways the third derivatives are too large for the differences */
        for (size_t i = 0; i < tsr_rates_count(&f.rates); i++)
            f.rates.value[i] *= (tsr_real)0.3;
        for (size_t i = 0; same_points && i < TASKS; i++)
            f.task[i].qry = f.task[i].ctx;
        struct comparison c = compare(&f, &tsr_method_multi_step.object);
        ASSERT_CLOSE("d theta", c.d_theta, c.theta, c.n_theta, TOLERANCE);
        ASSERT_CLOSE("d rates", c.d_rates, c.rates, c.n_rates, TOLERANCE);
        clear(&c);
        if (progress < 0.5) { /* the loss of the last step alone is another */
            c = compare(&f, &tsr_method_maml.object);
            assert_true(relative_error(c.d_theta, c.theta, c.n_theta) > 3 * TOLERANCE);
            clear(&c);
        }
        tear_down(&f);
    }
}

static void multi_step(void **state) {
    (void)state;
    check_multi_step(0, false, 3);
    check_multi_step(0.25, false, 3);
    check_multi_step(0.25, true, 3);
    check_multi_step(0.9, true, 2);
    check_multi_step(0.9, false, 1);
}

/* With all weight on the last inner step it is MAML, to the last bit. */
static void multi_step_of_the_last_step(void **state) {
    (void)state;
    struct fixture f;
    struct tsr_meta_workspace *meta;
    double error[TASKS];
    set_up(&f, TSR_RATES_PER_PARAM_PER_STEP, 3);
    size_t n = SLOTS * f.net.n_params, n_rates = tsr_rates_count(&f.rates);
    tsr_real *want = make(n, sizeof *want), *want_rates = make(n_rates, sizeof *want_rates);
    tsr_real *d_theta = make(n, sizeof *d_theta), *d_rates = make(n_rates, sizeof *d_rates);
    struct tsr_choice choice = tsr_choice_of(&tsr_method_multi_step.object);
    assert_true(tsr_choice_set(&choice, "rest", 0));
    meta_gradient(&f, &tsr_method_maml.object, want, want_rates);
    MUST(tsr_meta_workspace_create(&f.engine, &choice, NULL, f.steps, &f.rates, SLOTS, TASKS, CTX,
                                   NULL, &meta, err));
    const struct tsr_meta_point at = {f.theta, NULL, &f.rates, 0.5};
    MUST(tsr_meta_gradient(meta, &at, f.task, TASKS, d_theta, NULL, d_rates, error, err));
    ASSERT_SAME_BITS("theta", d_theta, want, n);
    ASSERT_SAME_BITS("rates", d_rates, want_rates, n_rates);
    tsr_meta_workspace_free(meta);
    free(want);
    free(want_rates);
    free(d_theta);
    free(d_rates);
    tear_down(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_inner_step),
        cmocka_unit_test(one_inner_step),
        cmocka_unit_test(three_inner_steps),
        cmocka_unit_test(plain_gradient),
        cmocka_unit_test(first_order),
        cmocka_unit_test(reptile),
        cmocka_unit_test(negative_controls),
        cmocka_unit_test(multi_step),
        cmocka_unit_test(multi_step_of_the_last_step),
    };
    return cmocka_run_group_tests_name("differences", tests, NULL, NULL);
}
