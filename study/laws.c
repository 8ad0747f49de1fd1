/* SPDX-License-Identifier: MIT
 *
 * All three laws have the same parameters here: p and q, the logarithms of T at the smallest and
 * the largest n, and s = log sigma. Every p and q is then a law that is positive in between, and
 * they are of one scale, which Newton's method likes.
 */
#include "study/laws.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/names.h"
#include "base/quantile.h"
#include "base/random.h"

static const char *const law_names[] = {"exponential", "power", "linear"};
TSR_DEFINE_NAMES(tsr_law, tsr_law_kind, law_names, "law")

/* sigma stays above exp(LEAST_LOG_SIGMA): exact data have no largest likelihood. */
#define LEAST_LOG_SIGMA (-12.0)
#define MAX_ITERATIONS 200
#define HALF_LOG_2PI 0.91893853320467274

struct observation {
    double t; /* 0 at the smallest n, 1 at the largest: of n, or of log n for the power law */
    double y; /* log steps */
    bool censored;
};

/* ---- likelihood ------------------------------------------------------------------------------ */

/* Log-likelihood, its gradient and its second derivatives by (p, q, s). */
struct likelihood {
    double value, g[3], h[3][3];
};

/* log of the probability that a standard normal exceeds z; *hazard is density / probability. */
static double log_survival(double z, double *hazard) {
    double log_density = -0.5 * z * z - HALF_LOG_2PI;
    if (z > 20) {
        *hazard = z + 1 / z - 2 / (z * z * z);
        return log_density - log(*hazard);
    }
    double value = log(0.5 * erfc(z * 0.70710678118654752));
    *hazard = exp(log_density - value);
    return value;
}

/* m = log T(t), its derivatives dm by p and q, and c such that the second derivatives are c for pp
 * and qq, -c for pq. */
static double log_law(enum tsr_law_kind kind, const double *x, double t, double *dm, double *c) {
    dm[0] = 1 - t;
    dm[1] = t;
    *c = 0;
    if (kind != TSR_LAW_LINEAR) return x[0] * dm[0] + x[1] * dm[1];
    double top = x[0] > x[1] ? x[0] : x[1];
    double u = (1 - t) * exp(x[0] - top), v = t * exp(x[1] - top);
    dm[0] = u / (u + v);
    dm[1] = v / (u + v);
    *c = dm[0] * dm[1];
    return top + log(u + v);
}

static void add_observation(enum tsr_law_kind kind, const double *x, const struct observation *o,
                            struct likelihood *l) {
    double dm[2], c, sigma = exp(x[2]), hazard;
    double z = (o->y - log_law(kind, x, o->t, dm, &c)) / sigma;
    double by_m, by_mm, by_s, by_ss, by_ms; /* derivatives by m = log T and s */
    if (o->censored) {
        l->value += log_survival(z, &hazard);
        double slope = hazard * (hazard - z); /* derivative of the hazard */
        by_m = hazard / sigma;
        by_mm = -slope / (sigma * sigma);
        by_s = z * hazard;
        by_ss = -z * hazard - z * z * slope;
        by_ms = -(hazard + z * slope) / sigma;
    } else {
        l->value -= x[2] + 0.5 * z * z + HALF_LOG_2PI;
        by_m = z / sigma;
        by_mm = -1 / (sigma * sigma);
        by_s = z * z - 1;
        by_ss = -2 * z * z;
        by_ms = -2 * z / sigma;
    }
    for (int i = 0; i < 2; i++) {
        l->g[i] += by_m * dm[i];
        l->h[i][2] += by_ms * dm[i];
        for (int j = 0; j < 2; j++)
            l->h[i][j] += by_mm * dm[i] * dm[j] + by_m * (i == j ? c : -c);
    }
    l->g[2] += by_s;
    l->h[2][2] += by_ss;
}

static struct likelihood likelihood_at(enum tsr_law_kind kind, const double *x,
                                       const struct observation *o, size_t n) {
    struct likelihood l = {0};
    for (size_t i = 0; i < n; i++)
        add_observation(kind, x, &o[i], &l);
    l.h[2][0] = l.h[0][2];
    l.h[2][1] = l.h[1][2];
    return l;
}

