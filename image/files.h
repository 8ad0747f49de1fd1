/* SPDX-License-Identifier: MIT
 *
 * What a checkpoint holds besides the model; docs/formats.md. Internal to meta/.
 */
#ifndef TSR_IMAGE_FILES_H
#define TSR_IMAGE_FILES_H

#include "meta/trainer.h"

/* One line of a run's history, at each validation. */
struct tsr_history_line {
    double outer_step, seconds, train_psnr_db, val_psnr_db, outer_lr;
};
#define TSR_HISTORY_COLUMNS 5

/* Everything that a resumed run needs besides model and dataset. */
struct tsr_outer_state {
    struct tsr_trainer_config config; /* strings are not stored here */
    struct tsr_trainer_progress progress;
    tsr_real *m_theta, *v_theta;      /* [n_slots, n_params] Adam's moments; owned */
    tsr_real *m_rates, *v_rates;      /* as rates.value; owned */
    struct tsr_history_line *history; /* owned */
    size_t n_history, max_history;
};

/* Zeroed moments for this model. */
enum tsr_status tsr_outer_state_create(const struct tsr_model *model, struct tsr_outer_state *out,
                                       struct tsr_error *err) TSR_MUST_USE;
void tsr_outer_state_clear(struct tsr_outer_state *state);
enum tsr_status tsr_outer_state_add_history(struct tsr_outer_state *state,
                                            const struct tsr_history_line *line,
                                            struct tsr_error *err) TSR_MUST_USE;

/* Model and training state in one file, atomically; `state` NULL: the model alone. */
enum tsr_status tsr_checkpoint_save(const struct tsr_model *model,
                                    const struct tsr_outer_state *state, const char *path,
                                    struct tsr_error *err) TSR_MUST_USE;
/* TSR_ERR_FORMAT if the file has no /outer. */
enum tsr_status tsr_checkpoint_load(const char *path, struct tsr_model **model,
                                    struct tsr_outer_state *state,
                                    struct tsr_error *err) TSR_MUST_USE;

#endif
