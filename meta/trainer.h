/* SPDX-License-Identifier: MIT
 *
 * The outer loop: learning to learn, of whatever signals a task source gives.
 *
 * One outer step: a meta-batch of tasks, their meta-gradient, Adam on initialisations and rates
 * with warm-up, cosine decay and a clipped norm. An item (an image) whose loss or gradient is not
 * finite is left out of its outer step and counted.
 *
 * A run has diverged when that is so for more than half of the items of the last outer steps, or
 * when a validation is not finite or more than 3 dB below the best one so far: the error, of the
 * same items, has doubled. The last good state is that of the last validation not more than 0.5 dB
 * below the best one, at first that of the beginning; without a validator it is that of the last
 * outer step after which a validation would be due. A run that has diverged goes back to it:
 * initialisations, rates and moments, while outer step, time and the order of the data go on, so
 * that the same data are not met again. From there on the outer rates are half of what they would
 * be. After config.max_rollbacks of that the next divergence ends the run with TSR_ERR_NUMERIC in
 * the last good state, and so does one at its last outer step. All of this is part of what is
 * saved: a run resumed before a rollback does it, too.
 *
 * With a bound on outer steps a run is a function of its configuration and its source: the bits do
 * not depend on the number of threads, and a resumed run equals an uninterrupted one. With a bound
 * on time the schedule follows the clock, and it does not.
 *
 * Several processes may share a run (config.comm): each calls everything here, with a source of its
 * share of the items and a validator and a store that know of it. Initialisations, rates and state
 * are then the same on all of them and those of one process, to the last bit. The clock is that of
 * rank 0; any process's callback or error ends the run for all, and errors of one are all's.
 */
#ifndef TSR_META_TRAINER_H
#define TSR_META_TRAINER_H

#include "meta/outer_state.h"
#include "meta/task_source.h"
#include "meta/validator.h"

/* What is learned: a view of initialisations and rates that someone else owns. */
struct tsr_learner {
    const struct tsr_net *net;
    struct tsr_choice adaptation; /* what the inner loop adapts, of tsr_adaptations */
    tsr_real *theta;              /* [n_slots of the source, n_params] */
    tsr_real *basis;              /* [n_slots, n_directions, n_params]; NULL if there is none */
    struct tsr_rates *rates;      /* with values */
    size_t inner_steps;           /* K */
    double inner_lr;              /* what the rates began from */
};

/* Keeps what has been learned: the learner and the state. */
struct tsr_store {
    void *user;
    enum tsr_status (*save)(void *user, struct tsr_error *err); /* NULL: nothing is kept */
};

struct tsr_trainer_callbacks {
    /* After every outer step. Nonzero ends the run: it is saved, TSR_ERR_INTERRUPTED returned. */
    int (*progress)(void *user, const struct tsr_trainer_progress *progress);
    void *user;
    /* Asked during validation, which may take long; nonzero ends the run likewise. May be NULL. */
    int (*stop)(void *user);
    /* A save at an interval failed; the run goes on and tries again. May be NULL. */
    void (*save_failed)(void *user, const struct tsr_error *error);
    /* The run has diverged and gone back; why and how far, as a sentence. May be NULL. */
    void (*rolled_back)(void *user, const char *what);
    /* Whoever runs the trainer has turned the slots: into what, as a sentence. May be NULL. */
    void (*turned)(void *user, const char *what);
    /* An item was left out of an outer step; its name, for as long as the call. May be NULL. */
    void (*left_out)(void *user, const char *name);
    /* Where several processes share the run, at every validation: seconds[n] that each has waited
     * for the others in outer steps, in this call of tsr_trainer_run(); the slowest waits least.
     * May be NULL. */
    void (*waited)(void *user, const double *seconds, size_t n);
};

struct tsr_trainer;

/* The learner, the source, the validator, the store and the state are the caller's and kept;
 * state->progress says where the run stands. */
TSR_API enum tsr_status tsr_trainer_create(const struct tsr_learner *learner,
                                           struct tsr_task_source *source,
                                           const struct tsr_validator *validator,
                                           const struct tsr_store *store,
                                           struct tsr_outer_state *state, struct tsr_trainer **out,
                                           struct tsr_error *err) TSR_MUST_USE;
TSR_API void tsr_trainer_free(struct tsr_trainer *trainer); /* accepts NULL */

/* Trains until a bound, a turn of the slots that is due (tsr_outer_state_is_due(): the caller's
 * business), an interruption or an error; saves at intervals and at the end, whatever
 * the end is: progress.saved and .saved_outer_step say what the store holds. When saving at the end
 * fails, that is the error returned; after an interruption or another error it is appended to that,
 * and at a turn the run goes on, as between. What is to turn has been validated.
 * May be called again, to go on. `callbacks` may be NULL. */
TSR_API enum tsr_status tsr_trainer_run(struct tsr_trainer *trainer,
                                        const struct tsr_trainer_callbacks *callbacks,
                                        struct tsr_error *err) TSR_MUST_USE;

#endif
