/* SPDX-License-Identifier: MIT
 *
 * Adam (arXiv 1412.6980, beta 0.9, 0.999, eps 1e-8), for long runs: after some gradient steps with
 * the model's rates, and with a rate that rises: from learned initial weights an unwarmed Adam
 * first loses what these gained.
 */
#include <string.h>

#include "inner/adam.h"
#include "inner/optimizers.h"

enum { SGD_STEPS, LR, WARMUP };
static const struct tsr_param params[] = {
    {.name = "sgd_steps",
     .metavar = "N",
     .type = TSR_PARAM_COUNT,
     .fallback = 0,
     .hi = 1000000,
     .help = "gradient steps before Adam begins"},
    {.name = "adam_lr",
     .metavar = "A",
     .fallback = 1e-3,
     .lo = 1e-30,
     .hi = 1e30,
     .help = "Adam's rate"},
    {.name = "adam_warmup",
     .metavar = "N",
     .type = TSR_PARAM_COUNT,
     .fallback = 20,
     .hi = 1e15,
     .help = "inner steps over which Adam's rate rises"},
};

/* The two moments. */
static size_t state_size(size_t n_params) {
    return 2 * n_params * sizeof(tsr_real);
}

static void next(const struct tsr_inner_state *s, struct tsr_request *request) {
    const double *value = s->choice->value;
    size_t before = (size_t)value[SGD_STEPS], from = s->from, n = s->to - from;
    request->want = TSR_WANT_NOTHING;
    if (s->k < before) {
        tsr_rates_descend(s->rates, s->k, s->slot, from, s->to, s->factor, s->phi, s->g, s->next);
        return;
    }
    double t = (double)(s->k - before + 1), ramp = t < value[WARMUP] ? t / value[WARMUP] : 1;
    const struct tsr_adam adam = {value[LR] * (ramp * s->factor), 0.9, 0.999, s->k - before + 1};
    tsr_real *m = (tsr_real *)s->state + from, *v = m + s->n, *x = s->next + from;
    if (s->next != s->phi) memcpy(x, s->phi + from, n * sizeof *x);
    tsr_adam_update(&adam, 1, n, s->g + from, x, m, v);
}

const struct tsr_optimizer tsr_optimizer_adam = {
    .object = {.name = "adam",
               .about = "Adam, after gradient steps with the model's rates",
               .params = TSR_PARAMS(params)},
    .elementwise = true,
    .state_size = state_size,
    .next = next,
};
