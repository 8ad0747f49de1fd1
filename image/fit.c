/* SPDX-License-Identifier: MIT */
#include "image/fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "image/blend.h"
#include "image/reconstruct.h"
#include "image/regions.h"
#include "inner/inner_loop.h"
#include "inner/team.h"
#include "meta/outer_optimizer.h"

/* Seconds of training between two looks at the callbacks. */
static const double BLOCK_SECONDS = 0.2;

/* What carries one region, beside its trajectory. */
struct worker {
    size_t region;
    struct tsr_task task;
    struct tsr_points all;       /* context points of the region */
    tsr_real *y, *out;           /* [largest region, C] targets, outputs */
    tsr_real *batch_x, *batch_y; /* [max_batch, 2], [max_batch, C]; with a batch fraction only */
    tsr_real *g;                 /* [n_params]; with a batch fraction only */
};

struct tsr_fitter {
    struct tsr_fit_config config;
    const struct tsr_image *image;
    struct tsr_inr *inr; /* its phi is what is learned */
    struct tsr_geometry geometry;
    struct tsr_engine engine;
    struct tsr_choice adam;
    struct tsr_fit_state state;
    size_t n_params, largest, max_batch; /* points of the largest region, of its batch */
    double pooled_error, allowed_error;  /* sums of the image: now; at the target PSNR */
    double pace;    /* seconds of an iteration, from the last block; 0: unknown */
    bool kept;      /* gradients holds those at the present parameters of all active regions */
    bool full;      /* an iteration looks at all pixels */
    size_t *active; /* [n_regions] the first state.active are not frozen, ascending */
    bool *frozen;   /* [n_regions] */
    double *region_error;  /* [n_regions] over own pixels */
    double *context_error; /* [n_regions] over context pixels */
    uint64_t *updates;     /* [n_regions] */
    uint64_t *points;      /* [n_regions] points that gradients were taken over */
    /* With overlap only: all outputs at the context points, as blended at curve points. */
    struct tsr_blend blend;
    tsr_real *outputs;        /* [context points, C] */
    tsr_real *picture;        /* [H, W, C] */
    unsigned char *moments;   /* [n_regions] of tsr_optimizer_state() */
    tsr_real *gradients;      /* [n_regions, n_params], all pixels only */
    size_t *order_at;         /* [n_regions], with a batch fraction only: where in `order` ... */
    uint32_t *order;          /* ... the permutation of a region's context pixels stands */
    struct tsr_trajectory *t; /* [n_workers] */
    struct worker *workers;   /* [n_workers] */
    struct tsr_pass *passes;  /* [n_workers] */
    size_t n_workers;         /* threads, or regions that a team carries at once */
    struct tsr_arena arena;
};

/* ---- storage --------------------------------------------------------------------------------- */

static size_t batch_of(const struct tsr_fitter *f, size_t n) {
    size_t m = (size_t)(f->config.batch_fraction * (double)n + 0.5);
    return m < 1 ? 1 : m > n ? n : m;
}

static void layout_worker(struct tsr_fitter *f, size_t i, struct tsr_arena *a) {
    struct worker *w = &f->workers[i];
    size_t values = f->geometry.channels * sizeof(tsr_real);
    size_t partial = tsr_pass_partial(&f->engine, f->largest, f->engine.threads > 1);
    w->y = tsr_arena_take(a, f->largest, values);
    w->out = tsr_arena_take(a, f->largest, values);
    f->t[i].partial = partial ? tsr_arena_take(a, partial, sizeof(tsr_real)) : NULL;
    if (f->full) return;
    w->batch_x = tsr_arena_take(a, f->max_batch, f->engine.net.in_dim * sizeof(tsr_real));
    w->batch_y = tsr_arena_take(a, f->max_batch, values);
    w->g = tsr_arena_take(a, f->n_params, sizeof(tsr_real));
}

static void layout_blend(struct tsr_fitter *f, struct tsr_arena *a) {
    size_t pixel = f->geometry.channels * sizeof(tsr_real);
    if (f->geometry.partition->overlap == 0) return;
    f->outputs = tsr_arena_take(a, tsr_blend_points(&f->blend), pixel);
    f->picture = tsr_arena_take(a, f->geometry.n_pixels, pixel);
}

