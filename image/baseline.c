/* SPDX-License-Identifier: MIT */
#include "image/baseline.h"

#include <math.h>

const double tsr_baseline_rates[] = {1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1, 3, 10};
const size_t tsr_baseline_n_rates = sizeof tsr_baseline_rates / sizeof *tsr_baseline_rates;

/* One call. */
struct work {
    const struct tsr_model *model;
    struct tsr_dataset *dataset;
    struct tsr_reconstruct_config config; /* gradient steps */
    uint64_t seed;
    const struct tsr_baseline_callbacks *callbacks;
    bool choosing;
    size_t rate; /* which is being tried */
};

static int on_progress(void *user, size_t done, size_t total, double mean_psnr_db) {
    const struct work *w = user;
    if (!w->callbacks || !w->callbacks->progress) return 0;
    if (w->choosing) {
        done += w->rate * total;
        total *= tsr_baseline_n_rates;
    }
    return w->callbacks->progress(w->callbacks->user, w->choosing, done, total, mean_psnr_db);
}

static enum tsr_status evaluate(struct work *w, double rate, enum tsr_split split, size_t limit,
                                struct tsr_evaluation *out, struct tsr_error *err) {
    const struct tsr_evaluate_callbacks callbacks = {
        .progress = on_progress,
        .user = w,
        .observer = w->choosing || !w->callbacks ? NULL : w->callbacks->observer,
        .comm = w->callbacks ? w->callbacks->comm : NULL};
    struct tsr_model_config config = w->model->config;
    struct tsr_model *random = NULL;
    config.rates = TSR_RATES_FIXED;
    config.adaptation = tsr_choice_of(&tsr_adaptation_all.object);
    config.inner_lr = rate;
    enum tsr_status status = tsr_model_create(&config, w->seed, &random, err);
    status = tsr_comm_agree(tsr_comm_of(callbacks.comm), status, err);
    if (status != TSR_OK) {
        tsr_model_free(random);
        return status;
    }
    random->anchors = w->model->anchors; /* borrowed */
    status = tsr_evaluate(random, w->dataset, split, limit, &w->config, &callbacks, out, err);
    random->anchors = (struct tsr_anchors){0};
    tsr_model_free(random);
    return status;
}

static enum tsr_status choose_rate(struct work *w, struct tsr_baseline *b, struct tsr_error *err) {
    double best = -(double)INFINITY;
    b->rate = tsr_baseline_rates[0];
    for (w->rate = 0; w->rate < tsr_baseline_n_rates; w->rate++) {
        struct tsr_evaluation one;
        double rate = tsr_baseline_rates[w->rate];
        TSR_TRY(evaluate(w, rate, b->chosen_on, TSR_BASELINE_IMAGES, &one, err));
        double psnr_db = one.psnr_db[one.inner_steps];
        b->chosen_on_images = one.images;
        tsr_evaluation_clear(&one);
        if (!(psnr_db > best)) continue; /* NaN is not */
        best = psnr_db;
        b->rate = rate;
    }
    return TSR_OK;
}

enum tsr_status tsr_evaluate_baseline(const struct tsr_model *model, struct tsr_dataset *dataset,
                                      enum tsr_split split, size_t limit,
                                      const struct tsr_reconstruct_config *config, uint64_t seed,
                                      const struct tsr_baseline_callbacks *callbacks,
                                      struct tsr_baseline *out, struct tsr_error *err) {
    struct work w = {.model = model,
                     .dataset = dataset,
                     .config = *config,
                     .seed = seed,
                     .callbacks = callbacks,
                     .choosing = true};
    size_t n_val;
    (void)tsr_dataset_split(dataset, TSR_SPLIT_VAL, &n_val);
    *out = (struct tsr_baseline){0};
    out->chosen_on = split == TSR_SPLIT_VAL || n_val == 0 ? TSR_SPLIT_TRAIN : TSR_SPLIT_VAL;
    w.config.optimizer = tsr_choice_of(&tsr_optimizer_sgd.object);
    w.config.ssim = w.config.seam = false;
    TSR_TRY(choose_rate(&w, out, err));
    w.config.ssim = config->ssim;
    w.config.seam = config->seam;
    w.choosing = false;
    return evaluate(&w, out->rate, split, limit, &out->result, err);
}
