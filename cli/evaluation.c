/* SPDX-License-Identifier: MIT */
#include "cli/evaluation.h"

#include "cli/progress.h"
#include "cli/signals.h"

static void show(struct cli_progress *line, const char *label, size_t done, size_t total,
                 double psnr_db) {
    double fraction = total ? (double)done / (double)total : 1;
    char left[16];
    if (cli_progress_due(line, fraction))
        cli_progress_show(line, fraction, "%s%zu of %zu images, PSNR %.2f dB, %s left", label, done,
                          total, psnr_db, cli_time(cli_time_left(line, fraction), left));
}

static int on_image(void *user, size_t done, size_t total, double mean_psnr_db) {
    show(user, "", done, total, mean_psnr_db);
    return cli_interrupted();
}

enum tsr_status cli_evaluate(const struct cli_evaluation *e, struct tsr_evaluation *out,
                             struct tsr_error *err) {
    struct cli_progress line;
    const struct tsr_evaluate_callbacks callbacks = {on_image, &line, e->observer};
    cli_progress_start(&line, e->quiet);
    enum tsr_status status =
        tsr_evaluate(e->model, e->dataset, e->split, e->limit, e->config, &callbacks, out, err);
    cli_progress_end(&line);
    return status;
}

/* The evaluation has a line of its own, so that the time left is of its pace. */
static int on_baseline(void *user, bool choosing, size_t done, size_t total, double mean_psnr_db) {
    struct cli_progress *line = user;
    show(line, choosing ? "rate of the baseline: " : "baseline: ", done, total, mean_psnr_db);
    if (choosing && done == total) {
        cli_progress_end(line);
        cli_progress_start(line, line->quiet);
    }
    return cli_interrupted();
}

enum tsr_status cli_evaluate_baseline(const struct cli_evaluation *e, uint64_t seed,
                                      struct tsr_baseline *out, struct tsr_error *err) {
    struct cli_progress line;
    const struct tsr_baseline_callbacks callbacks = {on_baseline, &line, e->observer};
    cli_progress_start(&line, e->quiet);
    enum tsr_status status = tsr_evaluate_baseline(e->model, e->dataset, e->split, e->limit,
                                                   e->config, seed, &callbacks, out, err);
    cli_progress_end(&line);
    return status;
}

static int on_transfer(void *user, size_t done, size_t total, double mean_psnr_db) {
    show(user, "transfer: ", done, total, mean_psnr_db);
    return cli_interrupted();
}

enum tsr_status cli_evaluate_transfer(const struct cli_evaluation *e, struct tsr_transfer *out,
                                      struct tsr_error *err) {
    struct cli_progress line;
    const struct tsr_evaluate_callbacks callbacks = {.progress = on_transfer, .user = &line};
    cli_progress_start(&line, e->quiet);
    enum tsr_status status = tsr_transfer_matrix(e->model, e->dataset, e->split, e->limit,
                                                 e->config, &callbacks, out, err);
    cli_progress_end(&line);
    return status;
}

static int on_reach(void *user, size_t done, size_t total, double psnr_db) {
    struct cli_progress *line = user;
    double fraction = total ? (double)done / (double)total : 0;
    char left[16];
    if (cli_progress_due(line, fraction))
        cli_progress_show(line, fraction, "Adam: %zu of %zu runs, PSNR %.2f dB, %s left", done,
                          total, psnr_db, cli_time(cli_time_left(line, fraction), left));
    return cli_interrupted();
}

enum tsr_status cli_evaluate_reach(const struct cli_evaluation *e, uint64_t seed,
                                   struct tsr_reach *out, struct tsr_error *err) {
    struct cli_progress line;
    const struct tsr_evaluate_callbacks callbacks = {.progress = on_reach, .user = &line};
    cli_progress_start(&line, e->quiet);
    enum tsr_status status =
        tsr_reach(e->model, e->dataset, e->split, e->limit, e->config, seed, &callbacks, out, err);
    cli_progress_end(&line);
    return status;
}
