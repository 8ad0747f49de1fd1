/* SPDX-License-Identifier: MIT
 *
 * The options of the partition: the rules (partition/rules.h), of which one may be given, and
 * --overlap.
 */
#ifndef TSR_CLI_RULE_H
#define TSR_CLI_RULE_H

#include "cli/options.h"
#include "cli/view_options.h"
#include "data/dataset.h"
#include "data/image.h"
#include "image/model.h"

/* What was asked for; rule.object is NULL where no rule was and the command has no default. */
struct cli_rule {
    struct tsr_choice rule;
    size_t overlap;
    const char *label_map;
    struct cli_ignored ignored;
};

/* For commands that take images: the label map of one. Implies --labels. */
#define CLI_LABEL_MAP(args, member)                                                                \
    {.name = "label-map",                                                                          \
     .metavar = "F.png",                                                                           \
     .type = CLI_STRING,                                                                           \
     .file = CLI_READS,                                                                            \
     .at = offsetof(args, member.label_map),                                                       \
     .help = "the label map of the image, for regions that are semantic classes"},                 \
        CLI_IGNORE_LABEL(args, member.ignored, CLI_VOID_AT_HAND)

/* How many classes label maps have, and whether they have pixels of none. */
struct cli_classes {
    size_t n;
    bool has_void;
};
/* One class, where there are no label maps. */
struct cli_classes cli_classes_of(const struct tsr_dataset *dataset);

/* Reads the label map that was asked for. Ignored values become TSR_VOID_LABEL; the classes are one
 * more than the largest other value. */
enum tsr_status cli_label_map_read(const struct cli_call *call, struct cli_rule *asked,
                                   struct tsr_label_map *map, struct cli_classes *classes,
                                   struct tsr_error *err) TSR_MUST_USE;
/* TSR_ERR_SHAPE unless it is of the size of its image. */
enum tsr_status cli_label_map_check(const char *path, const struct tsr_label_map *map,
                                    size_t height, size_t width,
                                    struct tsr_error *err) TSR_MUST_USE;

/* The options over a member of type struct cli_rule; shown: the default of --overlap, or NULL. */
#define CLI_RULE_OPTIONS(args, member, shown_overlap)                                              \
    {.type = CLI_NAMED_OBJECT, .registry = &tsr_rules, .at = offsetof(args, member.rule)}, {       \
        .name = "overlap", .metavar = "P", .type = CLI_SIZE, .at = offsetof(args, member.overlap), \
        .max = TSR_MAX_OVERLAP, .shown = (shown_overlap),                                          \
        .help = "adapt each region to a margin of P pixels around it too, and blend"               \
    }

/* Changes *rule to what was asked for: *given says whether a rule was; --overlap alone changes the
 * overlap. The number of classes of `labels` is left 0. TSR_ERR_CONFIG for two rules. */
enum tsr_status cli_rule_take(const struct cli_call *call, const struct cli_rule *asked,
                              struct tsr_partition_rule *rule, bool *given, struct tsr_error *err);

/* Gives a model the partition that was asked for, if any was: TSR_ERR_CONFIG unless its slot is
 * shared, TSR_ERR_SHAPE for a label map with labels that its classes lack. `classes`: for the rule
 * `labels`; a model of that rule admits their void, and where it cannot, that is told. */
enum tsr_status cli_rule_override(const struct cli_call *call, const struct cli_rule *asked,
                                  struct cli_classes classes, struct tsr_model *model,
                                  struct tsr_error *err);

#endif
