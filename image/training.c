/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "image/training.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "data/sampler.h"
#include "image/checkpoint.h"
#include "image/geometry.h"
#include "image/reconstruct.h"
#include "image/regions.h"
#include "inner/adam.h"
#include "meta/outer_optimizer.h"

/* A run ends when so many outer steps in a row had images left out. */
enum { MAX_BAD_STREAK = 10 };

/* Images that the anchors of segments are learned from. */
enum { ANCHOR_IMAGES = 256 };

/* Validation images are kept in memory: during training the file belongs to the sampler. */
struct validation {
    size_t n;
    void *values; /* [n, H, W, C] as the dataset has them */
    struct tsr_pixels pixels;
    uint32_t *labels; /* [n, H, W] for a rule that follows the image, else NULL */
    struct tsr_reconstructor *reconstructor;
};

/* What one image of the meta-batch contributes. */
struct image_part {
    bool bad;         /* to be left out */
    size_t n;         /* chosen regions */
    uint32_t *region; /* [n] of n_regions */
    tsr_real *y;      /* targets of the chosen regions, one after the other */
    uint32_t *labels; /* [H, W] for a rule that follows the image */
    enum tsr_status status;
    struct tsr_error error;
};

struct tsr_training {
    struct tsr_model *model;
    struct tsr_outer_state state; /* with configuration and progress */
    char *kernel, *output, *command;
    struct tsr_dataset *dataset;
    struct tsr_sampler *sampler;
    bool stored;                   /* the dataset's label maps are those of the rule */
    size_t n_geometries;           /* 1, or `batch` for a rule that follows the image */
    struct tsr_geometry *geometry; /* [n_geometries] */
    struct tsr_engine engine;
    struct tsr_meta *meta;
    struct validation validation;
    /* One outer step. Of each image at most `chosen` regions take part; tasks of an image are
     * consecutive. */
    size_t chosen, n_tasks;
    struct image_part *images; /* [batch] */
    struct tsr_task *tasks;    /* [batch * chosen] */
    size_t *image_of_task;     /* [batch * chosen] */
    double *error;             /* [batch * chosen] */
    bool *present;             /* [n_slots] slots that have a task */
    tsr_real *d_theta, *d_rates;
    struct tsr_arena arena;
    size_t bad_streak;
    uint64_t session_images;
    double session_start, seconds_before, last_checkpoint, next_validation;
};

/* ---- construction -------------------------------------------------------------------------------
 */

static enum tsr_status copy_string(const char *from, char **to, struct tsr_error *err) {
    *to = from ? strdup(from) : NULL;
    if (from && !*to) return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "cannot copy \"%s\"", from);
    return TSR_OK;
}

static enum tsr_status own_strings(struct tsr_training *t, struct tsr_error *err) {
    struct tsr_trainer_config *c = &t->state.config;
    TSR_TRY(copy_string(c->kernel ? c->kernel : "auto", &t->kernel, err));
    TSR_TRY(copy_string(c->output, &t->output, err));
    TSR_TRY(copy_string(c->command, &t->command, err));
    c->kernel = t->kernel, c->output = t->output, c->command = t->command;
    return TSR_OK;
}

static bool follows_image(const struct tsr_training *t) {
    return tsr_rule_follows_image(&t->model->config.partition);
}

static struct tsr_geometry *geometry_of(const struct tsr_training *t, size_t image) {
    return &t->geometry[t->n_geometries > 1 ? image : 0];
}

static size_t n_regions(const struct tsr_training *t) {
    return t->geometry->partition->n_regions;
}

/* Largest number of context pixels that the chosen regions of an image have together. */
static size_t chosen_context(const struct tsr_training *t) {
    size_t most = t->chosen * t->geometry->max_context, all = t->geometry->total_context;
    return most < all ? most : all;
}

