/* SPDX-License-Identifier: MIT */
#include "image/evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/spread.h"
#include "image/regions.h"

void tsr_evaluation_clear(struct tsr_evaluation *evaluation) {
    free(evaluation->psnr_db);
    free(evaluation->psnr_db_std);
    free(evaluation->ssim);
    free(evaluation->seam);
    free(evaluation->region_slot);
    free(evaluation->region_images);
    free(evaluation->region_pixels);
    free(evaluation->region_psnr_db);
    *evaluation = (struct tsr_evaluation){0};
}

/* One call. The figures in `out` are sums until they are divided at the end. */
struct work {
    const struct tsr_model *model;
    struct tsr_dataset *dataset;
    struct tsr_reconstructor *reconstructor;
    const struct tsr_partition *partition; /* of the image at hand */
    bool follows, stored;
    size_t states;
    double *squares; /* [states] of PSNR */
    size_t *seams;   /* [states] images that have a seam metric */
    void *values;    /* of the image at hand */
    struct tsr_pixels pixels;
    uint16_t *map;
    uint32_t *labels;
    struct tsr_reconstruction one;
    const struct tsr_observer *observer; /* or NULL */
    struct tsr_evaluation *out;
    struct tsr_arena arena;
};

static void layout(struct work *w, struct tsr_arena *a) {
    size_t n_pixels = w->partition->height * w->partition->width;
    w->values =
        tsr_arena_take(a, n_pixels, w->model->net.out_dim * tsr_dataset_value_size(w->dataset));
    w->pixels = tsr_dataset_pixels(w->dataset, w->values);
    w->map = w->stored ? tsr_arena_take(a, n_pixels, sizeof *w->map) : NULL;
    w->labels = w->follows ? tsr_arena_take(a, n_pixels, sizeof *w->labels) : NULL;
    w->squares = tsr_arena_take(a, w->states, sizeof *w->squares);
    w->seams = tsr_arena_take(a, w->states, sizeof *w->seams);
    w->one.psnr_db = tsr_arena_take(a, w->states, sizeof(double));
    w->one.ssim = tsr_arena_take(a, w->states, sizeof(double));
    w->one.seam = tsr_arena_take(a, w->states, sizeof(double));
    w->one.region_error = tsr_arena_take(a, w->states * w->partition->n_regions, sizeof(double));
    if (w->observer && w->observer->pictures)
        w->one.pictures = tsr_arena_take(a, n_pixels * w->model->net.out_dim, w->states);
    if (w->observer && w->observer->phi)
        w->one.phi =
            tsr_arena_take(a, w->partition->n_regions * w->model->net.n_params, sizeof *w->one.phi);
}

static enum tsr_status allocate_result(struct tsr_evaluation *e, size_t states, size_t n_regions,
                                       struct tsr_error *err) {
    double **of_states[] = {&e->psnr_db, &e->psnr_db_std, &e->ssim, &e->seam};
    size_t **of_regions[] = {&e->region_slot, &e->region_images};
    for (size_t i = 0; i < sizeof of_states / sizeof *of_states; i++) {
        TSR_TRY(TSR_ALLOC(of_states[i], states, "evaluation", err));
    }
    for (size_t i = 0; i < sizeof of_regions / sizeof *of_regions; i++) {
        TSR_TRY(TSR_ALLOC(of_regions[i], n_regions, "evaluation", err));
    }
    TSR_TRY(TSR_ALLOC(&e->region_pixels, n_regions, "evaluation", err));
    TSR_TRY(TSR_ALLOC(&e->region_psnr_db, n_regions * states, "evaluation", err));
    e->n_regions = n_regions;
    return TSR_OK;
}

static void add_regions(struct work *w) {
    struct tsr_evaluation *e = w->out;
    size_t channels = w->model->net.out_dim;
    for (size_t r = 0; r < e->n_regions; r++) {
        const struct tsr_region *g = &w->partition->regions[r];
        if (g->n_pixels == 0) continue;
        e->region_images[r]++;
        e->region_pixels[r] += (double)g->n_pixels;
        e->params_per_image += (double)tsr_model_region_numbers(w->model);
        for (size_t k = 0; k < w->states; k++)
            e->region_psnr_db[r * w->states + k] +=
                tsr_psnr_db(w->one.region_error[k * e->n_regions + r], g->n_pixels * channels);
    }
}

static void add_image(struct work *w) {
    struct tsr_evaluation *e = w->out;
    for (size_t k = 0; k < w->states; k++) {
        e->psnr_db[k] += w->one.psnr_db[k];
        w->squares[k] += w->one.psnr_db[k] * w->one.psnr_db[k];
        e->ssim[k] += w->one.ssim[k];
        if (!isfinite(w->one.seam[k])) continue;
        e->seam[k] += w->one.seam[k];
        w->seams[k]++;
    }
    add_regions(w);
    e->seconds_per_image += w->one.seconds;
    e->flops_per_image += w->one.flops;
    e->not_finite += !isfinite(w->one.psnr_db[w->states - 1]);
    e->images++;
}

