/* SPDX-License-Identifier: MIT
 *
 * tsr_model_adapt(): an image of the caller's to an INR.
 */
#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "data/dataset.h"
#include "image/api_checks.h"
#include "image/inr.h"
#include "image/reconstruct.h"
#include "image/regions.h"

struct job {
    struct tsr_model view;         /* for images that are all context: */
    const struct tsr_model *model; /* &view */
    const struct tsr_images *image;
    struct tsr_pixels pixels;
    struct tsr_reconstruct_config config;
    struct tsr_reconstructor *reconstructor;
    uint32_t *labels; /* [H, W], where the rule follows the image */
    double *psnr_db;  /* [K+1] */
    struct tsr_inr *inr;
    double best_psnr_db, regions_seconds, seconds, flops;
};

/* The checks of a dataset are those of an image. */
static enum tsr_status check_image(struct job *job, struct tsr_error *err) {
    struct tsr_images image = *job->image;
    struct tsr_dataset *dataset;
    if (image.n != 1)
        return TSR_ERROR(err, TSR_ERR_ARGUMENT, "image: n is %zu; one image is adapted at a time",
                         image.n);
    image.labels = NULL;
    image.split = NULL;
    TSR_TRY(tsr_dataset_in_memory(&image, &dataset, err));
    job->pixels = tsr_dataset_pixels(dataset, image.pixels);
    tsr_dataset_close(dataset);
    return tsr_model_check_image(job->model, image.height, image.width, image.channels, err);
}

static enum tsr_status configure(struct job *job, const struct tsr_adapt_settings *settings,
                                 struct tsr_error *err) {
    tsr_reconstruct_config_default(job->model, &job->config);
    if (settings->inner_steps) job->config.inner_steps = settings->inner_steps;
    if (settings->no_steps) job->config.inner_steps = 0;
    job->config.optimizer = tsr_reconstruct_optimizer(
        job->model, tsr_reconstruct_optimizer_for(job->model, job->config.inner_steps));
    job->config.threads = settings->threads;
    if (settings->kernel) job->config.kernel = settings->kernel;
    job->config.watch.cancelled = settings->cancelled;
    job->config.watch.user = settings->user;
    TSR_TRY(tsr_reconstruct_config_check(&job->config, err));
    TSR_TRY(TSR_ALLOC(&job->psnr_db, job->config.inner_steps + 1, "PSNR", err));
    return TSR_OK;
}

static enum tsr_status find_regions(struct job *job, struct tsr_error *err) {
    const struct tsr_images *image = job->image;
    double start = tsr_seconds();
    if (!tsr_rule_follows_image(&job->model->config.partition)) return TSR_OK;
    TSR_TRY(TSR_ALLOC(&job->labels, image->height * image->width, "label map", err));
    TSR_TRY(tsr_regions_of_image(job->model, job->pixels, image->height, image->width,
                                 image->labels, job->labels, err));
    TSR_TRY(tsr_reconstructor_follow(job->reconstructor, job->labels, err));
    TSR_TRY(tsr_inr_follow(job->inr, job->labels, err));
    job->regions_seconds = tsr_seconds() - start;
    return TSR_OK;
}

static enum tsr_status run(struct job *job, const struct tsr_adapt_settings *settings,
                           struct tsr_error *err) {
    const struct tsr_images *image = job->image;
    struct tsr_reconstruction result = {0};
    TSR_TRY(check_image(job, err));
    TSR_TRY(configure(job, settings, err));
    TSR_TRY(tsr_reconstructor_create(job->model, &job->config, image->height, image->width,
                                     &job->reconstructor, err));
    TSR_TRY(tsr_inr_create(&job->model->config, image->height, image->width, &job->inr, err));
    TSR_TRY(find_regions(job, err));
    result.psnr_db = job->psnr_db;
    result.phi = job->inr->phi;
    result.numbers = job->inr->numbers;
    tsr_inr_share(job->inr, job->model);
    TSR_TRY(tsr_reconstruct(job->reconstructor, job->pixels, &result, err));
    job->best_psnr_db = result.best_psnr_db;
    job->seconds = result.seconds;
    job->flops = result.flops;
    return TSR_OK;
}

static void fill_report(const struct job *job, struct tsr_adapt_report *report) {
    const struct tsr_partition *p = job->inr->partition;
    size_t k = job->config.inner_steps;
    for (size_t i = 0; report->psnr_db && i <= k && i < report->psnr_room; i++)
        report->psnr_db[i] = job->psnr_db[i];
    report->inner_steps = k;
    report->final_psnr_db = job->best_psnr_db;
    report->seconds = job->seconds;
    report->regions_seconds = job->regions_seconds;
    report->regions = 0;
    report->flops = job->flops;
    for (size_t r = 0; r < p->n_regions; r++)
        report->regions += p->regions[r].n_pixels > 0;
    report->numbers = report->regions * job->inr->space.n;
}

enum tsr_status tsr_model_adapt(const struct tsr_model *model, const struct tsr_images *image,
                                const struct tsr_adapt_settings *settings, struct tsr_inr **out,
                                struct tsr_adapt_report *report, struct tsr_error *err) {
    struct tsr_adapt_settings s = tsr_adapt_defaults();
    struct tsr_adapt_report r = tsr_adapt_report_of(NULL, 0);
    struct tsr_images one;
    TSR_NEED(out, err);
    *out = NULL;
    TSR_NEED(model, err);
    TSR_NEED(image, err);
    TSR_TRY(tsr_sized_read("tsr_images", image, sizeof one, &one, err));
    if (settings) TSR_TRY(tsr_sized_read("tsr_adapt_settings", settings, sizeof s, &s, err));
    if (report) TSR_TRY(tsr_sized_read("tsr_adapt_report", report, sizeof r, &r, err));
    struct job job = {.view = *model, .image = &one};
    job.model = &job.view;
    enum tsr_status status =
        tsr_model_config_reduce(&job.view.config, model->config.context.query_scale, err);
    if (status == TSR_OK) status = run(&job, &s, err);
    if (status == TSR_OK) {
        fill_report(&job, &r);
        if (report) tsr_sized_write(&r, sizeof r, report);
        *out = job.inr;
    } else {
        tsr_inr_free(job.inr);
    }
    tsr_reconstructor_free(job.reconstructor);
    free(job.labels);
    free(job.psnr_db);
    return status;
}
