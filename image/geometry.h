/* SPDX-License-Identifier: MIT
 *
 * From images to tasks: partition, coordinates and targets of all images of one size.
 */
#ifndef TSR_IMAGE_GEOMETRY_H
#define TSR_IMAGE_GEOMETRY_H

#include "data/pixels.h"
#include "image/model.h"
#include "inner/inner_loop.h"

struct tsr_geometry {
    struct tsr_partition *partition; /* owned */
    struct tsr_coord_table coords;   /* owned */
    size_t channels, n_pixels;       /* of an image */
    size_t max_context;              /* largest number of context pixels of a region */
    size_t total_context;            /* largest number of context pixels of all regions together */
    struct tsr_coords frame;
    enum tsr_slots slots;
    enum tsr_inner_loss inner_loss;
};

/* For images of this size under the model's rule; a rule that follows the image begins with an
 * empty partition, and max_context is the largest that any image can give. Errors: as
 * tsr_model_check_image(). */
TSR_API enum tsr_status tsr_geometry_create(const struct tsr_model *model, size_t height,
                                            size_t width, struct tsr_geometry *out,
                                            struct tsr_error *err) TSR_MUST_USE;
/* Makes the regions and their coordinates from a label map [H, W], for a rule that follows the
 * image. */
TSR_API enum tsr_status tsr_geometry_follow(struct tsr_geometry *geometry, const uint32_t *labels,
                                            struct tsr_error *err) TSR_MUST_USE;
TSR_API void tsr_geometry_clear(struct tsr_geometry *geometry);

/* Targets of a region's context pixels from an image [H, W, C]: y [n_context, C], of bytes value /
 * 255. */
TSR_API void tsr_geometry_targets(const struct tsr_geometry *geometry, struct tsr_pixels pixels,
                                  size_t region, tsr_real *y);

/* The task of a region whose context and query set are all its pixels, with targets y. qry_scale is
 * left 0. */
TSR_API struct tsr_task tsr_geometry_task(const struct tsr_geometry *geometry, size_t region,
                                          const tsr_real *y);

/* Index among the context points of a region of its i-th own pixel, and that pixel's place in the
 * image (*at). */
TSR_API size_t tsr_geometry_own_point(const struct tsr_geometry *geometry, size_t region, size_t i,
                                      size_t *at);

/* The place in the image of a region's i-th context pixel. */
TSR_API size_t tsr_geometry_context_pixel(const struct tsr_geometry *geometry, size_t region,
                                          size_t i);

/* Squared error over the own pixels of a region, summed over pixels and channels, from outputs and
 * targets [n_context, C] at its context points: what counts for the image where a region has more
 * context pixels than its own. Pixels where known [H, W] is not 0 are left out; NULL: none is. */
TSR_API double tsr_geometry_own_error(const struct tsr_geometry *geometry, size_t region,
                                      const tsr_real *out, const tsr_real *y, const uint8_t *known);

/* Outputs [n] as 8 bit: clipped to [0, 1], times 255, rounded; NaN is 0. */
TSR_API void tsr_to_bytes(const tsr_real *values, size_t n, uint8_t *out);

#endif
