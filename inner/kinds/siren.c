/* SPDX-License-Identifier: MIT
 *
 * SIREN: a = sin(omega z). Sitzmann et al., "Implicit Neural Representations with Periodic
 * Activation Functions", arXiv 2006.09661.
 */
#include <math.h>
#include <stdbool.h>

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

/* The period of the series, in ranges of the coordinates. Just above 1 it does not force opposite
 * edges to agree, and the waves are still nearly orthogonal on the pixels; of 1.1, 1.25, 1.5 and 2
 * the first reaches most of a cell's variance with as many waves (CelebA, cells of 11 to 22). */
static const double PERIOD = 1.1;

/* The waves of an integer vector k, one after the other; `rest` is what is left of its squared
 * length. Of k and -k, which are one wave, that whose first component is positive. */
struct series {
    const struct tsr_net *net;
    double step; /* frequency of k = 1, divided by omega */
    tsr_real *phi;
    size_t filled; /* units */
    long k[TSR_MAX_DIM];
};

static void add_unit(struct series *s, double phase) {
    const struct tsr_net *net = s->net;
    if (s->filled == net->width) return;
    for (size_t i = 0; i < net->in_dim; i++)
        s->phi[net->weight_at[0] + s->filled * net->in_dim + i] =
            (tsr_real)(s->step * (double)s->k[i]);
    s->phi[net->bias_at[0] + s->filled++] = (tsr_real)(phase / net->omega[0]);
}

static void add_waves(struct series *s, size_t i, long rest, bool positive) {
    if (s->filled == s->net->width || (i == s->net->in_dim && rest > 0)) return;
    if (i == s->net->in_dim) {
        add_unit(s, 1.57079632679489662); /* the cosine */
        add_unit(s, 0);
        return;
    }
    long most = (long)sqrt((double)rest);
    for (long k = positive ? -most : 0; k <= most; k++) {
        s->k[i] = k;
        add_waves(s, i + 1, rest - k * k, positive || k > 0);
    }
}

static void waves(const struct tsr_net *net, double lo, double hi, tsr_real *phi) {
    struct series s = {
        .net = net, .step = 6.28318530717958648 / (PERIOD * (hi - lo) * net->omega[0]), .phi = phi};
    for (long square = 1; s.filled < net->width; square++)
        add_waves(&s, 0, square, false);
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
    .waves = waves,
    .units = units,
};
