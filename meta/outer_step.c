/* SPDX-License-Identifier: MIT */
#include "meta/outer_step.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "inner/adam.h"
#include "meta/outer_optimizer.h"

/* A run ends when more than half of the items of about the last BAD_WINDOW outer steps were left
 * out: a mean whose weights fall by (1 - 1 / BAD_WINDOW) per outer step. */
enum { BAD_WINDOW = 14 };
static const double BAD_SHARE = 0.5;
/* Numbers that one thread updates at a time. */
enum { SLICE = 4096 };
/* Of the name of an item, between processes. */
enum { NAME_SIZE = 256 };

/* ---- construction -----------------------------------------------------------------------------
 */

/* Numbers of a slot's basis. */
static size_t basis_size(const struct tsr_outer_step *o) {
    return o->engine.space.n_directions * o->learner.net->n_params;
}

static void layout(struct tsr_outer_step *o, struct tsr_arena *a) {
    const struct tsr_task_source *s = o->source;
    o->psnr_db = tsr_arena_take(a, s->n_items, sizeof *o->psnr_db);
    o->bad = tsr_arena_take(a, s->n_items, sizeof *o->bad);
    o->tasks = tsr_arena_take(a, s->max_tasks, sizeof *o->tasks);
    o->item = tsr_arena_take(a, s->max_tasks, sizeof *o->item);
    o->error = tsr_arena_take(a, s->max_tasks, sizeof *o->error);
    o->present = tsr_arena_take(a, s->n_slots, sizeof *o->present);
    o->d_theta = tsr_arena_take(a, s->n_slots * o->learner.net->n_params, sizeof *o->d_theta);
    size_t basis = basis_size(o);
    o->d_basis = basis ? tsr_arena_take(a, s->n_slots * basis, sizeof *o->d_basis) : NULL;
    o->d_rates = tsr_arena_take(a, tsr_rates_count(o->learner.rates), sizeof *o->d_rates);
}

static enum tsr_status set_up(struct tsr_outer_step *o, struct tsr_error *err) {
    const struct tsr_trainer_config *c = &o->state->config;
    const struct tsr_task_source *s = o->source;
    const struct tsr_kernel *kernel;
    struct tsr_arena measure = {0};
    o->span = tsr_comm_span(s->n_items, o->comm->rank, o->comm->size);
    TSR_TRY(tsr_kernel_find(c->kernel, &kernel, err));
    TSR_TRY(tsr_engine_create(o->learner.net, kernel, c->threads, &o->engine, err));
    tsr_engine_adapt(&o->engine, &o->learner.adaptation);
    if (o->engine.space.n_directions && !tsr_method_of(&c->method)->learns_rates)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "method %s with the adaptation %s, whose basis it would not learn",
                         c->method.object->name, o->learner.adaptation.object->name);
    const struct tsr_meta_share share = {o->comm, s->n_items, s->item_tasks};
    TSR_TRY(tsr_meta_workspace_create(&o->engine, &c->method, &c->outer_loss,
                                      o->learner.inner_steps, o->learner.rates, s->n_slots,
                                      s->max_tasks, s->max_points, &share, &o->workspace, err));
    layout(o, &measure);
    TSR_TRY(tsr_arena_create(&o->arena, measure.used, "outer steps", err));
    layout(o, &o->arena);
    return TSR_OK;
}

enum tsr_status tsr_outer_step_create(const struct tsr_learner *learner,
                                      struct tsr_task_source *source, struct tsr_outer_state *state,
                                      struct tsr_outer_step *out, struct tsr_error *err) {
    *out = (struct tsr_outer_step){.learner = *learner,
                                   .source = source,
                                   .state = state,
                                   .comm = tsr_comm_of(state->config.comm)};
    enum tsr_status status = set_up(out, err);
    if (status != TSR_OK) tsr_outer_step_clear(out);
    return status;
}

void tsr_outer_step_clear(struct tsr_outer_step *o) {
    tsr_meta_workspace_free(o->workspace);
    tsr_engine_clear(&o->engine);
    tsr_arena_free(&o->arena);
    *o = (struct tsr_outer_step){0};
}

/* ---- tasks ------------------------------------------------------------------------------------
 */

/* This process's tasks of the items that are not bad, with their factors in the outer loss. */
static void choose_tasks(struct tsr_outer_step *o) {
    size_t out_dim = o->learner.net->out_dim;
    o->n_good = o->n_tasks = 0;
    for (size_t b = 0; b < o->source->n_items; b++)
        o->n_good += !o->bad[b];
    for (size_t b = 0; b < o->span.n; b++) {
        size_t points = 0, first = o->n_tasks;
        if (o->bad[o->span.first + b]) continue;
        for (size_t i = o->batch.first[b]; i < o->batch.first[b + 1]; i++) {
            points += o->batch.tasks[i].qry.n;
            o->item[o->n_tasks] = o->span.first + b;
            o->tasks[o->n_tasks++] = o->batch.tasks[i];
        }
        for (size_t i = first; i < o->n_tasks; i++)
            o->tasks[i].qry_scale = 1.0 / (double)(o->n_good * points * out_dim);
    }
}

