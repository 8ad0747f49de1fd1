/* SPDX-License-Identifier: MIT */
#include "image/image_tasks.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "data/sampler.h"
#include "image/context.h"
#include "image/regions.h"

/* What one image of the meta-batch contributes. */
struct image_part {
    size_t n;         /* chosen regions */
    uint32_t *region; /* [n] of n_regions */
    tsr_real *y;      /* targets of the chosen regions, one after the other */
    /* What of them is context, where that is not all; NULL: it is. */
    struct tsr_context context;
    tsr_real *ctx_x, *ctx_y;
    uint32_t *labels; /* [H, W] for a rule that follows the image */
    enum tsr_status status;
    struct tsr_error error;
};

/* Seconds between looks at the file of the dataset. */
static const double LOOK_SECONDS = 0.5;

struct image_tasks {
    const struct tsr_model *model;
    struct tsr_dataset *dataset;
    struct tsr_image_tasks_config config;
    size_t threads;
    struct tsr_span span; /* images of the meta-batch that this process has */
    struct tsr_sampler *sampler;
    const uint32_t *index; /* [span.n] of the images of the last meta-batch in the dataset */
    double looked;         /* seconds: when the dataset was last found unchanged */
    bool stored;           /* the dataset's label maps are those of the rule */
    size_t n_geometries;   /* 1, or span.n for a rule that follows the image */
    struct tsr_geometry *geometry; /* [n_geometries] */
    size_t chosen;                 /* most regions of an image that take part */
    bool apart;                    /* context is not query */
    struct image_part *images;     /* [span.n] */
    size_t *first;                 /* [span.n + 1] */
    struct tsr_task *tasks; /* [span.n * chosen]; those of image b are made from b chosen on */
    struct tsr_arena arena;
};

/* ---- construction -----------------------------------------------------------------------------
 */

static bool follows_image(const struct image_tasks *t) {
    return tsr_rule_follows_image(&t->model->config.partition);
}

static struct tsr_geometry *geometry_of(const struct image_tasks *t, size_t image) {
    return &t->geometry[t->n_geometries > 1 ? image : 0];
}

static size_t n_regions(const struct image_tasks *t) {
    return t->geometry->partition->n_regions;
}

/* How many of n regions take part. */
static size_t share_of(const struct image_tasks *t, size_t n) {
    size_t chosen = (size_t)lround(t->config.region_fraction * (double)n);
    return chosen < 1 ? 1 : chosen;
}

/* Largest number of context pixels that the chosen regions of an image have together. */
static size_t chosen_context(const struct image_tasks *t) {
    size_t most = t->chosen * t->geometry->max_context, all = t->geometry->total_context;
    return most < all ? most : all;
}

static void layout(struct image_tasks *t, struct tsr_arena *a) {
    size_t batch = t->span.n;
    struct image_part measured;
    t->images = tsr_arena_take(a, batch, sizeof *t->images);
    for (size_t b = 0; b < batch; b++) {
        struct image_part *image = t->images ? &t->images[b] : &measured;
        image->region = tsr_arena_take(a, n_regions(t), sizeof *image->region);
        image->context = (struct tsr_context){0};
        size_t points = chosen_context(t), value = t->geometry->channels * sizeof *image->y;
        image->y = tsr_arena_take(a, points, value);
        image->ctx_x = t->apart ? tsr_arena_take(a, points, 2 * sizeof *image->ctx_x) : NULL;
        image->ctx_y = t->apart ? tsr_arena_take(a, points, value) : NULL;
        size_t map = follows_image(t) ? t->geometry->n_pixels : 0;
        image->labels = map ? tsr_arena_take(a, map, sizeof *image->labels) : NULL;
    }
    t->first = tsr_arena_take(a, batch + 1, sizeof *t->first);
    t->tasks = tsr_arena_take(a, batch * t->chosen, sizeof *t->tasks);
}

static enum tsr_status create_geometry(struct image_tasks *t, struct tsr_error *err) {
    size_t height = tsr_dataset_height(t->dataset), width = tsr_dataset_width(t->dataset);
    size_t n = follows_image(t) ? t->span.n : 1;
    TSR_TRY(TSR_ALLOC(&t->geometry, n, "regions of the meta-batch", err));
    for (; t->n_geometries < n; t->n_geometries++)
        TSR_TRY(tsr_geometry_create(t->model, height, width, &t->geometry[t->n_geometries], err));
    return TSR_OK;
}

