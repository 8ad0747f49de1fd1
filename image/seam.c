/* SPDX-License-Identifier: MIT */
#include "image/seam.h"

#include <math.h>

/* Parts that the rows of a picture are cut into, whatever the number of threads. */
enum { BANDS = 64 };

/* Jumps of the residual between neighbours: within regions [0] and across borders [1]. */
struct jumps {
    double sum[2];
    size_t n[2];
};

/* Sum of |a - b| over n values, as four sums so that they need not wait for each other. */
static double distance(const tsr_real *a, const tsr_real *b, size_t n) {
    double sum[4] = {0};
    size_t i = 0;
    for (; i + 4 <= n; i += 4)
        for (size_t k = 0; k < 4; k++)
            sum[k] += fabs((double)a[i + k] - (double)b[i + k]);
    for (; i < n; i++)
        sum[0] += fabs((double)a[i] - (double)b[i]);
    return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/* Pairs of a pixel and the one `step` values on: n of them, the first at e. */
static void add_pairs(struct jumps *jumps, bool border, const tsr_real *e, size_t step, size_t n,
                      size_t channels) {
    jumps->sum[border] += distance(e, e + step, n * channels);
    jumps->n[border] += n;
}

/* Pairs within a row, as runs within regions and single ones across borders. */
static void jumps_right(const tsr_real *e, size_t channels, const struct tsr_partition *p,
                        size_t row, struct jumps *jumps) {
    const uint32_t *labels = p->labels ? p->labels + row * p->width : NULL;
    size_t cell = 1; /* the next border of cells is at col_edge[cell] */
    for (size_t col = 0, end; col < p->width; col = end) {
        end = labels ? col + 1 : p->col_edge[cell++];
        while (labels && end < p->width && labels[end] == labels[col])
            end++;
        add_pairs(jumps, false, e + col * channels, channels, end - col - 1, channels);
        if (end < p->width) add_pairs(jumps, true, e + (end - 1) * channels, channels, 1, channels);
    }
}

/* Pairs of a row and the next, as runs. */
static void jumps_down(const tsr_real *e, size_t channels, const struct tsr_partition *p,
                       size_t row, struct jumps *jumps) {
    const uint32_t *labels = p->labels ? p->labels + row * p->width : NULL;
    bool border =
        !labels && tsr_partition_region_at(p, row, 0) != tsr_partition_region_at(p, row + 1, 0);
    for (size_t col = 0, end; col < p->width; col = end) {
        end = labels ? col + 1 : p->width;
        if (labels) border = labels[col] != labels[col + p->width];
        while (end < p->width && (labels[end] != labels[end + p->width]) == border)
            end++;
        add_pairs(jumps, border, e + col * channels, p->width * channels, end - col, channels);
    }
}

double tsr_seam(const tsr_real *residual, size_t channels, const struct tsr_partition *p,
                size_t threads) {
    (void)threads; /* without OpenMP */
    struct jumps band[BANDS] = {0}, all = {0};
#pragma omp parallel for schedule(dynamic, 1) num_threads((int)threads)
    for (size_t i = 0; i < BANDS; i++)
        for (size_t row = p->height * i / BANDS; row < p->height * (i + 1) / BANDS; row++) {
            const tsr_real *e = residual + row * p->width * channels;
            jumps_right(e, channels, p, row, &band[i]);
            if (row + 1 < p->height) jumps_down(e, channels, p, row, &band[i]);
        }
    for (size_t i = 0; i < BANDS; i++)
        for (size_t border = 0; border < 2; border++) {
            all.sum[border] += band[i].sum[border];
            all.n[border] += band[i].n[border];
        }
    if (all.n[0] == 0 || all.n[1] == 0 || !(all.sum[0] > 0)) return (double)NAN;
    return all.sum[1] / (double)all.n[1] / (all.sum[0] / (double)all.n[0]);
}
