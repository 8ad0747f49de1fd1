/* SPDX-License-Identifier: MIT
 *
 * A stable meaning of "region r" across images, for slots per region with segmentation: anchors are
 * mean regions, learned over many images, and the regions of an image are numbered by the anchor
 * that an optimal assignment gives them.
 */
#ifndef TSR_PARTITION_ANCHORS_H
#define TSR_PARTITION_ANCHORS_H

#include "base/status.h"

/* What describes a region: row and column of its centroid as fractions of the image (the centre of
 * the first pixel is at 1 / (2 height)), the mean L, a, b over 100, the square root of its part of
 * the image's area. */
#define TSR_REGION_FEATURES 6

/* Features of the regions of an image: pixels [height, width, channels], channels 1 or 3; labels
 * [height, width], each below n_regions -> out [n_regions, 6], zeros for a label that does not
 * occur. */
TSR_API void tsr_region_features(const uint8_t *pixels, size_t height, size_t width,
                                 size_t channels, const uint32_t *labels, size_t n_regions,
                                 double *out);

/* The assignment of rows to columns with the smallest total: cost [n, n], finite, any sign;
 * column_of_row [n] is overwritten with a permutation. Shortest augmenting paths with potentials
 * (Jonker and Volgenant, 1987), O(n^3): some 0.2 ms for n = 64. Among equally good assignments it
 * always returns the same one. Errors: TSR_ERR_NUMERIC, TSR_ERR_NO_MEMORY. */
TSR_API enum tsr_status tsr_assign(const double *cost, size_t n, size_t *column_of_row,
                                   struct tsr_error *err) TSR_MUST_USE;

struct tsr_anchors {
    size_t n;
    double *mean;                       /* [n, 6], owned */
    double weight[TSR_REGION_FEATURES]; /* of the squared difference in a feature */
};

/* Anchors from the features [n_images, n_regions, 6] of many images, n_images >= 1, all finite.
 *
 * Starts from the image that is most like the others (of 24 images evenly spread over all, the one
 * whose matching to the others costs least), then alternates optimal assignment of every image and
 * means of what was assigned until nothing changes (at most 100 times). First with weights 1 /
 * variance of each feature over all regions, then with 1 / variance about the anchors, which trusts
 * the features that regions of one anchor have in common; a feature that is constant has weight 0.
 * The order of the anchors is that of the starting image's regions. Deterministic; runs on the
 * calling thread, O(n_images n_regions^3) for each alternation.
 * Errors: TSR_ERR_ARGUMENT (no image, no region), TSR_ERR_NUMERIC, TSR_ERR_NO_MEMORY; `out` is then
 * empty. */
TSR_API enum tsr_status tsr_anchors_learn(const double *features, size_t n_images, size_t n_regions,
                                          struct tsr_anchors *out,
                                          struct tsr_error *err) TSR_MUST_USE;

/* Frees the means and zeroes the struct. */
TSR_API void tsr_anchors_clear(struct tsr_anchors *anchors);

/* Renumbers labels [height, width] of an image, 0 .. n - 1, so that label r is the region that is
 * matched to anchor r. A label that does not occur takes part as a region of features 0. Any
 * thread. Errors: TSR_ERR_ARGUMENT for a label of n or more, TSR_ERR_NO_MEMORY; the labels are then
 * as they were. */
TSR_API enum tsr_status tsr_anchors_match(const struct tsr_anchors *anchors, const uint8_t *pixels,
                                          size_t height, size_t width, size_t channels,
                                          uint32_t *labels, struct tsr_error *err) TSR_MUST_USE;

#endif
