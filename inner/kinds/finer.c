/* SPDX-License-Identifier: MIT
 *
 * FINER: a = sin(omega (|z| + 1) z), a sine whose frequency grows with its argument. Liu et al.,
 * "FINER: Flexible spectral-bias tuning in Implicit NEural Representation by Variable-periodic
 * Activation Functions", arXiv 2312.02434. The derivatives are those of the whole formula; the
 * authors' code holds |z| + 1 fixed in the backward pass.
 */
#include <math.h>

#include "base/random.h"
#include "inner/kernels/sincos.h"
#include "inner/kinds.h"

static const struct tsr_param params[] = {
    TSR_KIND_OMEGAS(10, 30),
};

/* As SIREN. */
static void randomize(const struct tsr_net *net, uint64_t seed, uint64_t stream, tsr_real *phi) {
    tsr_kind_siren.randomize(net, seed, stream, phi);
}

/* u = omega (|z| + 1) z, du/dz = omega (2 |z| + 1), d2u/dz2 = 2 omega sign(z), with sign(0) = 0. */
static void units(size_t n, double omega, const tsr_real *restrict z, tsr_real *restrict value,
                  tsr_real *restrict slope, tsr_real *restrict curvature) {
    const tsr_real half_turns = (tsr_real)(omega / 3.14159265358979323846), w = (tsr_real)omega;
    for (size_t i = 0; i < n; i++) {
        tsr_real x = z[i], size = x < 0 ? -x : x, s, c;
        tsr_sincos(half_turns * (size + 1) * x, &s, &c);
        value[i] = s;
        slope[i] = w * (2 * size + 1) * c;
    }
    for (size_t i = 0; curvature && i < n; i++) {
        tsr_real x = z[i], size = x < 0 ? -x : x, first = w * (2 * size + 1);
        tsr_real second = x > 0 ? 2 * w : x < 0 ? -2 * w : 0;
        curvature[i] = second / first * slope[i] - first * first * value[i];
    }
}

const struct tsr_kind tsr_kind_finer = {
    .object = {"finer", "sine layers whose frequency grows with their argument",
               TSR_PARAMS(params)},
    .inner_lr = 3e-2,
    .outer_lr = tsr_kind_outer_lr_by_width,
    .layout = tsr_kind_layout_omegas,
    .randomize = randomize,
    .units = units,
};
