/* SPDX-License-Identifier: MIT
 *
 * Adaptations against plain loops over an explicit matrix: phi = phi_0 + B z. The inner loop in z,
 * and the exact meta-gradient of initialisations, basis and rates against central differences in
 * every coordinate. In float the differences are coarse; they still tell orders and signs apart.
 */
#include "tests/check.h"
#include "tests/test_kinds.h"

#include "base/memory.h"
#include "inner/network.h"
#include "meta/meta_gradient.h"

enum { SLOTS = 2, TASKS = 5, CTX = 11, QRY = 7, STEPS = 3, DIRECTIONS = 6, MOST = 64, KINDS = 7 };

#ifdef TSR_REAL_DOUBLE
#define STEP 1e-4
#define TOLERANCE 2e-8
#define CLOSE 1e-12
#else
#define STEP 7e-3
#define TOLERANCE 6e-2
#define CLOSE 1e-5
#endif

struct fixture {
    struct tsr_net net;
    struct tsr_engine engine;
    struct tsr_choice method, loss;
    const size_t *item; /* whose the tasks are; NULL: each is one */
    struct tsr_rates rates;
    tsr_real *theta, *basis; /* [SLOTS, n_params], [SLOTS, n_directions, n_params] */
    size_t n_basis;          /* of a slot */
    tsr_real x[TASKS][(CTX + QRY) * 2], y[TASKS][(CTX + QRY) * 2];
    struct tsr_task task[TASKS];
    struct tsr_arena scratch;
};

