/* SPDX-License-Identifier: MIT
 *
 * sRGB bytes to CIELAB (CIE 15, white D65): L 0..100, a and b about -128..128.
 *
 * Through tables, which the caller makes once for an image (a few kilobytes, on the stack): within
 * 0.01 of the formulas, and some nanoseconds per pixel.
 */
#ifndef TSR_PARTITION_LAB_H
#define TSR_PARTITION_LAB_H

#include "base/api.h"

#define TSR_LAB_INTERVALS 1024

struct tsr_lab {
    float linear[256];                  /* sRGB byte -> linear light 0..1 */
    float lightness[256];               /* L of a grey byte */
    float curve[TSR_LAB_INTERVALS + 2]; /* f(t) of CIELAB at t = i / TSR_LAB_INTERVALS */
};

TSR_API void tsr_lab_init(struct tsr_lab *tables);

static inline float tsr_lab_curve(const struct tsr_lab *tables, float t) {
    float x = t * TSR_LAB_INTERVALS;
    int i = (int)x;
    return tables->curve[i] + (x - (float)i) * (tables->curve[i + 1] - tables->curve[i]);
}

/* out [3] = L, a, b of a pixel [channels], channels 1 (a = b = 0) or 3. */
static inline void tsr_lab_of(const struct tsr_lab *tables, const uint8_t *pixel, size_t channels,
                              float out[3]) {
    if (channels == 1) {
        out[0] = tables->lightness[*pixel], out[1] = out[2] = 0;
        return;
    }
    float r = tables->linear[pixel[0]], g = tables->linear[pixel[1]], b = tables->linear[pixel[2]];
    /* XYZ over the white: each row sums to 1 */
    float x = tsr_lab_curve(tables, 0.4339499f * r + 0.3762098f * g + 0.1898403f * b);
    float y = tsr_lab_curve(tables, 0.2126729f * r + 0.7151522f * g + 0.0721750f * b);
    float z = tsr_lab_curve(tables, 0.0177566f * r + 0.1094680f * g + 0.8727754f * b);
    out[0] = 116 * y - 16;
    out[1] = 500 * (x - y);
    out[2] = 200 * (y - z);
}

#endif
