/* SPDX-License-Identifier: MIT
 *
 * The options of the partition rule, of which one may be given, and --overlap.
 */
#ifndef TSR_CLI_RULE_H
#define TSR_CLI_RULE_H

#include "cli/options.h"
#include "image/model.h"
#include "partition/segmentation.h"

struct cli_rule {
    bool whole, labels;
    size_t grid[2], cell[2], quadtree, segment, overlap;
    enum tsr_merge merge;
    const char *label_map;
};

/* For commands that take images: the label map of one. Implies --labels. */
#define CLI_LABEL_MAP(args, member)                                                                \
    {                                                                                              \
        .name = "label-map", .metavar = "F.png", .type = CLI_STRING,                               \
        .at = offsetof(args, member.label_map),                                                    \
        .help = "the label map of the image, for regions that are semantic classes"                \
    }

/* Reads a label map, which must be of the size of its image: labels [height, width], the caller
 * frees it; *count is one more than the largest. */
enum tsr_status cli_label_map_read(const char *path, size_t height, size_t width, uint16_t **labels,
                                   size_t *count, struct tsr_error *err) TSR_MUST_USE;

/* The options over a member of type struct cli_rule; `shown`: the default of --grid. */
#define CLI_RULE_OPTIONS(args, member, shown_grid, shown_overlap)                                  \
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
        {.name = "cell",                                                                           \
         .metavar = "PxQ",                                                                         \
         .type = CLI_PAIR,                                                                         \
         .at = offsetof(args, member.cell),                                                        \
         .min = 1,                                                                                 \
         .max = 65535,                                                                             \
         .shown = "",                                                                              \
         .help = "cells of P by Q pixels: one model for images of any size"},                      \
        {.name = "quadtree",                                                                       \
         .metavar = "N",                                                                           \
         .type = CLI_SIZE,                                                                         \
         .at = offsetof(args, member.quadtree),                                                    \
         .min = 1,                                                                                 \
         .max = TSR_MAX_LABELS,                                                                    \
         .shown = "",                                                                              \
         .help = "N rectangles, small where the image has detail"},                                \
        {.name = "segment",                                                                        \
         .metavar = "N",                                                                           \
         .type = CLI_SIZE,                                                                         \
         .at = offsetof(args, member.segment),                                                     \
         .min = 1,                                                                                 \
         .max = TSR_MAX_LABELS,                                                                    \
         .shown = "",                                                                              \
         .help = "N connected regions that follow the image, found without supervision"},          \
        CLI_MERGE(offsetof(args, member.merge)),                                                   \
        {.name = "labels",                                                                         \
         .type = CLI_FLAG,                                                                         \
         .at = offsetof(args, member.labels),                                                      \
         .help = "one region for each semantic class, by the image's label map"},                  \
    {                                                                                              \
        .name = "overlap", .metavar = "P", .type = CLI_SIZE, .at = offsetof(args, member.overlap), \
        .max = TSR_MAX_OVERLAP, .shown = (shown_overlap),                                          \
        .help = "adapt each region to a margin of P pixels around it too, and blend"               \
    }

/* Changes *rule to what was asked for: *given says whether a rule was; --overlap alone changes the
 * overlap. The number of classes of `labels` is left 0. TSR_ERR_CONFIG for two rules, or for
 * --merge without --segment. */
enum tsr_status cli_rule_take(const struct cli_call *call, const struct cli_rule *asked,
                              struct tsr_partition_rule *rule, bool *given, struct tsr_error *err);

/* Gives a model the partition that was asked for, if any was: TSR_ERR_CONFIG unless its slot is
 * shared, TSR_ERR_SHAPE for a label map with labels that its classes lack. n_classes: for the rule
 * `labels`. */
enum tsr_status cli_rule_override(const struct cli_call *call, const struct cli_rule *asked,
                                  size_t n_classes, struct tsr_model *model, struct tsr_error *err);

#endif
