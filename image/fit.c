/* SPDX-License-Identifier: MIT */
#include "image/fit.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "image/fitter.h"
#include "image/reconstruct.h"
#include "image/regions.h"

/* ---- storage --------------------------------------------------------------------------------- */

size_t tsr_fitter_batch(const struct tsr_fitter *f, size_t n) {
    size_t m = (size_t)(f->config.batch_fraction * (double)n + 0.5);
    return m < 1 ? 1 : m > n ? n : m;
}

static void layout_worker(struct tsr_fitter *f, size_t i, struct tsr_arena *a) {
    struct tsr_fit_worker *w = &f->workers[i];
    size_t values = f->geometry.channels * sizeof(tsr_real);
    size_t partial = tsr_pass_partial(&f->engine, f->largest, f->engine.threads > 1);
    bool whole = tsr_space_is_whole(&f->engine.space);
    w->y = tsr_arena_take(a, f->largest, values);
    w->out = tsr_arena_take(a, f->largest, values);
    f->t[i].partial = partial ? tsr_arena_take(a, partial, sizeof(tsr_real)) : NULL;
    w->ctx_x = f->apart ? tsr_arena_take(a, f->largest, 2 * sizeof(tsr_real)) : NULL;
    w->ctx_y = f->apart ? tsr_arena_take(a, f->largest, values) : NULL;
    w->gz = whole ? NULL : tsr_arena_take(a, f->numbers, sizeof(tsr_real));
    w->ctx_out = f->apart ? tsr_arena_take(a, f->largest, values) : NULL;
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
    f->context_points = tsr_arena_take(a, n, sizeof *f->context_points);
    f->unseen_error = tsr_arena_take(a, n, sizeof *f->unseen_error);
    f->updates = tsr_arena_take(a, n, sizeof *f->updates);
    f->points = tsr_arena_take(a, n, sizeof *f->points);
    f->maps = tsr_arena_take(a, n, sizeof *f->maps);
    f->moments = tsr_arena_take(a, n, tsr_optimizer_state(&f->adam, f->numbers));
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

void tsr_fitter_list_active(struct tsr_fitter *f) {
    f->state.active = 0;
    for (size_t r = 0; r < f->state.n_regions; r++)
        if (!f->frozen[r]) f->active[f->state.active++] = r;
}

/* How many points each region is learned from. */
static void count_context(struct tsr_fitter *f) {
    const struct tsr_partition *p = f->geometry.partition;
    for (size_t r = 0; r < f->state.n_regions; r++) {
        const struct tsr_fit_worker *w = &f->workers[0];
        f->context_points[r] = p->regions[r].n_pixels == 0 ? 0
                               : f->apart ? tsr_context_points(&f->context, r, w->ctx_x, w->ctx_y)
                                          : p->regions[r].n_context;
    }
}

static void initialise(struct tsr_fitter *f, const struct tsr_model *model) {
    const struct tsr_inner_loop loop = {
        .engine = &f->engine, .theta = f->inr->theta, .basis = f->inr->basis};
    bool whole = tsr_space_is_whole(&f->engine.space);
    for (size_t r = 0; r < f->state.n_regions; r++) {
        const struct tsr_task task = tsr_geometry_task(&f->geometry, r, NULL);
        struct tsr_trajectory t = {.task = &task,
                                   .phi = f->inr->phi + r * f->n_params,
                                   .z = whole ? NULL : f->inr->numbers + r * f->numbers};
        if (f->config.random && whole)
            tsr_network_randomize(&model->net, f->config.seed, r, t.phi);
        else
            tsr_trajectory_start(&loop, &t, model->theta);
        f->frozen[r] = f->context_points[r] == 0;
    }
    tsr_fitter_list_active(f);
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

/* What of the image is known. */
static enum tsr_status take_context(struct tsr_fitter *f, const struct tsr_model *model,
                                    struct tsr_error *err) {
    const struct tsr_context_config config = {f->config.mask ? 1 : f->config.context_fraction, 1};
    f->context.config = config;
    f->apart = f->config.mask || tsr_context_differs(&config);
    if (!f->apart) return TSR_OK;
    TSR_TRY(tsr_context_create(model, &config, f->config.mask, &f->geometry, &f->context, err));
    if (f->config.mask)
        tsr_context_mask(&f->context, f->config.mask);
    else
        tsr_context_draw(&f->context, f->config.seed, 0, 0);
    tsr_context_take(&f->context, TSR_BYTES(f->image->pixels));
    return TSR_OK;
}

/* The model's own inner steps, before Adam begins. */
static enum tsr_status take_inner_steps(struct tsr_fitter *f, const struct tsr_model *model,
                                        struct tsr_error *err) {
    struct tsr_reconstructor *r;
    struct tsr_reconstruct_config c;
    struct tsr_reconstruction result = {.phi = f->inr->phi, .numbers = f->inr->numbers};
    tsr_reconstruct_config_default(model, &c);
    c.inner_steps = f->config.inner_steps;
    c.threads = f->config.threads;
    c.kernel = f->config.kernel;
    c.context = f->context.config;
    c.masked = f->apart;
    TSR_TRY(tsr_reconstructor_create(model, &c, f->image->height, f->image->width, &r, err));
    enum tsr_status status = TSR_OK;
    if (tsr_rule_follows_image(&model->config.partition))
        status = tsr_reconstructor_follow(r, f->geometry.partition->labels, err);
    if (f->apart) tsr_reconstructor_mask(r, f->context.known);
    if (status == TSR_OK) status = tsr_reconstruct(r, TSR_BYTES(f->image->pixels), &result, err);
    tsr_reconstructor_free(r);
    if (status != TSR_OK) return status;
    f->state.seconds = result.seconds;
    for (size_t i = 0; i < f->state.n_regions; i++)
        f->points[i] = c.inner_steps * f->context_points[i];
    return TSR_OK;
}

/* Is what is learned of the networks what the model can give? */
static enum tsr_status check_adaptation(const struct tsr_fit_config *c,
                                        const struct tsr_model *model, struct tsr_error *err) {
    char asked[64], has[64];
    const struct tsr_adaptation *a = tsr_adaptation_of(&c->adaptation);
    bool same = tsr_choice_equal(&c->adaptation, &model->config.adaptation);
    TSR_TRY(tsr_choice_check(&tsr_adaptations, &c->adaptation, err));
    tsr_choice_describe(&c->adaptation, asked, sizeof asked);
    tsr_choice_describe(&model->config.adaptation, has, sizeof has);
    if (a == &tsr_adaptation_latent && !same)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "%s is to be learned, which needs the model's basis, but the model adapts "
                         "%s",
                         asked, has);
    if (c->inner_steps && !c->random && !a->whole && !same)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "the model's inner steps adapt %s, but %s is to be learned: these must be "
                         "the same, or all",
                         has, asked);
    return TSR_OK;
}

