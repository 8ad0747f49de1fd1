/* SPDX-License-Identifier: MIT */
#include "meta/outer_state.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const char *const start_names[] = {"random", "principal"};
TSR_DEFINE_NAMES(tsr_start, tsr_start, start_names, "start")

static const char *const then_names[] = {"same", "per-region", "per-class"};
TSR_DEFINE_NAMES(tsr_then, tsr_then, then_names, "slots to turn to")

void tsr_trainer_config_default(struct tsr_trainer_config *config) {
    *config = (struct tsr_trainer_config){
        .then_at = 0.5,
        .method = tsr_choice_of(tsr_methods.object[0]),
        .outer_loss = tsr_choice_of(tsr_losses.object[0]),
        .batch = 4,
        .region_fraction = 0.25,
        .rates_lr = 0.02,
        .beta1 = 0.9,
        .beta2 = 0.99,
        .warmup = 100,
        .final_lr = 0.01,
        .clip = 0.1,
        .val_images = 64,
        .max_rollbacks = 3,
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
    TSR_TRY(tsr_choice_check(&tsr_methods, &config->method, err));
    TSR_TRY(tsr_loss_check(&config->outer_loss, tsr_method_of(&config->method), err));
    if (config->batch < 1 || config->batch > 65536)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "training: batch is %zu; it must be 1 to 65536",
                         config->batch);
    if (config->comm && config->comm->size > config->batch)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "training: %zu processes share a meta-batch of %zu images; it must have "
                         "at least one for each",
                         config->comm->size, config->batch);
    TSR_TRY(check_fraction("region_fraction", config->region_fraction, 1e-9, 1, err));
    TSR_TRY(check_fraction("then_at", config->then_at, 0.001, 0.999, err));
    TSR_TRY(check_fraction("outer_lr", config->outer_lr, 0, 100, err));
    TSR_TRY(check_fraction("rates_lr", config->rates_lr, 0, 100, err));
    TSR_TRY(check_fraction("beta1", config->beta1, 0, 0.999999, err));
    TSR_TRY(check_fraction("beta2", config->beta2, 0, 0.999999, err));
    TSR_TRY(check_fraction("final_lr", config->final_lr, 0, 1, err));
    TSR_TRY(check_fraction("clip", config->clip, 0, 1e30, err));
    TSR_TRY(check_fraction("ema", config->ema, 0, 0.9999999, err));
    TSR_TRY(check_fraction("seconds", config->seconds, 0, 1e9, err));
    TSR_TRY(check_fraction("checkpoint_seconds", config->checkpoint_seconds, 0, 1e9, err));
    if (config->max_rollbacks > TSR_MAX_ROLLBACKS)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "training: max_rollbacks is %zu; it must be 0 to %d",
                         config->max_rollbacks, TSR_MAX_ROLLBACKS);
    if (config->outer_steps == 0 && !(config->seconds > 0))
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "training: a bound is needed, on outer steps or on time");
    if (config->outer_steps > UINT32_MAX)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "training: outer_steps is %llu; at most 2^32-1",
                         (unsigned long long)config->outer_steps);
    return TSR_OK;
}

enum tsr_status tsr_trainer_config_visit(struct tsr_trainer_config *c, tsr_setting_fn fn,
                                         void *user, struct tsr_error *err) {
    const struct tsr_setting table[] = {
        TSR_SETTING("outer", "start", NAME, &c->start, .names = &tsr_start_names, .optional = true),
        TSR_SETTING("outer", "then", NAME, &c->then, .names = &tsr_then_names, .optional = true),
        TSR_SETTING("outer", "then_at", REAL, &c->then_at, .optional = true),
        TSR_SETTING("outer", "method", CHOICE, &c->method, .registry = &tsr_methods),
        TSR_SETTING("outer", "outer_loss", CHOICE, &c->outer_loss, .registry = &tsr_losses,
                    .optional = true),
        TSR_SETTING("outer", "batch", SIZE, &c->batch),
        TSR_SETTING("outer", "region_fraction", REAL, &c->region_fraction),
        TSR_SETTING("outer", "outer_lr", REAL, &c->outer_lr),
        TSR_SETTING("outer", "rates_lr", REAL, &c->rates_lr),
        TSR_SETTING("outer", "beta1", REAL, &c->beta1),
        TSR_SETTING("outer", "beta2", REAL, &c->beta2),
        TSR_SETTING("outer", "warmup", SIZE, &c->warmup),
        TSR_SETTING("outer", "final_lr", REAL, &c->final_lr),
        TSR_SETTING("outer", "clip", REAL, &c->clip),
        TSR_SETTING("outer", "outer_steps", U64, &c->outer_steps),
        TSR_SETTING("outer", "seconds_bound", REAL, &c->seconds),
        TSR_SETTING("outer", "val_every", SIZE, &c->val_every),
        TSR_SETTING("outer", "val_images", SIZE, &c->val_images),
        TSR_SETTING("outer", "max_rollbacks", SIZE, &c->max_rollbacks, .optional = true),
        TSR_SETTING("outer", "patience", SIZE, &c->patience, .optional = true),
        TSR_SETTING("outer", "ema", REAL, &c->ema, .optional = true),
        TSR_SETTING("outer", "seed", U64, &c->seed),
    };
    return TSR_SETTINGS_VISIT(table, fn, user, err);
}