/* ---- the largest likelihood ------------------------------------------------------------------ */

/* Solves a d = g by Cholesky; false if a is not positive definite. */
static bool solve(double a[3][3], const double *g, double *d) {
    for (int i = 0; i < 3; i++) {
        for (int j = 0; j <= i; j++) {
            double sum = a[i][j];
            for (int k = 0; k < j; k++)
                sum -= a[i][k] * a[j][k];
            if (i == j && !(sum > 0)) return false;
            a[i][j] = i == j ? sqrt(sum) : sum / a[j][j];
        }
    }
    for (int i = 0; i < 3; i++) {
        d[i] = g[i];
        for (int k = 0; k < i; k++)
            d[i] -= a[i][k] * d[k];
        d[i] /= a[i][i];
    }
    for (int i = 2; i >= 0; i--) {
        for (int k = i + 1; k < 3; k++)
            d[i] -= a[k][i] * d[k];
        d[i] /= a[i][i];
    }
    return true;
}

/* x + (damping - second derivatives)^-1 gradient, with sigma kept above its bound. */
static bool propose(const struct likelihood *l, const double *x, double damping, double *to) {
    double a[3][3], d[3];
    for (int i = 0; i < 3; i++)
        for (int j = 0; j < 3; j++)
            a[i][j] = (i == j ? damping : 0) - l->h[i][j];
    if (!solve(a, l->g, d)) return false;
    for (int i = 0; i < 3; i++)
        to[i] = x[i] + d[i];
    if (to[2] < LEAST_LOG_SIGMA) to[2] = LEAST_LOG_SIGMA;
    return isfinite(to[0]) && isfinite(to[1]) && isfinite(to[2]);
}

/* Newton's method with damping (Levenberg) where the likelihood is not concave or a step too
 * long. x [3] is the start and the result; returns the log-likelihood. */
static double maximise(enum tsr_law_kind kind, const struct observation *o, size_t n, double *x) {
    struct likelihood l = likelihood_at(kind, x, o, n);
    double damping = 0;
    for (int i = 0; i < MAX_ITERATIONS; i++) {
        double to[3], gain = -1;
        struct likelihood next = l;
        if (propose(&l, x, damping, to)) {
            next = likelihood_at(kind, to, o, n);
            gain = next.value - l.value;
        }
        if (!(gain >= 0)) {
            if (damping > 1e12) break; /* rounding hides what is left to gain */
            damping = damping > 0 ? 4 * damping : 1e-3;
            continue;
        }
        memcpy(x, to, sizeof to);
        l = next;
        if (gain <= 1e-12 * (1 + fabs(l.value)) && damping < 1) break;
        damping = damping > 1e-6 ? damping / 8 : 0;
    }
    return l.value;
}

/* The line through (t, y) by least squares, as p, q and log sigma. */
static void start_at_line(const struct observation *o, size_t n, double *x) {
    double t = 0, y = 0, tt = 0, ty = 0, residual = 0;
    for (size_t i = 0; i < n; i++)
        t += o[i].t / (double)n, y += o[i].y / (double)n;
    for (size_t i = 0; i < n; i++) {
        tt += (o[i].t - t) * (o[i].t - t);
        ty += (o[i].t - t) * (o[i].y - y);
    }
    double slope = ty / tt;
    x[0] = y - slope * t;
    x[1] = x[0] + slope;
    for (size_t i = 0; i < n; i++) {
        double r = o[i].y - x[0] - slope * o[i].t;
        residual += r * r / (double)n;
    }
    x[2] = residual > 1e-20 ? 0.5 * log(residual) : -10;
}

struct range {
    double lo, hi; /* of n */
};

