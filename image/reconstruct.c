/* SPDX-License-Identifier: MIT */
#include "image/reconstruct.h"

#include <stdlib.h>

#include "image/quality.h"
#include "image/reconstructor.h"

/* Bytes of results that are kept of a round of inner steps, unless those of one are more. */
enum { ROUND_BYTES = 64 << 20 };

/* ---- configuration --------------------------------------------------------------------------- */

struct tsr_choice tsr_reconstruct_optimizer(const struct tsr_model *model,
                                            const struct tsr_optimizer *optimizer) {
    struct tsr_choice choice = tsr_choice_of(&optimizer->object);
    (void)tsr_choice_set(&choice, "sgd_steps", (double)model->config.inner_steps);
    return choice;
}

const struct tsr_optimizer *tsr_reconstruct_optimizer_for(const struct tsr_model *model,
                                                          size_t inner_steps) {
    return inner_steps > model->config.inner_steps ? &tsr_optimizer_accept : &tsr_optimizer_sgd;
}

void tsr_reconstruct_config_default(const struct tsr_model *model,
                                    struct tsr_reconstruct_config *config) {
    *config = (struct tsr_reconstruct_config){
        .inner_steps = model->config.inner_steps,
        .optimizer = tsr_reconstruct_optimizer(model, &tsr_optimizer_sgd),
        .context = model->config.context,
        .kernel = "auto",
    };
}

enum tsr_status tsr_reconstruct_config_check(const struct tsr_reconstruct_config *config,
                                             struct tsr_error *err) {
    if (config->inner_steps > 1000000)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "inner steps are %zu; at most 1000000 are allowed",
                         config->inner_steps);
    if (!(config->target_psnr_db >= 0 && config->target_psnr_db <= 200))
        return TSR_ERROR(err, TSR_ERR_CONFIG, "target PSNR is %g dB; it must be 0 to 200",
                         config->target_psnr_db);
    TSR_TRY(tsr_context_config_check(&config->context, err));
    return tsr_choice_check(&tsr_optimizers, &config->optimizer, err);
}

/* ---- storage --------------------------------------------------------------------------------- */

bool tsr_reconstructor_overlaps(const struct tsr_reconstructor *r) {
    return r->geometry.partition->overlap > 0;
}

static bool blends(const struct tsr_reconstructor *r) {
    return r->config.seam || tsr_reconstructor_overlaps(r);
}

size_t tsr_reconstructor_states(const struct tsr_reconstructor *r) {
    return r->config.inner_steps + 1;
}

size_t tsr_reconstructor_values(const struct tsr_reconstructor *r) {
    return r->geometry.n_pixels * r->geometry.channels;
}

size_t tsr_reconstructor_outputs(const struct tsr_reconstructor *r) {
    return blends(r) ? tsr_blend_points(&r->blend) * r->geometry.channels : 0;
}

size_t tsr_reconstructor_state_size(const struct tsr_reconstructor *r) {
    return tsr_optimizer_state(&r->config.optimizer, r->engine.space.n);
}

size_t tsr_reconstructor_kept_size(const struct tsr_reconstructor *r) {
    return r->engine.space.n * sizeof(tsr_real) + tsr_reconstructor_state_size(r);
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
    size_t threads = r->engine.threads, share = r->n_at_hand / threads;
    size_t most = tsr_inner_together(&r->engine.space, 0);
    r->plan = tsr_plan_of(&load, threads);
    r->turn = share < 1 ? 1 : share < most ? share : most;
    if (threads > r->n_at_hand) threads = r->n_at_hand;
    r->n_workers = r->plan.team ? r->plan.at_once : threads * r->turn;
}

static void layout_workers(struct tsr_reconstructor *r, struct tsr_arena *a) {
    size_t pixel = r->geometry.channels * sizeof(tsr_real);
    for (size_t i = 0; i < r->n_workers; i++) {
        struct tsr_reconstruct_worker *w = &r->workers[i];
        tsr_trajectory_layout(&r->t[i], &r->loop, r->largest, r->plan.team, a);
        w->out = r->t[i].out;
        w->y = tsr_arena_take(a, r->largest, pixel);
        w->query_out = r->apart ? tsr_arena_take(a, r->largest, pixel) : NULL;
        w->ctx_x = r->apart ? tsr_arena_take(a, r->largest, 2 * sizeof(tsr_real)) : NULL;
        w->ctx_y = r->apart ? tsr_arena_take(a, r->largest, pixel) : NULL;
        w->forwards = (struct tsr_forwards){0};
        if (!r->apart && !r->plan.team && r->config.inner_steps > 0 && i % r->turn == 0)
            tsr_forwards_layout(&w->forwards, &r->engine, r->largest, a);
    }
}