enum tsr_status tsr_outer_state_visit(struct tsr_outer_state *s, tsr_setting_fn fn, void *user,
                                      struct tsr_error *err) {
    struct tsr_trainer_progress *p = &s->progress;
    const struct tsr_setting table[] = {
        TSR_SETTING("outer", "outer_step", U64, &p->outer_step),
        TSR_SETTING("outer", "seconds", REAL, &p->seconds),
        TSR_SETTING("outer", "skipped", U64, &p->skipped),
        TSR_SETTING("outer", "last_outer_lr", REAL, &p->outer_lr, .optional = true),
        TSR_SETTING("outer", "bad_share", REAL, &p->bad_share, .optional = true),
        TSR_SETTING("outer", "train_psnr_db", REAL, &p->train_psnr_db),
        TSR_SETTING("outer", "val_psnr_db", REAL, &p->val_psnr_db),
        TSR_SETTING("outer", "best_val_psnr_db", REAL, &p->best_val_psnr_db, .optional = true),
        TSR_SETTING("outer", "rollbacks", U64, &p->rollbacks, .optional = true),
        TSR_SETTING("outer", "lost_outer_steps", U64, &p->lost, .optional = true),
        TSR_SETTING("outer", "turned_at", U64, &p->turned_at, .optional = true),
        TSR_SETTING("outer", "turned_seconds", REAL, &p->turned_seconds, .optional = true),
        TSR_SETTING("outer", "lost_before", U64, &p->lost_before, .optional = true),
        TSR_SETTING("outer", "halvings", U64, &p->halvings, .optional = true),
        TSR_SETTING("outer", "waited", U64, &p->waited, .optional = true),
        TSR_SETTING("outer", "good_outer_step", U64, &s->good.outer_step, .optional = true),
        TSR_SETTING("outer", "good_updates", U64, &s->good.updates, .optional = true),
        TSR_SETTING("outer", "good_train_psnr_db", REAL, &s->good.train_psnr_db, .optional = true),
        TSR_SETTING("outer", "good_val_psnr_db", REAL, &s->good.val_psnr_db, .optional = true),
    };
    TSR_TRY(tsr_trainer_config_visit(&s->config, fn, user, err));
    return TSR_SETTINGS_VISIT(table, fn, user, err);
}

enum tsr_status tsr_outer_state_create(size_t n_theta, size_t n_basis, size_t n_rates,
                                       struct tsr_outer_state *out, struct tsr_error *err) {
    struct tsr_trainer_config defaults;
    tsr_trainer_config_default(&defaults);
    *out = (struct tsr_outer_state){.n_theta = n_theta, .n_basis = n_basis, .n_rates = n_rates};
    struct tsr_good_state *g = &out->good;
    const struct {
        tsr_real **at;
        size_t n;
    } arrays[] = {{&out->m_theta, n_theta}, {&out->v_theta, n_theta}, {&out->m_basis, n_basis},
                  {&out->v_basis, n_basis}, {&out->m_rates, n_rates}, {&out->v_rates, n_rates},
                  {&g->theta, n_theta},     {&g->m_theta, n_theta},   {&g->v_theta, n_theta},
                  {&g->basis, n_basis},     {&g->m_basis, n_basis},   {&g->v_basis, n_basis},
                  {&g->rates, n_rates},     {&g->m_rates, n_rates},   {&g->v_rates, n_rates}};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        enum tsr_status status = TSR_ALLOC(arrays[i].at, arrays[i].n, "optimiser moments", err);
        if (status != TSR_OK) {
            tsr_outer_state_clear(out);
            return status;
        }
    }
    /* What files of older programs do not have. */
    out->config.max_rollbacks = defaults.max_rollbacks;
    out->config.outer_loss = defaults.outer_loss;
    out->config.then_at = defaults.then_at;
    out->progress.best_val_psnr_db = g->train_psnr_db = g->val_psnr_db = (double)NAN;
    return TSR_OK;
}

