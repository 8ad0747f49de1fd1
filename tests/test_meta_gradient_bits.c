/* SPDX-License-Identifier: MIT
 *
 * The meta-gradient is a function of its arguments to the last bit: for any number of threads,
 * whether few tasks are carried by all threads together or many by one each, and call after call.
 * A task that is not finite shows in its own error alone.
 */
#include "tests/check.h"
#include "tests/test_kinds.h"

#include "inner/network.h"
#include "meta/meta_gradient.h"

enum { SLOTS = 3, STEPS = 2, MAX_TASKS = 300 };

struct fixture {
    struct tsr_net net;
    struct tsr_rates rates;
    size_t n_tasks, max_points;
    tsr_real *theta, *points;
    struct tsr_task *task;
};

struct result {
    tsr_real *d_theta, *d_rates;
    double *error;
};

/* Every third task has max_points points, the others fewer. */
static void set_up_kind(struct fixture *f, struct tsr_choice kind, size_t n_tasks,
                        size_t max_points) {
    struct tsr_network_config config = {.kind = kind,
                                        .in_dim = 2,
                                        .out_dim = 3,
                                        .width = 8,
                                        .hidden_layers = 1,
                                        .output_offset = 0.5};
    memset(f, 0, sizeof *f);
    tsr_network_layout(&config, &f->net);
    tsr_rates_layout_all(&f->rates, TSR_RATES_PER_LAYER_PER_STEP, STEPS, SLOTS, &f->net);
    f->rates.value = make(tsr_rates_count(&f->rates), sizeof(tsr_real));
    draw_all(f->rates.value, tsr_rates_count(&f->rates), 0.01, 0.03);
    f->theta = make(SLOTS * f->net.n_params, sizeof(tsr_real));
    for (size_t s = 0; s < SLOTS; s++)
        tsr_network_randomize(&f->net, 5, s, f->theta + s * f->net.n_params);
    f->n_tasks = n_tasks, f->max_points = max_points;
    f->points = make(n_tasks * max_points * 5, sizeof(tsr_real));
    draw_all(f->points, n_tasks * max_points * 5, -1, 1);
    f->task = make(n_tasks, sizeof *f->task);
    for (size_t i = 0; i < n_tasks; i++) {
        tsr_real *x = f->points + i * max_points * 5;
        struct tsr_points p = {x, x + 2 * max_points, i % 3 ? max_points / 2 + 1 : max_points};
        f->task[i] = (struct tsr_task){.ctx = p,
                                       .qry = p,
                                       .ctx_scale = 1.0 / (double)(3 * p.n),
                                       .qry_scale = 1.0 / (double)(3 * p.n * n_tasks),
                                       .slot = draw_size(0, SLOTS - 1)};
    }
}

static void set_up(struct fixture *f, size_t n_tasks, size_t max_points) {
    set_up_kind(f, siren(5, 5), n_tasks, max_points);
}

static void tear_down(struct fixture *f) {
    free(f->rates.value);
    free(f->theta);
    free(f->points);
    free(f->task);
}

static struct result make_result(const struct fixture *f) {
    return (struct result){make(SLOTS * f->net.n_params, sizeof(tsr_real)),
                           make(tsr_rates_count(&f->rates), sizeof(tsr_real)),
                           make(f->n_tasks, sizeof(double))};
}

static void clear_result(struct result *r) {
    free(r->d_theta);
    free(r->d_rates);
    free(r->error);
}

/* Early in a run, where no step of the method multi-step is without weight. */
static enum tsr_status gradient(struct tsr_meta_workspace *meta, const struct fixture *f,
                                size_t n_tasks, struct result *r, struct tsr_error *err) {
    const struct tsr_meta_point at = {f->theta, NULL, &f->rates, 0.05};
    return tsr_meta_gradient(meta, &at, f->task, n_tasks, r->d_theta, NULL, r->d_rates, r->error,
                             err);
}