static void layout(struct tsr_fitter *f, size_t n_context, struct tsr_arena *a) {
    size_t n = f->state.n_regions, vector = f->n_params * sizeof(tsr_real);
    f->active = tsr_arena_take(a, n, sizeof *f->active);
    f->frozen = tsr_arena_take(a, n, sizeof *f->frozen);
    f->region_error = tsr_arena_take(a, n, sizeof *f->region_error);
    f->context_error = tsr_arena_take(a, n, sizeof *f->context_error);
    f->updates = tsr_arena_take(a, n, sizeof *f->updates);
    f->points = tsr_arena_take(a, n, sizeof *f->points);
    f->moments = tsr_arena_take(a, n, tsr_optimizer_state(&f->adam, f->n_params));
    f->gradients = f->full ? tsr_arena_take(a, n, vector) : NULL;
    f->order_at = f->full ? NULL : tsr_arena_take(a, n, sizeof *f->order_at);
    f->order = f->full ? NULL : tsr_arena_take(a, n_context, sizeof *f->order);
    for (size_t i = 0; i < f->n_workers; i++)
        layout_worker(f, i, a);
    layout_blend(f, a);
}

static enum tsr_status allocate(struct tsr_fitter *f, struct tsr_error *err) {
    const char *what = "workspace of the fit";
    size_t n_context = 0, n = f->state.n_regions;
    for (size_t r = 0; r < n; r++)
        n_context += f->geometry.partition->regions[r].n_context;
    f->n_workers = f->engine.threads < n ? f->engine.threads : n;
    TSR_TRY(TSR_ALLOC(&f->t, f->n_workers, what, err));
    TSR_TRY(TSR_ALLOC(&f->workers, f->n_workers, what, err));
    TSR_TRY(TSR_ALLOC(&f->passes, f->n_workers, what, err));
    struct tsr_arena measure = {0};
    layout(f, n_context, &measure);
    TSR_TRY(tsr_arena_create(&f->arena, measure.used, what, err));
    layout(f, n_context, &f->arena);
    for (size_t r = 0, at = 0; r < n && !f->full; r++) {
        f->order_at[r] = at;
        at += f->geometry.partition->regions[r].n_context;
    }
    return TSR_OK;
}

/* Regions that still cost time; one without pixels never does. */
static void list_active(struct tsr_fitter *f) {
    f->state.active = 0;
    for (size_t r = 0; r < f->state.n_regions; r++)
        if (!f->frozen[r]) f->active[f->state.active++] = r;
}

static void initialise(struct tsr_fitter *f, const struct tsr_model *model) {
    for (size_t r = 0; r < f->state.n_regions; r++) {
        tsr_real *phi = f->inr->phi + r * f->n_params;
        size_t slot = tsr_geometry_task(&f->geometry, r, NULL).slot;
        if (f->config.random)
            tsr_network_randomize(&model->net, f->config.seed, r, phi);
        else
            memcpy(phi, model->theta + slot * f->n_params, f->n_params * sizeof *phi);
        f->frozen[r] = f->geometry.partition->regions[r].n_pixels == 0;
    }
    list_active(f);
}

/* The regions of this image, under a rule that follows it. */
static enum tsr_status follow(struct tsr_fitter *f, const struct tsr_model *model,
                              struct tsr_error *err) {
    void *labels;
    double start = tsr_seconds();
    if (!tsr_rule_follows_image(&model->config.partition)) return TSR_OK;
    TSR_TRY(tsr_alloc(&labels, f->geometry.n_pixels, sizeof(uint32_t), "label map", err));
    enum tsr_status status =
        tsr_regions_of_image(model, TSR_BYTES(f->image->pixels), f->image->height, f->image->width,
                             f->config.labels, labels, err);
    if (status == TSR_OK) status = tsr_geometry_follow(&f->geometry, labels, err);
    if (status == TSR_OK) status = tsr_inr_follow(f->inr, labels, err);
    free(labels);
    f->state.map_seconds = tsr_seconds() - start;
    return status;
}

