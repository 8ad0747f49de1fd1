/* SPDX-License-Identifier: MIT
 *
 * Remembered forward passes: what is found again and what is not, and that the first inner step
 * from one is, to the bit, the step without.
 */
#include "tests/check.h"

#include "base/memory.h"
#include "inner/inner_loop.h"
#include "inner/network.h"

enum { POINTS = 50, ARRAYS = TSR_MAX_FORWARDS + 3 };

struct fixture {
    struct tsr_net net;
    struct tsr_engine engine;
    struct tsr_forwards forwards;
    struct tsr_arena arena;
    tsr_real *phi, *other_phi; /* [n_params] */
    tsr_real x[ARRAYS][POINTS * 2], y[POINTS * 3];
};

static void set_up(struct fixture *f, const struct tsr_kernel *kernel, size_t max_points) {
    struct tsr_network_config config;
    tsr_network_config_default(&config);
    config.width = 27;
    tsr_network_layout(&config, &f->net);
    MUST(tsr_engine_create(&f->net, kernel, 1, &f->engine, err));
    struct tsr_arena measure = {0};
    tsr_forwards_layout(&f->forwards, &f->engine, max_points, &measure);
    assert_true(measure.used <= 2 << 20);
    MUST(tsr_arena_create(&f->arena, measure.used, "test", err));
    tsr_forwards_layout(&f->forwards, &f->engine, max_points, &f->arena);
    f->phi = make(f->net.n_params, sizeof *f->phi);
    f->other_phi = make(f->net.n_params, sizeof *f->phi);
    tsr_network_randomize(&f->net, 1, 0, f->phi);
    tsr_network_randomize(&f->net, 1, 1, f->other_phi);
    draw_all(f->x[0], ARRAYS * POINTS * 2, -1, 1);
    draw_all(f->y, POINTS * 3, 0, 1);
}

static void tear_down(struct fixture *f) {
    tsr_engine_clear(&f->engine);
    tsr_arena_free(&f->arena);
    free(f->phi);
    free(f->other_phi);
}

static void *find(struct fixture *f, const tsr_real *phi, size_t array, size_t n) {
    struct tsr_points points = {f->x[array], NULL, n};
    tsr_forwards_release(&f->forwards);
    return tsr_forwards_find(&f->forwards, &f->engine, 0, phi, &points);
}

static void finds_again(void **state) {
    (void)state;
    struct fixture f;
    const struct tsr_kernel *kernel;
    MUST(tsr_kernel_find("reference", &kernel, err));
    set_up(&f, kernel, POINTS);
    assert_int_equal(f.forwards.n, TSR_MAX_FORWARDS);
    unsigned char *first = find(&f, f.phi, 0, POINTS);
    assert_non_null(first);
    memset(first, 1, 8); /* whoever computes it again overwrites this */
    unsigned char mark[8];
    memcpy(mark, first, 8);
    assert_ptr_equal(find(&f, f.phi, 0, POINTS), first);
    assert_memory_equal(first, mark, 8);
    assert_ptr_not_equal(find(&f, f.phi, 1, POINTS), first);
    assert_ptr_not_equal(find(&f, f.phi, 0, POINTS - 1), first);
    assert_ptr_not_equal(find(&f, f.other_phi, 0, POINTS), first);
    assert_ptr_equal(find(&f, f.phi, 0, POINTS), first);
    assert_memory_equal(first, mark, 8);
    tsr_forwards_forget(&f.forwards);
    first = find(&f, f.phi, 0, POINTS);
    assert_memory_not_equal(first, mark, 8);
    tear_down(&f);
}