static enum tsr_status create_contexts(struct image_tasks *t, struct tsr_error *err) {
    for (size_t b = 0; t->apart && b < t->span.n; b++)
        TSR_TRY(tsr_context_create(t->model, &t->config.context, false, geometry_of(t, b),
                                   &t->images[b].context, err));
    return TSR_OK;
}

static enum tsr_status set_up(struct image_tasks *t, struct tsr_error *err) {
    struct tsr_arena measure = {0};
    size_t n;
    (void)tsr_dataset_split(t->dataset, TSR_SPLIT_TRAIN, &n);
    if (n == 0)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "%s: the train split has no images",
                         tsr_dataset_path(t->dataset));
    TSR_TRY(tsr_regions_stored(&t->model->config.partition, t->dataset, &t->stored, err));
    TSR_TRY(create_geometry(t, err));
    t->chosen = share_of(t, n_regions(t));
    layout(t, &measure);
    TSR_TRY(tsr_arena_create(&t->arena, measure.used, "meta-batch", err));
    layout(t, &t->arena);
    TSR_TRY(create_contexts(t, err));
    return tsr_sampler_create(t->dataset, TSR_SPLIT_TRAIN, t->config.batch, &t->span,
                              t->config.seed, t->config.first_step, t->stored, &t->sampler, err);
}

static void close(void *user) {
    struct image_tasks *t = user;
    tsr_sampler_free(t->sampler);
    for (size_t b = 0; t->images && b < t->span.n; b++)
        tsr_context_clear(&t->images[b].context);
    for (size_t i = 0; i < t->n_geometries; i++)
        tsr_geometry_clear(&t->geometry[i]);
    free(t->geometry);
    tsr_arena_free(&t->arena);
    free(t);
}

/* ---- one meta-batch ---------------------------------------------------------------------------
 */

/* The first of a random order of the image's regions that have pixels, as many of them as the
 * region fraction says: a function of seed, outer step and place in the whole meta-batch. */
static void choose_regions(struct image_tasks *t, uint64_t outer_step, size_t b) {
    struct image_part *image = &t->images[b];
    const struct tsr_partition *p = geometry_of(t, b)->partition;
    uint64_t stream = outer_step << 32 | TSR_STREAM_REGIONS;
    size_t n = 0, place = t->span.first + b;
    for (size_t i = 0; i < p->n_regions; i++)
        if (p->regions[i].n_pixels > 0) image->region[n++] = (uint32_t)i;
    image->n = share_of(t, n);
    for (size_t i = 0; image->n < n && i < image->n; i++) {
        size_t j =
            i + (size_t)tsr_random_below(t->config.seed, stream, place * p->n_regions + i, n - i);
        uint32_t swap = image->region[i];
        image->region[i] = image->region[j];
        image->region[j] = swap;
    }
}

/* The partition of an image whose rule follows it. */
static enum tsr_status follow_image(struct image_tasks *t, const struct tsr_image_batch *batch,
                                    size_t b, struct tsr_error *err) {
    struct tsr_geometry *g = geometry_of(t, b);
    struct tsr_pixels pixels = tsr_pixels_at(batch->pixels, b * g->n_pixels * g->channels);
    const uint16_t *stored = batch->labels ? batch->labels + b * g->n_pixels : NULL;
    TSR_TRY(tsr_regions_of_image(t->model, pixels, batch->height, batch->width, stored,
                                 t->images[b].labels, err));
    return tsr_geometry_follow(g, t->images[b].labels, err);
}

static enum tsr_status follow_images(struct image_tasks *t, const struct tsr_image_batch *batch,
                                     struct tsr_error *err) {
#pragma omp parallel for schedule(dynamic, 1) num_threads((int)t->threads)
    for (size_t b = 0; b < batch->n; b++)
        t->images[b].status = follow_image(t, batch, b, &t->images[b].error);
    for (size_t b = 0; b < batch->n; b++)
        if (t->images[b].status != TSR_OK) {
            tsr_error_copy(err, &t->images[b].error);
            tsr_error_prefix(err, "image %u", batch->index[b]);
            return t->images[b].status;
        }
    return TSR_OK;
}

