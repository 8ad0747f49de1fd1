/* SPDX-License-Identifier: MIT */
#include "data/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/names.h"
#include "data/h5.h"
#include "data/image.h"

#define FORMAT_VERSION 1
#define NAME_SIZE 16 /* of "#4294967295" */
#define RULE_SIZE 256
#define LABELS_AT_MOST 65536

struct tsr_dataset {
    struct tsr_h5 *file;
    size_t rank, dims[TSR_H5_MAX_RANK]; /* of /images */
    size_t n, height, width, channels;
    uint32_t *order;         /* [2n]: all indices, then train, val and test one after the other */
    const uint32_t *part[4]; /* views of order */
    size_t part_n[4];
    char **names;   /* one block; NULL: not asked for yet, or none */
    char *numbered; /* [n][NAME_SIZE], where the file has no names */

    size_t label_count; /* 0: no label maps */
    char **label_names; /* [label_count], one block */
    char label_rule[RULE_SIZE];
};

/* ---- splits ---------------------------------------------------------------------------------- */

static const char *const split_names[] = {
    [TSR_SPLIT_TRAIN] = "train",
    [TSR_SPLIT_VAL] = "val",
    [TSR_SPLIT_TEST] = "test",
    [TSR_SPLIT_ALL] = "all",
};
TSR_DEFINE_NAMES(tsr_split, tsr_split, split_names, "split")

static enum tsr_status read_split(struct tsr_dataset *dataset, uint8_t *split,
                                  struct tsr_error *err) {
    TSR_TRY(tsr_h5_read(dataset->file, "/split", TSR_H5_U8, 1, &dataset->n, split, err));
    for (size_t i = 0; i < dataset->n; i++)
        if (split[i] > TSR_SPLIT_TEST)
            return TSR_ERROR(err, TSR_ERR_FORMAT,
                             "%s: /split is %d for image %zu; expected 0 (train), 1 (val) or "
                             "2 (test)",
                             tsr_h5_path(dataset->file), split[i], i);
    return TSR_OK;
}

static enum tsr_status load_splits(struct tsr_dataset *dataset, struct tsr_error *err) {
    void *memory;
    size_t n = dataset->n;
    TSR_TRY(tsr_alloc(&memory, n, 2 * sizeof *dataset->order, "splits", err));
    dataset->order = memory;
    for (size_t i = 0; i < n; i++)
        dataset->order[i] = (uint32_t)i;
    for (size_t k = 0; k < sizeof split_names / sizeof *split_names; k++) {
        dataset->part[k] = dataset->order;
        dataset->part_n[k] = n;
    }
    if (!tsr_h5_exists(dataset->file, "/split")) return TSR_OK;

    TSR_TRY(tsr_alloc(&memory, n, 1, "/split", err));
    uint8_t *split = memory;
    enum tsr_status status = read_split(dataset, split, err);
    uint32_t *next = dataset->order + n;
    for (int k = 0; k < 3 && status == TSR_OK; k++) {
        dataset->part[k] = next;
        for (size_t i = 0; i < n; i++)
            if (split[i] == k) *next++ = (uint32_t)i;
        dataset->part_n[k] = (size_t)(next - dataset->part[k]);
    }
    free(split);
    return status;
}

const uint32_t *tsr_dataset_split(const struct tsr_dataset *dataset, enum tsr_split split,
                                  size_t *n) {
    *n = dataset->part_n[split];
    return dataset->part[split];
}

/* ---- label maps ------------------------------------------------------------------------------ */

