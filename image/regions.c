/* SPDX-License-Identifier: MIT */
#include "image/regions.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/spread.h"

enum tsr_status tsr_regions_stored(const struct tsr_partition_rule *rule,
                                   const struct tsr_dataset *dataset, bool *stored,
                                   struct tsr_error *err) {
    const char *path = tsr_dataset_path(dataset);
    bool there = tsr_dataset_has_labels(dataset), needed = !tsr_rule_finds_regions(rule);
    *stored = there && tsr_partition_rule_takes_maps(rule, tsr_dataset_label_rule(dataset));
    if (!tsr_rule_follows_image(rule) || !needed) return TSR_OK;
    if (!there)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "%s has no label maps; the rule labels needs them (pack --labels)", path);
    if (!*stored)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "%s: its label maps are segmentations (%s), not classes", path,
                         tsr_dataset_label_rule(dataset));
    if (tsr_dataset_labels_in_doubt(dataset))
        return TSR_ERROR(
            err, TSR_ERR_CONFIG,
            "%s: its label maps have 255 beside labels below 128; --ignore-label 255 "
            "takes it for no class, the attribute count = 256 of /labels for the last "
            "of 256; `tessera pack` makes two classes of a mask (--label-values 0,255)",
            path);
    size_t classes = tsr_dataset_label_count(dataset);
    size_t known = tsr_partition_rule_classes(rule);
    if (classes > known)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "%s has label maps of %zu classes; the model is for %zu", path, classes,
                         known);
    return TSR_OK;
}

void tsr_regions_count_classes(struct tsr_partition_rule *rule, const struct tsr_dataset *dataset) {
    bool there = tsr_dataset_has_labels(dataset);
    if (!tsr_partition_rule_is(rule, &tsr_rule_labels)) return;
    if (tsr_choice_get(&rule->rule, "n_regions") > 0) return;
    tsr_partition_rule_set_classes(rule, there ? tsr_dataset_label_count(dataset) : 1,
                                   there && tsr_dataset_has_void(dataset));
}

bool tsr_regions_admit_void(struct tsr_model *model) {
    struct tsr_partition_rule *rule = &model->config.partition;
    size_t classes = tsr_partition_rule_classes(rule);
    bool has = tsr_partition_rule_has_void(rule);
    if (classes > 0 && !has && model->config.slots == TSR_SLOTS_SHARED && classes < TSR_MAX_LABELS)
        tsr_partition_rule_set_classes(rule, classes, has = true);
    return has;
}

enum tsr_status tsr_regions_for_pack(void *rule, const uint8_t *pixels, size_t height, size_t width,
                                     size_t channels, uint16_t *labels, struct tsr_error *err) {
    const struct tsr_picture picture = {pixels, height, width, channels};
    uint32_t *found;
    TSR_TRY(TSR_ALLOC(&found, height * width, "label map", err));
    enum tsr_status status = tsr_partition_rule_label(rule, &picture, NULL, found, err);
    for (size_t i = 0; status == TSR_OK && i < height * width; i++)
        labels[i] = (uint16_t)found[i];
    free(found);
    return status;
}

static enum tsr_status regions_of_bytes(const struct tsr_model *model, const uint8_t *pixels,
                                        size_t height, size_t width, const uint16_t *stored,
                                        uint32_t *labels, struct tsr_error *err) {
    const struct tsr_picture picture = {pixels, height, width, model->net.out_dim};
    TSR_TRY(tsr_partition_rule_label(&model->config.partition, &picture, stored, labels, err));
    if (!tsr_model_has_anchors(&model->config)) return TSR_OK;
    return tsr_anchors_match(&model->anchors, pixels, height, width, picture.channels, labels, err);
}

enum tsr_status tsr_regions_of_image(const struct tsr_model *model, struct tsr_pixels pixels,
                                     size_t height, size_t width, const uint16_t *stored,
                                     uint32_t *labels, struct tsr_error *err) {
    size_t n = height * width * model->net.out_dim;
    void *room;
    TSR_TRY(tsr_alloc(&room, pixels.bytes ? 0 : n, 1, "image of 8 bit", err));
    enum tsr_status status = regions_of_bytes(model, tsr_pixels_bytes(pixels, n, room), height,
                                              width, stored, labels, err);
    free(room);
    return status;
}

/* ---- anchors ------------------------------------------------------------------------------------
 */

/* What one image contributes; one per thread. */
struct sample {
    float *values;         /* [H, W, C], room for what a dataset holds */
    const uint8_t *pixels; /* the same as 8 bit */
    uint8_t *room;
    uint16_t *stored;
    uint32_t *labels;
    enum tsr_status status;
    struct tsr_error error;
};

