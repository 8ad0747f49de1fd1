/* SPDX-License-Identifier: MIT */
#include "cli/model_sheet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/spread.h"
#include "cli/sheet.h"
#include "image/inr.h"

enum {
    SIDE = 178,       /* of a picture */
    COLUMNS = 8,      /* of the sheet */
    MOST_SLOTS = 24,  /* drawn */
    MOST_BASIS = 16,  /* directions drawn */
    MOST_RATES = 64,  /* pictures of rates */
    MOST_IMAGES = 64, /* of a dataset */
};

/* Pictures come one after the other. */
struct places {
    struct cli_sheet sheet;
    size_t next, most;
};

static enum tsr_status put(struct places *p, const struct tsr_image *picture, const char *caption,
                           struct tsr_error *err) {
    size_t at = p->next++;
    return cli_sheet_put(&p->sheet, at / p->sheet.cols, at % p->sheet.cols, picture, caption, err);
}

static enum tsr_status begin(struct places *p, size_t n, size_t height, size_t width,
                             struct tsr_error *err) {
    size_t cols = n < COLUMNS ? n : COLUMNS;
    *p = (struct places){.most = n};
    return cli_sheet_create(&p->sheet, (n + cols - 1) / cols, cols, height, width, err);
}

/* ---- initialisations ------------------------------------------------------------------------- */

/* An INR of the model's networks; every region starts from its slot. */
static enum tsr_status initial_inr(const struct tsr_model *m, size_t height, size_t width,
                                   struct tsr_inr **out, struct tsr_error *err) {
    size_t n = m->net.n_params;
    TSR_TRY(tsr_inr_create(&m->config, height, width, out, err));
    for (size_t r = 0; r < (*out)->partition->n_regions; r++)
        memcpy((*out)->phi + r * n, m->theta + tsr_slot_of_region(m->config.slots, r) * n,
               n * sizeof *m->theta);
    return TSR_OK;
}

static enum tsr_status put_initial(struct places *p, const struct tsr_model *m, size_t threads,
                                   struct tsr_error *err) {
    size_t height = m->config.height ? m->config.height : SIDE,
           width = m->config.width ? m->config.width : SIDE;
    struct tsr_inr *inr = NULL;
    struct tsr_image picture = {0};
    enum tsr_status status;
    TSR_CHECK(initial_inr(m, height, width, &inr, err));
    TSR_CHECK(tsr_inr_render(inr, height, width, threads, "auto", NULL, &picture, err));
    TSR_CHECK(put(p, &picture, "initialisation", err));
done:
    tsr_inr_free(inr);
    tsr_image_clear(&picture);
    return status;
}

/* One network that draws a whole square. */
static enum tsr_status square_inr(const struct tsr_model *m, struct tsr_inr **out,
                                  struct tsr_error *err) {
    struct tsr_model_config config = m->config;
    config.partition = (struct tsr_partition_rule){.rule = tsr_choice_of(&tsr_rule_whole.object)};
    config.slots = TSR_SLOTS_SHARED;
    config.adaptation = tsr_choice_of(&tsr_adaptation_all.object);
    config.height = config.width = SIDE;
    return tsr_inr_create(&config, SIDE, SIDE, out, err);
}

static enum tsr_status put_slots(struct places *p, const struct tsr_model *m, size_t n,
                                 struct tsr_inr *square, size_t threads, struct tsr_error *err) {
    for (size_t s = 0; s < n; s++) {
        struct tsr_image picture;
        char caption[32];
        (void)snprintf(caption, sizeof caption, "slot %zu", s);
        memcpy(square->phi, m->theta + s * m->net.n_params, m->net.n_params * sizeof *m->theta);
        TSR_TRY(tsr_inr_render(square, SIDE, SIDE, threads, "auto", NULL, &picture, err));
        enum tsr_status status = put(p, &picture, caption, err);
        tsr_image_clear(&picture);
        TSR_TRY(status);
    }
    return TSR_OK;
}

/* ---- bases ----------------------------------------------------------------------------------- */

static enum tsr_status draw(const struct tsr_inr *square, size_t threads, float *values,
                            struct tsr_error *err) {
    const struct tsr_drawing to = {.height = SIDE, .width = SIDE, .floats = values};
    return tsr_inr_draw(square, &to, threads, "auto", err);
}