static enum tsr_status check_label_shape(const struct tsr_dataset *dataset, size_t rank,
                                         const size_t *dims, enum tsr_h5_type type,
                                         struct tsr_error *err) {
    const char *path = tsr_h5_path(dataset->file);
    if (type == TSR_H5_F32 || type == TSR_H5_F64)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: /labels holds floats; labels are integers",
                         path);
    if (rank != 3)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: /labels has rank %zu; expected [N,H,W]", path,
                         rank);
    if (dims[0] != dataset->n || dims[1] != dataset->height || dims[2] != dataset->width)
        return TSR_ERROR(err, TSR_ERR_FORMAT,
                         "%s: /labels has shape [%zu,%zu,%zu]; expected [%zu,%zu,%zu] as /images",
                         path, dims[0], dims[1], dims[2], dataset->n, dataset->height,
                         dataset->width);
    return TSR_OK;
}

static enum tsr_status read_label_count(struct tsr_dataset *dataset, struct tsr_error *err) {
    int64_t count;
    TSR_TRY(tsr_h5_read_attr_i64(dataset->file, "/labels", "count", &count, err));
    if (count < 1 || count > LABELS_AT_MOST)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: /labels@count is %lld; expected 1..%d",
                         tsr_h5_path(dataset->file), (long long)count, LABELS_AT_MOST);
    if (dataset->label_names && (size_t)count != dataset->label_count)
        return TSR_ERROR(err, TSR_ERR_FORMAT,
                         "%s: /labels@count is %lld, but /labels@label_names has %zu",
                         tsr_h5_path(dataset->file), (long long)count, dataset->label_count);
    dataset->label_count = (size_t)count;
    return TSR_OK;
}

static enum tsr_status find_largest_label(struct tsr_dataset *dataset, struct tsr_error *err) {
    void *memory;
    size_t area = dataset->height * dataset->width;
    uint16_t largest = 0;
    TSR_TRY(tsr_alloc(&memory, area, sizeof(uint16_t), "label map", err));
    const uint16_t *labels = memory;
    enum tsr_status status = TSR_OK;
    dataset->label_count = LABELS_AT_MOST;
    for (size_t i = 0; i < dataset->n && status == TSR_OK; i++) {
        status = tsr_dataset_read_labels(dataset, i, memory, err);
        for (size_t k = 0; k < area && status == TSR_OK; k++)
            if (labels[k] > largest) largest = labels[k];
    }
    dataset->label_count = (size_t)largest + 1;
    free(memory);
    return status;
}

static enum tsr_status number_labels(struct tsr_dataset *dataset, struct tsr_error *err) {
    void *memory;
    size_t n = dataset->label_count;
    TSR_TRY(tsr_alloc(&memory, n, sizeof(char *) + NAME_SIZE, "label names", err));
    dataset->label_names = memory;
    char *text = (char *)(dataset->label_names + n);
    for (size_t i = 0; i < n; i++, text += NAME_SIZE) {
        (void)snprintf(text, NAME_SIZE, "#%u", (unsigned)i);
        dataset->label_names[i] = text;
    }
    return TSR_OK;
}

static enum tsr_status load_labels(struct tsr_dataset *dataset, struct tsr_error *err) {
    struct tsr_h5 *f = dataset->file;
    size_t rank, dims[TSR_H5_MAX_RANK];
    enum tsr_h5_type type;
    if (!tsr_h5_exists(f, "/labels")) return TSR_OK;
    /* What is no array of numbers, a group say, is no label map either. */
    if (tsr_h5_shape(f, "/labels", &rank, dims, &type, NULL) != TSR_OK || rank < 3) return TSR_OK;
    TSR_TRY(check_label_shape(dataset, rank, dims, type, err));
    (void)snprintf(dataset->label_rule, RULE_SIZE, "labels");
    if (tsr_h5_has_attr(f, "/labels", "rule"))
        TSR_TRY(tsr_h5_read_attr_str(f, "/labels", "rule", dataset->label_rule, RULE_SIZE, err));
    if (tsr_h5_has_attr(f, "/labels", "label_names"))
        TSR_TRY(tsr_h5_read_attr_strings(f, "/labels", "label_names", &dataset->label_count,
                                         &dataset->label_names, err));
    if (tsr_h5_has_attr(f, "/labels", "count"))
        TSR_TRY(read_label_count(dataset, err));
    else if (!dataset->label_names)
        TSR_TRY(find_largest_label(dataset, err));
    return dataset->label_names ? TSR_OK : number_labels(dataset, err);
}

