/* SPDX-License-Identifier: MIT
 *
 * Built-in models: one for each preset, learned from the sample photos when tessera is installed
 * (`make models`), in models/PRESET.h5 beside the program or in ../share/tessera. They take the
 * place of the model that a command is given.
 */
#ifndef TSR_CLI_BUILT_IN_H
#define TSR_CLI_BUILT_IN_H

#include "cli/options.h"
#include "image/inr.h"
#include "image/presets.h"

/* The option over a member enum tsr_preset of `args`, whose offset is cli_command.built_in. Its
 * default is what is taken where the first operand holds images. */
#define CLI_BUILT_IN(args, preset)                                                                 \
    {                                                                                              \
        .name = "preset", .metavar = "SIZE", .type = CLI_ENUM, .names = &tsr_preset_names,         \
        .at = offsetof(args, preset),                                                              \
        .help = "a built-in model instead of M.h5: for images of any size, in at most so many "    \
                "numbers at 178x178 pixels; without M.h5 this one"                                 \
    }
#define CLI_BUILT_IN_DEFAULT TSR_PRESET_50K

/* Puts the built-in model before the operands, if one is asked for or the first holds images. Room
 * for one operand more is there. TSR_ERR_IO: it is neither here nor there. */
enum tsr_status cli_built_in_take(struct cli_call *call);

/* Completes an INR with the built-in model that it refers to; false: it is none of those here. */
bool cli_built_in_complete(struct tsr_inr *inr);

#endif