/* `calls` times with the same workspace; the last result. */
static struct result run(const struct fixture *f, const struct tsr_kernel *kernel,
                         const struct tsr_object *method, size_t threads, size_t max_tasks,
                         int calls) {
    struct tsr_engine engine;
    struct tsr_meta_workspace *meta;
    struct result r = make_result(f);
    MUST(tsr_engine_create(&f->net, kernel, threads, &engine, err));
    const struct tsr_choice choice = tsr_choice_of(method);
    MUST(tsr_meta_workspace_create(&engine, &choice, NULL, STEPS, &f->rates, SLOTS, max_tasks,
                                   f->max_points, NULL, &meta, err));
    for (int i = 0; i < calls; i++)
        MUST(gradient(meta, f, f->n_tasks, &r, err));
    tsr_meta_workspace_free(meta);
    tsr_engine_clear(&engine);
    return r;
}

static void assert_same(const struct fixture *f, const struct result *a, const struct result *b,
                        const char *what) {
    ASSERT_SAME_BITS(what, a->d_theta, b->d_theta, SLOTS * f->net.n_params);
    ASSERT_SAME_BITS(what, a->d_rates, b->d_rates, tsr_rates_count(&f->rates));
    ASSERT_SAME_BITS(what, a->error, b->error, f->n_tasks);
}

static void check_threads_of(struct tsr_choice kind, size_t n_tasks, size_t max_points) {
    struct fixture f;
    set_up_kind(&f, kind, n_tasks, max_points);
    for (const struct tsr_kernel *const *k = tsr_kernel_list(); *k; k++)
        for (int method = 0; (*k)->available() && method < (int)tsr_methods.n; method++) {
            struct result one = run(&f, *k, tsr_methods.object[method], 1, n_tasks, 1);
            assert_true(isfinite(one.error[0]));
            assert_true(one.d_theta[f.task[0].slot * f.net.n_params] != 0);
            for (size_t threads = 1; threads <= 3; threads++) {
                struct result r =
                    run(&f, *k, tsr_methods.object[method], threads, n_tasks, threads == 2 ? 2 : 1);
                assert_same(&f, &r, &one, (*k)->name);
                clear_result(&r);
            }
            clear_result(&one);
        }
    tear_down(&f);
}

static void check_threads(size_t n_tasks, size_t max_points) {
    check_threads_of(siren(5, 5), n_tasks, max_points);
}

/* With two or three threads these are below the bound of 8 tasks a thread: a team. */
static void few_tasks(void **state) {
    (void)state;
    check_threads(1, 20);
    check_threads(5, 33);
}

/* Regions of several pieces, which only a team shares. */
static void few_large_tasks(void **state) {
    (void)state;
    check_threads(2, 10000);
}

/* A team with two threads would be too many tasks, with three it is one. */
static void between(void **state) {
    (void)state;
    check_threads(20, 12);
}

static void many_tasks(void **state) {
    (void)state;
    check_threads(60, 12);
}

/* More tasks than blocks. */
static void several_tasks_per_block(void **state) {
    (void)state;
    check_threads(129, 8);
    check_threads(MAX_TASKS, 8);
}

/* Lets the tasks take their coordinates from a few arrays, or, for comparison, from copies. */
static tsr_real *share_coordinates(struct fixture *f, size_t arrays, bool copies) {
    tsr_real *x = make((copies ? f->n_tasks : arrays) * f->max_points * 2, sizeof *x);
    for (size_t i = 0; i < f->n_tasks; i++) {
        size_t from = i * 7 % arrays;
        tsr_real *to = x + (copies ? i : from) * f->max_points * 2;
        for (size_t j = 0; j < f->max_points * 2; j++)
            to[j] = (tsr_real)((double)((j * 31 + from * 17) % 101) / 50 - 1);
        f->task[i].ctx.x = f->task[i].qry.x = to;
    }
    return x;
}

/* Tasks of one slot on one array of coordinates share their first forward pass: the bits are those
 * of tasks that do not, and those of a team (8 threads), which takes whole gradients. */
