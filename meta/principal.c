/* SPDX-License-Identifier: MIT */
#include "meta/principal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "meta/last_layer.h"

/* Tasks whose curvature is averaged: enough to meet regions of all sizes. */
enum { CURVED_TASKS = 8 };
/* What of the curvature's spectrum counts as there: a direction that is weaker by this factor is
 * left alone, since it would take large parameters, and those make the run that follows unstable:
 * with 1e-4 it diverged at outer rates where with 1e-2 it gains (CelebA, 23x23, 448 units). */
static const double RANGE = 1e-2;

/* Whose gradient. */
enum points { QUERY, CONTEXT };

struct start {
    const struct tsr_learner *learner;
    struct tsr_task_source *source;
    size_t batches;
    enum tsr_principal_context context;
    struct tsr_engine engine;
    struct tsr_last_layer last;
    size_t n, n_out;                   /* parameters of an output: width + 1; outputs */
    struct tsr_last_layer_task *tasks; /* [max_tasks] */
    double *curvature;                 /* [n, n] of each output; later H^-1/2 */
    double *values;                    /* [n_out n] eigenvalues */
    double *mean;                      /* [n_out, n] gradient */
    double *rows;                      /* [max_tasks, n_out n] gradients of a meta-batch */
    double *spread; /* [n_out n, n_out n] their products, summed; later the directions */
    double *room;   /* [n_out n, n] */
    size_t rank;    /* directions of an output that the units span */
};

static size_t place(const struct start *s, size_t o, size_t j) {
    return tsr_last_layer_place(&s->last, o, j);
}

static enum tsr_status allocate(struct start *s, struct tsr_error *err) {
    const char *what = "room for a principal start";
    size_t all = s->n * s->n_out, tasks = s->source->max_tasks;
    TSR_TRY(tsr_last_layer_create(&s->engine, s->learner->theta, tasks, s->source->max_points,
                                  &s->last, err));
    TSR_TRY(TSR_ALLOC(&s->tasks, tasks, what, err));
    TSR_TRY(tsr_alloc_to(&s->curvature, s->n, s->n * sizeof(double), what, err));
    TSR_TRY(TSR_ALLOC(&s->values, all, what, err));
    TSR_TRY(TSR_ALLOC(&s->mean, all, what, err));
    TSR_TRY(tsr_alloc_to(&s->rows, tasks, all * sizeof(double), what, err));
    TSR_TRY(tsr_alloc_to(&s->spread, all, all * sizeof(double), what, err));
    return tsr_alloc_to(&s->room, all, s->n * sizeof(double), what, err);
}

static void release(struct start *s) {
    void *const blocks[] = {s->tasks, s->curvature, s->values, s->mean,
                            s->rows,  s->spread,    s->room};
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        free(blocks[i]);
    tsr_last_layer_clear(&s->last);
    tsr_engine_clear(&s->engine);
}

/* The inner loss of a task if its context were its query. */
static double query_scale(const struct tsr_task *task) {
    return task->ctx_scale * (double)task->ctx.n / (double)task->qry.n;
}

/* Gradients of the last layer for all tasks of a meta-batch at phi [tasks, stride], to rows. */
static enum tsr_status find_gradients(struct start *s, const struct tsr_task_batch *batch,
                                      enum points points, const tsr_real *phi, size_t stride,
                                      struct tsr_error *err) {
    size_t n_tasks = batch->first[batch->n_items];
    for (size_t i = 0; i < n_tasks; i++) {
        const struct tsr_task *task = &batch->tasks[i];
        bool all = points == QUERY;
        s->tasks[i] =
            (struct tsr_last_layer_task){.points = all ? &task->qry : &task->ctx,
                                         .scale = all ? query_scale(task) : task->ctx_scale,
                                         .phi = phi + i * stride,
                                         .once = !all};
    }
    return tsr_last_layer_gradients(&s->last, s->tasks, n_tasks, s->rows, err);
}

