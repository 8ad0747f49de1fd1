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

size_t cli_inner_steps(const struct cli_call *call, size_t given,
                       const struct tsr_reconstruct_config *config) {
    if (cli_given(call, "inner-steps")) return given;
    bool ends = config->target_psnr_db > 0 || config->until_converged;
    return ends ? CLI_STEPS_TO_END : config->inner_steps;
}
