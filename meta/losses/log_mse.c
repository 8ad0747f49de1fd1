/* SPDX-License-Identifier: MIT
 *
 * The logarithm of the mean squared error of each image, f(x) = c log x: mean PSNR itself, to which
 * every image contributes alike, however hard it is. With c = 0.001 the slope is that of the
 * squared error at 30 dB, so that clipping means the same.
 */
#include <math.h>

#include "meta/losses.h"

static const double AT_30_DB = 1e-3;

static double weight(const struct tsr_choice *choice, double x) {
    (void)choice;
    return AT_30_DB / fmax(x, 1e-12);
}

const struct tsr_loss tsr_loss_log_mse = {
    .object = {.name = "log-mse", .about = "the logarithm of the squared error of each image"},
    .weight = weight,
};
