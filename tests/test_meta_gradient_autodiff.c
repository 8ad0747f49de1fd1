/* SPDX-License-Identifier: MIT
 *
 * Parity with tests/golden/golden_adaptations.h5, float64 values of an automatic differentiation
 * (adaptations.py beside it says of what): meta-gradients where not all parameters adapt, and of
 * all outer losses, by every kernel.
 */
#include "tests/check.h"
#include "tests/test_kinds.h"

#include "data/h5.h"
#include "inner/network.h"
#include "meta/meta_gradient.h"

enum { SLOTS = 2, STEPS = 3, TASKS = 5, DIRECTIONS = 7, OUT_DIM = 2, MOST = 16384 };

#ifdef TSR_REAL_DOUBLE
#define TOLERANCE 1e-11
#else
#define TOLERANCE 1e-3
#endif

struct golden {
    struct tsr_h5 *file;
    const char *name; /* of the case: ADAPTATION_METHOD_LOSS, and _full or _kron */
    enum tsr_rates_kind kind;
    struct tsr_net net;
    struct tsr_choice adaptation, method, loss;
    tsr_real *x, *y, *theta, *basis;
    struct tsr_rates rates;
    struct tsr_task task[TASKS];
};

/* A dataset, of the case or of the file; *n values. */
static double *read_all(const struct golden *g, bool of_case, const char *name, size_t *n) {
    char path[256];
    size_t rank, dims[TSR_H5_MAX_RANK];
    (void)snprintf(path, sizeof path, "%s%s/%s", of_case ? "/" : "", of_case ? g->name : "", name);
    MUST(tsr_h5_shape(g->file, path, &rank, dims, NULL, err));
    *n = 1;
    for (size_t i = 0; i < rank; i++)
        *n *= dims[i];
    double *out = make(*n, sizeof *out);
    MUST(tsr_h5_read(g->file, path, TSR_H5_F64, rank, dims, out, err));
    return out;
}

static tsr_real *read_real(const struct golden *g, bool of_case, const char *name) {
    size_t n;
    double *x = read_all(g, of_case, name, &n);
    tsr_real *out = make(n, sizeof *out);
    for (size_t i = 0; i < n; i++)
        out[i] = (tsr_real)x[i];
    free(x);
    return out;
}

/* The next word of a name, up to `_`. */
static struct tsr_choice choose(const struct tsr_registry *registry, const char **rest) {
    const struct tsr_object *object;
    char word[32];
    size_t n = strcspn(*rest, "_");
    (void)snprintf(word, sizeof word, "%.*s", (int)n, *rest);
    *rest += n + ((*rest)[n] == '_');
    MUST(tsr_registry_find(registry, word, &object, err));
    return tsr_choice_of(object);
}

static void open_case(struct golden *g, const char *name) {
    static const size_t slot[TASKS] = {1, 0, 1, 0, 0}, points[TASKS] = {9, 6, 8, 7, 5};
    struct tsr_network_config config = {.kind = siren(3, 2),
                                        .in_dim = 2,
                                        .out_dim = OUT_DIM,
                                        .width = 5,
                                        .hidden_layers = 1,
                                        .output_offset = 0.5};
    const char *rest = name;
    char path[1024];
    *g = (struct golden){.name = name};
    g->adaptation = choose(&tsr_adaptations, &rest);
    g->method = choose(&tsr_methods, &rest);
    g->loss = choose(&tsr_losses, &rest);
    g->kind = strcmp(rest, "full") == 0   ? TSR_RATES_FULL_PER_STEP
              : strcmp(rest, "kron") == 0 ? TSR_RATES_KRON_PER_LAYER_PER_STEP
                                          : TSR_RATES_PER_PARAM_PER_STEP;
    (void)tsr_choice_set(&g->adaptation, "numbers", DIRECTIONS);
    (void)tsr_choice_set(&g->loss, "huber_delta", 0.15);
    (void)snprintf(path, sizeof path, "%s/golden/golden_adaptations.h5", getenv("TSR_TESTS"));
    MUST(tsr_h5_open(path, &g->file, err));
    tsr_network_layout(&config, &g->net);
    g->x = read_real(g, false, "x"), g->y = read_real(g, false, "y");
    g->theta = read_real(g, false, "theta"), g->basis = read_real(g, false, "basis");
    for (size_t i = 0, at = 0; i < TASKS; at += points[i++]) {
        const struct tsr_points p = {g->x + 2 * at, g->y + OUT_DIM * at, points[i]};
        double of_item = i < 2 ? 15 : 20; /* points; the mean is over two items */
        g->task[i] = (struct tsr_task){.ctx = p,
                                       .qry = p,
                                       .ctx_scale = 1.0 / (double)(OUT_DIM * p.n),
                                       .qry_scale = 0.5 / (of_item * OUT_DIM),
                                       .slot = slot[i]};
    }
}

