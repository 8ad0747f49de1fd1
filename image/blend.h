/* SPDX-License-Identifier: MIT
 *
 * The picture that the regions of an image give together: at each pixel the sum of the outputs of
 * the regions whose context holds it, times their weights (tsr_partition_weights()).
 */
#ifndef TSR_IMAGE_BLEND_H
#define TSR_IMAGE_BLEND_H

#include "image/geometry.h"

struct tsr_blend {
    const struct tsr_geometry *geometry;
    size_t *first;   /* [n_regions+1] where the context points of each region begin; owned */
    float *weight;   /* [first[n_regions]] of each context point; owned */
    size_t capacity; /* of weight */
};

/* For the geometry's present regions; the geometry is kept. */
TSR_API enum tsr_status tsr_blend_create(const struct tsr_geometry *geometry, struct tsr_blend *out,
                                         struct tsr_error *err) TSR_MUST_USE;
/* To be called after tsr_geometry_follow(). Allocates only where the regions have more context
 * points than any before; after an error the blend can only be cleared or followed again. */
TSR_API enum tsr_status tsr_blend_follow(struct tsr_blend *blend,
                                         struct tsr_error *err) TSR_MUST_USE;
TSR_API void tsr_blend_clear(struct tsr_blend *blend);

/* Context points of all regions. */
TSR_API size_t tsr_blend_points(const struct tsr_blend *blend);

/* out [points, C]: outputs of the regions at their context points, region r's from first[r] on;
 * picture [H, W, C], overwritten. The bits do not depend on `threads`. */
TSR_API void tsr_blend_gather(const struct tsr_blend *blend, const tsr_real *out, size_t threads,
                              tsr_real *picture);

/* From a picture [H, W, C] to its difference from an image, in place, and the squared error
 * of each region's own pixels: region_error [n_regions], or NULL. */
TSR_API void tsr_blend_compare(const struct tsr_geometry *geometry, struct tsr_pixels pixels,
                               size_t threads, tsr_real *picture, double *region_error);

/* Of such a difference the squared error of each region's own pixels where known [H, W] is 0. */
TSR_API void tsr_blend_unseen(const struct tsr_geometry *geometry, const tsr_real *difference,
                              const uint8_t *known, double *region_error);

#endif
