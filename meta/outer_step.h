/* SPDX-License-Identifier: MIT
 *
 * One outer step: meta-batch, tasks, meta-gradient, update. Internal to meta/.
 */
#ifndef TSR_META_OUTER_STEP_H
#define TSR_META_OUTER_STEP_H

#include "meta/meta_gradient.h"
#include "meta/trainer.h"

/* Engine and storage of outer steps. */
struct tsr_outer_step {
    struct tsr_learner learner;
    struct tsr_task_source *source;
    struct tsr_outer_state *state;
    struct tsr_engine engine;
    struct tsr_meta_workspace *workspace;
    struct tsr_task_batch batch;
    const struct tsr_comm *comm;
    struct tsr_span span;   /* items of this process */
    double *psnr_db;        /* [n_items] */
    bool *bad;              /* [n_items] to be left out */
    size_t n_good;          /* items in play, */
    size_t n_tasks;         /* and their tasks of this process */
    struct tsr_task *tasks; /* [max_tasks] those of the items in play */
    size_t *item;           /* [max_tasks] whose each is, of n_items */
    double *error;          /* [max_tasks] */
    bool *present;          /* [n_slots] slots that have a task */
    tsr_real *d_theta, *d_basis, *d_rates;
    /* Told the name of each item that is left out; may be NULL. */
    void (*left_out)(void *user, const char *name);
    void *user;
    double waited; /* seconds, for other processes */
    struct tsr_arena arena;
};

enum tsr_status tsr_outer_step_create(const struct tsr_learner *learner,
                                      struct tsr_task_source *source, struct tsr_outer_state *state,
                                      struct tsr_outer_step *out,
                                      struct tsr_error *err) TSR_MUST_USE;
void tsr_outer_step_clear(struct tsr_outer_step *o);

/* Takes the outer step state->progress.outer_step and counts it. `progress` of the run, 0 to 1.
 * Collective: the same on every process, errors too.
 * TSR_ERR_NUMERIC: too large a share of the items was not finite lately. */
enum tsr_status tsr_outer_step_take(struct tsr_outer_step *o, double progress,
                                    struct tsr_error *err) TSR_MUST_USE;

#endif
