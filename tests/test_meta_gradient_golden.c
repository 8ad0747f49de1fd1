/* SPDX-License-Identifier: MIT
 *
 * Parity with tests/golden/golden.h5 and golden_units.h5 (float64 values of an independent
 * automatic differentiation; its definitions: golden.md): loss, gradient, Hessian-vector product,
 * adapted parameters, meta-gradients of all methods. Golden's losses are means over batch, pixels
 * and channels: the inner loss `image`, with the factor of the batch in the rates.
 */
#include "tests/check.h"
#include "tests/test_kinds.h"

#include "data/h5.h"
#include "inner/network.h"
#include "meta/meta_gradient.h"

#ifdef TSR_REAL_DOUBLE
#define TOLERANCE 1e-11
#else
#define TOLERANCE 1e-5
#endif

struct golden {
    struct tsr_h5 *file;
    const char *name;
    size_t height, width, n_pixels, images, regions, steps, slots;
    bool fixed_rate;
    struct tsr_net net;
    struct tsr_rates rates;
    tsr_real *theta, *rate_values;
    tsr_real *points;       /* what the tasks point into */
    struct tsr_task *tasks; /* [images * regions] */
};

static size_t attr(struct golden *g, const char *name) {
    int64_t value;
    MUST(tsr_h5_read_attr_i64(g->file, g->name, name, &value, err));
    return (size_t)value;
}

static double attr_f64(struct golden *g, const char *name) {
    double value;
    MUST(tsr_h5_read_attr_f64(g->file, g->name, name, &value, err));
    return value;
}

/* A dataset of the case as double; *n values. */
static double *read_all(struct golden *g, const char *name, size_t *n) {
    char path[256];
    size_t rank, dims[TSR_H5_MAX_RANK];
    (void)snprintf(path, sizeof path, "%s/%s", g->name, name);
    MUST(tsr_h5_shape(g->file, path, &rank, dims, NULL, err));
    *n = 1;
    for (size_t i = 0; i < rank; i++)
        *n *= dims[i];
    double *out = make(*n, sizeof *out);
    MUST(tsr_h5_read(g->file, path, TSR_H5_F64, rank, dims, out, err));
    return out;
}

static tsr_real *read_real(struct golden *g, const char *name, double factor, size_t *n) {
    double *x = read_all(g, name, n);
    tsr_real *out = make(*n, sizeof *out);
    for (size_t i = 0; i < *n; i++)
        out[i] = (tsr_real)(x[i] * factor);
    free(x);
    return out;
}

static void make_tasks(struct golden *g) {
    size_t n, out_dim = g->net.out_dim;
    tsr_real *coords = read_real(g, "in/coords", 1, &n), *target = read_real(g, "in/target", 1, &n);
    double *labels = read_all(g, "in/labels", &n);
    g->tasks = make(g->images * g->regions, sizeof *g->tasks);
    g->points = make(g->images * g->n_pixels * (2 + out_dim), sizeof *g->points);
    tsr_real *at = g->points;
    for (size_t b = 0; b < g->images; b++)
        for (size_t r = 0; r < g->regions; r++) {
            const double *label = labels + b * g->n_pixels;
            size_t count = 0;
            for (size_t p = 0; p < g->n_pixels; p++)
                count += (size_t)label[p] == r;
            tsr_real *x = at, *y = at + 2 * count;
            at = y + out_dim * count;
            struct tsr_points points = {x, y, count};
            for (size_t p = 0; p < g->n_pixels; p++) {
                if ((size_t)label[p] != r) continue;
                memcpy(x, coords + 2 * p, 2 * sizeof *x);
                memcpy(y, target + (b * g->n_pixels + p) * out_dim, out_dim * sizeof *y);
                x += 2, y += out_dim;
            }
            g->tasks[b * g->regions + r] =
                (struct tsr_task){.ctx = points,
                                  .qry = points,
                                  .ctx_scale = 1.0 / (double)(g->n_pixels * out_dim),
                                  .qry_scale = 1.0 / (double)(g->images * g->n_pixels * out_dim),
                                  .slot = g->slots > 1 ? r : 0};
        }
    free(coords);
    free(target);
    free(labels);
}

static struct tsr_choice kind_of(struct golden *g, const char *act) {
    const struct tsr_object *kind;
    if (strcmp(act, "relu_pe") == 0)
        return relu_pe(attr(g, "n_harmonic"), attr_f64(g, "pe_omega0"));
    MUST(tsr_registry_find(&tsr_kinds, act, &kind, err));
    return kind_with_omegas((const struct tsr_kind *)(const void *)kind, attr_f64(g, "omega_first"),
                            attr_f64(g, "omega"));
}

