/* SPDX-License-Identifier: MIT
 *
 * What the tests of meta/ share: toy images, toy datasets, a small model, whole arrays of a file.
 */
#ifndef TSR_TEST_META_HELPER_H
#define TSR_TEST_META_HELPER_H

#include "tests/test_data_helper.h"

#include "tests/check.h"
#include "tests/test_kinds.h"

#include "data/h5.h"
#include "image/model.h"

/* Smooth images [n, height, width, channels]: each channel a wave of its own direction. */
HELPER uint8_t *toy_images(size_t n, size_t height, size_t width, size_t channels) {
    uint8_t *images = make(n * height * width * channels, 1), *at = images;
    for (size_t i = 0; i < n; i++) {
        double a[4], b[4], c[4];
        for (size_t j = 0; j < channels; j++)
            a[j] = draw(-4, 4), b[j] = draw(-4, 4), c[j] = draw(0, 6);
        for (size_t row = 0; row < height; row++)
            for (size_t col = 0; col < width; col++)
                for (size_t j = 0; j < channels; j++) {
                    double y = (double)row / (double)height, x = (double)col / (double)width;
                    *at++ = (uint8_t)(128 + 90 * sin(a[j] * y + b[j] * x + c[j]));
                }
    }
    return images;
}

/* Label maps [n, height, width] in blotches that differ from image to image. Of the `count` labels
 * those whose bit is set in `absent` occur nowhere. */
HELPER uint16_t *toy_labels(size_t n, size_t height, size_t width, size_t count, unsigned absent) {
    uint16_t *labels = make(n * height * width, sizeof *labels);
    for (size_t i = 0; i < n; i++) {
        uint16_t tile[32];
        for (size_t j = 0; j < 32; j++)
            do
                tile[j] = (uint16_t)draw_size(0, count - 1);
            while (absent >> tile[j] & 1);
        for (size_t j = 0; j < height * width; j++)
            labels[i * height * width + j] = tile[(j / width / 4 * 7 + j % width / 5) % 32];
    }
    return labels;
}

/* What a dataset has besides its images. */
struct toy_maps {
    const uint16_t *labels; /* [n, height, width], or NULL */
    size_t count;           /* of labels */
    const char *rule;       /* or NULL */
};

/* Images [n, height, width, channels]: of every four, two for training, one for validation, one for
 * tests. */
HELPER const char *toy_dataset_of(const char *name, const uint8_t *images, size_t n, size_t height,
                                  size_t width, size_t channels, const struct toy_maps *maps) {
    const char *path = in_folder(name);
    const size_t dims[4] = {n, height, width, channels};
    uint8_t *split = make(n, 1);
    struct tsr_h5 *file;
    for (size_t i = 0; i < n; i++)
        split[i] = (uint8_t)(i % 4 < 2 ? 0 : i % 4 - 1);
    MUST(tsr_h5_create(path, &file, err));
    MUST(tsr_h5_write(file, "/images", TSR_H5_U8, 4, dims, images, 0, err));
    MUST(tsr_h5_write(file, "/split", TSR_H5_U8, 1, dims, split, 0, err));
    if (maps && maps->labels) {
        MUST(tsr_h5_write(file, "/labels", TSR_H5_U16, 3, dims, maps->labels, 0, err));
        MUST(tsr_h5_write_attr_i64(file, "/labels", "count", (int64_t)maps->count, err));
        if (maps->rule) MUST(tsr_h5_write_attr_str(file, "/labels", "rule", maps->rule, err));
    }
    MUST(tsr_h5_commit(file, err));
    tsr_h5_close(file);
    free(split);
    return path;
}

HELPER const char *toy_dataset(const char *name, size_t n, size_t height, size_t width,
                               size_t channels) {
    uint8_t *images = toy_images(n, height, width, channels);
    const char *path = toy_dataset_of(name, images, n, height, width, channels, NULL);
    free(images);
    return path;
}

/* 2 -> 8, 8 -> channels, grid 2x3, K = 2. */
HELPER struct tsr_model_config toy_config(size_t height, size_t width, size_t channels) {
    struct tsr_model_config config;
    tsr_model_config_default(&config);
    config.network.width = 8;
    config.network.hidden_layers = 1;
    config.network.kind = siren(8, 30);
    config.network.out_dim = channels;
    config.partition = (struct tsr_partition_rule){.rule = TSR_RULE(grid, 2, 3)};
    config.inner_steps = 2;
    config.inner_lr = 0.01;
    config.height = height, config.width = width;
    return config;
}

HELPER struct tsr_model *toy_model(const struct tsr_model_config *config, uint64_t seed) {
    struct tsr_model *model;
    MUST(tsr_model_create(config, seed, &model, err));
    /* rates that differ from place to place, so that a mix-up shows */
    for (size_t i = 0; i < tsr_rates_count(&model->rates); i++)
        model->rates.value[i] = (tsr_real)draw(0.005, 0.015);
    return model;
}

/* A whole dataset of a file as double; *n values. NULL if there is none. */
HELPER double *read_array(const char *path, const char *object, size_t *n) {
    struct tsr_h5 *file;
    size_t rank, dims[TSR_H5_MAX_RANK];
    double *values = NULL;
    MUST(tsr_h5_open(path, &file, err));
    if (tsr_h5_exists(file, object)) {
        MUST(tsr_h5_shape(file, object, &rank, dims, NULL, err));
        *n = 1;
        for (size_t i = 0; i < rank; i++)
            *n *= dims[i];
        values = make(*n, sizeof *values);
        MUST(tsr_h5_read(file, object, TSR_H5_F64, rank, dims, values, err));
    }
    tsr_h5_close(file);
    return values;
}

HELPER double read_number(const char *path, const char *object, const char *attribute) {
    struct tsr_h5 *file;
    double value;
    MUST(tsr_h5_open(path, &file, err));
    MUST(tsr_h5_read_attr_f64(file, object, attribute, &value, err));
    tsr_h5_close(file);
    return value;
}

#endif
