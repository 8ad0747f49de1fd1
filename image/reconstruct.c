/* SPDX-License-Identifier: MIT */
#include "image/reconstruct.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "image/blend.h"
#include "image/seam.h"
#include "inner/team.h"

/* Bytes of results that are kept of a round of inner steps, unless those of one are more. */
enum { ROUND_BYTES = 64 << 20 };

/* What carries one region through the inner loop, beside its trajectory. */
struct worker {
    struct tsr_forwards forwards; /* of a thread that works alone */
    struct tsr_task task;
    size_t region;
    tsr_real *y, *out; /* [largest region, C] */
};

struct tsr_reconstructor {
    const struct tsr_model *model;
    struct tsr_reconstruct_config config;
    struct tsr_geometry geometry;
    struct tsr_engine engine;
    struct tsr_inner_loop loop;
    /* The regions of the image at hand, and what carries them. */
    size_t *at_hand; /* [n_regions] the first n_at_hand have pixels */
    size_t n_at_hand;
    struct tsr_plan plan;
    struct tsr_trajectory *t; /* [threads]; the first n_workers have storage */
    struct worker *workers;   /* [threads] */
    struct tsr_pass *passes;  /* [threads] */
    size_t n_workers, largest;
    struct tsr_arena arena; /* of the workers */
    /* Results of a round of inner steps. */
    size_t round;         /* states of the inner loop in it */
    double *region_error; /* [round, n_regions] */
    uint8_t *pictures;    /* [round, H, W, C], with SSIM only */
    float *ssim;          /* [threads, 5 * width], with SSIM only */
    uint8_t *image;       /* [H, W, C] the image as 8 bit, with SSIM only */
    tsr_real *outputs;    /* [round, points, C] of all regions at their context points, and ... */
    tsr_real *picture;    /* ... [H, W, C]: with overlap or the seam metric only */
    unsigned char *kept;  /* [n_regions] parameters and optimiser between rounds; NULL: one round */
    struct tsr_arena results;
    struct tsr_blend blend; /* with overlap or the seam metric only */
};

/* ---- configuration --------------------------------------------------------------------------- */

struct tsr_choice tsr_reconstruct_optimizer(const struct tsr_model *model,
                                            const struct tsr_optimizer *optimizer) {
    struct tsr_choice choice = tsr_choice_of(&optimizer->object);
    (void)tsr_choice_set(&choice, "sgd_steps", (double)model->config.inner_steps);
    return choice;
}

void tsr_reconstruct_config_default(const struct tsr_model *model,
                                    struct tsr_reconstruct_config *config) {
    *config = (struct tsr_reconstruct_config){
        .inner_steps = model->config.inner_steps,
        .optimizer = tsr_reconstruct_optimizer(model, &tsr_optimizer_sgd),
        .kernel = "auto",
    };
}

enum tsr_status tsr_reconstruct_config_check(const struct tsr_reconstruct_config *config,
                                             struct tsr_error *err) {
    if (config->inner_steps > 1000000)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "inner steps are %zu; at most 1000000 are allowed",
                         config->inner_steps);
    return tsr_choice_check(&tsr_optimizers, &config->optimizer, err);
}

/* ---- storage --------------------------------------------------------------------------------- */

static bool overlaps(const struct tsr_reconstructor *r) {
    return r->geometry.partition->overlap > 0;
}

static bool blends(const struct tsr_reconstructor *r) {
    return r->config.seam || overlaps(r);
}

static size_t states_of(const struct tsr_reconstructor *r) {
    return r->config.inner_steps + 1;
}

static size_t values_of(const struct tsr_reconstructor *r) {
    return r->geometry.n_pixels * r->geometry.channels;
}

/* Values of the outputs of all regions. */
static size_t outputs_of(const struct tsr_reconstructor *r) {
    return blends(r) ? tsr_blend_points(&r->blend) * r->geometry.channels : 0;
}

/* Bytes of the optimiser's state, and of all that a region is between rounds. */
static size_t state_size(const struct tsr_reconstructor *r) {
    return tsr_optimizer_state(&r->config.optimizer, r->engine.net.n_params);
}

