/* SPDX-License-Identifier: MIT
 *
 * Meta-training: the outer loop.
 *
 *     struct tsr_trainer_config config;  tsr_trainer_config_default(&config);
 *     tsr_trainer_create(&model_config, &config, "data.h5", &trainer, err);   // or
 * tsr_trainer_resume() tsr_trainer_run(trainer, &callbacks, err); tsr_trainer_free(trainer);
 *
 * One outer step: a meta-batch of images; of each a random fraction of its regions; their
 * meta-gradient; Adam on initialisations and rates with warm-up, cosine decay and a clipped norm.
 * An image whose loss or gradient is not finite is left out of its outer step and counted; when
 * that persists the run ends with TSR_ERR_NUMERIC. With a bound on outer steps a run is a function
 * of its configuration and seed: the bits do not depend on the number of threads, and a resumed run
 * equals an uninterrupted one. With a bound on time the schedule follows the clock, and it does
 * not.
 */
#ifndef TSR_META_TRAINER_H
#define TSR_META_TRAINER_H

#include "data/dataset.h"
#include "image/model.h"
#include "meta/meta_gradient.h"

struct tsr_trainer_config {
    enum tsr_method method;
    size_t batch;           /* images of a meta-batch, 1 .. 65536 */
    double region_fraction; /* of each image's regions in an outer step, (0, 1]; at least one */
    double outer_lr; /* Adam's rate on the initialisations; 0: by kind and width of the network */
    double rates_lr; /* Adam's rate on the rates, as a fraction of their start value; 0.02 */
    double beta1, beta2;  /* 0.9, 0.99 */
    size_t warmup;        /* outer steps of linear warm-up */
    double final_lr;      /* of the cosine decay, as a fraction of outer_lr */
    double clip;          /* bound on the norm of the meta-gradient of theta; 0: none */
    uint64_t outer_steps; /* stop after so many in all; 0: by time */
    double seconds;       /* stop after so many seconds of training in all; 0: by outer_steps */
    size_t val_every;     /* outer steps between validations; 0: every tenth of the run */
    size_t val_images;    /* at most this many; 0: all */
    double checkpoint_seconds; /* between checkpoints; 0: only at the end */
    uint64_t seed;
    size_t threads;      /* 0: all */
    const char *kernel;  /* "auto", ... */
    const char *output;  /* model file; NULL: none is written */
    const char *command; /* stored in the file; may be NULL */
};
TSR_API void tsr_trainer_config_default(struct tsr_trainer_config *config);
TSR_API enum tsr_status tsr_trainer_config_check(const struct tsr_trainer_config *config,
                                                 struct tsr_error *err) TSR_MUST_USE;

/* Where a run stands; for progress and history. */
struct tsr_trainer_progress {
    uint64_t outer_step;  /* done */
    uint64_t outer_steps; /* bound; 0: by time */
    double seconds;       /* of training so far, earlier sessions included */
    double seconds_bound; /* 0: by outer steps */
    double train_psnr_db; /* mean over the images of this outer step (its regions), after K inner
                             steps */
    double val_psnr_db; /* mean over validation images after K inner steps; NaN before the first */
    double outer_lr;    /* in use */
    double gradient_norm;     /* of theta, before clipping */
    uint64_t skipped;         /* images left out because something was not finite */
    double images_per_second; /* since the start of this session */
    int validated;            /* nonzero when val_psnr_db is new */
};

struct tsr_trainer_callbacks {
    /* After every outer step. Nonzero ends the run: a checkpoint is written, TSR_ERR_INTERRUPTED
     * returned. */
    int (*progress)(void *user, const struct tsr_trainer_progress *progress);
    void *user;
};

struct tsr_trainer;

/* A new run. model_config->height and ->width and network.out_dim are taken from the dataset, and
 * so is the number of classes of the rule `labels` where it is 0.
 * `init`: a model to start from (tsr_model_init_from), or NULL. */
TSR_API enum tsr_status tsr_trainer_create(const struct tsr_model_config *model_config,
                                           const struct tsr_trainer_config *config,
                                           const char *dataset, const struct tsr_model *init,
                                           struct tsr_trainer **out,
                                           struct tsr_error *err) TSR_MUST_USE;

/* Continues the run saved in `checkpoint` on `dataset`. From `config` are taken: outer_steps and
 * seconds (0 and 0: as saved), threads, kernel, output, checkpoint_seconds, command; the rest
 * is as saved. Errors: TSR_ERR_FORMAT if the file has no /outer. */
TSR_API enum tsr_status tsr_trainer_resume(const char *checkpoint,
                                           const struct tsr_trainer_config *config,
                                           const char *dataset, struct tsr_trainer **out,
                                           struct tsr_error *err) TSR_MUST_USE;

/* Trains until a bound, an interruption or an error; writes the checkpoint at intervals and at the
 * end (also after an interruption or a divergence, then of the last good state). `callbacks` may be
 * NULL. */
TSR_API enum tsr_status tsr_trainer_run(struct tsr_trainer *trainer,
                                        const struct tsr_trainer_callbacks *callbacks,
                                        struct tsr_error *err) TSR_MUST_USE;

/* Views. */
TSR_API const struct tsr_model *tsr_trainer_model(const struct tsr_trainer *trainer);
TSR_API const struct tsr_trainer_config *tsr_trainer_settings(const struct tsr_trainer *trainer);
TSR_API const struct tsr_trainer_progress *tsr_trainer_state(const struct tsr_trainer *trainer);

TSR_API void tsr_trainer_free(struct tsr_trainer *trainer); /* accepts NULL */

#endif
