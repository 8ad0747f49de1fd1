/* SPDX-License-Identifier: MIT
 *
 * Outer Adam, schedule, clipping and norm by hand arithmetic.
 */
#include "tests/check.h"

#include "inner/adam.h"
#include "meta/outer_optimizer.h"

/* With betas 1/2 and 3/4 and gradients 2, -2, 4 every moment is a short fraction:
 *   t   m      m/(1-b1^t)   v       v/(1-b2^t)
 *   1   1      2            1       4
 *   2  -0.5   -2/3          1.75    4
 *   3   1.75   2            5.3125  5.3125 / (37/64) */
static void adam_by_hand(void **state) {
    (void)state;
    const double direction[3] = {1, -1.0 / 3, 2 / sqrt(5.3125 * 64 / 37)};
    const tsr_real gradient[3] = {2, -2, 4};
    tsr_real x = 10, m = 0, v = 0;
    double want = 10;
    for (uint64_t t = 1; t <= 3; t++) {
        struct tsr_adam adam = {.lr = 0.5, .beta1 = 0.5, .beta2 = 0.75, .t = t};
        tsr_adam_update(&adam, 1, 1, &gradient[t - 1], &x, &m, &v);
        want -= 0.5 * direction[t - 1];
        assert_true(fabs((double)x - want) <= 2e-6);
    }
    assert_true(m == (tsr_real)1.75 && v == (tsr_real)5.3125);
}

/* Many updates of many values against algorithm 1 of the paper in double. */
static void adam_against_the_paper(void **state) {
    (void)state;
    enum { N = 40 };
    tsr_real x[N], g[N], m[N] = {0}, v[N] = {0};
    double want[N], wm[N] = {0}, wv[N] = {0};
    draw_all(x, N, -1, 1);
    for (size_t i = 0; i < N; i++)
        want[i] = (double)x[i];
    for (uint64_t t = 1; t <= 50; t++) {
        struct tsr_adam adam = {.lr = 0.01 / (double)t, .beta1 = 0.9, .beta2 = 0.99, .t = t};
        double factor = t % 2 ? 1 : 0.25;
        draw_all(g, N, -3, 3);
        tsr_adam_update(&adam, factor, N, g, x, m, v);
        for (size_t i = 0; i < N; i++) {
            double d = factor * (double)g[i];
            wm[i] = 0.9 * wm[i] + 0.1 * d;
            wv[i] = 0.99 * wv[i] + 0.01 * d * d;
            want[i] -= adam.lr * (wm[i] / (1 - pow(0.9, (double)t))) /
                       (sqrt(wv[i] / (1 - pow(0.99, (double)t))) + 1e-8);
        }
        ASSERT_CLOSE("x", x, want, N, 1e-6);
    }
    ASSERT_CLOSE("m", m, wm, N, 1e-5);
    ASSERT_CLOSE("v", v, wv, N, 1e-5);
}

/* The first update is the sign of the gradient times the rate, however small the gradient; none
 * without a gradient. */
static void first_update(void **state) {
    (void)state;
    struct tsr_adam adam = {.lr = 0.01, .beta1 = 0.9, .beta2 = 0.99, .t = 1};
    const tsr_real g[4] = {(tsr_real)1e-4, -1000, 0, (tsr_real)3e-3};
    tsr_real x[4] = {0}, m[4] = {0}, v[4] = {0};
    const double want[4] = {-0.01, 0.01, 0, -0.01};
    tsr_adam_update(&adam, 1, 4, g, x, m, v);
    ASSERT_CLOSE("x", x, want, 4, 2e-4);
    assert_true(x[2] == 0);
}

static void assert_value(double found, double want) {
    if (!(fabs(found - want) <= 1e-12)) fail_msg("%.15g, not %.15g", found, want);
}

static void schedule_corners(void **state) {
    (void)state;
    assert_value(tsr_schedule(0, 0, 0, 0.01), 1);
    assert_value(tsr_schedule(0, 1, 0, 0.01), 1);
    assert_value(tsr_schedule(1000, 0, 1, 0.01), 0.01);
    assert_value(tsr_schedule(1000, 0, 0.5, 0), 0.5);
    assert_value(tsr_schedule(1000, 0, 0.5, 0.2), 0.6);
    assert_value(tsr_schedule(1000, 0, 1.0 / 3, 0), 0.75);
    assert_value(tsr_schedule(1000, 0, 0.7, 1), 1);
    /* warm-up: 1/w, 2/w, .. 1 */
    assert_value(tsr_schedule(0, 100, 0, 0.01), 0.01);
    assert_value(tsr_schedule(49, 100, 0, 0.01), 0.5);
    assert_value(tsr_schedule(99, 100, 0, 0.01), 1);
    assert_value(tsr_schedule(100, 100, 0, 0.01), 1);
    /* both at once */
    assert_value(tsr_schedule(9, 20, 0.5, 0), 0.25);
    /* beyond the ends of the run */
    assert_value(tsr_schedule(5, 0, -1, 0.1), 1);
    assert_value(tsr_schedule(5, 0, 1.5, 0.1), 0.1);
}

static void schedule_falls(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++)
        assert_true(tsr_schedule(500, 100, i / 100.0, 0.01) >
                    tsr_schedule(500, 100, (i + 1) / 100.0, 0.01));
}

static void clipping(void **state) {
    (void)state;
    assert_true(tsr_clip_factor(5, 0) == 1);
    assert_true(tsr_clip_factor(5, 10) == 1);
    assert_true(tsr_clip_factor(10, 10) == 1);
    assert_true(tsr_clip_factor(0, 0.1) == 1);
    assert_value(tsr_clip_factor(40, 10), 0.25);
    tsr_real g[2] = {30, 40};
    double factor = tsr_clip_factor(tsr_norm(g, 2), 5);
    g[0] *= (tsr_real)factor, g[1] *= (tsr_real)factor;
    assert_true(fabs(tsr_norm(g, 2) - 5) <= 1e-5);
}

static void norm(void **state) {
    (void)state;
    const tsr_real x[4] = {3, -4, 12, 0};
    assert_true(tsr_norm(x, 4) == 13);
    assert_true(tsr_norm(x, 0) == 0);
    const tsr_real large[2] = {(tsr_real)3e30, (tsr_real)4e30}; /* squares overflow a float */
    assert_true(fabs(tsr_norm(large, 2) / 5e30 - 1) <= 1e-6);
    const tsr_real bad[3] = {1, (tsr_real)NAN, 1}, infinite[2] = {1, (tsr_real)-INFINITY};
    assert_true(isnan(tsr_norm(bad, 3)));
    assert_true(isinf(tsr_norm(infinite, 2)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adam_by_hand),   cmocka_unit_test(adam_against_the_paper),
        cmocka_unit_test(first_update),   cmocka_unit_test(schedule_corners),
        cmocka_unit_test(schedule_falls), cmocka_unit_test(clipping),
        cmocka_unit_test(norm),
    };
    return cmocka_run_group_tests_name("outer optimiser", tests, NULL, NULL);
}
