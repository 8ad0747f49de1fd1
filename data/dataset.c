/* SPDX-License-Identifier: MIT */
#include "data/dataset.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/names.h"
#include "data/file_mark.h"
#include "data/h5_images.h"
#include "data/image.h"
#include "data/splits.h"

#define FORMAT_VERSION 1
#define NAME_SIZE 16 /* of "#4294967295" */
#define RULE_SIZE 256
#define LABELS_AT_MOST TSR_VOID_LABEL
#define LABEL_VALUES (TSR_VOID_LABEL + 1)

struct tsr_dataset {
    struct tsr_h5 *file;       /* NULL: in memory */
    struct tsr_file_mark mark; /* of the file when it was opened */
    struct tsr_h5_images images;
    bool floats;
    struct tsr_pixels pixels; /* in memory */
    const uint16_t *labels;
    const char *const *given_names;

    size_t n, height, width, channels;
    uint32_t *order;         /* [2n]: all indices, then train, val and test one after the other */
    const uint32_t *part[4]; /* views of order */
    size_t part_n[4];
    bool has_split;
    struct tsr_deal deal;
    bool nameless;    /* the file has no names that are of use */
    char **all_names; /* [n], one block; NULL: tsr_dataset_load_names() was not called */
    char **names;     /* [n], each by itself: those asked for; NULL: none has been */
    char *numbered;   /* [n][NAME_SIZE], where the file has no names */

    size_t label_count; /* of classes; 0: no label maps */
    bool labels_signed; /* they are stored with a sign */
    bool minus_is_void;
    bool in_doubt;      /* tsr_dataset_labels_in_doubt() */
    bool *is_void;      /* [LABEL_VALUES]; NULL: no value is void */
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

/* `split` [n]; NULL: all images in every split. */
static enum tsr_status set_splits(struct tsr_dataset *dataset, const uint8_t *split,
                                  struct tsr_error *err) {
    void *memory;
    size_t n = dataset->n;
    TSR_TRY(tsr_alloc(&memory, n, 2 * sizeof *dataset->order, "splits", err));
    free(dataset->order);
    dataset->order = memory;
    dataset->has_split = split != NULL;
    for (size_t i = 0; i < n; i++)
        dataset->order[i] = (uint32_t)i;
    for (size_t k = 0; k < sizeof split_names / sizeof *split_names; k++) {
        dataset->part[k] = dataset->order;
        dataset->part_n[k] = n;
    }
    for (size_t i = 0; split && i < n; i++)
        if (split[i] > TSR_SPLIT_TEST)
            return TSR_ERROR(err, TSR_ERR_FORMAT,
                             "%s: /split is %d for image %zu; expected 0 (train), 1 (val) or "
                             "2 (test)",
                             tsr_dataset_path(dataset), split[i], i);
    uint32_t *next = dataset->order + n;
    for (int k = 0; k < 3 && split; k++) {
        dataset->part[k] = next;
        for (size_t i = 0; i < n; i++)
            if (split[i] == k) *next++ = (uint32_t)i;
        dataset->part_n[k] = (size_t)(next - dataset->part[k]);
    }
    return TSR_OK;
}

static enum tsr_status load_splits(struct tsr_dataset *dataset, struct tsr_error *err) {
    void *split = NULL;
    if (!tsr_h5_exists(dataset->file, "/split")) return set_splits(dataset, NULL, err);
    TSR_TRY(tsr_alloc(&split, dataset->n, 1, "/split", err));
    enum tsr_status status =
        tsr_h5_read(dataset->file, "/split", TSR_H5_U8, 1, &dataset->n, split, err);
    if (status == TSR_OK) status = set_splits(dataset, split, err);
    free(split);
    return status;
}

bool tsr_dataset_has_split(const struct tsr_dataset *dataset) {
    return dataset->has_split && !tsr_deal_is(&dataset->deal);
}

const struct tsr_deal *tsr_dataset_dealt(const struct tsr_dataset *dataset) {
    return &dataset->deal;
}

static enum tsr_status check_deal(const struct tsr_dataset *dataset, const struct tsr_deal *deal,
                                  struct tsr_error *err) {
    const double *f = deal->fraction;
    bool fractions = f[0] >= 0 && f[1] >= 0 && f[2] >= 0 && fabs(f[0] + f[1] + f[2] - 1) <= 1e-6;
    if (!fractions)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "the split is %g,%g,%g; these are fractions of 0..1 whose sum is 1", f[0],
                         f[1], f[2]);
    if (tsr_dataset_has_split(dataset))
        return TSR_ERROR(err, TSR_ERR_CONFIG, "%s: has splits of its own; none can be dealt",
                         tsr_dataset_path(dataset));
    return TSR_OK;
}

