/* SPDX-License-Identifier: MIT
 *
 * Reading a dataset, from a file or from memory.
 *
 * A file has /images uint8 [N,H,W,C], and may have /split uint8 [N], /names [N] and label maps
 * /labels [N,H,W] (docs/formats.md). A foreign file with an `images` array of that shape ([N,H,W]
 * is grey) works; without /split all its images belong to every split. `labels` of fewer than three
 * dimensions are not label maps but, say, one class an image, and are passed over.
 */
#ifndef TSR_DATA_DATASET_H
#define TSR_DATA_DATASET_H

#include <stdbool.h>

#include "base/labels.h"
#include "base/names.h"
#include "base/status.h"
#include "data/pixels.h"
#include "data/view.h"

enum tsr_split { TSR_SPLIT_TRAIN = 0, TSR_SPLIT_VAL = 1, TSR_SPLIT_TEST = 2, TSR_SPLIT_ALL = 3 };

/* Parses "train", "val", "test", "all". */
TSR_API enum tsr_status tsr_split_parse(const char *text, enum tsr_split *out,
                                        struct tsr_error *err) TSR_MUST_USE;
TSR_API extern const struct tsr_names tsr_split_names;
TSR_API const char *tsr_split_name(enum tsr_split split);

/* Opaque; one thread at a time, but for tsr_dataset_read(), _read_bytes(), _read_labels() and
 * _name(), which several may call at once. */
struct tsr_dataset;

/* Checks shapes and types, reads /split. Of images that are not bytes a few are read, to see that
 * their values are in range. Label maps that state neither their count nor their names are all read
 * once, for the largest label. */
TSR_API enum tsr_status tsr_dataset_open(const char *path, struct tsr_dataset **out,
                                         struct tsr_error *err) TSR_MUST_USE;
/* The same, the images read as the view says (data/view.h). TSR_ERR_FORMAT names what there is in
 * the file where it cannot be, and the command that converts what is not read in place. */
TSR_API enum tsr_status tsr_dataset_open_as(const char *path, const struct tsr_view_options *view,
                                            struct tsr_dataset **out,
                                            struct tsr_error *err) TSR_MUST_USE;
/* Images of any number of channels that stay the caller's, as do all that the struct points to. The
 * struct is whole: its size has been looked at. Errors: TSR_ERR_ARGUMENT, TSR_ERR_FORMAT. */
TSR_API enum tsr_status tsr_dataset_in_memory(const struct tsr_images *images,
                                              struct tsr_dataset **out,
                                              struct tsr_error *err) TSR_MUST_USE;
TSR_API void tsr_dataset_close(struct tsr_dataset *dataset); /* accepts NULL */

/* View; "images in memory" where there is no file. */
TSR_API const char *tsr_dataset_path(const struct tsr_dataset *dataset);
TSR_API size_t tsr_dataset_images(const struct tsr_dataset *dataset);
TSR_API size_t tsr_dataset_height(const struct tsr_dataset *dataset);
TSR_API size_t tsr_dataset_width(const struct tsr_dataset *dataset);
TSR_API size_t tsr_dataset_channels(const struct tsr_dataset *dataset);

/* How the images lie in a file, "NHWC" say, where that had to be found out or was asked for; NULL:
 * as those that pack writes. View. */
TSR_API const char *tsr_dataset_layout(const struct tsr_dataset *dataset);

/* Have the images of the file to be inflated? */
TSR_API bool tsr_dataset_deflated(const struct tsr_dataset *dataset);
/* Images i with the same i / (what is returned) lie in the same chunks of the file, and are best
 * read together; *groups such groups stay in memory. 0: any image may be read at any time. */
TSR_API size_t tsr_dataset_group(const struct tsr_dataset *dataset, size_t *groups);
/* Bytes of values that reading one image reads, and inflates: of a file with an image in a chunk,
 * or whose images are read by groups, those of the image; where chunks hold pieces of so many
 * images that none stays in memory, up to thousands of times as many. 0 in memory. */
TSR_API size_t tsr_dataset_read_cost(const struct tsr_dataset *dataset);

/* TSR_ERR_IO if the file was replaced or written to since it was opened; the message says which.
 * Costs a system call. */
TSR_API enum tsr_status tsr_dataset_unchanged(const struct tsr_dataset *dataset,
                                              struct tsr_error *err) TSR_MUST_USE;

