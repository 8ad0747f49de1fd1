/* SPDX-License-Identifier: MIT */
#include "image/blend.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Rows that a thread gathers at a time. */
enum { BAND = 16 };

enum tsr_status tsr_blend_create(const struct tsr_geometry *geometry, struct tsr_blend *out,
                                 struct tsr_error *err) {
    *out = (struct tsr_blend){.geometry = geometry};
    TSR_TRY(TSR_ALLOC(&out->first, geometry->partition->n_regions + 1, "blending", err));
    enum tsr_status status = tsr_blend_follow(out, err);
    if (status != TSR_OK) tsr_blend_clear(out);
    return status;
}

static enum tsr_status reserve(struct tsr_blend *blend, size_t points, struct tsr_error *err) {
    if (points <= blend->capacity) return TSR_OK;
    free(blend->weight);
    blend->weight = NULL;
    blend->capacity = 0;
    TSR_TRY(TSR_ALLOC(&blend->weight, points, "weights of overlapping regions", err));
    blend->capacity = points;
    return TSR_OK;
}

enum tsr_status tsr_blend_follow(struct tsr_blend *blend, struct tsr_error *err) {
    const struct tsr_partition *p = blend->geometry->partition;
    blend->first[0] = 0;
    for (size_t r = 0; r < p->n_regions; r++)
        blend->first[r + 1] = blend->first[r] + p->regions[r].n_context;
    TSR_TRY(reserve(blend, tsr_blend_points(blend), err));
    for (size_t r = 0; r < p->n_regions; r++)
        if (p->regions[r].n_context) tsr_partition_weights(p, r, blend->weight + blend->first[r]);
    return TSR_OK;
}

void tsr_blend_clear(struct tsr_blend *blend) {
    free(blend->first);
    free(blend->weight);
    *blend = (struct tsr_blend){0};
}

size_t tsr_blend_points(const struct tsr_blend *blend) {
    return blend->first[blend->geometry->partition->n_regions];
}

/* picture += weight * out for n values of consecutive pixels. */
static void add_pixels(const float *weight, const tsr_real *out, size_t n, size_t channels,
                       tsr_real *picture) {
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < channels; j++)
            picture[i * channels + j] += (tsr_real)weight[i] * out[i * channels + j];
}

/* Adds what a region contributes to the rows top .. bottom-1. */
static void add_region(const struct tsr_blend *b, size_t region, const tsr_real *out, size_t top,
                       size_t bottom, tsr_real *picture) {
    const struct tsr_partition *p = b->geometry->partition;
    const struct tsr_box *w = &p->regions[region].window;
    size_t c = b->geometry->channels;
    const float *weight = b->weight + b->first[region];
    out += b->first[region] * c;
    if (p->labels) {
        const uint32_t *context = p->context + p->context_first[region];
        size_t to = tsr_partition_context_from(p, region, bottom * p->width);
        for (size_t i = tsr_partition_context_from(p, region, top * p->width); i < to; i++)
            add_pixels(weight + i, out + i * c, 1, c, picture + context[i] * c);
        return;
    }
    size_t from = w->row > top ? w->row : top;
    size_t to = w->row + w->height < bottom ? w->row + w->height : bottom;
    for (size_t row = from; row < to; row++) {
        size_t i = (row - w->row) * w->width;
        add_pixels(weight + i, out + i * c, w->width, c, picture + (row * p->width + w->col) * c);
    }
}

void tsr_blend_gather(const struct tsr_blend *b, const tsr_real *out, size_t threads,
                      tsr_real *picture) {
    (void)threads; /* without OpenMP */
    const struct tsr_partition *p = b->geometry->partition;
    size_t bands = (p->height + BAND - 1) / BAND, row = p->width * b->geometry->channels;
#pragma omp parallel for schedule(dynamic, 1) num_threads((int)threads)
    for (size_t band = 0; band < bands; band++) {
        size_t top = band * BAND, bottom = top + BAND < p->height ? top + BAND : p->height;
        memset(picture + top * row, 0, (bottom - top) * row * sizeof *picture);
        for (size_t r = 0; r < p->n_regions; r++) {
            const struct tsr_box *w = &p->regions[r].window;
            if (w->row < bottom && w->row + w->height > top)
                add_region(b, r, out, top, bottom, picture);
        }
    }
}

static double square_sum(const tsr_real *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

static double error_of_region(const struct tsr_geometry *geometry, size_t region,
                              const tsr_real *residual) {
    const struct tsr_partition *p = geometry->partition;
    const struct tsr_region *g = &p->regions[region];
    size_t c = geometry->channels;
    double sum = 0;
    if (p->labels) {
        const uint32_t *pixels = p->pixels + p->first[region];
        for (size_t i = 0; i < g->n_pixels; i++)
            sum += square_sum(residual + pixels[i] * c, c);
        return sum;
    }
    for (size_t row = g->row; row < g->row + g->height; row++)
        sum += square_sum(residual + (row * p->width + g->col) * c, g->width * c);
    return sum;
}

void tsr_blend_unseen(const struct tsr_geometry *geometry, const tsr_real *difference,
                      const uint8_t *known, double *region_error) {
    const struct tsr_partition *p = geometry->partition;
    size_t c = geometry->channels;
    for (size_t r = 0; r < p->n_regions; r++) {
        region_error[r] = 0;
        for (size_t i = 0, at; i < p->regions[r].n_pixels; i++) {
            (void)tsr_geometry_own_point(geometry, r, i, &at);
            if (!known[at]) region_error[r] += square_sum(difference + at * c, c);
        }
    }
}

static void subtract(struct tsr_pixels pixels, size_t first, size_t end, tsr_real *picture) {
    if (pixels.floats)
        for (size_t i = first; i < end; i++)
            picture[i] -= (tsr_real)pixels.floats[i];
    else
        for (size_t i = first; i < end; i++)
            picture[i] -= (tsr_real)pixels.bytes[i] / 255;
}

void tsr_blend_compare(const struct tsr_geometry *geometry, struct tsr_pixels pixels,
                       size_t threads, tsr_real *picture, double *region_error) {
    (void)threads; /* without OpenMP */
    size_t n = geometry->n_pixels * geometry->channels, piece = 4096;
#pragma omp parallel num_threads((int)threads)
    {
#pragma omp for schedule(static)
        for (size_t i = 0; i < n; i += piece)
            subtract(pixels, i, i + piece < n ? i + piece : n, picture);
#pragma omp for schedule(dynamic, 4)
        for (size_t r = 0; r < geometry->partition->n_regions; r++)
            if (region_error) region_error[r] = error_of_region(geometry, r, picture);
    }
}
