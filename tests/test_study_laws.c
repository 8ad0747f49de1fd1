/* SPDX-License-Identifier: MIT
 *
 * Laws of growth: least squares by hand, known parameters found again with and without censoring,
 * the likelihood against its definition.
 */
#include "tests/check.h"

#include "study/laws.h"

enum { POINTS = 30, REPEATS = 5, TRIALS = POINTS * REPEATS };

static double law_at(enum tsr_law_kind kind, double a, double b, double n) {
    struct tsr_law law = {.a = a, .b = b};
    return tsr_law_steps(kind, &law, n);
}

/* Trials of a known law with log-normal noise, ended at `bound`. */
static size_t make_trials(enum tsr_law_kind kind, double a, double b, double sigma, double bound,
                          uint64_t seed, struct tsr_trial *out) {
    size_t censored = 0;
    for (size_t i = 0; i < TRIALS; i++) {
        double n = 1 + 2 * (double)(i / REPEATS);
        double t = law_at(kind, a, b, n) * exp(sigma * tsr_random_normal(seed, TSR_STREAM_USER, i));
        out[i] = (struct tsr_trial){.n = n, .steps = t < bound ? t : bound, .censored = t >= bound};
        censored += out[i].censored;
    }
    return censored;
}

static void assert_near(const char *what, double found, double want, double tolerance) {
    if (!(fabs(found - want) <= tolerance))
        fail_msg("%s: %.15g, not %.15g within %.3g", what, found, want, tolerance);
}

/* Without censoring the largest likelihood is that of least squares on log T. */
static void least_squares(void **state) {
    (void)state;
    struct tsr_trial trials[TRIALS];
    struct tsr_law laws[TSR_N_LAWS];
    (void)make_trials(TSR_LAW_EXPONENTIAL, 22, 0.075, 0.3, INFINITY, 1, trials);
    MUST(tsr_laws_fit(trials, TRIALS, 0, 0, laws, err));
    for (int kind = TSR_LAW_EXPONENTIAL; kind <= TSR_LAW_POWER; kind++) {
        double mx = 0, my = 0, xx = 0, xy = 0, rr = 0;
        for (size_t i = 0; i < TRIALS; i++) {
            double x = kind == TSR_LAW_POWER ? log(trials[i].n) : trials[i].n;
            mx += x / TRIALS, my += log(trials[i].steps) / TRIALS;
        }
        for (size_t i = 0; i < TRIALS; i++) {
            double x = (kind == TSR_LAW_POWER ? log(trials[i].n) : trials[i].n) - mx;
            xx += x * x, xy += x * (log(trials[i].steps) - my);
        }
        double b = xy / xx, a = exp(my - b * mx);
        for (size_t i = 0; i < TRIALS; i++) {
            double x = kind == TSR_LAW_POWER ? log(trials[i].n) : trials[i].n;
            double r = log(trials[i].steps) - log(a) - b * x;
            rr += r * r;
        }
        double sigma = sqrt(rr / TRIALS);
        double likelihood = -TRIALS * (log(sigma) + 0.5 * log(2 * 3.14159265358979324) + 0.5);
        assert_near("b", laws[kind].b, b, 1e-9);
        assert_near("a", laws[kind].a / a, 1, 1e-8);
        assert_near("sigma", laws[kind].sigma, sigma, 1e-9);
        assert_near("likelihood", laws[kind].log_likelihood, likelihood, 1e-7);
        assert_near("AIC", laws[kind].aic, 6 - 2 * likelihood, 1e-7);
    }
}

/* Each law is found again from its own trials, and told from the other two. */
static void own_law(void **state) {
    (void)state;
    static const double a[] = {22, 5, 60}, b[] = {0.075, 1.7, 9}, tolerance[] = {0.004, 0.08, 1.2};
    for (int kind = 0; kind < TSR_N_LAWS; kind++) {
        struct tsr_trial trials[TRIALS];
        struct tsr_law laws[TSR_N_LAWS];
        (void)make_trials((enum tsr_law_kind)kind, a[kind], b[kind], 0.25, INFINITY, 2, trials);
        MUST(tsr_laws_fit(trials, TRIALS, 200, 3, laws, err));
        assert_near("b", laws[kind].b, b[kind], tolerance[kind]);
        assert_near("sigma", laws[kind].sigma, 0.25, 0.04);
        assert_true(laws[kind].r2 > 0.95);
        assert_true(laws[kind].chosen > 0.9);
        assert_true(laws[kind].a_interval[0] < laws[kind].a &&
                    laws[kind].a < laws[kind].a_interval[1]);
        assert_true(laws[kind].b_interval[0] < laws[kind].b &&
                    laws[kind].b < laws[kind].b_interval[1]);
        for (int other = 0; other < TSR_N_LAWS; other++)
            if (other != kind) assert_true(laws[other].aic > laws[kind].aic + 10);
    }
}

