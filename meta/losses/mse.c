/* SPDX-License-Identifier: MIT
 *
 * The mean squared error.
 */
#include "meta/losses.h"

const struct tsr_loss tsr_loss_mse = {
    .object = {.name = "mse", .about = "the squared error"},
};