/* ---- opening --------------------------------------------------------------------------------- */

/* A file without these attributes is somebody else's, and welcome. */
static enum tsr_status check_format(struct tsr_h5 *file, struct tsr_error *err) {
    char format[64];
    int64_t version;
    if (!tsr_h5_has_attr(file, "/", "format")) return TSR_OK;
    TSR_TRY(tsr_h5_read_attr_str(file, "/", "format", format, sizeof format, err));
    if (strcmp(format, "tessera-dataset") != 0)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: is a \"%s\"; expected a \"tessera-dataset\"",
                         tsr_h5_path(file), format);
    TSR_TRY(tsr_h5_read_attr_i64(file, "/", "format_version", &version, err));
    if (version > FORMAT_VERSION)
        return TSR_ERROR(err, TSR_ERR_VERSION,
                         "%s: has format_version %lld; this program reads up to %d",
                         tsr_h5_path(file), (long long)version, FORMAT_VERSION);
    return TSR_OK;
}

static enum tsr_status bad_shape(const struct tsr_dataset *dataset, const char *rule,
                                 struct tsr_error *err) {
    char dims[TSR_H5_MAX_RANK * 21 + 1] = "";
    for (size_t i = 0, at = 0; i < dataset->rank; i++)
        at +=
            (size_t)snprintf(dims + at, sizeof dims - at, "%s%zu", i ? "," : "", dataset->dims[i]);
    return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: /images has rank %zu [%s]; %s",
                     tsr_h5_path(dataset->file), dataset->rank, dims, rule);
}

static enum tsr_status check_images(struct tsr_dataset *dataset, struct tsr_error *err) {
    enum tsr_h5_type type;
    const size_t *dims = dataset->dims;
    TSR_TRY(tsr_h5_shape(dataset->file, "/images", &dataset->rank, dataset->dims, &type, err));
    if (type != TSR_H5_U8)
        return TSR_ERROR(err, TSR_ERR_FORMAT,
                         "%s: /images does not hold 8-bit unsigned integers (uint8), which is what "
                         "is expected",
                         tsr_h5_path(dataset->file));
    if (dataset->rank != 3 && dataset->rank != 4)
        return bad_shape(dataset, "expected [N,H,W] or [N,H,W,C]", err);
    dataset->n = dims[0];
    dataset->height = dims[1];
    dataset->width = dims[2];
    dataset->channels = dataset->rank == 4 ? dims[3] : 1;
    if (dataset->channels != 1 && dataset->channels != 3)
        return bad_shape(dataset, "expected [N,H,W,C] with 1 or 3 channels, which come last", err);
    if (dataset->n < 1 || dataset->n > UINT32_MAX)
        return bad_shape(dataset, "expected 1 to 2^32-1 images", err);
    if (dims[1] < 1 || dims[2] < 1 || dims[1] > TSR_IMAGE_MAX_SIDE || dims[2] > TSR_IMAGE_MAX_SIDE)
        return bad_shape(dataset, "expected [N,H,W] or [N,H,W,C] with sides of 1..65535", err);
    return TSR_OK;
}

enum tsr_status tsr_dataset_open(const char *path, struct tsr_dataset **out,
                                 struct tsr_error *err) {
    enum tsr_status status;
    void *memory;
    *out = NULL;
    TSR_TRY(tsr_alloc(&memory, 1, sizeof **out, path, err));
    struct tsr_dataset *dataset = memory;
    TSR_CHECK(tsr_h5_open(path, &dataset->file, err));
    TSR_CHECK(check_format(dataset->file, err));
    TSR_CHECK(check_images(dataset, err));
    TSR_CHECK(load_splits(dataset, err));
    TSR_CHECK(load_labels(dataset, err));
    *out = dataset;
    dataset = NULL;
done:
    tsr_dataset_close(dataset);
    return status;
}