static void shared_coordinates(void **state) {
    (void)state;
    static const size_t arrays[] = {1, 2, 5, 40}, threads[] = {1, 2, 3, 8};
    struct fixture f;
    set_up(&f, 60, 200);
    for (const struct tsr_kernel *const *k = tsr_kernel_list(); *k; k++)
        for (size_t i = 0; (*k)->available() && i < 4; i++) {
            const struct tsr_object *method = tsr_methods.object[i % tsr_methods.n];
            tsr_real *x = share_coordinates(&f, arrays[i], true);
            struct result apart = run(&f, *k, method, 1, f.n_tasks, 1);
            free(x);
            x = share_coordinates(&f, arrays[i], false);
            for (size_t j = 0; j < 4; j++) {
                struct result r = run(&f, *k, method, threads[j], f.n_tasks, 2);
                assert_same(&f, &r, &apart, (*k)->name);
                clear_result(&r);
            }
            clear_result(&apart);
            free(x);
        }
    tear_down(&f);
}

static void relu_networks(void **state) {
    (void)state;
    check_threads_of(relu_pe(3, 0.5), 5, 33);
    check_threads_of(relu_pe(3, 0.5), 2, 10000);
    check_threads_of(relu_pe(3, 0.5), 60, 12);
}

/* The room that the workspace was made for makes no difference. */
static void spare_room(void **state) {
    (void)state;
    struct fixture f;
    const struct tsr_kernel *kernel;
    MUST(tsr_kernel_find("auto", &kernel, err));
    set_up(&f, 7, 20);
    struct result tight = run(&f, kernel, &tsr_method_maml.object, 2, 7, 1);
    struct result roomy = run(&f, kernel, &tsr_method_maml.object, 2, MAX_TASKS, 3);
    assert_same(&f, &tight, &roomy, "room");
    clear_result(&tight);
    clear_result(&roomy);
    tear_down(&f);
}

/* The sum over many tasks, against one task at a time added in double. */
static void blocks_add_up(void **state) {
    (void)state;
    struct fixture f, one;
    const struct tsr_kernel *kernel;
    MUST(tsr_kernel_find("auto", &kernel, err));
    set_up(&f, 200, 8);
    size_t n_theta = SLOTS * f.net.n_params, n_rates = tsr_rates_count(&f.rates);
    double *theta = make(n_theta, sizeof *theta), *rates = make(n_rates, sizeof *rates);
    struct result all = run(&f, kernel, &tsr_method_maml.object, 2, f.n_tasks, 1);
    one = f;
    one.n_tasks = 1;
    for (size_t i = 0; i < f.n_tasks; i++) {
        one.task = f.task + i;
        struct result r = run(&one, kernel, &tsr_method_maml.object, 1, 1, 1);
        assert_true(r.error[0] == all.error[i]);
        for (size_t j = 0; j < n_theta; j++)
            theta[j] += (double)r.d_theta[j];
        for (size_t j = 0; j < n_rates; j++)
            rates[j] += (double)r.d_rates[j];
        clear_result(&r);
    }
    ASSERT_CLOSE("theta", all.d_theta, theta, n_theta, 1e-5);
    ASSERT_CLOSE("rates", all.d_rates, rates, n_rates, 1e-5);
    clear_result(&all);
    free(theta);
    free(rates);
    tear_down(&f);
}

static void check_not_finite(size_t n_tasks, size_t bad, tsr_real value) {
    struct fixture f;
    const struct tsr_kernel *kernel;
    MUST(tsr_kernel_find("auto", &kernel, err));
    set_up(&f, n_tasks, 10);
    ((tsr_real *)(uintptr_t)f.task[bad].ctx.y)[4] = value;
    for (int method = 0; method < (int)tsr_methods.n; method++)
        for (size_t threads = 1; threads <= 2; threads++) {
            struct result r = run(&f, kernel, tsr_methods.object[method], threads, n_tasks, 1);
            for (size_t i = 0; i < n_tasks; i++)
                assert_int_equal(!isfinite(r.error[i]), i == bad);
            assert_true(isnan(r.error[bad]));
            clear_result(&r);
        }
    tear_down(&f);
}

static void not_finite(void **state) {
    (void)state;
    check_not_finite(1, 0, (tsr_real)NAN);
    check_not_finite(6, 3, (tsr_real)NAN);
    check_not_finite(6, 3, (tsr_real)INFINITY);
    check_not_finite(150, 101, (tsr_real)NAN);
}

