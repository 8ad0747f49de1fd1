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

/* The figures in `sum` are sums until they are divided at the end. */
struct tsr_evaluator {
    const struct tsr_model *model;
    struct tsr_reconstruct_config config;
    bool follows; /* the regions are found in each image */
    size_t states;
    double *squares; /* [states] of PSNR */
    size_t *seams;   /* [states] images that have a seam metric */
    struct tsr_reconstruction one;
    const struct tsr_observer *observer; /* or NULL */
    struct tsr_evaluation sum;
    struct tsr_arena arena;
    /* Of the size of the image at hand: */
    struct tsr_reconstructor *reconstructor;
    const struct tsr_partition *partition;
    uint32_t *labels;
    bool mixed; /* images had different numbers of regions */
    struct tsr_arena of_size;
};

static void layout(struct tsr_evaluator *w, struct tsr_arena *a) {
    w->squares = tsr_arena_take(a, w->states, sizeof *w->squares);
    w->seams = tsr_arena_take(a, w->states, sizeof *w->seams);
    w->one.psnr_db = tsr_arena_take(a, w->states, sizeof(double));
    w->one.ssim = tsr_arena_take(a, w->states, sizeof(double));
    w->one.seam = tsr_arena_take(a, w->states, sizeof(double));
}

static void layout_size(struct tsr_evaluator *w, struct tsr_arena *a) {
    size_t n_pixels = w->partition->height * w->partition->width;
    w->labels = w->follows ? tsr_arena_take(a, n_pixels, sizeof *w->labels) : NULL;
    w->one.region_error = tsr_arena_take(a, w->states * w->partition->n_regions, sizeof(double));
    if (w->observer && w->observer->pictures)
        w->one.pictures = tsr_arena_take(a, n_pixels * w->model->net.out_dim, w->states);
    if (w->observer && w->observer->phi)
        w->one.phi =
            tsr_arena_take(a, w->partition->n_regions * w->model->net.n_params, sizeof *w->one.phi);
}

static enum tsr_status allocate_states(struct tsr_evaluation *e, size_t states,
                                       struct tsr_error *err) {
    double **of_states[] = {&e->psnr_db, &e->psnr_db_std, &e->ssim, &e->seam};
    for (size_t i = 0; i < sizeof of_states / sizeof *of_states; i++)
        TSR_TRY(TSR_ALLOC(of_states[i], states, "evaluation", err));
    return TSR_OK;
}

static enum tsr_status allocate_regions(struct tsr_evaluation *e, size_t states, size_t n_regions,
                                        struct tsr_error *err) {
    TSR_TRY(TSR_ALLOC(&e->region_slot, n_regions, "evaluation", err));
    TSR_TRY(TSR_ALLOC(&e->region_images, n_regions, "evaluation", err));
    TSR_TRY(TSR_ALLOC(&e->region_pixels, n_regions, "evaluation", err));
    TSR_TRY(TSR_ALLOC(&e->region_psnr_db, n_regions * states, "evaluation", err));
    e->n_regions = n_regions;
    return TSR_OK;
}

static void add_regions(struct tsr_evaluator *w) {
    struct tsr_evaluation *e = &w->sum;
    size_t channels = w->model->net.out_dim;
    for (size_t r = 0; r < w->partition->n_regions; r++) {
        const struct tsr_region *g = &w->partition->regions[r];
        if (g->n_pixels == 0) continue;
        e->params_per_image += (double)tsr_model_region_numbers(w->model);
        if (w->mixed) continue;
        e->region_images[r]++;
        e->region_pixels[r] += (double)g->n_pixels;
        for (size_t k = 0; k < w->states; k++)
            e->region_psnr_db[r * w->states + k] +=
                tsr_psnr_db(w->one.region_error[k * e->n_regions + r], g->n_pixels * channels);
    }
}

static void add_image(struct tsr_evaluator *w) {
    struct tsr_evaluation *e = &w->sum;
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
    e->values_per_image +=
        (double)(w->partition->height * w->partition->width * w->model->net.out_dim);
    e->not_finite += !isfinite(w->one.psnr_db[w->states - 1]);
    e->images++;
}

/* Sums to means. */
static void finish(struct tsr_evaluator *w) {
    struct tsr_evaluation *e = &w->sum;
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
    e->values_per_image /= n;
}