/* A bound that ends a third of the trials: the likelihood sees through it; taking the bound for the
 * steps themselves, the control, does not. */
static void censored(void **state) {
    (void)state;
    static const double a[] = {22, 5, 60}, b[] = {0.075, 1.7, 9}, bound[] = {400, 1500, 400};
    static const double tolerance[] = {0.008, 0.13, 1.2};
    for (int kind = 0; kind < TSR_N_LAWS; kind++) {
        struct tsr_trial trials[TRIALS];
        struct tsr_law laws[TSR_N_LAWS], naive[TSR_N_LAWS];
        size_t ended =
            make_trials((enum tsr_law_kind)kind, a[kind], b[kind], 0.25, bound[kind], 4, trials);
        assert_true(ended > TRIALS / 5 && ended < TRIALS / 2);
        MUST(tsr_laws_fit(trials, TRIALS, 0, 0, laws, err));
        for (size_t i = 0; i < TRIALS; i++)
            trials[i].censored = false;
        MUST(tsr_laws_fit(trials, TRIALS, 0, 0, naive, err));
        assert_near("b", laws[kind].b, b[kind], tolerance[kind]);
        assert_near("sigma", laws[kind].sigma, 0.25, 0.04);
        assert_true(naive[kind].b < b[kind] - tolerance[kind]);
    }
}

static double likelihood_by_definition(enum tsr_law_kind kind, double a, double b, double sigma,
                                       const struct tsr_trial *trials) {
    double sum = 0;
    for (size_t i = 0; i < TRIALS; i++) {
        double z = (log(trials[i].steps) - log(law_at(kind, a, b, trials[i].n))) / sigma;
        if (trials[i].censored)
            sum += log(0.5 * erfc(z / sqrt(2.0)));
        else
            sum -= log(sigma * sqrt(2 * 3.14159265358979324)) + 0.5 * z * z;
    }
    return sum;
}

/* The value is that of the definition, and no parameter can be moved for the better. */
static void largest_likelihood(void **state) {
    (void)state;
    for (int kind = 0; kind < TSR_N_LAWS; kind++) {
        enum tsr_law_kind k = (enum tsr_law_kind)kind;
        struct tsr_trial trials[TRIALS];
        struct tsr_law laws[TSR_N_LAWS];
        (void)make_trials(TSR_LAW_EXPONENTIAL, 22, 0.075, 0.3, 900, 5, trials);
        MUST(tsr_laws_fit(trials, TRIALS, 0, 0, laws, err));
        const struct tsr_law *l = &laws[kind];
        assert_near("likelihood", l->log_likelihood,
                    likelihood_by_definition(k, l->a, l->b, l->sigma, trials), 1e-7);
        for (int side = -1; side <= 1; side += 2) {
            double up = 1 + 1e-3 * side;
            assert_true(likelihood_by_definition(k, l->a * up, l->b, l->sigma, trials) <
                        l->log_likelihood);
            assert_true(likelihood_by_definition(k, l->a, l->b * up, l->sigma, trials) <
                        l->log_likelihood);
            assert_true(likelihood_by_definition(k, l->a, l->b, l->sigma * up, trials) <
                        l->log_likelihood);
        }
    }
}