static void layout(struct tsr_training *t, struct tsr_arena *a) {
    size_t batch = t->state.config.batch, n = batch * t->chosen;
    struct image_part measured;
    t->images = tsr_arena_take(a, batch, sizeof *t->images);
    for (size_t b = 0; b < batch; b++) {
        struct image_part *image = t->images ? &t->images[b] : &measured;
        image->region = tsr_arena_take(a, n_regions(t), sizeof *image->region);
        image->y = tsr_arena_take(a, chosen_context(t), t->geometry->channels * sizeof *image->y);
        size_t map = follows_image(t) ? t->geometry->n_pixels : 0;
        image->labels = map ? tsr_arena_take(a, map, sizeof *image->labels) : NULL;
    }
    t->tasks = tsr_arena_take(a, n, sizeof *t->tasks);
    t->image_of_task = tsr_arena_take(a, n, sizeof *t->image_of_task);
    t->error = tsr_arena_take(a, n, sizeof *t->error);
    t->present = tsr_arena_take(a, t->model->n_slots, sizeof *t->present);
    t->d_theta = tsr_arena_take(a, t->model->n_slots * t->model->net.n_params, sizeof *t->d_theta);
    t->d_rates = tsr_arena_take(a, tsr_rates_count(&t->model->rates), sizeof *t->d_rates);
}

/* Label maps of the validation images, which are in memory. */
static enum tsr_status map_validation(struct tsr_training *t, const uint32_t *index,
                                      struct tsr_error *err) {
    struct validation *v = &t->validation;
    size_t height = t->geometry->partition->height, width = t->geometry->partition->width;
    size_t n_pixels = t->geometry->n_pixels;
    uint16_t *stored = NULL;
    enum tsr_status status = TSR_OK;
    void *p;
    TSR_TRY(tsr_alloc(&p, v->n, n_pixels * sizeof *v->labels, "label maps of validation", err));
    v->labels = p;
    TSR_TRY(tsr_alloc(&p, n_pixels, sizeof *stored, "label map", err));
    stored = p;
    for (size_t i = 0; i < v->n; i++) {
        if (t->stored) TSR_CHECK(tsr_dataset_read_labels(t->dataset, index[i], stored, err));
        TSR_CHECK(tsr_regions_of_image(
            t->model, tsr_pixels_at(v->pixels, i * n_pixels * t->geometry->channels), height, width,
            t->stored ? stored : NULL, v->labels + i * n_pixels, err));
    }
done:
    free(stored);
    return status;
}

static enum tsr_status load_validation(struct tsr_training *t, struct tsr_error *err) {
    struct validation *v = &t->validation;
    struct tsr_reconstruct_config config;
    size_t n, height = t->geometry->partition->height, width = t->geometry->partition->width;
    size_t size =
        t->geometry->n_pixels * t->geometry->channels * tsr_dataset_value_size(t->dataset);
    const uint32_t *index = tsr_dataset_split(t->dataset, TSR_SPLIT_VAL, &n);
    if (t->state.config.val_images && t->state.config.val_images < n)
        n = t->state.config.val_images;
    if (n == 0) return TSR_OK;
    void *p;
    TSR_TRY(tsr_alloc(&p, n, size, "validation images", err));
    v->values = p;
    v->pixels = tsr_dataset_pixels(t->dataset, v->values);
    v->n = n;
    for (size_t i = 0; i < n; i++)
        TSR_TRY(tsr_dataset_read(t->dataset, index[i], (char *)v->values + i * size, err));
    if (follows_image(t)) TSR_TRY(map_validation(t, index, err));
    tsr_reconstruct_config_default(t->model, &config);
    config.threads = t->engine.threads;
    config.kernel = t->kernel;
    return tsr_reconstructor_create(t->model, &config, height, width, &v->reconstructor, err);
}

static enum tsr_status create_geometry(struct tsr_training *t, struct tsr_error *err) {
    size_t height = tsr_dataset_height(t->dataset), width = tsr_dataset_width(t->dataset);
    size_t n = follows_image(t) ? t->state.config.batch : 1;
    void *p;
    TSR_TRY(tsr_alloc(&p, n, sizeof *t->geometry, "regions of the meta-batch", err));
    t->geometry = p;
    for (; t->n_geometries < n; t->n_geometries++)
        TSR_TRY(tsr_geometry_create(t->model, height, width, &t->geometry[t->n_geometries], err));
    return TSR_OK;
}