/* The model's own inner steps, before Adam begins. */
static enum tsr_status take_inner_steps(struct tsr_fitter *f, const struct tsr_model *model,
                                        struct tsr_error *err) {
    struct tsr_reconstructor *r;
    struct tsr_reconstruct_config c;
    struct tsr_reconstruction result = {.phi = f->inr->phi};
    tsr_reconstruct_config_default(model, &c);
    c.inner_steps = f->config.inner_steps;
    c.threads = f->config.threads;
    c.kernel = f->config.kernel;
    TSR_TRY(tsr_reconstructor_create(model, &c, f->image->height, f->image->width, &r, err));
    enum tsr_status status = TSR_OK;
    if (tsr_rule_follows_image(&model->config.partition))
        status = tsr_reconstructor_follow(r, f->geometry.partition->labels, err);
    if (status == TSR_OK) status = tsr_reconstruct(r, TSR_BYTES(f->image->pixels), &result, err);
    tsr_reconstructor_free(r);
    if (status != TSR_OK) return status;
    f->state.seconds = result.seconds;
    for (size_t i = 0; i < f->state.n_regions; i++)
        f->points[i] = c.inner_steps * f->geometry.partition->regions[i].n_context;
    return TSR_OK;
}

static enum tsr_status set_up(struct tsr_fitter *f, const struct tsr_model *model,
                              struct tsr_error *err) {
    const struct tsr_kernel *kernel;
    size_t height = f->image->height, width = f->image->width;
    TSR_TRY(tsr_fit_config_check(&f->config, err));
    TSR_TRY(tsr_model_check_image(model, height, width, f->image->channels, err));
    TSR_TRY(tsr_kernel_find(f->config.kernel, &kernel, err));
    TSR_TRY(tsr_geometry_create(model, height, width, &f->geometry, err));
    TSR_TRY(tsr_inr_create(model, height, width, &f->inr, err));
    TSR_TRY(follow(f, model, err));
    TSR_TRY(tsr_engine_create(&model->net, kernel, f->config.threads, &f->engine, err));
    f->full = f->config.batch_fraction >= 1;
    f->n_params = model->net.n_params;
    f->state.n_regions = f->geometry.partition->n_regions;
    for (size_t r = 0; r < f->state.n_regions; r++)
        if (f->geometry.partition->regions[r].n_context > f->largest)
            f->largest = f->geometry.partition->regions[r].n_context;
    f->max_batch = batch_of(f, f->largest);
    f->adam = tsr_choice_of(&tsr_optimizer_adam.object);
    (void)tsr_choice_set(&f->adam, "adam_lr", f->config.lr);
    (void)tsr_choice_set(&f->adam, "adam_warmup", 0); /* that of the schedule */
    f->allowed_error = f->config.target_psnr_db > 0
                           ? pow(10, -f->config.target_psnr_db / 10) *
                                 (double)f->geometry.n_pixels * (double)f->geometry.channels
                           : -1;
    if (f->geometry.partition->overlap > 0) TSR_TRY(tsr_blend_create(&f->geometry, &f->blend, err));
    TSR_TRY(allocate(f, err));
    f->state.region_error = f->region_error;
    f->state.region_iteration = f->updates;
    f->state.psnr_db = f->state.loss = (double)NAN;
    initialise(f, model);
    if (!f->config.random && f->config.inner_steps) return take_inner_steps(f, model, err);
    return TSR_OK;
}

enum tsr_status tsr_fitter_create(const struct tsr_model *model,
                                  const struct tsr_fit_config *config,
                                  const struct tsr_image *image, struct tsr_fitter **out,
                                  struct tsr_error *err) {
    void *p;
    *out = NULL;
    TSR_TRY(tsr_alloc(&p, 1, sizeof(struct tsr_fitter), "fitter", err));
    struct tsr_fitter *f = p;
    f->config = *config;
    f->image = image;
    enum tsr_status status = set_up(f, model, err);
    if (status != TSR_OK) {
        tsr_fitter_free(f);
        return status;
    }
    *out = f;
    return TSR_OK;
}

