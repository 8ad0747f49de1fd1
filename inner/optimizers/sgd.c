/* SPDX-License-Identifier: MIT
 *
 * Gradient steps with the model's rates: phi_{k+1} = phi_k - alpha_k * g_k, what training knows.
 */
#include "inner/optimizers.h"

static void next(const struct tsr_inner_state *s, struct tsr_request *request) {
    request->want = TSR_WANT_NOTHING;
    tsr_rates_descend(s->rates, s->k, s->slot, s->from, s->to, s->factor, s->phi, s->g, s->next);
}

const struct tsr_optimizer tsr_optimizer_sgd = {
    .object = {.name = "sgd", .about = "gradient steps with the model's rates"},
    .elementwise = true,
    .next = next,
};
