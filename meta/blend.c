/* SPDX-License-Identifier: MIT */
#include "meta/blend.h"

#include <math.h>
#include <string.h>

/* Rows that a thread gathers at a time. */
enum { BAND = 16 };

void tsr_blend_layout(struct tsr_blend *blend, const struct tsr_geometry *geometry,
                      struct tsr_arena *arena) {
    blend->geometry = geometry;
    blend->first = tsr_arena_take(arena, geometry->partition->n_regions + 1, sizeof *blend->first);
    const struct tsr_partition *p = geometry->partition;
    bool held = p->labels && p->overlap > 0;
    blend->own = held ? NULL : tsr_arena_take(arena, geometry->total_context, sizeof *blend->own);
    blend->owner = tsr_arena_take(arena, geometry->n_pixels, sizeof *blend->owner);
}

void tsr_blend_prepare(struct tsr_blend *blend) {
    const struct tsr_partition *p = blend->geometry->partition;
    blend->weight = blend->own ? blend->own : p->weight;
    blend->first[0] = 0;
    for (size_t r = 0; r < p->n_regions; r++) {
        blend->first[r + 1] = blend->first[r] + p->regions[r].n_context;
        if (blend->own) tsr_partition_weights(p, r, blend->own + blend->first[r]);
    }
    for (size_t i = 0; i < p->height * p->width; i++)
        blend->owner[i] = (uint32_t)tsr_partition_region_at(p, i / p->width, i % p->width);
}

/* Index of the first of the ascending pixels [n] that is not below `bound`. */
static size_t lower_bound(const uint32_t *pixels, size_t n, size_t bound) {
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (pixels[mid] < bound)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
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
        size_t n = p->regions[region].n_context;
        size_t to = lower_bound(context, n, bottom * p->width);
        for (size_t i = lower_bound(context, n, top * p->width); i < to; i++)
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

static double error_of_region(const struct tsr_blend *b, size_t region, const tsr_real *residual) {
    const struct tsr_partition *p = b->geometry->partition;
    const struct tsr_region *g = &p->regions[region];
    size_t c = b->geometry->channels;
    double sum = 0;
    for (size_t row = g->row; row < g->row + g->height; row++)
        for (size_t col = g->col; col < g->col + g->width; col++) {
            size_t at = row * p->width + col;
            if (b->owner[at] != region) continue;
            for (size_t j = at * c; j < (at + 1) * c; j++)
                sum += (double)residual[j] * (double)residual[j];
        }
    return sum;
}

void tsr_blend_compare(const struct tsr_blend *b, const uint8_t *pixels, size_t threads,
                       tsr_real *picture, double *region_error) {
    size_t n = b->geometry->n_pixels * b->geometry->channels;
    for (size_t i = 0; i < n; i++)
        picture[i] -= (tsr_real)pixels[i] / 255;
    if (!region_error) return;
#pragma omp parallel for schedule(dynamic, 4) num_threads((int)threads)
    for (size_t r = 0; r < b->geometry->partition->n_regions; r++)
        region_error[r] = error_of_region(b, r, picture);
}

/* Jumps between neighbours: across borders, and within regions. */
struct jumps {
    double sum[2];
    size_t n[2];
};

static void add_jump(const struct tsr_blend *b, const tsr_real *residual, size_t p, size_t q,
                     struct jumps *jumps) {
    size_t c = b->geometry->channels, within = b->owner[p] == b->owner[q];
    double sum = 0;
    for (size_t j = 0; j < c; j++)
        sum += fabs((double)residual[p * c + j] - (double)residual[q * c + j]);
    jumps->sum[within] += sum;
    jumps->n[within]++;
}

double tsr_blend_seam(const struct tsr_blend *b, const tsr_real *residual) {
    size_t height = b->geometry->partition->height, width = b->geometry->partition->width;
    struct jumps jumps = {0};
    for (size_t row = 0; row < height; row++)
        for (size_t col = 0; col < width; col++) {
            size_t at = row * width + col;
            if (col + 1 < width) add_jump(b, residual, at, at + 1, &jumps);
            if (row + 1 < height) add_jump(b, residual, at, at + width, &jumps);
        }
    if (jumps.n[0] == 0 || jumps.n[1] == 0 || !(jumps.sum[1] > 0)) return (double)NAN;
    return jumps.sum[0] / (double)jumps.n[0] / (jumps.sum[1] / (double)jumps.n[1]);
}
