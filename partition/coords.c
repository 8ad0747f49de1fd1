/* SPDX-License-Identifier: MIT */
#include "partition/coords.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/names.h"

static const char *const sampling_names[] = {"edge", "center", "endpoints"};
static const char *const frame_names[] = {"image", "region"};

TSR_DEFINE_NAMES(tsr_sampling, tsr_sampling, sampling_names, "coordinate sampling")
TSR_DEFINE_NAMES(tsr_frame, tsr_frame, frame_names, "coordinate frame")

enum tsr_status tsr_coords_check(const struct tsr_coords *coords, struct tsr_error *err) {
    if (!(isfinite(coords->lo) && isfinite(coords->hi) && coords->lo < coords->hi))
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "coordinate range %g..%g: both ends must be finite and the first smaller",
                         coords->lo, coords->hi);
    return TSR_OK;
}

/* position i (from the origin of the frame) of n */
static tsr_real coordinate(const struct tsr_coords *c, double i, size_t n) {
    double t;
    switch (c->sampling) {
    case TSR_SAMPLING_EDGE:
        t = i / (double)n;
        break;
    case TSR_SAMPLING_CENTER:
        t = (i + 0.5) / (double)n;
        break;
    default:
        t = n > 1 ? i / (double)(n - 1) : 0.5;
        break;
    }
    return (tsr_real)(c->lo + (c->hi - c->lo) * t);
}

void tsr_coords_at(const struct tsr_coords *coords, const struct tsr_partition *partition,
                   size_t region, double row, double col, tsr_real *out) {
    if (coords->frame == TSR_FRAME_IMAGE) {
        out[0] = coordinate(coords, row, partition->height);
        out[1] = coordinate(coords, col, partition->width);
        return;
    }
    const struct tsr_region *g = &partition->regions[region];
    out[0] = coordinate(coords, row - (double)g->window.row, g->window.height);
    out[1] = coordinate(coords, col - (double)g->window.col, g->window.width);
}

void tsr_coords_fill(const struct tsr_coords *coords, const struct tsr_partition *partition,
                     size_t region, tsr_real *x) {
    const struct tsr_region *g = &partition->regions[region];
    if (partition->labels) {
        const uint32_t *pixel = partition->context + partition->context_first[region];
        for (size_t i = 0; i < g->n_context; i++)
            tsr_coords_at(coords, partition, region, (double)(pixel[i] / partition->width),
                          (double)(pixel[i] % partition->width), x + 2 * i);
        return;
    }
    for (size_t r = 0; r < g->window.height; r++)
        for (size_t c = 0; c < g->window.width; c++, x += 2)
            tsr_coords_at(coords, partition, region, (double)(g->window.row + r),
                          (double)(g->window.col + c), x);
}

/* Do two rectangles see the same coordinates? */
static bool same_window(const struct tsr_coords *coords, const struct tsr_partition *p, size_t a,
                        size_t b) {
    const struct tsr_box *x = &p->regions[a].window, *y = &p->regions[b].window;
    return coords->frame == TSR_FRAME_REGION && !p->labels && x->height == y->height &&
           x->width == y->width;
}

static enum tsr_status reserve(struct tsr_coord_table *table, size_t points,
                               struct tsr_error *err) {
    void *block;
    if (table->block && points <= table->capacity) return TSR_OK;
    free(table->block);
    table->block = NULL;
    TSR_TRY(tsr_alloc(&block, points, 2 * sizeof *table->block, "coordinates", err));
    table->block = block;
    table->capacity = points;
    return TSR_OK;
}

/* Rectangles of a grid or of cells have at most four sizes in consecutive or periodic order, so the
 * owner of a region's coordinates is among the few regions that own an array. */
enum { MAX_OWNERS = 8 };

/* twin[r]: an earlier region with the same coordinates, or r itself. Returns the points of those
 * that are their own twin. */
static size_t find_twins(const struct tsr_coords *coords, const struct tsr_partition *p,
                         const tsr_real **twin, const tsr_real *base) {
    size_t owners[MAX_OWNERS], n_owners = 0, points = 0;
    for (size_t r = 0; r < p->n_regions; r++) {
        size_t i = 0;
        while (i < n_owners && !same_window(coords, p, owners[i], r))
            i++;
        if (i < n_owners) {
            if (twin) twin[r] = twin[owners[i]];
            continue;
        }
        if (twin) twin[r] = base + 2 * points;
        points += p->regions[r].n_context;
        if (n_owners < MAX_OWNERS) owners[n_owners++] = r;
    }
    return points;
}

enum tsr_status tsr_coord_table_refill(struct tsr_coord_table *table,
                                       const struct tsr_coords *coords,
                                       const struct tsr_partition *partition,
                                       struct tsr_error *err) {
    TSR_TRY(reserve(table, find_twins(coords, partition, NULL, NULL), err));
    (void)find_twins(coords, partition, table->x, table->block);
    const tsr_real *filled = table->block;
    for (size_t r = 0; r < table->n_regions; r++) {
        if (table->x[r] != filled) continue; /* an earlier region's */
        tsr_coords_fill(coords, partition, r, table->block + (filled - table->block));
        filled += 2 * partition->regions[r].n_context;
    }
    return TSR_OK;
}

enum tsr_status tsr_coord_table_create(const struct tsr_coords *coords,
                                       const struct tsr_partition *partition,
                                       struct tsr_coord_table *out, struct tsr_error *err) {
    *out = (struct tsr_coord_table){.n_regions = partition->n_regions};
    TSR_TRY(TSR_ALLOC(&out->x, partition->n_regions, "coordinates", err));
    enum tsr_status status = tsr_coord_table_refill(out, coords, partition, err);
    if (status != TSR_OK) tsr_coord_table_clear(out);
    return status;
}

void tsr_coord_table_clear(struct tsr_coord_table *table) {
    free(table->x);
    free(table->block);
    *table = (struct tsr_coord_table){0};
}