static size_t kept_size(const struct tsr_reconstructor *r) {
    return r->engine.net.n_params * sizeof(tsr_real) + state_size(r);
}

/* The regions that have pixels, how they are shared among the threads, the largest. */
static void plan_regions(struct tsr_reconstructor *r) {
    const struct tsr_partition *p = r->geometry.partition;
    struct tsr_load load = {0};
    r->n_at_hand = r->largest = 0;
    for (size_t i = 0; i < p->n_regions; i++) {
        size_t n = p->regions[i].n_context;
        tsr_load_add(&load, n, tsr_pass_pieces(n));
        if (n > r->largest) r->largest = n;
        if (p->regions[i].n_pixels) r->at_hand[r->n_at_hand++] = i;
    }
    size_t threads = r->engine.threads;
    r->plan = tsr_plan_of(&load, threads);
    r->n_workers = r->plan.team ? r->plan.at_once : r->n_at_hand < threads ? r->n_at_hand : threads;
}

static void layout_workers(struct tsr_reconstructor *r, struct tsr_arena *a) {
    size_t pixel = r->geometry.channels * sizeof(tsr_real);
    for (size_t i = 0; i < r->n_workers; i++) {
        struct worker *w = &r->workers[i];
        tsr_trajectory_layout(&r->t[i], &r->loop, r->largest, r->plan.team, a);
        w->out = r->t[i].out;
        w->y = tsr_arena_take(a, r->largest, pixel);
        w->forwards = (struct tsr_forwards){0};
        if (!r->plan.team && r->config.inner_steps > 0)
            tsr_forwards_layout(&w->forwards, &r->engine, r->largest, a);
    }
}

static void layout_results(struct tsr_reconstructor *r, struct tsr_arena *a) {
    const struct tsr_partition *p = r->geometry.partition;
    size_t values = values_of(r), ssim = r->engine.threads * 5 * p->width;
    r->region_error = tsr_arena_take(a, r->round, p->n_regions * sizeof *r->region_error);
    r->pictures = r->config.ssim ? tsr_arena_take(a, r->round, values) : NULL;
    r->image = r->config.ssim ? tsr_arena_take(a, values, 1) : NULL;
    r->ssim = r->config.ssim ? tsr_arena_take(a, ssim, sizeof *r->ssim) : NULL;
    r->outputs = blends(r) ? tsr_arena_take(a, r->round, outputs_of(r) * sizeof *r->outputs) : NULL;
    r->picture = blends(r) ? tsr_arena_take(a, values, sizeof *r->picture) : NULL;
    r->kept = r->round < states_of(r) ? tsr_arena_take(a, p->n_regions, kept_size(r)) : NULL;
}

/* Lays out in an arena that only grows. */
static enum tsr_status reserve(struct tsr_reconstructor *r, struct tsr_arena *arena,
                               void (*layout)(struct tsr_reconstructor *, struct tsr_arena *),
                               struct tsr_error *err) {
    struct tsr_arena measure = {0};
    layout(r, &measure);
    if (measure.used > arena->size || !arena->base) {
        tsr_arena_free(arena);
        TSR_TRY(tsr_arena_create(arena, measure.used, "workspace of the reconstruction", err));
    }
    arena->used = 0;
    layout(r, arena);
    return TSR_OK;
}

/* For the regions at hand. */
static enum tsr_status settle(struct tsr_reconstructor *r, struct tsr_error *err) {
    size_t state = r->geometry.partition->n_regions * sizeof(double) +
                   (r->config.ssim ? values_of(r) : 0) + outputs_of(r) * sizeof(tsr_real);
    size_t round = ROUND_BYTES / state;
    r->round = round < 1 ? 1 : round < states_of(r) ? round : states_of(r);
    plan_regions(r);
    TSR_TRY(reserve(r, &r->arena, layout_workers, err));
    return reserve(r, &r->results, layout_results, err);
}

