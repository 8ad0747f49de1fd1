/* SPDX-License-Identifier: MIT
 *
 * Runs of the exponential-increase experiments against the protocol written out plainly; matched
 * widths; independence of threads; the bound; interruption.
 */
#include "tests/check.h"

#include "inner/pass.h"
#include "study/hypothesis.h"
#include "study/step_function.h"

static const struct tsr_kernel *kernel(const char *name) {
    const struct tsr_kernel *k = NULL;
    MUST(tsr_kernel_find(name, &k, err));
    return k;
}

/* A case that ends in some tens of steps, before rounding makes two ways of computing it differ. */
static struct tsr_hypothesis small(size_t dim) {
    struct tsr_hypothesis h;
    tsr_hypothesis_default(dim, &h);
    h.width = 12;
    h.points = dim == 1 ? 1100 : 20;
    h.max_steps = 400;
    h.lr = 5e-3;
    h.target = 0.2;
    h.seed = 11;
    return h;
}

/* ---- the protocol, written out -----------------------------------------------------------------
 */

struct plain {
    const struct tsr_hypothesis *h;
    struct tsr_step_function f;
    struct tsr_net net;
    uint64_t key;
    void *workspace;
    tsr_real *x, *y, *test_x, *test_y, *out;
    size_t n;
};

/* Piece `r`, `c` of the signal (c is 0 in 1-D): its test set; in 2-D also its training points. */
static void plain_test_set(struct plain *p, size_t r, size_t c) {
    const struct tsr_hypothesis *h = p->h;
    size_t from = h->points * r / h->partition, to = h->points * (r + 1) / h->partition;
    p->n = 0;
    if (h->dim == 1) {
        for (size_t i = from; i < to; i++) {
            double local = 2 * (double)(i - from) / (double)(to - from) - 1;
            double x = (local + 1 + 2 * (double)r) / (double)h->partition - 1;
            p->test_x[p->n] = (tsr_real)local;
            p->test_y[p->n++] = (tsr_real)tsr_step_sign(&p->f, 0, x);
        }
        return;
    }
    size_t left = h->points * c / h->partition, right = h->points * (c + 1) / h->partition;
    for (size_t i = from; i < to; i++)
        for (size_t j = left; j < right; j++, p->n++) {
            double y = -1 + 2 * (double)i / (double)(h->points - 1);
            double x = -1 + 2 * (double)j / (double)(h->points - 1);
            p->test_x[2 * p->n] = (tsr_real)(-1 + 2 * (double)(i - from) / (double)(to - from - 1));
            p->test_x[2 * p->n + 1] =
                (tsr_real)(-1 + 2 * (double)(j - left) / (double)(right - left - 1));
            p->test_y[p->n] = (tsr_real)(tsr_step_sign(&p->f, 0, y) * tsr_step_sign(&p->f, 1, x));
        }
}

static void plain_train_set(struct plain *p, size_t piece, size_t step) {
    size_t pieces = p->h->partition;
    memcpy(p->x, p->test_x, p->n * p->h->dim * sizeof *p->x);
    memcpy(p->y, p->test_y, p->n * sizeof *p->y);
    for (size_t i = 0; p->h->dim == 1 && i < p->n; i++) {
        double t =
            tsr_random_uniform(p->key, (uint64_t)piece << 32 | TSR_STREAM_POINTS, step * p->n + i);
        p->x[i] = (tsr_real)(2 * t - 1);
        p->y[i] = (tsr_real)tsr_step_sign(&p->f, 0, 2 * ((double)piece + t) / (double)pieces - 1);
    }
}

static double plain_test_error(struct plain *p, const double *phi) {
    tsr_real *rounded = make(p->net.n_params, sizeof *rounded);
    double sum = 0;
    for (size_t i = 0; i < p->net.n_params; i++)
        rounded[i] = (tsr_real)phi[i];
    kernel("reference")->forward(&p->net, rounded, p->test_x, p->n, p->out, p->workspace);
    for (size_t i = 0; i < p->n; i++)
        sum += pow((double)p->out[i] - (double)p->test_y[i], 2);
    free(rounded);
    return sum / (double)p->n;
}

