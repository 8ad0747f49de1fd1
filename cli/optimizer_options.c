/* SPDX-License-Identifier: MIT */
#include "cli/optimizer_options.h"

void cli_optimizer_default(struct cli_optimizer *optimizer) {
    struct tsr_choice adam = tsr_choice_of(&tsr_optimizer_adam.object);
    *optimizer =
        (struct cli_optimizer){.object = tsr_optimizers.object[0],
                               .adam_lr = tsr_choice_get(&adam, "adam_lr"),
                               .adam_warmup = (size_t)tsr_choice_get(&adam, "adam_warmup")};
}

void cli_optimizer_apply(const struct cli_call *call, const struct cli_optimizer *optimizer,
                         const struct tsr_model *model, struct tsr_choice *out) {
    const struct {
        const char *option, *name;
        double value;
    } all[] = {{"sgd-steps", "sgd_steps", (double)optimizer->sgd_steps},
               {"adam-lr", "adam_lr", optimizer->adam_lr},
               {"adam-warmup", "adam_warmup", (double)optimizer->adam_warmup}};
    const struct tsr_choice kind = {.object = optimizer->object};
    *out = tsr_reconstruct_optimizer(model, tsr_optimizer_of(&kind));
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (cli_given(call, all[i].option)) (void)tsr_choice_set(out, all[i].name, all[i].value);
}
