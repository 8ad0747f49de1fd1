/* SPDX-License-Identifier: MIT */
#include "partition/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const struct tsr_object *const objects[] = {
    &tsr_rule_whole.object,    &tsr_rule_grid.object,    &tsr_rule_cell.object,
    &tsr_rule_quadtree.object, &tsr_rule_segment.object, &tsr_rule_labels.object,
};

const struct tsr_registry tsr_rules = {"partition rule", objects, sizeof objects / sizeof *objects};

const struct tsr_rule *tsr_partition_rule_object(const struct tsr_partition_rule *rule) {
    return (const struct tsr_rule *)rule->rule.object; /* begins with it */
}

bool tsr_partition_rule_is(const struct tsr_partition_rule *rule, const struct tsr_rule *object) {
    return rule->rule.object == &object->object;
}

bool tsr_rule_follows_image(const struct tsr_partition_rule *rule) {
    return !tsr_partition_rule_object(rule)->lattice;
}

bool tsr_rule_finds_regions(const struct tsr_partition_rule *rule) {
    return tsr_partition_rule_object(rule)->label;
}

/* Balanced cells are as many as the rule says, cells of fixed size as many as the image holds. */
bool tsr_rule_count_is_fixed(const struct tsr_partition_rule *rule) {
    const struct tsr_rule *r = tsr_partition_rule_object(rule);
    return !r->lattice || r->lattice(rule->rule.value, 1, 1).cell_height == 0;
}

static void append(char *out, size_t size, const char *before, const char *text) {
    size_t used = strlen(out);
    (void)snprintf(out + used, size - used, "%s%s", before, text);
}

/* Files hold such descriptions: "segment 9 color", not the "segment 9, merge color" of
 * tsr_choice_describe(). */
void tsr_partition_rule_describe(const struct tsr_partition_rule *rule, char *out, size_t size) {
    const struct tsr_params *params = &rule->rule.object->params;
    const char *before = " ";
    char text[64];
    (void)snprintf(out, size, "%s", rule->rule.object->name);
    for (size_t i = 0; i < params->n; i++) {
        if (tsr_param_is_tacit(&params->row[i], rule->rule.value[i])) continue;
        tsr_param_print(&params->row[i], rule->rule.value[i], text, sizeof text);
        append(out, size, before, text);
        before = i + 1 < params->n && params->row[i + 1].positional ? "x" : " ";
    }
    if (rule->overlap == 0) return;
    (void)snprintf(text, sizeof text, "%zu", rule->overlap);
    append(out, size, " overlap ", text);
}

enum tsr_status tsr_partition_rule_check(const struct tsr_partition_rule *rule,
                                         struct tsr_error *err) {
    TSR_TRY(tsr_choice_check(&tsr_rules, &rule->rule, err));
    if (rule->overlap > TSR_MAX_OVERLAP)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "overlap of %zu pixels: at most %d are allowed",
                         rule->overlap, TSR_MAX_OVERLAP);
    return TSR_OK;
}

static size_t n_regions(const struct tsr_partition_rule *rule) {
    return (size_t)tsr_choice_get(&rule->rule, "n_regions");
}

size_t tsr_partition_rule_regions(const struct tsr_partition_rule *rule, size_t height,
                                  size_t width) {
    const struct tsr_rule *r = tsr_partition_rule_object(rule);
    if (!r->lattice) return n_regions(rule);
    struct tsr_lattice cells = r->lattice(rule->rule.value, height, width);
    return cells.rows * cells.cols;
}

bool tsr_partition_rule_same_places(const struct tsr_partition_rule *rule, size_t height,
                                    size_t width, size_t other_height, size_t other_width) {
    const struct tsr_rule *r = tsr_partition_rule_object(rule);
    if (!r->lattice) return true;
    struct tsr_lattice a = r->lattice(rule->rule.value, height, width);
    struct tsr_lattice b = r->lattice(rule->rule.value, other_height, other_width);
    return a.rows == b.rows && a.cols == b.cols;
}

enum tsr_status tsr_partition_rule_reduce(struct tsr_partition_rule *rule, size_t scale,
                                          struct tsr_error *err) {
    const struct tsr_rule *r = tsr_partition_rule_object(rule);
    char text[128];
    tsr_partition_rule_describe(rule, text, sizeof text);
    if (scale == 1) return TSR_OK;
    if (!r->lattice)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "%s: regions that follow the image cannot be those of a reduced one; a "
                         "query scale wants cells or a grid",
                         text);
    if (rule->overlap % scale || (r->reduce && !r->reduce(rule->rule.value, scale)))
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "%s: cells and overlap must be multiples of the query scale %zu", text,
                         scale);
    rule->overlap /= scale;
    return TSR_OK;
}

