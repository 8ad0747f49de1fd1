/* SPDX-License-Identifier: MIT */
#include "image/quality.h"

#include <math.h>
#include <string.h>

enum { WINDOW = 11 };

double tsr_psnr_db(double squared_error, size_t n) {
    return -10 * log10(squared_error / (double)n);
}

static void gaussian(float w[WINDOW]) {
    double sum = 0, sigma = 1.5, value[WINDOW];
    for (int i = 0; i < WINDOW; i++) {
        double x = i - WINDOW / 2;
        sum += value[i] = exp(-x * x / (2 * sigma * sigma));
    }
    for (int i = 0; i < WINDOW; i++)
        w[i] = (float)(value[i] / sum);
}

/* moments [5, width]: vertical sums of a, b, aa, bb, ab over the window whose first row is `row`.
 */
static void column_moments(const uint8_t *a, const uint8_t *b, size_t row, size_t width,
                           size_t channels, size_t channel, const float *w, float *moments) {
    memset(moments, 0, 5 * width * sizeof *moments);
    for (size_t i = 0; i < WINDOW; i++) {
        const uint8_t *pa = a + (row + i) * width * channels + channel;
        const uint8_t *pb = b + (row + i) * width * channels + channel;
        for (size_t x = 0; x < width; x++) {
            float va = pa[x * channels], vb = pb[x * channels];
            moments[x] += w[i] * va;
            moments[width + x] += w[i] * vb;
            moments[2 * width + x] += w[i] * va * va;
            moments[3 * width + x] += w[i] * vb * vb;
            moments[4 * width + x] += w[i] * va * vb;
        }
    }
}

static double ssim_at(const float *moments, size_t width, size_t x, const float *w) {
    const double c1 = (0.01 * 255) * (0.01 * 255), c2 = (0.03 * 255) * (0.03 * 255);
    double m[5] = {0};
    for (size_t q = 0; q < 5; q++)
        for (size_t i = 0; i < WINDOW; i++)
            m[q] += (double)(w[i] * moments[q * width + x + i]);
    double ab = m[0] * m[1], aa = m[0] * m[0], bb = m[1] * m[1];
    return (2 * ab + c1) * (2 * (m[4] - ab) + c2) / ((aa + bb + c1) * (m[2] - aa + m[3] - bb + c2));
}

double tsr_ssim(const uint8_t *a, const uint8_t *b, size_t height, size_t width, size_t channels,
                float *scratch) {
    if (height < WINDOW || width < WINDOW) return (double)NAN;
    float w[WINDOW];
    gaussian(w);
    size_t rows = height - WINDOW + 1, cols = width - WINDOW + 1;
    double sum = 0;
    for (size_t channel = 0; channel < channels; channel++)
        for (size_t row = 0; row < rows; row++) {
            column_moments(a, b, row, width, channels, channel, w, scratch);
            for (size_t x = 0; x < cols; x++)
                sum += ssim_at(scratch, width, x, w);
        }
    return sum / (double)(rows * cols * channels);
}
