/* SPDX-License-Identifier: MIT
 *
 * How much each region counts where regions overlap.
 */
#include <math.h>

#include "partition/margins.h"

double tsr_margin_fade(size_t distance, size_t overlap) {
    const double half_pi = 1.57079632679489661923;
    double c = cos(half_pi * (double)distance / (double)(overlap + 1));
    return distance > overlap ? 0 : c * c;
}

/* ---- rectangles ---------------------------------------------------------------------------------
 */

static size_t distance_to(const size_t *edge, size_t cell, size_t x) {
    if (x < edge[cell]) return edge[cell] - x;
    return x < edge[cell + 1] ? 0 : x - edge[cell + 1] + 1;
}

/* Share of cell `cell` of n at pixel x of a side. */
static double share(const size_t *edge, size_t n, size_t cell, size_t x, size_t overlap) {
    double own = tsr_margin_fade(distance_to(edge, cell, x), overlap), sum = own;
    if (own <= 0) return 0;
    for (size_t i = cell; i-- > 0 && distance_to(edge, i, x) <= overlap;)
        sum += tsr_margin_fade(distance_to(edge, i, x), overlap);
    for (size_t i = cell + 1; i < n && distance_to(edge, i, x) <= overlap; i++)
        sum += tsr_margin_fade(distance_to(edge, i, x), overlap);
    return own / sum;
}

static double share_of_row(const struct tsr_partition *p, size_t region, size_t row) {
    return share(p->row_edge, p->n_rows, region / p->n_cols, row, p->overlap);
}

static double share_of_col(const struct tsr_partition *p, size_t region, size_t col) {
    return share(p->col_edge, p->n_cols, region % p->n_cols, col, p->overlap);
}

/* ---- both ---------------------------------------------------------------------------------------
 */

void tsr_partition_weights(const struct tsr_partition *p, size_t region, float *out) {
    const struct tsr_region *g = &p->regions[region];
    if (p->labels) {
        const float *weight = p->weight ? p->weight + p->context_first[region] : NULL;
        for (size_t i = 0; i < g->n_context; i++)
            out[i] = weight ? weight[i] : 1;
        return;
    }
    const struct tsr_box *w = &g->window;
    for (size_t c = 0; c < w->width; c++)
        out[c] = (float)share_of_col(p, region, w->col + c);
    /* Rows from the last to the first, which holds the factors of the columns. */
    for (size_t r = w->height; r-- > 0;) {
        float factor = (float)share_of_row(p, region, w->row + r);
        for (size_t c = 0; c < w->width; c++)
            out[r * w->width + c] = factor * out[c];
    }
}

size_t tsr_partition_context_from(const struct tsr_partition *p, size_t region, size_t pixel) {
    const uint32_t *context = p->context + p->context_first[region];
    size_t lo = 0, hi = p->regions[region].n_context;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (context[mid] < pixel)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

/* Weight of a region of a label map in a row of pixels, between columns `left` and `right`, which
 * is the next or the same: v of the way from the first to the second. */
static double label_weight(const struct tsr_partition *p, size_t region, size_t row, size_t left,
                           size_t right, double v) {
    const uint32_t *labels = p->labels + row * p->width;
    if (!p->weight) return (1 - v) * (labels[left] == region) + v * (labels[right] == region);
    size_t pixel = row * p->width + left, end = p->context_first[region + 1];
    size_t i = p->context_first[region] + tsr_partition_context_from(p, region, pixel);
    double a = 0, b = 0;
    if (i < end && p->context[i] == pixel) a = (double)p->weight[i++];
    if (i < end && p->context[i] == pixel + 1) b = (double)p->weight[i];
    return (1 - v) * a + v * b;
}

/* The pixels on both sides of a position, and how far it is from the first to the second. */
static double between(double x, size_t n, size_t *first, size_t *second) {
    double last = (double)(n - 1), at = x < 0 ? 0 : x > last ? last : x;
    *first = (size_t)at;
    *second = *first + 1 < n ? *first + 1 : *first;
    return at - (double)*first;
}

double tsr_partition_weight_of_row(const struct tsr_partition *p, size_t region, double row) {
    size_t r[2];
    double u = between(row, p->height, &r[0], &r[1]);
    return (1 - u) * share_of_row(p, region, r[0]) + u * share_of_row(p, region, r[1]);
}

double tsr_partition_weight_of_col(const struct tsr_partition *p, size_t region, double col) {
    size_t c[2];
    double v = between(col, p->width, &c[0], &c[1]);
    return (1 - v) * share_of_col(p, region, c[0]) + v * share_of_col(p, region, c[1]);
}

double tsr_partition_weight_at(const struct tsr_partition *p, size_t region, double row,
                               double col) {
    if (!p->labels)
        return tsr_partition_weight_of_row(p, region, row) *
               tsr_partition_weight_of_col(p, region, col);
    size_t r[2], c[2];
    double u = between(row, p->height, &r[0], &r[1]), v = between(col, p->width, &c[0], &c[1]);
    double upper = label_weight(p, region, r[0], c[0], c[1], v);
    return u > 0 ? (1 - u) * upper + u * label_weight(p, region, r[1], c[0], c[1], v) : upper;
}