/* The difference of two pictures around grey, stretched to the full range. */
static void difference(const float *a, const float *b, size_t n, uint8_t *out) {
    float most = 0;
    for (size_t i = 0; i < n; i++)
        most = fmaxf(most, fabsf(b[i] - a[i]));
    for (size_t i = 0; i < n; i++)
        out[i] = (uint8_t)(127.5F + 127.0F * (most > 0 ? (b[i] - a[i]) / most : 0));
}

/* Steps along a direction are small beside theta, so that the picture changes linearly. */
static enum tsr_status put_basis(struct places *p, const struct tsr_model *m, size_t n,
                                 struct tsr_inr *square, size_t threads, struct tsr_error *err) {
    size_t values = (size_t)SIDE * SIDE * m->net.out_dim;
    struct tsr_image picture = {0};
    float *first = NULL, *moved;
    enum tsr_status status = TSR_OK;
    if (n == 0) return TSR_OK;
    TSR_CHECK(tsr_image_create(&picture, SIDE, SIDE, m->net.out_dim, err));
    TSR_CHECK(TSR_ALLOC(&first, 2 * values, "pictures of the basis", err));
    moved = first + values;
    memcpy(square->phi, m->theta, m->net.n_params * sizeof *m->theta);
    TSR_CHECK(draw(square, threads, first, err));
    for (size_t d = 0; d < n; d++) {
        const tsr_real *direction = m->basis + d * m->net.n_params;
        char caption[32];
        double size = 0;
        for (size_t i = 0; i < m->net.n_params; i++)
            size += (double)direction[i] * (double)direction[i];
        for (size_t i = 0; i < m->net.n_params; i++)
            square->phi[i] =
                m->theta[i] + (size > 0 ? (tsr_real)(0.01 / sqrt(size)) * direction[i] : 0);
        TSR_CHECK(draw(square, threads, moved, err));
        difference(first, moved, values, picture.pixels);
        (void)snprintf(caption, sizeof caption, "basis %zu", d);
        TSR_CHECK(put(p, &picture, caption, err));
    }
done:
    free(first);
    tsr_image_clear(&picture);
    return status;
}

/* ---- rates ----------------------------------------------------------------------------------- */

/* Rows and columns of the picture of a layer's rates, and its first number. */
static void layer_shape(const struct tsr_model *m, size_t l, size_t *rows, size_t *cols,
                        size_t *from) {
    bool whole = tsr_space_is_whole(&m->space);
    *from = whole ? m->net.weight_at[l] : l ? m->rates.end[l - 1] : 0;
    *rows = whole ? m->net.fan_out[l] : 1;
    *cols = whole ? m->net.fan_in[l] + 1 : m->rates.end[l] - *from;
}

static enum tsr_status put_layer(struct places *p, const struct tsr_model *m, size_t k, size_t l,
                                 struct tsr_error *err) {
    size_t rows, cols, from;
    struct tsr_image picture, black;
    double low = (double)INFINITY, high = -(double)INFINITY;
    char caption[48];
    layer_shape(m, l, &rows, &cols, &from);
    for (size_t i = 0; i < rows * cols; i++) {
        low = fmin(low, tsr_rates_own(&m->rates, k, 0, from + i));
        high = fmax(high, tsr_rates_own(&m->rates, k, 0, from + i));
    }
    (void)snprintf(caption, sizeof caption, "step %zu layer %zu %.2g..%.2g", k + 1, l, low, high);
    TSR_TRY(tsr_image_create(&picture, SIDE, SIDE, 1, err));
    for (size_t i = 0; i < (size_t)SIDE * SIDE; i++) {
        size_t row = i / SIDE * rows / SIDE, col = i % SIDE * cols / SIDE;
        /* weights row by row, then the biases */
        size_t at = cols > 1 && col + 1 == cols && tsr_space_is_whole(&m->space)
                        ? rows * (cols - 1) + row
                        : row * (cols - (tsr_space_is_whole(&m->space) ? 1 : 0)) + col;
        double rate = tsr_rates_own(&m->rates, k, 0, from + at);
        picture.pixels[i] = (uint8_t)(high > low ? 255 * (rate - low) / (high - low) : 128);
    }
    enum tsr_status status = tsr_image_create(&black, SIDE, SIDE, 1, err);
    struct tsr_image heat = {0};
    if (status == TSR_OK) {
        memset(black.pixels, 0, (size_t)SIDE * SIDE);
        status = cli_sheet_error_map(&picture, &black, 1, &heat, err);
        tsr_image_clear(&black);
    }
    if (status == TSR_OK) status = put(p, &heat, caption, err);
    tsr_image_clear(&heat);
    tsr_image_clear(&picture);
    return status;
}