/* Is it a case of golden_units.h5? */
static bool units(const char *name) {
    return strncmp(name, "/gaussian", 9) == 0 || strncmp(name, "/finer", 6) == 0;
}

static void open_case(struct golden *g, const char *name) {
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/golden/%s", getenv("TSR_TESTS"),
                   units(name) ? "golden_units.h5" : "golden.h5");
    memset(g, 0, sizeof *g);
    MUST(tsr_h5_open(path, &g->file, err));
    g->name = name;
    g->height = attr(g, "H"), g->width = attr(g, "W"), g->n_pixels = g->height * g->width;
    g->images = attr(g, "B"), g->regions = attr(g, "R");
    g->steps = attr(g, "K"), g->slots = attr(g, "n_init");
    char text[64];
    MUST(tsr_h5_read_attr_str(g->file, name, "act", text, sizeof text, err));
    struct tsr_network_config config = {.kind = kind_of(g, text),
                                        .in_dim = 2,
                                        .out_dim = 3,
                                        .width = attr(g, "width"),
                                        .hidden_layers = attr(g, "hidden_layers")};
    MUST(tsr_network_config_check(&config, err));
    tsr_network_layout(&config, &g->net);
    assert_int_equal(g->net.n_params, attr(g, "n_param"));
    assert_int_equal(g->net.fan_in[0], attr(g, "in_dim"));
    MUST(tsr_h5_read_attr_str(g->file, name, "lr_mode", text, sizeof text, err));
    g->fixed_rate = strcmp(text, "fixed") == 0;
    tsr_rates_layout_all(&g->rates, g->fixed_rate ? TSR_RATES_FIXED : TSR_RATES_PER_PARAM_PER_STEP,
                         g->steps, g->slots, &g->net);
    size_t n;
    g->theta = read_real(g, "in/init", 1, &n);
    g->rate_values = read_real(g, "in/lr", 1.0 / (double)g->images, &n);
    assert_int_equal(n, tsr_rates_count(&g->rates));
    g->rates.value = g->rate_values;
    make_tasks(g);
}

static void close_case(struct golden *g) {
    tsr_h5_close(g->file);
    free(g->theta);
    free(g->rate_values);
    free(g->points);
    free(g->tasks);
}

static double largest(const double *x, size_t n) {
    double m = 0;
    for (size_t i = 0; i < n; i++)
        m = fmax(m, fabs(x[i]));
    return m;
}

/* A difference of parameters carries the rounding of the parameters, however small it is itself. */
static double tolerance_of_difference(struct golden *g, const char *difference) {
    size_t n, m;
    double *delta = read_all(g, difference, &n), *phi = read_all(g, "out/theta", &m);
    double eps = sizeof(tsr_real) == sizeof(float) ? 1.2e-7 : 2.3e-16;
    double t = (double)g->steps * eps * largest(phi, m) / largest(delta, n);
    free(delta);
    free(phi);
    return fmax(t, TOLERANCE);
}

static void compare(struct golden *g, const char *kernel, const char *name, const tsr_real *a,
                    double factor, double tolerance) {
    size_t n;
    char what[256];
    double *b = read_all(g, name, &n);
    for (size_t i = 0; i < n; i++)
        b[i] *= factor;
    (void)snprintf(what, sizeof what, "%s: %s: %s", kernel, g->name, name);
    ASSERT_CLOSE(what, a, b, n, tolerance);
    free(b);
}

/* out/grad and out/hvp: of the replicated parameters, at the initialisation. */
static void check_derivatives(struct golden *g, const struct tsr_engine *engine) {
    size_t n_params = g->net.n_params, n_tasks = g->images * g->regions, n;
    tsr_real *v = read_real(g, "in/v", 1, &n);
    tsr_real *grad = make(n_tasks * n_params, sizeof *grad),
             *hv = make(n_tasks * n_params, sizeof *hv);
    double loss = 0;
    for (size_t i = 0; i < n_tasks; i++) {
        struct tsr_pass pass[2] = {
            {.kind = TSR_PASS_GRADIENT,
             .points = &g->tasks[i].ctx,
             .scale = g->tasks[i].qry_scale,
             .phi = g->theta + g->tasks[i].slot * n_params,
             .result = grad + i * n_params},
            {.kind = TSR_PASS_HVP,
             .points = &g->tasks[i].ctx,
             .scale = g->tasks[i].qry_scale,
             .phi = g->theta + g->tasks[i].slot * n_params,
             .v = v + i * n_params,
             .result = hv + i * n_params},
        };
        tsr_pass_run(engine, i % 2 ? TSR_TEAM : 0, pass, 2);
        loss += pass[0].error * g->tasks[i].qry_scale;
    }
    compare(g, engine->kernel->name, "out/grad", grad, 1, TOLERANCE);
    compare(g, engine->kernel->name, "out/hvp", hv, 1, TOLERANCE);
    double *golden_loss = read_all(g, "out/loss_steps", &n);
    tsr_real l = (tsr_real)loss;
    ASSERT_CLOSE("loss", &l, golden_loss, 1, TOLERANCE);
    free(golden_loss);
    free(v);
    free(grad);
    free(hv);
}

