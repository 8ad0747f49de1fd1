/* SPDX-License-Identifier: MIT
 *
 * The inner loop against plain vector arithmetic over the reference kernel: SGD with every kind of
 * rates, history and in place, several trajectories, and Adam by hand.
 */
#include "tests/check.h"
#include "tests/test_kinds.h"

#include "base/memory.h"
#include "inner/inner_loop.h"
#include "inner/network.h"

enum { STEPS = 4, SLOTS = 3, POINTS = 37 };

#ifdef TSR_REAL_DOUBLE
#define TOLERANCE 1e-12
#else
#define TOLERANCE 2e-6
#endif

struct fixture {
    struct tsr_net net;
    struct tsr_engine engine; /* of the reference kernel */
    struct tsr_rates rates;
    tsr_real x[POINTS * 2], y[SLOTS][POINTS * 3], out[POINTS * 3];
    struct tsr_task task[SLOTS];
    tsr_real *theta; /* [SLOTS, n_params] */
};

static void set_up_width(struct fixture *f, enum tsr_rates_kind kind, size_t width) {
    struct tsr_network_config config = {.kind = siren(4, 3),
                                        .in_dim = 2,
                                        .out_dim = 3,
                                        .width = width,
                                        .hidden_layers = 1,
                                        .output_offset = 0.5};
    const struct tsr_kernel *kernel;
    tsr_network_layout(&config, &f->net);
    MUST(tsr_kernel_find("reference", &kernel, err));
    MUST(tsr_engine_create(&f->net, kernel, 2, &f->engine, err));
    tsr_rates_layout_all(&f->rates, kind, STEPS, SLOTS, &f->net);
    f->rates.value = make(tsr_rates_count(&f->rates), sizeof(tsr_real));
    draw_all(f->rates.value, tsr_rates_count(&f->rates), 0.01, 0.1);
    draw_all(f->x, POINTS * 2, -1, 1);
    f->theta = make(SLOTS * f->net.n_params, sizeof(tsr_real));
    for (size_t s = 0; s < SLOTS; s++) {
        draw_all(f->y[s], POINTS * 3, 0, 1);
        tsr_network_randomize(&f->net, 7, s, f->theta + s * f->net.n_params);
        struct tsr_points points = {f->x, f->y[s], POINTS - s};
        f->task[s] = (struct tsr_task){
            .ctx = points, .ctx_scale = 1.0 / (double)(points.n * 3), .slot = SLOTS - 1 - s};
    }
}

static void set_up(struct fixture *f, enum tsr_rates_kind kind) {
    set_up_width(f, kind, 6);
}

static void tear_down(struct fixture *f) {
    tsr_engine_clear(&f->engine);
    free(f->rates.value);
    free(f->theta);
}

/* grad L at phi, and the squared error, straight from the kernel. */
static double gradient(const struct fixture *f, const struct tsr_task *task, const tsr_real *phi,
                       tsr_real *g) {
    struct tsr_arena scratch;
    const struct tsr_kernel *kernel = f->engine.kernel;
    MUST(tsr_arena_create(&scratch, kernel->workspace_size(&f->net), "scratch", err));
    memset(g, 0, f->net.n_params * sizeof *g);
    double error =
        kernel->gradient(&f->net, phi, &task->ctx, task->ctx_scale, g, NULL, NULL, scratch.base);
    tsr_arena_free(&scratch);
    return error;
}

static size_t layer_of(const struct tsr_net *net, size_t parameter) {
    size_t layer = 0;
    while (layer + 1 < net->n_layers && parameter >= net->weight_at[layer + 1])
        layer++;
    return layer;
}

static tsr_real rate_of(const struct fixture *f, size_t k, size_t slot, size_t parameter) {
    const struct tsr_rates *r = &f->rates;
    size_t step = r->n_steps == 1 ? 0 : k < STEPS ? k : STEPS - 1;
    size_t unit = r->n_units == f->net.n_params   ? parameter
                  : r->n_units == f->net.n_layers ? layer_of(&f->net, parameter)
                                                  : 0;
    return r->value[(step * r->n_slots + (r->n_slots > 1 ? slot : 0)) * r->n_units + unit];
}

