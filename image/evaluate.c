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
    free(evaluation->unseen_psnr_db);
    free(evaluation->ssim);
    free(evaluation->seam);
    free(evaluation->region_slot);
    free(evaluation->region_images);
    free(evaluation->region_pixels);
    free(evaluation->region_psnr_db);
    *evaluation = (struct tsr_evaluation){0};
}

/* Single figures of an image, at the end of its record. */
enum { SECONDS, MAP_SECONDS, FLOPS, FIGURES };
/* Of several processes: images of each between two meetings, at most, and bytes of their records.
 */
enum { ROUND_IMAGES = 8, ROUND_BYTES = 64 << 20 };

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
    double
        *record; /* what is added of the image, whoever has found it: PSNR, that of unseen pixels,
                    SSIM, seam metric, errors of regions (as in `one`, which points there), and */
    double *pixels; /* [n_regions] */
    double *figure; /* [FIGURES] */
    bool mixed;     /* images had different numbers of regions */
    struct tsr_arena of_size;
};

static void layout(struct tsr_evaluator *w, struct tsr_arena *a) {
    w->squares = tsr_arena_take(a, w->states, sizeof *w->squares);
    w->seams = tsr_arena_take(a, w->states, sizeof *w->seams);
}

static size_t record_length(const struct tsr_evaluator *w) {
    size_t n = w->partition->n_regions;
    return (4 + n) * w->states + n + FIGURES;
}

static void divide_record(struct tsr_evaluator *w) {
    w->one.psnr_db = w->record;
    w->one.unseen_psnr_db = w->one.psnr_db + w->states;
    w->one.ssim = w->one.unseen_psnr_db + w->states;
    w->one.seam = w->one.ssim + w->states;
    w->one.region_error = w->one.seam + w->states;
    w->pixels = w->one.region_error + w->states * w->partition->n_regions;
    w->figure = w->pixels + w->partition->n_regions;
}

static void layout_size(struct tsr_evaluator *w, struct tsr_arena *a) {
    size_t n_pixels = w->partition->height * w->partition->width;
    w->labels = w->follows ? tsr_arena_take(a, n_pixels, sizeof *w->labels) : NULL;
    w->record = tsr_arena_take(a, record_length(w), sizeof *w->record);
    if (w->record) divide_record(w);
    if (w->observer && w->observer->pictures)
        w->one.pictures = tsr_arena_take(a, n_pixels * w->model->net.out_dim, w->states);
    if (w->observer && w->observer->phi)
        w->one.phi =
            tsr_arena_take(a, w->partition->n_regions * w->model->net.n_params, sizeof *w->one.phi);
}

static enum tsr_status allocate_states(struct tsr_evaluation *e, size_t states,
                                       struct tsr_error *err) {
    double **of_states[] = {&e->psnr_db, &e->psnr_db_std, &e->unseen_psnr_db, &e->ssim, &e->seam};
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
        if (w->pixels[r] == 0) continue;
        e->params_per_image += (double)tsr_model_region_numbers(w->model);
        if (w->mixed) continue;
        e->region_images[r]++;
        e->region_pixels[r] += w->pixels[r];
        for (size_t k = 0; k < w->states; k++)
            e->region_psnr_db[r * w->states + k] += tsr_psnr_db(
                w->one.region_error[k * e->n_regions + r], (size_t)w->pixels[r] * channels);
    }
}

