/* SPDX-License-Identifier: MIT */
#include "image/reconstruct.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "image/blend.h"
#include "image/seam.h"

/* With fewer regions than this for each thread, all threads work on one region at a time. */
enum { REGIONS_PER_THREAD = 4 };
/* Bytes of outputs that are kept for blending, unless those after one inner step are more. */
enum { ROUND_BYTES = 64 << 20 };

/* What carries one region through the inner loop. */
struct worker {
    struct tsr_trajectory t;
    struct tsr_forwards forwards;
    struct tsr_task task;
    tsr_real *y; /* [max_context, C] */
    float *ssim; /* [5 * width] */
};

struct tsr_reconstructor {
    const struct tsr_model *model;
    struct tsr_reconstruct_config config;
    struct tsr_geometry geometry;
    struct tsr_engine engine;
    bool team;
    struct worker *workers; /* [threads], or one for the team */
    size_t n_workers;
    uint8_t *pictures;    /* [K+1, H, W, C], with SSIM only */
    uint8_t *image;       /* [H, W, C] the image as 8 bit, likewise */
    double *region_error; /* [K+1, n_regions] */
    /* With overlap or the seam metric only: */
    struct tsr_blend blend;
    tsr_real *picture; /* [H, W, C] */
    tsr_real *outputs; /* [round, points, C] of all regions at their context points; owned */
    size_t capacity;   /* of outputs, in values */
    tsr_real *waiting; /* [n_regions, n_params or, with Adam, 3 n_params] parameters and moments
                          between rounds; owned, NULL while there is one round only */
    struct tsr_arena arena;
    size_t round; /* states that the regions are carried through at a time; K+1 without blending */
};

void tsr_reconstruct_config_default(const struct tsr_model *model,
                                    struct tsr_reconstruct_config *config) {
    *config = (struct tsr_reconstruct_config){
        .inner_steps = model->config.inner_steps,
        .optimizer = {.kind = TSR_INNER_SGD,
                      .sgd_steps = model->config.inner_steps,
                      .adam_lr = 1e-3,
                      .warmup = 20},
        .kernel = "auto",
    };
}

enum tsr_status tsr_reconstruct_config_check(const struct tsr_reconstruct_config *config,
                                             struct tsr_error *err) {
    if (config->inner_steps > 1000000)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "inner steps are %zu; at most 1000000 are allowed",
                         config->inner_steps);
    const struct tsr_inner_optimizer *o = &config->optimizer;
    if (o->kind == TSR_INNER_ADAM && !(o->adam_lr > 0 && isfinite(o->adam_lr)))
        return TSR_ERROR(err, TSR_ERR_CONFIG, "Adam's rate is %g; it must be positive", o->adam_lr);
    return TSR_OK;
}

static bool overlaps(const struct tsr_reconstructor *r) {
    return r->geometry.partition->overlap > 0;
}

static bool blends(const struct tsr_reconstructor *r) {
    return r->config.seam || overlaps(r);
}

static size_t states_of(const struct tsr_reconstructor *r) {
    return r->config.inner_steps + 1;
}

static bool has_moments(const struct tsr_reconstructor *r) {
    return r->config.optimizer.kind == TSR_INNER_ADAM;
}

/* The outputs after k inner steps, which is in the present round. */
static tsr_real *outputs_at(const struct tsr_reconstructor *r, size_t k) {
    return r->outputs + k % r->round * tsr_blend_points(&r->blend) * r->geometry.channels;
}

static void layout_worker(const struct tsr_reconstructor *r, struct worker *w,
                          struct tsr_arena *a) {
    size_t n = r->engine.net.n_params, pixels = r->geometry.max_context;
    size_t partial = tsr_pass_partial(&r->engine, pixels, r->team);
    struct tsr_trajectory *t = &w->t;
    t->phi = tsr_arena_take(a, n, sizeof(tsr_real));
    t->g = tsr_arena_take(a, n, sizeof(tsr_real));
    t->out = tsr_arena_take(a, pixels * r->geometry.channels, sizeof(tsr_real));
    t->error = tsr_arena_take(a, r->config.inner_steps + 1, sizeof(double));
    t->partial = partial ? tsr_arena_take(a, partial, sizeof(tsr_real)) : NULL;
    t->moments = has_moments(r) ? tsr_arena_take(a, 2 * n, sizeof(tsr_real)) : NULL;
    if (!r->team && r->config.inner_steps > 0)
        tsr_forwards_layout(&w->forwards, &r->engine, pixels, a);
    w->y = tsr_arena_take(a, pixels * r->geometry.channels, sizeof(tsr_real));
    w->ssim = tsr_arena_take(a, 5 * r->geometry.partition->width, sizeof(float));
}

