/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "meta/trainer.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "data/sampler.h"
#include "meta/files.h"
#include "meta/geometry.h"
#include "meta/outer_optimizer.h"
#include "meta/reconstruct.h"

/* A run ends when so many outer steps in a row had images left out. */
enum { MAX_BAD_STREAK = 10 };

/* Validation images are kept in memory: during training the file belongs to the sampler. */
struct validation {
    size_t n;
    uint8_t *pixels; /* [n, H, W, C] */
    struct tsr_reconstructor *reconstructor;
};

struct tsr_trainer {
    struct tsr_model *model;
    struct tsr_outer_state state; /* with configuration and progress */
    char *kernel, *output, *command;
    struct tsr_dataset *dataset;
    struct tsr_sampler *sampler;
    struct tsr_geometry geometry;
    struct tsr_engine engine;
    struct tsr_meta *meta;
    struct validation validation;
    /* One outer step. Tasks of an image are consecutive, `chosen` each. */
    size_t chosen, n_tasks;
    struct tsr_task *tasks; /* [batch * chosen] */
    size_t *image_of_task;  /* [batch * chosen] */
    double *error;          /* [batch * chosen] */
    bool *bad;              /* [batch] images to leave out */
    uint32_t *order;        /* [n_regions] */
    uint32_t *region;       /* [batch * chosen] */
    tsr_real *y;            /* [batch * chosen, max_context, C] */
    tsr_real *d_theta, *d_rates;
    struct tsr_arena arena;
    size_t bad_streak;
    uint64_t session_images;
    double session_start, seconds_before, last_checkpoint, next_validation;
};

/* ---- configuration ------------------------------------------------------------------------------
 */

void tsr_trainer_config_default(struct tsr_trainer_config *config) {
    *config = (struct tsr_trainer_config){
        .method = TSR_METHOD_MAML,
        .batch = 4,
        .region_fraction = 0.25,
        .rates_lr = 0.02,
        .beta1 = 0.9,
        .beta2 = 0.99,
        .warmup = 100,
        .final_lr = 0.01,
        .clip = 0.1,
        .val_images = 64,
        .checkpoint_seconds = 60,
        .kernel = "auto",
    };
}

static enum tsr_status check_fraction(const char *name, double value, double lo, double hi,
                                      struct tsr_error *err) {
    if (!(value >= lo && value <= hi))
        return TSR_ERROR(err, TSR_ERR_CONFIG, "training: %s is %g; it must be %g to %g", name,
                         value, lo, hi);
    return TSR_OK;
}

enum tsr_status tsr_trainer_config_check(const struct tsr_trainer_config *config,
                                         struct tsr_error *err) {
    if (config->batch < 1 || config->batch > 65536)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "training: batch is %zu; it must be 1 to 65536",
                         config->batch);
    TSR_TRY(check_fraction("region_fraction", config->region_fraction, 1e-9, 1, err));
    TSR_TRY(check_fraction("outer_lr", config->outer_lr, 0, 100, err));
    TSR_TRY(check_fraction("rates_lr", config->rates_lr, 0, 100, err));
    TSR_TRY(check_fraction("beta1", config->beta1, 0, 0.999999, err));
    TSR_TRY(check_fraction("beta2", config->beta2, 0, 0.999999, err));
    TSR_TRY(check_fraction("final_lr", config->final_lr, 0, 1, err));
    TSR_TRY(check_fraction("clip", config->clip, 0, 1e30, err));
    TSR_TRY(check_fraction("seconds", config->seconds, 0, 1e9, err));
    TSR_TRY(check_fraction("checkpoint_seconds", config->checkpoint_seconds, 0, 1e9, err));
    if (config->outer_steps == 0 && !(config->seconds > 0))
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "training: a bound is needed, on outer steps or on time");
    if (config->outer_steps > UINT32_MAX)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "training: outer_steps is %llu; at most 2^32-1",
                         (unsigned long long)config->outer_steps);
    return TSR_OK;
}

/* Measured on CelebA at width 32: twice as much is better for runs of a minute, and over ten
 * minutes drifts down from 37.6 to 33 dB without a NaN. */
static double default_outer_lr(enum tsr_network_kind kind, size_t width) {
    if (kind == TSR_NET_RELU_PE) return 5e-3; /* half of what is best over 3,000 outer steps */
    return width <= 16 ? 3e-3 : width <= 32 ? 1.5e-3 : 1e-3;
}