/* PSNR (peak 1) over the query values of each item of this process in play; NaN where something
 * went wrong. */
static void measure(struct tsr_outer_step *o) {
    for (size_t i = 0; i < o->n_tasks;) {
        size_t item = o->item[i], values = 0;
        double error = 0;
        for (; i < o->n_tasks && o->item[i] == item; i++) {
            error += o->error[i];
            values += o->tasks[i].qry.n * o->learner.net->out_dim;
        }
        o->psnr_db[item] = -10 * log10(error / (double)values);
    }
}

/* Says which item is left out: whoever has it knows its name. */
static enum tsr_status tell(struct tsr_outer_step *o, size_t item, struct tsr_error *err) {
    const struct tsr_comm *c = o->comm;
    char name[NAME_SIZE] = "?";
    size_t owner = tsr_comm_owner(o->source->n_items, item, c->size);
    if (owner == c->rank && o->source->name)
        (void)snprintf(name, sizeof name, "%s",
                       o->source->name(o->source->user, item - o->span.first));
    if (c->size > 1) TSR_TRY(c->share(c->user, owner, name, sizeof name, err));
    if (o->left_out) o->left_out(o->user, name);
    return TSR_OK;
}

/* Marks the items of tasks that went wrong, of all processes; how many are new. */
static enum tsr_status mark_bad(struct tsr_outer_step *o, size_t *new, struct tsr_error *err) {
    size_t n = o->source->n_items;
    *new = 0;
    TSR_TRY(tsr_comm_gather(o->comm, o->psnr_db, n, sizeof *o->psnr_db, err));
    for (size_t b = 0; b < n; b++) {
        if (!isnan(o->psnr_db[b]) || o->bad[b]) continue;
        o->bad[b] = true;
        TSR_TRY(tell(o, b, err));
        ++*new;
    }
    return TSR_OK;
}

/* Means over the items in play. */
static void take_means(const struct tsr_outer_step *o, struct tsr_trainer_progress *p) {
    double psnr_db = 0, mse = 0;
    for (size_t b = 0; b < o->source->n_items; b++) {
        if (o->bad[b]) continue;
        psnr_db += o->psnr_db[b];
        mse += pow(10, -o->psnr_db[b] / 10);
    }
    p->train_psnr_db = psnr_db / (double)o->n_good;
    p->train_mse = mse / (double)o->n_good;
}

/* ---- gradient and update ----------------------------------------------------------------------
 */

/* Waits for the other processes, and counts it. */
static enum tsr_status meet(struct tsr_outer_step *o, enum tsr_status status,
                            struct tsr_error *err) {
    double start = tsr_seconds();
    status = tsr_comm_agree(o->comm, status, err);
    o->waited += tsr_seconds() - start;
    return status;
}

/* The sums of the items that give finite ones; *bad: how many do not. */
static enum tsr_status sum_tasks(struct tsr_outer_step *o, const struct tsr_meta_point *at,
                                 size_t *bad, struct tsr_error *err) {
    size_t new = 0;
    enum tsr_status status =
        o->source->next(o->source->user, o->state->progress.outer_step, &o->batch, err);
    *bad = 0;
    memset(o->bad, 0, o->source->n_items * sizeof *o->bad);
    do {
        if (status == TSR_OK) {
            choose_tasks(o);
            status = tsr_meta_sum(o->workspace, at, o->tasks, o->item, o->n_tasks, o->error, err);
        }
        TSR_TRY(meet(o, status, err));
        measure(o);
        TSR_TRY(mark_bad(o, &new, err));
        *bad += new;
    } while (new > 0 && *bad < o->source->n_items);
    return TSR_OK;
}

/* The meta-gradient of the items that give a finite one. */
static enum tsr_status gradient(struct tsr_outer_step *o, double progress, size_t *bad,
                                bool *finite, struct tsr_error *err) {
    struct tsr_trainer_progress *p = &o->state->progress;
    const struct tsr_meta_point at = {o->learner.theta, o->learner.basis, o->learner.rates,
                                      progress};
    *finite = false;
    TSR_TRY(sum_tasks(o, &at, bad, err));
    if (*bad == o->source->n_items) return TSR_OK;
    TSR_TRY(tsr_meta_combine(o->workspace, o->d_theta, o->d_basis, o->d_rates, o->present, err));
    p->gradient_norm = tsr_norm(o->d_theta, o->source->n_slots * o->learner.net->n_params);
    *finite = isfinite(p->gradient_norm) &&
              isfinite(tsr_norm(o->d_rates, tsr_rates_count(o->learner.rates)));
    return TSR_OK;
}

