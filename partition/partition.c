/* SPDX-License-Identifier: MIT */
#include "partition/partition.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/names.h"
#include "partition/margins.h"

static const char *const slot_names[] = {"shared", "per-region", "per-class"};

TSR_DEFINE_NAMES(tsr_slots, tsr_slots, slot_names, "slot arrangement")

size_t tsr_slot_of_region(enum tsr_slots slots, size_t region) {
    return slots == TSR_SLOTS_SHARED ? 0 : region;
}

static enum tsr_status check_size(size_t height, size_t width, struct tsr_error *err) {
    if (height < 1 || width < 1 || height > UINT32_MAX / width)
        return TSR_ERROR(err, TSR_ERR_ARGUMENT,
                         "an image of %zux%zu pixels: it must have 1 to 2^32-1", height, width);
    return TSR_OK;
}

static enum tsr_status allocate(size_t height, size_t width, size_t n_regions,
                                struct tsr_partition **out, struct tsr_error *err) {
    struct tsr_partition *p;
    TSR_TRY(TSR_ALLOC(&p, 1, "partition", err));
    *p = (struct tsr_partition){.height = height, .width = width, .n_regions = n_regions};
    enum tsr_status status = TSR_ALLOC(&p->regions, n_regions, "regions of the partition", err);
    if (status == TSR_OK)
        *out = p;
    else
        free(p);
    return status;
}

void tsr_partition_free(struct tsr_partition *partition) {
    if (!partition) return;
    free(partition->regions);
    free(partition->row_edge);
    free(partition->col_edge);
    if (partition->context != partition->pixels) free(partition->context);
    if (partition->context_first != partition->first) free(partition->context_first);
    free(partition->weight);
    free(partition->labels);
    free(partition->pixels);
    free(partition->first);
    free(partition);
}

/* Edges [n+1] of n cells along a side of `length` pixels: balanced, or of fixed size. */
static enum tsr_status make_edges(size_t length, size_t n, size_t cell, size_t **out,
                                  struct tsr_error *err) {
    TSR_TRY(TSR_ALLOC(out, n + 1, "edges of the partition", err));
    for (size_t i = 0; i <= n; i++) {
        size_t edge = cell ? i * cell : i * length / n;
        (*out)[i] = edge < length ? edge : length;
    }
    return TSR_OK;
}

/* A side of a window: `length` pixels from `from` on and `overlap` more at both ends, moved inwards
 * where the edge of the image cuts it off. */
static void place_side(size_t image, size_t overlap, size_t *from, size_t *length) {
    *from -= *from < overlap ? *from : overlap;
    *length += 2 * overlap;
    if (*length > image) *length = image;
    if (*from + *length > image) *from = image - *length;
}

bool tsr_region_is_cut(const struct tsr_region *region) {
    return region->n_context != region->n_pixels;
}

static enum tsr_status allocate_labels(struct tsr_partition *p, struct tsr_error *err) {
    size_t n = p->height * p->width;
    void *block;
    TSR_TRY(tsr_alloc(&block, n, sizeof *p->labels, "label map", err));
    p->labels = block;
    TSR_TRY(tsr_alloc(&block, n, sizeof *p->pixels, "pixel lists", err));
    p->pixels = p->context = block;
    TSR_TRY(tsr_alloc(&block, p->n_regions + 1, sizeof *p->first, "pixel lists", err));
    p->first = p->context_first = block;
    if (p->overlap == 0) return TSR_OK;
    p->context = NULL;
    p->context_first = NULL;
    TSR_TRY(tsr_alloc(&block, p->n_regions + 1, sizeof *p->first, "pixel lists", err));
    p->context_first = block;
    return TSR_OK;
}

/* labels NULL: all pixels in region 0. */
static enum tsr_status create_followed(size_t height, size_t width, size_t n_regions,
                                       size_t overlap, const uint32_t *labels,
                                       struct tsr_partition **out, struct tsr_error *err) {
    struct tsr_partition *p;
    enum tsr_status status;
    TSR_TRY(allocate(height, width, n_regions, &p, err));
    p->overlap = overlap;
    TSR_CHECK(allocate_labels(p, err));
    TSR_CHECK(tsr_partition_relabel(p, labels ? labels : p->labels, err));
    *out = p;
    return TSR_OK;
done:
    tsr_partition_free(p);
    return status;
}

static struct tsr_region cell_at(const struct tsr_partition *p, const struct tsr_lattice *cells,
                                 size_t r, size_t c) {
    size_t row = p->row_edge[r], col = p->col_edge[c];
    size_t height = p->row_edge[r + 1] - row, width = p->col_edge[c + 1] - col;
    struct tsr_box window = {row, col, cells->cell_height ? cells->cell_height : height,
                             cells->cell_width ? cells->cell_width : width};
    place_side(p->height, p->overlap, &window.row, &window.height);
    place_side(p->width, p->overlap, &window.col, &window.width);
    return (struct tsr_region){.row = row,
                               .col = col,
                               .height = height,
                               .width = width,
                               .n_pixels = height * width,
                               .window = window,
                               .n_context = window.height * window.width};
}

