/* SPDX-License-Identifier: MIT */
#include "cli/rule.h"

#include "cli/isolate.h"

#include <stdlib.h>

#include "image/regions.h"

enum tsr_status cli_rule_take(const struct cli_call *call, const struct cli_rule *asked,
                              struct tsr_partition_rule *rule, bool *given, struct tsr_error *err) {
    bool chosen = cli_chosen(call, &tsr_rules);
    const char *other = cli_given_of(call, &tsr_rules);
    *given = chosen || asked->label_map;
    if (chosen && asked->label_map && asked->rule.object != &tsr_rule_labels.object)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "--%s and a label map exclude each other", other);
    if (asked->label_map)
        rule->rule = tsr_choice_of(&tsr_rule_labels.object);
    else if (other) /* a rule, or a parameter of the default rule */
        rule->rule = asked->rule;
    if (cli_given(call, "overlap")) rule->overlap = asked->overlap;
    return TSR_OK;
}

enum tsr_status cli_rule_override(const struct cli_call *call, const struct cli_rule *asked,
                                  struct cli_classes classes, struct tsr_model *model,
                                  struct tsr_error *err) {
    struct tsr_partition_rule rule = model->config.partition;
    bool given;
    TSR_TRY(cli_rule_take(call, asked, &rule, &given, err));
    bool labels = given && tsr_partition_rule_is(&rule, &tsr_rule_labels);
    if (labels && tsr_partition_rule_is(&model->config.partition, &tsr_rule_labels)) {
        rule.rule = model->config.partition.rule; /* what the model has anyway */
        size_t known = tsr_partition_rule_regions(&rule, 1, 1);
        if (asked->label_map && classes.n > known)
            return TSR_ERROR(err, TSR_ERR_SHAPE,
                             "%s: the label map has the label %zu; the model knows 0 to %zu; "
                             "--ignore-label %zu gives such pixels to no class",
                             asked->label_map, classes.n - 1, known - 1, classes.n - 1);
        given = false;
    }
    if (given && model->config.slots != TSR_SLOTS_SHARED)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "another partition needs a model with a shared slot; this one has %s",
                         tsr_slots_name(model->config.slots));
    if (labels && given) tsr_partition_rule_set_classes(&rule, classes.n, classes.has_void);
    model->config.partition = rule;
    const struct cli_common *common = call->args; /* of all commands */
    if (classes.has_void && tsr_partition_rule_is(&rule, &tsr_rule_labels) &&
        !tsr_regions_admit_void(model) && !common->quiet)
        cli_complain(call, "the model has no weights for pixels of no class: each gets the class "
                           "of the nearest pixel that has one, and counts there");
    return TSR_OK;
}

struct cli_classes cli_classes_of(const struct tsr_dataset *dataset) {
    if (!tsr_dataset_has_labels(dataset)) return (struct cli_classes){.n = 1};
    return (struct cli_classes){tsr_dataset_label_count(dataset), tsr_dataset_has_void(dataset)};
}

static bool is_ignored(const struct cli_ignored *ignored, const struct tsr_label_map *map,
                       uint16_t value) {
    for (size_t i = 0; i < ignored->n; i++)
        if (value == (ignored->value[i] < 0 ? map->most : ignored->value[i])) return true;
    return false;
}

enum tsr_status cli_label_map_read(const struct cli_call *call, struct cli_rule *asked,
                                   struct tsr_label_map *map, struct cli_classes *classes,
                                   struct tsr_error *err) {
    *classes = (struct cli_classes){0};
    cli_ignored_take(&asked->ignored);
    TSR_TRY(tsr_label_map_read(asked->label_map, cli_isolate_decoding(call->isolate), map, err));
    for (size_t i = 0; i < map->height * map->width; i++) {
        if (is_ignored(&asked->ignored, map, map->labels[i])) {
            map->labels[i] = TSR_VOID_LABEL;
            classes->has_void = true;
        } else if (map->labels[i] >= classes->n) {
            classes->n = (size_t)map->labels[i] + 1;
        }
    }
    size_t most = (size_t)TSR_MAX_LABELS - classes->has_void;
    if (classes->n > 0 && classes->n <= most) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: has labels of %zu classes; expected 1..%zu",
                     asked->label_map, classes->n, most);
}

enum tsr_status cli_label_map_check(const char *path, const struct tsr_label_map *map,
                                    size_t height, size_t width, struct tsr_error *err) {
    if (map->height == height && map->width == width) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_SHAPE, "%s: the label map has %zux%zu pixels, its image %zux%zu",
                     path, map->height, map->width, height, width);
}
