/* SPDX-License-Identifier: MIT
 *
 * Shape of the networks and of their coordinates, for the commands that make new ones.
 */
#ifndef TSR_CLI_NETWORK_OPTIONS_H
#define TSR_CLI_NETWORK_OPTIONS_H

#include "cli/options.h"
#include "image/model.h"

/* The options over three members of `args`: struct tsr_network_config, struct tsr_coords and a
 * double [2] that takes the range of the latter. shown_param, shown: the parameter of kinds whose
 * default --help shows as `shown` (cli/options.h), or NULL. */
#define CLI_NETWORK_OPTIONS(args, network, coords, range, param, shown_)                           \
    {.name = "net",                                                                                \
     .metavar = "KIND",                                                                            \
     .type = CLI_OBJECT,                                                                           \
     .registry = &tsr_kinds,                                                                       \
     .at = offsetof(args, network.kind),                                                           \
     .shown_param = (param),                                                                       \
     .shown = (shown_)},                                                                           \
        {.name = "width",                                                                          \
         .metavar = "N",                                                                           \
         .type = CLI_SIZE,                                                                         \
         .at = offsetof(args, network.width),                                                      \
         .min = 1,                                                                                 \
         .max = TSR_MAX_WIDTH,                                                                     \
         .help = "units of a hidden layer"},                                                       \
        {.name = "hidden-layers",                                                                  \
         .metavar = "N",                                                                           \
         .type = CLI_SIZE,                                                                         \
         .at = offsetof(args, network.hidden_layers),                                              \
         .max = TSR_MAX_LAYERS - 2,                                                                \
         .help = "sine or ReLU layers after the first"},                                           \
        {.name = "output-offset",                                                                  \
         .metavar = "X",                                                                           \
         .type = CLI_DOUBLE,                                                                       \
         .at = offsetof(args, network.output_offset),                                              \
         .min = -1e9,                                                                              \
         .help = "constant added to every output"},                                                \
        {.name = "coords-range",                                                                   \
         .metavar = "LO,HI",                                                                       \
         .type = CLI_DOUBLES,                                                                      \
         .list = 2,                                                                                \
         .at = offsetof(args, range),                                                              \
         .min = -1e9,                                                                              \
         .help = "range of the coordinates"},                                                      \
        {.name = "coords-sampling",                                                                \
         .metavar = "KIND",                                                                        \
         .type = CLI_ENUM,                                                                         \
         .names = &tsr_sampling_names,                                                             \
         .at = offsetof(args, coords.sampling),                                                    \
         .help = "where in its cell of the range a pixel lies"},                                   \
    {                                                                                              \
        .name = "coords-frame", .metavar = "KIND", .type = CLI_ENUM, .names = &tsr_frame_names,    \
        .at = offsetof(args, coords.frame), .help = "what the range spans"                         \
    }

/* The network and the coordinates of a model, but for what was given: from `model` to *config,
 * which holds what the options say. --net with the model's own kind keeps the kind's parameters. */
void cli_network_keep(const struct cli_call *call, const struct tsr_model_config *model,
                      struct tsr_model_config *config);

/* The first option given of those above; NULL: none is. A command that takes a model instead
 * refuses it. */
const char *cli_network_given(const struct cli_call *call);

#endif
