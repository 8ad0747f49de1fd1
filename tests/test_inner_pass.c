/* SPDX-License-Identifier: MIT
 *
 * Passes over regions of 0 points to more than the largest number of pieces: the sums are those of
 * the reference kernel over all points at once, and the bits the same alone and in teams of any
 * size.
 */
#include "tests/check.h"
#include "tests/test_kinds.h"

#include <stdatomic.h>

#include "base/memory.h"
#include "inner/network.h"
#include "inner/pass.h"

#ifdef TSR_REAL_DOUBLE
#define TOLERANCE 1e-11
#else
#define TOLERANCE 1e-4 /* sums of up to 70,000 terms */
#endif

enum { LARGEST = 70000 };
static const size_t sizes[] = {0, 1, 47, 6143, 6144, 20000, 4096 * 16, LARGEST};
enum { N_SIZES = sizeof sizes / sizeof *sizes };

struct fixture {
    struct tsr_net net;
    tsr_real *x, *y, *phi, *v;
};

static int set_up(void **state) {
    struct fixture *f = make(1, sizeof *f);
    struct tsr_network_config config = {.kind = siren(5, 5),
                                        .in_dim = 2,
                                        .out_dim = 3,
                                        .width = 4,
                                        .hidden_layers = 0,
                                        .output_offset = 0.5};
    tsr_network_layout(&config, &f->net);
    f->x = make(LARGEST * 2, sizeof *f->x);
    f->y = make(LARGEST * 3, sizeof *f->y);
    f->phi = make(f->net.n_params, sizeof *f->phi);
    f->v = make(f->net.n_params, sizeof *f->v);
    draw_all(f->x, LARGEST * 2, -1, 1);
    draw_all(f->y, LARGEST * 3, 0, 1);
    draw_all(f->v, f->net.n_params, -1, 1);
    tsr_network_randomize(&f->net, 3, 0, f->phi);
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    free(f->x);
    free(f->y);
    free(f->phi);
    free(f->v);
    free(f);
    return 0;
}

/* Result and outputs of a pass of each size. */
struct results {
    tsr_real *result[N_SIZES], *out[N_SIZES];
    double error[N_SIZES];
};

static void free_results(struct results *r) {
    for (size_t i = 0; i < N_SIZES; i++) {
        free(r->result[i]);
        free(r->out[i]);
    }
}

/* All sizes in one call. */
static void run(const struct fixture *f, const struct tsr_kernel *kernel, enum tsr_pass_kind kind,
                size_t threads, size_t thread, struct results *r) {
    struct tsr_engine engine;
    struct tsr_pass passes[N_SIZES];
    struct tsr_points points[N_SIZES];
    tsr_real *partial[N_SIZES];
    MUST(tsr_engine_create(&f->net, kernel, threads, &engine, err));
    for (size_t i = 0; i < N_SIZES; i++) {
        size_t n = sizes[i], scratch = tsr_pass_partial(&engine, n, thread == TSR_TEAM);
        points[i] = (struct tsr_points){f->x, f->y, n};
        r->result[i] = make(f->net.n_params, sizeof(tsr_real));
        r->out[i] = make(n * 3, sizeof(tsr_real));
        partial[i] = scratch ? make(scratch, sizeof(tsr_real)) : NULL;
        passes[i] = (struct tsr_pass){.kind = kind,
                                      .points = &points[i],
                                      .scale = 1.0 / (double)(3 * n + 1),
                                      .phi = f->phi,
                                      .v = f->v,
                                      .result = r->result[i],
                                      .out = kind == TSR_PASS_HVP ? NULL : r->out[i],
                                      .partial = partial[i]};
        /* overwritten, not added to */
        draw_all(r->result[i], f->net.n_params, -1, 1);
    }
    tsr_pass_run(&engine, thread, passes, N_SIZES);
    for (size_t i = 0; i < N_SIZES; i++) {
        r->error[i] = passes[i].error;
        free(partial[i]);
    }
    tsr_engine_clear(&engine);
}

static void number_of_pieces(void **state) {
    (void)state;
    size_t last = 1;
    assert_int_equal(tsr_pass_pieces(0), 1);
    for (size_t n = 0; n < 200000; n += 97) {
        size_t pieces = tsr_pass_pieces(n);
        assert_true(pieces >= last && pieces <= TSR_PASS_MAX_PIECES);
        last = pieces;
    }
    assert_int_equal(last, TSR_PASS_MAX_PIECES);
    assert_int_equal(tsr_pass_pieces(SIZE_MAX / 2), TSR_PASS_MAX_PIECES);
}