/* out/theta [K+1, B, R, P] and out/loss_steps by the inner loop alone. */
static void check_inner_loop(struct golden *g, const struct tsr_engine *engine) {
    size_t p = g->net.n_params, n_tasks = g->images * g->regions, k_max = g->steps, n;
    tsr_real *all = make((k_max + 1) * n_tasks * p, sizeof *all), *grad = make(p, sizeof *grad);
    double *loss = make(k_max + 1, sizeof *loss);
    const struct tsr_choice sgd = tsr_choice_of(&tsr_optimizer_sgd.object);
    const struct tsr_inner_loop loop = {engine, &sgd, &g->rates, SIZE_MAX, NULL, NULL, NULL};
    for (size_t i = 0; i < n_tasks; i++) {
        tsr_real *phi = all + i * p;
        memcpy(phi, g->theta + g->tasks[i].slot * p, p * sizeof *all);
        struct tsr_trajectory t = {
            .task = &g->tasks[i], .phi = phi, .phi_stride = n_tasks * p, .g = grad};
        struct tsr_pass pass;
        for (size_t k = 0; k < k_max; k++) {
            tsr_inner_run(&loop, 0, &t, 1, k, k + 1, &pass);
            loss[k] += t.error * g->tasks[i].qry_scale;
        }
    }
    compare(g, engine->kernel->name, "out/theta", all, 1, TOLERANCE);
    double *golden_loss = read_all(g, "out/loss_steps", &n);
    for (size_t k = 0; k < k_max; k++)
        assert_true(fabs(loss[k] - golden_loss[k]) <= TOLERANCE * golden_loss[k]);
    free(golden_loss);
    free(all);
    free(grad);
    free(loss);
}

static void check_method(struct golden *g, const struct tsr_engine *engine,
                         const struct tsr_object *method) {
    size_t n_tasks = g->images * g->regions, n_rates = tsr_rates_count(&g->rates);
    tsr_real *d_theta = make(g->slots * g->net.n_params, sizeof *d_theta);
    tsr_real *d_rates = make(n_rates, sizeof *d_rates);
    double *error = make(n_tasks, sizeof *error);
    struct tsr_meta_workspace *meta;
    const struct tsr_choice choice = tsr_choice_of(method);
    const struct tsr_meta_point at = {g->theta, NULL, &g->rates, 0};
    MUST(tsr_meta_workspace_create(engine, &choice, NULL, g->steps, &g->rates, g->slots, n_tasks,
                                   g->n_pixels, NULL, &meta, err));
    MUST(tsr_meta_gradient(meta, &at, g->tasks, n_tasks, d_theta, NULL, d_rates, error, err));
    double loss = 0, batch = (double)g->images;
    for (size_t i = 0; i < n_tasks; i++)
        loss += error[i] * g->tasks[i].qry_scale;
    size_t n;
    double *golden_loss = read_all(g, "out/loss_steps", &n);
    tsr_real l = (tsr_real)loss;
    ASSERT_CLOSE("query loss", &l, golden_loss + g->steps, 1, TOLERANCE);
    const char *kernel = engine->kernel->name;
    if (method == &tsr_method_reptile.object) {
        compare(g, kernel, "out/reptile_delta", d_theta, -1,
                tolerance_of_difference(g, "out/reptile_delta"));
    } else {
        bool exact = method == &tsr_method_maml.object;
        compare(g, kernel, exact ? "out/meta2_init" : "out/meta1_init", d_theta, 1, TOLERANCE);
        compare(g, kernel, exact ? "out/meta2_lr" : "out/meta1_lr", d_rates, batch, TOLERANCE);
    }
    free(golden_loss);
    tsr_meta_workspace_free(meta);
    free(d_theta);
    free(d_rates);
    free(error);
}

