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

static double jump(const tsr_real *a, const tsr_real *b, size_t channels) {
    double sum = 0;
    for (size_t j = 0; j < channels; j++)
        sum += fabs((double)a[j] - (double)b[j]);
    return sum;
}

/* Pairs within a row. */
static void jumps_right(const tsr_real *e, size_t channels, const struct tsr_partition *p,
                        size_t row, struct jumps *jumps) {
    const uint32_t *labels = p->labels ? p->labels + row * p->width : NULL;
    size_t cell = 1; /* the next border of cells is at col_edge[cell] */
    for (size_t col = 0; col + 1 < p->width; col++, e += channels) {
        bool border = labels ? labels[col] != labels[col + 1] : p->col_edge[cell] == col + 1;
        cell += border && !labels;
        jumps->sum[border] += jump(e, e + channels, channels);
        jumps->n[border]++;
    }
}

/* Pairs of a row and the next. */
static void jumps_down(const tsr_real *e, size_t channels, const struct tsr_partition *p,
                       size_t row, struct jumps *jumps) {
    const uint32_t *labels = p->labels ? p->labels + row * p->width : NULL;
    bool border =
        !labels && tsr_partition_region_at(p, row, 0) != tsr_partition_region_at(p, row + 1, 0);
    for (size_t col = 0; col < p->width; col++, e += channels) {
        if (labels) border = labels[col] != labels[col + p->width];
        jumps->sum[border] += jump(e, e + p->width * channels, channels);
        jumps->n[border]++;
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