static enum tsr_status set_up(struct tsr_reconstructor *r, size_t height, size_t width,
                              struct tsr_error *err) {
    const struct tsr_kernel *kernel;
    const char *what = "workspace of the reconstruction";
    TSR_TRY(tsr_reconstruct_config_check(&r->config, err));
    TSR_TRY(tsr_kernel_find(r->config.kernel, &kernel, err));
    TSR_TRY(tsr_geometry_create(r->model, height, width, &r->geometry, err));
    TSR_TRY(tsr_engine_create(&r->model->net, kernel, r->config.threads, &r->engine, err));
    TSR_TRY(TSR_ALLOC(&r->at_hand, r->geometry.partition->n_regions, what, err));
    TSR_TRY(TSR_ALLOC(&r->t, r->engine.threads, what, err));
    TSR_TRY(TSR_ALLOC(&r->workers, r->engine.threads, what, err));
    TSR_TRY(TSR_ALLOC(&r->passes, r->engine.threads, what, err));
    r->loop = (struct tsr_inner_loop){.engine = &r->engine,
                                      .optimizer = &r->config.optimizer,
                                      .rates = &r->model->rates,
                                      .inner_steps = r->config.inner_steps};
    if (blends(r)) TSR_TRY(tsr_blend_create(&r->geometry, &r->blend, err));
    return settle(r, err);
}

enum tsr_status tsr_reconstructor_create(const struct tsr_model *model,
                                         const struct tsr_reconstruct_config *config, size_t height,
                                         size_t width, struct tsr_reconstructor **out,
                                         struct tsr_error *err) {
    struct tsr_reconstructor *r;
    *out = NULL;
    TSR_TRY(TSR_ALLOC(&r, 1, "reconstructor", err));
    r->model = model;
    r->config = *config;
    enum tsr_status status = set_up(r, height, width, err);
    if (status != TSR_OK) {
        tsr_reconstructor_free(r);
        return status;
    }
    *out = r;
    return TSR_OK;
}

void tsr_reconstructor_free(struct tsr_reconstructor *r) {
    if (!r) return;
    tsr_blend_clear(&r->blend);
    tsr_geometry_clear(&r->geometry);
    tsr_engine_clear(&r->engine);
    tsr_arena_free(&r->arena);
    tsr_arena_free(&r->results);
    free(r->at_hand);
    free(r->t);
    free(r->workers);
    free(r->passes);
    free(r);
}

const struct tsr_partition *tsr_reconstructor_partition(const struct tsr_reconstructor *r) {
    return r->geometry.partition;
}

enum tsr_status tsr_reconstructor_follow(struct tsr_reconstructor *r, const uint32_t *labels,
                                         struct tsr_error *err) {
    TSR_TRY(tsr_geometry_follow(&r->geometry, labels, err));
    if (blends(r)) TSR_TRY(tsr_blend_follow(&r->blend, err));
    return settle(r, err);
}

/* ---- one region ------------------------------------------------------------------------------ */

/* The states first .. end-1 of the inner loop, which all regions go through before the next. */
struct round {
    struct tsr_reconstructor *r;
    struct tsr_pixels pixels;
    uint8_t *pictures; /* [K+1, H, W, C] of the caller, or NULL */
    tsr_real *phi;     /* of the caller, or NULL */
    size_t first, end;
    atomic_bool cancelled;
};

/* The caller's picture after k inner steps, or that of the round; NULL: none is wanted. */
static uint8_t *picture_at(const struct round *round, size_t k) {
    const struct tsr_reconstructor *r = round->r;
    if (round->pictures) return round->pictures + k * values_of(r);
    return r->pictures ? r->pictures + (k - round->first) * values_of(r) : NULL;
}

static tsr_real *outputs_at(const struct round *round, size_t k) {
    return round->r->outputs + (k - round->first) * outputs_of(round->r);
}

static double *errors_at(const struct round *round, size_t k) {
    return round->r->region_error + (k - round->first) * round->r->geometry.partition->n_regions;
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
    const struct worker *w = &r->workers[t - r->t];
    if (!r->outputs || tsr_optimizer_of(r->loop.optimizer)->asks_loss) return;
    t->out = outputs_at(round, k) + r->blend.first[w->region] * r->geometry.channels;
}