/* Everything but model and state, which are there. */
static enum tsr_status set_up(struct tsr_training *t, struct tsr_error *err) {
    const struct tsr_trainer_config *c = &t->state.config;
    const struct tsr_kernel *kernel;
    TSR_TRY(tsr_kernel_find(t->kernel, &kernel, err));
    TSR_TRY(tsr_engine_create(&t->model->net, kernel, c->threads, &t->engine, err));
    TSR_TRY(tsr_regions_stored(&t->model->config.partition, t->dataset, &t->stored, err));
    TSR_TRY(create_geometry(t, err));
    t->chosen = (size_t)lround(c->region_fraction * (double)n_regions(t));
    if (t->chosen < 1) t->chosen = 1;
    TSR_TRY(tsr_meta_create(&t->engine, c->method, t->model->config.inner_steps, &t->model->rates,
                            t->model->n_slots, c->batch * t->chosen, t->geometry->max_context,
                            &t->meta, err));
    struct tsr_arena measure = {0};
    layout(t, &measure);
    TSR_TRY(tsr_arena_create(&t->arena, measure.used, "training", err));
    layout(t, &t->arena);
    TSR_TRY(load_validation(t, err));
    return tsr_sampler_create(t->dataset, TSR_SPLIT_TRAIN, c->batch, c->seed,
                              t->state.progress.outer_step, t->stored, &t->sampler, err);
}

static enum tsr_status take_dataset(struct tsr_training *t, struct tsr_dataset *dataset,
                                    struct tsr_error *err) {
    size_t n;
    t->dataset = dataset;
    (void)tsr_dataset_split(dataset, TSR_SPLIT_TRAIN, &n);
    if (n == 0)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "%s: the train split has no images",
                         tsr_dataset_path(dataset));
    return TSR_OK;
}

static enum tsr_status make_model(struct tsr_training *t, const struct tsr_model_config *from,
                                  const struct tsr_model *init, struct tsr_error *err) {
    struct tsr_model_config config = *from;
    config.height = tsr_dataset_height(t->dataset);
    config.width = tsr_dataset_width(t->dataset);
    config.network.out_dim = tsr_dataset_channels(t->dataset);
    tsr_regions_count_classes(&config.partition, t->dataset);
    TSR_TRY(tsr_model_create(&config, t->state.config.seed, &t->model, err));
    if (init) TSR_TRY(tsr_model_init_from(t->model, init, err));
    return tsr_regions_learn(t->model, t->dataset, ANCHOR_IMAGES, t->state.config.threads, err);
}

static enum tsr_status allocate(struct tsr_training **out, struct tsr_error *err) {
    void *p;
    *out = NULL;
    TSR_TRY(tsr_alloc(&p, 1, sizeof **out, "trainer", err));
    *out = p;
    return TSR_OK;
}

enum tsr_status tsr_training_create(const struct tsr_model_config *model_config,
                                    const struct tsr_trainer_config *config,
                                    struct tsr_dataset *dataset, const struct tsr_model *init,
                                    struct tsr_training **out, struct tsr_error *err) {
    enum tsr_status status;
    struct tsr_outer_state moments;
    TSR_TRY(allocate(out, err));
    struct tsr_training *t = *out;
    TSR_CHECK(tsr_trainer_config_check(config, err));
    t->state.config = *config;
    TSR_CHECK(own_strings(t, err));
    TSR_CHECK(take_dataset(t, dataset, err));
    TSR_CHECK(make_model(t, model_config, init, err));
    TSR_CHECK(tsr_outer_state_create(t->model->n_slots * t->model->net.n_params,
                                     tsr_rates_count(&t->model->rates), &moments, err));
    moments.config = t->state.config;
    moments.progress.val_psnr_db = moments.progress.train_psnr_db = (double)NAN;
    t->state = moments;
    if (t->state.config.outer_lr <= 0)
        t->state.config.outer_lr = t->model->net.kind->outer_lr(t->model->net.width);
    TSR_CHECK(set_up(t, err));
done:
    if (status == TSR_OK) return TSR_OK;
    tsr_training_free(t);
    *out = NULL;
    return status;
}

