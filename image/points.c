/* SPDX-License-Identifier: MIT */
#include "image/points.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/threads.h"
#include "inner/kernels/kernel.h"

/* Points that a thread takes at a time, and the shares (of a region in a point) that it collects
 * before it evaluates them, region by region. */
enum { CHUNK = 2048, SHARES = 4096 };

struct share {
    uint32_t point, next; /* of the chunk; the next share of the same region, or NONE */
    tsr_real weight;
};
static const uint32_t NONE = UINT32_MAX;

/* One per thread. */
struct sorter {
    const struct tsr_inr *inr;
    const struct tsr_kernel *kernel;
    const float *coordinates; /* of the chunk */
    float *out;
    struct share *share; /* [SHARES] */
    size_t n;
    uint32_t *head;    /* [n_regions] last share of each region, or NONE */
    uint32_t *touched; /* [SHARES] regions that have one */
    size_t n_touched;
    tsr_real *x, *y; /* [SHARES, 2], [SHARES, out_dim] */
    void *workspace;
};

static int ascending(const void *a, const void *b) {
    uint32_t p = *(const uint32_t *)a, q = *(const uint32_t *)b;
    return (p > q) - (p < q);
}

/* Evaluates the shares of one region and adds them to their points, then forgets them. */
static void evaluate_region(struct sorter *s, uint32_t region) {
    const struct tsr_inr *inr = s->inr;
    size_t n = 0, i = 0, channels = inr->net.out_dim;
    for (uint32_t k = s->head[region]; k != NONE; k = s->share[k].next, n++) {
        const float *at = s->coordinates + (size_t)s->share[k].point * 2;
        tsr_coords_at(&inr->coords, inr->partition, region, (double)at[0], (double)at[1],
                      s->x + 2 * n);
    }
    s->kernel->forward(&inr->net, inr->phi + region * inr->net.n_params, s->x, n, s->y,
                       s->workspace);
    for (uint32_t k = s->head[region]; k != NONE; k = s->share[k].next, i++)
        for (size_t c = 0; c < channels; c++)
            s->out[s->share[k].point * channels + c] +=
                (float)(s->share[k].weight * s->y[i * channels + c]);
    s->head[region] = NONE;
}

/* Regions in ascending order, so that sums of several shares are those of rendering. */
static void flush(struct sorter *s) {
    qsort(s->touched, s->n_touched, sizeof *s->touched, ascending);
    for (size_t i = 0; i < s->n_touched; i++)
        evaluate_region(s, s->touched[i]);
    s->n = s->n_touched = 0;
}

static void add_share(struct sorter *s, size_t point, size_t region, tsr_real weight) {
    if (s->n == SHARES) flush(s);
    if (s->head[region] == NONE) s->touched[s->n_touched++] = (uint32_t)region;
    s->share[s->n] = (struct share){(uint32_t)point, s->head[region], weight};
    s->head[region] = (uint32_t)s->n++;
}

/* Index of the pixel whose area holds a position, the edges drawn out to infinity. */
static size_t pixel_of(float position, size_t length) {
    double p = floor((double)position + 0.5);
    return !(p > 0) ? 0 : p < (double)length ? (size_t)p : length - 1;
}

/* Can a window from `from` on, of `size` pixels, have weight at a position? */
static bool reaches(size_t from, size_t size, double position) {
    return position > (double)from - 1 && position < (double)(from + size);
}

/* Regions of a grid are rows times columns, and so are their weights. */
static void add_rectangles(struct sorter *s, size_t point, double row, double col) {
    const struct tsr_partition *p = s->inr->partition;
    for (size_t i = 0; i < p->n_rows; i++) {
        const struct tsr_box *w = &p->regions[i * p->n_cols].window;
        if (!reaches(w->row, w->height, row)) continue;
        double of_row = (double)(float)tsr_partition_weight_of_row(p, i * p->n_cols, row);
        for (size_t j = 0; of_row > 0 && j < p->n_cols; j++) {
            w = &p->regions[j].window;
            if (!reaches(w->col, w->width, col)) continue;
            double weight = of_row * (double)(tsr_real)tsr_partition_weight_of_col(p, j, col);
            if (weight > 0) add_share(s, point, i * p->n_cols + j, (tsr_real)weight);
        }
    }
}

