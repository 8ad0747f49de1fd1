/* SPDX-License-Identifier: MIT */
#include "image/reach.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/spread.h"
#include "image/fit.h"
#include "image/regions.h"

const double tsr_reach_rates[] = {3e-3, 1e-2, 1e-3, 3e-2, 3e-4};
const size_t tsr_reach_n_rates = sizeof tsr_reach_rates / sizeof *tsr_reach_rates;

enum { RATES = sizeof tsr_reach_rates / sizeof *tsr_reach_rates };

/* Iterations that draw the mean image: it is smooth. */
enum { MEAN_ITERATIONS = 1000 };

struct work {
    const struct tsr_model *model;
    struct tsr_dataset *dataset;
    const struct tsr_reconstruct_config *config;
    const struct tsr_evaluate_callbacks *callbacks;
    uint64_t seed;
    struct tsr_reconstructor *reconstructor;
    struct tsr_model *start[TSR_REACH_STARTS]; /* the mean image may be NULL */
    bool follows, stored;
    uint16_t *map;    /* [H, W] of the image at hand, or NULL */
    uint32_t *labels; /* [H, W] */
    struct tsr_image image;
    size_t won[TSR_REACH_STARTS][RATES]; /* images */
    size_t done, total;
};

/* ---- where ordinary learning starts ---------------------------------------------------------- */

/* The networks of `model`, one of its own for each region, so that each can start from its own
 * parameters. */
static enum tsr_status model_of_regions(const struct work *w, struct tsr_model **out,
                                        struct tsr_error *err) {
    struct tsr_model_config config = w->model->config;
    config.adaptation = tsr_choice_of(&tsr_adaptation_all.object);
    config.rates = TSR_RATES_FIXED;
    config.slots = w->follows ? TSR_SLOTS_SHARED : TSR_SLOTS_PER_REGION;
    config.height = tsr_dataset_height(w->dataset);
    config.width = tsr_dataset_width(w->dataset);
    return tsr_model_create(&config, w->seed, out, err);
}

static enum tsr_status mean_image(struct work *w, struct tsr_image *out, struct tsr_error *err) {
    size_t n, values = w->image.height * w->image.width * w->image.channels;
    const uint32_t *index = tsr_dataset_split(w->dataset, TSR_SPLIT_TRAIN, &n);
    uint32_t *sum;
    if (n > TSR_REACH_MEAN_IMAGES) n = TSR_REACH_MEAN_IMAGES;
    TSR_TRY(tsr_image_create(out, w->image.height, w->image.width, w->image.channels, err));
    TSR_TRY(TSR_ALLOC(&sum, values, "mean image", err));
    enum tsr_status status = TSR_OK;
    for (size_t i = 0; i < n && status == TSR_OK; i++) {
        status = tsr_dataset_read_bytes(w->dataset, index[i], out->pixels, err);
        for (size_t v = 0; v < values && status == TSR_OK; v++)
            sum[v] += out->pixels[v];
    }
    for (size_t v = 0; v < values && n; v++)
        out->pixels[v] = (uint8_t)((sum[v] + n / 2) / n);
    free(sum);
    return status;
}

static int ask(void *user, const struct tsr_fit_state *state) {
    const struct work *w = user;
    (void)state;
    return w->callbacks && w->callbacks->progress &&
           w->callbacks->progress(w->callbacks->user, w->done, w->total, state->psnr_db);
}

/* Networks that draw the mean image become the initialisations of `start`. */
static enum tsr_status learn_mean(struct work *w, struct tsr_model *start, struct tsr_error *err) {
    struct tsr_image mean = {0};
    struct tsr_fit_config fit;
    struct tsr_fitter *fitter = NULL;
    const struct tsr_fit_callbacks callbacks = {.progress = ask, .user = w};
    enum tsr_status status;
    TSR_CHECK(mean_image(w, &mean, err));
    tsr_fit_config_default(&fit);
    fit.iterations = MEAN_ITERATIONS;
    tsr_fit_config_for(start, mean.height, mean.width, &fit);
    fit.every = MEAN_ITERATIONS;
    fit.seed = w->seed;
    fit.threads = w->config->threads;
    fit.kernel = w->config->kernel;
    TSR_CHECK(tsr_fitter_create(start, &fit, &mean, &fitter, err));
    TSR_CHECK(tsr_fitter_run(fitter, &callbacks, err));
    memcpy(start->theta, tsr_fitter_inr(fitter)->phi,
           start->n_slots * start->net.n_params * sizeof *start->theta);
done:
    tsr_fitter_free(fitter);
    tsr_image_clear(&mean);
    return status;
}

