/* SPDX-License-Identifier: MIT
 *
 * Pictures as they were held: the orientation that EXIF states, and turning pixels by it. Cameras
 * store a picture as the sensor saw it, and state how it has to be turned to stand upright: 1 as it
 * is; 2 mirrored; 3 by half a turn; 4 upside down mirrored; 5 mirrored at the main diagonal; 6 by a
 * quarter clockwise; 7 mirrored at the other diagonal; 8 by a quarter anticlockwise (EXIF 2.32,
 * tag 274). Internal to data/. Any thread.
 */
#ifndef TSR_DATA_ORIENTATION_H
#define TSR_DATA_ORIENTATION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/* Of the TIFF block of an EXIF segment (behind "Exif\0\0" in a JPEG, the content of a PNG's eXIf):
 * 1..8; 1 where it says nothing, or nothing that makes sense. */
unsigned tsr_exif_orientation(const unsigned char *tiff, size_t size);

/* Are height and width exchanged? */
static inline bool tsr_turns_sides(unsigned orientation) {
    return orientation >= 5;
}

/* Turns the picture *pixels, *height x *width of `element` bytes a pixel, upright, and exchanges
 * the sides where need be. *pixels is replaced, by a block to be freed with free(), unless the
 * orientation is 1. TSR_ERR_NO_MEMORY names `what`. */
enum tsr_status tsr_turn_upright(unsigned orientation, size_t element, void **pixels,
                                 size_t *height, size_t *width, const char *what,
                                 struct tsr_error *err) TSR_MUST_USE;

#endif
