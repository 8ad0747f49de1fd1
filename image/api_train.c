/* SPDX-License-Identifier: MIT
 *
 * tsr_model_train(): a dataset to a model.
 */
#include "image/api_checks.h"
#include "image/api_settings.h"
#include "image/training.h"

struct listener {
    tsr_training_fn progress;
    void *user;
};

static int forward(void *user, const struct tsr_trainer_progress *p) {
    const struct listener *listener = user;
    const struct tsr_training_progress state = {.size = sizeof state,
                                                .outer_step = p->outer_step,
                                                .outer_steps = p->outer_steps,
                                                .seconds = p->seconds,
                                                .seconds_bound = p->seconds_bound,
                                                .train_psnr_db = p->train_psnr_db,
                                                .val_psnr_db = p->val_psnr_db,
                                                .skipped = p->skipped};
    return listener->progress(listener->user, &state);
}

static enum tsr_status copy_model(const struct tsr_model *from, struct tsr_model **out,
                                  struct tsr_error *err) {
    TSR_TRY(tsr_model_create(&from->config, 0, out, err));
    enum tsr_status status = tsr_model_init_from(*out, from, err);
    if (status == TSR_OK) return TSR_OK;
    tsr_model_free(*out);
    *out = NULL;
    return status;
}

static enum tsr_status run(struct tsr_dataset *dataset, const struct tsr_settings *settings,
                           const struct tsr_model *init,
                           const struct tsr_trainer_callbacks *callbacks, struct tsr_model **out,
                           struct tsr_error *err) {
    struct tsr_training *training;
    struct tsr_model_config model = settings->model;
    struct tsr_trainer_config config = settings->outer.config;
    if (!settings->rate_given) model.inner_lr = tsr_model_start_rate(&model);
    if (config.seconds > 0 && !settings->steps_given) config.outer_steps = 0;
    config.threads = settings->threads;
    config.kernel = settings->kernel;
    TSR_TRY(tsr_training_create(&model, &config, dataset, init, &training, err));
    enum tsr_status status = tsr_training_run(training, callbacks, err);
    if (status == TSR_OK || status == TSR_ERR_INTERRUPTED || status == TSR_ERR_NUMERIC) {
        /* The error of the run is the one to report. */
        enum tsr_status copied =
            copy_model(tsr_training_model(training), out, status == TSR_OK ? err : NULL);
        if (status == TSR_OK) status = copied;
    }
    tsr_training_free(training);
    return status;
}

enum tsr_status tsr_model_train(struct tsr_dataset *dataset, const struct tsr_settings *settings,
                                const struct tsr_model *init, tsr_training_fn progress, void *user,
                                struct tsr_model **out, struct tsr_error *err) {
    struct tsr_settings *defaults = NULL;
    struct listener listener = {progress, user};
    const struct tsr_trainer_callbacks callbacks = {.progress = forward, .user = &listener};
    TSR_NEED(out, err);
    *out = NULL;
    TSR_NEED(dataset, err);
    if (!settings) TSR_TRY(tsr_settings_create(&defaults, err));
    enum tsr_status status =
        run(dataset, settings ? settings : defaults, init, progress ? &callbacks : NULL, out, err);
    tsr_settings_free(defaults);
    return status;
}