/* ---- image by image -------------------------------------------------------------------------- */

enum tsr_status tsr_evaluator_create(const struct tsr_model *model,
                                     const struct tsr_reconstruct_config *config,
                                     const struct tsr_observer *observer,
                                     struct tsr_evaluator **out, struct tsr_error *err) {
    struct tsr_evaluator *w;
    *out = NULL;
    TSR_TRY(TSR_ALLOC(&w, 1, "evaluation", err));
    *w = (struct tsr_evaluator){.model = model,
                                .config = *config,
                                .follows = tsr_rule_follows_image(&model->config.partition),
                                .states = config->inner_steps + 1,
                                .observer = observer,
                                .sum.inner_steps = config->inner_steps};
    layout(w, &w->arena);
    enum tsr_status status = tsr_arena_create(&w->arena, w->arena.used, "evaluation", err);
    if (status == TSR_OK) status = allocate_states(&w->sum, w->states, err);
    if (status != TSR_OK) {
        tsr_evaluator_free(w);
        return status;
    }
    layout(w, &w->arena);
    *out = w;
    return TSR_OK;
}

void tsr_evaluator_free(struct tsr_evaluator *w) {
    if (!w) return;
    tsr_arena_free(&w->arena);
    tsr_arena_free(&w->of_size);
    tsr_reconstructor_free(w->reconstructor);
    tsr_evaluation_clear(&w->sum);
    free(w);
}

/* What belongs to the size of an image, kept while it stays. */
static enum tsr_status fit_size(struct tsr_evaluator *w, size_t height, size_t width,
                                struct tsr_error *err) {
    if (w->partition && w->partition->height == height && w->partition->width == width)
        return TSR_OK;
    TSR_TRY(tsr_model_check_image(w->model, height, width, w->model->net.out_dim, err));
    w->partition = NULL;
    tsr_arena_free(&w->of_size);
    tsr_reconstructor_free(w->reconstructor);
    w->reconstructor = NULL;
    TSR_TRY(tsr_reconstructor_create(w->model, &w->config, height, width, &w->reconstructor, err));
    const struct tsr_partition *partition = tsr_reconstructor_partition(w->reconstructor);
    w->partition = partition;
    w->of_size = (struct tsr_arena){0};
    layout_size(w, &w->of_size);
    w->partition = NULL; /* until all of it is there */
    TSR_TRY(tsr_arena_create(&w->of_size, w->of_size.used, "evaluation", err));
    w->partition = partition;
    layout_size(w, &w->of_size);
    if (w->sum.images == 0 && !w->sum.region_slot)
        return allocate_regions(&w->sum, w->states, partition->n_regions, err);
    w->mixed = w->mixed || w->sum.n_regions != partition->n_regions;
    return TSR_OK;
}

static enum tsr_status find_regions(struct tsr_evaluator *w, struct tsr_pixels pixels,
                                    const uint16_t *map, struct tsr_error *err) {
    double start = tsr_seconds();
    TSR_TRY(tsr_regions_of_image(w->model, pixels, w->partition->height, w->partition->width, map,
                                 w->labels, err));
    TSR_TRY(tsr_reconstructor_follow(w->reconstructor, w->labels, err));
    w->sum.map_seconds_per_image += tsr_seconds() - start;
    return TSR_OK;
}

static enum tsr_status observe(const struct tsr_evaluator *w, struct tsr_pixels pixels,
                               size_t index, struct tsr_error *err) {
    if (!w->observer) return TSR_OK;
    const struct tsr_evaluated image = {.model = w->model,
                                        .index = index,
                                        .pixels = pixels,
                                        .partition = w->partition,
                                        .result = &w->one};
    return w->observer->image(w->observer->user, &image, err);
}

enum tsr_status tsr_evaluator_add(struct tsr_evaluator *w, struct tsr_pixels pixels, size_t height,
                                  size_t width, const uint16_t *map, size_t index,
                                  struct tsr_error *err) {
    TSR_TRY(fit_size(w, height, width, err));
    if (w->follows) TSR_TRY(find_regions(w, pixels, map, err));
    TSR_TRY(tsr_reconstruct(w->reconstructor, pixels, &w->one, err));
    add_image(w);
    return observe(w, pixels, index, err);
}

double tsr_evaluator_psnr_db(const struct tsr_evaluator *w) {
    return w->sum.psnr_db[w->states - 1] / (double)w->sum.images;
}