/* Indices of the images of a split, ascending: a view [*n] that lives as long as the dataset. An
 * empty split gives *n = 0. */
TSR_API const uint32_t *tsr_dataset_split(const struct tsr_dataset *dataset, enum tsr_split split,
                                          size_t *n);

/* Does the dataset say itself which image is of which split? */
TSR_API bool tsr_dataset_has_split(const struct tsr_dataset *dataset);

/* Splits for a dataset that has none: its images in random order, cut by fractions of train, val
 * and test, whose sum is 1; a function of the seed and the number of images alone. */
struct tsr_deal {
    double fraction[3];
    uint64_t seed;
};
static inline bool tsr_deal_is(const struct tsr_deal *deal) { /* not all zeros */
    return deal->fraction[0] > 0 || deal->fraction[1] > 0 || deal->fraction[2] > 0;
}
/* Nobody may hold a view of the splits. TSR_ERR_CONFIG: it has splits; no such fractions. */
TSR_API enum tsr_status tsr_dataset_deal(struct tsr_dataset *dataset, const struct tsr_deal *deal,
                                         struct tsr_error *err) TSR_MUST_USE;
/* Zeros: as the dataset has it. View. */
TSR_API const struct tsr_deal *tsr_dataset_dealt(const struct tsr_dataset *dataset);

/* Bytes of a pixel value: 1, or 4 for floats. */
TSR_API size_t tsr_dataset_value_size(const struct tsr_dataset *dataset);
/* Values that have been read, as a view. */
TSR_API struct tsr_pixels tsr_dataset_pixels(const struct tsr_dataset *dataset, const void *values);
/* Reads one image: out [H,W,C] values, overwritten. */
TSR_API enum tsr_status tsr_dataset_read(struct tsr_dataset *dataset, size_t index, void *out,
                                         struct tsr_error *err) TSR_MUST_USE;
/* The image as 8 bit, whatever the dataset has, clipped and rounded: out [H,W,C], overwritten. */
TSR_API enum tsr_status tsr_dataset_read_bytes(struct tsr_dataset *dataset, size_t index,
                                               uint8_t *out, struct tsr_error *err) TSR_MUST_USE;

/* Label maps, one for each image: labels are 0..count-1, of classes, and TSR_VOID_LABEL. Without
 * label maps the count is 0. */
TSR_API bool tsr_dataset_has_labels(const struct tsr_dataset *dataset);
TSR_API size_t tsr_dataset_label_count(const struct tsr_dataset *dataset);
/* Are there values of pixels that belong to no class? The file says so, or who opened it. */
TSR_API bool tsr_dataset_has_void(const struct tsr_dataset *dataset);
/* Is the largest label 255, without a word of the file on what it means, and none other above 127?
 * That is rather a mask, or what has no class, than the last of 256. */
TSR_API bool tsr_dataset_labels_in_doubt(const struct tsr_dataset *dataset);
/* Name of a label (view), "#i" if the file has none. */
TSR_API const char *tsr_dataset_label_name(const struct tsr_dataset *dataset, size_t i);
/* How the labels came about (view): "labels" for label maps made by others, or where the file does
 * not say; "segment 9 color" for example. NULL without label maps. */
TSR_API const char *tsr_dataset_label_rule(const struct tsr_dataset *dataset);
/* Reads the label map of one image: out [H,W], overwritten. TSR_ERR_FORMAT: a label at or above the
 * count that is not void. TSR_ERR_ARGUMENT: the dataset has no label maps. */
TSR_API enum tsr_status tsr_dataset_read_labels(struct tsr_dataset *dataset, size_t index,
                                                uint16_t *out, struct tsr_error *err) TSR_MUST_USE;

/* Name of an image (view, valid until the dataset is closed), or "#index" if the file has none, or
 * one that cannot be read. */
TSR_API const char *tsr_dataset_name(struct tsr_dataset *dataset, size_t index);
/* Reads all names at once, for those who ask for many, or to whom it matters that a name is the one
 * of the file; that it has none, or a number or kind that cannot be names, is no error.
 * TSR_ERR_IO, TSR_ERR_NO_MEMORY: there may be names. */
TSR_API enum tsr_status tsr_dataset_load_names(struct tsr_dataset *dataset,
                                               struct tsr_error *err) TSR_MUST_USE;

#endif
