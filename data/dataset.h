/* SPDX-License-Identifier: MIT
 *
 * Reading a dataset: /images uint8 [N,H,W,C], optional /split uint8 [N], /names [N], label maps
 * /labels [N,H,W] (docs/formats.md). A foreign file with an `images` array of that shape ([N,H,W]
 * is grey) works; without /split all its images belong to every split. `labels` of fewer than three
 * dimensions are not label maps but, say, one class an image, and are passed over.
 */
#ifndef TSR_DATA_DATASET_H
#define TSR_DATA_DATASET_H

#include <stdbool.h>

#include "base/names.h"
#include "base/status.h"

enum tsr_split { TSR_SPLIT_TRAIN = 0, TSR_SPLIT_VAL = 1, TSR_SPLIT_TEST = 2, TSR_SPLIT_ALL = 3 };

/* Parses "train", "val", "test", "all". */
TSR_API enum tsr_status tsr_split_parse(const char *text, enum tsr_split *out,
                                        struct tsr_error *err) TSR_MUST_USE;
TSR_API extern const struct tsr_names tsr_split_names;
TSR_API const char *tsr_split_name(enum tsr_split split);

struct tsr_dataset; /* opaque; one thread at a time */

/* Checks shapes and types, reads /split; no image is read. Label maps that state neither their
 * count nor their names are all read once, for the largest label. */
TSR_API enum tsr_status tsr_dataset_open(const char *path, struct tsr_dataset **out,
                                         struct tsr_error *err) TSR_MUST_USE;
TSR_API void tsr_dataset_close(struct tsr_dataset *dataset); /* accepts NULL */

TSR_API const char *tsr_dataset_path(const struct tsr_dataset *dataset); /* view */
TSR_API size_t tsr_dataset_images(const struct tsr_dataset *dataset);
TSR_API size_t tsr_dataset_height(const struct tsr_dataset *dataset);
TSR_API size_t tsr_dataset_width(const struct tsr_dataset *dataset);
TSR_API size_t tsr_dataset_channels(const struct tsr_dataset *dataset);

/* Indices of the images of a split, ascending: a view [*n] that lives as long as the dataset. An
 * empty split gives *n = 0. */
TSR_API const uint32_t *tsr_dataset_split(const struct tsr_dataset *dataset, enum tsr_split split,
                                          size_t *n);

/* Reads one image: out [H,W,C], overwritten. */
TSR_API enum tsr_status tsr_dataset_read(struct tsr_dataset *dataset, size_t index, uint8_t *out,
                                         struct tsr_error *err) TSR_MUST_USE;

/* Label maps, one for each image: labels are 0..count-1. Without label maps the count is 0. */
TSR_API bool tsr_dataset_has_labels(const struct tsr_dataset *dataset);
TSR_API size_t tsr_dataset_label_count(const struct tsr_dataset *dataset);
/* Name of a label (view), "#i" if the file has none. */
TSR_API const char *tsr_dataset_label_name(const struct tsr_dataset *dataset, size_t i);
/* How the labels came about (view): "labels" for label maps made by others, or where the file does
 * not say; "segment 9 color" for example. NULL without label maps. */
TSR_API const char *tsr_dataset_label_rule(const struct tsr_dataset *dataset);
/* Reads the label map of one image: out [H,W], overwritten. TSR_ERR_FORMAT: a label at or above the
 * count. TSR_ERR_ARGUMENT: the dataset has no label maps. */
TSR_API enum tsr_status tsr_dataset_read_labels(struct tsr_dataset *dataset, size_t index,
                                                uint16_t *out, struct tsr_error *err) TSR_MUST_USE;

/* Name of an image (view, valid until the dataset is closed), or "#index" if the file has none. */
TSR_API const char *tsr_dataset_name(struct tsr_dataset *dataset, size_t index);

#endif
