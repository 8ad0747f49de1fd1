/* SPDX-License-Identifier: MIT */
#include "meta/evaluate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void tsr_evaluation_clear(struct tsr_evaluation *evaluation) {
    free(evaluation->psnr_db);
    free(evaluation->psnr_db_std);
    free(evaluation->ssim);
    free(evaluation->region_slot);
    free(evaluation->region_pixels);
    free(evaluation->region_psnr_db);
    *evaluation = (struct tsr_evaluation){0};
}

/* Sums over images, before they become means. */
struct sums {
    double *psnr, *psnr2, *ssim; /* [K+1] */
    double *region_psnr;         /* [K+1, n_regions] */
    double seconds;
    size_t images;
};

/* What one image gives. */
struct scratch {
    uint8_t *pixels;
    struct tsr_reconstruction one;
    struct sums sums;
    struct tsr_arena arena;
};

static void layout(struct scratch *s, size_t values, size_t states, size_t n_regions,
                   struct tsr_arena *a) {
    s->pixels = tsr_arena_take(a, values, 1);
    double **vectors[] = {&s->one.psnr_db, &s->one.ssim, &s->sums.psnr, &s->sums.psnr2,
                          &s->sums.ssim};
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++)
        *vectors[i] = tsr_arena_take(a, states, sizeof(double));
    s->one.region_error = tsr_arena_take(a, states * n_regions, sizeof(double));
    s->sums.region_psnr = tsr_arena_take(a, states * n_regions, sizeof(double));
}

static void add_image(struct sums *sums, const struct tsr_reconstruction *one, size_t states,
                      const struct tsr_partition *partition, size_t channels) {
    size_t n_regions = partition->n_regions;
    for (size_t k = 0; k < states; k++) {
        sums->psnr[k] += one->psnr_db[k];
        sums->psnr2[k] += one->psnr_db[k] * one->psnr_db[k];
        sums->ssim[k] += one->ssim[k];
    }
    for (size_t i = 0; i < states * n_regions; i++)
        sums->region_psnr[i] += tsr_psnr_db(one->region_error[i],
                                            partition->regions[i % n_regions].n_pixels * channels);
    sums->seconds += one->seconds;
    sums->images++;
}

static enum tsr_status allocate_result(struct tsr_evaluation *e, size_t states, size_t n_regions,
                                       struct tsr_error *err) {
    void *p;
    double **vectors[] = {&e->psnr_db, &e->psnr_db_std, &e->ssim, &e->region_psnr_db};
    for (size_t i = 0; i < 4; i++) {
        TSR_TRY(
            tsr_alloc(&p, states * (i == 3 ? n_regions : 1), sizeof(double), "evaluation", err));
        *vectors[i] = p;
    }
    TSR_TRY(tsr_alloc(&p, n_regions, sizeof(size_t), "evaluation", err));
    e->region_slot = p;
    TSR_TRY(tsr_alloc(&p, n_regions, sizeof(size_t), "evaluation", err));
    e->region_pixels = p;
    return TSR_OK;
}

static void fill_result(struct tsr_evaluation *e, const struct tsr_model *model,
                        const struct tsr_partition *partition, const struct sums *s) {
    size_t states = e->inner_steps + 1, n_regions = partition->n_regions;
    double n = (double)s->images;
    for (size_t k = 0; k < states; k++) {
        double mean = s->psnr[k] / n, variance = (s->psnr2[k] - n * mean * mean) / (n - 1);
        e->psnr_db[k] = mean;
        e->psnr_db_std[k] = s->images < 2 ? (double)NAN : sqrt(variance > 0 ? variance : 0);
        e->ssim[k] = s->ssim[k] / n;
    }
    for (size_t r = 0; r < n_regions; r++) {
        size_t pixels = partition->regions[r].n_pixels;
        e->region_slot[r] = tsr_slot_of_region(model->config.slots, r);
        e->region_pixels[r] = pixels;
        for (size_t k = 0; k < states; k++)
            e->region_psnr_db[r * states + k] = s->region_psnr[k * n_regions + r] / n;
    }
    e->images = s->images;
    e->n_regions = n_regions;
    e->seconds_per_image = s->seconds / n;
    e->params_per_image = n_regions * model->net.n_params;
    e->flops_per_image = tsr_network_flops(&model->net, 3 * (double)e->inner_steps + 1) *
                         (double)(partition->height * partition->width);
}

static enum tsr_status run(struct tsr_reconstructor *r, struct tsr_dataset *dataset,
                           const uint32_t *index, size_t n, size_t states,
                           const struct tsr_evaluate_callbacks *callbacks, struct scratch *s,
                           struct tsr_evaluation *out, struct tsr_error *err) {
    const struct tsr_partition *partition = tsr_reconstructor_partition(r);
    for (size_t i = 0; i < n; i++) {
        TSR_TRY(tsr_dataset_read(dataset, index[i], s->pixels, err));
        tsr_reconstruct(r, s->pixels, &s->one);
        add_image(&s->sums, &s->one, states, partition, tsr_dataset_channels(dataset));
        out->not_finite += !isfinite(s->one.psnr_db[states - 1]);
        double mean = s->sums.psnr[states - 1] / (double)s->sums.images;
        if (callbacks && callbacks->progress &&
            callbacks->progress(callbacks->user, i + 1, n, mean))
            return TSR_ERROR(err, TSR_ERR_INTERRUPTED, "interrupted after %zu of %zu images", i + 1,
                             n);
    }
    return TSR_OK;
}

enum tsr_status tsr_evaluate(const struct tsr_model *model, struct tsr_dataset *dataset,
                             enum tsr_split split, size_t limit,
                             const struct tsr_reconstruct_config *config,
                             const struct tsr_evaluate_callbacks *callbacks,
                             struct tsr_evaluation *out, struct tsr_error *err) {
    size_t n, height = tsr_dataset_height(dataset), width = tsr_dataset_width(dataset);
    size_t channels = tsr_dataset_channels(dataset), states = config->inner_steps + 1;
    const uint32_t *index = tsr_dataset_split(dataset, split, &n);
    struct tsr_reconstructor *r = NULL;
    struct scratch s = {0};
    enum tsr_status status;
    *out = (struct tsr_evaluation){.inner_steps = config->inner_steps};
    if (n == 0)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "%s: split %s has no images",
                         tsr_dataset_path(dataset), tsr_split_name(split));
    if (limit && limit < n) n = limit;
    status = tsr_model_check_image(model, height, width, channels, err);
    if (status != TSR_OK) {
        tsr_error_prefix(err, "%s", tsr_dataset_path(dataset));
        return status;
    }
    TSR_CHECK(tsr_reconstructor_create(model, config, height, width, &r, err));
    const struct tsr_partition *partition = tsr_reconstructor_partition(r);
    layout(&s, height * width * channels, states, partition->n_regions, &s.arena);
    TSR_CHECK(tsr_arena_create(&s.arena, s.arena.used, "evaluation", err));
    layout(&s, height * width * channels, states, partition->n_regions, &s.arena);
    TSR_CHECK(allocate_result(out, states, partition->n_regions, err));
    TSR_CHECK(run(r, dataset, index, n, states, callbacks, &s, out, err));
    fill_result(out, model, partition, &s.sums);
done:
    tsr_arena_free(&s.arena);
    tsr_reconstructor_free(r);
    if (status != TSR_OK) tsr_evaluation_clear(out);
    return status;
}