static void make_tasks(struct fixture *f) {
    static const size_t slot[TASKS] = {1, 0, 1, 0, 0};
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

static void set_up(struct fixture *f, const struct tsr_object *adaptation, enum tsr_rates_kind kind,
                   const char *kernel_name, size_t threads) {
    struct tsr_network_config config = {.kind = siren(3, 2),
                                        .in_dim = 2,
                                        .out_dim = 2,
                                        .width = 4,
                                        .hidden_layers = 1,
                                        .output_offset = 0.5};
    const struct tsr_kernel *kernel;
    struct tsr_choice choice = tsr_choice_of(adaptation);
    memset(f, 0, sizeof *f);
    (void)tsr_choice_set(&choice, "numbers", DIRECTIONS);
    f->method = tsr_choice_of(&tsr_method_maml.object);
    f->loss = tsr_choice_of(&tsr_loss_mse.object);
    tsr_network_layout(&config, &f->net);
    MUST(tsr_kernel_find(kernel_name, &kernel, err));
    MUST(tsr_engine_create(&f->net, kernel, threads, &f->engine, err));
    tsr_engine_adapt(&f->engine, &choice);
    MUST(tsr_arena_create(&f->scratch, kernel->workspace_size(&f->net), "scratch", err));
    tsr_rates_layout(&f->rates, kind, STEPS, SLOTS, &f->engine.space);
    f->rates.value = make(tsr_rates_count(&f->rates), sizeof(tsr_real));
    bool couples = tsr_rates_couple(&f->rates);
    draw_all(f->rates.value, tsr_rates_count(&f->rates), couples ? -0.1 : 0.05, 0.15);
    f->theta = make(SLOTS * f->net.n_params, sizeof(tsr_real));
    draw_all(f->theta, SLOTS * f->net.n_params, -0.6, 0.6);
    f->n_basis = f->engine.space.n_directions * f->net.n_params;
    f->basis = make(SLOTS * f->n_basis + 1, sizeof(tsr_real));
    draw_all(f->basis, SLOTS * f->n_basis, -0.4, 0.4);
    make_tasks(f);
}

static void tear_down(struct fixture *f) {
    tsr_engine_clear(&f->engine);
    tsr_arena_free(&f->scratch);
    free(f->rates.value);
    free(f->theta);
    free(f->basis);
}

/* ---- the plain version ------------------------------------------------------------------------
 */

/* Parameter that number d is, of adaptations that take numbers from phi. */
static size_t parameter_of(const struct fixture *f, size_t d) {
    const struct tsr_object *a = f->engine.space.choice.object;
    const struct tsr_net *net = &f->net;
    if (a == &tsr_adaptation_all.object) return d;
    if (a == &tsr_adaptation_last.object) return net->weight_at[net->n_layers - 1] + d;
    size_t l = 0;
    for (; d >= net->fan_out[l]; l++)
        d -= net->fan_out[l];
    return net->bias_at[l] + d;
}

/* B [i, d] of a slot. */
static double matrix(const struct fixture *f, size_t slot, size_t i, size_t d) {
    if (f->n_basis) return (double)f->basis[slot * f->n_basis + d * f->net.n_params + i];
    return parameter_of(f, d) == i;
}

static void expand(const struct fixture *f, size_t slot, const double *z, tsr_real *phi) {
    size_t n = f->engine.space.n, n_params = f->net.n_params;
    for (size_t i = 0; i < n_params; i++) {
        double sum = 0;
        bool adapts = f->n_basis > 0;
        for (size_t d = 0; d < n; d++) {
            sum += matrix(f, slot, i, d) * z[d];
            adapts = adapts || matrix(f, slot, i, d) != 0;
        }
        double base = f->n_basis || !adapts ? (double)f->theta[slot * n_params + i] : 0;
        phi[i] = (tsr_real)(base + sum);
    }
}

static void start(const struct fixture *f, size_t slot, double *z) {
    for (size_t d = 0; d < f->engine.space.n; d++)
        z[d] = f->n_basis ? 0 : (double)f->theta[slot * f->net.n_params + parameter_of(f, d)];
}

static double gradient(struct fixture *f, const tsr_real *phi, const struct tsr_points *points,
                       double scale, tsr_real *g) {
    memset(g, 0, f->net.n_params * sizeof *g);
    return f->engine.kernel->gradient(&f->net, phi, points, scale, g, NULL, NULL, f->scratch.base);
}

/* Number d as an entry of the matrix that its group is, and where the rates of the group stand. */
static size_t entry_of(const struct fixture *f, size_t d, size_t *row, size_t *column, size_t *rows,
                       size_t *columns) {
    const struct tsr_space *s = &f->engine.space;
    size_t at = 0, group = 0, from = 0;
    for (; d >= s->end[group]; from = s->end[group++]) {
        size_t others = (s->end[group] - from) / s->rows[group];
        at += s->rows[group] * s->rows[group] + (others > 1 ? others * others : 0);
    }
    *rows = s->rows[group], *columns = (s->end[group] - from) / *rows;
    size_t inner = *rows * (*columns - 1);
    *row = d - from < inner ? (d - from) / (*columns - 1) : d - from - inner;
    *column = d - from < inner ? (d - from) % (*columns - 1) : *columns - 1;
    return at;
}

/* Entry [d, e] of the matrix that rates which couple are. */
static double coupling(const struct fixture *f, const tsr_real *units, size_t d, size_t e) {
    size_t row[2], column[2], rows, columns;
    if (f->rates.kind == TSR_RATES_FULL_PER_STEP) return (double)units[d * f->engine.space.n + e];
    size_t at = entry_of(f, d, &row[0], &column[0], &rows, &columns);
    if (entry_of(f, e, &row[1], &column[1], &rows, &columns) != at) return 0;
    double left = (double)units[at + row[0] * rows + row[1]];
    if (columns == 1) return left;
    return left * (double)units[at + rows * rows + column[1] * columns + column[0]];
}

static size_t unit_of(const struct fixture *f, size_t d) {
    const struct tsr_space *s = &f->engine.space;
    size_t group = 0;
    if (f->rates.n_units == s->n) return d;
    while (d >= s->end[group])
        group++;
    return f->rates.n_units > 1 ? group : 0;
}

/* z [n] and phi of a task after `steps` inner steps; returns the squared error over its query
 * points. */
static double adapt(struct fixture *f, const struct tsr_task *task, size_t steps, double *z,
                    tsr_real *phi) {
    const struct tsr_rates *r = &f->rates;
    tsr_real g[MOST];
    assert_true(f->net.n_params <= MOST);
    start(f, task->slot, z);
    for (size_t k = 0;; k++) {
        expand(f, task->slot, z, phi);
        if (k == steps) return gradient(f, phi, &task->qry, 1, g);
        size_t step = r->n_steps > 1 ? k : 0, slot = r->n_slots > 1 ? task->slot : 0;
        (void)gradient(f, phi, &task->ctx, task->ctx_scale, g);
        const tsr_real *units = r->value + (step * r->n_slots + slot) * r->n_units;
        double gz[MOST] = {0};
        for (size_t d = 0; d < f->engine.space.n; d++)
            for (size_t i = 0; i < f->net.n_params; i++)
                gz[d] += matrix(f, task->slot, i, d) * (double)g[i];
        for (size_t d = 0; d < f->engine.space.n; d++)
            if (!tsr_rates_couple(r))
                z[d] -= (double)units[unit_of(f, d)] * gz[d];
            else
                for (size_t e = 0; e < f->engine.space.n; e++)
                    z[d] -= coupling(f, units, d, e) * gz[e];
    }
}

/* The sum of rho over the query values of a task. */
static double task_loss(struct fixture *f, const struct tsr_task *task) {
    double sum = 0, z[MOST], d = tsr_choice_get(&f->loss, "huber_delta");
    tsr_real phi[MOST], out[QRY * 2];
    double squared = adapt(f, task, STEPS, z, phi);
    if (f->loss.object != &tsr_loss_huber.object) return squared;
    f->engine.kernel->forward(&f->net, phi, task->qry.x, task->qry.n, out, f->scratch.base);
    for (size_t i = 0; i < task->qry.n * 2; i++) {
        double r = fabs((double)out[i] - (double)task->qry.y[i]);
        sum += r < d ? r * r : 2 * d * r - d * d;
    }
    return sum;
}

static double outer_loss(struct fixture *f) {
    double sum = 0;
    for (size_t i = 0, end; i < TASKS; i = end) {
        double loss = 0, values = 0;
        for (end = i; end == i || (end < TASKS && f->item && f->item[end] == f->item[i]); end++) {
            loss += task_loss(f, &f->task[end]);
            values += (double)(f->task[end].qry.n * 2);
        }
        if (f->loss.object == &tsr_loss_log_mse.object)
            loss = 1e-3 * values * log(loss / values); /* its slope at 30 dB is 1 */
        sum += f->task[i].qry_scale * loss;
    }
    return sum;
}

static double central(struct fixture *f, tsr_real *x, double h) {
    tsr_real at = *x, up = at + (tsr_real)h, down = at - (tsr_real)h;
    *x = up;
    double above = outer_loss(f);
    *x = down;
    double below = outer_loss(f);
    *x = at;
    return (above - below) / ((double)up - (double)down);
}

/* In every `stride`-th coordinate. */
static double *some_differences(struct fixture *f, tsr_real *x, size_t n, size_t stride) {
    double *out = make(n + 1, sizeof *out);
    for (size_t i = 0; i < n; i += stride)
        out[i / stride] = (4 * central(f, x + i, STEP) - central(f, x + i, 2 * STEP)) / 3;
    return out;
}

static double *differences(struct fixture *f, tsr_real *x, size_t n) {
    return some_differences(f, x, n, 1);
}

/* ---- the tests --------------------------------------------------------------------------------
 */

static const struct tsr_object *const adaptations[] = {
    &tsr_adaptation_all.object, &tsr_adaptation_last.object, &tsr_adaptation_biases.object,
    &tsr_adaptation_latent.object};

/* The driver's z and phi after each inner step, alone and by the team. */
static void check_inner_loop(struct fixture *f, size_t thread) {
    const struct tsr_choice sgd = tsr_choice_of(&tsr_optimizer_sgd.object);
    const struct tsr_inner_loop loop = {.engine = &f->engine,
                                        .optimizer = &sgd,
                                        .rates = &f->rates,
                                        .inner_steps = STEPS,
                                        .theta = f->theta,
                                        .basis = f->n_basis ? f->basis : NULL};
    struct tsr_arena arena = {0};
    struct tsr_trajectory t;
    struct tsr_pass pass;
    tsr_trajectory_layout(&t, &loop, CTX, true, &arena);
    MUST(tsr_arena_create(&arena, arena.used, "trajectory", err));
    tsr_trajectory_layout(&t, &loop, CTX, true, &arena);
    for (size_t i = 0; i < TASKS; i++) {
        double z[MOST], want[MOST];
        tsr_real phi[MOST];
        t.task = &f->task[i];
        t.known = t.stopped = false;
        tsr_trajectory_start(&loop, &t, f->theta);
        tsr_inner_run(&loop, thread, &t, 1, 0, STEPS, &pass);
        (void)adapt(f, t.task, STEPS, z, phi);
        ASSERT_CLOSE("z", t.z ? t.z : t.phi, z, f->engine.space.n, CLOSE);
        for (size_t j = 0; j < f->net.n_params; j++)
            want[j] = (double)phi[j];
        ASSERT_CLOSE("phi", t.phi, want, f->net.n_params, CLOSE);
    }
    tsr_arena_free(&arena);
}

static void inner_loop(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof adaptations / sizeof *adaptations; i++)
        for (int kind = 0; kind < KINDS; kind++) {
            struct fixture f;
            set_up(&f, adaptations[i], (enum tsr_rates_kind)kind, "auto", 2);
            check_inner_loop(&f, 0);
            check_inner_loop(&f, TSR_TEAM);
            tear_down(&f);
        }
}

