/* SPDX-License-Identifier: MIT */
#include "data/pixels.h"

struct tsr_pixels tsr_pixels_at(struct tsr_pixels pixels, size_t i) {
    return (struct tsr_pixels){.bytes = pixels.bytes ? pixels.bytes + i : NULL,
                               .floats = pixels.floats ? pixels.floats + i : NULL};
}

void tsr_pixels_values(struct tsr_pixels pixels, size_t n, tsr_real *out) {
    if (pixels.floats)
        for (size_t i = 0; i < n; i++)
            out[i] = (tsr_real)pixels.floats[i];
    else
        for (size_t i = 0; i < n; i++)
            out[i] = (tsr_real)pixels.bytes[i] / 255;
}

const uint8_t *tsr_pixels_bytes(struct tsr_pixels pixels, size_t n, uint8_t *room) {
    if (pixels.bytes) return pixels.bytes;
    for (size_t i = 0; i < n; i++) {
        float v = pixels.floats[i] > 0 ? pixels.floats[i] : 0;
        room[i] = (uint8_t)(int)((v < 1 ? v : 1) * 255 + 0.5F);
    }
    return room;
}
