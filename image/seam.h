/* SPDX-License-Identifier: MIT
 *
 * How visible the borders of regions are.
 */
#ifndef TSR_IMAGE_SEAM_H
#define TSR_IMAGE_SEAM_H

#include "partition/partition.h"

/* The seam metric of a residual (output - target, unclipped) [H, W, channels]: the mean of |e(p) -
 * e(q)| over pairs of 4-neighbours p, q in different regions and over the channels, divided by the
 * same mean over pairs within a region. 1: borders are no worse than the inside. NaN if there is no
 * pair of either kind, if the latter mean is 0, or if the residual is not finite. The bits do not
 * depend on `threads`. */
TSR_API double tsr_seam(const tsr_real *residual, size_t channels,
                        const struct tsr_partition *partition, size_t threads);

#endif