/* Outputs of a region after k inner steps: kept for blending, or counted and drawn at once. */
static bool look(void *user, struct tsr_trajectory *t, size_t k) {
    const struct round *round = user;
    const struct tsr_reconstructor *r = round->r;
    const struct tsr_geometry *g = &r->geometry;
    const struct worker *w = &r->workers[t - r->t];
    const struct tsr_region *at = &g->partition->regions[w->region];
    if (r->outputs && t->out == w->out)
        memcpy(outputs_at(round, k) + r->blend.first[w->region] * g->channels, t->out,
               at->n_context * g->channels * sizeof(tsr_real));
    if (overlaps(r)) return false;
    errors_at(round, k)[w->region] =
        tsr_region_is_cut(at) ? tsr_geometry_own_error(g, w->region, t->out, w->y) : t->error;
    if (picture_at(round, k)) draw(g, w->region, t->out, picture_at(round, k));
    return false;
}

/* At phi_0 and with a new optimiser, or as the region was at the end of the last round. */
static void begin_region(const struct round *round, size_t thread, size_t worker, size_t region) {
    const struct tsr_reconstructor *r = round->r;
    struct worker *w = &r->workers[worker];
    struct tsr_trajectory *t = &r->t[worker];
    size_t vector = r->engine.net.n_params * sizeof(tsr_real);
    tsr_geometry_targets(&r->geometry, round->pixels, region, w->y);
    w->task = tsr_geometry_task(&r->geometry, region, w->y);
    w->region = region;
    t->task = &w->task;
    t->out = w->out;
    t->forward = NULL;
    if (round->first > 0) {
        const unsigned char *kept = r->kept + region * kept_size(r);
        memcpy(t->phi, kept, vector);
        if (t->state) memcpy(t->state, kept + vector, state_size(r));
        return;
    }
    const tsr_real *theta = r->model->theta + w->task.slot * r->engine.net.n_params;
    memcpy(t->phi, theta, vector);
    if (t->state) memset(t->state, 0, state_size(r));
    t->forward = tsr_forwards_find(&w->forwards, &r->engine, thread, theta, &w->task.ctx);
}

static void end_region(const struct round *round, size_t worker) {
    const struct tsr_reconstructor *r = round->r;
    const struct tsr_trajectory *t = &r->t[worker];
    size_t region = r->workers[worker].region, vector = r->engine.net.n_params * sizeof(tsr_real);
    if (round->end < states_of(r)) {
        unsigned char *kept = r->kept + region * kept_size(r);
        memcpy(kept, t->phi, vector);
        if (t->state) memcpy(kept + vector, t->state, state_size(r));
    } else if (round->phi) {
        memcpy(round->phi + region * r->engine.net.n_params, t->phi, vector);
    }
}

/* ---- all regions ----------------------------------------------------------------------------- */

/* Is the round to end? Only the thread that called the library asks. */
static bool is_cancelled(struct round *round, size_t worker) {
    const struct tsr_reconstruct_config *c = &round->r->config;
    if (worker == 0 && c->cancelled && !atomic_load(&round->cancelled) && c->cancelled(c->user))
        atomic_store(&round->cancelled, true);
    return atomic_load(&round->cancelled);
}

/* Regions first .. first+n-1 of those at hand, together. */
static void adapt_regions(struct round *round, size_t thread, size_t worker, size_t first,
                          size_t n) {
    struct tsr_reconstructor *r = round->r;
    const struct tsr_inner_hooks hooks = {.prepare = prepare, .look = look, .user = round};
    struct tsr_inner_loop loop = r->loop;
    loop.hooks = &hooks;
    if (is_cancelled(round, worker)) return;
    for (size_t i = 0; i < n; i++)
        begin_region(round, thread, worker + i, r->at_hand[first + i]);
    tsr_inner_run(&loop, thread, r->t + worker, n, round->first, round->end, r->passes + worker);
    for (size_t i = 0; i < n; i++)
        end_region(round, worker + i);
}

static void adapt_all(struct round *round) {
    const struct tsr_reconstructor *r = round->r;
    size_t n = r->n_at_hand, at_once = r->plan.at_once;
    if (is_cancelled(round, 0)) return; /* the calling thread may get no region */
    if (r->plan.team) {
        for (size_t i = 0; i < n; i += at_once)
            adapt_regions(round, TSR_TEAM, 0, i, n - i < at_once ? n - i : at_once);
        return;
    }
#pragma omp parallel for schedule(dynamic, 1) num_threads((int)(r->n_workers ? r->n_workers : 1))
    for (size_t i = 0; i < n; i++)
        adapt_regions(round, tsr_thread_number(), tsr_thread_number(), i, 1);
}