/* What tasks at hand hold is not overwritten; more than there is room for get none. */
static void holds(void **state) {
    (void)state;
    struct fixture f;
    const struct tsr_kernel *kernel;
    void *held[TSR_MAX_FORWARDS];
    MUST(tsr_kernel_find("reference", &kernel, err));
    set_up(&f, kernel, POINTS);
    for (size_t i = 0; i < TSR_MAX_FORWARDS; i++) {
        struct tsr_points points = {f.x[0], NULL, POINTS - i};
        held[i] = tsr_forwards_find(&f.forwards, &f.engine, 0, f.phi, &points);
        assert_non_null(held[i]);
    }
    struct tsr_points first = {f.x[0], NULL, POINTS}, new = {f.x[1], NULL, POINTS};
    assert_null(tsr_forwards_find(&f.forwards, &f.engine, 0, f.phi, &new));
    assert_ptr_equal(tsr_forwards_find(&f.forwards, &f.engine, 0, f.phi, &first), held[0]);
    tsr_forwards_release(&f.forwards);
    assert_ptr_equal(tsr_forwards_find(&f.forwards, &f.engine, 0, f.phi, &first), held[0]);
    assert_ptr_equal(tsr_forwards_find(&f.forwards, &f.engine, 0, f.phi, &new), held[1]);
    tear_down(&f);
}

/* Networks that no longer fit, kernels that have no tapes. */
static void none_for_large_regions(void **state) {
    (void)state;
    struct fixture f;
    for (const struct tsr_kernel *const *k = tsr_kernel_list(); *k; k++) {
        if (!(*k)->available()) continue;
        set_up(&f, *k, 20000);
        assert_int_equal(f.forwards.n, 0);
        assert_null(find(&f, f.phi, 0, POINTS));
        tear_down(&f);
        set_up(&f, *k, 5000); /* one piece, but more than 2 MiB */
        assert_null(find(&f, f.phi, 0, POINTS));
        tear_down(&f);
        set_up(&f, *k, POINTS);
        assert_int_equal(f.forwards.n > 0, (*k)->record != NULL);
        tear_down(&f);
    }
}

/* Three inner steps of one task; phi [n_params] and error [3]. */
static void three_steps(struct fixture *f, size_t array, size_t n, void *forward, tsr_real *phi,
                        double *error) {
    size_t n_params = f->net.n_params;
    struct tsr_rates rates;
    tsr_real rate = (tsr_real)0.01, *g = make(n_params, sizeof *g);
    const struct tsr_choice sgd = tsr_choice_of(&tsr_optimizer_sgd.object);
    struct tsr_task task = {.ctx = {f->x[array], f->y, n}, .ctx_scale = 1.0 / (double)(3 * n)};
    struct tsr_trajectory t = {.task = &task, .phi = phi, .g = g, .forward = forward};
    const struct tsr_inner_loop loop = {&f->engine, &sgd, &rates, 3, NULL, NULL, NULL};
    struct tsr_pass pass;
    tsr_rates_layout_all(&rates, TSR_RATES_FIXED, 3, 1, &f->net);
    rates.value = &rate;
    memcpy(phi, f->phi, n_params * sizeof *phi);
    for (size_t k = 0; k < 3; k++) {
        tsr_inner_run(&loop, 0, &t, 1, k, k + 1, &pass);
        error[k] = t.error;
    }
    free(g);
}

/* Also once more arrays than are remembered have come by. */
static void steps_have_the_same_bits(void **state) {
    (void)state;
    struct fixture f;
    for (const struct tsr_kernel *const *k = tsr_kernel_list(); *k; k++) {
        if (!(*k)->available() || !(*k)->record) continue;
        set_up(&f, *k, POINTS);
        size_t n_params = f.net.n_params;
        tsr_real *phi = make(n_params, sizeof *phi), *want = make(n_params, sizeof *want);
        for (size_t i = 0; i < 3 * ARRAYS; i++) {
            size_t array = i * 5 % ARRAYS, n = POINTS - array;
            double error[3], want_error[3];
            three_steps(&f, array, n, find(&f, f.phi, array, n), phi, error);
            three_steps(&f, array, n, NULL, want, want_error);
            ASSERT_SAME_BITS((*k)->name, phi, want, n_params);
            ASSERT_SAME_BITS((*k)->name, error, want_error, 3);
            three_steps(&f, array, n, find(&f, f.other_phi, array, n), phi, error);
            assert_true(error[0] != want_error[0]); /* it is really taken from there */
        }
        free(phi);
        free(want);
        tear_down(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_again),
        cmocka_unit_test(holds),
        cmocka_unit_test(none_for_large_regions),
        cmocka_unit_test(steps_have_the_same_bits),
    };
    return cmocka_run_group_tests_name("forwards", tests, NULL, NULL);
}
