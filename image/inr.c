/* SPDX-License-Identifier: MIT */
#include "image/inr.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/memory.h"
#include "image/geometry.h"
#include "inner/pass.h"
#include "inner/team.h"

static enum tsr_status allocate(struct tsr_inr *inr, struct tsr_error *err) {
    const char *what = "parameters of the INR";
    size_t regions = inr->partition->n_regions, n = inr->net.n_params, size = sizeof *inr->phi;
    TSR_TRY(tsr_alloc_to(&inr->phi, regions, n * size, what, err));
    if (tsr_space_is_whole(&inr->space)) return TSR_OK;
    TSR_TRY(tsr_alloc_to(&inr->numbers, regions, inr->space.n * size, what, err));
    TSR_TRY(tsr_alloc_to(&inr->theta, inr->n_slots, n * size, what, err));
    if (inr->space.n_directions)
        TSR_TRY(
            tsr_alloc_to(&inr->basis, inr->n_slots * inr->space.n_directions, n * size, what, err));
    return TSR_OK;
}

enum tsr_status tsr_inr_create(const struct tsr_model_config *config, size_t height, size_t width,
                               struct tsr_inr **out, struct tsr_error *err) {
    *out = NULL;
    struct tsr_inr *inr;
    TSR_TRY(TSR_ALLOC(&inr, 1, "INR", err));
    *inr = (struct tsr_inr){.network = config->network,
                            .rule = config->partition,
                            .coords = config->coords,
                            .adaptation = config->adaptation,
                            .slots = config->slots,
                            .n_slots = tsr_model_config_slots(config)};
    tsr_network_layout(&inr->network, &inr->net);
    tsr_space_layout(&inr->adaptation, &inr->net, &inr->space);
    enum tsr_status status;
    TSR_CHECK(tsr_partition_create(&inr->rule, height, width, &inr->partition, err));
    TSR_CHECK(allocate(inr, err));
    *out = inr;
    return TSR_OK;
done:
    tsr_inr_free(inr);
    return status;
}

void tsr_inr_share(struct tsr_inr *inr, const struct tsr_model *model) {
    size_t n = inr->n_slots * inr->net.n_params;
    if (inr->theta) memcpy(inr->theta, model->theta, n * sizeof *inr->theta);
    if (inr->basis)
        memcpy(inr->basis, model->basis, inr->space.n_directions * n * sizeof *inr->basis);
}

static uint64_t digest_of(uint64_t digest, size_t n, const tsr_real *values) {
    for (size_t i = 0; i < n; i++) {
        float value = (float)values[i];
        uint32_t bits;
        memcpy(&bits, &value, sizeof bits);
        const unsigned char bytes[4] = {(unsigned char)bits, (unsigned char)(bits >> 8),
                                        (unsigned char)(bits >> 16), (unsigned char)(bits >> 24)};
        digest = tsr_digest(digest, bytes, sizeof bytes);
    }
    return digest;
}

uint64_t tsr_model_shared_digest(const struct tsr_model *m) {
    uint64_t digest = digest_of(TSR_DIGEST_START, m->n_slots * m->net.n_params, m->theta);
    return m->basis ? digest_of(digest, tsr_model_basis_count(m), m->basis) : digest;
}

enum tsr_status tsr_inr_complete(struct tsr_inr *inr, const struct tsr_model *model,
                                 struct tsr_error *err) {
    if (!inr->incomplete) return TSR_OK;
    uint64_t digest = tsr_model_shared_digest(model);
    if (digest != inr->shared || model->n_slots != inr->n_slots ||
        model->net.n_params != inr->net.n_params ||
        model->space.n_directions != inr->space.n_directions)
        return TSR_ERROR(err, TSR_ERR_SHAPE,
                         "it refers to a model whose initialisations and basis have the digest "
                         "%016llx; those of this model have %016llx",
                         (unsigned long long)inr->shared, (unsigned long long)digest);
    tsr_inr_share(inr, model);
    inr->incomplete = false;
    return tsr_inr_expand(inr, err);
}

enum tsr_status tsr_inr_expand(struct tsr_inr *inr, struct tsr_error *err) {
    const struct tsr_kernel *kernel;
    size_t n = inr->net.n_params;
    if (tsr_space_is_whole(&inr->space)) return TSR_OK;
    TSR_TRY(tsr_kernel_find("auto", &kernel, err));
    for (size_t r = 0; r < inr->partition->n_regions; r++) {
        size_t slot = tsr_slot_of_region(inr->slots, r);
        const struct tsr_chart chart = {
            .space = &inr->space,
            .net = &inr->net,
            .kernel = kernel,
            .theta = inr->theta + slot * n,
            .basis = inr->basis ? inr->basis + slot * inr->space.n_directions * n : NULL};
        const tsr_real *z = inr->numbers + r * inr->space.n;
        tsr_adaptation_of(&inr->adaptation)
            ->expand(&chart, 1, &z, 0, n, (tsr_real *[]){inr->phi + r * n});
    }
    return TSR_OK;
}