/* Adam as in algorithm 1 of its paper, in double. Returns the steps; *mse is the test error. */
static size_t plain_fit(struct plain *p, size_t piece, double *mse) {
    size_t n = p->net.n_params, step = 0;
    double *phi = make(n, sizeof *phi), *m = make(n, sizeof *m), *v = make(n, sizeof *v);
    tsr_real *rounded = make(n, sizeof *rounded), *g = make(n, sizeof *g);
    size_t last_bias = p->net.bias_at[p->net.n_layers - 1];
    tsr_network_randomize(&p->net, p->key, piece, rounded);
    for (size_t i = 0; i < n; i++)
        phi[i] = (double)rounded[i];
    double u = tsr_random_uniform(p->key, (uint64_t)piece << 32 | TSR_STREAM_INIT, last_bias);
    phi[last_bias] = (2 * u - 1) / sqrt((double)p->net.width); /* torch.nn.Linear */
    do {
        plain_train_set(p, piece, step);
        struct tsr_points points = {p->x, p->y, p->n};
        for (size_t i = 0; i < n; i++)
            rounded[i] = (tsr_real)phi[i], g[i] = 0;
        (void)kernel("reference")
            ->gradient(&p->net, rounded, &points, 1 / (double)p->n, g, NULL, NULL, p->workspace);
        step++;
        for (size_t i = 0; i < n; i++) {
            double d = (double)g[i], t = (double)step;
            m[i] = 0.9 * m[i] + 0.1 * d;
            v[i] = 0.999 * v[i] + 0.001 * d * d;
            phi[i] -=
                p->h->lr * (m[i] / (1 - pow(0.9, t))) / (sqrt(v[i] / (1 - pow(0.999, t))) + 1e-8);
        }
        *mse = plain_test_error(p, phi);
    } while (*mse >= p->h->target && step < p->h->max_steps);
    free(phi), free(m), free(v), free(rounded), free(g);
    return step;
}

/* Steps of each piece; returns the test error over all of them. */
static double plain_run(const struct tsr_hypothesis *h, size_t n, size_t index, size_t *steps) {
    struct plain p = {.h = h};
    void *workspace;
    size_t points = h->points * (h->dim == 1 ? 1 : h->points), piece = 0;
    double sum = 0;
    p.key = tsr_random_u64(h->seed, (uint64_t)n << 32 | TSR_STREAM_RUN, index);
    MUST(tsr_step_function_create(h->dim, n, p.key, &p.f, err));
    tsr_hypothesis_network(h, &p.net);
    MUST(tsr_alloc(&workspace, 1, kernel("reference")->workspace_size(&p.net), "test", err));
    p.workspace = workspace;
    p.x = make(points * h->dim, sizeof *p.x), p.y = make(points, sizeof *p.y);
    p.test_x = make(points * h->dim, sizeof *p.x), p.test_y = make(points, sizeof *p.y);
    p.out = make(points, sizeof *p.out);
    for (size_t r = 0; r < h->partition; r++)
        for (size_t c = 0; c < (h->dim == 1 ? 1 : h->partition); c++, piece++) {
            double mse;
            plain_test_set(&p, r, c);
            steps[piece] = plain_fit(&p, piece, &mse);
            sum += mse * (double)p.n;
        }
    free(p.x), free(p.y), free(p.test_x), free(p.test_y), free(p.out), free(workspace);
    tsr_step_function_clear(&p.f);
    return sum / (double)points;
}

static void assert_protocol(struct tsr_hypothesis h, size_t n) {
    size_t steps[16], want[16], pieces = tsr_hypothesis_pieces(&h), total = 0;
    struct tsr_hypothesis_run run = {.n = n, .index = 2, .piece_steps = steps};
    double mse = plain_run(&h, n, 2, want);
    MUST(tsr_hypothesis_run(&h, kernel("auto"), 1, &run, 1, NULL, err));
    assert_true(run.done);
    for (size_t i = 0; i < pieces; i++) {
        if (steps[i] != want[i])
            fail_msg("%zu-D, %zu pieces, piece %zu: %zu steps, not %zu", h.dim, pieces, i, steps[i],
                     want[i]);
        total += steps[i];
    }
    assert_int_equal(run.steps, total);
    assert_true(total > 4 * pieces); /* there was something to do */
    if (!(fabs(run.mse / mse - 1) < 1e-2)) fail_msg("error %g, not %g", run.mse, mse);
}

