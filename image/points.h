/* SPDX-License-Identifier: MIT
 *
 * An INR at any points.
 */
#ifndef TSR_IMAGE_POINTS_H
#define TSR_IMAGE_POINTS_H

#include "image/inr.h"

/* out [n, out_dim], overwritten: the unclipped values at coordinates [n, 2] (row, column in pixels
 * of the original image, its first pixel's centre at 0, 0), all finite. Each point is evaluated by
 * the network of the region it falls in, or, where regions overlap, by all whose weight is not zero
 * there, and blended; beyond the edges by the nearest. The bits do not depend on `threads` (0:
 * all). Finding the regions of a point costs a search over rows and columns of a grid, and over all
 * regions of a label map with overlap. Errors: TSR_ERR_ARGUMENT for a coordinate that is not
 * finite, TSR_ERR_NO_MEMORY, as tsr_kernel_find(). */
TSR_API enum tsr_status tsr_inr_at_points(const struct tsr_inr *inr, const float *coordinates,
                                          size_t n, size_t threads, const char *kernel, float *out,
                                          struct tsr_error *err) TSR_MUST_USE;

#endif