static void fit(enum tsr_law_kind kind, const struct range *r, const struct tsr_trial *trials,
                size_t n, struct observation *o, struct tsr_law *law) {
    double x[3];
    bool power = kind == TSR_LAW_POWER;
    double lo = power ? log(r->lo) : r->lo, hi = power ? log(r->hi) : r->hi;
    for (size_t i = 0; i < n; i++) {
        o[i].t = ((power ? log(trials[i].n) : trials[i].n) - lo) / (hi - lo);
        o[i].y = log(trials[i].steps);
        o[i].censored = trials[i].censored;
    }
    start_at_line(o, n, x);
    law->log_likelihood = maximise(kind, o, n, x);
    law->aic = 2 * 3 - 2 * law->log_likelihood;
    law->sigma = exp(x[2]);
    if (kind == TSR_LAW_LINEAR) {
        law->b = (exp(x[1]) - exp(x[0])) / (hi - lo);
        law->a = exp(x[0]) - law->b * lo;
    } else {
        law->b = (x[1] - x[0]) / (hi - lo);
        law->a = exp(x[0] - law->b * lo);
    }
}

double tsr_law_steps(enum tsr_law_kind kind, const struct tsr_law *law, double n) {
    switch (kind) {
    case TSR_LAW_EXPONENTIAL:
        return law->a * exp(law->b * n);
    case TSR_LAW_POWER:
        return law->a * pow(n, law->b);
    case TSR_LAW_LINEAR:
        break;
    }
    return law->a + law->b * n;
}

/* ---- data ------------------------------------------------------------------------------------ */

static int by_n(const void *a, const void *b) {
    const struct tsr_trial *x = a, *y = b;
    if (x->n != y->n) return x->n < y->n ? -1 : 1;
    if (x->steps != y->steps) return x->steps < y->steps ? -1 : 1;
    return (int)x->censored - (int)y->censored;
}

/* The end of the trials that share n with the first of them. Trials are sorted. */
static size_t group_end(const struct tsr_trial *trials, size_t n, size_t from) {
    size_t to = from;
    while (to < n && trials[to].n == trials[from].n)
        to++;
    return to;
}

/* Is there enough to fit? */
static bool enough(const struct tsr_trial *trials, size_t n) {
    size_t groups = 0, groups_ended = 0, ended = 0;
    for (size_t from = 0, to; from < n; from = to, groups++) {
        size_t before = ended;
        to = group_end(trials, n, from);
        for (size_t i = from; i < to; i++)
            ended += !trials[i].censored;
        groups_ended += ended > before;
    }
    return groups >= 3 && groups_ended >= 2 && ended >= 4;
}

static double r_squared(enum tsr_law_kind kind, const struct tsr_law *law,
                        const struct tsr_trial *trials, size_t n) {
    double sum = 0, squares = 0, residual = 0;
    size_t groups = 0;
    for (size_t from = 0, to; from < n; from = to) {
        double mean = 0;
        bool censored = false;
        to = group_end(trials, n, from);
        for (size_t i = from; i < to; i++) {
            mean += trials[i].steps / (double)(to - from);
            censored |= trials[i].censored;
        }
        if (censored) continue;
        double y = log(mean), law_mean = log(tsr_law_steps(kind, law, trials[from].n)) +
                                         0.5 * law->sigma * law->sigma;
        groups++;
        sum += y;
        squares += y * y;
        residual += (y - law_mean) * (y - law_mean);
    }
    double total = squares - sum * sum / (double)groups;
    return groups >= 3 && total > 0 ? 1 - residual / total : (double)NAN;
}

/* ---- bootstrap ------------------------------------------------------------------------------- */

/* Draws the trials of each n anew from these, one fewer of them (but not 0): as many as there are
 * would vary too little (Rao & Wu, JASA 83, 1988). Returns how many. */
static size_t resample(const struct tsr_trial *trials, size_t n, uint64_t seed, uint64_t number,
                       struct tsr_trial *out) {
    uint64_t stream = number << 32 | TSR_STREAM_BOOTSTRAP;
    size_t drawn = 0;
    for (size_t from = 0, to; from < n; from = to) {
        to = group_end(trials, n, from);
        size_t group = to - from, wanted = group > 1 ? group - 1 : 1;
        for (size_t i = 0; i < wanted; i++)
            out[drawn++] = trials[from + tsr_random_below(seed, stream, from + i, group)];
    }
    return drawn;
}

