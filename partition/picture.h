/* SPDX-License-Identifier: MIT */
#ifndef TSR_PARTITION_PICTURE_H
#define TSR_PARTITION_PICTURE_H

#include <stddef.h>
#include <stdint.h>

/* An image: pixels [height, width, channels], channels 1 or 3, a view. */
struct tsr_picture {
    const uint8_t *pixels;
    size_t height, width, channels;
};

#endif