void tsr_outer_state_clear(struct tsr_outer_state *state) {
    struct tsr_good_state *g = &state->good;
    tsr_real *arrays[] = {state->m_theta,    state->v_theta, state->m_basis,     state->v_basis,
                          state->m_rates,    state->v_rates, g->theta,           g->m_theta,
                          g->v_theta,        g->basis,       g->m_basis,         g->v_basis,
                          g->rates,          g->m_rates,     g->v_rates,         g->mean.theta,
                          g->mean.basis,     g->mean.rates,  state->other.theta, state->other.basis,
                          state->other.rates};
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
        free(arrays[i]);
    free(state->history);
    *state = (struct tsr_outer_state){0};
}

/* ---- the turn to more slots --------------------------------------------------------------------
 */

uint64_t tsr_outer_state_updates(const struct tsr_outer_state *s) {
    const struct tsr_trainer_progress *p = &s->progress;
    return (p->outer_step - p->turned_at) - (p->lost - p->lost_before);
}

/* Part of a run that so many outer steps in such a time are. */
static double part_of(const struct tsr_trainer_config *c, uint64_t outer_step, double seconds) {
    double steps = 0, time = 0;
    if (c->outer_steps) steps = (double)outer_step / (double)c->outer_steps;
    if (c->seconds > 0) time = seconds / c->seconds;
    return steps > time ? steps : time;
}

double tsr_outer_state_progress(const struct tsr_outer_state *s) {
    return part_of(&s->config, s->progress.outer_step, s->progress.seconds);
}

double tsr_outer_state_decay(const struct tsr_outer_state *s) {
    const struct tsr_trainer_progress *p = &s->progress;
    double done = tsr_outer_state_progress(s);
    double before = p->turned_at ? part_of(&s->config, p->turned_at, p->turned_seconds) : 0;
    return before < 1 ? (done - before) / (1 - before) : 1;
}

bool tsr_outer_state_is_due(const struct tsr_outer_state *s) {
    return s->config.then != TSR_THEN_SAME && s->progress.turned_at == 0 &&
           s->progress.outer_step > 0 && tsr_outer_state_progress(s) >= s->config.then_at;
}

enum tsr_status tsr_outer_state_turn(struct tsr_outer_state *s, size_t n_theta, size_t n_basis,
                                     size_t n_rates, struct tsr_error *err) {
    struct tsr_outer_state next;
    TSR_TRY(tsr_outer_state_create(n_theta, n_basis, n_rates, &next, err));
    next.config = s->config;
    next.progress = s->progress;
    next.progress.turned_at = s->progress.outer_step;
    next.progress.turned_seconds = s->progress.seconds;
    next.progress.lost_before = s->progress.lost;
    next.progress.waited = next.progress.halvings = 0;
    next.history = s->history, next.n_history = s->n_history, next.max_history = s->max_history;
    s->history = NULL;
    memcpy(next.rollback, s->rollback, sizeof next.rollback);
    tsr_outer_state_clear(s);
    *s = next;
    return TSR_OK;
}

/* ---- the last good state -----------------------------------------------------------------------
 */

static void copy_numbers(tsr_real *to, const tsr_real *from, size_t n) {
    if (n) memcpy(to, from, n * sizeof *to);
}

static void copy_values(const struct tsr_outer_state *s, const struct tsr_values *to,
                        const struct tsr_values *from) {
    if (!to->theta) return;
    copy_numbers(to->theta, from->theta, s->n_theta);
    copy_numbers(to->basis, from->basis, s->n_basis);
    copy_numbers(to->rates, from->rates, s->n_rates);
}

