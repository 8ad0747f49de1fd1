/* SPDX-License-Identifier: MIT
 *
 * Meta-training of a model on a dataset of images.
 *
 *     struct tsr_trainer_config config;
 *     tsr_trainer_config_default(&config);
 *     tsr_training_create(&model_config, &config, dataset, NULL, &training, err);
 *     tsr_training_run(training, &callbacks, err);
 *     tsr_training_free(training);
 *
 * The dataset is the caller's and must live until tsr_training_free(); nobody else may use it
 * meanwhile, since a thread of the run reads ahead in it.
 */
#ifndef TSR_IMAGE_TRAINING_H
#define TSR_IMAGE_TRAINING_H

#include "data/dataset.h"
#include "image/evaluate.h"
#include "meta/trainer.h"

struct tsr_training;

/* What of a model the outer loop learns: a view. */
static inline struct tsr_learner tsr_model_learner(struct tsr_model *model) {
    return (struct tsr_learner){.net = &model->net,
                                .adaptation = model->config.adaptation,
                                .theta = model->theta,
                                .basis = model->basis,
                                .rates = &model->rates,
                                .inner_steps = model->config.inner_steps,
                                .inner_lr = model->config.inner_lr};
}

/* A new run. model_config->height and ->width and network.out_dim are taken from the dataset, and
 * so is the number of classes of the rule `labels` where it is 0.
 * `init`: a model to start from (tsr_model_init_from), or NULL. */
TSR_API enum tsr_status tsr_training_create(const struct tsr_model_config *model_config,
                                            const struct tsr_trainer_config *config,
                                            struct tsr_dataset *dataset,
                                            const struct tsr_model *init, struct tsr_training **out,
                                            struct tsr_error *err) TSR_MUST_USE;

/* Continues the run saved in `checkpoint` on `dataset`. From `config` are taken: outer_steps and
 * seconds (0 and 0: as saved), threads, kernel, output, checkpoint_seconds, command, force, and
 * max_rollbacks if it is more than was saved; the rest is as saved. Errors: TSR_ERR_FORMAT if the
 * file has no /outer; TSR_ERR_CONFIG if the dataset is not the one that the run began with
 * (data/identity.h), unless config->force. */
TSR_API enum tsr_status tsr_training_resume(const char *checkpoint,
                                            const struct tsr_trainer_config *config,
                                            struct tsr_dataset *dataset, struct tsr_training **out,
                                            struct tsr_error *err) TSR_MUST_USE;

/* What whoever resumes a run should know, as a sentence (view); NULL for i past the last: the data
 * are others, or nothing is known of them, or another kernel computes, so that the bits differ from
 * those of an uninterrupted run. A new run has none. */
TSR_API const char *tsr_training_remark(const struct tsr_training *training, size_t i);

/* tsr_trainer_run(), through the turn of the slots if settings want one; what it saves, on rank 0,
 * is the file config.output. `callbacks` may be NULL. A file of images that is replaced or written
 * to meanwhile ends the run with TSR_ERR_IO, within about a second; what was learned is saved. */
TSR_API enum tsr_status tsr_training_run(struct tsr_training *training,
                                         const struct tsr_trainer_callbacks *callbacks,
                                         struct tsr_error *err) TSR_MUST_USE;

/* From now on the observer sees `limit` of the images that this process validates on, at every
 * validation (tsr_validation_observe()). *n: how many; 0 where nothing is validated on. */
TSR_API enum tsr_status tsr_training_observe(struct tsr_training *training,
                                             const struct tsr_observer *observer, size_t limit,
                                             size_t *n, struct tsr_error *err) TSR_MUST_USE;

/* After a run that is done: rank 0 writes config.output once more, without what only a resumed run
 * needs, a basis deflated. Such a model cannot be resumed. */
TSR_API enum tsr_status tsr_training_finish(const struct tsr_training *training,
                                            struct tsr_error *err) TSR_MUST_USE;

/* Views. */
TSR_API const struct tsr_model *tsr_training_model(const struct tsr_training *training);
TSR_API const struct tsr_trainer_config *tsr_training_settings(const struct tsr_training *training);
TSR_API const struct tsr_trainer_progress *tsr_training_state(const struct tsr_training *training);

TSR_API void tsr_training_free(struct tsr_training *training); /* accepts NULL */

#endif
