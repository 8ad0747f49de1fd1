/* SPDX-License-Identifier: MIT */
#include "data/identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/memory.h"

/* Bytes of pixels to read at most, as long as that is more than a few images. */
#define SAMPLE_BYTES ((size_t)8 << 20)
enum { SAMPLE_AT_LEAST = 4 };

/* The indices of each split, of four bytes each, the lowest first. */
static uint64_t digest_of_split(const struct tsr_dataset *dataset) {
    uint64_t digest = TSR_DIGEST_START;
    for (int s = TSR_SPLIT_TRAIN; s <= TSR_SPLIT_TEST; s++) {
        size_t n;
        const uint32_t *index = tsr_dataset_split(dataset, (enum tsr_split)s, &n);
        for (size_t i = 0; i < n; i++) {
            const unsigned char bytes[4] = {(unsigned char)index[i], (unsigned char)(index[i] >> 8),
                                            (unsigned char)(index[i] >> 16),
                                            (unsigned char)(index[i] >> 24)};
            digest = tsr_digest(digest, bytes, sizeof bytes);
        }
        digest = tsr_digest(digest, "", 1);
    }
    return digest;
}

static enum tsr_status digest_names(struct tsr_dataset *dataset, uint64_t *out,
                                    struct tsr_error *err) {
    uint64_t digest = TSR_DIGEST_START;
    TSR_TRY(tsr_dataset_load_names(dataset, err));
    for (size_t i = 0; i < tsr_dataset_images(dataset); i++) {
        const char *name = tsr_dataset_name(dataset, i);
        digest = tsr_digest(digest, name, strlen(name) + 1);
    }
    *out = digest;
    return TSR_OK;
}

static size_t samples(size_t images, size_t bytes) {
    size_t n = SAMPLE_BYTES / bytes;
    if (n < SAMPLE_AT_LEAST) n = SAMPLE_AT_LEAST;
    if (n > TSR_IDENTITY_SAMPLE) n = TSR_IDENTITY_SAMPLE;
    return n < images ? n : images;
}

/* Sample k of n lies at floor(k (N - 1) / (n - 1)). */
static enum tsr_status digest_samples(struct tsr_dataset *dataset, struct tsr_identity *out,
                                      struct tsr_error *err) {
    size_t area = tsr_dataset_height(dataset) * tsr_dataset_width(dataset);
    size_t bytes = area * tsr_dataset_channels(dataset) * tsr_dataset_value_size(dataset);
    size_t images = tsr_dataset_images(dataset), n = samples(images, bytes);
    uint16_t *labels = NULL;
    void *pixels = NULL;
    enum tsr_status status = TSR_OK;
    TSR_CHECK(tsr_alloc(&pixels, bytes, 1, "image", err));
    if (out->labels) TSR_CHECK(TSR_ALLOC(&labels, area, "label map", err));
    out->pixels_digest = TSR_DIGEST_START;
    if (labels) out->labels_digest = TSR_DIGEST_START;
    for (size_t k = 0; k < n; k++) {
        size_t index = n > 1 ? (size_t)((uint64_t)k * (images - 1) / (n - 1)) : 0;
        TSR_CHECK(tsr_dataset_read(dataset, index, pixels, err));
        out->pixels_digest = tsr_digest(out->pixels_digest, pixels, bytes);
        if (!labels) continue;
        TSR_CHECK(tsr_dataset_read_labels(dataset, index, labels, err));
        out->labels_digest = tsr_digest(out->labels_digest, labels, area * sizeof *labels);
    }
done:
    free(pixels);
    free(labels);
    return status;
}

enum tsr_status tsr_identity_of(struct tsr_dataset *dataset, struct tsr_identity *out,
                                struct tsr_error *err) {
    size_t split[3];
    for (int s = TSR_SPLIT_TRAIN; s <= TSR_SPLIT_TEST; s++)
        (void)tsr_dataset_split(dataset, (enum tsr_split)s, &split[s]);
    *out = (struct tsr_identity){
        .images = tsr_dataset_images(dataset),
        .height = tsr_dataset_height(dataset),
        .width = tsr_dataset_width(dataset),
        .channels = tsr_dataset_channels(dataset),
        .value_bytes = tsr_dataset_value_size(dataset),
        .train = split[TSR_SPLIT_TRAIN],
        .val = split[TSR_SPLIT_VAL],
        .test = split[TSR_SPLIT_TEST],
        .labels = tsr_dataset_has_labels(dataset) ? tsr_dataset_label_count(dataset) : 0,
        .split_digest = digest_of_split(dataset),
        .deal = *tsr_dataset_dealt(dataset),
    };
    TSR_TRY(digest_names(dataset, &out->names_digest, err));
    return digest_samples(dataset, out, err);
}