enum tsr_status tsr_inr_follow(struct tsr_inr *inr, const uint32_t *labels, struct tsr_error *err) {
    return tsr_partition_relabel(inr->partition, labels, err);
}

void tsr_inr_free(struct tsr_inr *inr) {
    if (!inr) return;
    tsr_partition_free(inr->partition);
    free(inr->phi);
    free(inr->numbers);
    free(inr->theta);
    free(inr->basis);
    free(inr);
}

/* The output pixels [first, end) along one side whose centres fall into [from, to) of the original.
 */
struct span {
    size_t first, end;
};

/* Centre of output pixel i of n in a side of `length` original pixels. */
static double position(size_t i, size_t n, size_t length) {
    return ((double)i + 0.5) * (double)length / (double)n - 0.5;
}

static size_t original_pixel(size_t i, size_t n, size_t length) {
    size_t p = (size_t)(((double)i + 0.5) * (double)length / (double)n);
    return p < length ? p : length - 1;
}

static struct span span_of(size_t from, size_t to, size_t n, size_t length) {
    /* Rounding may put the edge one pixel off: step to where original_pixel() changes. */
    size_t first = (size_t)((double)from * (double)n / (double)length);
    while (first > 0 && original_pixel(first - 1, n, length) >= from)
        first--;
    while (first < n && original_pixel(first, n, length) < from)
        first++;
    size_t end = first;
    while (end < n && original_pixel(end, n, length) < to)
        end++;
    return (struct span){first, end};
}

/* Points evaluated at a time, and parts that the rows of few, large regions are cut into. */
enum { CHUNK = 2048, BANDS = 8 };

/* How far all threads are; pixels. */
struct drawn {
    atomic_size_t done;
    atomic_bool ended;
};

/* What rendering needs; one per thread. */
struct canvas {
    const struct tsr_inr *inr;
    const struct tsr_drawing *image;
    const struct tsr_kernel *kernel;
    struct drawn *drawn;
    bool asks;       /* the watch: the thread that called */
    tsr_real *x, *y; /* [CHUNK, 2], [CHUNK, out_dim] */
    size_t *at;      /* [CHUNK] the output pixels of these points */
    size_t n;
    void *workspace;
    /* With overlap only: */
    tsr_real *weight;     /* [CHUNK] */
    tsr_real *col_weight; /* [width] of the columns of a rectangle */
    tsr_real *sum;        /* [BLEND_ROWS, width, out_dim] */
};

/* Puts n values at place `at` of the output. */
static void put(const struct tsr_drawing *image, size_t at, const tsr_real *values, size_t n) {
    if (image->bytes) tsr_to_bytes(values, n, image->bytes + at);
    for (size_t i = 0; image->floats && i < n; i++)
        image->floats[at + i] = (float)values[i];
}

/* Is the drawing to end? `n` more pixels are done. */
static bool is_over(struct canvas *c, size_t n) {
    size_t done = atomic_fetch_add(&c->drawn->done, n) + n;
    double all = (double)c->image->height * (double)c->image->width;
    if (c->asks && !atomic_load(&c->drawn->ended) &&
        tsr_watch_ends(c->image->watch, (double)done < all ? (double)done / all : 1))
        atomic_store(&c->drawn->ended, true);
    return atomic_load(&c->drawn->ended);
}

/* Evaluates the collected points and paints them. */
static void flush(struct canvas *c, size_t region) {
    size_t channels = c->inr->net.out_dim;
    c->kernel->forward(&c->inr->net, c->inr->phi + region * c->inr->net.n_params, c->x, c->n, c->y,
                       c->workspace);
    for (size_t i = 0; i < c->n; i++)
        put(c->image, c->at[i] * channels, c->y + i * channels, channels);
    c->n = 0;
}

static void render_row(struct canvas *c, size_t region, size_t row, struct span cols) {
    const struct tsr_partition *p = c->inr->partition;
    size_t width = c->image->width, from_row = original_pixel(row, c->image->height, p->height);
    double y = position(row, c->image->height, p->height);
    for (size_t col = cols.first; col < cols.end; col++) {
        size_t from_col = original_pixel(col, width, p->width);
        if (p->labels && p->labels[from_row * p->width + from_col] != region) continue;
        if (c->n == CHUNK) flush(c, region);
        tsr_coords_at(&c->inr->coords, p, region, y, position(col, width, p->width),
                      c->x + 2 * c->n);
        c->at[c->n++] = row * width + col;
    }
}