void tsr_evaluator_finish(struct tsr_evaluator *w, struct tsr_evaluation *out) {
    if (w->mixed) w->sum.n_regions = 0;
    finish(w);
    w->sum.of = w->sum.images;
    *out = w->sum;
    w->sum = (struct tsr_evaluation){0};
}

/* ---- a split --------------------------------------------------------------------------------- */

/* Room for what a dataset has of an image. */
struct stored {
    void *values;
    uint16_t *map; /* NULL: it has no label maps that are to be used */
};

static enum tsr_status allocate_stored(const struct tsr_model *model,
                                       const struct tsr_dataset *dataset, struct stored *out,
                                       struct tsr_error *err) {
    size_t n = tsr_dataset_height(dataset) * tsr_dataset_width(dataset);
    bool maps = false;
    *out = (struct stored){0};
    enum tsr_status status =
        tsr_model_check_image(model, tsr_dataset_height(dataset), tsr_dataset_width(dataset),
                              tsr_dataset_channels(dataset), err);
    if (status != TSR_OK) {
        tsr_error_prefix(err, "%s", tsr_dataset_path(dataset));
        return status;
    }
    TSR_TRY(tsr_regions_stored(&model->config.partition, dataset, &maps, err));
    TSR_TRY(tsr_alloc(&out->values, n,
                      tsr_dataset_channels(dataset) * tsr_dataset_value_size(dataset), "evaluation",
                      err));
    return maps ? TSR_ALLOC(&out->map, n, "evaluation", err) : TSR_OK;
}

static enum tsr_status add_stored(struct tsr_evaluator *w, struct tsr_dataset *dataset,
                                  uint32_t index, struct stored *room, struct tsr_error *err) {
    TSR_TRY(tsr_dataset_read(dataset, index, room->values, err));
    if (room->map) TSR_TRY(tsr_dataset_read_labels(dataset, index, room->map, err));
    enum tsr_status status =
        tsr_evaluator_add(w, tsr_dataset_pixels(dataset, room->values), tsr_dataset_height(dataset),
                          tsr_dataset_width(dataset), room->map, index, err);
    if (status != TSR_OK && status != TSR_ERR_INTERRUPTED)
        tsr_error_prefix(err, "%s, image %u", tsr_dataset_path(dataset), index);
    return status;
}

/* n images of the `of` in the split. */
static enum tsr_status run(struct tsr_evaluator *w, struct tsr_dataset *dataset,
                           const uint32_t *split, size_t of, size_t n, struct stored *room,
                           const struct tsr_evaluate_callbacks *callbacks, struct tsr_error *err) {
    for (size_t i = 0; i < n; i++) {
        TSR_TRY(add_stored(w, dataset, split[tsr_spread(i, of, n)], room, err));
        if (callbacks && callbacks->progress &&
            callbacks->progress(callbacks->user, i + 1, n, tsr_evaluator_psnr_db(w)))
            return TSR_ERROR(err, TSR_ERR_INTERRUPTED, "interrupted after %zu of %zu images", i + 1,
                             n);
    }
    return TSR_OK;
}

enum tsr_status tsr_evaluate(const struct tsr_model *model, struct tsr_dataset *dataset,
                             enum tsr_split split, size_t limit,
                             const struct tsr_reconstruct_config *config,
                             const struct tsr_evaluate_callbacks *callbacks,
                             struct tsr_evaluation *out, struct tsr_error *err) {
    size_t of;
    const uint32_t *index = tsr_dataset_split(dataset, split, &of);
    struct tsr_evaluator *w = NULL;
    struct stored room = {0};
    enum tsr_status status;
    *out = (struct tsr_evaluation){.inner_steps = config->inner_steps};
    if (of == 0)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "%s: split %s has no images",
                         tsr_dataset_path(dataset), tsr_split_name(split));
    TSR_CHECK(allocate_stored(model, dataset, &room, err));
    TSR_CHECK(tsr_evaluator_create(model, config, callbacks ? callbacks->observer : NULL, &w, err));
    TSR_CHECK(run(w, dataset, index, of, tsr_spread_count(of, limit), &room, callbacks, err));
    tsr_evaluator_finish(w, out);
    out->of = of;
done:
    tsr_evaluator_free(w);
    free(room.values);
    free(room.map);
    return status;
}