/* phi [n_params] of one task after `steps` inner steps, history of errors. */
static void naive_sgd(const struct fixture *f, const struct tsr_task *task, size_t steps,
                      double *phi, double *error) {
    size_t n = f->net.n_params;
    tsr_real *at = make(n, sizeof *at), *g = make(n, sizeof *g);
    memcpy(at, f->theta + task->slot * n, n * sizeof *at);
    for (size_t k = 0; k < steps; k++) {
        error[k] = gradient(f, task, at, g);
        for (size_t i = 0; i < n; i++)
            at[i] -= rate_of(f, k, task->slot, i) * g[i];
    }
    for (size_t i = 0; i < n; i++)
        phi[i] = (double)at[i];
    free(at);
    free(g);
}

/* Trajectories of all tasks, with history or in place, through steps past the last rates. */
static void run_sgd(struct fixture *f, bool history, size_t thread, size_t steps, tsr_real *last,
                    double *errors) {
    size_t n = f->net.n_params, states = history ? steps + 1 : 1;
    const struct tsr_choice sgd = tsr_choice_of(&tsr_optimizer_sgd.object);
    const struct tsr_inner_loop loop = {&f->engine, &sgd, &f->rates, steps, NULL, NULL, NULL};
    struct tsr_trajectory t[SLOTS];
    struct tsr_pass passes[SLOTS];
    tsr_real *phi = make(SLOTS * states * n, sizeof *phi), *g = make(SLOTS * states * n, sizeof *g);
    for (size_t i = 0; i < SLOTS; i++) {
        t[i] = (struct tsr_trajectory){.task = &f->task[i],
                                       .phi = phi + i * states * n,
                                       .phi_stride = history ? n : 0,
                                       .g = g + i * states * n,
                                       .g_stride = history ? n : 0};
        memcpy(t[i].phi, f->theta + f->task[i].slot * n, n * sizeof *phi);
    }
    for (size_t k = 0; k < steps; k++) {
        tsr_inner_run(&loop, thread, t, SLOTS, k, k + 1, passes);
        for (size_t i = 0; i < SLOTS; i++)
            errors[i * steps + k] = t[i].error;
    }
    for (size_t i = 0; i < SLOTS; i++)
        memcpy(last + i * n, t[i].phi + (states - 1) * n, n * sizeof *last);
    free(phi);
    free(g);
}

static void check_sgd(void **state) {
    struct fixture f;
    enum { MORE = STEPS + 2 };
    set_up(&f, *(enum tsr_rates_kind *)*state);
    size_t n = f.net.n_params;
    tsr_real *phi = make(SLOTS * n, sizeof *phi), *other = make(SLOTS * n, sizeof *other);
    double *want = make(n, sizeof *want), error[SLOTS * MORE], error2[SLOTS * MORE], naive[MORE];
    run_sgd(&f, true, 0, MORE, phi, error);
    for (size_t i = 0; i < SLOTS; i++) {
        naive_sgd(&f, &f.task[i], MORE, want, naive);
        ASSERT_CLOSE("phi", phi + i * n, want, n, TOLERANCE);
        for (size_t k = 0; k < MORE; k++)
            assert_true(fabs(error[i * MORE + k] - naive[k]) <= TOLERANCE * naive[k]);
    }
    run_sgd(&f, false, f.engine.threads - 1, MORE, other, error2);
    ASSERT_SAME_BITS("in place", other, phi, SLOTS * n);
    ASSERT_SAME_BITS("errors in place", error2, error, SLOTS * MORE);
    run_sgd(&f, true, TSR_TEAM, MORE, other, error2);
    ASSERT_SAME_BITS("team", other, phi, SLOTS * n);
    ASSERT_SAME_BITS("errors of the team", error2, error, SLOTS * MORE);
    free(phi);
    free(other);
    free(want);
    tear_down(&f);
}