static void close_case(struct golden *g) {
    tsr_h5_close(g->file);
    free(g->x), free(g->y), free(g->theta), free(g->basis);
}

static void compare(const struct golden *g, const char *name, const tsr_real *got, size_t size) {
    size_t n;
    double *want = read_all(g, true, name, &n);
    assert_int_equal(n, size);
    ASSERT_CLOSE(name, got, want, n, TOLERANCE);
    free(want);
}

static void check_gradient(struct golden *g, const struct tsr_engine *engine) {
    static const size_t item[TASKS] = {0, 0, 1, 1, 1};
    static tsr_real d_theta[MOST], d_basis[MOST], d_rates[MOST], squared[TASKS];
    const struct tsr_meta_share share = {&tsr_comm_alone, 2, 3};
    size_t n_basis = SLOTS * engine->space.n_directions * g->net.n_params;
    const struct tsr_meta_point at = {g->theta, n_basis ? g->basis : NULL, &g->rates, 0};
    struct tsr_meta_workspace *meta;
    double error[TASKS];
    assert_true(n_basis <= MOST);
    MUST(tsr_meta_workspace_create(engine, &g->method, &g->loss, STEPS, &g->rates, SLOTS, TASKS, 9,
                                   &share, &meta, err));
    MUST(tsr_meta_sum(meta, &at, g->task, item, TASKS, error, err));
    MUST(tsr_meta_combine(meta, d_theta, d_basis, d_rates, NULL, err));
    for (size_t i = 0; i < TASKS; i++)
        squared[i] = (tsr_real)error[i];
    compare(g, "error", squared, TASKS);
    compare(g, "d_theta", d_theta, SLOTS * g->net.n_params);
    compare(g, "d_rates", d_rates, tsr_rates_count(&g->rates));
    if (n_basis) compare(g, "d_basis", d_basis, n_basis);
    tsr_meta_workspace_free(meta);
}

static void check_case(void **state) {
    struct golden g;
    open_case(&g, *state);
    for (const struct tsr_kernel *const *k = tsr_kernel_list(); *k; k++) {
        struct tsr_engine engine;
        if (!(*k)->available()) continue;
        MUST(tsr_engine_create(&g.net, *k, 2, &engine, err));
        tsr_engine_adapt(&engine, &g.adaptation);
        tsr_rates_layout(&g.rates, g.kind, STEPS, SLOTS, &engine.space);
        g.rates.value = read_real(&g, true, "rates");
        check_gradient(&g, &engine);
        free(g.rates.value);
        tsr_engine_clear(&engine);
    }
    close_case(&g);
}

/* Another method's values are not these: the comparison can fail. */
static void control(void **state) {
    (void)state;
    struct golden g;
    size_t n;
    open_case(&g, "latent_maml_mse");
    double *exact = read_all(&g, true, "d_basis", &n);
    g.name = "latent_fomaml_mse";
    double *first = read_all(&g, true, "d_basis", &n), difference = 0, norm = 0;
    for (size_t i = 0; i < n; i++) {
        difference += (exact[i] - first[i]) * (exact[i] - first[i]);
        norm += exact[i] * exact[i];
    }
    assert_true(sqrt(difference / norm) > 50 * TOLERANCE);
    free(exact), free(first);
    close_case(&g);
}

int main(void) {
    static const char *const cases[] = {
        "latent_maml_mse",      "latent_fomaml_mse",    "biases_maml_mse",
        "biases_fomaml_mse",    "last_maml_mse",        "last_fomaml_mse",
        "latent_maml_log-mse",  "latent_maml_huber",    "latent_fomaml_log-mse",
        "latent_fomaml_huber",  "latent_maml_mse_full", "latent_fomaml_mse_full",
        "biases_maml_mse_kron", "last_maml_mse_kron",   "all_maml_mse_kron",
        "all_fomaml_mse_kron"};
    enum { N = sizeof cases / sizeof *cases };
    struct CMUnitTest tests[N + 1];
    for (size_t i = 0; i < N; i++)
        tests[i] =
            (struct CMUnitTest){cases[i], check_case, NULL, NULL, (void *)(uintptr_t)cases[i]};
    tests[N] = (struct CMUnitTest)cmocka_unit_test(control);
    return cmocka_run_group_tests_name("adaptations by automatic differentiation", tests, NULL,
                                       NULL);
}
