/* SPDX-License-Identifier: MIT
 *
 * Gradient steps with the model's rates, each kept only if the loss of the region falls: else the
 * step is tried again a quarter as long, and in the end not taken. More inner steps never hurt,
 * and where the rates suit they are those of sgd.
 */
#include <math.h>
#include <string.h>

#include "base/memory.h"
#include "inner/optimizers.h"

enum { TRIES = 8 };
static const double SHORTER = 0.25, LONGER = 1.5;

struct accept {
    double scale; /* of the rates */
    size_t tries;
};

static size_t state_size(size_t n) {
    return TSR_ALIGNMENT + n * sizeof(tsr_real);
}

static tsr_real *trial_of(const struct tsr_inner_state *s) {
    return (tsr_real *)(void *)((char *)s->state + TSR_ALIGNMENT);
}

static void try_step(const struct tsr_inner_state *s, struct tsr_request *r) {
    const struct accept *a = s->state;
    tsr_rates_descend(s->rates, s->k, s->slot, 0, s->n, s->factor * a->scale, s->phi, s->g,
                      trial_of(s));
    *r = (struct tsr_request){.want = TSR_WANT_LOSS, .at = trial_of(s)};
}

static void stay(const struct tsr_inner_state *s) {
    if (s->next != s->phi) memcpy(s->next, s->phi, s->n * sizeof *s->next);
}

static void next(const struct tsr_inner_state *s, struct tsr_request *request) {
    struct accept *a = s->state;
    if (request->want == TSR_WANT_NOTHING) {
        bool trained = s->k < s->rates->n_steps;
        a->scale = trained || a->scale == 0 ? 1 : a->scale;
        a->tries = 0;
        try_step(s, request);
        return;
    }
    bool falls = request->loss < s->loss;
    a->scale = falls ? fmin(a->scale * (a->tries ? 1 : LONGER), 1) : a->scale * SHORTER;
    if (!falls && ++a->tries < TRIES) {
        try_step(s, request);
        return;
    }
    if (falls)
        memcpy(s->next, trial_of(s), s->n * sizeof *s->next);
    else
        stay(s);
    request->want = TSR_WANT_NOTHING;
}

const struct tsr_optimizer tsr_optimizer_accept = {
    .object = {.name = "accept", .about = "gradient steps that are kept only if the loss falls"},
    .asks_loss = true,
    .state_size = state_size,
    .next = next,
};