static void protocol(void **state) {
    (void)state;
    for (size_t dim = 1; dim <= 2; dim++)
        for (size_t partition = 1; partition <= 3; partition++) {
            struct tsr_hypothesis h = small(dim);
            h.partition = partition;
            assert_protocol(h, dim == 1 ? 3 : 7);
        }
}

/* ---- settings ----------------------------------------------------------------------------------
 */

/* No other width comes closer to the parameters of the single network. */
static void matched_widths(void **state) {
    (void)state;
    for (int i = 0; i < 200; i++) {
        struct tsr_hypothesis h = small(draw_size(1, 2));
        struct tsr_net single, piece;
        h.width = draw_size(1, 100);
        h.hidden_layers = draw_size(0, 4);
        tsr_hypothesis_network(&h, &single);
        assert_int_equal(single.width, h.width);
        h.partition = draw_size(2, 9);
        tsr_hypothesis_network(&h, &piece);
        double pieces = (double)tsr_hypothesis_pieces(&h), total = (double)single.n_params;
        double off = fabs(pieces * (double)piece.n_params - total);
        for (size_t width = 1; width <= 100; width++) {
            struct tsr_hypothesis other = h;
            other.partition = 1;
            other.width = width;
            tsr_hypothesis_network(&other, &single);
            assert_true(fabs(pieces * (double)single.n_params - total) >= off);
        }
    }
}

/* The settings of the paper's code: SIREN of 3,265 and 3,297 parameters. */
static void defaults(void **state) {
    (void)state;
    for (size_t dim = 1; dim <= 2; dim++) {
        struct tsr_hypothesis h;
        struct tsr_net net;
        tsr_hypothesis_default(dim, &h);
        MUST(tsr_hypothesis_check(&h, err));
        tsr_hypothesis_network(&h, &net);
        assert_int_equal(net.n_params, (dim + 1) * 32 + 3 * 33 * 32 + 33);
        assert_true(net.omega[0] == (dim == 1 ? 10 : 30) && net.omega[1] == 30 &&
                    net.output_offset == 0 && net.n_layers == 5);
    }
}

static void refused(void **state) {
    (void)state;
#define REFUSED(member, value, text)                                                               \
    do {                                                                                           \
        struct tsr_hypothesis h = small(1);                                                        \
        h.member = (value);                                                                        \
        MUST_FAIL(tsr_hypothesis_check(&h, err), TSR_ERR_CONFIG, text);                            \
    } while (0)
    REFUSED(dim, 3, "3 dimensions");
    REFUSED(width, 0, "width is 0");
    REFUSED(omega_first, -1, "omega_first");
    REFUSED(max_steps, 0, "no steps");
    REFUSED(target, 0, "target is 0");
    REFUSED(lr, (double)NAN, "rate is");
    REFUSED(partition, 0, "0 pieces");
    REFUSED(partition, 65, "65 pieces");
    REFUSED(points, 1, "1 points");
#undef REFUSED
    struct tsr_hypothesis h = small(2);
    struct tsr_hypothesis_run runs[2] = {{.n = 7}, {.n = 14}};
    MUST_FAIL(tsr_hypothesis_run(&h, kernel("auto"), 1, runs, 2, NULL, err), TSR_ERR_CONFIG,
              "29 is a prime");
}

/* ---- runs --------------------------------------------------------------------------------------
 */

enum { RUNS = 8 };

static void make_runs(const struct tsr_hypothesis *h, size_t threads,
                      struct tsr_hypothesis_run *runs) {
    for (size_t i = 0; i < RUNS; i++)
        runs[i] = (struct tsr_hypothesis_run){.n = h->dim == 1 ? 1 + i / 2 : 4 + 3 * (i / 4),
                                              .index = h->dim == 1 ? i % 2 : i % 4};
    MUST(tsr_hypothesis_run(h, kernel("auto"), threads, runs, RUNS, NULL, err));
}