/* One of `bands` parts of the rows of a region. */
static void render_band(struct canvas *c, size_t region, size_t band, size_t bands) {
    const struct tsr_partition *p = c->inr->partition;
    const struct tsr_region *g = &p->regions[region];
    struct span rows = span_of(g->row, g->row + g->height, c->image->height, p->height);
    struct span cols = span_of(g->col, g->col + g->width, c->image->width, p->width);
    size_t n = rows.end - rows.first;
    for (size_t i = n * band / bands; i < n * (band + 1) / bands; i++) {
        if (is_over(c, i > n * band / bands ? cols.end - cols.first : 0)) return;
        render_row(c, region, rows.first + i, cols);
    }
    flush(c, region);
}

/* ---- overlapping regions ----------------------------------------------------------------------
 */

/* Rows of the output that a thread blends at a time. */
enum { BLEND_ROWS = 32 };

/* The output pixels [first, end) along a side whose centres lie where a window from `from` on, of
 * `size` pixels, has weight: less than a pixel beyond it. */
static struct span reach_of(size_t from, size_t size, size_t n, size_t length) {
    double scale = (double)n / (double)length, low = ((double)from - 0.5) * scale - 1;
    double high = ((double)(from + size) + 0.5) * scale + 1;
    return (struct span){low > 0 ? (size_t)low : 0, high < (double)n ? (size_t)high : n};
}

/* Adds the outputs at the collected points, times their weights. */
static void flush_blend(struct canvas *c, size_t region) {
    size_t channels = c->inr->net.out_dim;
    c->kernel->forward(&c->inr->net, c->inr->phi + region * c->inr->net.n_params, c->x, c->n, c->y,
                       c->workspace);
    for (size_t i = 0; i < c->n; i++)
        for (size_t j = 0; j < channels; j++)
            c->sum[c->at[i] * channels + j] += c->weight[i] * c->y[i * channels + j];
    c->n = 0;
}

/* Adds one row of a region to the band that begins at output row `top`. */
static void blend_row(struct canvas *c, size_t region, size_t row, size_t top, struct span cols) {
    const struct tsr_partition *p = c->inr->partition;
    size_t width = c->image->width;
    double y = position(row, c->image->height, p->height);
    /* Rounded, like tsr_partition_weights(): at the original size the bits are the same. */
    double of_row = p->labels ? 1 : (double)(float)tsr_partition_weight_of_row(p, region, y);
    for (size_t col = cols.first; of_row > 0 && col < cols.end; col++) {
        double x = position(col, width, p->width);
        double weight = p->labels ? tsr_partition_weight_at(p, region, y, x)
                                  : of_row * (double)c->col_weight[col - cols.first];
        if (!(weight > 0)) continue;
        if (c->n == CHUNK) flush_blend(c, region);
        tsr_coords_at(&c->inr->coords, p, region, y, x, c->x + 2 * c->n);
        c->weight[c->n] = (tsr_real)weight;
        c->at[c->n++] = (row - top) * width + col;
    }
}

static void blend_region(struct canvas *c, size_t region, size_t top, size_t bottom) {
    const struct tsr_partition *p = c->inr->partition;
    const struct tsr_box *w = &p->regions[region].window;
    if (p->regions[region].n_pixels == 0) return;
    struct span rows = reach_of(w->row, w->height, c->image->height, p->height);
    struct span cols = reach_of(w->col, w->width, c->image->width, p->width);
    if (rows.first >= bottom || rows.end <= top) return;
    for (size_t col = cols.first; !p->labels && col < cols.end; col++)
        c->col_weight[col - cols.first] = (tsr_real)tsr_partition_weight_of_col(
            p, region, position(col, c->image->width, p->width));
    for (size_t row = rows.first > top ? rows.first : top; row < rows.end && row < bottom; row++)
        blend_row(c, region, row, top, cols);
    flush_blend(c, region);
}

/* Rows top .. bottom-1 of the output: all regions in ascending order, so that the sums do not
 * depend on the threads. */
static void blend_band(struct canvas *c, size_t top, size_t bottom) {
    size_t n = (bottom - top) * c->image->width * c->inr->net.out_dim;
    memset(c->sum, 0, n * sizeof *c->sum);
    for (size_t r = 0; r < c->inr->partition->n_regions && !is_over(c, 0); r++)
        blend_region(c, r, top, bottom);
    (void)is_over(c, (bottom - top) * c->image->width);
    put(c->image, top * c->image->width * c->inr->net.out_dim, c->sum, n);
}

/* ---- both ---------------------------------------------------------------------------------------
 */