/* The workspace is fit for use after such a task. */
static void recovers(void **state) {
    (void)state;
    struct fixture f;
    struct tsr_engine engine;
    struct tsr_meta_workspace *meta;
    const struct tsr_kernel *kernel;
    MUST(tsr_kernel_find("auto", &kernel, err));
    set_up(&f, 6, 10);
    struct result clean = run(&f, kernel, &tsr_method_maml.object, 2, 6, 1), r = make_result(&f);
    MUST(tsr_engine_create(&f.net, kernel, 2, &engine, err));
    const struct tsr_choice maml = tsr_choice_of(&tsr_method_maml.object);
    MUST(tsr_meta_workspace_create(&engine, &maml, NULL, STEPS, &f.rates, SLOTS, 6, 10, NULL, &meta,
                                   err));
    tsr_real *y = (tsr_real *)(uintptr_t)f.task[2].ctx.y, kept = y[0];
    y[0] = (tsr_real)NAN;
    MUST(gradient(meta, &f, 6, &r, err));
    assert_true(isnan(r.error[2]));
    y[0] = kept;
    MUST(gradient(meta, &f, 6, &r, err));
    assert_same(&f, &r, &clean, "after NaN");
    MUST(gradient(meta, &f, 0, &r, err));
    for (size_t i = 0; i < SLOTS * f.net.n_params; i++)
        assert_true(r.d_theta[i] == 0);
    tsr_meta_workspace_free(meta);
    tsr_engine_clear(&engine);
    clear_result(&clean);
    clear_result(&r);
    tear_down(&f);
}

static void names_and_cost(void **state) {
    (void)state;
    const struct tsr_object *found;
    for (size_t i = 0; i < tsr_methods.n; i++) {
        MUST(tsr_registry_find(&tsr_methods, tsr_methods.object[i]->name, &found, err));
        assert_ptr_equal(found, tsr_methods.object[i]);
    }
    MUST_FAIL(tsr_registry_find(&tsr_methods, "anil", &found, err), TSR_ERR_NOT_FOUND,
              "maml, fomaml, reptile");
    for (size_t k = 0; k < 6; k++) {
        assert_true(tsr_method_maml.passes(k) == (double)(9 * k + 3));
        assert_true(tsr_method_fomaml.passes(k) == (double)(3 * k + 3));
        assert_true(tsr_method_reptile.passes(k) == (double)(3 * k));
        assert_true(tsr_method_multi_step.passes(k) ==
                    (double)(9 * k + 3 + (k > 1 ? 3 * (k - 1) : 0)));
    }
    tsr_meta_workspace_free(NULL);
}

/* The sum that meta/sum_tree.h defines, said once more as a recursion. */
static void tree_sum(const tsr_real *leaf, size_t n, size_t size, tsr_real *out) {
    size_t m = 1;
    if (n == 1) {
        memcpy(out, leaf, size * sizeof *out);
        return;
    }
    while (2 * m < n)
        m *= 2;
    tsr_real *right = make(size, sizeof *right);
    tree_sum(leaf, m, size, out);
    tree_sum(leaf + m * size, n - m, size, right);
    for (size_t i = 0; i < size; i++)
        out[i] += right[i];
    free(right);
}

/* The gradient of many tasks is that tree over the gradients of one task each, slot by slot, to the
 * last bit, for 1 to 64 threads. */