static void layout(struct tsr_reconstructor *r, struct tsr_arena *a) {
    size_t states = r->config.inner_steps + 1;
    r->region_error = tsr_arena_take(a, states * r->geometry.partition->n_regions, sizeof(double));
    r->pictures = r->config.ssim
                      ? tsr_arena_take(a, states, r->geometry.n_pixels * r->geometry.channels)
                      : NULL;
    r->image =
        r->config.ssim ? tsr_arena_take(a, r->geometry.n_pixels, r->geometry.channels) : NULL;
    for (size_t i = 0; i < r->n_workers; i++)
        layout_worker(r, &r->workers[i], a);
    if (blends(r))
        r->picture =
            tsr_arena_take(a, r->geometry.n_pixels * r->geometry.channels, sizeof(tsr_real));
}

/* Room for the outputs of one round, and for what has to wait for the next. */
static enum tsr_status reserve_round(struct tsr_reconstructor *r, struct tsr_error *err) {
    size_t state = tsr_blend_points(&r->blend) * r->geometry.channels, states = states_of(r);
    size_t round = ROUND_BYTES / (state * sizeof *r->outputs);
    void *p;
    r->round = round < 1 ? 1 : round < states ? round : states;
    if (r->round * state > r->capacity) {
        free(r->outputs);
        r->outputs = NULL;
        r->capacity = 0;
        TSR_TRY(tsr_alloc(&p, r->round * state, sizeof *r->outputs, "outputs of the regions", err));
        r->outputs = p;
        r->capacity = r->round * state;
    }
    if (r->round == states || r->waiting) return TSR_OK;
    size_t n = r->engine.net.n_params * (has_moments(r) ? 3 : 1);
    TSR_TRY(tsr_alloc(&p, r->geometry.partition->n_regions, n * sizeof *r->waiting,
                      "parameters of the regions", err));
    r->waiting = p;
    return TSR_OK;
}

static enum tsr_status set_up(struct tsr_reconstructor *r, size_t height, size_t width,
                              struct tsr_error *err) {
    const struct tsr_kernel *kernel;
    void *p;
    TSR_TRY(tsr_reconstruct_config_check(&r->config, err));
    TSR_TRY(tsr_kernel_find(r->config.kernel, &kernel, err));
    TSR_TRY(tsr_geometry_create(r->model, height, width, &r->geometry, err));
    TSR_TRY(tsr_engine_create(&r->model->net, kernel, r->config.threads, &r->engine, err));
    size_t threads = r->engine.threads;
    r->team = threads > 1 && r->geometry.partition->n_regions < REGIONS_PER_THREAD * threads;
    r->n_workers = threads;
    TSR_TRY(
        tsr_alloc(&p, r->n_workers, sizeof *r->workers, "workspace of the reconstruction", err));
    r->workers = p;
    struct tsr_arena measure = {0};
    layout(r, &measure);
    TSR_TRY(tsr_arena_create(&r->arena, measure.used, "workspace of the reconstruction", err));
    layout(r, &r->arena);
    r->round = states_of(r);
    if (!blends(r)) return TSR_OK;
    TSR_TRY(tsr_blend_create(&r->geometry, &r->blend, err));
    return reserve_round(r, err);
}

enum tsr_status tsr_reconstructor_create(const struct tsr_model *model,
                                         const struct tsr_reconstruct_config *config, size_t height,
                                         size_t width, struct tsr_reconstructor **out,
                                         struct tsr_error *err) {
    void *p;
    *out = NULL;
    TSR_TRY(tsr_alloc(&p, 1, sizeof(struct tsr_reconstructor), "reconstructor", err));
    struct tsr_reconstructor *r = p;
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
    free(r->outputs);
    free(r->waiting);
    tsr_geometry_clear(&r->geometry);
    tsr_engine_clear(&r->engine);
    tsr_arena_free(&r->arena);
    free(r->workers);
    free(r);
}

const struct tsr_partition *tsr_reconstructor_partition(const struct tsr_reconstructor *r) {
    return r->geometry.partition;
}

