/* SPDX-License-Identifier: MIT */
#include "image/survey.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/quantile.h"
#include "base/random.h"
#include "base/spread.h"

/* ---- what is seen ---------------------------------------------------------------------------- */

static size_t map_cell(size_t at, size_t cells, size_t length) {
    return length ? at * cells / length : 0;
}

/* Marks the pixels that have another region at most TSR_BORDER_PIXELS above, below, left or right
 * of them; returns how many. */
static size_t mark_borders(const struct tsr_partition *p, uint32_t *labels, uint8_t *near) {
    size_t marked = 0, width = p->width, height = p->height;
    for (size_t i = 0; i < height * width; i++)
        labels[i] = (uint32_t)tsr_partition_region_at(p, i / width, i % width);
    for (size_t i = 0; i < height * width; i++) {
        size_t row = i / width, col = i % width;
        near[i] = 0;
        for (size_t d = 1; d <= TSR_BORDER_PIXELS; d++)
            near[i] |= (row >= d && labels[i - d * width] != labels[i]) ||
                       (row + d < height && labels[i + d * width] != labels[i]) ||
                       (col >= d && labels[i - d] != labels[i]) ||
                       (col + d < width && labels[i + d] != labels[i]);
        marked += near[i];
    }
    return marked;
}

static void add_picture(struct tsr_survey *s, const uint8_t *image, const uint8_t *picture,
                        size_t k) {
    double all = 0, at_border = 0;
    double *map = s->map_mse + k * s->map_height * s->map_width;
    for (size_t row = 0; row < s->height; row++) {
        double *cells = map + map_cell(row, s->map_height, s->height) * s->map_width;
        for (size_t col = 0; col < s->width; col++) {
            size_t at = row * s->width + col;
            double sum = 0;
            for (size_t c = at * s->channels; c < (at + 1) * s->channels; c++) {
                double d = ((double)image[c] - (double)picture[c]) / 255;
                sum += d * d;
            }
            cells[map_cell(col, s->map_width, s->width)] += sum;
            all += sum;
            if (s->near[at]) at_border += sum;
        }
    }
    if (all > 0) s->border_share[k] += at_border / all;
}

static void add_pictures(struct tsr_survey *s, const struct tsr_evaluated *e) {
    size_t pixels = s->height * s->width, n = pixels * s->channels;
    uint32_t *labels = (uint32_t *)(void *)s->room;
    uint8_t *bytes = s->room + pixels * sizeof *labels;
    size_t marked = mark_borders(e->partition, labels, s->near);
    const uint8_t *image = tsr_pixels_bytes(e->pixels, n, bytes);
    s->border_pixels += (double)marked / (double)pixels;
    for (size_t k = 0; k < s->states; k++)
        add_picture(s, image, e->result->pictures + k * n, k);
}

static size_t layer_end(const struct tsr_net *net, size_t l) {
    return l + 1 < net->n_layers ? net->weight_at[l + 1] : net->n_params;
}

static void add_moves(struct tsr_survey *s, const struct tsr_evaluated *e) {
    const struct tsr_net *net = &s->net;
    for (size_t r = 0; r < s->n_regions; r++) {
        const tsr_real *phi = e->result->phi + r * net->n_params,
                       *theta = e->model->theta +
                                tsr_slot_of_region(e->model->config.slots, r) * net->n_params;
        if (e->partition->regions[r].n_pixels == 0) continue;
        s->adapted++;
        for (size_t l = 0; l < net->n_layers; l++)
            for (size_t i = net->weight_at[l]; i < layer_end(net, l); i++) {
                double d = (double)phi[i] - (double)theta[i];
                s->moved[l] += d * d;
                s->theta_rms[l] += (double)theta[i] * (double)theta[i];
            }
    }
}

