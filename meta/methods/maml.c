/* SPDX-License-Identifier: MIT
 *
 * Exact second order (Finn et al., arXiv 1703.03400): the derivative of the query loss at phi_K
 * through all inner steps.
 */
#include "meta/methods.h"

static double passes(size_t k) {
    return 9 * (double)k + 3;
}

static void finish(const struct tsr_choice *choice, double progress, struct tsr_carried *c) {
    (void)choice, (void)progress;
    tsr_carried_query(c, 1);
    for (size_t k = tsr_carried_steps(c); k-- > 0;)
        tsr_carried_back(c, k, 0);
}

const struct tsr_method tsr_method_maml = {
    .object = {"maml", "exact second order", {NULL, 0}},
    .learns_rates = true,
    .second_order = true,
    .passes = passes,
    .finish = finish,
};
