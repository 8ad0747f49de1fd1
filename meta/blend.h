/* SPDX-License-Identifier: MIT
 *
 * The picture that the regions of an image give together: at each pixel the sum of the outputs of
 * the regions whose context holds it, times their weights (tsr_partition_weights()).
 */
#ifndef TSR_META_BLEND_H
#define TSR_META_BLEND_H

#include "base/memory.h"
#include "meta/geometry.h"

struct tsr_blend {
    const struct tsr_geometry *geometry;
    size_t *first;       /* [n_regions+1] where the context points of each region begin */
    float *own;          /* room for weights that the partition does not hold */
    const float *weight; /* [context] of each context point; a view of the partition or of `own` */
    uint32_t *owner;     /* [H, W] the region of each pixel */
};

/* Room for any image of the geometry. */
TSR_API void tsr_blend_layout(struct tsr_blend *blend, const struct tsr_geometry *geometry,
                              struct tsr_arena *arena);

/* To be called when the regions are known, or others. */
TSR_API void tsr_blend_prepare(struct tsr_blend *blend);

/* out [context, C]: outputs of the regions at their context points, region r's from first[r]
 * on; picture [H, W, C], overwritten. The bits do not depend on `threads`. */
TSR_API void tsr_blend_gather(const struct tsr_blend *blend, const tsr_real *out, size_t threads,
                              tsr_real *picture);

/* From a picture [H, W, C] to its difference from an 8-bit image, in place, and the squared error
 * of each region's own pixels: region_error [n_regions], or NULL. */
TSR_API void tsr_blend_compare(const struct tsr_blend *blend, const uint8_t *pixels, size_t threads,
                               tsr_real *picture, double *region_error);

/* How visible the borders of regions are in a residual (output - target) [H, W, C]: the mean of
 * |e(p) - e(q)| over pairs of neighbours p, q (right and below) in different regions and over the
 * channels, divided by the same mean over pairs within a region. 1: no seam. NaN if there is no
 * pair of either kind, or if the latter mean is 0. */
TSR_API double tsr_blend_seam(const struct tsr_blend *blend, const tsr_real *residual);

#endif