/* Sums to means, when all images are there. */
static void finish(struct tsr_survey *s) {
    const struct tsr_net *net = &s->net;
    double images = (double)s->images;
    for (size_t l = 0; l < net->n_layers; l++) {
        double n = (double)(layer_end(net, l) - net->weight_at[l]) * (double)s->adapted;
        s->moved[l] = sqrt(s->moved[l] / n);
        s->theta_rms[l] = sqrt(s->theta_rms[l] / n);
    }
    if (!s->has_pictures) return;
    s->border_pixels /= images;
    for (size_t k = 0; k < s->states; k++)
        s->border_share[k] /= images;
    size_t cells = s->map_height * s->map_width;
    void *taken = memset(s->room, 0, cells * sizeof(uint32_t));
    uint32_t *pixels = taken; /* of each cell; there are no more cells than pixels */
    for (size_t i = 0; i < s->height * s->width; i++)
        pixels[map_cell(i / s->width, s->map_height, s->height) * s->map_width +
               map_cell(i % s->width, s->map_width, s->width)]++;
    for (size_t i = 0; i < cells * s->states; i++)
        s->map_mse[i] /= (double)pixels[i % cells] * (double)s->channels * images;
}

static enum tsr_status on_image(void *user, const struct tsr_evaluated *e, struct tsr_error *err) {
    struct tsr_survey *s = user;
    size_t i = s->images++;
    if (i >= s->max_images)
        return TSR_ERROR(err, TSR_ERR_ARGUMENT, "a survey of %zu images was given more",
                         s->max_images);
    s->index[i] = (uint32_t)e->index;
    memcpy(s->psnr_db + i * s->states, e->result->psnr_db, s->states * sizeof(double));
    memcpy(s->ssim + i * s->states, e->result->ssim, s->states * sizeof(double));
    memcpy(s->regions, e->partition->regions, s->n_regions * sizeof *s->regions);
    for (size_t r = 0; r < s->n_regions; r++) {
        size_t pixels = (size_t)e->region_pixels[r];
        float *mse = s->region_mse + (i * s->n_regions + r) * s->states;
        s->n_pixels[i * s->n_regions + r] = (uint32_t)pixels;
        for (size_t k = 0; k < s->states; k++)
            mse[k] = pixels ? (float)(e->result->region_error[k * s->n_regions + r] /
                                      (double)(pixels * s->channels))
                            : NAN;
    }
    if (s->observer.phi) add_moves(s, e);
    if (s->has_pictures) add_pictures(s, e);
    if (s->images == s->max_images) finish(s);
    return TSR_OK;
}

/* ---- room ------------------------------------------------------------------------------------ */

static const size_t MOST_PICTURES = (size_t)256 << 20;

static size_t least(size_t a, size_t b) {
    return a < b ? a : b;
}

static enum tsr_status allocate(struct tsr_survey *s, struct tsr_error *err) {
    const char *what = "survey of the images";
    size_t pixels = s->height * s->width, cells = s->map_height * s->map_width;
    size_t table = s->max_images * s->n_regions; /* counted again, with states, by tsr_alloc() */
    if (s->n_regions && table / s->n_regions != s->max_images)
        return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "no memory for a survey of %zu images",
                         s->max_images);
    TSR_TRY(TSR_ALLOC(&s->index, s->max_images, what, err));
    TSR_TRY(TSR_ALLOC(&s->psnr_db, s->max_images * s->states, what, err));
    TSR_TRY(TSR_ALLOC(&s->ssim, s->max_images * s->states, what, err));
    TSR_TRY(TSR_ALLOC(&s->n_pixels, table, what, err));
    TSR_TRY(tsr_alloc_to(&s->region_mse, table, s->states * sizeof *s->region_mse, what, err));
    TSR_TRY(TSR_ALLOC(&s->regions, s->n_regions, what, err));
    TSR_TRY(TSR_ALLOC(&s->moved, s->n_layers, what, err));
    TSR_TRY(TSR_ALLOC(&s->theta_rms, s->n_layers, what, err));
    TSR_TRY(TSR_ALLOC(&s->border_share, s->states, what, err));
    TSR_TRY(TSR_ALLOC(&s->map_mse, s->states * cells, what, err));
    TSR_TRY(TSR_ALLOC(&s->near, pixels, what, err));
    return TSR_ALLOC(&s->room, pixels * (sizeof(uint32_t) + s->channels), what, err);
}

