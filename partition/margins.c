/* SPDX-License-Identifier: MIT */
#include "partition/margins.h"

#include <stdlib.h>

#include "base/memory.h"

/* The regions within reach of a pixel, its own first, and their distances from it. */
struct reach {
    size_t n, capacity;
    uint32_t *region;
    size_t *distance;
};

static enum tsr_status reach_create(size_t overlap, size_t n_regions, struct reach *out,
                                    struct tsr_error *err) {
    size_t side = 2 * overlap + 1, n = side * side < n_regions ? side * side : n_regions;
    *out = (struct reach){.capacity = n};
    TSR_TRY(TSR_ALLOC(&out->region, n, "margins of the regions", err));
    TSR_TRY(TSR_ALLOC(&out->distance, n, "margins of the regions", err));
    return TSR_OK;
}

static void reach_free(struct reach *reach) {
    free(reach->region);
    free(reach->distance);
}

/* Adds a region seen at a distance that is not smaller than those before. */
static void meet(struct reach *reach, uint32_t region, size_t distance) {
    for (size_t i = 0; i < reach->n; i++)
        if (reach->region[i] == region) return;
    reach->region[reach->n] = region;
    reach->distance[reach->n++] = distance;
}

/* Looks along the sides of growing squares around the pixel. */
static void look_around(const struct tsr_partition *p, size_t row, size_t col,
                        struct reach *reach) {
    reach->n = 0;
    meet(reach, p->labels[row * p->width + col], 0);
    for (size_t d = 1; d <= p->overlap && reach->n < reach->capacity; d++) {
        size_t top = row < d ? 0 : row - d, left = col < d ? 0 : col - d;
        size_t bottom = row + d < p->height ? row + d : p->height - 1;
        size_t right = col + d < p->width ? col + d : p->width - 1;
        for (size_t r = top; r <= bottom; r++) {
            bool whole = r + d == row || r == row + d; /* a horizontal side */
            const uint32_t *labels = p->labels + r * p->width;
            if (whole)
                for (size_t c = left; c <= right; c++)
                    meet(reach, labels[c], d);
            else
                meet(reach, labels[left], d), meet(reach, labels[right], d);
        }
    }
}

/* Does the square around the pixel hold more than one label? `change` [H, W] counts, summed over
 * the rectangle above and to the left, the pixels that differ from their right or lower neighbour.
 */
static bool is_near_border(const struct tsr_partition *p, const uint32_t *change, size_t row,
                           size_t col) {
    size_t d = p->overlap, w = p->width + 1;
    size_t top = row < d ? 0 : row - d, left = col < d ? 0 : col - d;
    size_t bottom = row + d < p->height ? row + d + 1 : p->height;
    size_t right = col + d < p->width ? col + d + 1 : p->width;
    return change[bottom * w + right] - change[top * w + right] - change[bottom * w + left] +
               change[top * w + left] !=
           0;
}

/* Sums [H+1, W+1]. */
static void count_changes(const struct tsr_partition *p, uint32_t *change) {
    size_t w = p->width + 1;
    for (size_t c = 0; c < w; c++)
        change[c] = 0;
    for (size_t r = 0; r < p->height; r++) {
        const uint32_t *labels = p->labels + r * p->width;
        uint32_t sum = 0;
        change[(r + 1) * w] = 0;
        for (size_t c = 0; c < p->width; c++) {
            bool right = c + 1 < p->width && labels[c] != labels[c + 1];
            bool below = r + 1 < p->height && labels[c] != labels[c + p->width];
            sum += right || below;
            change[(r + 1) * w + c + 1] = change[r * w + c + 1] + sum;
        }
    }
}

static void find_reach(const struct tsr_partition *p, const uint32_t *change, size_t pixel,
                       struct reach *reach) {
    if (is_near_border(p, change, pixel / p->width, pixel % p->width)) {
        look_around(p, pixel / p->width, pixel % p->width, reach);
        return;
    }
    reach->n = 0;
    meet(reach, p->labels[pixel], 0);
}

/* Number of context pixels of each region, and where each region's begin. */
static void count_context(struct tsr_partition *p, const uint32_t *change, struct reach *reach) {
    for (size_t r = 0; r < p->n_regions; r++)
        p->regions[r].n_context = 0;
    for (size_t i = 0; i < p->height * p->width; i++) {
        find_reach(p, change, i, reach);
        for (size_t j = 0; j < reach->n; j++)
            p->regions[reach->region[j]].n_context++;
    }
    p->context_first[0] = 0;
    for (size_t r = 0; r < p->n_regions; r++)
        p->context_first[r + 1] = p->context_first[r] + p->regions[r].n_context;
}

static void fill_context(struct tsr_partition *p, const uint32_t *change, struct reach *reach) {
    size_t *at = p->context_first;
    for (size_t i = 0; i < p->height * p->width; i++) {
        double sum = 0;
        find_reach(p, change, i, reach);
        for (size_t j = 0; j < reach->n; j++)
            sum += tsr_margin_fade(reach->distance[j], p->overlap);
        for (size_t j = 0; j < reach->n; j++) {
            size_t k = at[reach->region[j]]++;
            p->context[k] = (uint32_t)i;
            p->weight[k] = (float)(tsr_margin_fade(reach->distance[j], p->overlap) / sum);
        }
    }
    for (size_t r = p->n_regions; r > 0; r--)
        at[r] = at[r - 1];
    at[0] = 0;
}

static enum tsr_status reserve_context(struct tsr_partition *p, size_t n, struct tsr_error *err) {
    const char *what = "margins of the regions";
    if (n <= p->context_capacity) return TSR_OK;
    free(p->context);
    free(p->weight);
    p->context = NULL, p->weight = NULL, p->context_capacity = 0;
    size_t capacity = n + n / 4;
    TSR_TRY(TSR_ALLOC(&p->context, capacity, what, err));
    TSR_TRY(TSR_ALLOC(&p->weight, capacity, what, err));
    p->context_capacity = capacity;
    return TSR_OK;
}

/* The bounding box of the region's square neighbourhood, within the image. */
static void widen_windows(struct tsr_partition *p) {
    for (size_t r = 0; r < p->n_regions; r++) {
        struct tsr_region *g = &p->regions[r];
        if (g->n_pixels == 0) continue;
        size_t top = g->row < p->overlap ? 0 : g->row - p->overlap;
        size_t left = g->col < p->overlap ? 0 : g->col - p->overlap;
        size_t bottom = g->row + g->height + p->overlap, right = g->col + g->width + p->overlap;
        g->window = (struct tsr_box){top, left, (bottom < p->height ? bottom : p->height) - top,
                                     (right < p->width ? right : p->width) - left};
    }
}

enum tsr_status tsr_margins_of_labels(struct tsr_partition *p, struct tsr_error *err) {
    struct reach reach = {0};
    uint32_t *change = NULL;
    enum tsr_status status;
    TSR_CHECK(TSR_ALLOC(&change, (p->height + 1) * (p->width + 1), "margins of the regions", err));
    TSR_CHECK(reach_create(p->overlap, p->n_regions, &reach, err));
    count_changes(p, change);
    count_context(p, change, &reach);
    TSR_CHECK(reserve_context(p, p->context_first[p->n_regions], err));
    fill_context(p, change, &reach);
    widen_windows(p);
done:
    reach_free(&reach);
    free(change);
    return status;
}
