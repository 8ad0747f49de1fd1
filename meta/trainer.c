/* SPDX-License-Identifier: MIT */
#include "meta/trainer.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/memory.h"
#include "meta/outer_optimizer.h"
#include "meta/outer_step.h"

/* How far a validation may lie below the best one: of a good state, and of a run that has not
 * diverged. */
static const double GOOD_DB = 0.5, CLIFF_DB = 3;

/* What every process says of itself at a validation. */
struct roll {
    double waited;
    uint64_t digest; /* of what is learned */
};

struct tsr_trainer {
    struct tsr_outer_step step;
    struct tsr_outer_state *state;
    struct tsr_validator validator;
    struct tsr_store store;
    /* This call of tsr_trainer_run(). */
    const struct tsr_trainer_callbacks *callbacks;
    uint64_t items_before;
    double start, seconds_before, data_before, last_save, next_validation;
    struct roll *roll; /* [ranks] */
    double *waited;    /* [ranks] */
};

static const struct tsr_comm *comm_of(const struct tsr_trainer *t) {
    return t->step.comm;
}

enum tsr_status tsr_trainer_create(const struct tsr_learner *learner,
                                   struct tsr_task_source *source,
                                   const struct tsr_validator *validator,
                                   const struct tsr_store *store, struct tsr_outer_state *state,
                                   struct tsr_trainer **out, struct tsr_error *err) {
    *out = NULL;
    TSR_TRY(tsr_trainer_config_check(&state->config, err));
    TSR_TRY(TSR_ALLOC(out, 1, "trainer", err));
    (*out)->state = state;
    (*out)->validator = *validator;
    (*out)->store = *store;
    const struct tsr_values first = {learner->theta, learner->basis, learner->rates->value};
    enum tsr_status status = tsr_outer_state_average(state, &first, err);
    if (status == TSR_OK)
        status = tsr_outer_step_create(learner, source, state, &(*out)->step, err);
    if (status == TSR_OK)
        status = TSR_ALLOC(&(*out)->roll, (*out)->step.comm->size, "what ranks say", err);
    if (status == TSR_OK)
        status = TSR_ALLOC(&(*out)->waited, (*out)->step.comm->size, "what ranks say", err);
    if (status == TSR_OK) return TSR_OK;
    tsr_trainer_free(*out);
    *out = NULL;
    return status;
}

void tsr_trainer_free(struct tsr_trainer *t) {
    if (!t) return;
    tsr_outer_step_clear(&t->step);
    free(t->roll);
    free(t->waited);
    free(t);
}

/* The learner holds the running mean, if there is one, where others look at it, and what the run
 * goes on from otherwise. */
static void swap_mean(struct tsr_trainer *t) {
    const struct tsr_learner *l = &t->step.learner;
    const struct tsr_values values = {l->theta, l->basis, l->rates->value};
    tsr_outer_state_swap(t->state, &values);
}

/* ---- where the run stands ---------------------------------------------------------------------
 */

static double progress_of(const struct tsr_trainer *t) {
    return tsr_outer_state_progress(t->state);
}

static double waited_for_data(const struct tsr_trainer *t) {
    const struct tsr_task_source *source = t->step.source;
    return source->waited ? source->waited(source->user) : 0;
}

/* By the clock of rank 0. */
static enum tsr_status tick(struct tsr_trainer *t, struct tsr_error *err) {
    struct tsr_trainer_progress *p = &t->state->progress;
    double session = tsr_seconds() - t->start;
    TSR_TRY(tsr_comm_share(comm_of(t), &session, sizeof session, err));
    p->seconds = t->seconds_before + session;
    p->session_seconds = session;
    p->data_seconds = waited_for_data(t) - t->data_before;
    p->images_per_second = (double)(p->items - t->items_before) / (session > 1e-9 ? session : 1e-9);
    p->outer_steps = t->state->config.outer_steps;
    p->seconds_bound = t->state->config.seconds;
    return TSR_OK;
}

/* ---- validation --------------------------------------------------------------------------------
 */