/* golden_multi_step.h5: the derivatives of the multi-step loss, at the inputs of the case. */
static void check_multi_step(struct golden *g, const struct tsr_engine *engine) {
    size_t n_tasks = g->images * g->regions;
    tsr_real *d_theta = make(g->slots * g->net.n_params, sizeof *d_theta);
    tsr_real *d_rates = make(tsr_rates_count(&g->rates), sizeof *d_rates);
    double *error = make(n_tasks, sizeof *error);
    struct tsr_meta_workspace *meta;
    struct tsr_meta_point at = {g->theta, NULL, &g->rates, 0};
    struct tsr_choice choice = tsr_choice_of(&tsr_method_multi_step.object);
    struct golden other = {.name = g->name};
    char path[1024];
    (void)snprintf(path, sizeof path, "%s/golden/golden_multi_step.h5", getenv("TSR_TESTS"));
    MUST(tsr_h5_open(path, &other.file, err));
    MUST(tsr_h5_read_attr_f64(other.file, "/", "progress", &at.progress, err));
    MUST(tsr_h5_read_attr_f64(other.file, "/", "anneal", &choice.value[0], err));
    MUST(tsr_h5_read_attr_f64(other.file, "/", "rest", &choice.value[1], err));
    MUST(tsr_meta_workspace_create(engine, &choice, NULL, g->steps, &g->rates, g->slots, n_tasks,
                                   g->n_pixels, NULL, &meta, err));
    MUST(tsr_meta_gradient(meta, &at, g->tasks, n_tasks, d_theta, NULL, d_rates, error, err));
    compare(&other, engine->kernel->name, "init", d_theta, 1, TOLERANCE);
    compare(&other, engine->kernel->name, "lr", d_rates, (double)g->images, TOLERANCE);
    tsr_meta_workspace_free(meta);
    tsr_h5_close(other.file);
    free(d_theta);
    free(d_rates);
    free(error);
}

static void check_case(void **state) {
    struct golden g;
    open_case(&g, *state);
    for (const struct tsr_kernel *const *k = tsr_kernel_list(); *k; k++) {
        if (!(*k)->available()) continue;
        for (size_t threads = 1; threads <= 2; threads++) {
            struct tsr_engine engine;
            MUST(tsr_engine_create(&g.net, *k, threads, &engine, err));
            check_derivatives(&g, &engine);
            check_inner_loop(&g, &engine);
            for (int m = 0; m < 3; m++)
                check_method(&g, &engine, tsr_methods.object[m]);
            if (!units(g.name)) check_multi_step(&g, &engine);
            tsr_engine_clear(&engine);
        }
    }
    close_case(&g);
}

/* The two orders differ by 9 % or more in every case: the comparison must tell them apart. */
static void check_negative_control(void **state) {
    struct golden g;
    size_t n;
    open_case(&g, *state);
    tsr_real *first_order = read_real(&g, "out/meta1_init", 1, &n);
    double *second_order = read_all(&g, "out/meta2_init", &n);
    assert_true(relative_error(first_order, second_order, n) > 0.01);
    first_order[0] = (tsr_real)NAN;
    assert_false(relative_error(first_order, second_order, n) < 1e300);
    free(first_order);
    free(second_order);
    close_case(&g);
}

int main(void) {
    static char names[][48] = {
        "/finer_1reg_8x8_K2_fixed",
        "/finer_grid2x2_7x9_own_K3_pps_B2",
        "/gaussian_1reg_8x8_K2_fixed",
        "/gaussian_seg4_7x9_shared_K3_pps_B2",
        "/relupe_1reg_8x8_K2_fixed",
        "/relupe_grid2x2_7x9_own_K2_pps",
        "/relupe_seg4_7x9_shared_K3_pps_B2",
        "/siren_1reg_8x8_K1_fixed",
        "/siren_1reg_8x8_K3_pps_B2",
        "/siren_grid1x2_9x13_shared_K2_fixed_w19",
        "/siren_grid2x2_7x9_shared_K3_fixed_om60",
        "/siren_grid2x2_8x8_own_K3_pps_B2",
        "/siren_grid2x2_8x8_shared_K2_pps",
        "/siren_seg4_7x9_own_empty_K2_pps",
        "/siren_seg4_7x9_shared_K2_pps_B3",
        "/siren_seg4_7x9_shared_K3_fixed_B2",
    };
    enum { N = sizeof names / sizeof *names };
    struct CMUnitTest tests[N + 1];
    for (size_t i = 0; i < N; i++)
        tests[i] = (struct CMUnitTest){
            .name = names[i], .test_func = check_case, .initial_state = names[i]};
    tests[N] = (struct CMUnitTest){
        .name = "negative control", .test_func = check_negative_control, .initial_state = names[0]};
    return _cmocka_run_group_tests("golden", tests, N + 1, NULL, NULL);
}
