/* SPDX-License-Identifier: MIT
 *
 * Levenberg-Marquardt (Marquardt, "An algorithm for least-squares estimation of nonlinear
 * parameters", 1963; Nocedal & Wright, sections 7.1 and 10.3): steps d with (G + damping / P) d =
 * -g, G the Gauss-Newton matrix, by conjugate gradients over products with it. P, the model's
 * rates, is the metric of the damping and preconditions: where it rules, d is a gradient step with
 * these rates. Damping is each region's own. It begins with steps by the rates; each step is kept
 * only if the loss falls, so that more inner steps never hurt.
 */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "inner/dot.h"
#include "inner/optimizers.h"

enum { ITERATIONS, DAMPING };
static const struct tsr_param params[] = {
    {.name = "lm_iterations",
     .metavar = "N",
     .type = TSR_PARAM_COUNT,
     .fallback = 10,
     .lo = 1,
     .hi = 1000000,
     .help = "products with the Gauss-Newton matrix for a step, at most"},
    {.name = "lm_damping",
     .metavar = "F",
     .fallback = 1e-2,
     .lo = 1e-30,
     .hi = 1e30,
     .help = "damping of the first step, as a fraction of the curvature along the gradient"},
};

/* Tries of an inner step; when the quadratic model is solved; smallest part of the mean rate in the
 * metric. */
enum { TRIES = 6 };
static const double SOLVED = 1e-6, FLOOR = 1e-2;

enum phase { BEGIN, BY_RATES, SOLVING, TRYING };

struct lm {
    enum phase phase;
    size_t tries, iteration;
    double damping; /* 0: none yet */
    double rz, rz_first;
};

/* Vectors of n numbers in the state; PRODUCT is the answer's. */
enum { METRIC, STEP, RESIDUAL, CONJUGATE, PRODUCT, TRIAL, VECTORS };

static size_t head_size(void) {
    return tsr_align_up(sizeof(struct lm));
}

static size_t state_size(size_t n) {
    return head_size() + VECTORS * n * sizeof(tsr_real);
}

static tsr_real *vector_of(const struct tsr_inner_state *s, size_t i) {
    return (tsr_real *)(void *)((char *)s->state + head_size()) + i * s->n;
}

/* The size of the model's rates, bounded below. */
static void find_metric(const struct tsr_inner_state *s) {
    tsr_real *p = vector_of(s, METRIC);
    double sum = 0;
    for (size_t i = 0; i < s->n; i++)
        p[i] = (tsr_real)tsr_rates_own(s->rates, s->k, s->slot, i);
    for (size_t i = 0; i < s->n; i++)
        sum += fabs((double)p[i]);
    tsr_real least = (tsr_real)(FLOOR * sum / (double)s->n);
    for (size_t i = 0; i < s->n; i++) {
        tsr_real size = p[i] < 0 ? -p[i] : p[i];
        p[i] = !(least > 0) ? 1 : size > least ? size : least;
    }
}

static void try_step(const struct tsr_inner_state *s, struct lm *l, struct tsr_request *r) {
    tsr_real *trial = vector_of(s, TRIAL);
    const tsr_real *d = vector_of(s, STEP);
    if (l->phase == SOLVING) l->phase = TRYING;
    for (size_t i = 0; i < s->n; i++)
        trial[i] = s->phi[i] + d[i];
    *r = (struct tsr_request){.want = TSR_WANT_LOSS, .at = trial};
}

static void ask_product(const struct tsr_inner_state *s, struct tsr_request *r) {
    *r = (struct tsr_request){.want = TSR_WANT_GAUSS_NEWTON,
                              .at = s->phi,
                              .v = vector_of(s, CONJUGATE),
                              .result = vector_of(s, PRODUCT)};
}

/* The sum of P r^2. */
static double measure(const struct tsr_inner_state *s) {
    const tsr_real *p = vector_of(s, METRIC), *r = vector_of(s, RESIDUAL);
    double sum = 0;
    for (size_t i = 0; i < s->n; i++)
        sum += (double)p[i] * (double)r[i] * (double)r[i];
    return sum;
}