enum tsr_status tsr_dataset_deal(struct tsr_dataset *dataset, const struct tsr_deal *deal,
                                 struct tsr_error *err) {
    enum tsr_status status;
    uint8_t *split = NULL;
    TSR_CHECK(check_deal(dataset, deal, err));
    TSR_CHECK(TSR_ALLOC(&split, dataset->n, "splits", err));
    TSR_CHECK(tsr_split_deal(deal->fraction, deal->seed, dataset->n, split, err));
    TSR_CHECK(set_splits(dataset, split, err));
    dataset->deal = *deal;
done:
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
    if (count < 1 || count > LABEL_VALUES)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: /labels@count is %lld; expected 1..%d",
                         tsr_h5_path(dataset->file), (long long)count, LABEL_VALUES);
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
    size_t count = 0, below = 0; /* below: of those below 255 */
    TSR_TRY(tsr_alloc(&memory, area, sizeof(uint16_t), "label map", err));
    const uint16_t *labels = memory;
    enum tsr_status status = TSR_OK;
    dataset->label_count = LABELS_AT_MOST;
    for (size_t i = 0; i < dataset->n && status == TSR_OK; i++) {
        status = tsr_dataset_read_labels(dataset, i, memory, err);
        for (size_t k = 0; k < area && status == TSR_OK; k++) {
            if (labels[k] >= count && labels[k] != TSR_VOID_LABEL) count = (size_t)labels[k] + 1;
            if (labels[k] >= below && labels[k] < UINT8_MAX) below = (size_t)labels[k] + 1;
        }
    }
    dataset->label_count = count;
    dataset->in_doubt = count == UINT8_MAX + 1 && below <= UINT8_MAX / 2 + 1;
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

static enum tsr_status ignore_label(struct tsr_dataset *dataset, int64_t value,
                                    struct tsr_error *err) {
    if (!dataset->is_void) TSR_TRY(TSR_ALLOC(&dataset->is_void, LABEL_VALUES, "labels", err));
    if (value >= 0 && value < LABEL_VALUES) dataset->is_void[value] = true;
    return TSR_OK;
}

/* What the file calls void, and what whoever opens it does. */
static enum tsr_status find_void(struct tsr_dataset *dataset, const struct tsr_view_options *view,
                                 enum tsr_h5_type type, struct tsr_error *err) {
    int64_t value;
    dataset->labels_signed = type == TSR_H5_I64;
    for (size_t i = 0; i < view->n_ignored_labels; i++) {
        value = view->ignored_labels[i];
        dataset->minus_is_void = dataset->minus_is_void || value == -1;
        if (value == -1 && type == TSR_H5_U8) value = UINT8_MAX;
        if (value == -1) value = UINT16_MAX; /* what read_signed() makes of it */
        TSR_TRY(ignore_label(dataset, value, err));
    }
    if (!tsr_h5_has_attr(dataset->file, "/labels", "void")) return TSR_OK;
    TSR_TRY(tsr_h5_read_attr_i64(dataset->file, "/labels", "void", &value, err));
    if (value < -1 || value >= LABEL_VALUES)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: /labels@void is %lld; expected -1..%d",
                         tsr_dataset_path(dataset), (long long)value, LABEL_VALUES - 1);
    dataset->minus_is_void = dataset->minus_is_void || value == -1;
    return ignore_label(dataset, value < 0 ? TSR_VOID_LABEL : value, err);
}

