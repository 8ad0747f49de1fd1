/* SPDX-License-Identifier: MIT */
#include "partition/anchors.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "partition/lab.h"

#define F TSR_REGION_FEATURES
#define CANDIDATES 24
#define MAX_ROUNDS 100
/* Variance about the anchors, as a part of the whole, below which a feature gets no more weight. */
#define VARIANCE_FLOOR 0.01

void tsr_region_features(const uint8_t *pixels, size_t height, size_t width, size_t channels,
                         const uint32_t *labels, size_t n_regions, double *out) {
    struct tsr_lab tables;
    tsr_lab_init(&tables);
    memset(out, 0, n_regions * F * sizeof *out);
    for (size_t i = 0, r = 0; r < height; r++)
        for (size_t c = 0; c < width; c++, i++) {
            double *f = out + (size_t)labels[i] * F;
            float lab[3];
            tsr_lab_of(&tables, pixels + i * channels, channels, lab);
            f[0] += (double)r, f[1] += (double)c;
            for (int k = 0; k < 3; k++)
                f[2 + k] += (double)lab[k];
            f[5]++;
        }
    for (double *f = out; f < out + n_regions * F; f += F) {
        double area = f[5];
        if (area == 0) continue;
        f[0] = (f[0] / area + 0.5) / (double)height;
        f[1] = (f[1] / area + 0.5) / (double)width;
        for (int k = 2; k < 5; k++)
            f[k] /= 100 * area;
        f[5] = sqrt(area / ((double)height * (double)width));
    }
}

/* ---- optimal assignment -------------------------------------------------------------------------
 */

/* Rows and columns count from 1; column 0 is where an augmenting path begins. */
struct assignment {
    double *row_price, *col_price, *slack; /* [n+1] */
    size_t *row_of, *previous;             /* [n+1], by column */
    bool *done;                            /* [n+1] */
};

static void lay_out(struct assignment *s, size_t n, struct tsr_arena *arena) {
    s->row_price = tsr_arena_take(arena, n + 1, sizeof *s->row_price);
    s->col_price = tsr_arena_take(arena, n + 1, sizeof *s->col_price);
    s->slack = tsr_arena_take(arena, n + 1, sizeof *s->slack);
    s->row_of = tsr_arena_take(arena, n + 1, sizeof *s->row_of);
    s->previous = tsr_arena_take(arena, n + 1, sizeof *s->previous);
    s->done = tsr_arena_take(arena, n + 1, sizeof *s->done);
}

/* One step of the shortest path from column `at`: the nearest column that is not done. */
static size_t extend_path(struct assignment *s, const double *cost, size_t n, size_t at) {
    size_t row = s->row_of[at], nearest = 0;
    double delta = INFINITY;
    s->done[at] = true;
    for (size_t c = 1; c <= n; c++) {
        if (s->done[c]) continue;
        double d = cost[(row - 1) * n + c - 1] - s->row_price[row] - s->col_price[c];
        if (d < s->slack[c]) s->slack[c] = d, s->previous[c] = at;
        if (s->slack[c] < delta) delta = s->slack[c], nearest = c;
    }
    for (size_t c = 0; c <= n; c++)
        if (s->done[c])
            s->row_price[s->row_of[c]] += delta, s->col_price[c] -= delta;
        else
            s->slack[c] -= delta;
    return nearest;
}

static void assign_row(struct assignment *s, const double *cost, size_t n, size_t row) {
    size_t at = 0;
    for (size_t c = 0; c <= n; c++)
        s->slack[c] = INFINITY, s->done[c] = false;
    s->row_of[0] = row;
    do
        at = extend_path(s, cost, n, at);
    while (s->row_of[at] != 0);
    for (; at != 0; at = s->previous[at])
        s->row_of[at] = s->row_of[s->previous[at]];
}

enum tsr_status tsr_assign(const double *cost, size_t n, size_t *column_of_row,
                           struct tsr_error *err) {
    struct assignment s;
    struct tsr_arena arena = {0};
    for (size_t i = 0; i < n * n; i++)
        if (!(fabs(cost[i]) <= 1e150))
            return TSR_ERROR(err, TSR_ERR_NUMERIC,
                             "assignment: the cost of row %zu in column %zu is %g", i / n, i % n,
                             cost[i]);
    lay_out(&s, n, &arena);
    TSR_TRY(tsr_arena_create(&arena, arena.used, "assignment", err));
    lay_out(&s, n, &arena);
    for (size_t row = 1; row <= n; row++)
        assign_row(&s, cost, n, row);
    for (size_t c = 1; c <= n; c++)
        column_of_row[s.row_of[c] - 1] = c - 1;
    tsr_arena_free(&arena);
    return TSR_OK;
}