struct gradients {
    size_t n_theta, n_basis, n_rates;
    tsr_real *theta, *basis, *rates;
};

static struct gradients meta_gradient(struct fixture *f) {
    struct gradients g = {
        SLOTS * f->net.n_params, SLOTS * f->n_basis, tsr_rates_count(&f->rates), NULL, NULL, NULL};
    struct tsr_meta_workspace *meta;
    double error[TASKS], z[MOST];
    tsr_real phi[MOST];
    g.theta = make(g.n_theta, sizeof *g.theta);
    g.basis = make(g.n_basis + 1, sizeof *g.basis);
    g.rates = make(g.n_rates, sizeof *g.rates);
    draw_all(g.basis, g.n_basis, -1, 1); /* overwritten, not added to */
    const struct tsr_meta_share share = {&tsr_comm_alone, TASKS, TASKS};
    MUST(tsr_meta_workspace_create(&f->engine, &f->method, &f->loss, STEPS, &f->rates, SLOTS, TASKS,
                                   CTX, f->item ? &share : NULL, &meta, err));
    const struct tsr_meta_point at = {f->theta, f->n_basis ? f->basis : NULL, &f->rates, 0.5};
    MUST(tsr_meta_sum(meta, &at, f->task, f->item, TASKS, error, err));
    MUST(tsr_meta_combine(meta, g.theta, f->n_basis ? g.basis : NULL, g.rates, NULL, err));
    for (size_t i = 0; i < TASKS; i++) {
        double want = adapt(f, &f->task[i], STEPS, z, phi);
        assert_true(fabs(error[i] - want) <= 1e-4 * want);
    }
    tsr_meta_workspace_free(meta);
    return g;
}