/* A last label that is void is no class. */
static enum tsr_status leave_out_void(struct tsr_dataset *dataset, struct tsr_error *err) {
    size_t stated = dataset->label_count;
    while (dataset->label_count > 0 && dataset->is_void &&
           dataset->is_void[dataset->label_count - 1])
        dataset->label_count--;
    if (dataset->label_count > 0 && dataset->label_count <= LABELS_AT_MOST) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_FORMAT,
                     "%s: /labels has %zu labels, of which %zu are classes; "
                     "expected 1..%d",
                     tsr_dataset_path(dataset), stated, dataset->label_count, LABELS_AT_MOST);
}

static enum tsr_status load_labels(struct tsr_dataset *dataset, const struct tsr_view_options *view,
                                   struct tsr_error *err) {
    struct tsr_h5 *f = dataset->file;
    size_t rank, dims[TSR_H5_MAX_RANK];
    enum tsr_h5_type type;
    /* What is no array of numbers, a group say, is no label map either. */
    enum tsr_h5_kind kind = tsr_h5_glance(f, "/labels", &rank);
    if (kind == TSR_H5_ABSENT || kind == TSR_H5_OTHER || (kind == TSR_H5_NUMBERS && rank < 3))
        return TSR_OK;
    TSR_TRY(tsr_h5_shape(f, "/labels", &rank, dims, &type, err));
    TSR_TRY(check_label_shape(dataset, rank, dims, type, err));
    TSR_TRY(find_void(dataset, view, type, err));
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
    TSR_TRY(leave_out_void(dataset, err));
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

/* What is slow to read in random order is left to pack, which reads it in its own. */
static enum tsr_status check_layout(const struct tsr_h5_images *images, struct tsr_error *err) {
    const struct tsr_view *v = &images->view;
    if (v->axis <= 0 || v->n == 1) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_FORMAT,
                     "%s has its images along the last axes (%s), where each is spread over the "
                     "whole file; `tessera pack %s --images %s --images-layout %s -o D.h5` makes a "
                     "dataset of them",
                     images->name, v->layout, tsr_h5_path(images->file), images->object + 1,
                     v->layout);
}

static enum tsr_status open_images(struct tsr_dataset *dataset,
                                   const struct tsr_view_options *options, struct tsr_error *err) {
    char *object;
    struct tsr_h5_images *images = &dataset->images;
    TSR_TRY(tsr_h5_images_path(options->images, &object, err));
    enum tsr_status status = tsr_h5_images_open(dataset->file, object, options, images, err);
    if (status == TSR_OK) status = check_layout(images, err);
    free(object);
    dataset->n = images->view.n;
    dataset->height = images->view.height;
    dataset->width = images->view.width;
    dataset->channels = images->view.channels;
    dataset->floats = images->view.floats;
    return status;
}

enum tsr_status tsr_dataset_open_as(const char *path, const struct tsr_view_options *view,
                                    struct tsr_dataset **out, struct tsr_error *err) {
    enum tsr_status status;
    void *memory;
    *out = NULL;
    TSR_TRY(tsr_alloc(&memory, 1, sizeof **out, path, err));
    struct tsr_dataset *dataset = memory;
    TSR_CHECK(tsr_file_mark_take(path, &dataset->mark, err));
    TSR_CHECK(tsr_h5_open(path, &dataset->file, err));
    TSR_CHECK(check_format(dataset->file, err));
    TSR_CHECK(open_images(dataset, view, err));
    TSR_CHECK(load_splits(dataset, err));
    TSR_CHECK(load_labels(dataset, view, err));
    *out = dataset;
    dataset = NULL;
done:
    tsr_dataset_close(dataset);
    return status;
}

enum tsr_status tsr_dataset_open(const char *path, struct tsr_dataset **out,
                                 struct tsr_error *err) {
    const struct tsr_view_options as_it_stands = {0};
    return tsr_dataset_open_as(path, &as_it_stands, out, err);
}

void tsr_dataset_close(struct tsr_dataset *dataset) {
    if (!dataset) return;
    tsr_h5_images_close(&dataset->images);
    tsr_h5_close(dataset->file);
    free(dataset->order);
    for (size_t i = 0; dataset->names && i < dataset->n; i++)
        free(dataset->names[i]);
    free(dataset->names);
    free(dataset->all_names);
    free(dataset->numbered);
    free(dataset->label_names);
    free(dataset->is_void);
    free(dataset);
}

/* ---- images in memory ------------------------------------------------------------------------ */

