/* SPDX-License-Identifier: MIT
 *
 * First order (Finn et al., arXiv 1703.03400, section 5.2): as if the inner gradients did not
 * depend on the parameters.
 */
#include "meta/methods.h"

static double passes(size_t k) {
    return 3 * (double)k + 3;
}

static void finish(const struct tsr_choice *choice, double progress, struct tsr_carried *c) {
    (void)choice, (void)progress;
    tsr_carried_query(c, 1);
    for (size_t k = tsr_carried_steps(c); k-- > 0;)
        tsr_carried_rates(c, k);
}

const struct tsr_method tsr_method_fomaml = {
    .object = {"fomaml", "first order: the Hessian is left out", {NULL, 0}},
    .learns_rates = true,
    .passes = passes,
    .finish = finish,
};