static enum tsr_status set_up(struct tsr_fitter *f, const struct tsr_model *model,
                              struct tsr_error *err) {
    const struct tsr_kernel *kernel;
    size_t height = f->image->height, width = f->image->width;
    struct tsr_model_config shape = model->config;
    shape.adaptation = f->config.adaptation;
    TSR_TRY(tsr_fit_config_check(&f->config, err));
    TSR_TRY(check_adaptation(&f->config, model, err));
    TSR_TRY(tsr_model_check_image(model, height, width, f->image->channels, err));
    TSR_TRY(tsr_kernel_find(f->config.kernel, &kernel, err));
    TSR_TRY(tsr_geometry_create(model, height, width, &f->geometry, err));
    TSR_TRY(tsr_inr_create(&shape, height, width, &f->inr, err));
    tsr_inr_share(f->inr, model);
    TSR_TRY(follow(f, model, err));
    TSR_TRY(take_context(f, model, err));
    TSR_TRY(tsr_engine_create(&model->net, kernel, f->config.threads, &f->engine, err));
    tsr_engine_adapt(&f->engine, &f->config.adaptation);
    tsr_engine_fix(&f->engine);
    f->numbers = f->engine.space.n;
    f->full = f->config.batch_fraction >= 1;
    f->n_params = model->net.n_params;
    f->state.n_regions = f->geometry.partition->n_regions;
    for (size_t r = 0; r < f->state.n_regions; r++)
        if (f->geometry.partition->regions[r].n_context > f->largest)
            f->largest = f->geometry.partition->regions[r].n_context;
    f->max_batch = tsr_fitter_batch(f, f->largest);
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
    f->state.psnr_db = f->state.unseen_psnr_db = f->state.loss = (double)NAN;
    count_context(f);
    initialise(f, model);
    tsr_fitter_measure_unlearned(f);
    if (!f->config.random && f->config.inner_steps) return take_inner_steps(f, model, err);
    return TSR_OK;
}

enum tsr_status tsr_fitter_create(const struct tsr_model *model,
                                  const struct tsr_fit_config *config,
                                  const struct tsr_image *image, struct tsr_fitter **out,
                                  struct tsr_error *err) {
    *out = NULL;
    struct tsr_fitter *f;
    TSR_TRY(TSR_ALLOC(&f, 1, "fitter", err));
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
    tsr_context_clear(&f->context);
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
