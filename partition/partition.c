/* SPDX-License-Identifier: MIT */
#include "partition/partition.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/names.h"

static const char *const rule_names[] = {"whole", "grid", "cell"};
static const char *const slot_names[] = {"shared", "per-region"};

TSR_DEFINE_NAMES(tsr_rule, tsr_rule, rule_names, "partition rule")
TSR_DEFINE_NAMES(tsr_slots, tsr_slots, slot_names, "slot arrangement")

size_t tsr_slot_of_region(enum tsr_slots slots, size_t region) {
    return slots == TSR_SLOTS_SHARED ? 0 : region;
}

void tsr_partition_rule_describe(const struct tsr_partition_rule *rule, char *out, size_t size) {
    if (rule->kind == TSR_RULE_WHOLE)
        (void)snprintf(out, size, "whole");
    else if (rule->kind == TSR_RULE_GRID)
        (void)snprintf(out, size, "grid %zux%zu", rule->rows, rule->cols);
    else
        (void)snprintf(out, size, "cell %zux%zu", rule->cell_height, rule->cell_width);
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

/* Makes a side of a window as long as the nominal cell (0: none) where the image allows it. */
static void move_inwards(size_t cell, size_t image, size_t *from, size_t *length) {
    if (cell == 0) return;
    if (cell > image) cell = image;
    if (*from + cell > image) *from = image - cell;
    *length = cell;
}

bool tsr_region_is_cut(const struct tsr_region *region) {
    return region->n_context != region->n_pixels;
}

enum tsr_status tsr_partition_create(const struct tsr_partition_rule *rule, size_t height,
                                     size_t width, struct tsr_partition **out,
                                     struct tsr_error *err) {
    *out = NULL;
    TSR_TRY(tsr_partition_rule_check(rule, err));
    TSR_TRY(check_size(height, width, err));
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
    p->n_rows = rows, p->n_cols = cols;
    enum tsr_status status;
    TSR_CHECK(make_edges(height, rows, ch, &p->row_edge, err));
    TSR_CHECK(make_edges(width, cols, cw, &p->col_edge, err));
    for (size_t i = 0; i < rows * cols; i++) {
        size_t r = i / cols, c = i % cols;
        size_t h = p->row_edge[r + 1] - p->row_edge[r], w = p->col_edge[c + 1] - p->col_edge[c];
        struct tsr_box window = {p->row_edge[r], p->col_edge[c], h, w};
        move_inwards(ch, height, &window.row, &window.height);
        move_inwards(cw, width, &window.col, &window.width);
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
                                          size_t n_regions, struct tsr_partition **out,
                                          struct tsr_error *err) {
    *out = NULL;
    TSR_TRY(check_size(height, width, err));
    size_t n = height * width;
    for (size_t i = 0; i < n; i++)
        if (labels[i] >= n_regions)
            return TSR_ERROR(err, TSR_ERR_ARGUMENT,
                             "label map: pixel (%zu, %zu) has label %u; labels must be below %zu",
                             i / width, i % width, labels[i], n_regions);
    struct tsr_partition *p;
    void *block;
    enum tsr_status status;
    TSR_TRY(allocate(height, width, n_regions, &p, err));
    TSR_CHECK(tsr_alloc(&block, n, sizeof *p->labels, "label map", err));
    p->labels = block;
    TSR_CHECK(tsr_alloc(&block, n, sizeof *p->pixels, "pixel lists", err));
    p->pixels = block;
    TSR_CHECK(tsr_alloc(&block, n_regions + 1, sizeof *p->first, "pixel lists", err));
    p->first = block;
    memcpy(p->labels, labels, n * sizeof *labels);
    for (size_t i = 0; i < n; i++)
        include_pixel(&p->regions[labels[i]], i / width, i % width);
    for (size_t r = 0; r < n_regions; r++) {
        struct tsr_region *g = &p->regions[r];
        g->window = (struct tsr_box){g->row, g->col, g->height, g->width};
        g->n_context = g->n_pixels;
        p->first[r + 1] = p->first[r] + g->n_pixels;
    }
    /* Counting sort: first[r] runs to the end of its region, then is set back. */
    for (size_t i = 0; i < n; i++)
        p->pixels[p->first[labels[i]]++] = (uint32_t)i;
    for (size_t r = n_regions; r > 0; r--)
        p->first[r] = p->first[r - 1];
    p->first[0] = 0;
    *out = p;
    return TSR_OK;
done:
    tsr_partition_free(p);
    return status;
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