/* ---- files and words --------------------------------------------------------------------------
 */

#define FIELDS 13

/* What each number is called in a message; digests are told apart by `digest`. */
static const struct {
    const char *words;
    bool digest;
} fields[FIELDS] = {
    {"images", false},
    {"rows", false},
    {"columns", false},
    {"channels", false},
    {"bytes a value", false},
    {"training images", false},
    {"validation images", false},
    {"test images", false},
    {"labels", false},
    {"split", true},
    {"names", true},
    {"pixels", true},
    {"label maps", true},
};

static void list(struct tsr_identity *id, struct tsr_setting *table) {
    const struct tsr_setting all[FIELDS] = {
        TSR_SETTING("dataset", "images", U64, &id->images),
        TSR_SETTING("dataset", "height", U64, &id->height),
        TSR_SETTING("dataset", "width", U64, &id->width),
        TSR_SETTING("dataset", "channels", U64, &id->channels),
        TSR_SETTING("dataset", "value_bytes", U64, &id->value_bytes),
        TSR_SETTING("dataset", "train", U64, &id->train),
        TSR_SETTING("dataset", "val", U64, &id->val),
        TSR_SETTING("dataset", "test", U64, &id->test),
        TSR_SETTING("dataset", "labels", U64, &id->labels),
        TSR_SETTING("dataset", "split_digest", U64, &id->split_digest),
        TSR_SETTING("dataset", "names_digest", U64, &id->names_digest),
        TSR_SETTING("dataset", "pixels_digest", U64, &id->pixels_digest),
        TSR_SETTING("dataset", "labels_digest", U64, &id->labels_digest),
    };
    memcpy(table, all, sizeof all);
}

enum tsr_status tsr_identity_visit(struct tsr_identity *identity, tsr_setting_fn fn, void *user,
                                   struct tsr_error *err) {
    struct tsr_setting table[FIELDS];
    list(identity, table);
    return tsr_settings_visit(table, FIELDS, fn, user, err);
}

enum tsr_status tsr_deal_visit(struct tsr_deal *deal, tsr_setting_fn fn, void *user,
                               struct tsr_error *err) {
    const struct tsr_setting table[] = {
        TSR_SETTING("dataset", "split_train", REAL, &deal->fraction[0], .optional = true),
        TSR_SETTING("dataset", "split_val", REAL, &deal->fraction[1], .optional = true),
        TSR_SETTING("dataset", "split_test", REAL, &deal->fraction[2], .optional = true),
        TSR_SETTING("dataset", "split_seed", U64, &deal->seed, .optional = true),
    };
    return TSR_SETTINGS_VISIT(table, fn, user, err);
}

bool tsr_identity_equal(const struct tsr_identity *then, const struct tsr_identity *now, char *text,
                        size_t size) {
    struct tsr_identity copy[2] = {*then, *now};
    struct tsr_setting a[FIELDS], b[FIELDS];
    size_t used = 0, differing = 0;
    list(&copy[0], a);
    list(&copy[1], b);
    if (size) text[0] = '\0';
    for (size_t i = 0; i < FIELDS; i++) {
        unsigned long long x = *(uint64_t *)a[i].value, y = *(uint64_t *)b[i].value;
        if (x == y) continue;
        differing++;
        if (used >= size) continue;
        const char *comma = used ? ", " : "";
        int n = fields[i].digest
                    ? snprintf(text + used, size - used, "%s%s of digest %016llx, not %016llx",
                               comma, fields[i].words, y, x)
                    : snprintf(text + used, size - used, "%s%llu %s, not %llu", comma, y,
                               fields[i].words, x);
        used += n > 0 ? (size_t)n : 0;
    }
    return differing == 0;
}
