/* SPDX-License-Identifier: MIT */
#include "image/validation.h"

#include <math.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/spread.h"
#include "image/reconstruct.h"
#include "image/regions.h"

struct validation {
    const struct tsr_model *model;
    const struct tsr_comm *comm;
    const uint32_t *split;                         /* [of] the dataset's */
    struct tsr_span span;                          /* this process's images of all */
    size_t n, of, n_pixels, channels, inner_steps; /* n images of a split of `of` */
    double *final_db;                              /* [n] PSNR of all images after K inner steps */
    void *values;                                  /* [span.n, H, W, C] as the dataset has them */
    struct tsr_pixels pixels;
    uint32_t *labels; /* [span.n, H, W] for a rule that follows the image, else NULL */
    double *psnr_db;  /* [K+1] of one image */
    struct tsr_reconstructor *reconstructor;
    struct tsr_observer observer;
    size_t n_observed; /* images that it sees */
    uint8_t *pictures; /* [K+1, H, W, C] of one image, for it; or NULL */
};

static void close(void *user) {
    struct validation *v = user;
    tsr_reconstructor_free(v->reconstructor);
    free(v->values);
    free(v->labels);
    free(v->psnr_db);
    free(v->final_db);
    free(v->pictures);
    free(v);
}

/* The i-th image of this process, which is one of those spread over the split. */
static uint32_t image_of(const struct validation *v, size_t i) {
    return v->split[tsr_spread(v->span.first + i, v->of, v->n)];
}

static struct tsr_pixels pixels_of(const struct validation *v, size_t i) {
    return tsr_pixels_at(v->pixels, i * v->n_pixels * v->channels);
}

/* Label maps of the images, which are in memory. */
static enum tsr_status map_images(struct validation *v, struct tsr_dataset *dataset,
                                  struct tsr_error *err) {
    size_t height = tsr_dataset_height(dataset), width = tsr_dataset_width(dataset);
    uint16_t *stored = NULL;
    bool use_stored;
    enum tsr_status status;
    TSR_TRY(tsr_regions_stored(&v->model->config.partition, dataset, &use_stored, err));
    TSR_TRY(TSR_ALLOC(&v->labels, v->span.n * v->n_pixels, "label maps of validation", err));
    TSR_TRY(TSR_ALLOC(&stored, v->n_pixels, "label map", err));
    for (size_t i = 0; i < v->span.n; i++) {
        if (use_stored) TSR_CHECK(tsr_dataset_read_labels(dataset, image_of(v, i), stored, err));
        TSR_CHECK(tsr_regions_of_image(v->model, pixels_of(v, i), height, width,
                                       use_stored ? stored : NULL, v->labels + i * v->n_pixels,
                                       err));
    }
    status = TSR_OK;
done:
    free(stored);
    return status;
}

static enum tsr_status load(struct validation *v, struct tsr_dataset *dataset, size_t threads,
                            const char *kernel, struct tsr_error *err) {
    const struct tsr_model *model = v->model;
    struct tsr_reconstruct_config config;
    size_t size = v->n_pixels * v->channels * tsr_dataset_value_size(dataset);
    TSR_TRY(TSR_ALLOC(&v->psnr_db, v->inner_steps + 1, "PSNR of validation", err));
    TSR_TRY(TSR_ALLOC(&v->final_db, v->n, "PSNR of validation", err));
    TSR_TRY(tsr_alloc(&v->values, v->span.n, size, "validation images", err));
    v->pixels = tsr_dataset_pixels(dataset, v->values);
    for (size_t i = 0; i < v->span.n; i++)
        TSR_TRY(tsr_dataset_read(dataset, image_of(v, i), (char *)v->values + i * size, err));
    if (tsr_rule_follows_image(&model->config.partition)) TSR_TRY(map_images(v, dataset, err));
    tsr_reconstruct_config_default(model, &config);
    config.threads = tsr_thread_count(threads);
    config.kernel = kernel ? kernel : "auto";
    return tsr_reconstructor_create(model, &config, tsr_dataset_height(dataset),
                                    tsr_dataset_width(dataset), &v->reconstructor, err);
}