void tsr_fitter_free(struct tsr_fitter *f) {
    if (!f) return;
    tsr_blend_clear(&f->blend);
    tsr_geometry_clear(&f->geometry);
    tsr_engine_clear(&f->engine);
    tsr_arena_free(&f->arena);
    tsr_inr_free(f->inr);
    free(f->t);
    free(f->workers);
    free(f->passes);
    free(f);
}

const struct tsr_fit_state *tsr_fitter_state(const struct tsr_fitter *fitter) {
    return &fitter->state;
}

const struct tsr_inr *tsr_fitter_inr(const struct tsr_fitter *fitter) {
    return fitter->inr;
}

/* ---- one region ------------------------------------------------------------------------------ */

/* What is done to each active region between two meetings. */
struct block {
    enum { ADVANCE, MEASURE, MEASURE_AND_KEEP } kind;
    uint64_t from, to; /* ADVANCE: iterations */
    double progress;   /* of a run that is bounded by time, 0 .. 1 */
    struct tsr_fitter *f;
};

/* Where the outputs of a region go. */
static tsr_real *outputs_of(const struct tsr_fitter *f, const struct worker *w) {
    return f->outputs ? f->outputs + f->blend.first[w->region] * f->geometry.channels : w->out;
}

/* Does the region's own error do for the target? */
static bool reached(const struct tsr_fitter *f, size_t region) {
    double share =
        (double)f->geometry.partition->regions[region].n_pixels / (double)f->geometry.n_pixels;
    return f->region_error[region] <= f->allowed_error * share;
}

/* The batch of iteration k: the next `m` of the region's pixels in the order of random
 * permutations, of which one follows the other. f->order holds the one that iteration k - 1 ended
 * in. */
static void gather(struct tsr_fitter *f, struct worker *w, uint64_t k) {
    size_t n = w->all.n, m = batch_of(f, n), in = f->engine.net.in_dim, c = f->geometry.channels;
    uint32_t *order = f->order + f->order_at[w->region];
    uint64_t first = k * m;
    uint64_t seed = tsr_random_u64(f->config.seed, TSR_STREAM_PIXELS, w->region);
    for (size_t i = 0; i < m; i++) {
        size_t at = (size_t)((first + i) % n);
        if (at == 0)
            tsr_random_permutation(seed, ((first + i) / n) << 32 | TSR_STREAM_PIXELS, n, order);
        memcpy(w->batch_x + i * in, w->all.x + order[at] * in, in * sizeof *w->batch_x);
        memcpy(w->batch_y + i * c, w->all.y + order[at] * c, c * sizeof *w->batch_y);
    }
    w->task.ctx = (struct tsr_points){w->batch_x, w->batch_y, m};
}

/* The points of the next measure. */
static void prepare(void *user, struct tsr_trajectory *t, size_t k) {
    const struct block *block = user;
    struct tsr_fitter *f = block->f;
    struct worker *w = &f->workers[t - f->t];
    if (block->kind == ADVANCE && !f->full) gather(f, w, k);
    w->task.ctx_scale = 1 / ((double)w->task.ctx.n * (double)f->geometry.channels);
    if (block->kind != MEASURE) f->points[w->region] += w->task.ctx.n;
}

/* All context pixels of a region are measured: is it to go on? */
static bool look(void *user, struct tsr_trajectory *t, size_t k) {
    const struct block *block = user;
    struct tsr_fitter *f = block->f;
    struct worker *w = &f->workers[t - f->t];
    size_t region = w->region;
    bool advances = block->kind == ADVANCE;
    if (advances && !f->full) return false;
    bool cut = tsr_region_is_cut(&f->geometry.partition->regions[region]);
    f->context_error[region] = t->error;
    f->region_error[region] =
        cut ? tsr_geometry_own_error(&f->geometry, region, outputs_of(f, w), w->y) : t->error;
    f->frozen[region] = reached(f, region);
    if (advances && f->frozen[region]) f->updates[region] = k;
    return f->frozen[region] || block->kind == MEASURE_AND_KEEP;
}

static double factor(void *user, size_t k) {
    const struct block *block = user;
    const struct tsr_fit_config *c = &block->f->config;
    double progress = 0;
    if (c->schedule == TSR_FIT_SCHEDULE_COSINE) {
        progress = c->iterations ? (double)k / (double)c->iterations : 0;
        if (block->progress > progress) progress = block->progress;
    }
    return tsr_schedule(k, c->warmup, progress, 0);
}