static bool validation_due(const struct tsr_trainer *t) {
    const struct tsr_trainer_config *c = &t->state->config;
    const struct tsr_trainer_progress *p = &t->state->progress;
    if (c->val_every) return p->outer_step % c->val_every == 0;
    if (!c->outer_steps) return progress_of(t) >= t->next_validation;
    uint64_t every = c->outer_steps >= 10 ? c->outer_steps / 10 : 1;
    return p->outer_step % every == 0;
}

/* Has the state that the run begins from been left before its validation was over? */
static bool validation_missing(const struct tsr_trainer *t) {
    const struct tsr_outer_state *s = t->state;
    double last = s->n_history ? s->history[s->n_history - 1].outer_step : 0;
    if (s->progress.outer_step == 0 || last == (double)s->progress.outer_step) return false;
    if (tsr_outer_state_is_due(s)) return true;
    return (s->config.val_every || s->config.outer_steps) && validation_due(t);
}

/* Halves the outer rates when validation has stood still for long enough. */
static void wait_for_best(struct tsr_trainer *t, bool best) {
    struct tsr_trainer_progress *p = &t->state->progress;
    p->waited = best ? 0 : p->waited + 1;
    if (best) p->best_val_psnr_db = p->val_psnr_db;
    if (t->state->config.patience == 0 || p->waited < t->state->config.patience) return;
    p->halvings++;
    p->waited = 0;
}

/* Scores the state at hand and adds it to the history; *fell: as a run does that has diverged. */
static enum tsr_status validate(struct tsr_trainer *t, bool *fell, struct tsr_error *err) {
    struct tsr_trainer_progress *p = &t->state->progress;
    const struct tsr_trainer_callbacks *c = t->callbacks;
    double psnr_db;
    size_t left_out = 0;
    *fell = false;
    t->next_validation = floor(progress_of(t) * 10 + 1) / 10;
    if (!t->validator.score) return TSR_OK;
    swap_mean(t);
    enum tsr_status status = t->validator.score(t->validator.user, c ? c->stop : NULL,
                                                c ? c->user : NULL, &psnr_db, &left_out, err);
    swap_mean(t);
    TSR_TRY(status);
    p->val_left_out = left_out;
    p->val_psnr_db = psnr_db;
    p->validated = 1;
    *fell = !isfinite(psnr_db) || psnr_db < p->best_val_psnr_db - CLIFF_DB;
    wait_for_best(t, !*fell && !(psnr_db <= p->best_val_psnr_db));
    struct tsr_history_line line = {(double)p->outer_step, p->seconds, p->train_psnr_db,
                                    p->val_psnr_db, p->outer_lr};
    return tsr_outer_state_add_history(t->state, &line, err);
}

/* All processes have learned the same, and tell how long they have waited. */
static enum tsr_status call_roll(struct tsr_trainer *t, struct tsr_error *err) {
    const struct tsr_comm *comm = comm_of(t);
    const struct tsr_learner *l = &t->step.learner;
    if (comm->size == 1) return TSR_OK;
    struct roll *own = &t->roll[comm->rank];
    own->waited = t->step.waited;
    size_t size = sizeof(tsr_real);
    own->digest = tsr_digest(TSR_DIGEST_START, l->theta, t->state->n_theta * size);
    own->digest = tsr_digest(own->digest, l->basis, t->state->n_basis * size);
    own->digest = tsr_digest(own->digest, l->rates->value, t->state->n_rates * size);
    TSR_TRY(tsr_comm_gather(comm, t->roll, comm->size, sizeof *t->roll, err));
    for (size_t r = 1; r < comm->size; r++)
        if (t->roll[r].digest != t->roll[0].digest)
            return TSR_ERROR(err, TSR_ERR_UNSUPPORTED,
                             "outer step %llu: rank %zu has learned other bits than rank 0: their "
                             "processors or libraries compute otherwise",
                             (unsigned long long)t->state->progress.outer_step, r);
    for (size_t r = 0; r < comm->size; r++)
        t->waited[r] = t->roll[r].waited;
    if (t->callbacks && t->callbacks->waited)
        t->callbacks->waited(t->callbacks->user, t->waited, comm->size);
    return TSR_OK;
}

/* ---- divergence --------------------------------------------------------------------------------
 */