/* The tasks of the chosen regions. */
static void make_tasks(struct image_tasks *t, size_t b, struct tsr_pixels pixels) {
    struct image_part *image = &t->images[b];
    const struct tsr_geometry *g = geometry_of(t, b);
    tsr_real *y = image->y, *ctx_x = image->ctx_x, *ctx_y = image->ctx_y;
    for (size_t i = 0; i < image->n; i++) {
        size_t region = image->region[i];
        struct tsr_task *task = &t->tasks[b * t->chosen + i];
        tsr_geometry_targets(g, pixels, region, y);
        if (t->apart) {
            size_t n = tsr_context_points(&image->context, region, ctx_x, ctx_y);
            *task = tsr_context_task(&image->context, region, ctx_x, ctx_y, n, y);
            ctx_x += 2 * n;
            ctx_y += g->channels * n;
        } else {
            *task = tsr_geometry_task(g, region, y);
        }
        y += task->qry.n * g->channels;
    }
}

static void take_images(struct image_tasks *t, uint64_t outer_step,
                        const struct tsr_image_batch *batch) {
    size_t image_size = t->geometry->n_pixels * t->geometry->channels;
#pragma omp parallel for schedule(static) num_threads((int)t->threads)
    for (size_t b = 0; b < batch->n; b++) {
        struct tsr_pixels pixels = tsr_pixels_at(batch->pixels, b * image_size);
        choose_regions(t, outer_step, b);
        if (t->apart) {
            tsr_context_take(&t->images[b].context, pixels);
            tsr_context_draw(&t->images[b].context, t->config.seed, outer_step, batch->index[b]);
        }
        make_tasks(t, b, pixels);
    }
}

/* The next images, of a file that is still what it was; that it is not says more than the error
 * that reading it may give. */
static enum tsr_status next_images(struct image_tasks *t, struct tsr_image_batch *batch,
                                   struct tsr_error *err) {
    struct tsr_error failure = {0};
    enum tsr_status status = tsr_sampler_next(t->sampler, batch, &failure);
    double now = tsr_seconds();
    if (status != TSR_OK || now - t->looked >= LOOK_SECONDS) {
        TSR_TRY(tsr_dataset_unchanged(t->dataset, err));
        t->looked = now;
    }
    if (status != TSR_OK) tsr_error_copy(err, &failure);
    return status;
}

static enum tsr_status next(void *user, uint64_t outer_step, struct tsr_task_batch *out,
                            struct tsr_error *err) {
    struct image_tasks *t = user;
    struct tsr_image_batch batch;
    size_t n = 0;
    TSR_TRY(next_images(t, &batch, err));
    t->index = batch.index;
    if (follows_image(t)) TSR_TRY(follow_images(t, &batch, err));
    take_images(t, outer_step, &batch);
    for (size_t b = 0; b < batch.n; b++) {
        t->first[b] = n;
        memmove(t->tasks + n, t->tasks + b * t->chosen, t->images[b].n * sizeof *t->tasks);
        n += t->images[b].n;
    }
    t->first[batch.n] = n;
    *out = (struct tsr_task_batch){.n_items = batch.n, .first = t->first, .tasks = t->tasks};
    return TSR_OK;
}

static const char *name(void *user, size_t item) {
    const struct image_tasks *t = user;
    return tsr_dataset_name(t->dataset, t->index[item]);
}

static double waited(void *user) {
    const struct image_tasks *t = user;
    return tsr_sampler_waited(t->sampler);
}

enum tsr_status tsr_image_tasks_create(const struct tsr_model *model, struct tsr_dataset *dataset,
                                       const struct tsr_image_tasks_config *config,
                                       struct tsr_task_source *out, struct tsr_error *err) {
    struct image_tasks *t;
    const struct tsr_comm *comm = tsr_comm_of(config->comm);
    *out = (struct tsr_task_source){0};
    TSR_TRY(TSR_ALLOC(&t, 1, "images as tasks", err));
    *t = (struct image_tasks){.model = model,
                              .dataset = dataset,
                              .config = *config,
                              .apart = tsr_context_differs(&config->context),
                              .threads = tsr_thread_count(config->threads),
                              .span = tsr_comm_span(config->batch, comm->rank, comm->size)};
    enum tsr_status status = set_up(t, err);
    if (status != TSR_OK) {
        close(t);
        return status;
    }
    *out = (struct tsr_task_source){.user = t,
                                    .n_slots = model->n_slots,
                                    .n_items = config->batch,
                                    .item_tasks = t->chosen,
                                    .max_tasks = t->span.n * t->chosen,
                                    .max_points = t->geometry->max_context,
                                    .next = next,
                                    .name = name,
                                    .waited = waited,
                                    .close = close};
    return TSR_OK;
}