/* ---- construction -------------------------------------------------------------------------------
 */

static enum tsr_status copy_string(const char *from, char **to, struct tsr_error *err) {
    *to = from ? strdup(from) : NULL;
    if (from && !*to) return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "cannot copy \"%s\"", from);
    return TSR_OK;
}

static enum tsr_status own_strings(struct tsr_trainer *t, struct tsr_error *err) {
    struct tsr_trainer_config *c = &t->state.config;
    TSR_TRY(copy_string(c->kernel ? c->kernel : "auto", &t->kernel, err));
    TSR_TRY(copy_string(c->output, &t->output, err));
    TSR_TRY(copy_string(c->command, &t->command, err));
    c->kernel = t->kernel, c->output = t->output, c->command = t->command;
    return TSR_OK;
}

static void layout(struct tsr_trainer *t, struct tsr_arena *a) {
    size_t batch = t->state.config.batch, n = batch * t->chosen;
    t->tasks = tsr_arena_take(a, n, sizeof *t->tasks);
    t->image_of_task = tsr_arena_take(a, n, sizeof *t->image_of_task);
    t->error = tsr_arena_take(a, n, sizeof *t->error);
    t->bad = tsr_arena_take(a, batch, sizeof *t->bad);
    t->order = tsr_arena_take(a, t->geometry.partition->n_regions, sizeof *t->order);
    t->region = tsr_arena_take(a, n, sizeof *t->region);
    t->y = tsr_arena_take(a, n, t->geometry.max_context * t->geometry.channels * sizeof *t->y);
    t->d_theta = tsr_arena_take(a, t->model->n_slots * t->model->net.n_params, sizeof *t->d_theta);
    t->d_rates = tsr_arena_take(a, tsr_rates_count(&t->model->rates), sizeof *t->d_rates);
}

static enum tsr_status load_validation(struct tsr_trainer *t, struct tsr_error *err) {
    struct validation *v = &t->validation;
    struct tsr_reconstruct_config config;
    size_t n, height = t->geometry.partition->height, width = t->geometry.partition->width;
    size_t size = t->geometry.n_pixels * t->geometry.channels;
    const uint32_t *index = tsr_dataset_split(t->dataset, TSR_SPLIT_VAL, &n);
    if (t->state.config.val_images && t->state.config.val_images < n)
        n = t->state.config.val_images;
    if (n == 0) return TSR_OK;
    void *p;
    TSR_TRY(tsr_alloc(&p, n, size, "validation images", err));
    v->pixels = p;
    v->n = n;
    for (size_t i = 0; i < n; i++)
        TSR_TRY(tsr_dataset_read(t->dataset, index[i], v->pixels + i * size, err));
    tsr_reconstruct_config_default(t->model, &config);
    config.threads = t->engine.threads;
    config.kernel = t->kernel;
    return tsr_reconstructor_create(t->model, &config, height, width, &v->reconstructor, err);
}

/* Everything but model and state, which are there. */
static enum tsr_status set_up(struct tsr_trainer *t, struct tsr_error *err) {
    const struct tsr_trainer_config *c = &t->state.config;
    const struct tsr_kernel *kernel;
    size_t height = tsr_dataset_height(t->dataset), width = tsr_dataset_width(t->dataset);
    TSR_TRY(tsr_kernel_find(t->kernel, &kernel, err));
    TSR_TRY(tsr_engine_create(&t->model->net, kernel, c->threads, &t->engine, err));
    TSR_TRY(tsr_geometry_create(t->model, height, width, &t->geometry, err));
    size_t regions = t->geometry.partition->n_regions;
    t->chosen = (size_t)lround(c->region_fraction * (double)regions);
    if (t->chosen < 1) t->chosen = 1;
    TSR_TRY(tsr_meta_create(&t->engine, c->method, t->model->config.inner_steps, &t->model->rates,
                            t->model->n_slots, c->batch * t->chosen, t->geometry.max_context,
                            &t->meta, err));
    struct tsr_arena measure = {0};
    layout(t, &measure);
    TSR_TRY(tsr_arena_create(&t->arena, measure.used, "training", err));
    layout(t, &t->arena);
    TSR_TRY(load_validation(t, err));
    return tsr_sampler_create(t->dataset, TSR_SPLIT_TRAIN, c->batch, c->seed,
                              t->state.progress.outer_step, &t->sampler, err);
}