/* ---- anchors ------------------------------------------------------------------------------------
 */

/* What an image's regions [n, F] cost at the anchors: cost [n, n], anchors by rows. */
static void fill_cost(const double *mean, const double *weight, const double *features, size_t n,
                      double *cost) {
    for (size_t a = 0; a < n; a++)
        for (size_t r = 0; r < n; r++) {
            double sum = 0;
            for (int k = 0; k < F; k++) {
                double d = mean[a * F + k] - features[r * F + k];
                sum += weight[k] * d * d;
            }
            cost[a * n + r] = sum;
        }
}

struct learner {
    const double *features; /* [n_images, n, F] */
    size_t n_images, n;
    struct tsr_anchors *anchors;
    double *cost;                /* [n, n] */
    size_t *region_of, *matched; /* [n]; [n_images, n]: the region of each anchor */
};

static double total_of(const double *cost, size_t n, const size_t *column_of_row) {
    double total = 0;
    for (size_t i = 0; i < n; i++)
        total += cost[i * n + column_of_row[i]];
    return total;
}

/* Weights by the variance of the features over all regions. */
static void weigh_by_spread(const struct learner *l, double *variance) {
    size_t n = l->n_images * l->n;
    for (int k = 0; k < F; k++) {
        double mean = 0, sum = 0;
        for (size_t i = 0; i < n; i++)
            mean += l->features[i * F + k] / (double)n;
        for (size_t i = 0; i < n; i++)
            sum += (l->features[i * F + k] - mean) * (l->features[i * F + k] - mean);
        variance[k] = sum / (double)n;
        l->anchors->weight[k] = variance[k] > 1e-12 ? 1 / variance[k] : 0;
    }
}

/* Weights by the variance of the features about the anchors. */
static void weigh_by_match(const struct learner *l, const double *variance) {
    double sum[F] = {0};
    for (size_t i = 0; i < l->n_images * l->n; i++) {
        const double *f = l->features + (i - i % l->n + l->matched[i]) * F;
        for (int k = 0; k < F; k++) {
            double d = f[k] - l->anchors->mean[i % l->n * F + k];
            sum[k] += d * d;
        }
    }
    for (int k = 0; k < F; k++) {
        double within = sum[k] / (double)(l->n_images * l->n);
        if (within < VARIANCE_FLOOR * variance[k]) within = VARIANCE_FLOOR * variance[k];
        l->anchors->weight[k] = variance[k] > 1e-12 ? 1 / within : 0;
    }
}

/* The means become the features of the image that is most like the others. */
static enum tsr_status choose_start(const struct learner *l, struct tsr_error *err) {
    size_t m = l->n_images < CANDIDATES ? l->n_images : CANDIDATES, size = l->n * F;
    const double *start = l->features;
    double smallest = INFINITY;
    for (size_t i = 0; i < m; i++) {
        const double *a = l->features + i * l->n_images / m * size;
        double total = 0;
        for (size_t j = 0; j < m; j++) {
            const double *b = l->features + j * l->n_images / m * size;
            fill_cost(a, l->anchors->weight, b, l->n, l->cost);
            TSR_TRY(tsr_assign(l->cost, l->n, l->region_of, err));
            total += total_of(l->cost, l->n, l->region_of);
        }
        if (total < smallest) smallest = total, start = a;
    }
    memcpy(l->anchors->mean, start, size * sizeof *start);
    return TSR_OK;
}

/* Matches every image to the anchors. */
static enum tsr_status match_all(const struct learner *l, bool *changed, struct tsr_error *err) {
    *changed = false;
    for (size_t i = 0; i < l->n_images; i++) {
        size_t *matched = l->matched + i * l->n;
        fill_cost(l->anchors->mean, l->anchors->weight, l->features + i * l->n * F, l->n, l->cost);
        TSR_TRY(tsr_assign(l->cost, l->n, l->region_of, err));
        if (memcmp(matched, l->region_of, l->n * sizeof *matched) == 0) continue;
        memcpy(matched, l->region_of, l->n * sizeof *matched);
        *changed = true;
    }
    return TSR_OK;
}