enum tsr_status tsr_survey_create(const struct tsr_model *model, struct tsr_dataset *dataset,
                                  enum tsr_split split, size_t limit,
                                  const struct tsr_reconstruct_config *config, bool figures_only,
                                  struct tsr_survey **out, struct tsr_error *err) {
    struct tsr_survey *s;
    size_t n;
    (void)tsr_dataset_split(dataset, split, &n);
    TSR_TRY(TSR_ALLOC(&s, 1, "survey of the images", err));
    *s = (struct tsr_survey){.max_images = tsr_spread_count(n, limit),
                             .states = config->inner_steps + 1,
                             .channels = model->net.out_dim,
                             .height = tsr_dataset_height(dataset),
                             .width = tsr_dataset_width(dataset),
                             .follows = tsr_rule_follows_image(&model->config.partition),
                             .n_layers = model->net.n_layers,
                             .net = model->net};
    s->n_regions = tsr_model_regions(model, s->height, s->width);
    s->map_height = least(s->height, TSR_ERROR_MAP_SIDE);
    s->map_width = least(s->width, TSR_ERROR_MAP_SIDE);
    s->has_pictures =
        !figures_only && s->states <= MOST_PICTURES / s->height / s->width / s->channels;
    s->observer = (struct tsr_observer){
        .pictures = s->has_pictures, .phi = !figures_only, .image = on_image, .user = s};
    enum tsr_status status = allocate(s, err);
    if (status == TSR_OK)
        *out = s;
    else
        tsr_survey_free(s);
    return status;
}

void tsr_survey_free(struct tsr_survey *s) {
    if (!s) return;
    free(s->index);
    free(s->psnr_db);
    free(s->ssim);
    free(s->region_mse);
    free(s->n_pixels);
    free(s->regions);
    free(s->border_share);
    free(s->map_mse);
    free(s->moved);
    free(s->theta_rms);
    free(s->near);
    free(s->room);
    free(s);
}

const struct tsr_observer *tsr_survey_observer(struct tsr_survey *survey) {
    return &survey->observer;
}

/* ---- what it says ---------------------------------------------------------------------------- */

double tsr_survey_psnr_db(const struct tsr_survey *s, size_t image, size_t region, size_t k) {
    if (region == s->n_regions) return s->psnr_db[image * s->states + k];
    double mse = (double)s->region_mse[(image * s->n_regions + region) * s->states + k];
    return isnan(mse) ? mse : tsr_psnr_db(mse, 1);
}

void tsr_survey_region(const struct tsr_survey *s, size_t region, size_t k,
                       struct tsr_region_figures *out) {
    double sum = 0, squares = 0;
    *out = (struct tsr_region_figures){.worst_psnr_db = (double)NAN};
    for (size_t i = 0; i < s->images; i++) {
        double psnr_db = tsr_survey_psnr_db(s, i, region, k);
        size_t pixels = s->n_pixels[i * s->n_regions + region];
        if (pixels == 0) continue;
        out->images++;
        out->pixels += (double)pixels;
        sum += psnr_db;
        if (psnr_db >= out->worst_psnr_db) continue;
        out->worst_psnr_db = psnr_db;
        out->worst_image = i;
    }
    double n = (double)out->images, mean = sum / n;
    for (size_t i = 0; i < s->images; i++)
        if (s->n_pixels[i * s->n_regions + region])
            squares += pow(tsr_survey_psnr_db(s, i, region, k) - mean, 2);
    out->psnr_db = mean; /* 0/0: NaN */
    out->pixels = out->images ? out->pixels / n : 0;
    out->psnr_db_std = out->images < 2 ? (double)NAN : sqrt(squares / (n - 1));
}