static enum tsr_status open_dataset(struct tsr_trainer *t, const char *path,
                                    struct tsr_error *err) {
    size_t n;
    TSR_TRY(tsr_dataset_open(path, &t->dataset, err));
    (void)tsr_dataset_split(t->dataset, TSR_SPLIT_TRAIN, &n);
    if (n == 0) return TSR_ERROR(err, TSR_ERR_CONFIG, "%s: the train split has no images", path);
    return TSR_OK;
}

static enum tsr_status make_model(struct tsr_trainer *t, const struct tsr_model_config *from,
                                  const struct tsr_model *init, struct tsr_error *err) {
    struct tsr_model_config config = *from;
    config.height = tsr_dataset_height(t->dataset);
    config.width = tsr_dataset_width(t->dataset);
    config.network.out_dim = tsr_dataset_channels(t->dataset);
    TSR_TRY(tsr_model_create(&config, t->state.config.seed, &t->model, err));
    if (init) TSR_TRY(tsr_model_init_from(t->model, init, err));
    return TSR_OK;
}

static enum tsr_status allocate(struct tsr_trainer **out, struct tsr_error *err) {
    void *p;
    *out = NULL;
    TSR_TRY(tsr_alloc(&p, 1, sizeof **out, "trainer", err));
    *out = p;
    return TSR_OK;
}

