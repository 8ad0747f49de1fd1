/* SPDX-License-Identifier: MIT */
#include "cli/optimizer_options.h"

void cli_optimizer_apply(const struct cli_call *call, const struct tsr_choice *asked,
                         const struct tsr_model *model, struct tsr_choice *out) {
    *out = tsr_reconstruct_optimizer(model, tsr_optimizer_of(asked));
    cli_params_given(call, &tsr_optimizers, out);
}
