/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "image/reconstructor.h"
#include "image/seam.h"

/* ---- one region ------------------------------------------------------------------------------ */

/* The states first .. end-1 of the inner loop, which all regions go through before the next. */
struct round {
    struct tsr_reconstructor *r;
    struct tsr_pixels pixels;
    uint8_t *pictures;       /* [K+1, H, W, C] of the caller, or NULL */
    tsr_real *phi, *numbers; /* of the caller, or NULL */
    size_t first, end;
    atomic_bool cancelled;
    atomic_size_t done;   /* measurements of regions */
    atomic_size_t points; /* since the last of them, of large regions */
    double shown;         /* the part of the work that was last told of */
};

/* The caller's picture after k inner steps, or that of the round; NULL: none is wanted. */
static uint8_t *picture_at(const struct round *round, size_t k) {
    const struct tsr_reconstructor *r = round->r;
    if (round->pictures) return round->pictures + k * tsr_reconstructor_values(r);
    return r->pictures ? r->pictures + (k - round->first) * tsr_reconstructor_values(r) : NULL;
}

static tsr_real *outputs_at(const struct round *round, size_t k) {
    return round->r->outputs + (k - round->first) * tsr_reconstructor_outputs(round->r);
}

static double *errors_at(const struct round *round, size_t k) {
    return round->r->region_error + (k - round->first) * round->r->geometry.partition->n_regions;
}

/* NULL where all is known. */
static double *unseen_at(const struct round *round, size_t k) {
    if (!round->r->unseen_error) return NULL;
    return round->r->unseen_error + (k - round->first) * round->r->geometry.partition->n_regions;
}

/* Puts the outputs at a region's own pixels into a picture [H, W, C], row by row. */
static void draw(const struct tsr_geometry *geometry, size_t region, const tsr_real *out,
                 uint8_t *picture) {
    const struct tsr_partition *p = geometry->partition;
    size_t c = geometry->channels, row = p->labels ? 1 : p->regions[region].width;
    for (size_t i = 0; i < p->regions[region].n_pixels; i += row) {
        size_t at, from = tsr_geometry_own_point(geometry, region, i, &at);
        tsr_to_bytes(out + from * c, row * c, picture + at * c);
    }
}

/* Outputs go where they are blended from, unless the optimiser tries other points in between. */
static void prepare(void *user, struct tsr_trajectory *t, size_t k) {
    const struct round *round = user;
    const struct tsr_reconstructor *r = round->r;
    const struct tsr_reconstruct_worker *w = &r->workers[t - r->t];
    if (!r->outputs || r->apart || tsr_optimizer_of(r->loop.optimizer)->asks_loss) return;
    t->out = outputs_at(round, k) + r->blend.first[w->region] * r->geometry.channels;
}

/* Is the round to end? Only the thread that called the library asks. */
static bool is_cancelled(struct round *round, size_t worker) {
    const struct tsr_reconstructor *r = round->r;
    if (worker == 0 && !atomic_load(&round->cancelled)) {
        double all = (double)(tsr_reconstructor_states(r) * r->n_at_hand);
        double begun = fmin(1, (double)atomic_load(&round->points) / (double)r->largest);
        double done = all > 0 ? fmin(1, ((double)atomic_load(&round->done) + begun) / all) : 1;
        round->shown = fmax(round->shown, done);
        if (tsr_watch_ends(&r->config.watch, round->shown)) atomic_store(&round->cancelled, true);
    }
    return atomic_load(&round->cancelled);
}

/* Between the turns of a pass over a large region. */
static bool turn(void *user, size_t thread, size_t points) {
    struct round *round = user;
    (void)atomic_fetch_add(&round->points, points);
    return is_cancelled(round, thread);
}

static bool wants_parameters(const struct round *round) {
    return round->phi || round->numbers;
}

/* A region in one state: squared errors of its context, and of its own pixels, all of them and
 * those that are not known; its outputs at all its points. */
struct state {
    double context, own, unseen;
    const tsr_real *out;
};

