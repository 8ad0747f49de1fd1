/* SPDX-License-Identifier: MIT */
#include "image/context.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"

/* ---- construction ---------------------------------------------------------------------------- */

static bool is_multiple(const struct tsr_box *box, const struct tsr_box *reduced, size_t scale) {
    return box->row == reduced->row * scale && box->col == reduced->col * scale &&
           box->height == reduced->height * scale && box->width == reduced->width * scale;
}

/* Do the regions of both sizes cover the same parts of the image? */
static enum tsr_status check_regions(const struct tsr_context *c, struct tsr_error *err) {
    const struct tsr_partition *p = c->query->partition, *q = c->reduced.partition;
    for (size_t r = 0; r < p->n_regions; r++)
        if (!is_multiple(&p->regions[r].window, &q->regions[r].window, c->config.query_scale))
            return TSR_ERROR(err, TSR_ERR_SHAPE,
                             "the regions of images of %zux%zu pixels have edges that are no "
                             "multiples of the query scale %zu: use cells of a fixed size, or "
                             "images that the grid divides",
                             p->height, p->width, c->config.query_scale);
    return TSR_OK;
}

static enum tsr_status reduce(struct tsr_context *c, const struct tsr_model *model,
                              struct tsr_error *err) {
    size_t scale = c->config.query_scale, height = c->query->partition->height,
           width = c->query->partition->width;
    struct tsr_model small = *model; /* a view */
    if (height % scale || width % scale)
        return TSR_ERROR(err, TSR_ERR_SHAPE,
                         "images of %zux%zu pixels cannot be reduced to 1/%zu: the sides must be "
                         "multiples",
                         height, width, scale);
    small.config.height = small.config.width = 0;
    if (small.config.slots != TSR_SLOTS_SHARED)
        small.config.height = height, small.config.width = width;
    TSR_TRY(tsr_model_config_reduce(&small.config, scale, err));
    TSR_TRY(tsr_geometry_create(&small, height / scale, width / scale, &c->reduced, err));
    TSR_TRY(check_regions(c, err));
    return TSR_ALLOC(&c->image, c->reduced.n_pixels * c->reduced.channels, "reduced image", err);
}

static const struct tsr_geometry *geometry_of(const struct tsr_context *c) {
    return c->config.query_scale > 1 ? &c->reduced : c->query;
}

enum tsr_status tsr_context_create(const struct tsr_model *model,
                                   const struct tsr_context_config *config, bool masked,
                                   const struct tsr_geometry *query, struct tsr_context *out,
                                   struct tsr_error *err) {
    enum tsr_status status = TSR_OK;
    *out = (struct tsr_context){.config = *config, .query = query};
    if (config->query_scale > 1) status = reduce(out, model, err);
    if (status == TSR_OK && (masked || config->fraction < 1)) {
        status = TSR_ALLOC(&out->known, geometry_of(out)->n_pixels, "known pixels", err);
        if (status == TSR_OK) memset(out->known, 1, geometry_of(out)->n_pixels);
    }
    if (status != TSR_OK) tsr_context_clear(out);
    return status;
}

void tsr_context_clear(struct tsr_context *c) {
    tsr_geometry_clear(&c->reduced);
    free(c->image);
    free(c->known);
    *c = (struct tsr_context){0};
}

/* ---- the image at hand ----------------------------------------------------------------------- */

/* Each of the n pixels is taken with probability (how many are still wanted) / (how many are left),
 * which makes all subsets equally likely (Fan, Muller and Rezucha 1962). */
static void draw_region(struct tsr_context *c, const struct tsr_geometry *g, size_t region,
                        uint64_t seed, uint64_t stream, uint64_t first) {
    size_t n = g->partition->regions[region].n_pixels, at;
    size_t wanted = (size_t)lround(c->config.fraction * (double)n);
    wanted = wanted < 1 ? 1 : wanted;
    for (size_t i = 0; i < n; i++) {
        (void)tsr_geometry_own_point(g, region, i, &at);
        c->known[at] = tsr_random_below(seed, stream, first + at, n - i) < wanted;
        wanted -= c->known[at];
    }
}