/* Puts a region on a trajectory that goes on where the last one ended. */
static void begin_region(const struct block *block, size_t worker, size_t region) {
    struct tsr_fitter *f = block->f;
    struct worker *w = &f->workers[worker];
    bool batch = block->kind == ADVANCE && !f->full;
    bool cut = tsr_region_is_cut(&f->geometry.partition->regions[region]);
    tsr_geometry_targets(&f->geometry, TSR_BYTES(f->image->pixels), region, w->y);
    w->region = region;
    w->task = tsr_geometry_task(&f->geometry, region, w->y);
    w->all = w->task.ctx;
    f->t[worker] = (struct tsr_trajectory){
        .task = &w->task,
        .phi = f->inr->phi + region * f->n_params,
        .g = f->full ? f->gradients + region * f->n_params : w->g,
        .out = !batch && (cut || f->outputs || block->kind == MEASURE) ? outputs_of(f, w) : NULL,
        .partial = f->t[worker].partial,
        .state = f->moments + region * tsr_optimizer_state(&f->adam, f->n_params),
        .known = block->kind == ADVANCE && f->kept};
}

/* Active regions first .. first+n-1, together. */
static void work_on(struct block *block, size_t thread, size_t worker, size_t first, size_t n) {
    struct tsr_fitter *f = block->f;
    const struct tsr_inner_hooks hooks = {prepare, look, factor, block};
    size_t from = block->kind == ADVANCE ? block->from : 0;
    size_t to = block->kind == ADVANCE ? block->to : 1;
    const struct tsr_inner_loop loop = {.engine = &f->engine,
                                        .optimizer = &f->adam,
                                        .inner_steps = block->kind == MEASURE ? 0 : SIZE_MAX,
                                        .hooks = &hooks};
    for (size_t i = 0; i < n; i++)
        begin_region(block, worker + i, f->active[first + i]);
    tsr_inner_run(&loop, thread, f->t + worker, n, from, to, f->passes + worker);
    for (size_t i = 0; i < n && block->kind == ADVANCE; i++)
        if (!f->t[worker + i].stopped) f->updates[f->active[first + i]] = to;
}

/* ---- all regions ----------------------------------------------------------------------------- */

static struct tsr_plan plan_of(const struct tsr_fitter *f) {
    struct tsr_load load = {0};
    for (size_t i = 0; i < f->state.active; i++) {
        size_t n = f->geometry.partition->regions[f->active[i]].n_context;
        if (!f->full) n = batch_of(f, n);
        tsr_load_add(&load, n, tsr_pass_pieces(n));
    }
    return tsr_plan_of(&load, f->engine.threads);
}

static void run_block(struct tsr_fitter *f, struct block block) {
    size_t n = f->state.active;
    struct tsr_plan plan = plan_of(f);
    block.f = f;
    if (plan.team) {
        for (size_t i = 0; i < n; i += plan.at_once)
            work_on(&block, TSR_TEAM, 0, i, n - i < plan.at_once ? n - i : plan.at_once);
    } else {
#pragma omp parallel for schedule(dynamic, 1) num_threads((int)f->n_workers)
        for (size_t i = 0; i < n; i++)
            work_on(&block, tsr_thread_number(), tsr_thread_number(), i, 1);
    }
    f->kept = block.kind == MEASURE_AND_KEEP;
    list_active(f);
}

static double time_progress(const struct tsr_fitter *f) {
    return f->config.seconds > 0 ? f->state.seconds / f->config.seconds : 0;
}

static double essential_flops(const struct tsr_fitter *f) {
    double points = 0;
    for (size_t r = 0; r < f->state.n_regions; r++)
        points += (double)f->points[r];
    return points * tsr_network_flops(&f->engine.net, 3);
}