/* Keeps a region as it is after k inner steps, if it never was better. */
static void keep_if_best(const struct round *round, const struct tsr_trajectory *t, size_t k,
                         const struct state *s) {
    const struct tsr_reconstructor *r = round->r;
    size_t region = r->workers[t - r->t].region, n = r->engine.space.n,
           n_params = r->engine.net.n_params, c = r->geometry.channels;
    if (!wants_parameters(round) || (k > 0 && !(s->context < r->best[region]))) return;
    r->best[region] = isnan(s->context) ? (double)INFINITY : s->context;
    r->best_error[region] = isnan(s->own) ? (double)INFINITY : s->own;
    if (r->best_unseen) r->best_unseen[region] = s->unseen;
    const tsr_real *z = t->z ? t->z : t->phi;
    if (round->phi) memcpy(round->phi + region * n_params, t->phi, n_params * sizeof *z);
    if (round->numbers) memcpy(round->numbers + region * n, z, n * sizeof *z);
    if (r->best_outputs)
        memcpy(r->best_outputs + r->blend.first[region] * c, s->out,
               r->geometry.partition->regions[region].n_context * c * sizeof *z);
}

/* Steps in a row that lower the error by less than this part end a region that is to converge. */
enum { SLIGHT_STEPS = 3 };
static const double SLIGHT = 1e-3;

/* Does the region end after k inner steps, with this squared error of n values? */
static bool halts(const struct tsr_reconstructor *r, struct tsr_halt *halt, size_t k, double error,
                  size_t n) {
    const struct tsr_reconstruct_config *c = &r->config;
    bool slight = k > r->model->config.inner_steps && error > (1 - SLIGHT) * halt->error;
    halt->slight = slight ? halt->slight + 1 : 0;
    halt->error = error;
    halt->due = (c->target_psnr_db > 0 && tsr_psnr_db(error, n) >= c->target_psnr_db) ||
                (c->until_converged && halt->slight >= SLIGHT_STEPS);
    return halt->due;
}

/* A state of a region as that after k inner steps. */
static void record(struct round *round, const struct tsr_trajectory *t, size_t k,
                   const struct state *s) {
    const struct tsr_reconstructor *r = round->r;
    const struct tsr_reconstruct_worker *w = &r->workers[t - r->t];
    size_t c = r->geometry.channels;
    size_t n = r->geometry.partition->regions[w->region].n_context;
    tsr_real *to = r->outputs ? outputs_at(round, k) + r->blend.first[w->region] * c : NULL;
    if (to && s->out != to) memcpy(to, s->out, n * c * sizeof *to);
    (void)atomic_fetch_add(&round->done, 1);
    atomic_store(&round->points, 0);
    if (tsr_reconstructor_overlaps(r)) return;
    errors_at(round, k)[w->region] = s->own;
    if (r->unseen_error) unseen_at(round, k)[w->region] = s->unseen;
    if (picture_at(round, k)) draw(&r->geometry, w->region, s->out, picture_at(round, k));
}

/* The state that was measured last: with overlap its errors are those of all its points. */
static struct state state_of(const struct tsr_reconstructor *r, const struct tsr_trajectory *t) {
    const struct tsr_reconstruct_worker *w = &r->workers[t - r->t];
    const struct tsr_geometry *g = &r->geometry;
    bool own =
        tsr_region_is_cut(&g->partition->regions[w->region]) && !tsr_reconstructor_overlaps(r);
    struct state s = {.context = t->error, .own = t->error, .out = t->out};
    if (r->apart) {
        s.own = w->query_error;
        s.out = w->query_out;
        if (r->unseen_error)
            s.unseen =
                tsr_geometry_own_error(g, w->region, s.out, w->y, tsr_context_known(&r->context));
    }
    if (own) s.own = tsr_geometry_own_error(g, w->region, s.out, w->y, NULL);
    if (!r->apart) s.context = s.own;
    return s;
}

/* Values that the error of a region's context is summed over. */
static size_t context_values(const struct tsr_reconstructor *r, const struct tsr_trajectory *t) {
    const struct tsr_region *at = &r->geometry.partition->regions[r->workers[t - r->t].region];
    size_t points = r->apart                        ? t->task->ctx.n
                    : tsr_reconstructor_overlaps(r) ? at->n_context
                                                    : at->n_pixels;
    return points * r->geometry.channels;
}