static void scratch_needed(void **state) {
    const struct fixture *f = *state;
    struct tsr_engine engine = {.net = f->net};
    for (size_t i = 0; i < N_SIZES; i++) {
        size_t others = tsr_pass_pieces(sizes[i]) - 1, n = f->net.n_params;
        assert_int_equal(tsr_pass_partial(&engine, sizes[i], true), others * n);
        assert_int_equal(tsr_pass_partial(&engine, sizes[i], false), others ? n : 0);
    }
}

static void reference(const struct fixture *f, enum tsr_pass_kind kind, size_t n, double *result,
                      double *error) {
    const struct tsr_kernel *kernel;
    struct tsr_arena scratch;
    struct tsr_points points = {f->x, f->y, n};
    tsr_real *sum = make(f->net.n_params, sizeof *sum);
    double scale = 1.0 / (double)(3 * n + 1);
    MUST(tsr_kernel_find("reference", &kernel, err));
    MUST(tsr_arena_create(&scratch, kernel->workspace_size(&f->net), "scratch", err));
    *error = 0;
    /* in small parts, added in double: the reference's own rounding stays out of it */
    for (size_t from = 0; from < n; from += 256) {
        points =
            (struct tsr_points){f->x + 2 * from, f->y + 3 * from, n - from < 256 ? n - from : 256};
        memset(sum, 0, f->net.n_params * sizeof *sum);
        if (kind == TSR_PASS_HVP)
            kernel->hvp(&f->net, f->phi, f->v, &points, scale, sum, NULL, scratch.base);
        else
            *error +=
                kernel->gradient(&f->net, f->phi, &points, scale, sum, NULL, NULL, scratch.base);
        for (size_t j = 0; j < f->net.n_params; j++)
            result[j] += (double)sum[j];
    }
    tsr_arena_free(&scratch);
    free(sum);
}

static void sums_of_all_points(void **state) {
    const struct fixture *f = *state;
    const struct tsr_kernel *kernel;
    MUST(tsr_kernel_find("auto", &kernel, err));
    for (int kind = TSR_PASS_GRADIENT; kind <= TSR_PASS_HVP; kind++) {
        struct results r;
        run(f, kernel, (enum tsr_pass_kind)kind, 1, 0, &r);
        for (size_t i = 0; i < N_SIZES; i++) {
            double *want = make(f->net.n_params, sizeof *want), error;
            reference(f, (enum tsr_pass_kind)kind, sizes[i], want, &error);
            if (sizes[i] > 0)
                ASSERT_CLOSE("sum", r.result[i], want, f->net.n_params, TOLERANCE);
            else
                assert_true(r.result[i][0] == 0);
            if (kind == TSR_PASS_GRADIENT)
                assert_true(fabs(r.error[i] - error) <= TOLERANCE * error);
            free(want);
        }
        free_results(&r);
    }
}

/* The error of a forward pass is that of the gradient, and that of its own outputs. */
static void forward_error(void **state) {
    const struct fixture *f = *state;
    const struct tsr_kernel *kernel;
    struct results forward, gradient;
    MUST(tsr_kernel_find("auto", &kernel, err));
    run(f, kernel, TSR_PASS_FORWARD, 2, TSR_TEAM, &forward);
    run(f, kernel, TSR_PASS_GRADIENT, 2, TSR_TEAM, &gradient);
    for (size_t i = 0; i < N_SIZES; i++) {
        double naive = 0;
        for (size_t j = 0; j < sizes[i] * 3; j++) {
            double d = (double)forward.out[i][j] - (double)f->y[j];
            naive += d * d;
            assert_true(fabs((double)(forward.out[i][j] - gradient.out[i][j])) <= 1e-5);
        }
        assert_true(fabs(forward.error[i] - naive) <= 1e-12 * naive);
        assert_true(fabs(forward.error[i] - gradient.error[i]) <= 1e-5 * naive);
    }
    free_results(&forward);
    free_results(&gradient);
}

static void forward_without_targets(void **state) {
    const struct fixture *f = *state;
    const struct tsr_kernel *kernel;
    struct tsr_engine engine;
    MUST(tsr_kernel_find("auto", &kernel, err));
    MUST(tsr_engine_create(&f->net, kernel, 1, &engine, err));
    struct tsr_points points = {f->x, NULL, 100};
    tsr_real out[300];
    struct tsr_pass pass = {
        .kind = TSR_PASS_FORWARD, .points = &points, .phi = f->phi, .out = out, .error = 1};
    tsr_pass_run(&engine, 0, &pass, 1);
    assert_true(pass.error == 0);
    tsr_engine_clear(&engine);
}