/* One update of n numbers at `at` of x, by as many threads as there are slices. */
static void adam(const struct tsr_outer_step *o, const struct tsr_adam *a, double factor, size_t at,
                 size_t n, const tsr_real *g, tsr_real *x, tsr_real *m, tsr_real *v) {
    (void)o; /* without OpenMP there is one thread */
#pragma omp parallel for schedule(static) num_threads((int)o->engine.threads) if (n > SLICE)
    for (size_t from = 0; from < n; from += SLICE) {
        size_t size = n - from < SLICE ? n - from : SLICE, i = at + from;
        tsr_adam_update(a, factor, size, g + i, x + i, m + i, v + i);
    }
}

/* A slot whose tasks are all absent keeps its initialisation, its rates and their moments. */
static void update_slot(struct tsr_outer_step *o, size_t slot, const struct tsr_adam *theta,
                        const struct tsr_adam *rates) {
    struct tsr_outer_state *s = o->state;
    struct tsr_rates *r = o->learner.rates;
    size_t n = o->learner.net->n_params;
    adam(o, theta, tsr_clip_factor(s->progress.gradient_norm, s->config.clip), slot * n, n,
         o->d_theta, o->learner.theta, s->m_theta, s->v_theta);
    if (!tsr_method_of(&s->config.method)->learns_rates) return;
    if (basis_size(o))
        adam(o, rates, 1, slot * basis_size(o), basis_size(o), o->d_basis, o->learner.basis,
             s->m_basis, s->v_basis);
    if (r->kind == TSR_RATES_FIXED) return;
    for (size_t k = 0; k < r->n_steps; k++)
        adam(o, rates, 1, tsr_rates_at(r, k, slot), r->n_units, o->d_rates, r->value, s->m_rates,
             s->v_rates);
}

/* mean += (1 - decay) (x - mean) */
static void follow(const struct tsr_outer_step *o, double decay, size_t n, const tsr_real *x,
                   tsr_real *mean) {
    tsr_real part = (tsr_real)(1 - decay);
    (void)o;
#pragma omp parallel for schedule(static) num_threads((int)o->engine.threads) if (n > SLICE)
    for (size_t i = 0; i < n; i++)
        mean[i] += part * (x[i] - mean[i]);
}

/* The running mean, of as many outer steps as there were at first. */
static void average(struct tsr_outer_step *o, uint64_t updates) {
    const struct tsr_outer_state *s = o->state;
    double n = (double)updates, early = (1 + n) / (10 + n);
    double decay = early < s->config.ema ? early : s->config.ema;
    if (!s->other.theta) return;
    follow(o, decay, s->n_theta, o->learner.theta, s->other.theta);
    follow(o, decay, s->n_basis, o->learner.basis, s->other.basis);
    follow(o, decay, s->n_rates, o->learner.rates->value, s->other.rates);
}

static void update(struct tsr_outer_step *o) {
    const struct tsr_trainer_config *c = &o->state->config;
    struct tsr_trainer_progress *p = &o->state->progress;
    uint64_t updates = tsr_outer_state_updates(o->state);
    double decay = tsr_outer_state_decay(o->state);
    double schedule = tsr_schedule(updates, c->warmup, decay, c->final_lr) *
                      tsr_rollback_factor(p->rollbacks + p->halvings);
    p->outer_lr = c->outer_lr * schedule;
    struct tsr_adam theta = {p->outer_lr, c->beta1, c->beta2, updates + 1}, rates = theta;
    rates.lr = c->rates_lr * o->learner.inner_lr * schedule;
    for (size_t s = 0; s < o->source->n_slots; s++)
        if (o->present[s]) update_slot(o, s, &theta, &rates);
    average(o, updates);
}

enum tsr_status tsr_outer_step_take(struct tsr_outer_step *o, double progress,
                                    struct tsr_error *err) {
    struct tsr_trainer_progress *p = &o->state->progress;
    size_t bad, n_items = o->source->n_items;
    bool finite;
    TSR_TRY(gradient(o, progress, &bad, &finite, err));
    if (finite) {
        take_means(o, p);
        update(o);
    } else if (bad == 0) {
        bad = n_items;
    }
    o->state->good.current = false;
    p->skipped += bad;
    p->items += n_items;
    p->outer_step++;
    double share = finite ? (double)bad / (double)n_items : 1;
    p->bad_share += (share - p->bad_share) / BAD_WINDOW;
    if (p->bad_share > BAD_SHARE)
        return TSR_ERROR(
            err, TSR_ERR_NUMERIC,
            "outer step %llu: loss or gradient of more than half of the images was not "
            "finite lately, with inner_lr %g",
            (unsigned long long)p->outer_step, o->learner.inner_lr);
    return TSR_OK;
}