static void keep(struct tsr_trainer *t) {
    const struct tsr_learner *learner = &t->step.learner;
    tsr_outer_state_keep(t->state, learner->theta, learner->basis, learner->rates->value);
}

static void tell_of_rollback(const struct tsr_trainer *t, const char *why) {
    const struct tsr_trainer_progress *p = &t->state->progress;
    char what[TSR_ERROR_SIZE];
    if (!t->callbacks || !t->callbacks->rolled_back) return;
    (void)snprintf(what, sizeof what,
                   "%s: back to the state of outer step %llu, with 1/%.0f of the outer rates "
                   "(rollback %llu of %zu)",
                   why, (unsigned long long)t->state->good.outer_step,
                   1 / tsr_rollback_factor(p->rollbacks + p->halvings),
                   (unsigned long long)p->rollbacks, t->state->config.max_rollbacks);
    t->callbacks->rolled_back(t->callbacks->user, what);
}

/* Goes back to the last good state, for the reason in `why`; TSR_ERR_NUMERIC: for good. */
static enum tsr_status go_back(struct tsr_trainer *t, double val_psnr_db,
                               const struct tsr_error *why, struct tsr_error *err) {
    struct tsr_outer_state *s = t->state;
    struct tsr_trainer_progress *p = &s->progress;
    tsr_outer_state_restore(s, t->step.learner.theta, t->step.learner.basis,
                            t->step.learner.rates->value);
    if (p->rollbacks >= s->config.max_rollbacks || progress_of(t) >= 1)
        return TSR_ERROR(err, TSR_ERR_NUMERIC,
                         "%s; the run ends in the state of outer step %llu (rollbacks: %llu); a "
                         "smaller outer_lr (%g) or rates_lr (%g) may help",
                         why->message, (unsigned long long)s->good.outer_step,
                         (unsigned long long)p->rollbacks, s->config.outer_lr, s->config.rates_lr);
    struct tsr_rollback *line = &s->rollback[p->rollbacks++];
    *line = (struct tsr_rollback){(double)p->outer_step, (double)s->good.outer_step, val_psnr_db,
                                  tsr_rollback_factor(p->rollbacks)};
    tell_of_rollback(t, why->message);
    return TSR_OK;
}

/* A validation, and what follows from it. */
static enum tsr_status look(struct tsr_trainer *t, struct tsr_error *err) {
    struct tsr_trainer_progress *p = &t->state->progress;
    struct tsr_error why = {0};
    bool fell;
    TSR_TRY(validate(t, &fell, err));
    if (!fell) {
        if (!t->validator.score || p->val_psnr_db >= p->best_val_psnr_db - GOOD_DB) keep(t);
        return TSR_OK;
    }
    if (isfinite(p->val_psnr_db))
        (void)TSR_ERROR(&why, TSR_ERR_NUMERIC,
                        "outer step %llu: validation PSNR is %.2f dB; the best was %.2f dB",
                        (unsigned long long)p->outer_step, p->val_psnr_db, p->best_val_psnr_db);
    else
        (void)TSR_ERROR(&why, TSR_ERR_NUMERIC, "outer step %llu: validation PSNR is not finite",
                        (unsigned long long)p->outer_step);
    return go_back(t, p->val_psnr_db, &why, err);
}

/* One outer step, with the way back where it shows that the run has diverged. */
static enum tsr_status take(struct tsr_trainer *t, struct tsr_error *err) {
    struct tsr_error why = {0};
    enum tsr_status status = tsr_outer_step_take(&t->step, progress_of(t), &why);
    if (status == TSR_OK || status == TSR_ERR_NUMERIC) TSR_TRY(tick(t, err));
    if (status == TSR_ERR_NUMERIC) return go_back(t, (double)NAN, &why, err);
    if (status != TSR_OK) tsr_error_copy(err, &why);
    return status;
}

/* ---- saving ------------------------------------------------------------------------------------
 */

static enum tsr_status save(struct tsr_trainer *t, struct tsr_error *err) {
    struct tsr_trainer_progress *p = &t->state->progress;
    t->last_save = tsr_seconds();
    if (!t->store.save) return TSR_OK;
    swap_mean(t);
    enum tsr_status status = t->store.save(t->store.user, err);
    swap_mean(t);
    TSR_TRY(status);
    p->saved = 1;
    p->saved_outer_step = p->outer_step;
    return TSR_OK;
}