static enum tsr_status check_memory(const struct tsr_images *images, struct tsr_error *err) {
    const struct tsr_images *m = images;
    size_t values;
    if (m->type != TSR_PIXELS_U8 && m->type != TSR_PIXELS_F32)
        return TSR_ERROR(err, TSR_ERR_ARGUMENT,
                         "images: their type is %d; it must be TSR_PIXELS_U8 or TSR_PIXELS_F32",
                         (int)m->type);
    if (!m->pixels) return TSR_ERROR(err, TSR_ERR_ARGUMENT, "images: pixels is NULL");
    if (m->n < 1 || m->n > UINT32_MAX || m->height < 1 || m->height > TSR_IMAGE_MAX_SIDE ||
        m->width < 1 || m->width > TSR_IMAGE_MAX_SIDE || m->channels < 1 ||
        m->channels > UINT16_MAX || __builtin_mul_overflow(m->height * m->width, m->n, &values) ||
        __builtin_mul_overflow(values, m->channels * sizeof(float), &values))
        return TSR_ERROR(err, TSR_ERR_ARGUMENT,
                         "images: their shape is [%zu,%zu,%zu,%zu]; expected [N,H,W,C] with at "
                         "least one image, sides of 1..%d and at least one channel",
                         m->n, m->height, m->width, m->channels, TSR_IMAGE_MAX_SIDE);
    if (m->labels && (m->label_count < 1 || m->label_count > LABELS_AT_MOST))
        return TSR_ERROR(err, TSR_ERR_ARGUMENT, "images: label_count is %zu; expected 1..%d",
                         m->label_count, LABELS_AT_MOST);
    return TSR_OK;
}

static enum tsr_status check_finite(const struct tsr_images *m, struct tsr_error *err) {
    const float *value = m->pixels;
    size_t of_image = m->height * m->width * m->channels;
    for (size_t i = 0; m->type == TSR_PIXELS_F32 && i < m->n * of_image; i++)
        if (!isfinite(value[i]))
            return TSR_ERROR(err, TSR_ERR_ARGUMENT, "images: a pixel of image %zu is %g",
                             i / of_image, (double)value[i]);
    return TSR_OK;
}

enum tsr_status tsr_dataset_in_memory(const struct tsr_images *images, struct tsr_dataset **out,
                                      struct tsr_error *err) {
    enum tsr_status status;
    void *memory;
    *out = NULL;
    TSR_TRY(check_memory(images, err));
    TSR_TRY(check_finite(images, err));
    TSR_TRY(tsr_alloc(&memory, 1, sizeof **out, "dataset", err));
    struct tsr_dataset *d = memory;
    *d = (struct tsr_dataset){.n = images->n,
                              .height = images->height,
                              .width = images->width,
                              .channels = images->channels,
                              .labels = images->labels,
                              .label_count = images->labels ? images->label_count : 0,
                              .label_rule = "labels",
                              .given_names = images->names};
    d->floats = images->type == TSR_PIXELS_F32;
    if (d->floats)
        d->pixels.floats = images->pixels;
    else
        d->pixels.bytes = images->pixels;
    TSR_CHECK(set_splits(d, images->split, err));
    if (d->labels) TSR_CHECK(number_labels(d, err));
    for (size_t i = 0; d->labels && !d->is_void && i < d->n * d->height * d->width; i++)
        if (d->labels[i] == TSR_VOID_LABEL) TSR_CHECK(ignore_label(d, TSR_VOID_LABEL, err));
    *out = d;
    d = NULL;
done:
    tsr_dataset_close(d);
    return status;
}

/* ---- use ------------------------------------------------------------------------------------- */

const char *tsr_dataset_path(const struct tsr_dataset *dataset) {
    return dataset->file ? tsr_h5_path(dataset->file) : "images in memory";
}

enum tsr_status tsr_dataset_unchanged(const struct tsr_dataset *dataset, struct tsr_error *err) {
    if (!dataset->file) return TSR_OK;
    return tsr_file_mark_check(tsr_h5_path(dataset->file), &dataset->mark, err);
}

size_t tsr_dataset_value_size(const struct tsr_dataset *dataset) {
    return dataset->floats ? sizeof(float) : 1;
}

