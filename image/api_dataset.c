/* SPDX-License-Identifier: MIT
 *
 * Datasets of include/tessera.h.
 */
#include <stdlib.h>

#include "data/dataset.h"
#include "data/image.h"
#include "image/api_checks.h"

enum tsr_status tsr_image_from_file(const char *path, size_t channels, struct tsr_images *out,
                                    struct tsr_error *err) {
    struct tsr_image image = {0};
    TSR_NEED(out, err);
    TSR_TRY(tsr_sized_check("tsr_images", out, err));
    struct tsr_images one = tsr_images_bytes(NULL, 0, 0, 0, 0);
    tsr_sized_write(&one, sizeof one, out);
    TSR_NEED(path, err);
    const struct tsr_image_as as = {.channels = channels, .background = TSR_WHITE};
    TSR_TRY(tsr_image_read(path, &as, &image, err));
    one = tsr_images_bytes(image.pixels, 1, image.height, image.width, image.channels);
    tsr_sized_write(&one, sizeof one, out);
    return TSR_OK;
}

enum tsr_status tsr_dataset_from_images(const struct tsr_images *images, struct tsr_dataset **out,
                                        struct tsr_error *err) {
    struct tsr_images whole;
    TSR_NEED(out, err);
    *out = NULL;
    TSR_NEED(images, err);
    TSR_TRY(tsr_sized_read("tsr_images", images, sizeof whole, &whole, err));
    return tsr_dataset_in_memory(&whole, out, err);
}

enum tsr_status tsr_dataset_from_file(const char *path, struct tsr_dataset **out,
                                      struct tsr_error *err) {
    TSR_NEED(out, err);
    *out = NULL;
    TSR_NEED(path, err);
    return tsr_dataset_open(path, out, err);
}

void tsr_dataset_free(struct tsr_dataset *dataset) {
    tsr_dataset_close(dataset);
}

static size_t images_of(const struct tsr_dataset *dataset, enum tsr_split split) {
    size_t n;
    (void)tsr_dataset_split(dataset, split, &n);
    return n;
}

enum tsr_status tsr_dataset_get_info(const struct tsr_dataset *dataset,
                                     struct tsr_dataset_info *out, struct tsr_error *err) {
    TSR_NEED(dataset, err);
    TSR_NEED(out, err);
    TSR_TRY(tsr_sized_check("tsr_dataset_info", out, err));
    const struct tsr_dataset_info info = {
        .images = tsr_dataset_images(dataset),
        .height = tsr_dataset_height(dataset),
        .width = tsr_dataset_width(dataset),
        .channels = tsr_dataset_channels(dataset),
        .train = images_of(dataset, TSR_SPLIT_TRAIN),
        .validation = images_of(dataset, TSR_SPLIT_VAL),
        .test = images_of(dataset, TSR_SPLIT_TEST),
        .label_count = tsr_dataset_label_count(dataset),
    };
    tsr_sized_write(&info, sizeof info, out);
    return TSR_OK;
}

void tsr_free(void *bytes) {
    free(bytes);
}