static void take_means(const struct learner *l) {
    memset(l->anchors->mean, 0, l->n * F * sizeof *l->anchors->mean);
    for (size_t i = 0; i < l->n_images * l->n; i++) {
        const double *f = l->features + (i - i % l->n + l->matched[i]) * F;
        for (int k = 0; k < F; k++)
            l->anchors->mean[i % l->n * F + k] += f[k] / (double)l->n_images;
    }
}

static enum tsr_status alternate(const struct learner *l, struct tsr_error *err) {
    bool changed = true;
    for (int round = 0; changed && round < MAX_ROUNDS; round++) {
        TSR_TRY(match_all(l, &changed, err));
        take_means(l);
    }
    return TSR_OK;
}

static enum tsr_status check_features(const double *features, size_t n_images, size_t n_regions,
                                      struct tsr_error *err) {
    if (n_images < 1 || n_regions < 1)
        return TSR_ERROR(err, TSR_ERR_ARGUMENT,
                         "anchors from %zu images of %zu regions: at least one of each is needed",
                         n_images, n_regions);
    for (size_t i = 0; i < n_images * n_regions * F; i++)
        if (!(fabs(features[i]) <= 1e6))
            return TSR_ERROR(err, TSR_ERR_NUMERIC, "feature %zu of region %zu of image %zu is %g",
                             i % F, i / F % n_regions, i / F / n_regions, features[i]);
    return TSR_OK;
}

enum tsr_status tsr_anchors_learn(const double *features, size_t n_images, size_t n_regions,
                                  struct tsr_anchors *out, struct tsr_error *err) {
    struct learner l = {.features = features, .n_images = n_images, .n = n_regions, .anchors = out};
    double variance[F];
    void *block;
    enum tsr_status status;
    *out = (struct tsr_anchors){.n = n_regions};
    TSR_CHECK(check_features(features, n_images, n_regions, err));
    TSR_CHECK(tsr_alloc(&block, n_regions, F * sizeof *out->mean, "anchors", err));
    out->mean = block;
    TSR_CHECK(tsr_alloc(&block, n_regions, n_regions * sizeof *l.cost, "anchors", err));
    l.cost = block;
    TSR_CHECK(tsr_alloc(&block, n_regions, sizeof *l.region_of, "anchors", err));
    l.region_of = block;
    TSR_CHECK(tsr_alloc(&block, n_images, n_regions * sizeof *l.matched, "anchors", err));
    l.matched = block;
    weigh_by_spread(&l, variance);
    TSR_CHECK(choose_start(&l, err));
    TSR_CHECK(alternate(&l, err));
    weigh_by_match(&l, variance);
    TSR_CHECK(alternate(&l, err));
done:
    free(l.cost);
    free(l.region_of);
    free(l.matched);
    if (status != TSR_OK) tsr_anchors_clear(out);
    return status;
}

void tsr_anchors_clear(struct tsr_anchors *anchors) {
    free(anchors->mean);
    *anchors = (struct tsr_anchors){0};
}

enum tsr_status tsr_anchors_match(const struct tsr_anchors *anchors, const uint8_t *pixels,
                                  size_t height, size_t width, size_t channels, uint32_t *labels,
                                  struct tsr_error *err) {
    size_t n = anchors->n, *region_of = NULL;
    double *features = NULL, *cost = NULL;
    void *block;
    enum tsr_status status;
    for (size_t i = 0; i < height * width; i++)
        if (labels[i] >= n)
            return TSR_ERROR(err, TSR_ERR_ARGUMENT,
                             "label map: pixel (%zu, %zu) has label %u; there are %zu anchors",
                             i / width, i % width, labels[i], n);
    TSR_CHECK(tsr_alloc(&block, n, F * sizeof *features, "features of the regions", err));
    features = block;
    TSR_CHECK(tsr_alloc(&block, n, n * sizeof *cost, "matching of the regions", err));
    cost = block;
    TSR_CHECK(tsr_alloc(&block, n, 2 * sizeof *region_of, "matching of the regions", err));
    region_of = block;
    tsr_region_features(pixels, height, width, channels, labels, n, features);
    fill_cost(anchors->mean, anchors->weight, features, n, cost);
    TSR_CHECK(tsr_assign(cost, n, region_of, err));
    size_t *anchor_of = region_of + n;
    for (size_t a = 0; a < n; a++)
        anchor_of[region_of[a]] = a;
    for (size_t i = 0; i < height * width; i++)
        labels[i] = (uint32_t)anchor_of[labels[i]];
done:
    free(features);
    free(cost);
    free(region_of);
    return status;
}