static void check_tree(size_t n_tasks) {
    static const size_t threads[] = {1, 2, 3, 5, 8, 16, 33, 64};
    struct fixture f, one;
    const struct tsr_kernel *kernel;
    MUST(tsr_kernel_find("auto", &kernel, err));
    set_up(&f, n_tasks, 8);
    size_t n = f.net.n_params, n_rates = tsr_rates_count(&f.rates), size = n + n_rates;
    tsr_real *leaves = make(n_tasks * size, sizeof *leaves), *sum = make(size, sizeof *sum);
    double *want = make(SLOTS * n, sizeof *want), *rates = make(n_rates, sizeof *rates);
    for (size_t slot = 0; slot < SLOTS; slot++) {
        size_t count = 0, units = f.rates.n_units;
        for (size_t i = 0; i < n_tasks; i++) {
            if (f.task[i].slot != slot) continue;
            one = f, one.task = f.task + i, one.n_tasks = 1;
            struct result r = run(&one, kernel, &tsr_method_maml.object, 1, 1, 1);
            memcpy(leaves + count * size, r.d_theta + slot * n, n * sizeof *leaves);
            memcpy(leaves + count++ * size + n, r.d_rates, n_rates * sizeof *leaves);
            clear_result(&r);
        }
        if (count == 0) continue;
        tree_sum(leaves, count, size, sum);
        for (size_t i = 0; i < n; i++)
            want[slot * n + i] = (double)sum[i];
        for (size_t k = 0; k < STEPS; k++)
            for (size_t i = 0; i < units; i++) {
                size_t at = tsr_rates_at(&f.rates, k, slot) + i;
                rates[at] = (double)sum[n + at];
            }
    }
    for (size_t t = 0; t < sizeof threads / sizeof *threads; t++) {
        struct result r = run(&f, kernel, &tsr_method_maml.object, threads[t], n_tasks, 1);
        for (size_t i = 0; i < SLOTS * n; i++)
            assert_true((double)r.d_theta[i] == want[i]);
        for (size_t i = 0; i < n_rates; i++)
            assert_true((double)r.d_rates[i] == rates[i]);
        clear_result(&r);
    }
    free(leaves);
    free(sum);
    free(want);
    free(rates);
    tear_down(&f);
}

static void tree_of_tasks(void **state) {
    (void)state;
    static const size_t n[] = {1, 2, 3, 7, 40, 129, 500};
    for (size_t i = 0; i < sizeof n / sizeof *n; i++)
        check_tree(n[i]);
}

/* Few large tasks, which a team carries together, for 1 to 64 threads. */
static void many_threads(void **state) {
    (void)state;
    static const size_t threads[] = {2, 4, 16, 64}, tasks[] = {1, 3, 20};
    const struct tsr_kernel *kernel;
    MUST(tsr_kernel_find("auto", &kernel, err));
    for (size_t i = 0; i < 3; i++)
        for (size_t m = 0; m < tsr_methods.n; m++) {
            struct fixture f;
            set_up(&f, tasks[i], 9000);
            struct result want = run(&f, kernel, tsr_methods.object[m], 1, tasks[i], 1);
            for (size_t t = 0; t < 4; t++) {
                struct result r = run(&f, kernel, tsr_methods.object[m], threads[t], tasks[i], 1);
                assert_same(&f, &r, &want, tsr_methods.object[m]->name);
                clear_result(&r);
            }
            clear_result(&want);
            tear_down(&f);
        }
}

static void too_many_tasks(void **state) {
    (void)state;
    struct fixture f;
    struct tsr_engine engine;
    struct tsr_meta_workspace *meta;
    const struct tsr_kernel *kernel;
    const struct tsr_choice maml = tsr_choice_of(&tsr_method_maml.object);
    MUST(tsr_kernel_find("auto", &kernel, err));
    set_up(&f, 6, 10);
    struct result r = make_result(&f);
    MUST(tsr_engine_create(&f.net, kernel, 2, &engine, err));
    MUST(tsr_meta_workspace_create(&engine, &maml, NULL, STEPS, &f.rates, SLOTS, 5, 10, NULL, &meta,
                                   err));
    MUST_FAIL(gradient(meta, &f, 6, &r, err), TSR_ERR_ARGUMENT, "6 tasks");
    MUST(gradient(meta, &f, 5, &r, err));
    tsr_meta_workspace_free(meta);
    tsr_engine_clear(&engine);
    clear_result(&r);
    tear_down(&f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(few_tasks),
        cmocka_unit_test(few_large_tasks),
        cmocka_unit_test(between),
        cmocka_unit_test(many_tasks),
        cmocka_unit_test(several_tasks_per_block),
        cmocka_unit_test(shared_coordinates),
        cmocka_unit_test(relu_networks),
        cmocka_unit_test(spare_room),
        cmocka_unit_test(blocks_add_up),
        cmocka_unit_test(not_finite),
        cmocka_unit_test(recovers),
        cmocka_unit_test(names_and_cost),
        cmocka_unit_test(tree_of_tasks),
        cmocka_unit_test(many_threads),
        cmocka_unit_test(too_many_tasks),
    };
    return cmocka_run_group_tests_name("bits", tests, NULL, NULL);
}