/* Sums to means. */
static void finish(struct work *w) {
    struct tsr_evaluation *e = w->out;
    double n = (double)e->images;
    for (size_t k = 0; k < w->states; k++) {
        double mean = e->psnr_db[k] / n, variance = (w->squares[k] - n * mean * mean) / (n - 1);
        e->psnr_db[k] = mean;
        e->psnr_db_std[k] = e->images < 2 ? (double)NAN : sqrt(variance > 0 ? variance : 0);
        e->ssim[k] /= n;
        e->seam[k] = w->seams[k] ? e->seam[k] / (double)w->seams[k] : (double)NAN;
    }
    for (size_t r = 0; r < e->n_regions; r++) {
        double images = (double)e->region_images[r];
        e->region_slot[r] = tsr_slot_of_region(w->model->config.slots, r);
        e->region_pixels[r] = images > 0 ? e->region_pixels[r] / images : 0;
        for (size_t k = 0; k < w->states; k++)
            e->region_psnr_db[r * w->states + k] /= images; /* 0/0: NaN */
    }
    e->seconds_per_image /= n;
    e->map_seconds_per_image /= n;
    e->params_per_image /= n;
    e->flops_per_image /= n;
}

static enum tsr_status find_regions(struct work *w, size_t index, struct tsr_error *err) {
    double start = tsr_seconds();
    if (w->stored) TSR_TRY(tsr_dataset_read_labels(w->dataset, index, w->map, err));
    TSR_TRY(tsr_regions_of_image(w->model, w->pixels, w->partition->height, w->partition->width,
                                 w->map, w->labels, err));
    TSR_TRY(tsr_reconstructor_follow(w->reconstructor, w->labels, err));
    w->out->map_seconds_per_image += tsr_seconds() - start;
    return TSR_OK;
}

static enum tsr_status observe(const struct work *w, size_t index, struct tsr_error *err) {
    if (!w->observer) return TSR_OK;
    const struct tsr_evaluated image = {.model = w->model,
                                        .index = index,
                                        .pixels = w->pixels,
                                        .partition = w->partition,
                                        .result = &w->one};
    return w->observer->image(w->observer->user, &image, err);
}

/* n images of those in the split. */
static enum tsr_status run(struct work *w, const uint32_t *split, size_t n,
                           const struct tsr_evaluate_callbacks *callbacks, struct tsr_error *err) {
    for (size_t i = 0; i < n; i++) {
        uint32_t index = split[tsr_spread(i, w->out->of, n)];
        TSR_TRY(tsr_dataset_read(w->dataset, index, w->values, err));
        enum tsr_status status = w->follows ? find_regions(w, index, err) : TSR_OK;
        if (status != TSR_OK) {
            tsr_error_prefix(err, "%s, image %u", tsr_dataset_path(w->dataset), index);
            return status;
        }
        TSR_TRY(tsr_reconstruct(w->reconstructor, w->pixels, &w->one, err));
        add_image(w);
        TSR_TRY(observe(w, index, err));
        double mean = w->out->psnr_db[w->states - 1] / (double)w->out->images;
        if (callbacks && callbacks->progress &&
            callbacks->progress(callbacks->user, i + 1, n, mean))
            return TSR_ERROR(err, TSR_ERR_INTERRUPTED, "interrupted after %zu of %zu images", i + 1,
                             n);
    }
    return TSR_OK;
}

static enum tsr_status prepare(struct work *w, const struct tsr_reconstruct_config *config,
                               struct tsr_error *err) {
    size_t height = tsr_dataset_height(w->dataset), width = tsr_dataset_width(w->dataset);
    enum tsr_status status =
        tsr_model_check_image(w->model, height, width, tsr_dataset_channels(w->dataset), err);
    if (status != TSR_OK) {
        tsr_error_prefix(err, "%s", tsr_dataset_path(w->dataset));
        return status;
    }
    TSR_TRY(tsr_regions_stored(&w->model->config.partition, w->dataset, &w->stored, err));
    TSR_TRY(tsr_reconstructor_create(w->model, config, height, width, &w->reconstructor, err));
    w->partition = tsr_reconstructor_partition(w->reconstructor);
    layout(w, &w->arena);
    TSR_TRY(tsr_arena_create(&w->arena, w->arena.used, "evaluation", err));
    layout(w, &w->arena);
    return allocate_result(w->out, w->states, w->partition->n_regions, err);
}

enum tsr_status tsr_evaluate(const struct tsr_model *model, struct tsr_dataset *dataset,
                             enum tsr_split split, size_t limit,
                             const struct tsr_reconstruct_config *config,
                             const struct tsr_evaluate_callbacks *callbacks,
                             struct tsr_evaluation *out, struct tsr_error *err) {
    size_t n;
    const uint32_t *index = tsr_dataset_split(dataset, split, &n);
    struct work w = {.model = model,
                     .dataset = dataset,
                     .follows = tsr_rule_follows_image(&model->config.partition),
                     .states = config->inner_steps + 1,
                     .observer = callbacks ? callbacks->observer : NULL,
                     .out = out};
    enum tsr_status status;
    *out = (struct tsr_evaluation){.inner_steps = config->inner_steps};
    if (n == 0)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "%s: split %s has no images",
                         tsr_dataset_path(dataset), tsr_split_name(split));
    out->of = n;
    TSR_CHECK(prepare(&w, config, err));
    TSR_CHECK(run(&w, index, tsr_spread_count(n, limit), callbacks, err));
    finish(&w);
done:
    tsr_arena_free(&w.arena);
    tsr_reconstructor_free(w.reconstructor);
    if (status != TSR_OK) tsr_evaluation_clear(out);
    return status;
}