/* Classes that the image lacks: nothing to adapt to. */
static void skip_empty(const struct round *round) {
    const struct tsr_reconstructor *r = round->r;
    size_t n = r->engine.net.n_params, n_regions = r->geometry.partition->n_regions;
    for (size_t i = 0; i < n_regions; i++) {
        if (r->geometry.partition->regions[i].n_pixels) continue;
        size_t slot = tsr_slot_of_region(r->geometry.slots, i);
        for (size_t k = round->first; k < round->end; k++)
            errors_at(round, k)[i] = 0;
        if (round->phi)
            memcpy(round->phi + i * n, r->model->theta + slot * n, n * sizeof(tsr_real));
    }
}

/* Error and picture of an image whose regions overlap, after k inner steps. Leaves the residual in
 * r->picture. */
static void blend_state(const struct round *round, size_t k) {
    const struct tsr_reconstructor *r = round->r;
    tsr_blend_gather(&r->blend, outputs_at(round, k), r->engine.threads, r->picture);
    if (picture_at(round, k)) tsr_to_bytes(r->picture, values_of(r), picture_at(round, k));
    tsr_blend_compare(&r->geometry, round->pixels, r->engine.threads, r->picture,
                      errors_at(round, k));
}

static double measure_seam(const struct round *round, size_t k) {
    const struct tsr_reconstructor *r = round->r;
    if (!overlaps(r)) { /* else the residual is there */
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
        if (overlaps(round->r)) blend_state(round, k);
        double before = tsr_seconds();
        if (seam) seam[k] = round->r->config.seam ? measure_seam(round, k) : (double)NAN;
        not_counted += tsr_seconds() - before;
    }
    return tsr_seconds() - start - not_counted;
}

static void measure_ssim(const struct round *round, double *ssim) {
    const struct tsr_reconstructor *r = round->r;
    const struct tsr_partition *p = r->geometry.partition;
    const uint8_t *image = tsr_pixels_bytes(round->pixels, values_of(r), r->image);
#pragma omp parallel for schedule(dynamic, 1) num_threads((int)r->engine.threads)
    for (size_t k = round->first; k < round->end; k++)
        ssim[k] = tsr_ssim(image, picture_at(round, k), p->height, p->width, r->geometry.channels,
                           r->ssim + tsr_thread_number() * 5 * p->width);
}

/* The figures of a round, from the errors and pictures of its states. */
static void report(const struct round *round, struct tsr_reconstruction *out) {
    const struct tsr_reconstructor *r = round->r;
    size_t n_regions = r->geometry.partition->n_regions;
    for (size_t k = round->first; k < round->end; k++) {
        const double *error = errors_at(round, k);
        double sum = 0;
        for (size_t i = 0; i < n_regions; i++)
            sum += error[i];
        if (out->psnr_db) out->psnr_db[k] = tsr_psnr_db(sum, values_of(r));
        if (out->region_error)
            memcpy(out->region_error + k * n_regions, error, n_regions * sizeof *error);
        if (out->ssim) out->ssim[k] = (double)NAN;
    }
    if (out->ssim && r->config.ssim) measure_ssim(round, out->ssim);
}

enum tsr_status tsr_reconstruct(struct tsr_reconstructor *r, struct tsr_pixels pixels,
                                struct tsr_reconstruction *out, struct tsr_error *err) {
    struct round round = {.r = r, .pixels = pixels, .pictures = out->pictures, .phi = out->phi};
    for (size_t i = 0; i < r->n_workers; i++)
        tsr_forwards_forget(&r->workers[i].forwards);
    out->seconds = 0;
    for (; round.first < states_of(r); round.first = round.end) {
        size_t end = round.first + r->round;
        round.end = end < states_of(r) ? end : states_of(r);
        out->seconds += run_round(&round, out->seam);
        if (atomic_load(&round.cancelled))
            return TSR_ERROR(err, TSR_ERR_INTERRUPTED, "interrupted");
        report(&round, out);
    }
    return TSR_OK;
}