/* A save that fails here is tried again after the next interval. */
static void save_underway(struct tsr_trainer *t) {
    struct tsr_error error = {0};
    if (save(t, &error) != TSR_OK && t->callbacks && t->callbacks->save_failed)
        t->callbacks->save_failed(t->callbacks->user, &error);
}

static void save_at_interval(struct tsr_trainer *t) {
    double every = t->state->config.checkpoint_seconds;
    if (every > 0 && tsr_seconds() - t->last_save >= every) save_underway(t);
}

/* ---- the run ------------------------------------------------------------------------------------
 */

/* Any rank is told for all. */
static enum tsr_status told_to_stop(const struct tsr_trainer *t, bool *stop,
                                    struct tsr_error *err) {
    const struct tsr_trainer_callbacks *c = t->callbacks;
    *stop = c && c->progress && c->progress(c->user, &t->state->progress);
    return tsr_comm_any(comm_of(t), stop, err);
}

static enum tsr_status interrupted(const struct tsr_trainer *t, struct tsr_error *err) {
    return TSR_ERROR(err, TSR_ERR_INTERRUPTED, "interrupted after outer step %llu",
                     (unsigned long long)t->state->progress.outer_step);
}

static enum tsr_status train(struct tsr_trainer *t, struct tsr_error *err) {
    struct tsr_trainer_progress *p = &t->state->progress;
    bool stop;
    if (!t->state->good.kept) keep(t);
    if (validation_missing(t)) TSR_TRY(look(t, err));
    while (progress_of(t) < 1 && !tsr_outer_state_is_due(t->state)) {
        p->validated = 0;
        TSR_TRY(take(t, err));
        bool last = progress_of(t) >= 1;
        /* What has diverged is not to be copied to more slots. */
        if (last || tsr_outer_state_is_due(t->state) || validation_due(t)) {
            TSR_TRY(call_roll(t, err));
            enum tsr_status status = look(t, err);
            if (status == TSR_ERR_INTERRUPTED) return interrupted(t, err);
            TSR_TRY(status);
        }
        TSR_TRY(told_to_stop(t, &stop, err));
        if (stop && !last) return interrupted(t, err);
        if (!last) save_at_interval(t);
    }
    return TSR_OK;
}

/* What the end of the run was, and that it could not be saved. */
static void append(struct tsr_error *err, const struct tsr_error *failure) {
    if (!err) return;
    size_t used = strlen(err->message);
    (void)snprintf(err->message + used, sizeof err->message - used,
                   "; what was learned could not be saved: %s", failure->message);
}

enum tsr_status tsr_trainer_run(struct tsr_trainer *t,
                                const struct tsr_trainer_callbacks *callbacks,
                                struct tsr_error *err) {
    struct tsr_error failure = {0};
    t->callbacks = callbacks;
    t->step.left_out = callbacks ? callbacks->left_out : NULL;
    t->step.user = callbacks ? callbacks->user : NULL;
    t->start = t->last_save = tsr_seconds();
    t->seconds_before = t->state->progress.seconds;
    t->data_before = waited_for_data(t);
    t->items_before = t->state->progress.items;
    t->step.waited = 0;
    t->next_validation = floor(progress_of(t) * 10 + 1) / 10;
    uint64_t begun = t->state->progress.outer_step;
    swap_mean(t);
    enum tsr_status status = train(t, err), saved = TSR_OK;
    bool nothing_new = status != TSR_OK && t->state->progress.outer_step == begun;
    if (status == TSR_OK && tsr_outer_state_is_due(t->state))
        save_underway(t);
    else if (!nothing_new || status == TSR_ERR_INTERRUPTED)
        saved = save(t, &failure);
    swap_mean(t);
    t->callbacks = NULL;
    if (saved == TSR_OK) return status;
    if (status == TSR_OK) {
        tsr_error_copy(err, &failure);
        return saved;
    }
    append(err, &failure);
    return status;
}