static enum tsr_status create_lattice(const struct tsr_lattice *cells, size_t height, size_t width,
                                      size_t overlap, struct tsr_partition **out,
                                      struct tsr_error *err) {
    size_t rows = cells->rows, cols = cells->cols;
    enum tsr_status status;
    struct tsr_partition *p;
    if (rows > height || cols > width)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "grid %zux%zu: an image of %zux%zu pixels has at most %zux%zu cells", rows,
                         cols, height, width, height, width);
    TSR_TRY(allocate(height, width, rows * cols, &p, err));
    p->n_rows = rows, p->n_cols = cols, p->overlap = overlap;
    TSR_CHECK(make_edges(height, rows, cells->cell_height, &p->row_edge, err));
    TSR_CHECK(make_edges(width, cols, cells->cell_width, &p->col_edge, err));
    for (size_t i = 0; i < rows * cols; i++)
        p->regions[i] = cell_at(p, cells, i / cols, i % cols);
    *out = p;
    return TSR_OK;
done:
    tsr_partition_free(p);
    return status;
}

enum tsr_status tsr_partition_create(const struct tsr_partition_rule *rule, size_t height,
                                     size_t width, struct tsr_partition **out,
                                     struct tsr_error *err) {
    *out = NULL;
    TSR_TRY(tsr_partition_rule_check(rule, err));
    TSR_TRY(check_size(height, width, err));
    if (tsr_rule_follows_image(rule))
        return create_followed(height, width, tsr_partition_rule_regions(rule, height, width),
                               rule->overlap, NULL, out, err);
    struct tsr_lattice cells =
        tsr_partition_rule_object(rule)->lattice(rule->rule.value, height, width);
    return create_lattice(&cells, height, width, rule->overlap, out, err);
}

/* Grows the bounding box of a region by one pixel. */
static void include_pixel(struct tsr_region *region, size_t row, size_t col) {
    if (region->n_pixels++ == 0) {
        region->row = row, region->col = col, region->height = region->width = 1;
        return;
    }
    region->height = row - region->row + 1; /* rows come in ascending order */
    if (col < region->col) {
        region->width += region->col - col;
        region->col = col;
    } else if (col >= region->col + region->width) {
        region->width = col - region->col + 1;
    }
}

enum tsr_status tsr_partition_from_labels(const uint32_t *labels, size_t height, size_t width,
                                          size_t n_regions, size_t overlap,
                                          struct tsr_partition **out, struct tsr_error *err) {
    *out = NULL;
    TSR_TRY(check_size(height, width, err));
    if (overlap > TSR_MAX_OVERLAP)
        return TSR_ERROR(err, TSR_ERR_ARGUMENT, "overlap of %zu pixels: at most %d are allowed",
                         overlap, TSR_MAX_OVERLAP);
    return create_followed(height, width, n_regions, overlap, labels, out, err);
}

enum tsr_status tsr_partition_relabel(struct tsr_partition *p, const uint32_t *labels,
                                      struct tsr_error *err) {
    size_t n = p->height * p->width, n_regions = p->n_regions;
    for (size_t i = 0; i < n; i++)
        if (labels[i] >= n_regions)
            return TSR_ERROR(err, TSR_ERR_ARGUMENT,
                             "label map: pixel (%zu, %zu) has label %u; labels must be below %zu",
                             i / p->width, i % p->width, labels[i], n_regions);
    memmove(p->labels, labels, n * sizeof *labels);
    memset(p->regions, 0, n_regions * sizeof *p->regions);
    for (size_t i = 0; i < n; i++)
        include_pixel(&p->regions[labels[i]], i / p->width, i % p->width);
    p->first[0] = 0;
    for (size_t r = 0; r < n_regions; r++) {
        struct tsr_region *g = &p->regions[r];
        g->window = (struct tsr_box){g->row, g->col, g->height, g->width};
        g->n_context = g->n_pixels;
        p->first[r + 1] = p->first[r] + g->n_pixels;
    }
    /* Counting sort: first[r] runs to the end of its region, then is set back. */
    for (size_t i = 0; i < n; i++)
        p->pixels[p->first[labels[i]]++] = (uint32_t)i;
    memmove(p->first + 1, p->first, n_regions * sizeof *p->first);
    p->first[0] = 0;
    return p->overlap ? tsr_margins_of_labels(p, err) : TSR_OK;
}

void tsr_partition_pixels(const struct tsr_partition *partition, size_t region, uint32_t *out) {
    const struct tsr_region *g = &partition->regions[region];
    if (partition->labels) {
        memcpy(out, partition->pixels + partition->first[region], g->n_pixels * sizeof *out);
        return;
    }
    for (size_t r = g->row; r < g->row + g->height; r++)
        for (size_t c = g->col; c < g->col + g->width; c++)
            *out++ = (uint32_t)(r * partition->width + c);
}

/* Index of the cell that holds position x: the last edge that is not above it. */
static size_t cell_of(const size_t *edge, size_t n, size_t x) {
    size_t lo = 0, hi = n;
    while (hi - lo > 1) {
        size_t mid = lo + (hi - lo) / 2;
        if (edge[mid] <= x)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

size_t tsr_partition_region_at(const struct tsr_partition *partition, size_t row, size_t col) {
    if (partition->labels) return partition->labels[row * partition->width + col];
    return cell_of(partition->row_edge, partition->n_rows, row) * partition->n_cols +
           cell_of(partition->col_edge, partition->n_cols, col);
}
