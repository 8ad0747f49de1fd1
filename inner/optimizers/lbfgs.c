/* SPDX-License-Identifier: MIT
 *
 * L-BFGS (Liu & Nocedal, "On the limited memory BFGS method for large scale optimization", 1989;
 * Nocedal & Wright, algorithms 7.4 and 3.1), for long runs. It begins with a step by the model's
 * rates, whose metric also scales the first direction; each step is kept only if the loss falls by
 * a fraction of what the slope promises, so that more inner steps never hurt.
 */
#include <string.h>

#include "base/memory.h"
#include "inner/dot.h"
#include "inner/optimizers.h"

enum { PAIRS = 10, TRIES = 12 };
static const double SUFFICIENT = 1e-4, CURVED = 1e-8;

struct lbfgs {
    size_t n_pairs, newest; /* a ring */
    size_t tries;
    bool begun;
    double length, slope, rho[PAIRS];
};

/* Vectors of n numbers in the state: the last point and gradient, direction, trial point, pairs. */
enum { LAST, LAST_G, DIRECTION, TRIAL, S, Y = S + PAIRS, VECTORS = Y + PAIRS };

static size_t head_size(void) {
    return tsr_align_up(sizeof(struct lbfgs));
}

static size_t state_size(size_t n) {
    return head_size() + VECTORS * n * sizeof(tsr_real);
}

static tsr_real *vector_of(const struct tsr_inner_state *s, size_t i) {
    return (tsr_real *)(void *)((char *)s->state + head_size()) + i * s->n;
}

/* Adds the pair of the step that led here, if the loss curves upwards along it. */
static void remember(const struct tsr_inner_state *s, struct lbfgs *l) {
    size_t at = (l->newest + 1) % PAIRS;
    tsr_real *move = vector_of(s, S + at), *change = vector_of(s, Y + at);
    for (size_t i = 0; i < s->n; i++) {
        move[i] = s->phi[i] - vector_of(s, LAST)[i];
        change[i] = s->g[i] - vector_of(s, LAST_G)[i];
    }
    double sy = tsr_dot(move, change, s->n);
    if (!(sy > CURVED * tsr_dot(change, change, s->n))) return;
    l->rho[at] = 1 / sy;
    l->newest = at;
    if (l->n_pairs < PAIRS) l->n_pairs++;
}

/* d = -H g by the two loops. */
static void direction(const struct tsr_inner_state *s, const struct lbfgs *l, tsr_real *d) {
    double alpha[PAIRS] = {0};
    for (size_t i = 0; i < s->n; i++)
        d[i] = -s->g[i];
    for (size_t j = 0; j < l->n_pairs; j++) {
        size_t at = (l->newest + PAIRS - j) % PAIRS;
        alpha[j] = l->rho[at] * tsr_dot(vector_of(s, S + at), d, s->n);
        tsr_add(d, -alpha[j], vector_of(s, Y + at), s->n);
    }
    const tsr_real *y = vector_of(s, Y + l->newest);
    double scale = 1 / (l->rho[l->newest] * tsr_dot(y, y, s->n));
    for (size_t i = 0; i < s->n; i++)
        d[i] *= (tsr_real)scale;
    for (size_t j = l->n_pairs; j-- > 0;) {
        size_t at = (l->newest + PAIRS - j) % PAIRS;
        tsr_add(d, alpha[j] - l->rho[at] * tsr_dot(vector_of(s, Y + at), d, s->n),
                vector_of(s, S + at), s->n);
    }
}

/* d = -alpha_k * g */
static void by_rates(const struct tsr_inner_state *s, tsr_real *d) {
    memset(d, 0, s->n * sizeof *d);
    tsr_rates_descend(s->rates, s->k, s->slot, 0, s->n, s->factor, d, s->g, d);
}

static void try_length(const struct tsr_inner_state *s, struct tsr_request *r) {
    const struct lbfgs *l = s->state;
    tsr_real *trial = vector_of(s, TRIAL);
    const tsr_real *d = vector_of(s, DIRECTION);
    for (size_t i = 0; i < s->n; i++)
        trial[i] = s->phi[i] + (tsr_real)l->length * d[i];
    *r = (struct tsr_request){.want = TSR_WANT_LOSS, .at = trial};
}

static void begin(const struct tsr_inner_state *s, struct lbfgs *l, struct tsr_request *r) {
    tsr_real *d = vector_of(s, DIRECTION);
    bool trained = s->k < s->rates->n_steps;
    if (l->begun) remember(s, l);
    l->begun = true;
    memcpy(vector_of(s, LAST), s->phi, s->n * sizeof *d);
    memcpy(vector_of(s, LAST_G), s->g, s->n * sizeof *d);
    l->slope = 0;
    if (!trained && l->n_pairs > 0) {
        direction(s, l, d);
        l->slope = tsr_dot(d, s->g, s->n);
    }
    if (!(l->slope < 0)) { /* no direction yet, or none that descends */
        if (!trained) l->n_pairs = 0;
        by_rates(s, d);
        l->slope = tsr_dot(d, s->g, s->n);
    }
    l->length = 1;
    l->tries = 0;
    try_length(s, r);
}

static void next(const struct tsr_inner_state *s, struct tsr_request *request) {
    struct lbfgs *l = s->state;
    if (request->want == TSR_WANT_NOTHING) {
        begin(s, l, request);
        return;
    }
    double promised = l->slope < 0 ? SUFFICIENT * l->length * l->slope : 0;
    bool falls = request->loss < s->loss && request->loss <= s->loss + promised;
    if (!falls && ++l->tries < TRIES) {
        l->length *= l->tries < 3 ? 0.5 : 0.1;
        try_length(s, request);
        return;
    }
    if (falls) {
        memcpy(s->next, vector_of(s, TRIAL), s->n * sizeof *s->next);
    } else {
        l->n_pairs = 0;
        if (s->next != s->phi) memcpy(s->next, s->phi, s->n * sizeof *s->next);
    }
    request->want = TSR_WANT_NOTHING;
}

const struct tsr_optimizer tsr_optimizer_lbfgs = {
    .object = {.name = "lbfgs", .about = "L-BFGS, after steps by the model's rates"},
    .asks_loss = true,
    .state_size = state_size,
    .next = next,
};