/* d = 0, r = -g, p = P r */
static void begin_solving(const struct tsr_inner_state *s, struct lm *l, struct tsr_request *r) {
    const tsr_real *metric = vector_of(s, METRIC);
    find_metric(s);
    for (size_t i = 0; i < s->n; i++) {
        vector_of(s, STEP)[i] = 0;
        vector_of(s, RESIDUAL)[i] = -s->g[i];
        vector_of(s, CONJUGATE)[i] = -metric[i] * s->g[i];
    }
    l->phase = SOLVING;
    l->iteration = 0;
    l->rz = l->rz_first = measure(s);
    ask_product(s, r);
}

/* One iteration, from the product G p; false: the step is found. */
static bool iterate(const struct tsr_inner_state *s, struct lm *l) {
    const tsr_real *metric = vector_of(s, METRIC);
    tsr_real *p = vector_of(s, CONJUGATE), *q = vector_of(s, PRODUCT), *r = vector_of(s, RESIDUAL);
    double inverse = 0; /* p P^-1 p */
    for (size_t i = 0; i < s->n; i++)
        inverse += (double)p[i] * (double)p[i] / (double)metric[i];
    double curved = tsr_dot(p, q, s->n);
    if (l->damping == 0) l->damping = s->choice->value[DAMPING] * curved / inverse;
    double all = curved + l->damping * inverse;
    if (!(all > 0 && isfinite(all))) return false;
    double a = l->rz / all;
    for (size_t i = 0; i < s->n; i++)
        q[i] += (tsr_real)l->damping * p[i] / metric[i];
    tsr_add(vector_of(s, STEP), a, p, s->n);
    tsr_add(r, -a, q, s->n);
    double before = l->rz;
    l->rz = measure(s);
    if (++l->iteration >= (size_t)s->choice->value[ITERATIONS]) return false;
    if (!(l->rz > SOLVED * l->rz_first)) return false;
    for (size_t i = 0; i < s->n; i++)
        p[i] = metric[i] * r[i] + (tsr_real)(l->rz / before) * p[i];
    return true;
}

/* By how much the quadratic model says that the loss falls: its minimum over what was searched has
 * d (G + damping / P) d = -g d. */
static double promise(const struct tsr_inner_state *s, const struct lm *l) {
    const tsr_real *d = vector_of(s, STEP), *metric = vector_of(s, METRIC);
    double inverse = 0;
    for (size_t i = 0; i < s->n; i++)
        inverse += (double)d[i] * (double)d[i] / (double)metric[i];
    return 0.5 * (l->damping * inverse - tsr_dot(s->g, d, s->n));
}

static void begin(const struct tsr_inner_state *s, struct lm *l, struct tsr_request *r) {
    l->tries = 0;
    if (s->k >= s->rates->n_steps) {
        begin_solving(s, l, r);
        return;
    }
    tsr_real *d = vector_of(s, STEP);
    memset(d, 0, s->n * sizeof *d);
    tsr_rates_descend(s->rates, s->k, s->slot, 0, s->n, s->factor, d, s->g, d);
    l->phase = BY_RATES;
    try_step(s, l, r);
}

/* The damping follows from how good the model was. */
static void judge(const struct tsr_inner_state *s, struct lm *l, double loss) {
    if (l->phase != TRYING) return;
    double good = (s->loss - loss) / promise(s, l);
    if (good > 0.75)
        l->damping /= 4;
    else if (!(good > 0.25))
        l->damping *= good > 0 ? 2 : 8;
    if (!(l->damping > 0 && isfinite(l->damping))) l->damping = 0;
}

static void next(const struct tsr_inner_state *s, struct tsr_request *request) {
    struct lm *l = s->state;
    if (request->want == TSR_WANT_NOTHING) {
        begin(s, l, request);
        return;
    }
    if (request->want == TSR_WANT_GAUSS_NEWTON) {
        if (iterate(s, l))
            ask_product(s, request);
        else
            try_step(s, l, request);
        return;
    }
    judge(s, l, request->loss);
    bool falls = request->loss < s->loss;
    if (!falls && ++l->tries < TRIES) {
        begin_solving(s, l, request);
        return;
    }
    if (falls)
        memcpy(s->next, vector_of(s, TRIAL), s->n * sizeof *s->next);
    else if (s->next != s->phi)
        memcpy(s->next, s->phi, s->n * sizeof *s->next);
    request->want = TSR_WANT_NOTHING;
}

const struct tsr_optimizer tsr_optimizer_lm = {
    .object = {.name = "lm",
               .about = "Levenberg-Marquardt, after steps by the model's rates",
               .params = TSR_PARAMS(params)},
    .asks_loss = true,
    .state_size = state_size,
    .next = next,
};