static enum tsr_status find_mean(struct start *s, struct tsr_error *err) {
    struct tsr_task_batch batch;
    size_t n_tasks = 0, all = s->n * s->n_out;
    for (size_t at = 0; at < s->batches; at++) {
        TSR_TRY(s->source->next(s->source->user, at, &batch, err));
        size_t found = batch.first[batch.n_items];
        TSR_TRY(find_gradients(s, &batch, QUERY, s->learner->theta, 0, err));
        for (size_t i = 0; i < found * all; i++)
            s->mean[i % all] += s->rows[i];
        n_tasks += found;
        size_t curved = found < CURVED_TASKS ? found : CURVED_TASKS;
        for (size_t i = 0; at == 0 && i < curved; i++) {
            const struct tsr_task *task = &batch.tasks[i * found / curved];
            TSR_TRY(tsr_last_layer_curvature(
                &s->last, &task->qry, query_scale(task) / (double)curved, s->curvature, err));
        }
    }
    for (size_t i = 0; i < all; i++)
        s->mean[i] /= (double)n_tasks;
    return TSR_OK;
}

/* H becomes H^-1/2 on what of its spectrum counts, symmetric. */
static enum tsr_status take_root(struct start *s, struct tsr_error *err) {
    size_t n = s->n;
    TSR_TRY(tsr_blas_eigen(n, s->curvature, s->values, err));
    double most = s->values[n - 1];
    if (!(most > 0))
        return TSR_ERROR(err, TSR_ERR_NUMERIC, "principal start: the last layer has no curvature");
    for (size_t i = 0; i < n; i++) {
        bool counts = s->values[i] > RANGE * most;
        double factor = counts ? pow(s->values[i], -0.25) : 0;
        s->rank += counts;
        for (size_t j = 0; j < n; j++)
            s->room[i * n + j] = factor * s->curvature[i * n + j];
    }
    tsr_blas_gemm_double(true, false, n, n, n, s->room, n, s->room, n, 0, s->curvature, n);
    return TSR_OK;
}

/* w = - H^-1/2 (H^-1/2 g) */
static void set_last_layer(struct start *s) {
    size_t n = s->n;
    tsr_blas_gemm_double(false, false, s->n_out, n, n, s->mean, n, s->curvature, n, 0, s->room, n);
    tsr_blas_gemm_double(false, false, s->n_out, n, n, s->room, n, s->curvature, n, 0, s->mean, n);
    for (size_t o = 0; o < s->n_out; o++)
        for (size_t j = 0; j < n; j++)
            s->learner->theta[place(s, o, j)] = (tsr_real)-s->mean[o * n + j];
}

/* Principal directions of H^-1/2 g, one a row of `spread`, the weakest first. */
static enum tsr_status find_directions(struct start *s, struct tsr_error *err) {
    struct tsr_task_batch batch;
    size_t n = s->n, all = n * s->n_out;
    for (size_t at = s->batches; at < 2 * s->batches; at++) {
        TSR_TRY(s->source->next(s->source->user, at, &batch, err));
        TSR_TRY(find_gradients(s, &batch, QUERY, s->learner->theta, 0, err));
        tsr_blas_gemm_double(true, false, all, all, batch.first[batch.n_items], s->rows, all,
                             s->rows, all, 1, s->spread, all);
    }
    for (size_t o = 0; o < s->n_out; o++) { /* columns, then rows of output o, times H^-1/2 */
        tsr_blas_gemm_double(false, false, all, n, n, s->spread + o * n, all, s->curvature, n, 0,
                             s->room, n);
        for (size_t i = 0; i < all; i++)
            memcpy(s->spread + i * all + o * n, s->room + i * n, n * sizeof *s->room);
    }
    for (size_t o = 0; o < s->n_out; o++) {
        tsr_blas_gemm_double(false, false, n, all, n, s->curvature, n, s->spread + o * n * all, all,
                             0, s->room, all);
        memcpy(s->spread + o * n * all, s->room, n * all * sizeof *s->room);
    }
    return tsr_blas_eigen(all, s->spread, s->values, err);
}

/* ---- directions of a context that is not all points ------------------------------------------ */

/* Parts of the largest below which an eigenvalue counts as none: of the context's gradients, of how
 * much of a direction they tell. */
static const double SEEN = 1e-6, TOLD = 1e-3;

/* Square matrices of `all` = n n_out rows, in coordinates where the curvature of the query is 1. */
struct estimate {
    size_t all;
    double *q, *c;         /* [max_tasks, all] gradients of query and context */
    double *cc, *qc;       /* sums of c c^T, q c^T */
    double *seen;          /* eigenvectors of cc, a row each, the weakest first */
    double *regression;    /* rows: what q is to be expected for each of them */
    double *room, *values; /* .., [all] */
};

