/* SPDX-License-Identifier: MIT
 *
 * Pixel values in memory: 8 bit, as files have them, or real numbers, as a user of the library may.
 */
#ifndef TSR_DATA_PIXELS_H
#define TSR_DATA_PIXELS_H

#include "base/api.h"

/* Values of an image, or of some part of it; a view. One of the two is set. */
struct tsr_pixels {
    const uint8_t *bytes; /* 0 .. 255 stand for 0 .. 1 */
    const float *floats;  /* black 0, white 1; values beyond are taken as they are */
};

/* 8-bit values as such a view. */
#define TSR_BYTES(p) ((struct tsr_pixels){.bytes = (p)})

/* The values from the i-th on. */
TSR_API struct tsr_pixels tsr_pixels_at(struct tsr_pixels pixels, size_t i);

/* out [n]: the values 0 .. 1 of the first n; of bytes v / 255. */
TSR_API void tsr_pixels_values(struct tsr_pixels pixels, size_t n, tsr_real *out);

/* The first n as 8 bit, clipped and rounded: a view of the bytes themselves, or `room` [n], filled.
 */
TSR_API const uint8_t *tsr_pixels_bytes(struct tsr_pixels pixels, size_t n, uint8_t *room);

#endif
