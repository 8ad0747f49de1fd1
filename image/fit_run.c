/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "image/fitter.h"
#include "image/quality.h"
#include "inner/team.h"
#include "meta/outer_optimizer.h"

/* Seconds of training between two looks at the callbacks, and of a block that is longer. */
static const double BLOCK_SECONDS = 0.2, LOOK_SECONDS = 1;

/* Is a block that takes long to end where it is? Only the thread that called the library asks. */
static bool ends(struct tsr_fitter *f, size_t thread) {
    const struct tsr_fit_callbacks *c = f->callbacks;
    if (thread == 0 && c && c->progress && tsr_seconds() - f->asked >= LOOK_SECONDS) {
        f->asked = tsr_seconds();
        if (c->progress(c->user, &f->state)) atomic_store(&f->ended, true);
    }
    return atomic_load(&f->ended);
}

/* Between the turns of a pass over a large region. */
static bool turn(void *user, size_t thread, size_t points) {
    (void)points;
    return ends(user, thread);
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
static tsr_real *outputs_of(const struct tsr_fitter *f, const struct tsr_fit_worker *w) {
    return f->outputs ? f->outputs + f->blend.first[w->region] * f->geometry.channels : w->out;
}

/* Does the region's own error, or where not all is known that of its context, do for the target? */
static bool reached(const struct tsr_fitter *f, size_t region) {
    size_t points =
        f->apart ? f->context_points[region] : f->geometry.partition->regions[region].n_pixels;
    double share = (double)points / (double)f->geometry.n_pixels;
    return (f->apart ? f->context_error : f->region_error)[region] <= f->allowed_error * share;
}

/* The batch of iteration k: the next `m` of the region's pixels in the order of random
 * permutations, of which one follows the other. f->order holds the one that iteration k - 1 ended
 * in. */
static void gather(struct tsr_fitter *f, struct tsr_fit_worker *w, uint64_t k) {
    size_t n = w->all.n, m = tsr_fitter_batch(f, n), in = f->engine.net.in_dim,
           c = f->geometry.channels;
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
    struct tsr_fit_worker *w = &f->workers[t - f->t];
    if (block->kind == ADVANCE && !f->full) gather(f, w, k);
    w->task.ctx_scale = 1 / ((double)w->task.ctx.n * (double)f->geometry.channels);
    if (block->kind != MEASURE) f->points[w->region] += w->task.ctx.n;
}

/* All context pixels of a region are measured: is it to go on? */
static bool look(void *user, struct tsr_trajectory *t, size_t k) {
    const struct block *block = user;
    struct tsr_fitter *f = block->f;
    struct tsr_fit_worker *w = &f->workers[t - f->t];
    size_t region = w->region;
    bool advances = block->kind == ADVANCE;
    if (atomic_load(&f->ended)) { /* what was measured means nothing */
        if (advances) f->updates[region] = k;
        return true;
    }
    if (advances && !f->full) return false;
    bool cut = tsr_region_is_cut(&f->geometry.partition->regions[region]);
    f->context_error[region] = t->error;
    if (!f->apart)
        f->region_error[region] =
            cut ? tsr_geometry_own_error(&f->geometry, region, outputs_of(f, w), w->y, NULL)
                : t->error;
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

/* Sets the points that a region is learned from. */
static void take_points(const struct tsr_fitter *f, struct tsr_fit_worker *w, size_t region) {
    tsr_geometry_targets(&f->geometry, TSR_BYTES(f->image->pixels), region, w->y);
    w->region = region;
    w->task = tsr_geometry_task(&f->geometry, region, w->y);
    if (f->apart) {
        size_t n = tsr_context_points(&f->context, region, w->ctx_x, w->ctx_y);
        w->task = tsr_context_task(&f->context, region, w->ctx_x, w->ctx_y, n, w->y);
    }
    w->all = w->task.ctx;
}

/* The errors of a region over all its own pixels, where it is learned from some of them. */
static void measure_own(struct tsr_fitter *f, size_t thread, const struct tsr_fit_worker *w,
                        tsr_real *partial) {
    struct tsr_pass pass = {.kind = TSR_PASS_FORWARD,
                            .points = &w->task.qry,
                            .phi = f->inr->phi + w->region * f->n_params,
                            .out = outputs_of(f, w),
                            .partial = partial};
    tsr_pass_run(&f->engine, thread, &pass, 1);
    f->region_error[w->region] =
        tsr_geometry_own_error(&f->geometry, w->region, pass.out, w->y, NULL);
    f->unseen_error[w->region] = tsr_geometry_own_error(&f->geometry, w->region, pass.out, w->y,
                                                        tsr_context_known(&f->context));
}

void tsr_fitter_measure_unlearned(struct tsr_fitter *f) {
    for (size_t r = 0; r < f->state.n_regions; r++) {
        if (f->context_points[r] || f->geometry.partition->regions[r].n_pixels == 0) continue;
        take_points(f, &f->workers[0], r);
        measure_own(f, TSR_TEAM, &f->workers[0], f->t[0].partial);
    }
}

/* Puts a region on a trajectory that goes on where the last one ended. */
static void begin_region(const struct block *block, size_t worker, size_t region) {
    struct tsr_fitter *f = block->f;
    struct tsr_fit_worker *w = &f->workers[worker];
    bool batch = block->kind == ADVANCE && !f->full;
    bool cut = tsr_region_is_cut(&f->geometry.partition->regions[region]);
    bool whole = tsr_space_is_whole(&f->engine.space);
    take_points(f, w, region);
    f->t[worker] = (struct tsr_trajectory){
        .task = &w->task,
        .phi = f->inr->phi + region * f->n_params,
        .g = f->full ? f->gradients + region * f->n_params : w->g,
        .z = whole ? NULL : f->inr->numbers + region * f->numbers,
        .gz = w->gz,
        .out = f->apart                                                  ? w->ctx_out
               : !batch && (cut || f->outputs || block->kind == MEASURE) ? outputs_of(f, w)
                                                                         : NULL,
        .partial = f->t[worker].partial,
        .state = f->moments + region * tsr_optimizer_state(&f->adam, f->numbers),
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
                                        .hooks = &hooks,
                                        .theta = f->inr->theta,
                                        .basis = f->inr->basis};
    if (ends(f, thread == TSR_TEAM ? 0 : thread)) return;
    for (size_t i = 0; i < n; i++)
        begin_region(block, worker + i, f->active[first + i]);
    tsr_inner_run(&loop, thread, f->t + worker, n, from, to, f->passes + worker);
    for (size_t i = 0; i < n && block->kind != MEASURE; i++)
        f->maps[f->active[first + i]] += f->t[worker + i].maps;
    for (size_t i = 0; i < n && f->apart; i++)
        if (block->kind != ADVANCE || f->t[worker + i].stopped)
            measure_own(f, thread, &f->workers[worker + i], f->t[worker + i].partial);
    for (size_t i = 0; i < n && block->kind == ADVANCE; i++)
        if (!f->t[worker + i].stopped) f->updates[f->active[first + i]] = to;
}

/* ---- all regions ----------------------------------------------------------------------------- */

static struct tsr_plan plan_of(const struct tsr_fitter *f) {
    struct tsr_load load = {0};
    for (size_t i = 0; i < f->state.active; i++) {
        size_t n = f->context_points[f->active[i]];
        if (!f->full) n = tsr_fitter_batch(f, n);
        tsr_load_add(&load, n, tsr_pass_pieces(n));
    }
    return tsr_plan_of(&load, f->engine.threads);
}

static void run_block(struct tsr_fitter *f, struct block block) {
    size_t n = f->state.active;
    struct tsr_plan plan = plan_of(f);
    block.f = f;
    f->asked = tsr_seconds();
    if (plan.team) {
        for (size_t i = 0; i < n; i += plan.at_once)
            work_on(&block, TSR_TEAM, 0, i, n - i < plan.at_once ? n - i : plan.at_once);
    } else {
#pragma omp parallel for schedule(dynamic, 1) num_threads((int)f->n_workers)
        for (size_t i = 0; i < n; i++)
            work_on(&block, tsr_thread_number(), tsr_thread_number(), i, 1);
    }
    f->kept = block.kind == MEASURE_AND_KEEP && !atomic_load(&f->ended);
    tsr_fitter_list_active(f);
}

static double time_progress(const struct tsr_fitter *f) {
    return f->config.seconds > 0 ? f->state.seconds / f->config.seconds : 0;
}

static double essential_flops(const struct tsr_fitter *f) {
    double points = 0, maps = 0;
    const struct tsr_net *net = &f->engine.net;
    for (size_t r = 0; r < f->state.n_regions; r++) {
        points += (double)f->points[r];
        maps += f->maps[r];
    }
    return points * tsr_network_flops(net, tsr_network_gradient_passes(net)) +
           maps * 2 * (double)(f->engine.space.n_directions * net->n_params);
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
    if (block.kind == ADVANCE && !atomic_load(&f->ended)) f->state.iteration = block.to;
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

/* Over the pixels that are not known. */
static double unseen_psnr_db(struct tsr_fitter *f) {
    size_t n = f->apart ? tsr_context_unseen(&f->context) : 0;
    double sum = 0;
    if (n == 0) return (double)NAN;
    if (f->outputs)
        tsr_blend_unseen(&f->geometry, f->picture, tsr_context_known(&f->context), f->unseen_error);
    for (size_t r = 0; r < f->state.n_regions; r++)
        sum += f->unseen_error[r];
    return tsr_psnr_db(sum, n * f->geometry.channels);
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
        values += (double)(f->context_points[r] * f->geometry.channels);
    }
    f->state.loss = values > 0 ? loss / values : 0;
    f->state.unseen_psnr_db = unseen_psnr_db(f);
    f->state.psnr_db = tsr_psnr_db(f->pooled_error, f->geometry.n_pixels * f->geometry.channels);
    return TSR_OK;
}

/* One curve point. Before a last one nothing is prepared for the next iteration. */
static enum tsr_status take_point(struct tsr_fitter *f, bool last, struct tsr_error *err) {
    const struct tsr_fit_callbacks *callbacks = f->callbacks;
    struct tsr_fit_state shown = f->state;
    if (f->full && !last)
        train(f, (struct block){.kind = MEASURE_AND_KEEP});
    else
        run_block(f, (struct block){.kind = MEASURE});
    if (atomic_load(&f->ended)) return TSR_OK;
    TSR_TRY(sum_errors(f, err));
    /* As it was at these parameters: the gradient that came along belongs to the next iteration. */
    shown.psnr_db = f->state.psnr_db;
    shown.unseen_psnr_db = f->state.unseen_psnr_db;
    shown.loss = f->state.loss;
    shown.active = f->state.active;
    return callbacks && callbacks->point ? callbacks->point(callbacks->user, &shown, err) : TSR_OK;
}

/* Has the image, or where not all of it is known what is, the target PSNR? */
static bool is_near(const struct tsr_fitter *f) {
    double values = (double)(f->geometry.n_pixels * f->geometry.channels);
    return (f->apart ? f->state.loss * values : f->pooled_error) <= f->allowed_error;
}

static bool at_bound(const struct tsr_fitter *f) {
    return (f->config.iterations && f->state.iteration >= f->config.iterations) ||
           (f->config.seconds > 0 && f->state.seconds >= f->config.seconds) || f->state.active == 0;
}

static bool is_interrupted(const struct tsr_fitter *f) {
    const struct tsr_fit_callbacks *c = f->callbacks;
    return atomic_load(&f->ended) || (c && c->progress && c->progress(c->user, &f->state));
}

enum tsr_status tsr_fitter_run(struct tsr_fitter *f, const struct tsr_fit_callbacks *callbacks,
                               struct tsr_error *err) {
    bool interrupted = false;
    f->callbacks = callbacks;
    atomic_store(&f->ended, false);
    f->engine.watch = (struct tsr_pass_watch){turn, f};
    while (!atomic_load(&f->ended)) {
        bool last = interrupted || at_bound(f);
        if (last || f->state.iteration % f->config.every == 0) {
            TSR_TRY(take_point(f, last, err));
            if (last || f->state.active == 0 || is_near(f)) break;
        }
        uint64_t k = f->state.iteration;
        train(f, (struct block){.kind = ADVANCE,
                                .from = k,
                                .to = k + block_length(f),
                                .progress = time_progress(f)});
        interrupted = is_interrupted(f);
    }
    if (!interrupted && !atomic_load(&f->ended)) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_INTERRUPTED, "interrupted after %llu iterations",
                     (unsigned long long)f->state.iteration);
}
