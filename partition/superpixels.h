/* SPDX-License-Identifier: MIT
 *
 * Superpixels: small connected pieces of nearly one colour, which segmentation merges into regions.
 */
#ifndef TSR_PARTITION_SUPERPIXELS_H
#define TSR_PARTITION_SUPERPIXELS_H

#include "base/status.h"
#include "partition/lab.h"
#include "partition/picture.h"

/* Shortest side for which SLIC is run. */
#define TSR_SLIC_MIN_SIDE 4

/* SLIC superpixels (Achanta et al., IEEE PAMI 34, 2012) of about side x side pixels, in CIELAB:
 * labels [height, width] and their number. Seeds stand in rows and columns, moved to where the
 * contrast is least; at most ten rounds give every pixel to the nearest of the four seeds that were
 * put around it and every seed the mean of its pixels. Every superpixel is 4-connected, and they
 * are numbered by their first pixel in row-major order. SLIC runs on an image reduced 2 to 8 times
 * (at full size it is four times as slow and more), and the borders are then moved at full size,
 * again and again: a border pixel goes to that superpixel which it touches whose colour and place
 * are nearest. side >= TSR_SLIC_MIN_SIDE; height * width < 2^31. Memory: 16 bytes per pixel of the
 * reduced image and 48 per superpixel, freed on return. */
enum tsr_status tsr_superpixels_slic(const struct tsr_lab *lab, const struct tsr_picture *picture,
                                     size_t side, uint32_t *labels, size_t *count,
                                     struct tsr_error *err) TSR_MUST_USE;

/* Squares of side x side pixels (smaller at the lower and right edge): returns their number. */
size_t tsr_superpixels_grid(const struct tsr_picture *picture, size_t side, uint32_t *labels);

#endif