/* ---- one image ------------------------------------------------------------------------------- */

static enum tsr_status find_regions(struct work *w, size_t index, struct tsr_error *err) {
    if (!w->follows) return TSR_OK;
    if (w->stored) TSR_TRY(tsr_dataset_read_labels(w->dataset, index, w->map, err));
    TSR_TRY(tsr_regions_of_image(w->model, TSR_BYTES(w->image.pixels), w->image.height,
                                 w->image.width, w->stored ? w->map : NULL, w->labels, err));
    /* ordinary learning takes the same regions, whatever rule found them */
    for (size_t i = 0; i < w->image.height * w->image.width; i++)
        w->map[i] = (uint16_t)w->labels[i];
    return tsr_reconstructor_follow(w->reconstructor, w->labels, err);
}

/* How far one rate gets in at most `best->iteration` iterations, which is lowered to what it needs.
 */
static enum tsr_status learn(struct work *w, size_t start, size_t rate, double target,
                             struct tsr_fit_state *best, bool *reached, struct tsr_error *err) {
    const struct tsr_fit_callbacks callbacks = {.progress = ask, .user = w};
    struct tsr_fit_config fit;
    struct tsr_fitter *fitter;
    tsr_fit_config_default(&fit);
    fit.iterations = best->iteration;
    fit.target_psnr_db = target;
    fit.lr = tsr_reach_rates[rate];
    fit.every = TSR_REACH_EVERY;
    fit.random = start == TSR_REACH_RANDOM;
    fit.seed = w->seed;
    fit.threads = w->config->threads;
    fit.kernel = w->config->kernel;
    fit.labels = w->follows ? w->map : NULL;
    TSR_TRY(tsr_fitter_create(w->start[start], &fit, &w->image, &fitter, err));
    enum tsr_status status = tsr_fitter_run(fitter, &callbacks, err);
    const struct tsr_fit_state *at = tsr_fitter_state(fitter);
    *reached = status == TSR_OK && at->psnr_db >= target;
    if (*reached) *best = *at;
    tsr_fitter_free(fitter);
    return status == TSR_ERR_NUMERIC ? TSR_OK : status; /* too high a rate reaches nothing */
}

static enum tsr_status try_rates(struct work *w, size_t start, double target,
                                 struct tsr_reach_start *sum, struct tsr_error *err) {
    struct tsr_fit_state best = {.iteration = TSR_REACH_ITERATIONS};
    size_t winner = tsr_reach_n_rates;
    for (size_t r = 0; r < tsr_reach_n_rates; r++, w->done++) {
        bool reached = false;
        if (ask(w, &(struct tsr_fit_state){.psnr_db = target}))
            return TSR_ERROR(err, TSR_ERR_INTERRUPTED, "interrupted");
        if (best.iteration == 0) continue; /* nothing is faster */
        uint64_t before = best.iteration;
        TSR_TRY(learn(w, start, r, target, &best, &reached, err));
        if (reached && (winner == tsr_reach_n_rates || best.iteration < before)) winner = r;
    }
    if (winner == tsr_reach_n_rates) return TSR_OK;
    w->won[start][winner]++;
    sum->reached++;
    sum->iterations += (double)best.iteration;
    sum->seconds += best.seconds;
    return TSR_OK;
}

static enum tsr_status look_at(struct work *w, size_t index, struct tsr_reach *out,
                               struct tsr_error *err) {
    double *psnr_db;
    size_t last = w->config->inner_steps;
    TSR_TRY(tsr_dataset_read_bytes(w->dataset, index, w->image.pixels, err));
    TSR_TRY(find_regions(w, index, err));
    TSR_TRY(TSR_ALLOC(&psnr_db, last + 1, "PSNR", err));
    struct tsr_reconstruction result = {.psnr_db = psnr_db};
    enum tsr_status status =
        tsr_reconstruct(w->reconstructor, TSR_BYTES(w->image.pixels), &result, err);
    double target = psnr_db[last] - 1e-6; /* sums are of another order there */
    free(psnr_db);
    TSR_TRY(status);
    out->psnr_db += target + 1e-6;
    out->seconds += result.seconds;
    for (size_t s = 0; s < TSR_REACH_STARTS && w->start[s]; s++)
        TSR_TRY(try_rates(w, s, target, &out->start[s], err));
    return TSR_OK;
}