static void same_bits_for_any_threads(void **state) {
    const struct fixture *f = *state;
    for (const struct tsr_kernel *const *k = tsr_kernel_list(); *k; k++) {
        if (!(*k)->available()) continue;
        for (int kind = 0; kind < 3; kind++) {
            struct results alone;
            run(f, *k, (enum tsr_pass_kind)kind, 1, 0, &alone);
            for (size_t threads = 1; threads <= 3; threads++) {
                struct results team;
                run(f, *k, (enum tsr_pass_kind)kind, threads, TSR_TEAM, &team);
                for (size_t i = 0; i < N_SIZES; i++) {
                    if (kind != TSR_PASS_FORWARD)
                        ASSERT_SAME_BITS((*k)->name, team.result[i], alone.result[i],
                                         f->net.n_params);
                    ASSERT_SAME_BITS((*k)->name, team.out[i], alone.out[i], sizes[i] * 3);
                }
                if (kind != TSR_PASS_HVP)
                    ASSERT_SAME_BITS((*k)->name, team.error, alone.error, N_SIZES);
                free_results(&team);
            }
            free_results(&alone);
        }
    }
}

struct turns {
    atomic_size_t n, points;
    atomic_bool strange;
    size_t most; /* the next one is the last */
};

static bool count_turn(void *user, size_t thread, size_t points) {
    struct turns *t = user;
    if (thread > 2 || points > TSR_PASS_TURN) atomic_store(&t->strange, true);
    (void)atomic_fetch_add(&t->points, points);
    return atomic_fetch_add(&t->n, 1) >= t->most;
}

/* Pieces of one and a half turns: each is looked at twice, and the pass ends when it is told to. */
static void long_passes_are_watched(void **state) {
    const struct fixture *f = *state;
    const size_t n = TSR_PASS_MAX_PIECES * TSR_PASS_TURN * 3 / 2, all = 2 * TSR_PASS_MAX_PIECES;
    struct tsr_points points = {make(n * 2, sizeof(tsr_real)), make(n * 3, sizeof(tsr_real)), n};
    tsr_real *result[3];
    const struct tsr_kernel *kernel;
    struct tsr_engine engine;
    double error[3];
    MUST(tsr_kernel_find("auto", &kernel, err));
    MUST(tsr_engine_create(&f->net, kernel, 3, &engine, err));
    struct tsr_pass pass = {
        .kind = TSR_PASS_GRADIENT, .points = &points, .scale = 1, .phi = f->phi};
    pass.partial = make(tsr_pass_partial(&engine, n, true), sizeof(tsr_real));
    for (size_t i = 0; i < 3; i++) {
        struct turns turns = {.most = i < 2 ? all : 4};
        pass.result = result[i] = make(f->net.n_params, sizeof(tsr_real));
        engine.watch = (struct tsr_pass_watch){i > 0 ? count_turn : NULL, &turns};
        tsr_pass_run(&engine, i == 1 ? 0 : TSR_TEAM, &pass, 1);
        error[i] = pass.error;
        assert_false(atomic_load(&turns.strange));
        if (i == 1) assert_int_equal(atomic_load(&turns.n), all);
        if (i == 1) assert_int_equal(atomic_load(&turns.points), n);
        if (i == 2) assert_true(atomic_load(&turns.n) <= 4 + TSR_PASS_MAX_PIECES);
    }
    ASSERT_SAME_BITS("watched", result[1], result[0], f->net.n_params);
    ASSERT_SAME_BITS("watched", &error[1], &error[0], 1);
    assert_true(error[2] < error[0] / 2);
    tsr_engine_clear(&engine);
    free(pass.partial);
    for (size_t i = 0; i < 3; i++)
        free(result[i]);
    free((void *)(uintptr_t)points.x);
    free((void *)(uintptr_t)points.y);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(number_of_pieces),        cmocka_unit_test(scratch_needed),
        cmocka_unit_test(sums_of_all_points),      cmocka_unit_test(forward_error),
        cmocka_unit_test(forward_without_targets), cmocka_unit_test(same_bits_for_any_threads),
        cmocka_unit_test(long_passes_are_watched),
    };
    return cmocka_run_group_tests_name("passes", tests, set_up, tear_down);
}