static void add_labels(struct sorter *s, size_t point, double row, double col) {
    const struct tsr_partition *p = s->inr->partition;
    for (size_t r = 0; r < p->n_regions; r++) {
        const struct tsr_box *w = &p->regions[r].window;
        if (p->regions[r].n_pixels == 0 || !reaches(w->row, w->height, row) ||
            !reaches(w->col, w->width, col))
            continue;
        double weight = tsr_partition_weight_at(p, r, row, col);
        if (weight > 0) add_share(s, point, r, (tsr_real)weight);
    }
}

static double within(double position, size_t length) {
    double last = (double)(length - 1);
    return position < 0 ? 0 : position > last ? last : position;
}

static void evaluate_chunk(struct sorter *s, size_t n) {
    const struct tsr_partition *p = s->inr->partition;
    memset(s->out, 0, n * s->inr->net.out_dim * sizeof *s->out);
    for (size_t i = 0; i < n; i++) {
        const float *at = s->coordinates + 2 * i;
        if (p->overlap == 0) {
            size_t row = pixel_of(at[0], p->height), col = pixel_of(at[1], p->width);
            add_share(s, i, tsr_partition_region_at(p, row, col), 1);
        } else if (p->labels) {
            add_labels(s, i, within((double)at[0], p->height), within((double)at[1], p->width));
        } else {
            add_rectangles(s, i, within((double)at[0], p->height), within((double)at[1], p->width));
        }
    }
    flush(s);
}

static void layout(struct sorter *sorters, size_t n, struct tsr_arena *a) {
    for (size_t i = 0; i < n; i++) {
        struct sorter *s = &sorters[i];
        s->share = tsr_arena_take(a, SHARES, sizeof *s->share);
        s->touched = tsr_arena_take(a, SHARES, sizeof *s->touched);
        s->head = tsr_arena_take(a, s->inr->partition->n_regions, sizeof *s->head);
        s->x = tsr_arena_take(a, SHARES, 2 * sizeof *s->x);
        s->y = tsr_arena_take(a, SHARES, s->inr->net.out_dim * sizeof *s->y);
        s->workspace = tsr_arena_take(a, s->kernel->workspace_size(&s->inr->net), 1);
    }
}

static enum tsr_status check_finite(const float *coordinates, size_t n, struct tsr_error *err) {
    for (size_t i = 0; i < 2 * n; i++)
        if (!isfinite(coordinates[i]))
            return TSR_ERROR(err, TSR_ERR_ARGUMENT, "point %zu: its %s is %g", i / 2,
                             i % 2 ? "column" : "row", (double)coordinates[i]);
    return TSR_OK;
}

static void run(struct sorter *sorters, const float *coordinates, size_t n, size_t threads,
                float *out) {
    size_t channels = sorters->inr->net.out_dim;
    (void)threads; /* without OpenMP */
#pragma omp parallel for schedule(dynamic, 1) num_threads((int)threads)
    for (size_t i = 0; i < n; i += CHUNK) {
        struct sorter *s = &sorters[tsr_thread_number()];
        s->coordinates = coordinates + 2 * i;
        s->out = out + i * channels;
        evaluate_chunk(s, n - i < CHUNK ? n - i : CHUNK);
    }
}

enum tsr_status tsr_inr_at_points(const struct tsr_inr *inr, const float *coordinates, size_t n,
                                  size_t threads, const char *kernel, float *out,
                                  struct tsr_error *err) {
    const struct tsr_kernel *k;
    struct sorter *sorters = NULL;
    struct tsr_arena arena = {0};
    enum tsr_status status;
    TSR_CHECK(check_finite(coordinates, n, err));
    TSR_CHECK(tsr_kernel_find(kernel, &k, err));
    size_t chunks = (n + CHUNK - 1) / CHUNK;
    threads = tsr_thread_count(threads);
    if (threads > chunks) threads = chunks > 0 ? chunks : 1;
    TSR_CHECK(TSR_ALLOC(&sorters, threads, "evaluation", err));
    for (size_t i = 0; i < threads; i++)
        sorters[i] = (struct sorter){.inr = inr, .kernel = k};
    layout(sorters, threads, &arena);
    TSR_CHECK(tsr_arena_create(&arena, arena.used, "evaluation", err));
    layout(sorters, threads, &arena);
    for (size_t i = 0; i < threads; i++)
        memset(sorters[i].head, 0xFF, inr->partition->n_regions * sizeof(uint32_t));
    run(sorters, coordinates, n, threads, out);
done:
    tsr_arena_free(&arena);
    free(sorters);
    return status;
}
