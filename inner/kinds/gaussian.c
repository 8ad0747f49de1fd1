/* SPDX-License-Identifier: MIT
 *
 * Gaussian units: a = exp(-(omega z)^2). Ramasinghe and Lucey, "Beyond Periodicity: Towards a
 * Unifying Framework for Activations in Coordinate-MLPs", arXiv 2111.15135.
 */
#include <math.h>

#include "base/random.h"
#include "inner/kernels/exp2.h"
#include "inner/kinds.h"

static const struct tsr_param params[] = {
    TSR_KIND_OMEGAS(3, 1),
};

/* Weights and biases U(-1/sqrt(in), +), the last layer's bias 0. The paper finds these units to
 * bear any usual initialisation. */
static void randomize(const struct tsr_net *net, uint64_t seed, uint64_t stream, tsr_real *phi) {
    for (size_t l = 0; l < net->n_layers; l++) {
        double bound = 1 / sqrt((double)net->fan_in[l]);
        size_t end = net->bias_at[l] + net->fan_out[l];
        for (size_t i = net->weight_at[l]; i < end; i++)
            phi[i] = (tsr_real)(bound * (2 * tsr_random_uniform(seed, stream, i) - 1));
        for (size_t i = net->bias_at[l]; l + 1 == net->n_layers && i < end; i++)
            phi[i] = 0;
    }
}

static void units(size_t n, double omega, const tsr_real *restrict z, tsr_real *restrict value,
                  tsr_real *restrict slope, tsr_real *restrict curvature) {
    const tsr_real log2_e = (tsr_real)1.44269504088896341, w = (tsr_real)omega;
    for (size_t i = 0; i < n; i++) {
        tsr_real t = w * z[i], a = tsr_exp2(-t * t * log2_e);
        value[i] = a;
        slope[i] = -2 * w * t * a;
    }
    for (size_t i = 0; curvature && i < n; i++) {
        tsr_real t = w * z[i];
        curvature[i] = w * w * (4 * t * t - 2) * value[i];
    }
}

const struct tsr_kind tsr_kind_gaussian = {
    .object = {"gaussian", "Gaussian units", TSR_PARAMS(params)},
    .inner_lr = 3e-2,
    .outer_lr = tsr_kind_outer_lr_by_width,
    .layout = tsr_kind_layout_omegas,
    .randomize = randomize,
    .units = units,
};