/* Is the first word of the text the name of a rule that finds its regions? */
static bool was_found(const char *made_by) {
    size_t length = strcspn(made_by, " ");
    for (size_t i = 0; i < tsr_rules.n; i++) {
        const struct tsr_rule *r = (const struct tsr_rule *)tsr_rules.object[i];
        const char *name = r->object.name;
        if (r->label && strlen(name) == length && memcmp(name, made_by, length) == 0) return true;
    }
    return false;
}

bool tsr_partition_rule_takes_maps(const struct tsr_partition_rule *rule, const char *made_by) {
    struct tsr_partition_rule plain = {.rule = rule->rule};
    char own[128];
    if (!tsr_rule_follows_image(rule)) return false;
    if (!tsr_rule_finds_regions(rule)) return !was_found(made_by);
    tsr_partition_rule_describe(&plain, own, sizeof own);
    return strcmp(own, made_by) == 0;
}

/* ---- classes --------------------------------------------------------------------------------- */

void tsr_partition_rule_set_classes(struct tsr_partition_rule *rule, size_t n, bool has_void) {
    (void)tsr_choice_set(&rule->rule, "n_regions", (double)(n + has_void));
    (void)tsr_choice_set(&rule->rule, "last_region", has_void);
}

bool tsr_partition_rule_has_void(const struct tsr_partition_rule *rule) {
    return tsr_choice_get(&rule->rule, "last_region") > 0; /* NaN of other rules */
}

size_t tsr_partition_rule_classes(const struct tsr_partition_rule *rule) {
    if (!tsr_partition_rule_is(rule, &tsr_rule_labels)) return 0;
    return n_regions(rule) - tsr_partition_rule_has_void(rule);
}

#define OPEN UINT32_MAX /* a pixel that has no label yet */

/* Gives a neighbour at `at` the label of a pixel. */
static size_t reach(uint32_t *labels, size_t from, size_t at, uint32_t *queue, size_t n) {
    if (labels[at] != OPEN) return n;
    labels[at] = labels[from];
    queue[n] = (uint32_t)at;
    return n + 1;
}

/* Labels spread into open pixels, a step in each round: the queue holds pixels by their distance.
 */
static enum tsr_status fill_open(uint32_t *labels, size_t height, size_t width,
                                 struct tsr_error *err) {
    uint32_t *queue;
    size_t area = height * width, n = 0;
    TSR_TRY(TSR_ALLOC(&queue, area, "label map", err));
    for (size_t i = 0; i < area; i++)
        if (labels[i] != OPEN) queue[n++] = (uint32_t)i;
    if (n == 0) memset(labels, 0, area * sizeof *labels);
    for (size_t k = 0; k < n; k++) {
        size_t at = queue[k], row = at / width, col = at % width;
        if (row > 0) n = reach(labels, at, at - width, queue, n);
        if (col > 0) n = reach(labels, at, at - 1, queue, n);
        if (col + 1 < width) n = reach(labels, at, at + 1, queue, n);
        if (row + 1 < height) n = reach(labels, at, at + width, queue, n);
    }
    free(queue);
    return TSR_OK;
}

static enum tsr_status copy_stored(const struct tsr_partition_rule *rule, const uint16_t *stored,
                                   size_t height, size_t width, uint32_t *labels,
                                   struct tsr_error *err) {
    size_t limit = n_regions(rule);
    bool classes = tsr_partition_rule_is(rule, &tsr_rule_labels), open = false;
    uint32_t of_void = tsr_partition_rule_has_void(rule) ? (uint32_t)limit - 1 : OPEN;
    for (size_t i = 0; i < height * width; i++) {
        bool is_void = classes && stored[i] == TSR_VOID_LABEL;
        if (stored[i] >= limit && !is_void)
            return TSR_ERROR(err, TSR_ERR_ARGUMENT, "label map: label %u; labels must be below %zu",
                             stored[i], limit);
        labels[i] = is_void ? of_void : stored[i];
        open = open || labels[i] == OPEN;
    }
    return open ? fill_open(labels, height, width, err) : TSR_OK;
}

enum tsr_status tsr_partition_rule_label(const struct tsr_partition_rule *rule,
                                         const struct tsr_picture *picture, const uint16_t *stored,
                                         uint32_t *labels, struct tsr_error *err) {
    const struct tsr_rule *r = tsr_partition_rule_object(rule);
    if (stored) return copy_stored(rule, stored, picture->height, picture->width, labels, err);
    if (!r->label)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "rule %s: the image has no label map",
                         r->object.name);
    return r->label(rule->rule.value, picture, labels, err);
}