static void take_over(struct tsr_trainer_config *saved, const struct tsr_trainer_config *now) {
    if (now->outer_steps || now->seconds > 0) {
        saved->outer_steps = now->outer_steps;
        saved->seconds = now->seconds;
    }
    saved->threads = now->threads;
    saved->kernel = now->kernel;
    saved->output = now->output;
    saved->command = now->command;
    saved->checkpoint_seconds = now->checkpoint_seconds;
}

enum tsr_status tsr_training_resume(const char *checkpoint, const struct tsr_trainer_config *config,
                                    struct tsr_dataset *dataset, struct tsr_training **out,
                                    struct tsr_error *err) {
    enum tsr_status status;
    TSR_TRY(allocate(out, err));
    struct tsr_training *t = *out;
    TSR_CHECK(tsr_checkpoint_load(checkpoint, &t->model, &t->state, err));
    take_over(&t->state.config, config);
    TSR_CHECK(own_strings(t, err));
    TSR_CHECK(tsr_trainer_config_check(&t->state.config, err));
    TSR_CHECK(take_dataset(t, dataset, err));
    TSR_CHECK(tsr_model_check_image(t->model, tsr_dataset_height(t->dataset),
                                    tsr_dataset_width(t->dataset), tsr_dataset_channels(t->dataset),
                                    err));
    t->seconds_before = t->state.progress.seconds;
    TSR_CHECK(set_up(t, err));
done:
    if (status == TSR_OK) return TSR_OK;
    tsr_training_free(t);
    *out = NULL;
    return status;
}

void tsr_training_free(struct tsr_training *t) {
    if (!t) return;
    tsr_sampler_free(t->sampler);
    tsr_reconstructor_free(t->validation.reconstructor);
    free(t->validation.values);
    free(t->validation.labels);
    tsr_meta_free(t->meta);
    for (size_t i = 0; i < t->n_geometries; i++)
        tsr_geometry_clear(&t->geometry[i]);
    free(t->geometry);
    tsr_engine_clear(&t->engine);
    tsr_arena_free(&t->arena);
    tsr_outer_state_clear(&t->state);
    tsr_model_free(t->model);
    free(t->kernel);
    free(t->output);
    free(t->command);
    free(t);
}

const struct tsr_model *tsr_training_model(const struct tsr_training *trainer) {
    return trainer->model;
}

const struct tsr_trainer_config *tsr_training_settings(const struct tsr_training *trainer) {
    return &trainer->state.config;
}

const struct tsr_trainer_progress *tsr_training_state(const struct tsr_training *trainer) {
    return &trainer->state.progress;
}

/* ---- one outer step -----------------------------------------------------------------------------
 */

/* The first of a random order of the image's regions that have pixels, as many of them as the
 * region fraction says: a function of seed, outer step and place in the meta-batch. */
static void choose_regions(struct tsr_training *t, size_t b) {
    struct image_part *image = &t->images[b];
    const struct tsr_partition *p = geometry_of(t, b)->partition;
    uint64_t stream = t->state.progress.outer_step << 32 | TSR_STREAM_REGIONS;
    size_t n = 0;
    for (size_t i = 0; i < p->n_regions; i++)
        if (p->regions[i].n_pixels > 0) image->region[n++] = (uint32_t)i;
    size_t chosen = (size_t)lround(t->state.config.region_fraction * (double)n);
    image->n = chosen < 1 ? 1 : chosen;
    for (size_t i = 0; image->n < n && i < image->n; i++) {
        size_t j =
            i + (size_t)tsr_random_below(t->state.config.seed, stream, b * p->n_regions + i, n - i);
        uint32_t swap = image->region[i];
        image->region[i] = image->region[j];
        image->region[j] = swap;
    }
}

/* The partition of an image whose rule follows it. */
static enum tsr_status follow_image(struct tsr_training *t, const struct tsr_image_batch *batch,
                                    size_t b, struct tsr_error *err) {
    struct tsr_geometry *g = geometry_of(t, b);
    struct tsr_pixels pixels = tsr_pixels_at(batch->pixels, b * g->n_pixels * g->channels);
    const uint16_t *stored = batch->labels ? batch->labels + b * g->n_pixels : NULL;
    TSR_TRY(tsr_regions_of_image(t->model, pixels, batch->height, batch->width, stored,
                                 t->images[b].labels, err));
    return tsr_geometry_follow(g, t->images[b].labels, err);
}

