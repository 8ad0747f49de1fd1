/* SPDX-License-Identifier: MIT */
#include "cli/rule.h"

#include <stdlib.h>

#include "data/image.h"

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
                                  size_t n_classes, struct tsr_model *model,
                                  struct tsr_error *err) {
    struct tsr_partition_rule rule = model->config.partition;
    bool given;
    TSR_TRY(cli_rule_take(call, asked, &rule, &given, err));
    bool labels = given && tsr_partition_rule_is(&rule, &tsr_rule_labels);
    if (labels && tsr_partition_rule_is(&model->config.partition, &tsr_rule_labels)) {
        rule.rule = model->config.partition.rule; /* what the model has anyway */
        size_t known = tsr_partition_rule_regions(&rule, 1, 1);
        if (asked->label_map && n_classes > known)
            return TSR_ERROR(err, TSR_ERR_SHAPE,
                             "%s: the label map has the label %zu; the model knows 0 to %zu",
                             asked->label_map, n_classes - 1, known - 1);
        given = false;
    }
    if (given && model->config.slots != TSR_SLOTS_SHARED)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "another partition needs a model with a shared slot; this one has %s",
                         tsr_slots_name(model->config.slots));
    if (labels && given) (void)tsr_choice_set(&rule.rule, "n_regions", (double)n_classes);
    model->config.partition = rule;
    return TSR_OK;
}

enum tsr_status cli_label_map_read(const char *path, struct tsr_label_map *map, size_t *count,
                                   struct tsr_error *err) {
    *count = 0;
    TSR_TRY(tsr_label_map_read(path, map, err));
    for (size_t i = 0; i < map->height * map->width; i++)
        if (map->labels[i] >= *count) *count = (size_t)map->labels[i] + 1;
    return TSR_OK;
}

enum tsr_status cli_label_map_check(const char *path, const struct tsr_label_map *map,
                                    size_t height, size_t width, struct tsr_error *err) {
    if (map->height == height && map->width == width) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_SHAPE, "%s: the label map has %zux%zu pixels, its image %zux%zu",
                     path, map->height, map->width, height, width);
}
