/* SPDX-License-Identifier: MIT
 *
 * Partition of an image into regions: every pixel is in exactly one region.
 *
 * It is made by a rule (partition/rules.h): rectangles in rows and columns, numbered row-major, or,
 * under a rule that follows the image, from a label map; a label that does not occur, such as a
 * semantic class that the image lacks, is a region without pixels.
 *
 * With an overlap of P pixels the context set of a region includes a margin around it, and its
 * output fades over the margin: at every pixel the weights of the regions whose context holds it
 * sum to one.
 */
#ifndef TSR_PARTITION_PARTITION_H
#define TSR_PARTITION_PARTITION_H

#include <stdbool.h>

#include "base/names.h"
#include "partition/rules.h"

struct tsr_box {
    size_t row, col; /* upper left corner */
    size_t height, width;
};

struct tsr_region {
    size_t row, col;      /* upper left corner of the bounding box */
    size_t height, width; /* of the bounding box; 0 x 0 for a region without pixels */
    size_t n_pixels;
    /* What the network of the region is adapted to. Of a rectangle: all pixels of the window, which
     * is the cell, whole, with the overlap on all sides, moved inwards where the edge of the image
     * cuts it off; so every cell gives its network the task it was trained for. Of a label map: the
     * pixels up to `overlap` (the larger of the distances in rows and in columns) from the
     * region's; the window is their bounding box. */
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
    /* Label map: labels [height, width]; the pixels of region r, ascending, at pixels[first[r]],
     * its context pixels at context[context_first[r]] and their blending weights beside them;
     * without overlap `context` is `pixels` and `weight` is NULL. */
    uint32_t *labels, *pixels;
    size_t *first; /* [n_regions+1] */
    uint32_t *context;
    float *weight;
    size_t *context_first; /* [n_regions+1] */
    size_t context_capacity;
    size_t overlap;
};

/* The partition of a height x width image. Errors: TSR_ERR_CONFIG when a grid has more rows or
 * columns than the image has pixels there. Under a rule that follows the image all pixels are in
 * region 0 until tsr_partition_relabel(). */
TSR_API enum tsr_status tsr_partition_create(const struct tsr_partition_rule *rule, size_t height,
                                             size_t width, struct tsr_partition **out,
                                             struct tsr_error *err) TSR_MUST_USE;

/* From labels [height, width], each below n_regions (copied). A label that does not occur is a
 * region without pixels. */
TSR_API enum tsr_status tsr_partition_from_labels(const uint32_t *labels, size_t height,
                                                  size_t width, size_t n_regions, size_t overlap,
                                                  struct tsr_partition **out,
                                                  struct tsr_error *err) TSR_MUST_USE;
/* Makes a partition that came from labels that of another label map of the same size, number of
 * regions and overlap. Allocates only where the margins need more room than before; after an error
 * the partition can only be freed or made again. */
TSR_API enum tsr_status tsr_partition_relabel(struct tsr_partition *partition,
                                              const uint32_t *labels,
                                              struct tsr_error *err) TSR_MUST_USE;

TSR_API void tsr_partition_free(struct tsr_partition *partition); /* accepts NULL */

/* Indices (row * width + column) of the pixels of a region, ascending: out [n_pixels], overwritten.
 */
TSR_API void tsr_partition_pixels(const struct tsr_partition *partition, size_t region,
                                  uint32_t *out);

/* Of a region of a label map: the index, 0 .. n_context, of its first context pixel at or behind
 * `pixel` (row * width + column). */
TSR_API size_t tsr_partition_context_from(const struct tsr_partition *partition, size_t region,
                                          size_t pixel);

/* Blending weights of the context pixels of a region, in the order of their coordinates: out
 * [n_context], 0 .. 1. Their sum over the regions is 1 at every pixel; without overlap they are 1
 * on the region's own pixels and 0 elsewhere. With the distance d of the pixel from the region they
 * are cos^2(pi/2 d / (overlap + 1)), divided by their sum; for rectangles the product of such
 * factors for rows and columns. */
TSR_API void tsr_partition_weights(const struct tsr_partition *partition, size_t region,
                                   float *out);
/* The same between the pixels: bilinear in the weights of the four pixels around position (row,
 * col), in pixels of the image; positions beyond the edge count as on it. */
TSR_API double tsr_partition_weight_at(const struct tsr_partition *partition, size_t region,
                                       double row, double col);
/* The two factors of a rectangle's weight. */
TSR_API double tsr_partition_weight_of_row(const struct tsr_partition *partition, size_t region,
                                           double row);
TSR_API double tsr_partition_weight_of_col(const struct tsr_partition *partition, size_t region,
                                           double col);

/* Are the context pixels of a region others than its own? */
TSR_API bool tsr_region_is_cut(const struct tsr_region *region);

/* The region that holds a pixel; row < height, col < width. */
TSR_API size_t tsr_partition_region_at(const struct tsr_partition *partition, size_t row,
                                       size_t col);

/* Slots: which meta-learned initialisation a region starts from. */
enum tsr_slots { TSR_SLOTS_SHARED, TSR_SLOTS_PER_REGION, TSR_SLOTS_PER_CLASS };

TSR_API extern const struct tsr_names tsr_slots_names;
TSR_API const char *tsr_slots_name(enum tsr_slots slots); /* "shared", "per-region", "per-class" */
TSR_API enum tsr_status tsr_slots_parse(const char *text, enum tsr_slots *out,
                                        struct tsr_error *err) TSR_MUST_USE;
TSR_API size_t tsr_slot_of_region(enum tsr_slots slots, size_t region);

#endif