/* ---- all images ------------------------------------------------------------------------------ */

static enum tsr_status prepare(struct work *w, struct tsr_error *err) {
    size_t height = tsr_dataset_height(w->dataset), width = tsr_dataset_width(w->dataset);
    struct tsr_reconstruct_config plain = *w->config;
    size_t area = height * width, n_train;
    plain.ssim = plain.seam = false;
    w->follows = tsr_rule_follows_image(&w->model->config.partition);
    TSR_TRY(tsr_regions_stored(&w->model->config.partition, w->dataset, &w->stored, err));
    TSR_TRY(tsr_reconstructor_create(w->model, &plain, height, width, &w->reconstructor, err));
    TSR_TRY(tsr_image_create(&w->image, height, width, w->model->net.out_dim, err));
    TSR_TRY(TSR_ALLOC(&w->map, w->follows ? area : 0, "label map", err));
    TSR_TRY(TSR_ALLOC(&w->labels, w->follows ? area : 0, "label map", err));
    TSR_TRY(model_of_regions(w, &w->start[TSR_REACH_RANDOM], err));
    (void)tsr_dataset_split(w->dataset, TSR_SPLIT_TRAIN, &n_train);
    if (w->follows || n_train == 0) return TSR_OK;
    TSR_TRY(model_of_regions(w, &w->start[TSR_REACH_MEAN_IMAGE], err));
    return learn_mean(w, w->start[TSR_REACH_MEAN_IMAGE], err);
}

/* Sums to means. */
static void finish(const struct work *w, size_t start, struct tsr_reach_start *out) {
    size_t most = 0;
    for (size_t r = 0; r < tsr_reach_n_rates; r++)
        if (w->won[start][r] > most) {
            most = w->won[start][r];
            out->rate = tsr_reach_rates[r];
        }
    out->iterations /= (double)out->reached; /* 0/0: NaN */
    out->seconds /= (double)out->reached;
}

enum tsr_status tsr_reach(const struct tsr_model *model, struct tsr_dataset *dataset,
                          enum tsr_split split, size_t limit,
                          const struct tsr_reconstruct_config *config, uint64_t seed,
                          const struct tsr_evaluate_callbacks *callbacks, struct tsr_reach *out,
                          struct tsr_error *err) {
    struct work w = {
        .model = model, .dataset = dataset, .config = config, .callbacks = callbacks, .seed = seed};
    size_t n;
    const uint32_t *index = tsr_dataset_split(dataset, split, &n);
    enum tsr_status status;
    *out = (struct tsr_reach){.inner_steps = config->inner_steps};
    if (tsr_context_differs(&config->context))
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "Adam learns from all pixels: how long it takes is measured with all of "
                         "them as context, not %g of them at 1/%zu of the size",
                         config->context.fraction, config->context.query_scale);
    if (n == 0)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "%s: split %s has no images",
                         tsr_dataset_path(dataset), tsr_split_name(split));
    out->images = tsr_spread_count(n, limit);
    TSR_TRY(tsr_model_check_image(model, tsr_dataset_height(dataset), tsr_dataset_width(dataset),
                                  tsr_dataset_channels(dataset), err));
    TSR_CHECK(prepare(&w, err));
    out->has_mean_image = w.start[TSR_REACH_MEAN_IMAGE] != NULL;
    w.total = out->images * tsr_reach_n_rates * (1 + (size_t)out->has_mean_image);
    for (size_t i = 0; i < out->images; i++)
        TSR_CHECK(look_at(&w, index[tsr_spread(i, n, out->images)], out, err));
    out->psnr_db /= (double)out->images;
    out->seconds /= (double)out->images;
    for (size_t s = 0; s < TSR_REACH_STARTS && w.start[s]; s++)
        finish(&w, s, &out->start[s]);
done:
    for (size_t s = 0; s < TSR_REACH_STARTS; s++)
        tsr_model_free(w.start[s]);
    tsr_reconstructor_free(w.reconstructor);
    tsr_image_clear(&w.image);
    free(w.map);
    free(w.labels);
    return status;
}