/* Scratch of all threads in one block. */
static void layout_canvases(struct canvas *canvases, size_t n, struct tsr_arena *a) {
    for (size_t i = 0; i < n; i++) {
        struct canvas *c = &canvases[i];
        c->x = tsr_arena_take(a, CHUNK, 2 * sizeof(tsr_real));
        c->y = tsr_arena_take(a, CHUNK, c->inr->net.out_dim * sizeof(tsr_real));
        c->at = tsr_arena_take(a, CHUNK, sizeof *c->at);
        c->workspace = tsr_arena_take(a, c->kernel->workspace_size(&c->inr->net), 1);
        if (c->inr->partition->overlap == 0) continue;
        size_t width = c->image->width, row = width * c->inr->net.out_dim;
        c->weight = tsr_arena_take(a, CHUNK, sizeof *c->weight);
        c->col_weight = tsr_arena_take(a, width, sizeof *c->col_weight);
        c->sum = tsr_arena_take(a, BLEND_ROWS * row, sizeof *c->sum);
    }
}

static enum tsr_status check_size(size_t height, size_t width, struct tsr_error *err) {
    if (height < 1 || width < 1 || height > TSR_IMAGE_MAX_SIDE || width > TSR_IMAGE_MAX_SIDE ||
        height * width > TSR_IMAGE_MAX_PIXELS)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "a picture of %zux%zu: sides must be 1 to %d and pixels at most %zu",
                         height, width, TSR_IMAGE_MAX_SIDE, TSR_IMAGE_MAX_PIXELS);
    return TSR_OK;
}

/* Parts that each region is cut into: 1, or, where regions are few for the threads, BANDS. */
static size_t bands_of(const struct tsr_partition *p, size_t threads) {
    struct tsr_load load = {0};
    for (size_t r = 0; r < p->n_regions; r++)
        tsr_load_add(&load, p->regions[r].n_pixels, BANDS);
    return tsr_plan_of(&load, threads).team ? BANDS : 1;
}

static void render_all(struct canvas *canvases, const struct tsr_partition *p, size_t threads) {
    size_t bands = bands_of(p, threads), n_regions = p->n_regions;
#pragma omp parallel for schedule(dynamic, 1) num_threads((int)threads)
    for (size_t i = 0; i < n_regions * bands; i++)
        render_band(&canvases[tsr_thread_number()], i / bands, i % bands, bands);
}

static void blend_all(struct canvas *canvases, size_t height, size_t threads) {
    (void)threads; /* without OpenMP */
#pragma omp parallel for schedule(dynamic, 1) num_threads((int)threads)
    for (size_t top = 0; top < height; top += BLEND_ROWS)
        blend_band(&canvases[tsr_thread_number()], top,
                   top + BLEND_ROWS < height ? top + BLEND_ROWS : height);
}

enum tsr_status tsr_inr_draw(const struct tsr_inr *inr, const struct tsr_drawing *to,
                             size_t threads, const char *kernel, struct tsr_error *err) {
    const struct tsr_kernel *k;
    struct canvas *canvases = NULL;
    struct tsr_arena arena = {0};
    struct drawn drawn = {0};
    enum tsr_status status;
    TSR_CHECK(check_size(to->height, to->width, err));
    TSR_CHECK(tsr_kernel_find(kernel, &k, err));
    threads = tsr_thread_count(threads);
    TSR_CHECK(TSR_ALLOC(&canvases, threads, "rendering", err));
    for (size_t i = 0; i < threads; i++)
        canvases[i] =
            (struct canvas){.inr = inr, .image = to, .kernel = k, .drawn = &drawn, .asks = i == 0};
    layout_canvases(canvases, threads, &arena);
    TSR_CHECK(tsr_arena_create(&arena, arena.used, "rendering", err));
    layout_canvases(canvases, threads, &arena);
    if (inr->partition->overlap > 0)
        blend_all(canvases, to->height, threads);
    else
        render_all(canvases, inr->partition, threads);
    if (atomic_load(&drawn.ended)) status = TSR_ERROR(err, TSR_ERR_INTERRUPTED, "interrupted");
done:
    tsr_arena_free(&arena);
    free(canvases);
    return status;
}

enum tsr_status tsr_inr_render(const struct tsr_inr *inr, size_t height, size_t width,
                               size_t threads, const char *kernel, const struct tsr_watch *watch,
                               struct tsr_image *out, struct tsr_error *err) {
    *out = (struct tsr_image){0};
    if (inr->net.out_dim != 1 && inr->net.out_dim != 3)
        return TSR_ERROR(err, TSR_ERR_UNSUPPORTED,
                         "the INR has %zu outputs; pictures have 1 or 3 channels",
                         inr->net.out_dim);
    TSR_TRY(check_size(height, width, err));
    TSR_TRY(tsr_image_create(out, height, width, inr->net.out_dim, err));
    const struct tsr_drawing to = {
        .height = height, .width = width, .bytes = out->pixels, .watch = watch};
    enum tsr_status status = tsr_inr_draw(inr, &to, threads, kernel, err);
    if (status != TSR_OK) tsr_image_clear(out);
    return status;
}
