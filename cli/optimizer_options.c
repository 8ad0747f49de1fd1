/* SPDX-License-Identifier: MIT */
#include "cli/optimizer_options.h"

void cli_optimizer_apply(const struct cli_call *call, const struct tsr_choice *asked,
                         const struct tsr_model *model, size_t inner_steps,
                         struct tsr_choice *out) {
    bool given = cli_given(call, "inner-optimizer");
    *out = tsr_reconstruct_optimizer(
        model, given ? tsr_optimizer_of(asked) : tsr_reconstruct_optimizer_for(model, inner_steps));
    cli_params_given(call, &tsr_optimizers, out);
}