/* Runs a block as training: what it takes is counted. */
static void train(struct tsr_fitter *f, struct block block) {
    bool had_gradients = f->kept;
    double start = tsr_seconds();
    run_block(f, block);
    double seconds = tsr_seconds() - start;
    f->state.seconds += seconds;
    f->state.flops = essential_flops(f);
    uint64_t gradients = block.kind == ADVANCE ? block.to - block.from - had_gradients : 1;
    if (gradients > 0) f->pace = seconds / (double)gradients;
    if (block.kind == ADVANCE) f->state.iteration = block.to;
}

/* Iterations to run before the next look at the clock, the callbacks, the error. */
static uint64_t block_length(const struct tsr_fitter *f) {
    uint64_t k = f->state.iteration, until = k - k % f->config.every + f->config.every;
    double budget = BLOCK_SECONDS;
    if (f->config.iterations && until > f->config.iterations) until = f->config.iterations;
    if (f->config.seconds > 0 && f->config.seconds - f->state.seconds < budget)
        budget = f->config.seconds - f->state.seconds;
    double most = f->pace > 0 ? budget / f->pace : 1;
    return most < 1 ? 1 : most < (double)(until - k) ? (uint64_t)most : until - k;
}

static enum tsr_status sum_errors(struct tsr_fitter *f, struct tsr_error *err) {
    double loss = 0, values = 0;
    f->pooled_error = 0;
    if (f->outputs) {
        tsr_blend_gather(&f->blend, f->outputs, f->engine.threads, f->picture);
        tsr_blend_compare(&f->geometry, TSR_BYTES(f->image->pixels), f->engine.threads, f->picture,
                          f->region_error);
    }
    for (size_t r = 0; r < f->state.n_regions; r++) {
        if (!isfinite(f->context_error[r]))
            return TSR_ERROR(err, TSR_ERR_NUMERIC,
                             "the error of region %zu is not finite at iteration %llu; a smaller "
                             "learning rate may help",
                             r, (unsigned long long)f->state.iteration);
        f->pooled_error += f->region_error[r];
        loss += f->context_error[r];
        values += (double)(f->geometry.partition->regions[r].n_context * f->geometry.channels);
    }
    f->state.loss = loss / values;
    f->state.psnr_db = tsr_psnr_db(f->pooled_error, f->geometry.n_pixels * f->geometry.channels);
    return TSR_OK;
}

/* One curve point. Before a last one nothing is prepared for the next iteration. */
static enum tsr_status take_point(struct tsr_fitter *f, bool last,
                                  const struct tsr_fit_callbacks *callbacks,
                                  struct tsr_error *err) {
    struct tsr_fit_state shown = f->state;
    if (f->full && !last)
        train(f, (struct block){.kind = MEASURE_AND_KEEP});
    else
        run_block(f, (struct block){.kind = MEASURE});
    TSR_TRY(sum_errors(f, err));
    /* As it was at these parameters: the gradient that came along belongs to the next iteration. */
    shown.psnr_db = f->state.psnr_db;
    shown.loss = f->state.loss;
    shown.active = f->state.active;
    return callbacks && callbacks->point ? callbacks->point(callbacks->user, &shown, err) : TSR_OK;
}

static bool at_bound(const struct tsr_fitter *f) {
    return (f->config.iterations && f->state.iteration >= f->config.iterations) ||
           (f->config.seconds > 0 && f->state.seconds >= f->config.seconds) || f->state.active == 0;
}

enum tsr_status tsr_fitter_run(struct tsr_fitter *f, const struct tsr_fit_callbacks *callbacks,
                               struct tsr_error *err) {
    bool interrupted = false;
    for (;;) {
        bool last = interrupted || at_bound(f);
        if (last || f->state.iteration % f->config.every == 0) {
            TSR_TRY(take_point(f, last, callbacks, err));
            if (last || f->state.active == 0 || f->pooled_error <= f->allowed_error) break;
        }
        uint64_t k = f->state.iteration;
        train(f, (struct block){.kind = ADVANCE,
                                .from = k,
                                .to = k + block_length(f),
                                .progress = time_progress(f)});
        interrupted =
            callbacks && callbacks->progress && callbacks->progress(callbacks->user, &f->state);
    }
    if (!interrupted) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_INTERRUPTED, "interrupted after %llu iterations",
                     (unsigned long long)f->state.iteration);
}
