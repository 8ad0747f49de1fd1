/* SPDX-License-Identifier: MIT */
#include "cli/optimizer_options.h"

void cli_optimizer_apply(const struct cli_call *call, const struct tsr_choice *asked,
                         const struct tsr_model *model, struct tsr_choice *out) {
    const struct cli_option *o = call->table->option;
    *out = tsr_reconstruct_optimizer(model, tsr_optimizer_of(asked));
    for (size_t i = 0; o[i].type != CLI_END; i++) {
        if (o[i].type != CLI_PARAM || !call->given[i]) continue;
        if (o[o[i].parent].registry != &tsr_optimizers) continue;
        const struct tsr_param *row = cli_param_of(&o[i], asked->object);
        (void)tsr_choice_set(out, row->name, tsr_choice_get(asked, row->name));
    }
}