enum tsr_status tsr_reconstructor_follow(struct tsr_reconstructor *r, const uint32_t *labels,
                                         struct tsr_error *err) {
    TSR_TRY(tsr_geometry_follow(&r->geometry, labels, err));
    if (!blends(r)) return TSR_OK;
    TSR_TRY(tsr_blend_follow(&r->blend, err));
    return reserve_round(r, err);
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

/* Outputs and squared error at the parameters after the last inner step. */
static void final_pass(struct tsr_reconstructor *r, size_t thread, struct worker *w) {
    struct tsr_pass pass = {
        .kind = TSR_PASS_FORWARD, .points = &w->task.qry, .phi = w->t.phi, .out = w->t.out};
    tsr_pass_run(&r->engine, thread, &pass, 1);
    w->t.error[r->config.inner_steps] = pass.error;
}

/* A class that the image lacks: nothing to adapt to. */
static void pass_over(struct tsr_reconstructor *r, size_t region, tsr_real *phi) {
    size_t n = r->engine.net.n_params, n_regions = r->geometry.partition->n_regions;
    size_t slot = tsr_slot_of_region(r->geometry.slots, region);
    for (size_t k = 0; k <= r->config.inner_steps; k++)
        r->region_error[k * n_regions + region] = 0;
    if (phi) memcpy(phi + region * n, r->model->theta + slot * n, n * sizeof(tsr_real));
}

/* Outputs of a region after k inner steps: kept for blending, or counted and drawn at once. */
static void take_outputs(struct tsr_reconstructor *r, const struct worker *w, size_t region,
                         size_t k, uint8_t *pictures) {
    const struct tsr_geometry *g = &r->geometry;
    const struct tsr_region *at = &g->partition->regions[region];
    if (r->outputs)
        memcpy(outputs_at(r, k) + r->blend.first[region] * g->channels, w->t.out,
               at->n_context * g->channels * sizeof(tsr_real));
    if (overlaps(r)) return;
    r->region_error[k * g->partition->n_regions + region] =
        tsr_region_is_cut(at) ? tsr_geometry_own_error(g, region, w->t.out, w->y) : w->t.error[k];
    if (pictures) draw(g, region, w->t.out, pictures + k * g->n_pixels * g->channels);
}

/* Parameters and moments of a region wait for the next round, or come back. */
static void let_wait(const struct tsr_reconstructor *r, const struct worker *w, size_t region) {
    size_t n = r->engine.net.n_params;
    tsr_real *there = r->waiting + region * n * (has_moments(r) ? 3 : 1);
    memcpy(there, w->t.phi, n * sizeof *there);
    if (w->t.moments) memcpy(there + n, w->t.moments, 2 * n * sizeof *there);
}

static void take_back(const struct tsr_reconstructor *r, const struct worker *w, size_t region) {
    size_t n = r->engine.net.n_params;
    const tsr_real *there = r->waiting + region * n * (has_moments(r) ? 3 : 1);
    memcpy(w->t.phi, there, n * sizeof *there);
    if (w->t.moments) memcpy(w->t.moments, there + n, 2 * n * sizeof *there);
}

static void begin_region(const struct tsr_reconstructor *r, size_t thread, struct worker *w) {
    size_t n = r->engine.net.n_params;
    const tsr_real *theta = r->model->theta + w->task.slot * n;
    memcpy(w->t.phi, theta, n * sizeof(tsr_real));
    w->t.forward = tsr_forwards_find(&w->forwards, &r->engine, thread, theta, &w->task.ctx);
    if (w->t.moments) memset(w->t.moments, 0, 2 * n * sizeof(tsr_real));
}

/* What the regions are carried through at a time: states first .. end-1 of the inner loop. */
struct round {
    struct tsr_pixels pixels;
    uint8_t *pictures; /* or NULL */
    tsr_real *phi;     /* or NULL */
    size_t first, end;
};

/* Adapts one region; `thread` is TSR_TEAM or the caller's number. */
static void adapt_region(struct tsr_reconstructor *r, size_t thread, struct worker *w,
                         const struct round *round, size_t region) {
    struct tsr_pass pass;
    if (r->geometry.partition->regions[region].n_pixels == 0) {
        pass_over(r, region, round->phi);
        return;
    }
    tsr_geometry_targets(&r->geometry, round->pixels, region, w->y);
    w->task = tsr_geometry_task(&r->geometry, region, w->y);
    w->t.task = &w->task;
    if (round->first == 0)
        begin_region(r, thread, w);
    else
        take_back(r, w, region);
    for (size_t k = round->first; k < round->end; k++) {
        if (k < r->config.inner_steps)
            tsr_inner_step(&r->engine, thread, &r->model->rates, &r->config.optimizer, &w->t, 1, k,
                           &pass);
        else
            final_pass(r, thread, w);
        take_outputs(r, w, region, k, round->pictures);
    }
    size_t n = r->engine.net.n_params;
    if (round->end < states_of(r))
        let_wait(r, w, region);
    else if (round->phi)
        memcpy(round->phi + region * n, w->t.phi, n * sizeof(tsr_real));
}

static void adapt_all(struct tsr_reconstructor *r, const struct round *round) {
    size_t n_regions = r->geometry.partition->n_regions;
    if (r->team) {
        for (size_t i = 0; i < n_regions; i++)
            adapt_region(r, TSR_TEAM, &r->workers[0], round, i);
        return;
    }
#pragma omp parallel for schedule(dynamic, 1) num_threads((int)r->engine.threads)
    for (size_t i = 0; i < n_regions; i++)
        adapt_region(r, tsr_thread_number(), &r->workers[tsr_thread_number()], round, i);
}

/* Error and picture of an image whose regions overlap, after k inner steps. Leaves the residual in
 * r->picture. */
static void blend_state(struct tsr_reconstructor *r, const struct round *round, size_t k) {
    size_t n = r->geometry.n_pixels * r->geometry.channels;
    tsr_blend_gather(&r->blend, outputs_at(r, k), r->engine.threads, r->picture);
    if (round->pictures) tsr_to_bytes(r->picture, n, round->pictures + k * n);
    tsr_blend_compare(&r->geometry, round->pixels, r->engine.threads, r->picture,
                      r->region_error + k * r->geometry.partition->n_regions);
}

static double measure_seam(struct tsr_reconstructor *r, const struct round *round, size_t k) {
    if (!overlaps(r)) { /* else the residual is there */
        tsr_blend_gather(&r->blend, outputs_at(r, k), r->engine.threads, r->picture);
        tsr_blend_compare(&r->geometry, round->pixels, r->engine.threads, r->picture, NULL);
    }
    return tsr_seam(r->picture, r->geometry.channels, r->geometry.partition, r->engine.threads);
}

/* Returns seconds of computing, the seam metric not counted. */
static double run_round(struct tsr_reconstructor *r, const struct round *round, double *seam) {
    double start = tsr_seconds(), not_counted = 0;
    adapt_all(r, round);
    for (size_t k = round->first; k < round->end; k++) {
        if (overlaps(r)) blend_state(r, round, k);
        double before = tsr_seconds();
        if (seam) seam[k] = r->config.seam ? measure_seam(r, round, k) : (double)NAN;
        not_counted += tsr_seconds() - before;
    }
    return tsr_seconds() - start - not_counted;
}

static void measure_ssim(struct tsr_reconstructor *r, struct tsr_pixels pixels,
                         const uint8_t *pictures, double *ssim) {
    const struct tsr_partition *p = r->geometry.partition;
    const uint8_t *image =
        tsr_pixels_bytes(pixels, r->geometry.n_pixels * r->geometry.channels, r->image);
#pragma omp parallel for schedule(dynamic, 1) num_threads((int)r->engine.threads)
    for (size_t k = 0; k <= r->config.inner_steps; k++)
        ssim[k] =
            tsr_ssim(image, pictures + k * r->geometry.n_pixels * r->geometry.channels, p->height,
                     p->width, r->geometry.channels, r->workers[tsr_thread_number()].ssim);
}

void tsr_reconstruct(struct tsr_reconstructor *r, struct tsr_pixels pixels,
                     struct tsr_reconstruction *out) {
    size_t n_regions = r->geometry.partition->n_regions, states = r->config.inner_steps + 1;
    uint8_t *pictures = out->pictures ? out->pictures : r->pictures;
    struct round round = {.pixels = pixels, .pictures = pictures, .phi = out->phi};
    for (size_t i = 0; i < r->n_workers; i++)
        tsr_forwards_forget(&r->workers[i].forwards);
    out->seconds = 0;
    for (; round.first < states; round.first = round.end) {
        round.end = round.first + r->round < states ? round.first + r->round : states;
        out->seconds += run_round(r, &round, out->seam);
    }
    for (size_t k = 0; out->psnr_db && k < states; k++) {
        double sum = 0;
        for (size_t i = 0; i < n_regions; i++)
            sum += r->region_error[k * n_regions + i];
        out->psnr_db[k] = tsr_psnr_db(sum, r->geometry.n_pixels * r->geometry.channels);
    }
    if (out->region_error)
        memcpy(out->region_error, r->region_error, states * n_regions * sizeof(double));
    for (size_t k = 0; out->ssim && k < states; k++)
        out->ssim[k] = (double)NAN;
    if (out->ssim && r->config.ssim) measure_ssim(r, pixels, pictures, out->ssim);
}
