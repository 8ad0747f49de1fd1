/* SPDX-License-Identifier: MIT
 *
 * Measures of a reconstruction: PSNR and SSIM.
 */
#ifndef TSR_IMAGE_QUALITY_H
#define TSR_IMAGE_QUALITY_H

#include "base/api.h"

/* PSNR in dB, peak 1, from a sum of squared errors over n values. */
TSR_API double tsr_psnr_db(double squared_error, size_t n);

/* SSIM (Wang et al. 2004): Gaussian window 11x11 of sigma 1.5, K1 0.01, K2 0.03, peak 255, mean
 * over the valid positions and the channels. a, b [H, W, C]. NaN if a side is below 11. scratch:
 * tsr_ssim_scratch() floats. */
TSR_API double tsr_ssim(const uint8_t *a, const uint8_t *b, size_t height, size_t width,
                        size_t channels, float *scratch);

TSR_API size_t tsr_ssim_scratch(size_t width, size_t channels);

#endif
