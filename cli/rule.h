/* SPDX-License-Identifier: MIT
 *
 * --whole, --grid and --cell, of which one may be given.
 */
#ifndef TSR_CLI_RULE_H
#define TSR_CLI_RULE_H

#include "cli/options.h"
#include "partition/partition.h"

struct cli_rule {
    bool whole;
    size_t grid[2], cell[2];
};

/* The three options over a member of type struct cli_rule; `shown`: the default of --grid. */
#define CLI_RULE_OPTIONS(args, member, shown_grid)                                                 \
    {.name = "whole",                                                                              \
     .type = CLI_FLAG,                                                                             \
     .at = offsetof(args, member.whole),                                                           \
     .help = "one region: the whole image"},                                                       \
        {.name = "grid",                                                                           \
         .metavar = "RxC",                                                                         \
         .type = CLI_PAIR,                                                                         \
         .at = offsetof(args, member.grid),                                                        \
         .min = 1,                                                                                 \
         .max = 65535,                                                                             \
         .shown = (shown_grid),                                                                    \
         .help = "R rows and C columns of balanced cells"},                                        \
    {                                                                                              \
        .name = "cell", .metavar = "PxQ", .type = CLI_PAIR, .at = offsetof(args, member.cell),     \
        .min = 1, .max = 65535, .shown = "",                                                       \
        .help = "cells of P by Q pixels: one model for images of any size"                         \
    }

/* Changes *rule to what was asked for, if anything was (*given). TSR_ERR_CONFIG for two rules. */
enum tsr_status cli_rule_take(const struct cli_rule *asked, struct tsr_partition_rule *rule,
                              bool *given, struct tsr_error *err);

#endif