static void free_gradients(struct gradients *g) {
    free(g->theta);
    free(g->basis);
    free(g->rates);
}

static double distance(const tsr_real *a, const double *b, size_t n) {
    double sum = 0, norm = 0;
    for (size_t i = 0; i < n; i++) {
        sum += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
        norm += b[i] * b[i];
    }
    return sqrt(sum / norm);
}

static void exact(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof adaptations / sizeof *adaptations; i++)
        for (int kind = 0; kind < KINDS; kind++) {
            struct fixture f;
            set_up(&f, adaptations[i], (enum tsr_rates_kind)kind, "reference", 1);
            struct gradients g = meta_gradient(&f);
            double *theta = differences(&f, f.theta, g.n_theta);
            double *basis = differences(&f, f.basis, g.n_basis);
            size_t stride = g.n_rates > 1000 ? 1 + g.n_rates / 500 : 1, n = 0;
            double *rates = some_differences(&f, f.rates.value, g.n_rates, stride);
            for (; n * stride < g.n_rates; n++)
                g.rates[n] = g.rates[n * stride];
            ASSERT_CLOSE("d theta", g.theta, theta, g.n_theta, TOLERANCE);
            ASSERT_CLOSE("d basis", g.basis, basis, g.n_basis, TOLERANCE);
            ASSERT_CLOSE("d rates", g.rates, rates, n, TOLERANCE);
            free(theta);
            free(basis);
            free(rates);
            free_gradients(&g);
            tear_down(&f);
        }
}

/* Other outer losses, of items whose tasks have different slots; the gradient of one is not that of
 * another. */
static void losses(void **state) {
    (void)state;
    static const size_t item[TASKS] = {0, 0, 1, 1, 1};
    const struct tsr_object *all[] = {&tsr_loss_mse.object, &tsr_loss_log_mse.object,
                                      &tsr_loss_huber.object};
    for (size_t i = 0; i < 6; i++) {
        struct fixture f;
        set_up(&f, adaptations[i % 2 ? 0 : 3], TSR_RATES_PER_STEP, "reference", 2);
        f.item = item;
        f.loss = tsr_choice_of(all[i / 2]);
        for (size_t t = 0; t < TASKS; t++)
            f.task[t].qry_scale = t < 2 ? 0.01 : 0.02;
        struct gradients g = meta_gradient(&f);
        double *theta = differences(&f, f.theta, g.n_theta);
        double *basis = differences(&f, f.basis, g.n_basis);
        double tolerance =
            i / 2 == 2 && sizeof(tsr_real) == 8 ? 1e-4 : TOLERANCE; /* it has kinks */
        ASSERT_CLOSE("d theta", g.theta, theta, g.n_theta, tolerance);
        ASSERT_CLOSE("d basis", g.basis, basis, g.n_basis, tolerance);
        f.loss = tsr_choice_of(all[(i / 2 + 1) % 3]);
        double *other = differences(&f, f.theta, g.n_theta);
        assert_true(distance(g.theta, other, g.n_theta) > 2 * TOLERANCE);
        free(theta);
        free(basis);
        free(other);
        free_gradients(&g);
        tear_down(&f);
    }
}