static enum tsr_status follow_images(struct tsr_training *t, const struct tsr_image_batch *batch,
                                     struct tsr_error *err) {
#pragma omp parallel for schedule(dynamic, 1) num_threads((int)t->engine.threads)
    for (size_t b = 0; b < batch->n; b++)
        t->images[b].status = follow_image(t, batch, b, &t->images[b].error);
    for (size_t b = 0; b < batch->n; b++)
        if (t->images[b].status != TSR_OK) {
            *err = t->images[b].error;
            tsr_error_prefix(err, "image %u", batch->index[b]);
            return t->images[b].status;
        }
    return TSR_OK;
}

static void gather_targets(struct tsr_training *t, const struct tsr_image_batch *batch) {
    size_t image_size = t->geometry->n_pixels * t->geometry->channels;
#pragma omp parallel for schedule(static) num_threads((int)t->engine.threads)
    for (size_t b = 0; b < batch->n; b++) {
        const struct tsr_geometry *g = geometry_of(t, b);
        tsr_real *y = t->images[b].y;
        choose_regions(t, b);
        for (size_t i = 0; i < t->images[b].n; i++) {
            size_t region = t->images[b].region[i];
            tsr_geometry_targets(g, tsr_pixels_at(batch->pixels, b * image_size), region, y);
            y += g->partition->regions[region].n_context * g->channels;
        }
    }
}

/* Tasks of the images that are not bad. Outer loss: mean over these images of the mean over the
 * pixels chosen of each. */
static void make_tasks(struct tsr_training *t, size_t n_images) {
    size_t good = 0, channels = t->geometry->channels;
    for (size_t b = 0; b < n_images; b++)
        good += !t->images[b].bad;
    t->n_tasks = 0;
    memset(t->present, 0, t->model->n_slots * sizeof *t->present);
    for (size_t b = 0; b < n_images; b++) {
        const struct image_part *image = &t->images[b];
        if (image->bad) continue;
        size_t pixels = 0, first = t->n_tasks;
        for (size_t i = 0; i < image->n; i++) {
            struct tsr_task *task = &t->tasks[t->n_tasks];
            *task = tsr_geometry_task(geometry_of(t, b), image->region[i],
                                      image->y + pixels * channels);
            pixels += task->qry.n;
            t->present[task->slot] = true;
            t->image_of_task[t->n_tasks++] = b;
        }
        for (size_t i = first; i < t->n_tasks; i++)
            t->tasks[i].qry_scale = 1.0 / (double)(good * pixels * channels);
    }
}

/* Marks the images of tasks that went wrong; how many are new. */
static size_t mark_bad(struct tsr_training *t) {
    size_t n = 0;
    for (size_t i = 0; i < t->n_tasks; i++) {
        struct image_part *image = &t->images[t->image_of_task[i]];
        if (isfinite(t->error[i]) || image->bad) continue;
        image->bad = true;
        n++;
    }
    return n;
}

/* Mean over the images in play of the PSNR over their chosen pixels. */
static double mean_psnr(const struct tsr_training *t) {
    double sum = 0;
    size_t images = 0;
    for (size_t i = 0; i < t->n_tasks; images++) {
        size_t b = t->image_of_task[i], pixels = 0;
        double error = 0;
        for (; i < t->n_tasks && t->image_of_task[i] == b; i++) {
            error += t->error[i];
            pixels += t->tasks[i].qry.n;
        }
        sum += tsr_psnr_db(error, pixels * t->geometry->channels);
    }
    return sum / (double)images;
}

static double progress_of(const struct tsr_training *t) {
    const struct tsr_trainer_config *c = &t->state.config;
    double steps = 0, time = 0;
    if (c->outer_steps) steps = (double)t->state.progress.outer_step / (double)c->outer_steps;
    if (c->seconds > 0) time = t->state.progress.seconds / c->seconds;
    return steps > time ? steps : time;
}

