/* SPDX-License-Identifier: MIT
 *
 * Partition of an image into regions: every pixel is in exactly one region.
 *
 * A rule makes the partition of an image of any size: `whole` (one region), `grid RxC` (the PoG
 * rule of arXiv 2310.14184, with balanced cells: cell i of n covers the rows floor(i H/n) ..
 * floor((i+1) H/n) - 1), `cell PxQ` (cells of fixed pixel size; those at the lower and right edge
 * may be smaller). Regions are numbered row-major. A partition can also be made from a label map.
 */
#ifndef TSR_PARTITION_PARTITION_H
#define TSR_PARTITION_PARTITION_H

#include <stdbool.h>

#include "base/status.h"

enum tsr_rule { TSR_RULE_WHOLE, TSR_RULE_GRID, TSR_RULE_CELL };

struct tsr_partition_rule {
    enum tsr_rule kind;
    size_t rows, cols;              /* grid */
    size_t cell_height, cell_width; /* cell, in pixels */
};

/* "whole", "grid", "cell"; parse: NOT_FOUND lists the names. */
TSR_API const char *tsr_rule_name(enum tsr_rule kind);
TSR_API enum tsr_status tsr_rule_parse(const char *text, enum tsr_rule *out,
                                       struct tsr_error *err) TSR_MUST_USE;
/* "grid 8x8" and the like; out [size], terminated. */
TSR_API void tsr_partition_rule_describe(const struct tsr_partition_rule *rule, char *out,
                                         size_t size);
TSR_API enum tsr_status tsr_partition_rule_check(const struct tsr_partition_rule *rule,
                                                 struct tsr_error *err) TSR_MUST_USE;

/* Number of regions of a height x width image under a rule that passed the check. */
TSR_API size_t tsr_partition_rule_regions(const struct tsr_partition_rule *rule, size_t height,
                                          size_t width);

struct tsr_box {
    size_t row, col; /* upper left corner */
    size_t height, width;
};

struct tsr_region {
    size_t row, col;      /* upper left corner of the bounding box */
    size_t height, width; /* of the bounding box; 0 x 0 for a region without pixels */
    size_t n_pixels;
    /* What the network of the region is adapted to: its own pixels (n_context = n_pixels, window =
     * the bounding box), but for a cell that the edge of the image cuts off all pixels of the
     * window: the cell moved inwards until it is whole. So every cell gives its network the task it
     * was trained for. */
    struct tsr_box window;
    size_t n_context;
};

struct tsr_partition {
    size_t height, width; /* of the image */
    size_t n_regions;
    struct tsr_region *regions; /* [n_regions] */
    /* Rectangular cells: edges of rows [n_rows+1] and columns [n_cols+1]; labels is NULL. */
    size_t n_rows, n_cols;
    size_t *row_edge, *col_edge;
    /* Label map: labels [height, width]; the pixels of region r, ascending, at pixels[first[r]]. */
    uint32_t *labels, *pixels;
    size_t *first; /* [n_regions+1] */
};

/* The partition of a height x width image. Errors: TSR_ERR_CONFIG when a grid has more rows or
 * columns than the image has pixels there. */
TSR_API enum tsr_status tsr_partition_create(const struct tsr_partition_rule *rule, size_t height,
                                             size_t width, struct tsr_partition **out,
                                             struct tsr_error *err) TSR_MUST_USE;

/* From labels [height, width], each below n_regions (copied). A label that does not occur is a
 * region without pixels. */
TSR_API enum tsr_status tsr_partition_from_labels(const uint32_t *labels, size_t height,
                                                  size_t width, size_t n_regions,
                                                  struct tsr_partition **out,
                                                  struct tsr_error *err) TSR_MUST_USE;

TSR_API void tsr_partition_free(struct tsr_partition *partition); /* accepts NULL */

/* Indices (row * width + column) of the pixels of a region, ascending: out [n_pixels], overwritten.
 */
TSR_API void tsr_partition_pixels(const struct tsr_partition *partition, size_t region,
                                  uint32_t *out);

/* Are the context pixels of a region others than its own? */
TSR_API bool tsr_region_is_cut(const struct tsr_region *region);

/* The region that holds a pixel; row < height, col < width. */
TSR_API size_t tsr_partition_region_at(const struct tsr_partition *partition, size_t row,
                                       size_t col);

/* Slots: which meta-learned initialisation a region starts from. */
enum tsr_slots { TSR_SLOTS_SHARED, TSR_SLOTS_PER_REGION };

TSR_API const char *tsr_slots_name(enum tsr_slots slots); /* "shared", "per-region" */
TSR_API enum tsr_status tsr_slots_parse(const char *text, enum tsr_slots *out,
                                        struct tsr_error *err) TSR_MUST_USE;
TSR_API size_t tsr_slot_of_region(enum tsr_slots slots, size_t region);

#endif