/* Features of the regions of one image: out [n_regions, TSR_REGION_FEATURES]. */
static enum tsr_status describe_regions(const struct tsr_model *model, struct sample *s,
                                        bool stored, double *out, struct tsr_error *err) {
    const struct tsr_model_config *c = &model->config;
    const struct tsr_picture picture = {s->pixels, c->height, c->width, model->net.out_dim};
    TSR_TRY(tsr_partition_rule_label(&c->partition, &picture, stored ? s->stored : NULL, s->labels,
                                     err));
    tsr_region_features(s->pixels, c->height, c->width, picture.channels, s->labels, model->n_slots,
                        out);
    return TSR_OK;
}

static void layout_samples(const struct tsr_model *model, struct sample *samples, size_t n,
                           struct tsr_arena *a) {
    size_t pixels = model->config.height * model->config.width;
    for (size_t i = 0; i < n; i++) {
        samples[i].values = tsr_arena_take(a, pixels, model->net.out_dim * sizeof(float));
        samples[i].room = tsr_arena_take(a, pixels, model->net.out_dim);
        samples[i].stored = tsr_arena_take(a, pixels, sizeof(uint16_t));
        samples[i].labels = tsr_arena_take(a, pixels, sizeof(uint32_t));
    }
}

/* Reads images index[0..n-1], one after the other, and describes their regions in parallel. */
static enum tsr_status describe_some(const struct tsr_model *model, struct tsr_dataset *dataset,
                                     const uint32_t *index, size_t n, bool stored,
                                     struct sample *samples, double *features,
                                     struct tsr_error *err) {
    size_t stride = model->n_slots * TSR_REGION_FEATURES;
    size_t n_values = model->config.height * model->config.width * model->net.out_dim;
    for (size_t i = 0; i < n; i++) {
        TSR_TRY(tsr_dataset_read(dataset, index[i], samples[i].values, err));
        samples[i].pixels = tsr_pixels_bytes(tsr_dataset_pixels(dataset, samples[i].values),
                                             n_values, samples[i].room);
        if (stored) TSR_TRY(tsr_dataset_read_labels(dataset, index[i], samples[i].stored, err));
    }
#pragma omp parallel for schedule(dynamic, 1) num_threads((int)n)
    for (size_t i = 0; i < n; i++)
        samples[i].status =
            describe_regions(model, &samples[i], stored, features + i * stride, &samples[i].error);
    for (size_t i = 0; i < n; i++)
        if (samples[i].status != TSR_OK) {
            tsr_error_copy(err, &samples[i].error);
            tsr_error_prefix(err, "%s, image %u", tsr_dataset_path(dataset), index[i]);
            return samples[i].status;
        }
    return TSR_OK;
}

static enum tsr_status gather_features(const struct tsr_model *model, struct tsr_dataset *dataset,
                                       const uint32_t *index, size_t n, size_t threads,
                                       double *features, struct tsr_error *err) {
    size_t stride = model->n_slots * TSR_REGION_FEATURES;
    struct tsr_arena arena = {0};
    struct sample *samples = NULL;
    enum tsr_status status;
    bool stored;
    TSR_CHECK(tsr_regions_stored(&model->config.partition, dataset, &stored, err));
    TSR_CHECK(TSR_ALLOC(&samples, threads, "learning anchors", err));
    layout_samples(model, samples, threads, &arena);
    TSR_CHECK(tsr_arena_create(&arena, arena.used, "learning anchors", err));
    layout_samples(model, samples, threads, &arena);
    for (size_t i = 0; i < n; i += threads)
        TSR_CHECK(describe_some(model, dataset, index + i, n - i < threads ? n - i : threads,
                                stored, samples, features + i * stride, err));
done:
    tsr_arena_free(&arena);
    free(samples);
    return status;
}

/* At most `limit` of the split's images, evenly spread. */
static size_t spread(const uint32_t *split, size_t n, size_t limit, uint32_t *out) {
    size_t taken = tsr_spread_count(n, limit);
    for (size_t i = 0; i < taken; i++)
        out[i] = split[tsr_spread(i, n, taken)];
    return taken;
}

enum tsr_status tsr_regions_learn(struct tsr_model *model, struct tsr_dataset *dataset,
                                  size_t limit, size_t threads, struct tsr_error *err) {
    size_t n, n_regions = model->n_slots;
    uint32_t *index = NULL;
    double *features = NULL;
    enum tsr_status status;
    if (!tsr_model_has_anchors(&model->config) || model->anchors.n > 0) return TSR_OK;
    const uint32_t *split = tsr_dataset_split(dataset, TSR_SPLIT_TRAIN, &n);
    TSR_CHECK(TSR_ALLOC(&index, limit, "learning anchors", err));
    n = spread(split, n, limit, index);
    TSR_CHECK(tsr_alloc_to(&features, n * n_regions, TSR_REGION_FEATURES * sizeof *features,
                           "learning anchors", err));
    TSR_CHECK(gather_features(model, dataset, index, n, tsr_thread_count(threads), features, err));
    TSR_CHECK(tsr_anchors_learn(features, n, n_regions, &model->anchors, err));
done:
    free(features);
    free(index);
    return status;
}