static enum tsr_status observe(const struct validation *v, size_t i,
                               const struct tsr_reconstruction *result, struct tsr_error *err) {
    const struct tsr_evaluated image = {.model = v->model,
                                        .index = image_of(v, i),
                                        .pixels = pixels_of(v, i),
                                        .partition = tsr_reconstructor_partition(v->reconstructor),
                                        .result = result};
    return v->observer.image(v->observer.user, &image, err);
}

/* PSNR of this process's images; *stopped: not of all. */
static enum tsr_status measure(struct validation *v, int (*stop)(void *stop_user), void *stop_user,
                               bool *stopped, struct tsr_error *err) {
    for (size_t i = 0, seen = 0; i < v->span.n; i++) {
        bool shown = seen < v->n_observed && i == tsr_spread(seen, v->span.n, v->n_observed);
        struct tsr_reconstruction out = {.psnr_db = v->psnr_db,
                                         .pictures = shown ? v->pictures : NULL};
        if (stop && stop(stop_user)) {
            *stopped = true;
            return TSR_OK;
        }
        if (v->labels)
            TSR_TRY(tsr_reconstructor_follow(v->reconstructor, v->labels + i * v->n_pixels, err));
        tsr_reconstructor_draw(v->reconstructor, v->span.first + i);
        TSR_TRY(tsr_reconstruct(v->reconstructor, pixels_of(v, i), &out, err));
        v->final_db[v->span.first + i] = v->psnr_db[v->inner_steps];
        if (shown) TSR_TRY(observe(v, i, &out, err));
        seen += shown;
    }
    return TSR_OK;
}

static enum tsr_status score(void *user, int (*stop)(void *stop_user), void *stop_user,
                             double *psnr_db, size_t *left_out, struct tsr_error *err) {
    struct validation *v = user;
    double sum = 0;
    bool stopped = false;
    TSR_TRY(tsr_comm_agree(v->comm, measure(v, stop, stop_user, &stopped, err), err));
    TSR_TRY(tsr_comm_any(v->comm, &stopped, err));
    if (stopped) return TSR_ERROR(err, TSR_ERR_INTERRUPTED, "interrupted during validation");
    TSR_TRY(tsr_comm_gather(v->comm, v->final_db, v->n, sizeof *v->final_db, err));
    *left_out = 0;
    for (size_t i = 0; i < v->n; i++)
        if (isfinite(v->final_db[i]))
            sum += v->final_db[i];
        else
            ++*left_out;
    *psnr_db = 2 * *left_out > v->n ? (double)NAN : sum / (double)(v->n - *left_out);
    return TSR_OK;
}

enum tsr_status tsr_validation_create(const struct tsr_model *model, struct tsr_dataset *dataset,
                                      size_t limit, size_t threads, const char *kernel,
                                      const struct tsr_comm *comm, struct tsr_validator *out,
                                      struct tsr_error *err) {
    size_t n;
    const uint32_t *index = tsr_dataset_split(dataset, TSR_SPLIT_VAL, &n);
    *out = (struct tsr_validator){0};
    if (n == 0) return TSR_OK;
    struct validation *v;
    TSR_TRY(TSR_ALLOC(&v, 1, "validation", err));
    *v = (struct validation){.model = model,
                             .comm = comm,
                             .split = index,
                             .n = tsr_spread_count(n, limit),
                             .of = n,
                             .n_pixels = tsr_dataset_height(dataset) * tsr_dataset_width(dataset),
                             .channels = tsr_dataset_channels(dataset),
                             .inner_steps = model->config.inner_steps};
    v->span = tsr_comm_span(v->n, comm->rank, comm->size);
    enum tsr_status status = load(v, dataset, threads, kernel, err);
    if (status != TSR_OK) {
        close(v);
        return status;
    }
    *out = (struct tsr_validator){.user = v, .score = score, .close = close};
    return TSR_OK;
}

enum tsr_status tsr_validation_observe(const struct tsr_validator *validator,
                                       const struct tsr_observer *observer, size_t limit, size_t *n,
                                       struct tsr_error *err) {
    struct validation *v = validator->user;
    *n = 0;
    if (!v) return TSR_OK;
    if (observer->pictures && !v->pictures)
        TSR_TRY(tsr_alloc_to(&v->pictures, v->inner_steps + 1, v->n_pixels * v->channels,
                             "pictures of validation", err));
    v->observer = *observer;
    *n = v->n_observed = tsr_spread_count(v->span.n, limit);
    return TSR_OK;
}
