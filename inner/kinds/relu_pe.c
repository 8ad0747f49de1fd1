/* SPDX-License-Identifier: MIT
 *
 * ReLU on a positional encoding of the coordinates (arXiv 2003.08934, eq. 4; order and frequencies
 * as in the code of arXiv 2310.14184), or on the coordinates themselves: a = max(z, 0), with slope
 * 0 at 0.
 */
#include <math.h>
#include <string.h>

#include "base/random.h"
#include "inner/kinds.h"

static const struct tsr_param params[] = {
    {.name = "octaves",
     .metavar = "N",
     .type = TSR_PARAM_COUNT,
     .fallback = 4,
     .hi = TSR_MAX_OCTAVES,
     .help = "sine and cosine of so many frequencies of each coordinate; 0: the coordinates "
             "themselves. The highest should not exceed pi per pixel; in short runs few octaves "
             "learn faster"},
    {.name = "pe_omega",
     .metavar = "W",
     .fallback = 1,
     .lo = 1e-9,
     .hi = 1e6,
     .help = "frequency of the first octave; each has twice that of the one before"},
};

/* Half of what is best over 3,000 outer steps. */
static double outer_lr(size_t width) {
    (void)width;
    return 5e-3;
}

static void layout(const struct tsr_choice *choice, struct tsr_net *net) {
    net->octaves = (size_t)tsr_choice_get(choice, "octaves");
    net->pe_omega = tsr_choice_get(choice, "pe_omega");
}

/* All layers N(0, 2/in) (arXiv 1502.01852, eq. 10), biases 0. */
static void randomize(const struct tsr_net *net, uint64_t seed, uint64_t stream, tsr_real *phi) {
    for (size_t l = 0; l < net->n_layers; l++) {
        double deviation = sqrt(2 / (double)net->fan_in[l]);
        for (size_t i = net->weight_at[l]; i < net->bias_at[l]; i++)
            phi[i] = (tsr_real)(deviation * tsr_random_normal(seed, stream, i));
        memset(phi + net->bias_at[l], 0, net->fan_out[l] * sizeof *phi);
    }
}

static void units(size_t n, double omega, const tsr_real *restrict z, tsr_real *restrict value,
                  tsr_real *restrict slope, tsr_real *restrict curvature) {
    (void)omega;
    for (size_t i = 0; i < n; i++) {
        tsr_real x = z[i];
        value[i] = x <= 0 ? 0 : x;
        slope[i] = x > 0;
    }
    for (size_t i = 0; curvature && i < n; i++)
        curvature[i] = 0;
}

const struct tsr_kind tsr_kind_relu_pe = {
    .object = {"relu-pe", "ReLU on a positional encoding of the coordinates", TSR_PARAMS(params)},
    .inner_lr = 2e-1,
    .outer_lr = outer_lr,
    .layout = layout,
    .randomize = randomize,
    .units = units,
};