void tsr_dataset_close(struct tsr_dataset *dataset) {
    if (!dataset) return;
    tsr_h5_close(dataset->file);
    free(dataset->order);
    free(dataset->names);
    free(dataset->numbered);
    free(dataset->label_names);
    free(dataset);
}

/* ---- use ------------------------------------------------------------------------------------- */

const char *tsr_dataset_path(const struct tsr_dataset *dataset) {
    return tsr_h5_path(dataset->file);
}

size_t tsr_dataset_images(const struct tsr_dataset *dataset) {
    return dataset->n;
}

size_t tsr_dataset_height(const struct tsr_dataset *dataset) {
    return dataset->height;
}

size_t tsr_dataset_width(const struct tsr_dataset *dataset) {
    return dataset->width;
}

size_t tsr_dataset_channels(const struct tsr_dataset *dataset) {
    return dataset->channels;
}

enum tsr_status tsr_dataset_read(struct tsr_dataset *dataset, size_t index, uint8_t *out,
                                 struct tsr_error *err) {
    return tsr_h5_read_item(dataset->file, "/images", TSR_H5_U8, dataset->rank, dataset->dims,
                            index, out, err);
}

/* Names of some other kind or number are as good as none: nothing but messages needs them. */
static void load_names(struct tsr_dataset *dataset) {
    size_t n;
    if (tsr_h5_exists(dataset->file, "/names") &&
        tsr_h5_read_strings(dataset->file, "/names", &n, &dataset->names, NULL) == TSR_OK) {
        if (n == dataset->n) return;
        free(dataset->names);
        dataset->names = NULL;
    }
    dataset->numbered = malloc(dataset->n * NAME_SIZE);
    for (size_t i = 0; dataset->numbered && i < dataset->n; i++)
        (void)snprintf(dataset->numbered + i * NAME_SIZE, NAME_SIZE, "#%u", (unsigned)i);
}

const char *tsr_dataset_name(struct tsr_dataset *dataset, size_t index) {
    if (index >= dataset->n) return "#?";
    if (!dataset->names && !dataset->numbered) load_names(dataset);
    if (dataset->names) return dataset->names[index];
    return dataset->numbered ? dataset->numbered + index * NAME_SIZE : "#?";
}

bool tsr_dataset_has_labels(const struct tsr_dataset *dataset) {
    return dataset->label_count > 0;
}

size_t tsr_dataset_label_count(const struct tsr_dataset *dataset) {
    return dataset->label_count;
}

const char *tsr_dataset_label_name(const struct tsr_dataset *dataset, size_t i) {
    return i < dataset->label_count ? dataset->label_names[i] : "#?";
}

const char *tsr_dataset_label_rule(const struct tsr_dataset *dataset) {
    return dataset->label_count > 0 ? dataset->label_rule : NULL;
}

enum tsr_status tsr_dataset_read_labels(struct tsr_dataset *dataset, size_t index, uint16_t *out,
                                        struct tsr_error *err) {
    const size_t dims[3] = {dataset->n, dataset->height, dataset->width};
    if (dataset->label_count == 0)
        return TSR_ERROR(err, TSR_ERR_ARGUMENT, "%s: has no label maps (/labels [N,H,W])",
                         tsr_h5_path(dataset->file));
    TSR_TRY(tsr_h5_read_item(dataset->file, "/labels", TSR_H5_U16, 3, dims, index, out, err));
    for (size_t i = 0; i < dims[1] * dims[2]; i++)
        if (out[i] >= dataset->label_count)
            return TSR_ERROR(err, TSR_ERR_FORMAT,
                             "%s: /labels has %u at row %zu, column %zu of image %zu (%s); labels "
                             "are 0..%zu",
                             tsr_h5_path(dataset->file), out[i], i / dims[2], i % dims[2], index,
                             tsr_dataset_name(dataset, index), dataset->label_count - 1);
    return TSR_OK;
}