struct tsr_pixels tsr_dataset_pixels(const struct tsr_dataset *dataset, const void *values) {
    if (dataset->floats) return (struct tsr_pixels){.floats = values};
    return TSR_BYTES(values);
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

/* Copies item `index` of an array in memory, as tsr_h5_read_item() does from a file. */
static enum tsr_status copy_item(const struct tsr_dataset *dataset, const void *items, size_t size,
                                 size_t index, void *out, struct tsr_error *err) {
    if (index >= dataset->n)
        return TSR_ERROR(err, TSR_ERR_ARGUMENT, "%s: image %zu of %zu", tsr_dataset_path(dataset),
                         index, dataset->n);
    memcpy(out, (const char *)items + index * size, size);
    return TSR_OK;
}

enum tsr_status tsr_dataset_read(struct tsr_dataset *dataset, size_t index, void *out,
                                 struct tsr_error *err) {
    const struct tsr_dataset *d = dataset;
    if (d->file) return tsr_h5_images_read(&dataset->images, index, out, err);
    return copy_item(d, d->floats ? (const void *)d->pixels.floats : d->pixels.bytes,
                     d->height * d->width * d->channels * tsr_dataset_value_size(d), index, out,
                     err);
}

enum tsr_status tsr_dataset_read_bytes(struct tsr_dataset *dataset, size_t index, uint8_t *out,
                                       struct tsr_error *err) {
    size_t n = dataset->height * dataset->width * dataset->channels;
    float *values;
    if (!dataset->floats) return tsr_dataset_read(dataset, index, out, err);
    TSR_TRY(TSR_ALLOC(&values, n, "image", err));
    enum tsr_status status = tsr_dataset_read(dataset, index, values, err);
    if (status == TSR_OK) (void)tsr_pixels_bytes(tsr_dataset_pixels(dataset, values), n, out);
    free(values);
    return status;
}

/* Names of some other kind or number are as good as none. */
static bool has_names(struct tsr_dataset *dataset) {
    if (!dataset->file || dataset->nameless) return false;
    if (!dataset->all_names && !dataset->names)
        dataset->nameless = !tsr_h5_exists(dataset->file, "/names");
    return !dataset->nameless;
}

enum tsr_status tsr_dataset_load_names(struct tsr_dataset *dataset, struct tsr_error *err) {
    struct tsr_error why;
    size_t n;
    if (!has_names(dataset) || dataset->all_names) return TSR_OK;
    enum tsr_status status =
        tsr_h5_read_strings(dataset->file, "/names", &n, &dataset->all_names, &why);
    if (status == TSR_OK && n == dataset->n) return TSR_OK;
    free(dataset->all_names);
    dataset->all_names = NULL;
    dataset->nameless = status == TSR_OK || status == TSR_ERR_FORMAT;
    if (dataset->nameless) return TSR_OK;
    if (err) *err = why;
    return status;
}

/* Reads one name from the file; NULL: it cannot be read, which shows in messages only. */
static const char *load_name(struct tsr_dataset *dataset, size_t index) {
    if (dataset->all_names) return dataset->all_names[index];
    if (!dataset->names) dataset->names = calloc(dataset->n, sizeof *dataset->names);
    if (!dataset->names) return NULL;
    char **name = &dataset->names[index];
    if (!*name &&
        tsr_h5_read_string(dataset->file, "/names", dataset->n, index, name, NULL) != TSR_OK)
        return NULL;
    return *name;
}

static const char *numbered_name(struct tsr_dataset *dataset, size_t index) {
    if (!dataset->numbered) dataset->numbered = calloc(dataset->n, NAME_SIZE);
    if (!dataset->numbered) return "#?";
    char *name = dataset->numbered + index * NAME_SIZE;
    if (!*name) (void)snprintf(name, NAME_SIZE, "#%u", (unsigned)index);
    return name;
}

const char *tsr_dataset_name(struct tsr_dataset *dataset, size_t index) {
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of names looked up before */
    if (index >= dataset->n) return "#?";
    if (dataset->given_names) return dataset->given_names[index];
    (void)pthread_mutex_lock(&lock);
    const char *name = has_names(dataset) ? load_name(dataset, index) : NULL;
    if (!name) name = numbered_name(dataset, index);
    (void)pthread_mutex_unlock(&lock);
    return name;
}

const char *tsr_dataset_layout(const struct tsr_dataset *dataset) {
    const struct tsr_view *v = &dataset->images.view;
    return dataset->file && !v->as_it_lies ? v->layout : NULL;
}

bool tsr_dataset_deflated(const struct tsr_dataset *dataset) {
    return dataset->file && dataset->images.chunks.deflated;
}

size_t tsr_dataset_group(const struct tsr_dataset *dataset, size_t *groups) {
    *groups = 0;
    return dataset->file ? tsr_h5_images_group(&dataset->images, groups) : 0;
}

size_t tsr_dataset_read_cost(const struct tsr_dataset *dataset) {
    return dataset->file ? tsr_h5_images_cost(&dataset->images) : 0;
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

bool tsr_dataset_labels_in_doubt(const struct tsr_dataset *dataset) {
    return dataset->in_doubt;
}

bool tsr_dataset_has_void(const struct tsr_dataset *dataset) {
    return dataset->label_count > 0 && dataset->is_void;
}

/* Labels with a sign: -1 may be void, another one below 0 is an error. */
static enum tsr_status read_signed(struct tsr_dataset *dataset, const size_t dims[3], size_t index,
                                   uint16_t *out, struct tsr_error *err) {
    int64_t *values;
    size_t area = dims[1] * dims[2], bad = area;
    TSR_TRY(TSR_ALLOC(&values, area, "label map", err));
    enum tsr_status status =
        tsr_h5_read_item(dataset->file, "/labels", TSR_H5_I64, 3, dims, index, values, err);
    for (size_t i = 0; i < area && status == TSR_OK && bad == area; i++) {
        bool is_void = values[i] == -1 && dataset->minus_is_void;
        if (!is_void && (values[i] < 0 || values[i] >= LABELS_AT_MOST)) bad = i;
        out[i] = is_void ? TSR_VOID_LABEL : (uint16_t)values[i];
    }
    if (bad < area)
        status = TSR_ERROR(err, TSR_ERR_FORMAT,
                           "%s: /labels has %lld at row %zu, column %zu of image %zu (%s)%s",
                           tsr_dataset_path(dataset), (long long)values[bad], bad / dims[2],
                           bad % dims[2], index, tsr_dataset_name(dataset, index),
                           values[bad] == -1 ? "; --ignore-label -1 gives such pixels to no class"
                                             : ", which is no label");
    free(values);
    return status;
}

static enum tsr_status read_raw_labels(struct tsr_dataset *dataset, const size_t dims[3],
                                       size_t index, uint16_t *out, struct tsr_error *err) {
    if (!dataset->file)
        return copy_item(dataset, dataset->labels, dims[1] * dims[2] * sizeof *out, index, out,
                         err);
    if (dataset->labels_signed) return read_signed(dataset, dims, index, out, err);
    return tsr_h5_read_item(dataset->file, "/labels", TSR_H5_U16, 3, dims, index, out, err);
}

enum tsr_status tsr_dataset_read_labels(struct tsr_dataset *dataset, size_t index, uint16_t *out,
                                        struct tsr_error *err) {
    const size_t dims[3] = {dataset->n, dataset->height, dataset->width};
    if (dataset->label_count == 0)
        return TSR_ERROR(err, TSR_ERR_ARGUMENT, "%s: has no label maps (/labels [N,H,W])",
                         tsr_dataset_path(dataset));
    TSR_TRY(read_raw_labels(dataset, dims, index, out, err));
    for (size_t i = 0; i < dims[1] * dims[2]; i++) {
        if (dataset->is_void && dataset->is_void[out[i]])
            out[i] = TSR_VOID_LABEL;
        else if (out[i] >= dataset->label_count)
            return TSR_ERROR(err, TSR_ERR_FORMAT,
                             "%s: /labels has %u at row %zu, column %zu of image %zu (%s); labels "
                             "are 0..%zu",
                             tsr_dataset_path(dataset), out[i], i / dims[2], i % dims[2], index,
                             tsr_dataset_name(dataset, index), dataset->label_count - 1);
    }
    return TSR_OK;
}