/* The order of the trials does not matter; the seed of the bootstrap does, to the intervals. */
static void repeatable(void **state) {
    (void)state;
    struct tsr_trial trials[TRIALS], turned[TRIALS];
    struct tsr_law a[TSR_N_LAWS], b[TSR_N_LAWS], other[TSR_N_LAWS];
    (void)make_trials(TSR_LAW_EXPONENTIAL, 22, 0.075, 0.3, 900, 6, trials);
    for (size_t i = 0; i < TRIALS; i++)
        turned[i] = trials[TRIALS - 1 - i];
    MUST(tsr_laws_fit(trials, TRIALS, 50, 7, a, err));
    MUST(tsr_laws_fit(turned, TRIALS, 50, 7, b, err));
    MUST(tsr_laws_fit(trials, TRIALS, 50, 8, other, err));
    for (int k = 0; k < TSR_N_LAWS; k++) {
        ASSERT_SAME_BITS("a", &a[k].a, &b[k].a, 1);
        ASSERT_SAME_BITS("b", &a[k].b, &b[k].b, 1);
        ASSERT_SAME_BITS("interval", a[k].b_interval, b[k].b_interval, 2);
        ASSERT_SAME_BITS("b", &a[k].b, &other[k].b, 1);
        assert_true(a[k].b_interval[0] != other[k].b_interval[0]);
    }
}

/* Intervals of 95 % hold the truth in about 95 of 100 cases. */
static void coverage(void **state) {
    (void)state;
    size_t inside = 0;
    for (uint64_t i = 0; i < 100; i++) {
        struct tsr_trial trials[TRIALS];
        struct tsr_law laws[TSR_N_LAWS];
        (void)make_trials(TSR_LAW_EXPONENTIAL, 22, 0.075, 0.3, 1200, 100 + i, trials);
        MUST(tsr_laws_fit(trials, TRIALS, 100, i, laws, err));
        inside += laws[0].b_interval[0] < 0.075 && 0.075 < laws[0].b_interval[1];
    }
    if (inside < 88) fail_msg("%zu of 100 intervals hold the truth", inside);
}

/* Exact data: sigma goes to its bound, the law is exact. */
static void exact_data(void **state) {
    (void)state;
    struct tsr_trial trials[TRIALS];
    struct tsr_law laws[TSR_N_LAWS];
    (void)make_trials(TSR_LAW_POWER, 3, 2, 0, INFINITY, 0, trials);
    MUST(tsr_laws_fit(trials, TRIALS, 20, 0, laws, err));
    assert_near("a", laws[TSR_LAW_POWER].a, 3, 1e-6);
    assert_near("b", laws[TSR_LAW_POWER].b, 2, 1e-6);
    assert_near("R2", laws[TSR_LAW_POWER].r2, 1, 1e-6);
    assert_true(laws[TSR_LAW_POWER].chosen == 1);
}

static void too_little(void **state) {
    (void)state;
    struct tsr_trial t[6] = {{1, 10, false}, {2, 20, false}, {3, 40, false},
                             {4, 80, false}, {5, 0, false},  {6, 9, false}};
    struct tsr_law laws[TSR_N_LAWS];
    MUST_FAIL(tsr_laws_fit(t, 3, 0, 0, laws, err), TSR_ERR_CONFIG, "too little");
    MUST_FAIL(tsr_laws_fit(t, 0, 0, 0, laws, err), TSR_ERR_CONFIG, "too little");
    MUST_FAIL(tsr_laws_fit(t, 5, 0, 0, laws, err), TSR_ERR_CONFIG, "must be positive");
    MUST(tsr_laws_fit(t, 4, 10, 0, laws, err));
    /* one trial for each n: nothing to resample */
    assert_true(isnan(laws[0].a_interval[0]) && isnan(laws[0].chosen));
    t[3].censored = true;
    MUST_FAIL(tsr_laws_fit(t, 4, 0, 0, laws, err), TSR_ERR_CONFIG, "too little");
    for (int i = 0; i < 4; i++)
        t[i].n = 1 + i / 2, t[i].censored = false;
    MUST_FAIL(tsr_laws_fit(t, 4, 0, 0, laws, err), TSR_ERR_CONFIG, "3 different n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(least_squares), cmocka_unit_test(own_law),
        cmocka_unit_test(censored),      cmocka_unit_test(largest_likelihood),
        cmocka_unit_test(repeatable),    cmocka_unit_test(coverage),
        cmocka_unit_test(exact_data),    cmocka_unit_test(too_little),
    };
    return cmocka_run_group_tests_name("laws", tests, NULL, NULL);
}