/* Outputs are those at the last phi whose gradient was taken. */
static void outputs(void **state) {
    (void)state;
    struct fixture f;
    set_up(&f, TSR_RATES_FIXED);
    size_t n = f.net.n_params;
    const struct tsr_choice sgd = tsr_choice_of(&tsr_optimizer_sgd.object);
    const struct tsr_inner_loop loop = {&f.engine, &sgd, &f.rates, 2, NULL, NULL, NULL};
    tsr_real *phi = make(3 * n, sizeof *phi), *g = make(n, sizeof *g);
    double error[2], sum = 0;
    struct tsr_pass pass;
    struct tsr_trajectory t = {
        .task = &f.task[0], .phi = phi, .phi_stride = n, .g = g, .out = f.out};
    memcpy(phi, f.theta + f.task[0].slot * n, n * sizeof *phi);
    for (size_t k = 0; k < 2; k++) {
        tsr_inner_run(&loop, 0, &t, 1, k, k + 1, &pass);
        error[k] = t.error;
    }
    for (size_t i = 0; i < POINTS * 3; i++)
        sum += ((double)f.out[i] - (double)f.y[0][i]) * ((double)f.out[i] - (double)f.y[0][i]);
    assert_true(fabs(sum - error[1]) <= TOLERANCE * sum);
    assert_true(fabs(sum - error[0]) > 1e-3 * sum);
    free(phi);
    free(g);
    tear_down(&f);
}

/* Adam for one parameter in plain double arithmetic (arXiv 1412.6980, algorithm 1). */
struct scalar_adam {
    double m, v;
    int t;
};

static double scalar_step(struct scalar_adam *a, double g, double lr, int warmup) {
    a->t++;
    a->m = 0.9 * a->m + 0.1 * g;
    a->v = 0.999 * a->v + 0.001 * g * g;
    double m_hat = a->m / (1 - pow(0.9, a->t)), v_hat = a->v / (1 - pow(0.999, a->t));
    double ramp = a->t < warmup ? a->t / (double)warmup : 1;
    return -lr * ramp * m_hat / (sqrt(v_hat) + 1e-8);
}

static void check_adam(size_t sgd_steps, size_t warmup, size_t steps) {
    struct fixture f;
    set_up(&f, TSR_RATES_PER_STEP);
    size_t n = f.net.n_params;
    struct tsr_choice adam = tsr_choice_of(&tsr_optimizer_adam.object);
    assert_true(tsr_choice_set(&adam, "sgd_steps", (double)sgd_steps));
    assert_true(tsr_choice_set(&adam, "adam_lr", 3e-3));
    assert_true(tsr_choice_set(&adam, "adam_warmup", (double)warmup));
    MUST(tsr_choice_check(&tsr_optimizers, &adam, err));
    const struct tsr_inner_loop loop = {&f.engine, &adam, &f.rates, steps, NULL, NULL, NULL};
    assert_int_equal(tsr_optimizer_state(&adam, n), 2 * n * sizeof(tsr_real));
    tsr_real *phi = make((steps + 1) * n, sizeof *phi), *g = make(steps * n, sizeof *g);
    tsr_real *moments = make(2 * n, sizeof *moments), *naive_g = make(n, sizeof *naive_g);
    struct scalar_adam *naive = make(n, sizeof *naive);
    double *want = make(n, sizeof *want);
    struct tsr_pass pass;
    const struct tsr_task *task = &f.task[1];
    struct tsr_trajectory t = {
        .task = task, .phi = phi, .phi_stride = n, .g = g, .g_stride = n, .state = moments};
    memcpy(phi, f.theta + task->slot * n, n * sizeof *phi);
    for (size_t k = 0; k < steps; k++) {
        tsr_inner_run(&loop, 0, &t, 1, k, k + 1, &pass);
        (void)gradient(&f, task, phi + k * n, naive_g);
        for (size_t i = 0; i < n; i++) {
            double step = k < sgd_steps
                              ? -(double)rate_of(&f, k, task->slot, i) * (double)naive_g[i]
                              : scalar_step(&naive[i], (double)naive_g[i], 3e-3, (int)warmup);
            want[i] = (double)phi[k * n + i] + step;
        }
        ASSERT_CLOSE("adam", phi + (k + 1) * n, want, n, TOLERANCE);
    }
    free(phi);
    free(g);
    free(moments);
    free(naive_g);
    free(naive);
    free(want);
    tear_down(&f);
}

