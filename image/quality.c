/* SPDX-License-Identifier: MIT */
#include "image/quality.h"

#include <math.h>
#include <string.h>

enum { WINDOW = 11, HALF = WINDOW / 2, MOMENTS = 4, CHUNK = 64 };

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

/* Products of which SSIM needs the means, of n values less 128: a, b, aa + bb, ab. */
static void products(const uint8_t *a, const uint8_t *b, size_t n, float *to) {
    for (size_t x = 0; x < n; x++) {
        float va = (float)a[x] - 128, vb = (float)b[x] - 128;
        to[x] = va;
        to[n + x] = vb;
        to[2 * n + x] = va * va + vb * vb;
        to[3 * n + x] = va * vb;
    }
}

/* to[x] = weighted sum of WINDOW values, `step` apart, the first of which is from[x]. */
static void along_row(const float *from, size_t step, size_t m, const float *w, float *to) {
    for (size_t x = 0; x < m; x++)
        to[x] = w[HALF] * from[x + HALF * step];
    for (size_t i = 0; i < HALF; i++) {
        const float *left = from + i * step, *right = from + (WINDOW - 1 - i) * step;
        for (size_t x = 0; x < m; x++)
            to[x] += w[i] * (left[x] + right[x]);
    }
}

/* Sum of the index at n <= CHUNK positions; row i of a window begins at rows[i], moments m apart.
 */
static double window_row(const float *const rows[WINDOW], size_t m, size_t n, const float *w) {
    const float c1 = 0.01f * 255 * 0.01f * 255, c2 = 0.03f * 255 * 0.03f * 255;
    float mean[MOMENTS][CHUNK], value[CHUNK];
    for (size_t q = 0; q < MOMENTS; q++) {
        for (size_t x = 0; x < n; x++)
            mean[q][x] = w[HALF] * rows[HALF][q * m + x];
        for (size_t i = 0; i < HALF; i++)
            for (size_t x = 0; x < n; x++)
                mean[q][x] += w[i] * (rows[i][q * m + x] + rows[WINDOW - 1 - i][q * m + x]);
    }
    for (size_t x = 0; x < n; x++) {
        float a = mean[0][x], b = mean[1][x], variance = mean[2][x] - a * a - b * b;
        float covariance = mean[3][x] - a * b;
        a += 128;
        b += 128;
        value[x] =
            (2 * a * b + c1) * (2 * covariance + c2) / ((a * a + b * b + c1) * (variance + c2));
    }
    double sum = 0;
    for (size_t x = 0; x < n; x++)
        sum += (double)value[x];
    return sum;
}

size_t tsr_ssim_scratch(size_t width, size_t channels) {
    return width * channels * MOMENTS * (1 + WINDOW);
}

double tsr_ssim(const uint8_t *a, const uint8_t *b, size_t height, size_t width, size_t channels,
                float *scratch) {
    if (height < WINDOW || width < WINDOW) return (double)NAN;
    float w[WINDOW], *ring = scratch + MOMENTS * width * channels;
    gaussian(w);
    size_t n = width * channels, m = n - (WINDOW - 1) * channels, rows = height - WINDOW + 1;
    double sum = 0;
    for (size_t row = 0; row < height; row++) {
        products(a + row * n, b + row * n, n, scratch);
        for (size_t q = 0; q < MOMENTS; q++)
            along_row(scratch + q * n, channels, m, w, ring + (row % WINDOW * MOMENTS + q) * m);
        for (size_t x = 0; x < m && row + 1 >= WINDOW; x += CHUNK) {
            const float *window[WINDOW];
            for (size_t i = 0; i < WINDOW; i++)
                window[i] = ring + (row + 1 + i) % WINDOW * MOMENTS * m + x;
            sum += window_row(window, m, m - x < CHUNK ? m - x : CHUNK, w);
        }
    }
    return sum / (double)(rows * m);
}