/* A region after k inner steps; if it ends there, also after all others of the round. */
static bool look(void *user, struct tsr_trajectory *t, size_t k) {
    struct round *round = user;
    const struct tsr_reconstructor *r = round->r;
    size_t worker = (size_t)(t - r->t);
    const struct state s = state_of(r, t);
    record(round, t, k, &s);
    keep_if_best(round, t, k, &s);
    bool ends = halts(r, &r->halt[r->workers[worker].region], k, s.context, context_values(r, t));
    for (size_t later = k + 1; ends && later < round->end; later++)
        record(round, t, later, &s);
    return is_cancelled(round, worker) || ends;
}

/* The outputs of a region at all its points. */
static struct tsr_pass query_pass(const struct tsr_reconstructor *r, size_t worker) {
    const struct tsr_trajectory *t = &r->t[worker];
    return (struct tsr_pass){.kind = TSR_PASS_FORWARD,
                             .points = &t->task->qry,
                             .phi = t->phi,
                             .out = r->apart ? r->workers[worker].query_out : t->out,
                             .partial = t->partial};
}

/* A region that has ended before this round, or has no context: its outputs, once for all states
 * of the round. */
static void repeat_state(struct round *round, size_t thread, struct tsr_trajectory *t) {
    const struct tsr_reconstructor *r = round->r;
    struct tsr_reconstruct_worker *w = &r->workers[t - r->t];
    struct tsr_pass pass = query_pass(r, (size_t)(t - r->t));
    tsr_pass_run(&r->engine, thread, &pass, 1);
    if (!r->apart) t->passes += 1;
    t->stopped = true;
    t->error = r->halt[w->region].error;
    w->query_error = pass.error;
    const struct state s =
        r->apart ? state_of(r, t)
                 : (struct state){.context = t->error, .own = t->error, .out = t->out};
    for (size_t k = round->first; k < round->end; k++)
        record(round, t, k, &s);
    if (round->first == 0) keep_if_best(round, t, 0, &s);
}

/* What a region is adapted to: its own targets, and, where that is not its query, its context. */
static void take_region(const struct tsr_reconstructor *r, struct tsr_pixels pixels, size_t region,
                        struct tsr_reconstruct_worker *w) {
    w->region = region;
    tsr_geometry_targets(&r->geometry, pixels, region, w->y);
    if (!r->apart) {
        w->task = tsr_geometry_task(&r->geometry, region, w->y);
        return;
    }
    size_t n = tsr_context_points(&r->context, region, w->ctx_x, w->ctx_y);
    w->task = tsr_context_task(&r->context, region, w->ctx_x, w->ctx_y, n, w->y);
}

/* At phi_0 and with a new optimiser, or as the region was at the end of the last round. */
static void begin_region(struct round *round, size_t thread, size_t worker, size_t region,
                         struct tsr_forwards *forwards) {
    const struct tsr_reconstructor *r = round->r;
    struct tsr_reconstruct_worker *w = &r->workers[worker];
    struct tsr_trajectory *t = &r->t[worker];
    size_t vector = r->engine.space.n * sizeof(tsr_real);
    take_region(r, round->pixels, region, w);
    t->task = &w->task;
    t->out = w->out;
    t->forward = NULL;
    t->stopped = false;
    t->passes = t->maps = 0;
    if (round->first > 0) {
        const unsigned char *kept = r->kept + region * tsr_reconstructor_kept_size(r);
        memcpy(t->z ? t->z : t->phi, kept, vector);
        tsr_trajectory_expand(&r->loop, t, t->z, t->phi);
        if (t->state) memcpy(t->state, kept + vector, tsr_reconstructor_state_size(r));
        if (r->halt[region].due) repeat_state(round, thread, t);
        return;
    }
    const tsr_real *theta = r->model->theta + w->task.slot * r->engine.net.n_params;
    r->halt[region] = (struct tsr_halt){.error = (double)INFINITY};
    tsr_trajectory_start(&r->loop, t, r->model->theta);
    if (t->state) memset(t->state, 0, tsr_reconstructor_state_size(r));
    if (w->task.ctx.n == 0) {
        r->halt[region] = (struct tsr_halt){.due = true};
        repeat_state(round, thread, t);
    }
    if (r->apart) return;
    t->forward = tsr_forwards_find(forwards, &r->engine, thread, theta, &w->task.ctx);
}