void tsr_context_draw(struct tsr_context *c, uint64_t seed, uint64_t outer_step, uint64_t image) {
    const struct tsr_geometry *g = geometry_of(c);
    uint64_t stream = outer_step << 32 | TSR_STREAM_CONTEXT;
    if (!(c->config.fraction < 1)) return;
    for (size_t r = 0; r < g->partition->n_regions; r++)
        draw_region(c, g, r, seed, stream, image * g->n_pixels);
}

void tsr_context_mask(struct tsr_context *c, const uint8_t *mask) {
    memcpy(c->known, mask, geometry_of(c)->n_pixels);
}

/* Adds a share of one row [width scale, C] of the image to one of the reduced image [width, C]. */
static void add_row(struct tsr_pixels row, size_t width, size_t channels, size_t scale, float share,
                    float *out) {
    for (size_t i = 0; i < width * scale * channels; i++) {
        tsr_real value;
        tsr_pixels_values(tsr_pixels_at(row, i), 1, &value);
        out[i / channels / scale * channels + i % channels] += share * (float)value;
    }
}

void tsr_context_take(struct tsr_context *c, struct tsr_pixels pixels) {
    size_t scale = c->config.query_scale, channels = c->query->channels;
    c->pixels = pixels;
    if (scale == 1) return;
    const struct tsr_partition *p = c->reduced.partition;
    size_t row = p->width * channels;
    memset(c->image, 0, p->height * row * sizeof *c->image);
    for (size_t i = 0; i < p->height * scale; i++)
        add_row(tsr_pixels_at(pixels, i * row * scale), p->width, channels, scale,
                1 / (float)(scale * scale), c->image + i / scale * row);
    c->pixels = (struct tsr_pixels){.floats = c->image};
}

/* ---- tasks ----------------------------------------------------------------------------------- */

size_t tsr_context_points(const struct tsr_context *c, size_t region, tsr_real *x, tsr_real *y) {
    const struct tsr_geometry *g = geometry_of(c);
    const struct tsr_partition *p = g->partition;
    size_t n = p->regions[region].n_context, channels = g->channels, taken = 0;
    const tsr_real *all = g->coords.x[region];
    tsr_geometry_targets(g, c->pixels, region, y);
    for (size_t i = 0; i < n; i++) {
        if (c->known && !c->known[tsr_geometry_context_pixel(g, region, i)]) continue;
        memcpy(x + 2 * taken, all + 2 * i, 2 * sizeof *x);
        memmove(y + channels * taken, y + channels * i, channels * sizeof *y);
        taken++;
    }
    return taken;
}

static size_t count_known(const struct tsr_context *c) {
    const struct tsr_geometry *g = geometry_of(c);
    size_t n = 0;
    if (!c->known) return g->n_pixels;
    for (size_t i = 0; i < g->n_pixels; i++)
        n += c->known[i] != 0;
    return n;
}

struct tsr_task tsr_context_task(const struct tsr_context *c, size_t region, const tsr_real *x,
                                 const tsr_real *y, size_t n, const tsr_real *query_y) {
    struct tsr_task task = tsr_geometry_task(c->query, region, query_y);
    size_t over = c->query->inner_loss == TSR_INNER_LOSS_REGION ? n : count_known(c);
    task.ctx = (struct tsr_points){x, y, n};
    task.ctx_scale = over ? 1.0 / (double)(over * c->query->channels) : 0;
    return task;
}

size_t tsr_context_unseen(const struct tsr_context *c) {
    return tsr_context_known(c) ? c->query->n_pixels - count_known(c) : 0;
}

const uint8_t *tsr_context_known(const struct tsr_context *c) {
    return c->config.query_scale > 1 ? NULL : c->known;
}