/* First order is something else, and so is the exact gradient with its sign turned: the comparison
 * can fail. Reptile leaves the basis alone. */
static void others(void **state) {
    (void)state;
    struct fixture f;
    set_up(&f, &tsr_adaptation_latent.object, TSR_RATES_PER_PARAM_PER_STEP, "reference", 1);
    double *basis = differences(&f, f.basis, SLOTS * f.n_basis);
    struct gradients g = meta_gradient(&f);
    assert_true(distance(g.basis, basis, g.n_basis) < TOLERANCE);
    for (size_t i = 0; i < g.n_basis; i++)
        g.basis[i] = -g.basis[i];
    assert_true(distance(g.basis, basis, g.n_basis) > 1.9);
    free_gradients(&g);
    f.method = tsr_choice_of(&tsr_method_fomaml.object);
    g = meta_gradient(&f);
    double off = distance(g.basis, basis, g.n_basis);
    assert_true(off > 2 * TOLERANCE && off < 1);
    free_gradients(&g);
    f.method = tsr_choice_of(&tsr_method_reptile.object);
    g = meta_gradient(&f);
    for (size_t i = 0; i < g.n_basis; i++)
        assert_true(g.basis[i] == 0);
    free_gradients(&g);
    free(basis);
    tear_down(&f);
}

/* Of rates that couple, row and column are not the same: their derivatives, transposed, are not
 * those of the differences. */
static void transposed(void **state) {
    (void)state;
    struct fixture f;
    set_up(&f, &tsr_adaptation_latent.object, TSR_RATES_FULL_PER_STEP, "reference", 1);
    struct gradients g = meta_gradient(&f);
    double *rates = differences(&f, f.rates.value, g.n_rates);
    assert_true(distance(g.rates, rates, g.n_rates) < TOLERANCE);
    for (size_t m = 0; m < g.n_rates; m += DIRECTIONS * DIRECTIONS)
        for (size_t i = 0; i < DIRECTIONS; i++)
            for (size_t j = 0; j < i; j++) {
                tsr_real *a = &g.rates[m + i * DIRECTIONS + j],
                         *b = &g.rates[m + j * DIRECTIONS + i], kept = *a;
                *a = *b, *b = kept;
            }
    assert_true(distance(g.rates, rates, g.n_rates) > 0.5);
    free(rates);
    free_gradients(&g);
    tear_down(&f);
}

/* Any number of threads, the same bits. */
static void threads(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof adaptations / sizeof *adaptations; i++) {
        struct gradients g[3];
        static const size_t n[3] = {1, 2, 7};
        struct fixture f;
        for (size_t j = 0; j < 3; j++) {
            const struct tsr_kernel *kernel;
            if (j == 0) {
                set_up(&f, adaptations[i], TSR_RATES_PER_PARAM_PER_STEP, "auto", n[j]);
            } else {
                struct tsr_choice choice = f.engine.space.choice;
                tsr_engine_clear(&f.engine);
                MUST(tsr_kernel_find("auto", &kernel, err));
                MUST(tsr_engine_create(&f.net, kernel, n[j], &f.engine, err));
                tsr_engine_adapt(&f.engine, &choice);
            }
            g[j] = meta_gradient(&f);
            ASSERT_SAME_BITS("theta", g[j].theta, g[0].theta, g[0].n_theta);
            ASSERT_SAME_BITS("basis", g[j].basis, g[0].basis, g[0].n_basis);
            ASSERT_SAME_BITS("rates", g[j].rates, g[0].rates, g[0].n_rates);
        }
        for (size_t j = 0; j < 3; j++)
            free_gradients(&g[j]);
        tear_down(&f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact),      cmocka_unit_test(inner_loop), cmocka_unit_test(others),
        cmocka_unit_test(transposed), cmocka_unit_test(threads),    cmocka_unit_test(losses),
    };
    return cmocka_run_group_tests_name("meta-gradient of adaptations", tests, NULL, NULL);
}