enum tsr_status tsr_trainer_create(const struct tsr_model_config *model_config,
                                   const struct tsr_trainer_config *config, const char *dataset,
                                   const struct tsr_model *init, struct tsr_trainer **out,
                                   struct tsr_error *err) {
    enum tsr_status status;
    struct tsr_outer_state moments;
    TSR_TRY(allocate(out, err));
    struct tsr_trainer *t = *out;
    TSR_CHECK(tsr_trainer_config_check(config, err));
    t->state.config = *config;
    TSR_CHECK(own_strings(t, err));
    TSR_CHECK(open_dataset(t, dataset, err));
    TSR_CHECK(make_model(t, model_config, init, err));
    TSR_CHECK(tsr_outer_state_create(t->model, &moments, err));
    moments.config = t->state.config;
    moments.progress.val_psnr_db = moments.progress.train_psnr_db = (double)NAN;
    t->state = moments;
    if (t->state.config.outer_lr <= 0)
        t->state.config.outer_lr = default_outer_lr(t->model->net.kind, t->model->net.width);
    TSR_CHECK(set_up(t, err));
done:
    if (status == TSR_OK) return TSR_OK;
    tsr_trainer_free(t);
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

enum tsr_status tsr_trainer_resume(const char *checkpoint, const struct tsr_trainer_config *config,
                                   const char *dataset, struct tsr_trainer **out,
                                   struct tsr_error *err) {
    enum tsr_status status;
    TSR_TRY(allocate(out, err));
    struct tsr_trainer *t = *out;
    TSR_CHECK(tsr_checkpoint_load(checkpoint, &t->model, &t->state, err));
    take_over(&t->state.config, config);
    TSR_CHECK(own_strings(t, err));
    TSR_CHECK(tsr_trainer_config_check(&t->state.config, err));
    TSR_CHECK(open_dataset(t, dataset, err));
    TSR_CHECK(tsr_model_check_image(t->model, tsr_dataset_height(t->dataset),
                                    tsr_dataset_width(t->dataset), tsr_dataset_channels(t->dataset),
                                    err));
    t->seconds_before = t->state.progress.seconds;
    TSR_CHECK(set_up(t, err));
done:
    if (status == TSR_OK) return TSR_OK;
    tsr_trainer_free(t);
    *out = NULL;
    return status;
}

void tsr_trainer_free(struct tsr_trainer *t) {
    if (!t) return;
    tsr_sampler_free(t->sampler);
    tsr_dataset_close(t->dataset);
    tsr_reconstructor_free(t->validation.reconstructor);
    free(t->validation.pixels);
    tsr_meta_free(t->meta);
    tsr_geometry_clear(&t->geometry);
    tsr_engine_clear(&t->engine);
    tsr_arena_free(&t->arena);
    tsr_outer_state_clear(&t->state);
    tsr_model_free(t->model);
    free(t->kernel);
    free(t->output);
    free(t->command);
    free(t);
}

const struct tsr_model *tsr_trainer_model(const struct tsr_trainer *trainer) {
    return trainer->model;
}

const struct tsr_trainer_config *tsr_trainer_settings(const struct tsr_trainer *trainer) {
    return &trainer->state.config;
}

const struct tsr_trainer_progress *tsr_trainer_state(const struct tsr_trainer *trainer) {
    return &trainer->state.progress;
}

/* ---- one outer step -----------------------------------------------------------------------------
 */

/* The first `chosen` of a random order of the regions: a function of seed, outer step and image. */
static void choose_regions(struct tsr_trainer *t, size_t image, uint32_t *out) {
    size_t n = t->geometry.partition->n_regions;
    uint64_t stream = t->state.progress.outer_step << 32 | TSR_STREAM_REGIONS;
    for (size_t i = 0; i < n; i++)
        t->order[i] = (uint32_t)i;
    for (size_t i = 0; i < t->chosen; i++) {
        size_t j = i;
        if (t->chosen < n)
            j += (size_t)tsr_random_below(t->state.config.seed, stream, image * n + i, n - i);
        out[i] = t->order[j];
        t->order[j] = t->order[i];
    }
}

static void gather_targets(struct tsr_trainer *t, const struct tsr_image_batch *batch) {
    size_t stride = t->geometry.max_context * t->geometry.channels;
    size_t image_size = t->geometry.n_pixels * t->geometry.channels, n = batch->n * t->chosen;
    for (size_t b = 0; b < batch->n; b++)
        choose_regions(t, b, t->region + b * t->chosen);
#pragma omp parallel for schedule(static) num_threads((int)t->engine.threads)
    for (size_t i = 0; i < n; i++)
        tsr_geometry_targets(&t->geometry, batch->pixels + i / t->chosen * image_size, t->region[i],
                             t->y + i * stride);
}

/* Tasks of the images that are not bad. Outer loss: mean over these images of the mean over the
 * pixels chosen of each. */
static void make_tasks(struct tsr_trainer *t, size_t n_images) {
    size_t stride = t->geometry.max_context * t->geometry.channels, good = 0;
    for (size_t b = 0; b < n_images; b++)
        good += !t->bad[b];
    t->n_tasks = 0;
    for (size_t b = 0; b < n_images; b++) {
        if (t->bad[b]) continue;
        size_t pixels = 0, first = t->n_tasks;
        for (size_t i = b * t->chosen; i < (b + 1) * t->chosen; i++) {
            struct tsr_task *task = &t->tasks[t->n_tasks];
            *task = tsr_geometry_task(&t->geometry, t->region[i], t->y + i * stride);
            pixels += task->qry.n;
            t->image_of_task[t->n_tasks++] = b;
        }
        for (size_t i = first; i < t->n_tasks; i++)
            t->tasks[i].qry_scale = 1.0 / (double)(good * pixels * t->geometry.channels);
    }
}

/* Marks the images of tasks that went wrong; how many are new. */
static size_t mark_bad(struct tsr_trainer *t) {
    size_t n = 0;
    for (size_t i = 0; i < t->n_tasks; i++) {
        size_t b = t->image_of_task[i];
        if (isfinite(t->error[i]) || t->bad[b]) continue;
        t->bad[b] = true;
        n++;
    }
    return n;
}

/* Mean over the images in play of the PSNR over their chosen pixels. */
static double mean_psnr(const struct tsr_trainer *t) {
    double sum = 0;
    for (size_t i = 0; i < t->n_tasks; i += t->chosen) {
        double error = 0;
        size_t pixels = 0;
        for (size_t j = i; j < i + t->chosen; j++) {
            error += t->error[j];
            pixels += t->tasks[j].qry.n;
        }
        sum += tsr_psnr_db(error, pixels * t->geometry.channels);
    }
    return sum / ((double)t->n_tasks / (double)t->chosen);
}

static double progress_of(const struct tsr_trainer *t) {
    const struct tsr_trainer_config *c = &t->state.config;
    double steps = 0, time = 0;
    if (c->outer_steps) steps = (double)t->state.progress.outer_step / (double)c->outer_steps;
    if (c->seconds > 0) time = t->state.progress.seconds / c->seconds;
    return steps > time ? steps : time;
}

static void update(struct tsr_trainer *t) {
    const struct tsr_trainer_config *c = &t->state.config;
    struct tsr_trainer_progress *p = &t->state.progress;
    size_t n = t->model->n_slots * t->model->net.n_params;
    double schedule = tsr_schedule(p->outer_step, c->warmup, progress_of(t), c->final_lr);
    p->outer_lr = c->outer_lr * schedule;
    struct tsr_adam adam = {p->outer_lr, c->beta1, c->beta2, p->outer_step + 1};
    tsr_adam_update(&adam, tsr_clip_factor(p->gradient_norm, c->clip), n, t->d_theta,
                    t->model->theta, t->state.m_theta, t->state.v_theta);
    if (t->model->rates.kind == TSR_RATES_FIXED || c->method == TSR_METHOD_REPTILE) return;
    adam.lr = c->rates_lr * t->model->config.inner_lr * schedule;
    tsr_adam_update(&adam, 1, tsr_rates_count(&t->model->rates), t->d_rates, t->model->rates.value,
                    t->state.m_rates, t->state.v_rates);
}

/* The meta-gradient of the images that give a finite one. False if there is none. */
static bool finite_gradient(struct tsr_trainer *t, size_t n_images) {
    struct tsr_trainer_progress *p = &t->state.progress;
    size_t n = t->model->n_slots * t->model->net.n_params, bad;
    memset(t->bad, 0, n_images * sizeof *t->bad);
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

static enum tsr_status outer_step(struct tsr_trainer *t, struct tsr_error *err) {
    struct tsr_trainer_progress *p = &t->state.progress;
    struct tsr_image_batch batch;
    uint64_t skipped = p->skipped;
    TSR_TRY(tsr_sampler_next(t->sampler, &batch, err));
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

static double validate(struct tsr_trainer *t) {
    size_t size = t->geometry.n_pixels * t->geometry.channels, k = t->model->config.inner_steps;
    double sum = 0, psnr[1001];
    for (size_t i = 0; i < t->validation.n; i++) {
        struct tsr_reconstruction out = {.psnr_db = psnr};
        tsr_reconstruct(t->validation.reconstructor, t->validation.pixels + i * size, &out);
        sum += psnr[k];
    }
    return t->validation.n ? sum / (double)t->validation.n : (double)NAN;
}

static bool validation_due(const struct tsr_trainer *t) {
    const struct tsr_trainer_config *c = &t->state.config;
    const struct tsr_trainer_progress *p = &t->state.progress;
    if (c->val_every) return p->outer_step % c->val_every == 0;
    if (!c->outer_steps) return progress_of(t) >= t->next_validation;
    uint64_t every = c->outer_steps >= 10 ? c->outer_steps / 10 : 1;
    return p->outer_step % every == 0;
}

static enum tsr_status record_validation(struct tsr_trainer *t, struct tsr_error *err) {
    struct tsr_trainer_progress *p = &t->state.progress;
    t->next_validation = floor(progress_of(t) * 10 + 1) / 10;
    if (t->validation.n == 0) return TSR_OK;
    p->val_psnr_db = validate(t);
    p->validated = 1;
    struct tsr_history_line line = {(double)p->outer_step, p->seconds, p->train_psnr_db,
                                    p->val_psnr_db, p->outer_lr};
    return tsr_outer_state_add_history(&t->state, &line, err);
}

static enum tsr_status checkpoint(struct tsr_trainer *t, struct tsr_error *err) {
    t->last_checkpoint = tsr_seconds();
    if (!t->output) return TSR_OK;
    return tsr_checkpoint_save(t->model, &t->state, t->output, err);
}

static void tick(struct tsr_trainer *t) {
    struct tsr_trainer_progress *p = &t->state.progress;
    double session = tsr_seconds() - t->session_start;
    p->seconds = t->seconds_before + session;
    p->images_per_second = (double)t->session_images / (session > 1e-9 ? session : 1e-9);
    p->outer_steps = t->state.config.outer_steps;
    p->seconds_bound = t->state.config.seconds;
}

static enum tsr_status train(struct tsr_trainer *t, const struct tsr_trainer_callbacks *callbacks,
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

enum tsr_status tsr_trainer_run(struct tsr_trainer *trainer,
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