struct place {
    double psnr_db;
    uint32_t image;
};

static int by_psnr(const void *x, const void *y) {
    const struct place *a = x, *b = y;
    if (isnan(a->psnr_db) != isnan(b->psnr_db)) return isnan(a->psnr_db) ? 1 : -1;
    if (a->psnr_db < b->psnr_db || a->psnr_db > b->psnr_db) return a->psnr_db < b->psnr_db ? -1 : 1;
    return a->image < b->image ? -1 : 1;
}

enum tsr_status tsr_survey_order(const struct tsr_survey *s, size_t region, size_t k,
                                 uint32_t *order, struct tsr_error *err) {
    struct place *places;
    TSR_TRY(TSR_ALLOC(&places, s->images, "order of the images", err));
    for (size_t i = 0; i < s->images; i++)
        places[i] = (struct place){tsr_survey_psnr_db(s, i, region, k), (uint32_t)i};
    qsort(places, s->images, sizeof *places, by_psnr);
    for (size_t i = 0; i < s->images; i++)
        order[i] = places[i].image;
    free(places);
    return TSR_OK;
}

/* ---- comparison ------------------------------------------------------------------------------ */

enum tsr_status tsr_paired_bootstrap(const double *a, const double *b, size_t n, size_t resamples,
                                     uint64_t seed, uint64_t instance, struct tsr_paired *out,
                                     struct tsr_error *err) {
    double *gain, *means;
    *out = (struct tsr_paired){.mean = (double)NAN, .low = (double)NAN, .high = (double)NAN};
    TSR_TRY(TSR_ALLOC(&gain, n + resamples, "bootstrap", err));
    means = gain + n;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(a[i]) || !isfinite(b[i])) continue;
        gain[out->n++] = b[i] - a[i];
        out->wins += b[i] > a[i];
        sum += b[i] - a[i];
    }
    for (size_t s = 0; s < resamples && out->n; s++) {
        for (size_t i = 0; i < out->n; i++)
            means[s] += gain[tsr_random_below(seed, TSR_STREAM_BOOTSTRAP | instance << 32,
                                              s * out->n + i, out->n)];
        means[s] /= (double)out->n;
    }
    if (out->n) {
        tsr_sort(means, resamples);
        out->mean = sum / (double)out->n;
        out->low = resamples ? tsr_quantile(means, resamples, 0.025) : (double)NAN;
        out->high = resamples ? tsr_quantile(means, resamples, 0.975) : (double)NAN;
    }
    free(gain);
    return TSR_OK;
}

enum tsr_status tsr_survey_compare(const struct tsr_survey *a, const struct tsr_survey *b,
                                   size_t region, size_t resamples, uint64_t seed,
                                   struct tsr_paired *out, struct tsr_error *err) {
    double *x;
    bool whole = region == a->n_regions;
    if (a->images != b->images || memcmp(a->index, b->index, a->images * sizeof *a->index) != 0)
        return TSR_ERROR(err, TSR_ERR_ARGUMENT, "the surveys are of different images");
    if (!whole && a->n_regions != b->n_regions)
        return TSR_ERROR(err, TSR_ERR_ARGUMENT, "the surveys have %zu and %zu regions",
                         a->n_regions, b->n_regions);
    TSR_TRY(TSR_ALLOC(&x, 2 * a->images, "comparison", err));
    for (size_t i = 0; i < a->images; i++) {
        x[i] = tsr_survey_psnr_db(a, i, region, a->states - 1);
        x[a->images + i] = tsr_survey_psnr_db(b, i, whole ? b->n_regions : region, b->states - 1);
    }
    enum tsr_status status =
        tsr_paired_bootstrap(x, x + a->images, a->images, resamples, seed, region, out, err);
    free(x);
    return status;
}
