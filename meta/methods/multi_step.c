/* SPDX-License-Identifier: MIT
 *
 * The multi-step loss of MAML++ (Antoniou et al., ICLR 2019, arXiv 1810.09502, section 4), exact
 * second order: the outer loss is the weighted sum of the query losses after each inner step,
 *
 *     L = sum over k = 1 .. K of w_k L_qry(phi_k),   w_k = max(1 - progress / anneal, rest) / K
 *
 * for k < K, and w_K what is left of 1: uniform at the start of the run, then falling towards the
 * last step, which has (almost) all the weight once the share `anneal` of the run is over.
 */
#include "meta/methods.h"

static const struct tsr_param params[] = {
    {.name = "anneal",
     .metavar = "F",
     .type = TSR_PARAM_NUMBER,
     .fallback = 0.15,
     .lo = 0,
     .hi = 1,
     .optional = true,
     .help = "share of the run over which the last inner step takes over"},
    {.name = "rest",
     .metavar = "F",
     .type = TSR_PARAM_NUMBER,
     .fallback = 0.03,
     .lo = 0,
     .hi = 1,
     .optional = true,
     .help = "weight of the earlier inner steps after that, as a fraction of the first"},
};

/* Query gradients at phi_1 .. phi_{K-1} cost nothing where the query set is the context set. */
static double passes(size_t k) {
    return 9 * (double)k + 3 + (k > 1 ? 3 * (double)(k - 1) : 0);
}

static void finish(const struct tsr_choice *choice, double progress, struct tsr_carried *c) {
    double anneal = choice->value[0], rest = choice->value[1];
    size_t n = tsr_carried_steps(c);
    double left = anneal > 0 ? 1 - progress / anneal : 0;
    double early = n > 0 ? (left > rest ? left : rest) / (double)n : 0;
    tsr_carried_query(c, n > 1 ? 1 - (double)(n - 1) * early : 1);
    for (size_t k = n; k-- > 0;)
        tsr_carried_back(c, k, k > 0 ? early : 0);
}

const struct tsr_method tsr_method_multi_step = {
    .object = {"multi-step", "exact second order of a loss after every inner step (MAML++)",
               TSR_PARAMS(params)},
    .learns_rates = true,
    .second_order = true,
    .many_losses = true,
    .passes = passes,
    .finish = finish,
};
