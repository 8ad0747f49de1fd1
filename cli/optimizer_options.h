/* SPDX-License-Identifier: MIT
 *
 * The optimiser of the inner loop, for the commands that adapt.
 */
#ifndef TSR_CLI_OPTIMIZER_OPTIONS_H
#define TSR_CLI_OPTIMIZER_OPTIONS_H

#include "cli/options.h"
#include "image/reconstruct.h"

/* The options over a member struct tsr_choice of `args`, which begins as the first optimiser. */
#define CLI_OPTIMIZER_OPTIONS(args, optimizer)                                                     \
    {                                                                                              \
        .name = "inner-optimizer", .metavar = "KIND", .type = CLI_OBJECT,                          \
        .registry = &tsr_optimizers, .at = offsetof(args, optimizer), .shown_param = "sgd_steps",  \
        .shown = "the model's inner steps",                                                        \
        .help = "how steps are taken; without it sgd, and past the model's inner steps accept"     \
    }

/* The optimiser as the model best uses it for so many inner steps, with whatever of its parameters
 * is given. */
void cli_optimizer_apply(const struct cli_call *call, const struct tsr_choice *asked,
                         const struct tsr_model *model, size_t inner_steps, struct tsr_choice *out);

#endif