/* A slot whose regions are all absent keeps its initialisation, its rates and their moments. */
static void update_slot(struct tsr_training *t, size_t slot, const struct tsr_adam *theta,
                        const struct tsr_adam *rates) {
    const struct tsr_trainer_config *c = &t->state.config;
    struct tsr_model *m = t->model;
    size_t n = m->net.n_params, at = slot * n;
    tsr_adam_update(theta, tsr_clip_factor(t->state.progress.gradient_norm, c->clip), n,
                    t->d_theta + at, m->theta + at, t->state.m_theta + at, t->state.v_theta + at);
    if (m->rates.kind == TSR_RATES_FIXED || c->method == TSR_METHOD_REPTILE) return;
    for (size_t k = 0; k < m->rates.n_steps; k++) {
        size_t i = tsr_rates_at(&m->rates, k, slot);
        tsr_adam_update(rates, 1, m->rates.n_units, t->d_rates + i, m->rates.value + i,
                        t->state.m_rates + i, t->state.v_rates + i);
    }
}

static void update(struct tsr_training *t) {
    const struct tsr_trainer_config *c = &t->state.config;
    struct tsr_trainer_progress *p = &t->state.progress;
    double schedule = tsr_schedule(p->outer_step, c->warmup, progress_of(t), c->final_lr);
    p->outer_lr = c->outer_lr * schedule;
    struct tsr_adam theta = {p->outer_lr, c->beta1, c->beta2, p->outer_step + 1}, rates = theta;
    rates.lr = c->rates_lr * t->model->config.inner_lr * schedule;
    for (size_t s = 0; s < t->model->n_slots; s++)
        if (t->present[s]) update_slot(t, s, &theta, &rates);
}

/* The meta-gradient of the images that give a finite one. False if there is none. */
static bool finite_gradient(struct tsr_training *t, size_t n_images) {
    struct tsr_trainer_progress *p = &t->state.progress;
    size_t n = t->model->n_slots * t->model->net.n_params, bad;
    for (size_t b = 0; b < n_images; b++)
        t->images[b].bad = false;
    do {
        make_tasks(t, n_images);
        if (t->n_tasks == 0) return false;
        tsr_meta_gradient(t->meta, t->model->theta, &t->model->rates, t->tasks, t->n_tasks,
                          t->d_theta, t->d_rates, t->error);
        p->skipped += bad = mark_bad(t);
    } while (bad > 0);
    p->gradient_norm = tsr_norm(t->d_theta, n);
    return isfinite(p->gradient_norm) &&
           isfinite(tsr_norm(t->d_rates, tsr_rates_count(&t->model->rates)));
}

static enum tsr_status outer_step(struct tsr_training *t, struct tsr_error *err) {
    struct tsr_trainer_progress *p = &t->state.progress;
    struct tsr_image_batch batch;
    uint64_t skipped = p->skipped;
    TSR_TRY(tsr_sampler_next(t->sampler, &batch, err));
    if (follows_image(t)) TSR_TRY(follow_images(t, &batch, err));
    gather_targets(t, &batch);
    bool finite = finite_gradient(t, batch.n);
    if (finite) {
        p->train_psnr_db = mean_psnr(t);
        update(t);
    } else if (p->skipped == skipped) {
        p->skipped += batch.n;
    }
    p->outer_step++;
    t->session_images += batch.n;
    t->bad_streak = p->skipped > skipped ? t->bad_streak + 1 : 0;
    if (t->bad_streak >= MAX_BAD_STREAK)
        return TSR_ERROR(
            err, TSR_ERR_NUMERIC,
            "outer step %llu: loss or gradient of some image was not finite in %d outer "
            "steps in a row; a smaller inner_lr (%g) or outer_lr (%g) may help",
            (unsigned long long)p->outer_step, MAX_BAD_STREAK, t->model->config.inner_lr,
            t->state.config.outer_lr);
    return TSR_OK;
}

/* ---- the run ------------------------------------------------------------------------------------
 */

