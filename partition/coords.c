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
        const uint32_t *pixel = partition->pixels + partition->first[region];
        for (size_t i = 0; i < g->n_pixels; i++)
            tsr_coords_at(coords, partition, region, (double)(pixel[i] / partition->width),
                          (double)(pixel[i] % partition->width), x + 2 * i);
        return;
    }
    for (size_t r = 0; r < g->window.height; r++)
        for (size_t c = 0; c < g->window.width; c++, x += 2)
            tsr_coords_at(coords, partition, region, (double)(g->window.row + r),
                          (double)(g->window.col + c), x);
}

/* An earlier region with the same coordinates, or `region` itself. Rectangles of a grid or of cells
 * have at most four sizes, so looking at the regions that own an array is quick. */
static size_t twin_of(const struct tsr_coords *coords, const struct tsr_partition *p, size_t region,
                      const size_t *owners, size_t n_owners) {
    if (coords->frame != TSR_FRAME_REGION || p->labels) return region;
    for (size_t i = 0; i < n_owners; i++) {
        const struct tsr_box *a = &p->regions[owners[i]].window, *b = &p->regions[region].window;
        if (a->height == b->height && a->width == b->width) return owners[i];
    }
    return region;
}

enum tsr_status tsr_coord_table_create(const struct tsr_coords *coords,
                                       const struct tsr_partition *partition,
                                       struct tsr_coord_table *out, struct tsr_error *err) {
    size_t n = partition->n_regions, total = 0, n_owners = 0;
    size_t *twin = NULL, *owners = NULL;
    void *block;
    enum tsr_status status;
    *out = (struct tsr_coord_table){.n_regions = n};
    TSR_CHECK(tsr_alloc(&block, n, sizeof *twin, "coordinates", err));
    twin = block;
    TSR_CHECK(tsr_alloc(&block, n, sizeof *owners, "coordinates", err));
    owners = block;
    for (size_t r = 0; r < n; r++) {
        twin[r] = twin_of(coords, partition, r, owners, n_owners);
        if (twin[r] != r) continue;
        owners[n_owners++] = r;
        total += partition->regions[r].n_context;
    }
    TSR_CHECK(tsr_alloc(&block, n, sizeof *out->x, "coordinates", err));
    out->x = block;
    TSR_CHECK(tsr_alloc(&block, total, 2 * sizeof *out->block, "coordinates", err));
    out->block = block;
    tsr_real *at = out->block;
    for (size_t r = 0; r < n; r++) {
        if (twin[r] != r) {
            out->x[r] = out->x[twin[r]];
            continue;
        }
        tsr_coords_fill(coords, partition, r, at);
        out->x[r] = at;
        at += 2 * partition->regions[r].n_context;
    }
done:
    free(twin);
    free(owners);
    if (status != TSR_OK) tsr_coord_table_clear(out);
    return status;
}

void tsr_coord_table_clear(struct tsr_coord_table *table) {
    free(table->x);
    free(table->block);
    *table = (struct tsr_coord_table){0};
}