/* Passes over the points, and the directions of a basis on every way between numbers and
 * parameters. */
static double flops_of(const struct round *round, const struct tsr_trajectory *t) {
    const struct tsr_engine *e = &round->r->engine;
    bool draws = round->r->apart && round->end == tsr_reconstructor_states(round->r);
    return tsr_network_flops(&e->net, t->passes) * (double)t->task->ctx.n +
           tsr_network_flops(&e->net, draws) * (double)t->task->qry.n +
           2 * (double)(e->space.n_directions * e->net.n_params) * t->maps;
}

/* What the next round begins with. */
static void end_region(const struct round *round, size_t worker) {
    const struct tsr_reconstructor *r = round->r;
    const struct tsr_trajectory *t = &r->t[worker];
    if (round->end == tsr_reconstructor_states(r)) return;
    size_t vector = r->engine.space.n * sizeof(tsr_real);
    unsigned char *kept = r->kept + r->workers[worker].region * tsr_reconstructor_kept_size(r);
    memcpy(kept, t->z ? t->z : t->phi, vector);
    if (t->state) memcpy(kept + vector, t->state, tsr_reconstructor_state_size(r));
}

/* ---- all regions ----------------------------------------------------------------------------- */

/* The outputs of n regions at all their points, before an inner step looks at their context. */
static void measure_queries(const struct tsr_reconstructor *r, size_t thread, size_t worker,
                            size_t n) {
    struct tsr_pass *passes = r->passes + worker;
    size_t m = 0;
    for (size_t i = worker; i < worker + n; i++)
        if (!r->t[i].stopped) passes[m++] = query_pass(r, i);
    tsr_pass_run(&r->engine, thread, passes, m);
    m = 0;
    for (size_t i = worker; i < worker + n; i++)
        if (!r->t[i].stopped) r->workers[i].query_error = passes[m++].error;
}

/* Through the states of the round. */
static void take_steps(const struct round *round, const struct tsr_inner_loop *loop, size_t thread,
                       size_t worker, size_t n) {
    const struct tsr_reconstructor *r = round->r;
    if (!r->apart) {
        tsr_inner_run(loop, thread, r->t + worker, n, round->first, round->end, r->passes + worker);
        return;
    }
    for (size_t k = round->first; k < round->end; k++) {
        measure_queries(r, thread, worker, n);
        tsr_inner_run(loop, thread, r->t + worker, n, k, k + 1, r->passes + worker);
    }
}

/* Regions first .. first+n-1 of those at hand, together. */
static void adapt_regions(struct round *round, size_t thread, size_t worker, size_t first,
                          size_t n) {
    struct tsr_reconstructor *r = round->r;
    const struct tsr_inner_hooks hooks = {.prepare = prepare, .look = look, .user = round};
    struct tsr_inner_loop loop = r->loop;
    loop.hooks = &hooks;
    if (is_cancelled(round, worker)) return;
    tsr_forwards_release(&r->workers[worker].forwards);
    for (size_t i = 0; i < n; i++)
        begin_region(round, thread, worker + i, r->at_hand[first + i],
                     &r->workers[worker].forwards);
    take_steps(round, &loop, thread, worker, n);
    for (size_t i = 0; i < n; i++) {
        r->workers[worker + i].flops += flops_of(round, &r->t[worker + i]);
        end_region(round, worker + i);
    }
}

