/* SPDX-License-Identifier: MIT */
#include "partition/partition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/names.h"
#include "partition/overlap.h"

static const char *const rule_names[] = {"whole", "grid", "cell", "segment", "labels"};
static const char *const slot_names[] = {"shared", "per-region", "per-class"};

TSR_DEFINE_NAMES(tsr_rule, tsr_rule, rule_names, "partition rule")
TSR_DEFINE_NAMES(tsr_slots, tsr_slots, slot_names, "slot arrangement")

size_t tsr_slot_of_region(enum tsr_slots slots, size_t region) {
    return slots == TSR_SLOTS_SHARED ? 0 : region;
}

bool tsr_rule_follows_image(enum tsr_rule kind) {
    return kind == TSR_RULE_SEGMENT || kind == TSR_RULE_LABELS;
}

void tsr_partition_rule_describe(const struct tsr_partition_rule *rule, char *out, size_t size) {
    int n;
    if (rule->kind == TSR_RULE_WHOLE)
        n = snprintf(out, size, "whole");
    else if (rule->kind == TSR_RULE_GRID)
        n = snprintf(out, size, "grid %zux%zu", rule->rows, rule->cols);
    else if (rule->kind == TSR_RULE_CELL)
        n = snprintf(out, size, "cell %zux%zu", rule->cell_height, rule->cell_width);
    else if (rule->kind == TSR_RULE_SEGMENT)
        n = snprintf(out, size, "segment %zu %s", rule->n_regions, tsr_merge_name(rule->merge));
    else
        n = snprintf(out, size, "labels %zu", rule->n_regions);
    if (rule->overlap && n >= 0 && (size_t)n < size)
        (void)snprintf(out + n, size - (size_t)n, " overlap %zu", rule->overlap);
}

enum tsr_status tsr_partition_rule_check(const struct tsr_partition_rule *rule,
                                         struct tsr_error *err) {
    if (rule->kind == TSR_RULE_GRID &&
        (rule->rows < 1 || rule->cols < 1 || rule->rows > 65535 || rule->cols > 65535))
        return TSR_ERROR(err, TSR_ERR_CONFIG, "grid %zux%zu: rows and columns must be 1 to 65535",
                         rule->rows, rule->cols);
    if (rule->kind == TSR_RULE_CELL && (rule->cell_height < 1 || rule->cell_width < 1 ||
                                        rule->cell_height > 65535 || rule->cell_width > 65535))
        return TSR_ERROR(err, TSR_ERR_CONFIG, "cell %zux%zu: both sides must be 1 to 65535 pixels",
                         rule->cell_height, rule->cell_width);
    if (tsr_rule_follows_image(rule->kind) &&
        (rule->n_regions < 1 || rule->n_regions > TSR_MAX_LABELS)) {
        char text[64];
        tsr_partition_rule_describe(rule, text, sizeof text);
        return TSR_ERROR(err, TSR_ERR_CONFIG, "%s: the number of regions must be 1 to %d", text,
                         TSR_MAX_LABELS);
    }
    if (rule->overlap > TSR_MAX_OVERLAP)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "overlap of %zu pixels: at most %d are allowed",
                         rule->overlap, TSR_MAX_OVERLAP);
    return TSR_OK;
}

/* Rows and columns of cells. */
static void count_cells(const struct tsr_partition_rule *rule, size_t height, size_t width,
                        size_t *rows, size_t *cols) {
    *rows = *cols = 1;
    if (rule->kind == TSR_RULE_GRID) {
        *rows = rule->rows, *cols = rule->cols;
    } else if (rule->kind == TSR_RULE_CELL) {
        *rows = (height + rule->cell_height - 1) / rule->cell_height;
        *cols = (width + rule->cell_width - 1) / rule->cell_width;
    }
}

size_t tsr_partition_rule_regions(const struct tsr_partition_rule *rule, size_t height,
                                  size_t width) {
    size_t rows, cols;
    if (tsr_rule_follows_image(rule->kind)) return rule->n_regions;
    count_cells(rule, height, width, &rows, &cols);
    return rows * cols;
}

static enum tsr_status check_size(size_t height, size_t width, struct tsr_error *err) {
    if (height < 1 || width < 1 || height > UINT32_MAX / width)
        return TSR_ERROR(err, TSR_ERR_ARGUMENT,
                         "an image of %zux%zu pixels: it must have 1 to 2^32-1", height, width);
    return TSR_OK;
}

static enum tsr_status allocate(size_t height, size_t width, size_t n_regions,
                                struct tsr_partition **out, struct tsr_error *err) {
    void *p, *regions;
    TSR_TRY(tsr_alloc(&p, 1, sizeof(struct tsr_partition), "partition", err));
    enum tsr_status status =
        tsr_alloc(&regions, n_regions, sizeof(struct tsr_region), "regions of the partition", err);
    if (status != TSR_OK) {
        free(p);
        return status;
    }
    *out = p;
    **out = (struct tsr_partition){
        .height = height, .width = width, .n_regions = n_regions, .regions = regions};
    return TSR_OK;
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
    void *p;
    TSR_TRY(tsr_alloc(&p, n + 1, sizeof **out, "edges of the partition", err));
    *out = p;
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

enum tsr_status tsr_partition_create(const struct tsr_partition_rule *rule, size_t height,
                                     size_t width, struct tsr_partition **out,
                                     struct tsr_error *err) {
    *out = NULL;
    TSR_TRY(tsr_partition_rule_check(rule, err));
    TSR_TRY(check_size(height, width, err));
    if (tsr_rule_follows_image(rule->kind))
        return create_followed(height, width, rule->n_regions, rule->overlap, NULL, out, err);
    size_t rows, cols;
    count_cells(rule, height, width, &rows, &cols);
    if (rows > height || cols > width)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "grid %zux%zu: an image of %zux%zu pixels has at most %zux%zu cells", rows,
                         cols, height, width, height, width);
    size_t ch = rule->kind == TSR_RULE_CELL ? rule->cell_height : 0;
    size_t cw = rule->kind == TSR_RULE_CELL ? rule->cell_width : 0;
    struct tsr_partition *p;
    TSR_TRY(allocate(height, width, rows * cols, &p, err));
    p->n_rows = rows, p->n_cols = cols, p->overlap = rule->overlap;
    enum tsr_status status;
    TSR_CHECK(make_edges(height, rows, ch, &p->row_edge, err));
    TSR_CHECK(make_edges(width, cols, cw, &p->col_edge, err));
    for (size_t i = 0; i < rows * cols; i++) {
        size_t r = i / cols, c = i % cols;
        size_t h = p->row_edge[r + 1] - p->row_edge[r], w = p->col_edge[c + 1] - p->col_edge[c];
        struct tsr_box window = {p->row_edge[r], p->col_edge[c], ch ? ch : h, cw ? cw : w};
        place_side(height, rule->overlap, &window.row, &window.height);
        place_side(width, rule->overlap, &window.col, &window.width);
        p->regions[i] = (struct tsr_region){.row = p->row_edge[r],
                                            .col = p->col_edge[c],
                                            .height = h,
                                            .width = w,
                                            .n_pixels = h * w,
                                            .window = window,
                                            .n_context = window.height * window.width};
    }
    *out = p;
    return TSR_OK;
done:
    tsr_partition_free(p);
    return status;
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
    return p->overlap ? tsr_overlap_of_labels(p, err) : TSR_OK;
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
