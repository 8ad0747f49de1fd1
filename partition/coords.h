/* SPDX-License-Identifier: MIT
 *
 * Coordinates of pixels: the input of the networks, and part of the model.
 *
 * Pixel i of N along a side lies at lo + (hi - lo) t with t = i/N (`edge`), (i + 1/2)/N (`center`)
 * or i/(N-1) (`endpoints`; 1/2 where N = 1). In the frame `image` i and N count the image, in the
 * frame `region` the window of the region (its bounding box, see struct tsr_region). Feature order:
 * row, column. All three are affine in i, so positions between pixels, which rendering at another
 * size needs, are defined too.
 */
#ifndef TSR_PARTITION_COORDS_H
#define TSR_PARTITION_COORDS_H

#include "base/names.h"
#include "partition/partition.h"

enum tsr_sampling { TSR_SAMPLING_EDGE, TSR_SAMPLING_CENTER, TSR_SAMPLING_ENDPOINTS };
enum tsr_frame { TSR_FRAME_IMAGE, TSR_FRAME_REGION };

struct tsr_coords {
    double lo, hi;
    enum tsr_sampling sampling;
    enum tsr_frame frame;
};

TSR_API extern const struct tsr_names tsr_sampling_names;
TSR_API const char *tsr_sampling_name(enum tsr_sampling sampling); /* edge center endpoints */
TSR_API enum tsr_status tsr_sampling_parse(const char *text, enum tsr_sampling *out,
                                           struct tsr_error *err) TSR_MUST_USE;
TSR_API extern const struct tsr_names tsr_frame_names;
TSR_API const char *tsr_frame_name(enum tsr_frame frame); /* image region */
TSR_API enum tsr_status tsr_frame_parse(const char *text, enum tsr_frame *out,
                                        struct tsr_error *err) TSR_MUST_USE;
/* lo < hi, both finite. */
TSR_API enum tsr_status tsr_coords_check(const struct tsr_coords *coords,
                                         struct tsr_error *err) TSR_MUST_USE;

/* The coordinate pair of position (row, col), in pixels of the image and not necessarily whole, as
 * the network of `region` sees it: out [2]. */
TSR_API void tsr_coords_at(const struct tsr_coords *coords, const struct tsr_partition *partition,
                           size_t region, double row, double col, tsr_real *out);

/* Coordinates of the context pixels of a region, row by row: x [n_context, 2]. */
TSR_API void tsr_coords_fill(const struct tsr_coords *coords, const struct tsr_partition *partition,
                             size_t region, tsr_real *x);

/* The coordinates of all regions. Regions that see the same coordinates (cells of one size in the
 * frame `region`) share one array. */
struct tsr_coord_table {
    size_t n_regions;
    const tsr_real **x; /* [n_regions], each a view [n_context of the region, 2] */
    tsr_real *block;    /* what they point into; owned */
    size_t capacity;    /* of block, in points */
};
TSR_API enum tsr_status tsr_coord_table_create(const struct tsr_coords *coords,
                                               const struct tsr_partition *partition,
                                               struct tsr_coord_table *out,
                                               struct tsr_error *err) TSR_MUST_USE;
/* The same for another partition with as many regions. Allocates only where it needs more room than
 * before; after an error the table can only be cleared. */
TSR_API enum tsr_status tsr_coord_table_refill(struct tsr_coord_table *table,
                                               const struct tsr_coords *coords,
                                               const struct tsr_partition *partition,
                                               struct tsr_error *err) TSR_MUST_USE;
TSR_API void tsr_coord_table_clear(struct tsr_coord_table *table);

#endif