static enum tsr_status validate(struct tsr_training *t, double *mean, struct tsr_error *err) {
    const struct validation *v = &t->validation;
    size_t n_pixels = t->geometry->n_pixels, k = t->model->config.inner_steps;
    double sum = 0, psnr[1001];
    for (size_t i = 0; i < v->n; i++) {
        struct tsr_reconstruction out = {.psnr_db = psnr};
        if (v->labels)
            TSR_TRY(tsr_reconstructor_follow(v->reconstructor, v->labels + i * n_pixels, err));
        TSR_TRY(tsr_reconstruct(v->reconstructor,
                                tsr_pixels_at(v->pixels, i * n_pixels * t->geometry->channels),
                                &out, err));
        sum += psnr[k];
    }
    *mean = sum / (double)v->n;
    return TSR_OK;
}

static bool validation_due(const struct tsr_training *t) {
    const struct tsr_trainer_config *c = &t->state.config;
    const struct tsr_trainer_progress *p = &t->state.progress;
    if (c->val_every) return p->outer_step % c->val_every == 0;
    if (!c->outer_steps) return progress_of(t) >= t->next_validation;
    uint64_t every = c->outer_steps >= 10 ? c->outer_steps / 10 : 1;
    return p->outer_step % every == 0;
}

static enum tsr_status record_validation(struct tsr_training *t, struct tsr_error *err) {
    struct tsr_trainer_progress *p = &t->state.progress;
    t->next_validation = floor(progress_of(t) * 10 + 1) / 10;
    if (t->validation.n == 0) return TSR_OK;
    TSR_TRY(validate(t, &p->val_psnr_db, err));
    p->validated = 1;
    struct tsr_history_line line = {(double)p->outer_step, p->seconds, p->train_psnr_db,
                                    p->val_psnr_db, p->outer_lr};
    return tsr_outer_state_add_history(&t->state, &line, err);
}

static enum tsr_status checkpoint(struct tsr_training *t, struct tsr_error *err) {
    t->last_checkpoint = tsr_seconds();
    if (!t->output) return TSR_OK;
    return tsr_checkpoint_save(t->model, &t->state, t->output, err);
}

static void tick(struct tsr_training *t) {
    struct tsr_trainer_progress *p = &t->state.progress;
    double session = tsr_seconds() - t->session_start;
    p->seconds = t->seconds_before + session;
    p->images_per_second = (double)t->session_images / (session > 1e-9 ? session : 1e-9);
    p->outer_steps = t->state.config.outer_steps;
    p->seconds_bound = t->state.config.seconds;
}

static enum tsr_status train(struct tsr_training *t, const struct tsr_trainer_callbacks *callbacks,
                             struct tsr_error *err) {
    struct tsr_trainer_progress *p = &t->state.progress;
    while (progress_of(t) < 1) {
        TSR_TRY(outer_step(t, err));
        tick(t);
        p->validated = 0;
        bool last = progress_of(t) >= 1;
        if (last || validation_due(t)) TSR_TRY(record_validation(t, err));
        if (callbacks && callbacks->progress && callbacks->progress(callbacks->user, p) && !last)
            return TSR_ERROR(err, TSR_ERR_INTERRUPTED, "interrupted after outer step %llu",
                             (unsigned long long)p->outer_step);
        double every = t->state.config.checkpoint_seconds;
        if (every > 0 && tsr_seconds() - t->last_checkpoint >= every) TSR_TRY(checkpoint(t, err));
    }
    return TSR_OK;
}

enum tsr_status tsr_training_run(struct tsr_training *trainer,
                                 const struct tsr_trainer_callbacks *callbacks,
                                 struct tsr_error *err) {
    trainer->session_start = trainer->last_checkpoint = tsr_seconds();
    trainer->session_images = 0;
    trainer->next_validation = floor(progress_of(trainer) * 10 + 1) / 10;
    enum tsr_status status = train(trainer, callbacks, err);
    if (status != TSR_OK && status != TSR_ERR_INTERRUPTED && status != TSR_ERR_NUMERIC)
        return status;
    /* What the run reached is kept; its own error, if any, is the one reported. */
    enum tsr_status saved = checkpoint(trainer, status == TSR_OK ? err : NULL);
    return status == TSR_OK ? saved : status;
}