static void adapt_all(struct round *round) {
    const struct tsr_reconstructor *r = round->r;
    size_t n = r->n_at_hand, at_once = r->plan.team ? r->plan.at_once : r->turn;
    if (is_cancelled(round, 0) || n == 0) return; /* the calling thread may get no region */
    if (r->plan.team) {
        for (size_t i = 0; i < n; i += at_once)
            adapt_regions(round, TSR_TEAM, 0, i, n - i < at_once ? n - i : at_once);
        return;
    }
#pragma omp parallel for schedule(dynamic, 1)                                                      \
    num_threads((int)(r->engine.threads < n ? r->engine.threads : n))
    for (size_t i = 0; i < n; i += at_once)
        adapt_regions(round, tsr_thread_number(), tsr_thread_number() * r->turn, i,
                      n - i < at_once ? n - i : at_once);
}

/* What a region without pixels keeps. */
static void keep_empty(const struct round *round, size_t region) {
    const struct tsr_reconstructor *r = round->r;
    const struct tsr_task task = {.slot = tsr_slot_of_region(r->geometry.slots, region)};
    struct tsr_trajectory *t = &r->t[0];
    r->workers[0].region = region;
    t->task = &task;
    tsr_trajectory_start(&r->loop, t, r->model->theta);
    keep_if_best(round, t, 0, &(const struct state){.out = t->out});
}

/* Classes that the image lacks: nothing to adapt to. */
static void skip_empty(const struct round *round) {
    const struct tsr_reconstructor *r = round->r;
    size_t n_regions = r->geometry.partition->n_regions;
    for (size_t i = 0; i < n_regions; i++) {
        if (r->geometry.partition->regions[i].n_pixels) continue;
        for (size_t k = round->first; k < round->end; k++) {
            errors_at(round, k)[i] = 0;
            if (r->unseen_error) unseen_at(round, k)[i] = 0;
        }
        if (round->first == 0) keep_empty(round, i);
    }
}

/* Error and picture of an image whose regions overlap, after k inner steps. Leaves the residual in
 * r->picture. */
static void blend_state(const struct round *round, size_t k) {
    const struct tsr_reconstructor *r = round->r;
    tsr_blend_gather(&r->blend, outputs_at(round, k), r->engine.threads, r->picture);
    if (picture_at(round, k))
        tsr_to_bytes(r->picture, tsr_reconstructor_values(r), picture_at(round, k));
    tsr_blend_compare(&r->geometry, round->pixels, r->engine.threads, r->picture,
                      errors_at(round, k));
    if (r->unseen_error)
        tsr_blend_unseen(&r->geometry, r->picture, tsr_context_known(&r->context),
                         unseen_at(round, k));
}

static double measure_seam(const struct round *round, size_t k) {
    const struct tsr_reconstructor *r = round->r;
    if (!tsr_reconstructor_overlaps(r)) { /* else the residual is there */
        tsr_blend_gather(&r->blend, outputs_at(round, k), r->engine.threads, r->picture);
        tsr_blend_compare(&r->geometry, round->pixels, r->engine.threads, r->picture, NULL);
    }
    return tsr_seam(r->picture, r->geometry.channels, r->geometry.partition, r->engine.threads);
}

/* Returns seconds of computing, the seam metric not counted. */
static double run_round(struct round *round, double *seam) {
    double start = tsr_seconds(), not_counted = 0;
    skip_empty(round);
    adapt_all(round);
    for (size_t k = round->first; k < round->end && !atomic_load(&round->cancelled); k++) {
        if (tsr_reconstructor_overlaps(round->r)) blend_state(round, k);
        double before = tsr_seconds();
        if (seam) seam[k] = round->r->config.seam ? measure_seam(round, k) : (double)NAN;
        not_counted += tsr_seconds() - before;
    }
    return tsr_seconds() - start - not_counted;
}

static void measure_ssim(const struct round *round, double *ssim) {
    const struct tsr_reconstructor *r = round->r;
    const struct tsr_partition *p = r->geometry.partition;
    const uint8_t *image = tsr_pixels_bytes(round->pixels, tsr_reconstructor_values(r), r->image);
    size_t channels = r->geometry.channels, scratch = tsr_ssim_scratch(p->width, channels);
#pragma omp parallel for schedule(dynamic, 1) num_threads((int)r->engine.threads)
    for (size_t k = round->first; k < round->end; k++)
        ssim[k] = tsr_ssim(image, picture_at(round, k), p->height, p->width, channels,
                           r->ssim + tsr_thread_number() * scratch);
}

