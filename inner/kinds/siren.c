/* SPDX-License-Identifier: MIT
 *
 * SIREN: a = sin(omega z). Sitzmann et al., "Implicit Neural Representations with Periodic
 * Activation Functions", arXiv 2006.09661.
 */
#include <math.h>

#include "base/random.h"
#include "inner/kernels/sincos.h"
#include "inner/kinds.h"

static const struct tsr_param params[] = {
    TSR_KIND_OMEGAS(15, 30),
};

/* First layer U(-1/in, 1/in), others U(-sqrt(6/in)/omega_hidden, +) (arXiv 2006.09661, section 3.2
 * and supplement 1.5), biases U(-1/sqrt(in), +); the last layer's bias is 0. */
static void randomize(const struct tsr_net *net, uint64_t seed, uint64_t stream, tsr_real *phi) {
    size_t last = net->n_layers - 1;
    for (size_t l = 0; l <= last; l++) {
        double in = (double)net->fan_in[l];
        double bound = l ? sqrt(6 / in) / net->omega[l == last ? l - 1 : l] : 1 / in;
        for (size_t i = net->weight_at[l]; i < net->bias_at[l]; i++)
            phi[i] = (tsr_real)(bound * (2 * tsr_random_uniform(seed, stream, i) - 1));
        for (size_t i = net->bias_at[l]; i < net->bias_at[l] + net->fan_out[l]; i++)
            phi[i] = l == last
                         ? 0
                         : (tsr_real)((2 * tsr_random_uniform(seed, stream, i) - 1) / sqrt(in));
    }
}

static void units(size_t n, double omega, const tsr_real *restrict z, tsr_real *restrict value,
                  tsr_real *restrict slope, tsr_real *restrict curvature) {
    tsr_real half_turns = (tsr_real)(omega / 3.14159265358979323846), factor = (tsr_real)omega;
    for (size_t i = 0; i < n; i++) {
        tsr_real s, c;
        tsr_sincos(half_turns * z[i], &s, &c);
        value[i] = s;
        slope[i] = factor * c;
    }
    for (size_t i = 0; curvature && i < n; i++)
        curvature[i] = -factor * factor * value[i];
}

const struct tsr_kind tsr_kind_siren = {
    .object = {"siren", "sine layers", TSR_PARAMS(params)},
    .inner_lr = 3e-2,
    .outer_lr = tsr_kind_outer_lr_by_width,
    .layout = tsr_kind_layout_omegas,
    .randomize = randomize,
    .units = units,
};