static void adam_at_once(void **state) {
    (void)state;
    check_adam(0, 0, 12);
    check_adam(0, 1, 3);
}

static void adam_warms_up(void **state) {
    (void)state;
    check_adam(0, 5, 12);
}

static void adam_after_sgd(void **state) {
    (void)state;
    check_adam(3, 4, 12);
    check_adam(20, 4, 5); /* never reached: SGD, with the last rates repeated */
}

/* One network of many parameters, in place, by the team: its steps are taken part by part. */
static void run_wide(const struct fixture *f, const struct tsr_choice *optimizer, size_t thread,
                     tsr_real *phi, tsr_real *g, tsr_real *moments) {
    const struct tsr_inner_loop loop = {&f->engine, optimizer, &f->rates, STEPS, NULL, NULL, NULL};
    size_t n = f->net.n_params;
    struct tsr_pass pass;
    struct tsr_trajectory t = {.task = &f->task[1], .phi = phi, .g = g, .state = moments};
    memcpy(phi, f->theta + t.task->slot * n, n * sizeof *phi);
    tsr_inner_run(&loop, thread, &t, 1, 0, STEPS, &pass);
}

static void parts(void **state) {
    (void)state;
    struct fixture f;
    set_up_width(&f, TSR_RATES_PER_PARAM_PER_STEP, 70);
    size_t n = f.net.n_params;
    assert_true(n > 5000 && n % 64 != 0);
    struct tsr_choice adam = tsr_choice_of(&tsr_optimizer_adam.object);
    assert_true(tsr_choice_set(&adam, "sgd_steps", 1));
    MUST(tsr_choice_check(&tsr_optimizers, &adam, err));
    tsr_real *phi[2], *moments[2], *g = make(n, sizeof *g);
    for (size_t i = 0; i < 2; i++) {
        phi[i] = make(n, sizeof **phi);
        moments[i] = make(2 * n, sizeof **moments);
        run_wide(&f, &adam, i ? TSR_TEAM : 0, phi[i], g, moments[i]);
    }
    assert_memory_equal(phi[0], phi[1], n * sizeof **phi);
    assert_memory_equal(moments[0], moments[1], 2 * n * sizeof **moments);
    assert_memory_not_equal(phi[0], f.theta + f.task[1].slot * n, n * sizeof **phi);
    for (size_t i = 0; i < 2; i++) {
        free(phi[i]);
        free(moments[i]);
    }
    free(g);
    tear_down(&f);
}

static void names(void **state) {
    (void)state;
    const struct tsr_object *found;
    MUST(tsr_registry_find(&tsr_optimizers, "adam", &found, err));
    assert_ptr_equal(found, &tsr_optimizer_adam.object);
    MUST(tsr_registry_find(&tsr_optimizers, "sgd", &found, err));
    assert_ptr_equal(found, tsr_optimizers.object[0]);
    MUST_FAIL(tsr_registry_find(&tsr_optimizers, "newton", &found, err), TSR_ERR_NOT_FOUND,
              "sgd, adam, accept, lbfgs");
}

int main(void) {
    static enum tsr_rates_kind kinds[] = {TSR_RATES_FIXED, TSR_RATES_PER_STEP,
                                          TSR_RATES_PER_LAYER_PER_STEP, TSR_RATES_PER_PARAM,
                                          TSR_RATES_PER_PARAM_PER_STEP};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(check_sgd, &kinds[0]),
        cmocka_unit_test_prestate(check_sgd, &kinds[1]),
        cmocka_unit_test_prestate(check_sgd, &kinds[2]),
        cmocka_unit_test_prestate(check_sgd, &kinds[3]),
        cmocka_unit_test_prestate(check_sgd, &kinds[4]),
        cmocka_unit_test(outputs),
        cmocka_unit_test(adam_at_once),
        cmocka_unit_test(adam_warms_up),
        cmocka_unit_test(adam_after_sgd),
        cmocka_unit_test(parts),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests_name("inner loop", tests, NULL, NULL);
}
