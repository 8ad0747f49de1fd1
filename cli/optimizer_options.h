/* SPDX-License-Identifier: MIT
 *
 * How the inner loop steps at test time, for the commands that adapt with a model.
 */
#ifndef TSR_CLI_OPTIMIZER_OPTIONS_H
#define TSR_CLI_OPTIMIZER_OPTIONS_H

#include "cli/options.h"
#include "image/reconstruct.h"

/* The optimiser, and parameters of any: what is given of them, cli_optimizer_apply() puts into a
 * configuration. */
struct cli_optimizer {
    const struct tsr_object *object;
    double adam_lr;
    size_t sgd_steps, adam_warmup;
};

/* The defaults, as --help shows them. */
void cli_optimizer_default(struct cli_optimizer *optimizer);

/* The options over a member of `args`. */
#define CLI_OPTIMIZER_OPTIONS(args, optimizer)                                                     \
    {.name = "inner-optimizer",                                                                    \
     .metavar = "KIND",                                                                            \
     .type = CLI_ENUM,                                                                             \
     .names = &cli_enum_optimizer,                                                                 \
     .at = offsetof(args, optimizer.object),                                                       \
     .help = "gradient steps with the model's rates, or Adam after --sgd-steps of these"},         \
        {.name = "sgd-steps",                                                                      \
         .metavar = "N",                                                                           \
         .type = CLI_SIZE,                                                                         \
         .at = offsetof(args, optimizer.sgd_steps),                                                \
         .max = 1000000,                                                                           \
         .shown = "the model's inner steps",                                                       \
         .help = "gradient steps before Adam begins"},                                             \
        {.name = "adam-lr",                                                                        \
         .metavar = "A",                                                                           \
         .type = CLI_DOUBLE,                                                                       \
         .at = offsetof(args, optimizer.adam_lr),                                                  \
         .positive = true,                                                                         \
         .help = "Adam's rate"},                                                                   \
    {                                                                                              \
        .name = "adam-warmup", .metavar = "N", .type = CLI_SIZE,                                   \
        .at = offsetof(args, optimizer.adam_warmup),                                               \
        .help = "inner steps over which Adam's rate rises"                                         \
    }

/* The optimiser as the model best uses it, with whatever of its parameters is given. Parameters of
 * another are ignored, as they always were. */
void cli_optimizer_apply(const struct cli_call *call, const struct cli_optimizer *optimizer,
                         const struct tsr_model *model, struct tsr_choice *out);

#endif
