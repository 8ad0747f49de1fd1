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
    const struct tsr_evaluate_callbacks callbacks = {on_image, &line, e->observer, e->comm};
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
    const struct tsr_baseline_callbacks callbacks = {on_baseline, &line, e->observer, e->comm};
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

/* ---- image files ----------------------------------------------------------------------------- */

struct files {
    struct cli_call *call;
    const struct cli_files_evaluation *e;
    struct tsr_evaluator *evaluator;
    struct cli_progress line;
    size_t done; /* figures are of so many */
};

static enum tsr_status add_file(void *user, size_t i) {
    struct files *f = user;
    struct tsr_image image = {0};
    struct tsr_error *err = &f->call->err;
    TSR_TRY(cli_images_read(f->call, f->e->images, i, &f->e->as, &image));
    enum tsr_status status = tsr_evaluator_add(f->evaluator, TSR_BYTES(image.pixels), image.height,
                                               image.width, NULL, i, err);
    tsr_image_clear(&image);
    if (status != TSR_OK) {
        tsr_error_prefix(err, "%s", cli_images_path(f->e->images, i));
        return status;
    }
    f->done++;
    show(&f->line, "", i + 1, f->e->images->n, tsr_evaluator_psnr_db(f->evaluator));
    return TSR_OK;
}

enum tsr_status cli_evaluate_files(struct cli_call *call, const struct cli_files_evaluation *e,
                                   struct tsr_evaluation *out) {
    struct files f = {.call = call, .e = e};
    *out = (struct tsr_evaluation){0};
    TSR_TRY(tsr_evaluator_create(e->model, e->config, NULL, &f.evaluator, &call->err));
    cli_progress_start(&f.line, e->quiet);
    enum tsr_status status = cli_images_each(call, e->images, e->strict, add_file, &f);
    cli_progress_end(&f.line);
    bool whole = status == TSR_OK || (status == TSR_ERR_IO && call->phase == CLI_RUNNING);
    if (whole && f.done > 0) tsr_evaluator_finish(f.evaluator, out);
    tsr_evaluator_free(f.evaluator);
    return status;
}