static void multiply(const struct estimate *e, bool turn_a, bool turn_b, const double *a,
                     const double *b, double *out) {
    tsr_blas_gemm_double(turn_a, turn_b, e->all, e->all, e->all, a, e->all, b, e->all, 0, out,
                         e->all);
}

static double dot(const double *a, const double *b, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Gradients of the tasks, times H^-1/2. */
static enum tsr_status find_white(struct start *s, const struct tsr_task_batch *batch,
                                  enum points points, double *out, struct tsr_error *err) {
    size_t rows = batch->first[batch->n_items] * s->n_out;
    TSR_TRY(find_gradients(s, batch, points, s->learner->theta, 0, err));
    tsr_blas_gemm_double(false, false, rows, s->n, s->n, s->rows, s->n, s->curvature, s->n, 0, out,
                         s->n);
    return TSR_OK;
}

static enum tsr_status add_gradients(struct start *s, struct estimate *e, struct tsr_error *err) {
    struct tsr_task_batch batch;
    size_t all = e->all;
    for (size_t at = s->batches; at < 2 * s->batches; at++) {
        TSR_TRY(s->source->next(s->source->user, at, &batch, err));
        size_t n = batch.first[batch.n_items];
        TSR_TRY(find_white(s, &batch, QUERY, e->q, err));
        TSR_TRY(find_white(s, &batch, CONTEXT, e->c, err));
        tsr_blas_gemm_double(true, false, all, all, n, e->c, all, e->c, all, 1, e->cc, all);
        tsr_blas_gemm_double(true, false, all, all, n, e->q, all, e->c, all, 1, e->qc, all);
    }
    return TSR_OK;
}

/* Rows of e->regression: B^T with B = qc cc^-1 on what the context sees. */
static enum tsr_status regress(const struct estimate *e, struct tsr_error *err) {
    size_t all = e->all;
    memcpy(e->seen, e->cc, all * all * sizeof *e->seen);
    TSR_TRY(tsr_blas_eigen(all, e->seen, e->values, err));
    multiply(e, false, true, e->seen, e->qc, e->regression);
    for (size_t i = 0; i < all; i++) {
        double k = e->values[i], factor = k > SEEN * e->values[all - 1] ? 1 / k : 0;
        for (size_t j = 0; j < all; j++)
            e->regression[i * all + j] *= factor;
    }
    return TSR_OK;
}

/* The symmetric matrix S of least rank that does to what the context sees what B does: B A^-1 B^T
 * with A = U^T B, of which the rows of U are e->seen. To e->room, by way of the square root. */
static enum tsr_status complete(const struct estimate *e, double *room, struct tsr_error *err) {
    size_t all = e->all;
    multiply(e, false, true, e->seen, e->regression, room);
    for (size_t i = 0; i < all; i++)
        for (size_t j = 0; j < i; j++)
            room[i * all + j] = room[j * all + i] = (room[i * all + j] + room[j * all + i]) / 2;
    TSR_TRY(tsr_blas_eigen(all, room, e->values, err));
    for (size_t i = 0; i < all; i++) {
        double factor = e->values[i] > TOLD * e->values[all - 1] ? 1 / sqrt(e->values[i]) : 0;
        for (size_t j = 0; j < all; j++)
            room[i * all + j] *= factor;
    }
    multiply(e, false, false, room, e->regression, e->room);
    memcpy(room, e->room, all * all * sizeof *room);
    multiply(e, true, false, room, room, e->room);
    return TSR_OK;
}

/* By how much a step along eigenvector i of S, of its length, lowers the squared error: to values;
 * `lengths` [all] are the eigenvalues. */
static void find_gains(const struct estimate *e, const double *eigen, const double *lengths,
                       double *room) {
    size_t all = e->all;
    multiply(e, false, false, eigen, e->qc, room);
    for (size_t i = 0; i < all; i++)
        e->values[i] = 2 * lengths[i] * dot(room + i * all, eigen + i * all, all);
    multiply(e, false, false, eigen, e->cc, room);
    for (size_t i = 0; i < all; i++)
        e->values[i] -= lengths[i] * lengths[i] * dot(room + i * all, eigen + i * all, all);
}

/* Brings the directions with the largest gains behind the others, the largest last. */
static void sort_gains(const struct estimate *e, size_t directions, double *eigen,
                       double *lengths) {
    size_t all = e->all;
    for (size_t i = all; i-- > all - directions;) {
        size_t best = i;
        for (size_t j = 0; j < i; j++)
            if (e->values[j] > e->values[best]) best = j;
        double gain = e->values[i], length = lengths[i];
        e->values[i] = e->values[best], e->values[best] = gain;
        lengths[i] = lengths[best], lengths[best] = length;
        for (size_t j = 0; j < all && best != i; j++) {
            double x = eigen[i * all + j];
            eigen[i * all + j] = eigen[best * all + j];
            eigen[best * all + j] = x;
        }
    }
}

static enum tsr_status estimate(struct start *s, struct estimate *e, size_t directions,
                                struct tsr_error *err) {
    TSR_TRY(add_gradients(s, e, err));
    TSR_TRY(regress(e, err));
    TSR_TRY(complete(e, s->spread, err));
    memcpy(s->spread, e->room, e->all * e->all * sizeof *s->spread);
    TSR_TRY(tsr_blas_eigen(e->all, s->spread, s->values, err));
    find_gains(e, s->spread, s->values, e->room);
    sort_gains(e, directions, s->spread, s->values);
    return TSR_OK;
}

/* The same where the context is not the query: directions along which one step, of the lengths that
 * s->values then are, is the best linear estimate of the Newton step on the query from the gradient
 * of the context. */
static enum tsr_status find_told_directions(struct start *s, size_t directions,
                                            struct tsr_error *err) {
    const char *what = "room for the directions of a principal start";
    size_t all = s->n * s->n_out, tasks = s->source->max_tasks;
    struct estimate e = {.all = all};
    double **squares[] = {&e.cc, &e.qc, &e.seen, &e.regression, &e.room};
    enum tsr_status status;
    TSR_CHECK(TSR_ALLOC(&e.q, tasks * all, what, err));
    TSR_CHECK(TSR_ALLOC(&e.c, tasks * all, what, err));
    TSR_CHECK(TSR_ALLOC(&e.values, all, what, err));
    for (size_t i = 0; i < sizeof squares / sizeof *squares; i++)
        TSR_CHECK(TSR_ALLOC(squares[i], all * all, what, err));
    status = estimate(s, &e, directions, err);
done:
    free(e.q);
    free(e.c);
    free(e.values);
    for (size_t i = 0; i < sizeof squares / sizeof *squares; i++)
        free(*squares[i]);
    return status;
}

/* Row i of the basis: H^-1/2 times the i-th strongest direction, so scaled that the rate times the
 * curvature along it is 1. */
static void set_basis(struct start *s, size_t directions) {
    const struct tsr_learner *l = s->learner;
    size_t n = s->n, all = n * s->n_out;
    double factor = 1 / sqrt(l->inner_lr);
    memset(l->basis, 0, directions * l->net->n_params * sizeof *l->basis);
    for (size_t i = 0; i < directions; i++) {
        const double *direction = s->spread + (all - 1 - i) * all;
        tsr_blas_gemm_double(false, false, s->n_out, n, n, direction, n, s->curvature, n, 0,
                             s->room, n);
        for (size_t o = 0; o < s->n_out; o++)
            for (size_t j = 0; j < n; j++)
                l->basis[i * l->net->n_params + place(s, o, j)] =
                    (tsr_real)(factor * s->room[o * n + j]);
    }
}

/* ---- rates ----------------------------------------------------------------------------------- */

/* Tasks that the rates of an inner step are fitted to, at least. */
enum { RATED_TASKS = 2048 };

/* What the tasks of a meta-batch have come to: numbers [tasks, D], those of all points, gradients
 * with respect to them; and the parameters that they stand for, [tasks, n_params]. */
struct rated {
    size_t n; /* D */
    double *basis, *z, *best, *gradient;
    tsr_real *phi, *products, *squares; /* [D] */
};

/* gradient = basis times those of the last layer. */
static void pull(struct start *s, const struct rated *r, size_t n_tasks) {
    size_t all = s->n * s->n_out;
    tsr_blas_gemm_double(false, true, n_tasks, r->n, all, s->rows, all, r->basis, all, 0,
                         r->gradient, r->n);
}

static void expand(struct start *s, const struct rated *r, size_t n_tasks) {
    size_t all = s->n * s->n_out, n_params = s->learner->net->n_params;
    tsr_blas_gemm_double(false, false, n_tasks, all, r->n, r->z, r->n, r->basis, all, 0, s->rows,
                         all);
    for (size_t i = 0; i < n_tasks; i++) {
        tsr_real *phi = r->phi + i * n_params;
        memcpy(phi, s->learner->theta, n_params * sizeof *phi);
        for (size_t j = 0; j < all; j++)
            phi[place(s, j / s->n, j % s->n)] += (tsr_real)s->rows[i * all + j];
    }
}

/* The numbers that all points would give, by one Newton step. */
static enum tsr_status find_best(struct start *s, const struct rated *r,
                                 const struct tsr_task_batch *batch, struct tsr_error *err) {
    size_t n_tasks = batch->first[batch->n_items];
    TSR_TRY(find_gradients(s, batch, QUERY, s->learner->theta, 0, err));
    pull(s, r, n_tasks);
    for (size_t i = 0; i < n_tasks * r->n; i++)
        r->best[i] = -s->learner->inner_lr * r->gradient[i];
    return TSR_OK;
}

static void descend(const struct start *s, const struct rated *r, size_t k, size_t n_tasks) {
    const struct tsr_rates *rates = s->learner->rates;
    for (size_t i = 0; i < n_tasks * r->n; i++) {
        tsr_real rate = rates->value[tsr_rates_at(rates, k, 0) + i % r->n];
        r->z[i] -= (double)rate * r->gradient[i];
    }
}

/* Takes the tasks through k inner steps and adds what the k-th has to know of the next gradient. */
static enum tsr_status measure_rates(struct start *s, const struct rated *r, size_t k,
                                     const struct tsr_task_batch *batch, struct tsr_error *err) {
    size_t n_tasks = batch->first[batch->n_items];
    TSR_TRY(find_best(s, r, batch, err));
    memset(r->z, 0, n_tasks * r->n * sizeof *r->z);
    for (size_t step = 0; step <= k; step++) {
        expand(s, r, n_tasks);
        TSR_TRY(find_gradients(s, batch, CONTEXT, r->phi, s->learner->net->n_params, err));
        pull(s, r, n_tasks);
        if (step < k) descend(s, r, step, n_tasks);
    }
    for (size_t i = 0; i < n_tasks * r->n; i++) {
        double g = r->gradient[i];
        r->products[i % r->n] += (tsr_real)(g * (r->z[i] - r->best[i]));
        r->squares[i % r->n] += (tsr_real)(g * g);
    }
    return TSR_OK;
}

static void set_rates(const struct start *s, const struct rated *r, size_t k) {
    const struct tsr_rates *rates = s->learner->rates;
    for (size_t slot = 0; slot < rates->n_slots; slot++)
        for (size_t i = 0; i < r->n; i++)
            if (r->squares[i] > 0)
                rates->value[tsr_rates_at(rates, k, slot) + i] = r->products[i] / r->squares[i];
}

/* Those of the first inner step: the directions came with them. */
static void set_first_rates(const struct start *s, const struct rated *r) {
    const struct tsr_rates *rates = s->learner->rates;
    for (size_t slot = 0; slot < rates->n_slots; slot++)
        for (size_t i = 0; i < r->n; i++)
            rates->value[tsr_rates_at(rates, 0, slot) + i] =
                (tsr_real)(s->learner->inner_lr * s->values[s->n * s->n_out - 1 - i]);
}

/* Rates of a context that is not all points: in each inner step the gradient of each number times
 * its rate is the best guess, in the least squares, of how far the number is from that which all
 * points give. */
static enum tsr_status fit_rates(struct start *s, const struct rated *r, struct tsr_error *err) {
    const struct tsr_rates *rates = s->learner->rates;
    struct tsr_task_batch batch;
    uint64_t next = 2 * s->batches;
    for (size_t k = 0; k < rates->n_steps; k++) {
        if (k == 0 && s->context == TSR_PRINCIPAL_FIXED) {
            set_first_rates(s, r);
            continue;
        }
        memset(r->products, 0, r->n * sizeof *r->products);
        memset(r->squares, 0, r->n * sizeof *r->squares);
        for (size_t seen = 0; seen < RATED_TASKS; seen += batch.first[batch.n_items]) {
            TSR_TRY(s->source->next(s->source->user, next++, &batch, err));
            TSR_TRY(measure_rates(s, r, k, &batch, err));
        }
        set_rates(s, r, k);
    }
    return TSR_OK;
}

static void copy_basis(const struct start *s, const struct rated *r) {
    const struct tsr_learner *l = s->learner;
    size_t all = s->n * s->n_out;
    for (size_t i = 0; i < r->n * all; i++)
        r->basis[i] =
            (double)l->basis[i / all * l->net->n_params + place(s, i % all / s->n, i % s->n)];
}

static enum tsr_status start_rates(struct start *s, size_t directions, struct tsr_error *err) {
    const char *what = "room for the rates of a principal start";
    size_t tasks = s->source->max_tasks, n_params = s->learner->net->n_params;
    struct rated r = {.n = directions};
    enum tsr_status status;
    TSR_CHECK(TSR_ALLOC(&r.basis, directions * s->n * s->n_out, what, err));
    TSR_CHECK(TSR_ALLOC(&r.z, tasks * directions, what, err));
    TSR_CHECK(TSR_ALLOC(&r.best, tasks * directions, what, err));
    TSR_CHECK(TSR_ALLOC(&r.gradient, tasks * directions, what, err));
    TSR_CHECK(TSR_ALLOC(&r.phi, tasks * n_params, what, err));
    TSR_CHECK(TSR_ALLOC(&r.products, directions, what, err));
    TSR_CHECK(TSR_ALLOC(&r.squares, directions, what, err));
    copy_basis(s, &r);
    status = fit_rates(s, &r, err);
done:
    free(r.basis);
    free(r.z);
    free(r.best);
    free(r.gradient);
    free(r.phi);
    free(r.products);
    free(r.squares);
    return status;
}

/* ---- the start ------------------------------------------------------------------------------- */

/* All slots start as the first. */
static void share(const struct tsr_learner *l, size_t n_slots, size_t directions) {
    size_t n = l->net->n_params;
    for (size_t slot = 1; slot < n_slots; slot++) {
        memcpy(l->theta + slot * n, l->theta, n * sizeof *l->theta);
        if (directions)
            memcpy(l->basis + slot * directions * n, l->basis, directions * n * sizeof *l->basis);
    }
}

static enum tsr_status solve(struct start *s, size_t directions, struct tsr_error *err) {
    for (size_t o = 0; o < s->n_out; o++)
        for (size_t j = 0; j < s->n; j++)
            s->learner->theta[place(s, o, j)] = 0;
    TSR_TRY(find_mean(s, err));
    TSR_TRY(take_root(s, err));
    set_last_layer(s);
    if (!directions) return TSR_OK;
    if (directions > s->rank * s->n_out)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "principal start: %zu numbers of a region are to adapt, but the %zu units "
                         "before the last layer span %zu directions; use a wider network or fewer "
                         "numbers",
                         directions, s->n - 1, s->rank * s->n_out);
    TSR_TRY(s->context == TSR_PRINCIPAL_FIXED ? find_told_directions(s, directions, err)
                                              : find_directions(s, err));
    set_basis(s, directions);
    const struct tsr_rates *rates = s->learner->rates;
    if (s->context == TSR_PRINCIPAL_QUERY || rates->n_units != directions ||
        rates->n_steps != s->learner->inner_steps)
        return TSR_OK;
    return start_rates(s, directions, err);
}

enum tsr_status tsr_principal_start(const struct tsr_learner *learner,
                                    struct tsr_task_source *source,
                                    const struct tsr_principal *config, struct tsr_error *err) {
    const struct tsr_kernel *kernel;
    const struct tsr_net *net = learner->net;
    struct tsr_space space;
    struct start s = {.learner = learner,
                      .source = source,
                      .batches = config->batches,
                      .context = config->context,
                      .n = net->width + 1,
                      .n_out = net->out_dim};
    enum tsr_status status;
    tsr_space_layout(&learner->adaptation, net, &space);
    TSR_TRY(tsr_kernel_find(config->kernel, &kernel, err));
    TSR_TRY(tsr_engine_create(net, kernel, config->threads, &s.engine, err));
    TSR_CHECK(allocate(&s, err));
    TSR_CHECK(solve(&s, space.n_directions, err));
    share(learner, source->n_slots, space.n_directions);
done:
    release(&s);
    return status;
}