static void add_image(struct tsr_evaluator *w) {
    struct tsr_evaluation *e = &w->sum;
    for (size_t k = 0; k < w->states; k++) {
        e->psnr_db[k] += w->one.psnr_db[k];
        w->squares[k] += w->one.psnr_db[k] * w->one.psnr_db[k];
        e->unseen_psnr_db[k] += w->one.unseen_psnr_db[k];
        e->ssim[k] += w->one.ssim[k];
        if (!isfinite(w->one.seam[k])) continue;
        e->seam[k] += w->one.seam[k];
        w->seams[k]++;
    }
    add_regions(w);
    e->seconds_per_image += w->figure[SECONDS];
    e->map_seconds_per_image += w->figure[MAP_SECONDS];
    e->flops_per_image += w->figure[FLOPS];
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
        e->unseen_psnr_db[k] /= n;
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

static enum tsr_status set_up_size(struct tsr_evaluator *w, size_t height, size_t width,
                                   struct tsr_error *err) {
    tsr_arena_free(&w->of_size);
    tsr_reconstructor_free(w->reconstructor);
    w->reconstructor = NULL;
    TSR_TRY(tsr_reconstructor_create(w->model, &w->config, height, width, &w->reconstructor, err));
    w->partition = tsr_reconstructor_partition(w->reconstructor);
    w->of_size = (struct tsr_arena){0};
    layout_size(w, &w->of_size);
    TSR_TRY(tsr_arena_create(&w->of_size, w->of_size.used, "evaluation", err));
    layout_size(w, &w->of_size);
    if (!w->sum.region_slot)
        return allocate_regions(&w->sum, w->states, w->partition->n_regions, err);
    w->mixed = w->mixed || w->sum.n_regions != w->partition->n_regions;
    return TSR_OK;
}

/* What belongs to the size of an image, kept while it stays; all of it is there, or no partition.
 */
static enum tsr_status fit_size(struct tsr_evaluator *w, size_t height, size_t width,
                                struct tsr_error *err) {
    if (w->partition && w->partition->height == height && w->partition->width == width)
        return TSR_OK;
    TSR_TRY(tsr_model_check_image(w->model, height, width, w->model->net.out_dim, err));
    w->partition = NULL;
    enum tsr_status status = set_up_size(w, height, width, err);
    if (status != TSR_OK) w->partition = NULL;
    return status;
}

static enum tsr_status find_regions(struct tsr_evaluator *w, struct tsr_pixels pixels,
                                    const uint16_t *map, struct tsr_error *err) {
    double start = tsr_seconds();
    TSR_TRY(tsr_regions_of_image(w->model, pixels, w->partition->height, w->partition->width, map,
                                 w->labels, err));
    TSR_TRY(tsr_reconstructor_follow(w->reconstructor, w->labels, err));
    w->figure[MAP_SECONDS] = tsr_seconds() - start;
    return TSR_OK;
}

static enum tsr_status observe(const struct tsr_evaluator *w, struct tsr_pixels pixels,
                               size_t index, struct tsr_error *err) {
    if (!w->observer) return TSR_OK;
    const struct tsr_evaluated image = {.model = w->model,
                                        .index = index,
                                        .pixels = pixels,
                                        .partition = w->partition,
                                        .region_pixels = w->pixels,
                                        .result = &w->one};
    return w->observer->image(w->observer->user, &image, err);
}

/* The record of an image. */
static enum tsr_status measure(struct tsr_evaluator *w, struct tsr_pixels pixels, size_t height,
                               size_t width, const uint16_t *map, size_t index,
                               struct tsr_error *err) {
    TSR_TRY(fit_size(w, height, width, err));
    w->figure[MAP_SECONDS] = 0;
    if (w->follows) TSR_TRY(find_regions(w, pixels, map, err));
    tsr_reconstructor_draw(w->reconstructor, index);
    TSR_TRY(tsr_reconstruct(w->reconstructor, pixels, &w->one, err));
    w->figure[SECONDS] = w->one.seconds;
    w->figure[FLOPS] = w->one.flops;
    for (size_t r = 0; r < w->partition->n_regions; r++)
        w->pixels[r] = (double)w->partition->regions[r].n_pixels;
    return TSR_OK;
}

enum tsr_status tsr_evaluator_add(struct tsr_evaluator *w, struct tsr_pixels pixels, size_t height,
                                  size_t width, const uint16_t *map, size_t index,
                                  struct tsr_error *err) {
    TSR_TRY(measure(w, pixels, height, width, map, index, err));
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

/* The record of an image of the dataset, which is added to the figures if it is `alone`. */
static enum tsr_status take_stored(struct tsr_evaluator *w, struct tsr_dataset *dataset,
                                   uint32_t index, struct stored *room, bool alone,
                                   struct tsr_error *err) {
    size_t height = tsr_dataset_height(dataset), width = tsr_dataset_width(dataset);
    TSR_TRY(tsr_dataset_read(dataset, index, room->values, err));
    if (room->map) TSR_TRY(tsr_dataset_read_labels(dataset, index, room->map, err));
    struct tsr_pixels pixels = tsr_dataset_pixels(dataset, room->values);
    enum tsr_status status =
        alone ? tsr_evaluator_add(w, pixels, height, width, room->map, index, err)
              : measure(w, pixels, height, width, room->map, index, err);
    if (status != TSR_OK && status != TSR_ERR_INTERRUPTED)
        tsr_error_prefix(err, "%s, image %u", tsr_dataset_path(dataset), index);
    return status;
}

/* n images of the `of` in the split. */
static enum tsr_status run(struct tsr_evaluator *w, struct tsr_dataset *dataset,
                           const uint32_t *split, size_t of, size_t n, struct stored *room,
                           const struct tsr_evaluate_callbacks *callbacks, struct tsr_error *err) {
    for (size_t i = 0; i < n; i++) {
        TSR_TRY(take_stored(w, dataset, split[tsr_spread(i, of, n)], room, true, err));
        if (callbacks && callbacks->progress &&
            callbacks->progress(callbacks->user, i + 1, n, tsr_evaluator_psnr_db(w)))
            return TSR_ERROR(err, TSR_ERR_INTERRUPTED, "interrupted after %zu of %zu images", i + 1,
                             n);
    }
    return TSR_OK;
}

/* What several processes share. */
struct sharing {
    const struct tsr_comm *comm;
    struct tsr_dataset *dataset;
    const uint32_t *split;
    size_t of, n; /* n images of the `of` in the split */
    size_t most;  /* images of a round */
    double *records;
};

static enum tsr_status begin_sharing(struct tsr_evaluator *w, struct sharing *s,
                                     struct tsr_error *err) {
    TSR_TRY(fit_size(w, tsr_dataset_height(s->dataset), tsr_dataset_width(s->dataset), err));
    size_t bytes = record_length(w) * sizeof *s->records;
    size_t each = ROUND_BYTES / s->comm->size / bytes;
    each = each < 1 ? 1 : each > ROUND_IMAGES ? ROUND_IMAGES : each;
    s->most = each * s->comm->size;
    return TSR_ALLOC(&s->records, s->most * record_length(w), "evaluation", err);
}

/* This process's records of a round of n images from the first on. */
static enum tsr_status measure_share(struct tsr_evaluator *w, const struct sharing *s, size_t first,
                                     size_t n, struct stored *room, struct tsr_error *err) {
    struct tsr_span span = tsr_comm_span(n, s->comm->rank, s->comm->size);
    size_t length = record_length(w);
    for (size_t i = span.first; i < span.first + span.n; i++) {
        uint32_t index = s->split[tsr_spread(first + i, s->of, s->n)];
        TSR_TRY(take_stored(w, s->dataset, index, room, false, err));
        memcpy(s->records + i * length, w->record, length * sizeof *w->record);
    }
    return TSR_OK;
}

/* Every process adds the records of all, in their order. */
static enum tsr_status run_shared(struct tsr_evaluator *w, struct sharing *s, struct stored *room,
                                  const struct tsr_evaluate_callbacks *c, struct tsr_error *err) {
    enum tsr_status begun = begin_sharing(w, s, err);
    TSR_TRY(tsr_comm_agree(s->comm, begun, err));
    if (begun != TSR_OK) return begun;
    size_t length = record_length(w), bytes = length * sizeof *w->record;
    for (size_t done = 0, n; done < s->n; done += n) {
        n = s->n - done < s->most ? s->n - done : s->most;
        TSR_TRY(tsr_comm_agree(s->comm, measure_share(w, s, done, n, room, err), err));
        TSR_TRY(tsr_comm_gather(s->comm, s->records, n, bytes, err));
        for (size_t i = 0; i < n; i++) {
            memcpy(w->record, s->records + i * length, bytes);
            add_image(w);
            TSR_TRY(observe(w, (struct tsr_pixels){0}, s->split[tsr_spread(done + i, s->of, s->n)],
                            err));
        }
        bool stop =
            c && c->progress && c->progress(c->user, done + n, s->n, tsr_evaluator_psnr_db(w));
        TSR_TRY(tsr_comm_any(s->comm, &stop, err));
        if (stop)
            return TSR_ERROR(err, TSR_ERR_INTERRUPTED, "interrupted after %zu of %zu images",
                             done + n, s->n);
    }
    return TSR_OK;
}

static const struct tsr_comm *comm_of(const struct tsr_evaluate_callbacks *callbacks) {
    return tsr_comm_of(callbacks ? callbacks->comm : NULL);
}

static enum tsr_status run_all(struct tsr_evaluator *w, struct tsr_dataset *dataset,
                               const uint32_t *split, size_t of, size_t n, struct stored *room,
                               const struct tsr_evaluate_callbacks *callbacks,
                               struct tsr_error *err) {
    const struct tsr_comm *comm = comm_of(callbacks);
    if (comm->size == 1) return run(w, dataset, split, of, n, room, callbacks, err);
    struct sharing sharing = {.comm = comm, .dataset = dataset, .split = split, .of = of, .n = n};
    enum tsr_status status = run_shared(w, &sharing, room, callbacks, err);
    free(sharing.records);
    return status;
}

static enum tsr_status begin(const struct tsr_model *model, const struct tsr_dataset *dataset,
                             const struct tsr_reconstruct_config *config,
                             const struct tsr_observer *observer, struct stored *room,
                             struct tsr_evaluator **w, struct tsr_error *err) {
    TSR_TRY(allocate_stored(model, dataset, room, err));
    return tsr_evaluator_create(model, config, observer, w, err);
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
    if (comm_of(callbacks)->size > 1 && callbacks->observer &&
        (callbacks->observer->pictures || callbacks->observer->phi))
        return TSR_ERROR(err, TSR_ERR_ARGUMENT,
                         "several processes do not show each other pictures or parameters");
    if (of == 0)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "%s: split %s has no images",
                         tsr_dataset_path(dataset), tsr_split_name(split));
    status = begin(model, dataset, config, callbacks ? callbacks->observer : NULL, &room, &w, err);
    status = tsr_comm_agree(comm_of(callbacks), status, err);
    if (status != TSR_OK || !w) goto done;
    TSR_CHECK(run_all(w, dataset, index, of, tsr_spread_count(of, limit), &room, callbacks, err));
    tsr_evaluator_finish(w, out);
    out->of = of;
done:
    tsr_evaluator_free(w);
    free(room.values);
    free(room.map);
    return status;
}