enum tsr_status tsr_outer_state_average(struct tsr_outer_state *s, const struct tsr_values *first,
                                        struct tsr_error *err) {
    static const char *const what = "running mean";
    struct tsr_values *all[] = {&s->other, &s->good.mean};
    if (!(s->config.ema > 0) || s->other.theta) return TSR_OK;
    for (size_t i = 0; i < 2; i++) {
        TSR_TRY(TSR_ALLOC(&all[i]->theta, s->n_theta, what, err));
        TSR_TRY(TSR_ALLOC(&all[i]->basis, s->n_basis, what, err));
        TSR_TRY(TSR_ALLOC(&all[i]->rates, s->n_rates, what, err));
        copy_values(s, all[i], first);
    }
    return TSR_OK;
}

static void swap_numbers(tsr_real *a, tsr_real *b, size_t n) {
    for (size_t i = 0; i < n; i++) {
        tsr_real x = a[i];
        a[i] = b[i];
        b[i] = x;
    }
}

void tsr_outer_state_swap(struct tsr_outer_state *s, const struct tsr_values *learner) {
    if (!s->other.theta) return;
    swap_numbers(learner->theta, s->other.theta, s->n_theta);
    swap_numbers(learner->basis, s->other.basis, s->n_basis);
    swap_numbers(learner->rates, s->other.rates, s->n_rates);
}

void tsr_outer_state_keep(struct tsr_outer_state *s, const tsr_real *theta, const tsr_real *basis,
                          const tsr_real *rates) {
    struct tsr_good_state *g = &s->good;
    const struct tsr_trainer_progress *p = &s->progress;
    copy_numbers(g->theta, theta, s->n_theta);
    copy_numbers(g->m_theta, s->m_theta, s->n_theta);
    copy_numbers(g->v_theta, s->v_theta, s->n_theta);
    copy_numbers(g->basis, basis, s->n_basis);
    copy_numbers(g->m_basis, s->m_basis, s->n_basis);
    copy_numbers(g->v_basis, s->v_basis, s->n_basis);
    copy_numbers(g->rates, rates, s->n_rates);
    copy_values(s, &g->mean, &s->other);
    copy_numbers(g->m_rates, s->m_rates, s->n_rates);
    copy_numbers(g->v_rates, s->v_rates, s->n_rates);
    g->kept = g->current = true;
    g->outer_step = p->outer_step;
    g->updates = tsr_outer_state_updates(s);
    g->train_psnr_db = p->train_psnr_db;
    g->val_psnr_db = p->val_psnr_db;
}

void tsr_outer_state_restore(struct tsr_outer_state *s, tsr_real *theta, tsr_real *basis,
                             tsr_real *rates) {
    struct tsr_good_state *g = &s->good;
    struct tsr_trainer_progress *p = &s->progress;
    copy_numbers(theta, g->theta, s->n_theta);
    copy_numbers(s->m_theta, g->m_theta, s->n_theta);
    copy_numbers(s->v_theta, g->v_theta, s->n_theta);
    copy_numbers(basis, g->basis, s->n_basis);
    copy_numbers(s->m_basis, g->m_basis, s->n_basis);
    copy_numbers(s->v_basis, g->v_basis, s->n_basis);
    copy_numbers(rates, g->rates, s->n_rates);
    copy_values(s, &s->other, &g->mean);
    copy_numbers(s->m_rates, g->m_rates, s->n_rates);
    copy_numbers(s->v_rates, g->v_rates, s->n_rates);
    g->current = true;
    p->lost = p->lost_before + (p->outer_step - p->turned_at) - g->updates;
    p->train_psnr_db = g->train_psnr_db;
    p->val_psnr_db = g->val_psnr_db;
    p->bad_share = 0;
}

enum tsr_status tsr_outer_state_add_history(struct tsr_outer_state *state,
                                            const struct tsr_history_line *line,
                                            struct tsr_error *err) {
    if (state->n_history == state->max_history) {
        size_t more = state->max_history ? 2 * state->max_history : 64;
        void *p;
        TSR_TRY(tsr_alloc(&p, more, sizeof *state->history, "history", err));
        if (state->n_history) memcpy(p, state->history, state->n_history * sizeof *state->history);
        free(state->history);
        state->history = p;
        state->max_history = more;
    }
    state->history[state->n_history++] = *line;
    return TSR_OK;
}
