/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "image/training.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "image/checkpoint.h"
#include "image/image_tasks.h"
#include "image/regions.h"
#include "image/validation.h"

/* Images that the anchors of segments are learned from. */
enum { ANCHOR_IMAGES = 256 };

struct tsr_training {
    struct tsr_model *model;
    struct tsr_outer_state state; /* with settings and progress */
    char *kernel, *output, *command;
    struct tsr_task_source source;
    struct tsr_validator validator;
    struct tsr_trainer *trainer;
};

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

static enum tsr_status save(void *user, struct tsr_error *err) {
    const struct tsr_training *t = user;
    return tsr_checkpoint_save(t->model, &t->state, t->output, err);
}

/* Everything but model and state, which are there. */
static enum tsr_status set_up(struct tsr_training *t, struct tsr_dataset *dataset,
                              struct tsr_error *err) {
    const struct tsr_trainer_config *c = &t->state.config;
    const struct tsr_learner learner = tsr_model_learner(t->model);
    const struct tsr_store store = {t, t->output ? save : NULL};
    const struct tsr_image_tasks_config tasks = {.batch = c->batch,
                                                 .region_fraction = c->region_fraction,
                                                 .seed = c->seed,
                                                 .first_step = t->state.progress.outer_step,
                                                 .threads = c->threads};
    TSR_TRY(tsr_validation_create(t->model, dataset, c->val_images, c->threads, c->kernel,
                                  &t->validator, err));
    TSR_TRY(tsr_image_tasks_create(t->model, dataset, &tasks, &t->source, err));
    return tsr_trainer_create(&learner, &t->source, &t->validator, &store, &t->state, &t->trainer,
                              err);
}

static enum tsr_status make_model(struct tsr_training *t, const struct tsr_model_config *from,
                                  struct tsr_dataset *dataset, const struct tsr_model *init,
                                  struct tsr_error *err) {
    struct tsr_model_config config = *from;
    size_t n;
    (void)tsr_dataset_split(dataset, TSR_SPLIT_TRAIN, &n);
    if (n == 0)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "%s: the train split has no images",
                         tsr_dataset_path(dataset));
    config.height = tsr_dataset_height(dataset);
    config.width = tsr_dataset_width(dataset);
    config.network.out_dim = tsr_dataset_channels(dataset);
    tsr_regions_count_classes(&config.partition, dataset);
    TSR_TRY(tsr_model_create(&config, t->state.config.seed, &t->model, err));
    if (init) TSR_TRY(tsr_model_init_from(t->model, init, err));
    return tsr_regions_learn(t->model, dataset, ANCHOR_IMAGES, t->state.config.threads, err);
}

/* Moments and progress of a new run; its settings are there. */
static enum tsr_status make_state(struct tsr_training *t, struct tsr_error *err) {
    struct tsr_outer_state state;
    const struct tsr_model *m = t->model;
    TSR_TRY(tsr_outer_state_create(m->n_slots * m->net.n_params, tsr_rates_count(&m->rates), &state,
                                   err));
    state.config = t->state.config;
    state.progress.val_psnr_db = state.progress.train_psnr_db = (double)NAN;
    if (state.config.outer_lr <= 0) state.config.outer_lr = m->net.kind->outer_lr(m->net.width);
    t->state = state;
    return TSR_OK;
}

enum tsr_status tsr_training_create(const struct tsr_model_config *model_config,
                                    const struct tsr_trainer_config *config,
                                    struct tsr_dataset *dataset, const struct tsr_model *init,
                                    struct tsr_training **out, struct tsr_error *err) {
    enum tsr_status status;
    *out = NULL;
    TSR_TRY(TSR_ALLOC(out, 1, "training", err));
    struct tsr_training *t = *out;
    TSR_CHECK(tsr_trainer_config_check(config, err));
    t->state.config = *config;
    TSR_CHECK(own_strings(t, err));
    TSR_CHECK(make_model(t, model_config, dataset, init, err));
    TSR_CHECK(make_state(t, err));
    TSR_CHECK(set_up(t, dataset, err));
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
    *out = NULL;
    TSR_TRY(TSR_ALLOC(out, 1, "training", err));
    struct tsr_training *t = *out;
    TSR_CHECK(tsr_checkpoint_load(checkpoint, &t->model, &t->state, err));
    take_over(&t->state.config, config);
    TSR_CHECK(own_strings(t, err));
    TSR_CHECK(tsr_trainer_config_check(&t->state.config, err));
    TSR_CHECK(tsr_model_check_image(t->model, tsr_dataset_height(dataset),
                                    tsr_dataset_width(dataset), tsr_dataset_channels(dataset),
                                    err));
    TSR_CHECK(set_up(t, dataset, err));
done:
    if (status == TSR_OK) return TSR_OK;
    tsr_training_free(t);
    *out = NULL;
    return status;
}

enum tsr_status tsr_training_run(struct tsr_training *training,
                                 const struct tsr_trainer_callbacks *callbacks,
                                 struct tsr_error *err) {
    return tsr_trainer_run(training->trainer, callbacks, err);
}

void tsr_training_free(struct tsr_training *t) {
    if (!t) return;
    tsr_trainer_free(t->trainer);
    if (t->source.close) t->source.close(t->source.user);
    if (t->validator.close) t->validator.close(t->validator.user);
    tsr_outer_state_clear(&t->state);
    tsr_model_free(t->model);
    free(t->kernel);
    free(t->output);
    free(t->command);
    free(t);
}

const struct tsr_model *tsr_training_model(const struct tsr_training *training) {
    return training->model;
}

const struct tsr_trainer_config *tsr_training_settings(const struct tsr_training *training) {
    return &training->state.config;
}

const struct tsr_trainer_progress *tsr_training_state(const struct tsr_training *training) {
    return &training->state.progress;
}
