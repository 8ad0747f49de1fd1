/* SPDX-License-Identifier: MIT
 *
 * Huber's loss ("Robust estimation of a location parameter", 1964), scaled so that small errors
 * count as squares: rho(r) = r^2 up to |r| = D and 2 D |r| - D^2 beyond.
 */
#include "meta/losses.h"

static const struct tsr_param params[] = {
    {.name = "huber_delta",
     .metavar = "D",
     .fallback = 0.1,
     .lo = 1e-6,
     .hi = 1e6,
     .positional = true,
     .help = "error from which on the loss is linear; pixel values reach from 0 to 1"},
};

static double slope(const struct tsr_choice *choice, double r) {
    double most = choice->value[0];
    return r > most ? most : r < -most ? -most : r;
}

const struct tsr_loss tsr_loss_huber = {
    .object = {.name = "huber",
               .about = "the squared error, of large errors the absolute one",
               .params = TSR_PARAMS(params)},
    .slope = slope,
};
