/* SPDX-License-Identifier: MIT */
#include "cli/evaluation.h"

#include <math.h>
#include <stdio.h>

#include "cli/progress.h"
#include "cli/signals.h"

/* Images that the rate of the baseline is chosen on: enough to tell rates apart that differ by a
 * factor of 3. */
#define CHOICE_IMAGES 16

const double cli_baseline_rates[] = {1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 0.1, 0.3, 1, 3, 10};
const size_t cli_baseline_n_rates = sizeof cli_baseline_rates / sizeof *cli_baseline_rates;

struct view {
    struct cli_progress line;
    const char *label;
};

static int on_progress(void *user, size_t done, size_t total, double mean_psnr_db) {
    struct view *v = user;
    double fraction = total ? (double)done / (double)total : 1;
    char left[16];
    if (cli_progress_due(&v->line, fraction))
        cli_progress_show(&v->line, fraction, "%s%zu of %zu images, PSNR %.2f dB, %s left",
                          v->label, done, total, mean_psnr_db,
                          cli_time(cli_time_left(&v->line, fraction), left));
    return cli_interrupted();
}

enum tsr_status cli_evaluate(const struct cli_evaluation *e, const char *label,
                             struct tsr_evaluation *out, struct tsr_error *err) {
    struct view view = {.label = label};
    const struct tsr_evaluate_callbacks callbacks = {on_progress, &view};
    cli_progress_start(&view.line, e->quiet);
    enum tsr_status status =
        tsr_evaluate(e->model, e->dataset, e->split, e->limit, e->config, &callbacks, out, err);
    cli_progress_end(&view.line);
    return status;
}

static enum tsr_status evaluate_random(const struct cli_evaluation *e, double rate, uint64_t seed,
                                       const char *label, struct tsr_evaluation *out,
                                       struct tsr_error *err) {
    struct tsr_model *model;
    struct tsr_model_config config = e->model->config;
    struct tsr_reconstruct_config steps = *e->config;
    struct cli_evaluation random = *e;
    config.rates = TSR_RATES_FIXED;
    config.inner_lr = rate;
    steps.optimizer = tsr_choice_of(&tsr_optimizer_sgd.object);
    TSR_TRY(tsr_model_create(&config, seed, &model, err));
    random.model = model;
    random.config = &steps;
    enum tsr_status status = cli_evaluate(&random, label, out, err);
    tsr_model_free(model);
    return status;
}

static enum tsr_status choose_rate(const struct cli_evaluation *e, uint64_t seed,
                                   struct cli_baseline *b, struct tsr_error *err) {
    struct cli_evaluation choice = *e;
    struct tsr_reconstruct_config config = *e->config;
    double best = -(double)INFINITY;
    config.ssim = false;
    choice.config = &config;
    choice.split = b->chosen_on;
    choice.limit = CHOICE_IMAGES;
    b->rate = cli_baseline_rates[0];
    for (size_t i = 0; i < cli_baseline_n_rates; i++) {
        struct tsr_evaluation one = {0};
        TSR_TRY(evaluate_random(&choice, cli_baseline_rates[i], seed,
                                "rate of the baseline: ", &one, err));
        double psnr_db = one.psnr_db[one.inner_steps];
        b->chosen_on_images = one.images;
        tsr_evaluation_clear(&one);
        if (!(psnr_db > best)) continue;
        best = psnr_db;
        b->rate = cli_baseline_rates[i];
    }
    return TSR_OK;
}

enum tsr_status cli_evaluate_baseline(const struct cli_evaluation *e, uint64_t seed,
                                      struct cli_baseline *out, struct tsr_error *err) {
    size_t n_val;
    (void)tsr_dataset_split(e->dataset, TSR_SPLIT_VAL, &n_val);
    out->chosen_on = e->split == TSR_SPLIT_VAL || n_val == 0 ? TSR_SPLIT_TRAIN : TSR_SPLIT_VAL;
    TSR_TRY(choose_rate(e, seed, out, err));
    return evaluate_random(e, out->rate, seed, "baseline: ", &out->result, err);
}
