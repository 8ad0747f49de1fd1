/* SPDX-License-Identifier: MIT
 *
 * Unsupervised segmentation into a given number of connected regions: the PoS rule of arXiv
 * 2310.14184.
 *
 * Superpixels (SLIC in CIELAB), at least eight for each region where the image has the pixels, are
 * merged along the graph of their shared borders until n_regions are left. Where superpixels of 4x4
 * pixels would be too few (fewer than eight a region, or 400 an image), squares of 2x2 pixels take
 * their place, and single pixels where those would be too few or the image has at most 8192 pixels;
 * so an image of any content can have up to one region a pixel.
 *
 * Merging by `color`: the pair of least cost, where the cost grows with the difference in colour,
 * the contrast along the border and the areas (Ward), and falls with the relative length of the
 * border. A piece far smaller than the others goes first, so that no region starves: the smallest
 * seldom has less than a fifth of the mean area.
 *
 * Merging by `area`, the paper's rule: once colour has left four pieces for each region, the
 * smallest goes into the smallest of its neighbours, the first on ties. Blind to colour, but the
 * areas are alike. (The paper starts from the segmentation of OpenCV's HFS.)
 */
#ifndef TSR_PARTITION_SEGMENTATION_H
#define TSR_PARTITION_SEGMENTATION_H

#include "base/names.h"
#include "base/status.h"

enum tsr_merge { TSR_MERGE_COLOR, TSR_MERGE_AREA };

TSR_API extern const struct tsr_names tsr_merge_names;
TSR_API const char *tsr_merge_name(enum tsr_merge merge); /* "color", "area" */
TSR_API enum tsr_status tsr_merge_parse(const char *text, enum tsr_merge *out,
                                        struct tsr_error *err) TSR_MUST_USE;

/* pixels [height, width, channels], channels 1 or 3 -> labels [height, width], 0 .. n_regions - 1:
 * exactly n_regions regions, each 4-connected, numbered by their first pixel in row-major order.
 *
 * A function of its arguments alone; any thread, and it starts none. About 8 ms for 178x178 pixels
 * on one core, 0.13 s for 768x512, 3 s for 24 megapixels; memory beside the arguments: some 5 MB,
 * 15 MB for 24 megapixels, plus 250 bytes a superpixel where n_regions asks for more than some
 * hundred. Errors: TSR_ERR_ARGUMENT (2^31 pixels or more, other channels), TSR_ERR_CONFIG
 * (n_regions 0 or larger than the image allows: the message names the largest), TSR_ERR_NO_MEMORY.
 */
TSR_API enum tsr_status tsr_segment(const uint8_t *pixels, size_t height, size_t width,
                                    size_t channels, size_t n_regions, enum tsr_merge merge,
                                    uint32_t *labels, struct tsr_error *err) TSR_MUST_USE;

#endif