static size_t layers_of_rates(const struct tsr_model *m) {
    return tsr_space_is_whole(&m->space) ? m->net.n_layers : m->rates.n_groups;
}

/* ---- sheets ---------------------------------------------------------------------------------- */

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

static enum tsr_status fill(struct places *p, const struct tsr_model *m, size_t basis, size_t rates,
                            size_t threads, struct tsr_error *err) {
    size_t layers = layers_of_rates(m);
    struct tsr_inr *square;
    if (!tsr_rule_follows_image(&m->config.partition)) TSR_TRY(put_initial(p, m, threads, err));
    TSR_TRY(square_inr(m, &square, err));
    enum tsr_status status = put_slots(p, m, least(m->n_slots, MOST_SLOTS), square, threads, err);
    if (status == TSR_OK) status = put_basis(p, m, basis, square, threads, err);
    tsr_inr_free(square);
    for (size_t i = 0; i < rates && status == TSR_OK; i++)
        status = put_layer(p, m, i / layers, i % layers, err);
    return status;
}

enum tsr_status cli_model_sheet(const struct tsr_model *model, size_t threads,
                                struct tsr_image *out, struct tsr_error *err) {
    struct places p = {0};
    size_t basis = least(model->space.n_directions, MOST_BASIS);
    size_t rates = model->rates.n_units > 1
                       ? least(model->rates.n_steps * layers_of_rates(model), MOST_RATES)
                       : 0; /* one number is no picture */
    size_t n = least(model->n_slots, MOST_SLOTS) + basis + rates +
               !tsr_rule_follows_image(&model->config.partition);
    if (model->net.in_dim != 2 || (model->net.out_dim != 1 && model->net.out_dim != 3))
        return TSR_ERROR(err, TSR_ERR_SHAPE,
                         "networks of %zu inputs and %zu outputs draw no picture",
                         model->net.in_dim, model->net.out_dim);
    TSR_TRY(begin(&p, n, SIDE, SIDE, err));
    enum tsr_status status = fill(&p, model, basis, rates, threads, err);
    if (status == TSR_OK) {
        *out = p.sheet.canvas;
        p.sheet.canvas = (struct tsr_image){0};
    }
    cli_sheet_clear(&p.sheet);
    return status;
}

enum tsr_status cli_dataset_sheet(struct tsr_dataset *dataset, struct tsr_image *out,
                                  struct tsr_error *err) {
    size_t images = tsr_dataset_images(dataset), n = least(images, MOST_IMAGES);
    size_t height = tsr_dataset_height(dataset), width = tsr_dataset_width(dataset);
    size_t drawn_height = height, drawn_width = width;
    struct tsr_image picture = {0};
    struct places p = {0};
    enum tsr_status status;
    if (n == 0)
        return TSR_ERROR(err, TSR_ERR_NOT_FOUND, "%s: has no images", tsr_dataset_path(dataset));
    TSR_CHECK(tsr_image_create(&picture, height, width, tsr_dataset_channels(dataset), err));
    cli_sheet_fit(SIDE, &drawn_height, &drawn_width);
    TSR_CHECK(begin(&p, n, drawn_height, drawn_width, err));
    for (size_t i = 0; i < n; i++) {
        size_t index = tsr_spread(i, images, n);
        char caption[32];
        (void)snprintf(caption, sizeof caption, "%zu", index);
        TSR_CHECK(tsr_dataset_read_bytes(dataset, index, picture.pixels, err));
        TSR_CHECK(put(&p, &picture, caption, err));
    }
    *out = p.sheet.canvas;
    p.sheet.canvas = (struct tsr_image){0};
done:
    tsr_image_clear(&picture);
    cli_sheet_clear(&p.sheet);
    return status;
}