static double sum_regions(const struct tsr_reconstructor *r, const double *error) {
    double sum = 0;
    for (size_t i = 0; i < r->geometry.partition->n_regions; i++)
        sum += error[i];
    return sum;
}

/* Of the pixels that are not known, from the errors of the regions; NaN if there are none. */
static double unseen_psnr_db(const struct tsr_reconstructor *r, const double *error) {
    size_t n = r->unseen_error ? tsr_context_unseen(&r->context) : 0;
    return n ? tsr_psnr_db(sum_regions(r, error), n * r->geometry.channels) : (double)NAN;
}

/* The figures of a round, from the errors and pictures of its states. */
static void report(const struct round *round, struct tsr_reconstruction *out) {
    const struct tsr_reconstructor *r = round->r;
    size_t n_regions = r->geometry.partition->n_regions;
    for (size_t k = round->first; k < round->end; k++) {
        const double *error = errors_at(round, k);
        if (out->psnr_db)
            out->psnr_db[k] = tsr_psnr_db(sum_regions(r, error), tsr_reconstructor_values(r));
        if (out->unseen_psnr_db) out->unseen_psnr_db[k] = unseen_psnr_db(r, unseen_at(round, k));
        if (out->region_error)
            memcpy(out->region_error + k * n_regions, error, n_regions * sizeof *error);
        if (out->ssim) out->ssim[k] = (double)NAN;
    }
    if (out->ssim && r->config.ssim) measure_ssim(round, out->ssim);
}

/* Of the parameters that were kept. Overlapping regions are blended as they were kept. */
static void measure_best(const struct round *round, struct tsr_reconstruction *out) {
    const struct tsr_reconstructor *r = round->r;
    out->best_psnr_db = out->best_unseen_psnr_db = (double)NAN;
    if (!wants_parameters(round)) return;
    if (r->best_outputs) {
        tsr_blend_gather(&r->blend, r->best_outputs, r->engine.threads, r->picture);
        tsr_blend_compare(&r->geometry, round->pixels, r->engine.threads, r->picture,
                          r->best_error);
        if (r->best_unseen)
            tsr_blend_unseen(&r->geometry, r->picture, tsr_context_known(&r->context),
                             r->best_unseen);
    }
    out->best_psnr_db = tsr_psnr_db(sum_regions(r, r->best_error), tsr_reconstructor_values(r));
    out->best_unseen_psnr_db = unseen_psnr_db(r, r->best_unseen);
}

enum tsr_status tsr_reconstruct(struct tsr_reconstructor *r, struct tsr_pixels pixels,
                                struct tsr_reconstruction *out, struct tsr_error *err) {
    struct round round = {.r = r,
                          .pixels = pixels,
                          .pictures = out->pictures,
                          .phi = out->phi,
                          .numbers = out->numbers};
    for (size_t i = 0; i < r->n_workers; i++) {
        tsr_forwards_forget(&r->workers[i].forwards);
        r->workers[i].flops = 0;
    }
    out->seconds = out->flops = 0;
    if (r->apart) tsr_context_take(&r->context, pixels);
    r->engine.watch = (struct tsr_pass_watch){turn, &round};
    for (; round.first < tsr_reconstructor_states(r); round.first = round.end) {
        size_t end = round.first + r->round;
        round.end = end < tsr_reconstructor_states(r) ? end : tsr_reconstructor_states(r);
        out->seconds += run_round(&round, out->seam);
        if (atomic_load(&round.cancelled)) break;
        report(&round, out);
    }
    r->engine.watch = (struct tsr_pass_watch){0};
    if (atomic_load(&round.cancelled)) return TSR_ERROR(err, TSR_ERR_INTERRUPTED, "interrupted");
    for (size_t i = 0; i < r->n_workers; i++)
        out->flops += r->workers[i].flops;
    measure_best(&round, out);
    return TSR_OK;
}