static void any_threads(void **state) {
    (void)state;
    for (size_t dim = 1; dim <= 2; dim++) {
        struct tsr_hypothesis h = small(dim);
        struct tsr_hypothesis_run one[RUNS], other[RUNS];
        bool differ = false;
        h.partition = dim;
        make_runs(&h, 1, one);
        for (size_t threads = 2; threads <= 3; threads++) {
            make_runs(&h, threads, other);
            for (size_t i = 0; i < RUNS; i++) {
                assert_int_equal(one[i].steps, other[i].steps);
                ASSERT_SAME_BITS("error", &one[i].mse, &other[i].mse, 1);
            }
        }
        h.seed++;
        make_runs(&h, 1, other);
        for (size_t i = 0; i < RUNS; i++)
            differ |= one[i].mse != other[i].mse;
        assert_true(differ);
    }
}

/* A run that does not reach the target has used all its steps and says so; one more step than it
 * needs is enough. */
static void bound(void **state) {
    (void)state;
    for (size_t dim = 1; dim <= 2; dim++) {
        struct tsr_hypothesis h = small(dim);
        struct tsr_hypothesis_run full = {.n = dim == 1 ? 3 : 7}, run = full;
        MUST(tsr_hypothesis_run(&h, kernel("auto"), 1, &full, 1, NULL, err));
        assert_true(full.censored == 0 && full.mse < h.target && full.steps < h.max_steps);
        h.max_steps = full.steps;
        MUST(tsr_hypothesis_run(&h, kernel("auto"), 1, &run, 1, NULL, err));
        assert_true(run.steps == full.steps && run.censored == 0 && run.mse == full.mse);
        h.max_steps = full.steps - 1;
        MUST(tsr_hypothesis_run(&h, kernel("auto"), 1, &run, 1, NULL, err));
        assert_true(run.steps == full.steps - 1 && run.censored == 1 && run.mse >= h.target);
    }
}

/* A rate that makes everything infinite: the run goes to its bound and has no error to show. */
static void diverged(void **state) {
    (void)state;
    struct tsr_hypothesis h = small(1);
    struct tsr_hypothesis_run run = {.n = 2};
    h.lr = 1e38;
    h.max_steps = 30;
    MUST(tsr_hypothesis_run(&h, kernel("reference"), 1, &run, 1, NULL, err));
    assert_true(run.done && run.censored == 1 && run.steps == 30 && !(run.mse < h.target));
}

struct counter {
    size_t steps, done, stop_after;
};

static bool count_step(void *user) {
    struct counter *c = user;
    return ++c->steps < c->stop_after;
}

static void count_done(void *user, const struct tsr_hypothesis_run *run) {
    struct counter *c = user;
    assert_true(run->done);
    c->done++;
}

static void interrupted(void **state) {
    (void)state;
    struct tsr_hypothesis h = small(1);
    struct tsr_hypothesis_run whole[RUNS], runs[RUNS];
    struct counter c = {.stop_after = SIZE_MAX};
    struct tsr_hypothesis_events events = {.user = &c, .step = count_step, .done = count_done};
    size_t done = 0, total = 0;
    make_runs(&h, 1, whole);
    memcpy(runs, whole, sizeof runs);
    MUST(tsr_hypothesis_run(&h, kernel("auto"), 1, runs, RUNS, &events, err));
    for (size_t i = 0; i < RUNS; i++)
        total += whole[i].steps;
    assert_true(c.steps == total && c.done == RUNS);
    c = (struct counter){.stop_after = total / 2};
    MUST_FAIL(tsr_hypothesis_run(&h, kernel("auto"), 1, runs, RUNS, &events, err),
              TSR_ERR_INTERRUPTED, "interrupted");
    for (size_t i = 0; i < RUNS; i++) {
        done += runs[i].done;
        if (runs[i].done) assert_int_equal(runs[i].steps, whole[i].steps);
        if (i > 0 && runs[i - 1].n < runs[i].n) assert_true(runs[i].done >= runs[i - 1].done);
    }
    assert_true(done == c.done && done > 0 && done < RUNS && c.steps == total / 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(protocol), cmocka_unit_test(matched_widths), cmocka_unit_test(defaults),
        cmocka_unit_test(refused),  cmocka_unit_test(any_threads),    cmocka_unit_test(bound),
        cmocka_unit_test(diverged), cmocka_unit_test(interrupted),
    };
    return cmocka_run_group_tests_name("hypothesis", tests, NULL, NULL);
}
