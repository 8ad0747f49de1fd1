/* SPDX-License-Identifier: MIT
 *
 * Shape of the networks and of their coordinates, for the commands that make new ones.
 */
#ifndef TSR_CLI_NETWORK_OPTIONS_H
#define TSR_CLI_NETWORK_OPTIONS_H

#include "cli/options.h"
#include "image/model.h"

/* The kind of network, and parameters of any kind: what is given of them, cli_kind_apply() puts
 * into a configuration. */
struct cli_kind {
    const struct tsr_object *object;
    double omega_first, omega_hidden, pe_omega;
    size_t octaves;
};

/* The defaults, as --help shows them. */
void cli_kind_default(struct cli_kind *kind);

/* The options over four members of `args`: struct cli_kind, struct tsr_network_config, struct
 * tsr_coords and a double [2] that takes the range of the latter. shown_omega: the default of
 * --omega-first as --help shows it; NULL: the value. */
#define CLI_NETWORK_OPTIONS(args, kind, network, coords, range, shown_omega)                       \
    {.name = "net",                                                                                \
     .metavar = "KIND",                                                                            \
     .type = CLI_ENUM,                                                                             \
     .names = &cli_enum_net,                                                                       \
     .at = offsetof(args, kind.object),                                                            \
     .help = "sine layers, or ReLU on a positional encoding of the coordinates"},                  \
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
        {.name = "omega-first",                                                                    \
         .metavar = "W",                                                                           \
         .type = CLI_DOUBLE,                                                                       \
         .at = offsetof(args, kind.omega_first),                                                   \
         .positive = true,                                                                         \
         .shown = (shown_omega),                                                                   \
         .help = "siren: frequency of the first layer"},                                           \
        {.name = "omega",                                                                          \
         .metavar = "W",                                                                           \
         .type = CLI_DOUBLE,                                                                       \
         .at = offsetof(args, kind.omega_hidden),                                                  \
         .positive = true,                                                                         \
         .help = "siren: frequency of the hidden layers"},                                         \
        {.name = "octaves",                                                                        \
         .metavar = "N",                                                                           \
         .type = CLI_SIZE,                                                                         \
         .at = offsetof(args, kind.octaves),                                                       \
         .max = TSR_MAX_OCTAVES,                                                                   \
         .help =                                                                                   \
             "relu-pe: sine and cosine of so many frequencies of each coordinate; 0: the "         \
             "coordinates themselves. The highest should not exceed pi a pixel; in short runs "    \
             "few octaves learn faster"},                                                          \
        {.name = "pe-omega",                                                                       \
         .metavar = "W",                                                                           \
         .type = CLI_DOUBLE,                                                                       \
         .at = offsetof(args, kind.pe_omega),                                                      \
         .positive = true,                                                                         \
         .max = 1e6,                                                                               \
         .help = "relu-pe: frequency of the first octave; each has twice that of the one before"}, \
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
         .names = &cli_enum_sampling,                                                              \
         .at = offsetof(args, coords.sampling),                                                    \
         .help = "where in its cell of the range a pixel lies"},                                   \
    {                                                                                              \
        .name = "coords-frame", .metavar = "KIND", .type = CLI_ENUM, .names = &cli_enum_frame,     \
        .at = offsetof(args, coords.frame), .help = "what the range spans"                         \
    }

/* The kind with its defaults and whatever of its parameters is given. Refuses parameters of other
 * kinds. */
enum tsr_status cli_kind_apply(const struct cli_call *call, const struct cli_kind *kind,
                               struct tsr_choice *out, struct tsr_error *err);

/* Their names, NULL-terminated: a command that takes a model instead refuses them. */
extern const char *const cli_network_options[];

#endif