static void layout_results(struct tsr_reconstructor *r, struct tsr_arena *a) {
    const struct tsr_partition *p = r->geometry.partition;
    size_t values = tsr_reconstructor_values(r),
           ssim = r->engine.threads * tsr_ssim_scratch(p->width, r->geometry.channels);
    size_t regions = p->n_regions, of_regions = regions * sizeof(double);
    bool unseen = r->apart && tsr_context_known(&r->context);
    r->region_error = tsr_arena_take(a, r->round, of_regions);
    r->unseen_error = unseen ? tsr_arena_take(a, r->round, of_regions) : NULL;
    r->best = tsr_arena_take(a, regions, sizeof *r->best);
    r->best_error = tsr_arena_take(a, regions, sizeof *r->best_error);
    r->best_unseen = unseen ? tsr_arena_take(a, regions, sizeof *r->best_unseen) : NULL;
    r->halt = tsr_arena_take(a, p->n_regions, sizeof *r->halt);
    r->best_outputs = tsr_reconstructor_overlaps(r)
                          ? tsr_arena_take(a, tsr_reconstructor_outputs(r), sizeof(tsr_real))
                          : NULL;
    r->pictures = r->config.ssim ? tsr_arena_take(a, r->round, values) : NULL;
    r->image = r->config.ssim ? tsr_arena_take(a, values, 1) : NULL;
    r->ssim = r->config.ssim ? tsr_arena_take(a, ssim, sizeof *r->ssim) : NULL;
    r->outputs =
        blends(r) ? tsr_arena_take(a, r->round, tsr_reconstructor_outputs(r) * sizeof *r->outputs)
                  : NULL;
    r->picture = blends(r) ? tsr_arena_take(a, values, sizeof *r->picture) : NULL;
    r->kept = r->round < tsr_reconstructor_states(r)
                  ? tsr_arena_take(a, p->n_regions, tsr_reconstructor_kept_size(r))
                  : NULL;
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
    size_t state = r->geometry.partition->n_regions * (1 + r->apart) * sizeof(double) +
                   (r->config.ssim ? tsr_reconstructor_values(r) : 0) +
                   tsr_reconstructor_outputs(r) * sizeof(tsr_real);
    size_t round = ROUND_BYTES / state;
    r->round = round < 1                             ? 1
               : round < tsr_reconstructor_states(r) ? round
                                                     : tsr_reconstructor_states(r);
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
    tsr_engine_adapt(&r->engine, &r->model->config.adaptation);
    tsr_engine_fix(&r->engine);
    TSR_TRY(TSR_ALLOC(&r->at_hand, r->geometry.partition->n_regions, what, err));
    size_t most = r->engine.threads * tsr_inner_together(&r->engine.space, 0);
    TSR_TRY(TSR_ALLOC(&r->t, most, what, err));
    TSR_TRY(TSR_ALLOC(&r->workers, most, what, err));
    TSR_TRY(TSR_ALLOC(&r->passes, most, what, err));
    r->loop = (struct tsr_inner_loop){.engine = &r->engine,
                                      .optimizer = &r->config.optimizer,
                                      .rates = &r->model->rates,
                                      .inner_steps = r->config.inner_steps,
                                      .theta = r->model->theta,
                                      .basis = r->model->basis};
    if (blends(r)) TSR_TRY(tsr_blend_create(&r->geometry, &r->blend, err));
    if (r->apart)
        TSR_TRY(tsr_context_create(r->model, &r->config.context, r->config.masked, &r->geometry,
                                   &r->context, err));
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
    r->apart = config->masked || tsr_context_differs(&config->context);
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
    tsr_context_clear(&r->context);
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

void tsr_reconstructor_draw(struct tsr_reconstructor *r, uint64_t image) {
    if (r->apart && !r->config.masked) tsr_context_draw(&r->context, r->config.seed, 0, image);
}

void tsr_reconstructor_mask(struct tsr_reconstructor *r, const uint8_t *mask) {
    tsr_context_mask(&r->context, mask);
}
