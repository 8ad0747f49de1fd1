/* SPDX-License-Identifier: MIT */
#include "partition/lab.h"

#include <math.h>

static double curve(double t) {
    const double d = 6.0 / 29;
    return t > d * d * d ? cbrt(t) : t / (3 * d * d) + 4.0 / 29;
}

void tsr_lab_init(struct tsr_lab *tables) {
    for (int i = 0; i < 256; i++) {
        double s = i / 255.0;
        double linear = s <= 0.04045 ? s / 12.92 : pow((s + 0.055) / 1.055, 2.4);
        tables->linear[i] = (float)linear;
        tables->lightness[i] = (float)(116 * curve(linear) - 16);
    }
    for (int i = 0; i < TSR_LAB_INTERVALS + 2; i++)
        tables->curve[i] = (float)curve((double)i / TSR_LAB_INTERVALS);
}