/* The 2.5 and 97.5 percentiles; sorts. */
static void percentiles(double *values, size_t n, double *out) {
    tsr_sort(values, n);
    out[0] = tsr_quantile(values, n, 0.025);
    out[1] = tsr_quantile(values, n, 0.975);
}

struct scratch {
    struct tsr_trial *sorted, *drawn;      /* [n] */
    struct observation *o;                 /* [n] */
    double *a[TSR_N_LAWS], *b[TSR_N_LAWS]; /* [resamples] */
};

static void layout(struct scratch *s, size_t n, size_t resamples, struct tsr_arena *arena) {
    s->sorted = tsr_arena_take(arena, n, sizeof *s->sorted);
    s->drawn = tsr_arena_take(arena, n, sizeof *s->drawn);
    s->o = tsr_arena_take(arena, n, sizeof *s->o);
    for (int k = 0; k < TSR_N_LAWS; k++) {
        s->a[k] = tsr_arena_take(arena, resamples, sizeof(double));
        s->b[k] = tsr_arena_take(arena, resamples, sizeof(double));
    }
}

static void bootstrap(struct scratch *s, const struct range *r, size_t n, size_t resamples,
                      uint64_t seed, struct tsr_law *laws) {
    size_t made = 0, chosen[TSR_N_LAWS] = {0};
    for (size_t i = 0; i < resamples; i++) {
        int best = 0;
        struct tsr_law drawn[TSR_N_LAWS];
        size_t n_drawn = resample(s->sorted, n, seed, i, s->drawn);
        if (!enough(s->drawn, n_drawn)) continue;
        for (int k = 0; k < TSR_N_LAWS; k++) {
            fit((enum tsr_law_kind)k, r, s->drawn, n_drawn, s->o, &drawn[k]);
            s->a[k][made] = drawn[k].a;
            s->b[k][made] = drawn[k].b;
            if (drawn[k].aic < drawn[best].aic) best = k;
        }
        chosen[best]++;
        made++;
    }
    if (2 * made <= resamples) return;
    for (int k = 0; k < TSR_N_LAWS; k++) {
        percentiles(s->a[k], made, laws[k].a_interval);
        percentiles(s->b[k], made, laws[k].b_interval);
        laws[k].chosen = (double)chosen[k] / (double)made;
    }
}

enum tsr_status tsr_laws_fit(const struct tsr_trial *trials, size_t n, size_t resamples,
                             uint64_t seed, struct tsr_law *laws, struct tsr_error *err) {
    struct scratch s;
    struct tsr_arena arena = {0};
    bool repeated = false;
    for (size_t i = 0; i < n; i++)
        if (!(trials[i].n > 0 && isfinite(trials[i].n) && trials[i].steps > 0 &&
              isfinite(trials[i].steps)))
            return TSR_ERROR(err, TSR_ERR_CONFIG, "laws: %g steps at n = %g; both must be positive",
                             trials[i].steps, trials[i].n);
    layout(&s, n, resamples, &arena);
    TSR_TRY(tsr_arena_create(&arena, arena.used, "laws", err));
    layout(&s, n, resamples, &arena);
    if (n) memcpy(s.sorted, trials, n * sizeof *trials);
    qsort(s.sorted, n, sizeof *s.sorted, by_n);
    if (!enough(s.sorted, n)) {
        tsr_arena_free(&arena);
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "laws: too little to fit: they need 3 different n, and 4 trials that are "
                         "not censored at 2 different n");
    }
    struct range range = {s.sorted[0].n, s.sorted[n - 1].n};
    for (size_t i = 1; i < n; i++)
        repeated |= s.sorted[i].n == s.sorted[i - 1].n;
    for (int k = 0; k < TSR_N_LAWS; k++) {
        const double none = (double)NAN;
        laws[k] = (struct tsr_law){
            .a_interval = {none, none}, .b_interval = {none, none}, .chosen = none};
        fit((enum tsr_law_kind)k, &range, s.sorted, n, s.o, &laws[k]);
        laws[k].r2 = r_squared((enum tsr_law_kind)k, &laws[k], s.sorted, n);
    }
    if (repeated) bootstrap(&s, &range, n, resamples, seed, laws);
    tsr_arena_free(&arena);
    return TSR_OK;
}
