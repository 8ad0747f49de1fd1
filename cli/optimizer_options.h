/* SPDX-License-Identifier: MIT
 *
 * The optimiser of the inner loop, for the commands that adapt.
 */
#ifndef TSR_CLI_OPTIMIZER_OPTIONS_H
#define TSR_CLI_OPTIMIZER_OPTIONS_H

#include "cli/options.h"
#include "image/reconstruct.h"

/* The options over a member struct tsr_choice of `args`, which begins as the first optimiser, and
 * its members target_psnr_db and until_converged. */
#define CLI_OPTIMIZER_OPTIONS(args, optimizer)                                                     \
    {.name = "inner-optimizer",                                                                    \
     .metavar = "KIND",                                                                            \
     .type = CLI_OBJECT,                                                                           \
     .registry = &tsr_optimizers,                                                                  \
     .at = offsetof(args, optimizer),                                                              \
     .shown_param = "sgd_steps",                                                                   \
     .shown = "the model's inner steps",                                                           \
     .help = "how steps are taken; without it sgd, and past the model's inner steps accept"},      \
        {.name = "target-psnr",                                                                    \
         .metavar = "DB",                                                                          \
         .type = CLI_DOUBLE,                                                                       \
         .at = offsetof(args, target_psnr_db),                                                     \
         .positive = true,                                                                         \
         .max = 200,                                                                               \
         .shown = "none",                                                                          \
         .help = "end the steps of a region once it has this PSNR"},                               \
    {                                                                                              \
        .name = "until-converged", .type = CLI_FLAG, .at = offsetof(args, until_converged),        \
        .help = "end the steps of a region once three in a row lower its error by less than a "    \
                "thousandth each"                                                                  \
    }

/* Inner steps, unless given, that a region takes at most where it can end before. */
enum { CLI_STEPS_TO_END = 200 };

/* The inner steps of a configuration: those given, else the model's, which it has, or
 * CLI_STEPS_TO_END. */
size_t cli_inner_steps(const struct cli_call *call, size_t given,
                       const struct tsr_reconstruct_config *config);

/* The optimiser as the model best uses it for so many inner steps, with whatever of its parameters
 * is given. */
void cli_optimizer_apply(const struct cli_call *call, const struct tsr_choice *asked,
                         const struct tsr_model *model, size_t inner_steps, struct tsr_choice *out);

#endif
