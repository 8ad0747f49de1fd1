/* SPDX-License-Identifier: MIT
 *
 * The biases of all layers adapt: the shift modulations of functa (Dupont et al., arXiv
 * 2201.12204).
 */
#include <string.h>

#include "inner/adaptations.h"

/* What is done to the biases of a layer: those at `at` of phi are those at `z` of z. */
typedef void (*part_fn)(const tsr_real *from, tsr_real *to, size_t at, size_t z, size_t n);

static void layout(const struct tsr_net *net, struct tsr_space *out) {
    out->n_groups = net->n_layers;
    for (size_t l = 0; l < net->n_layers; l++) {
        out->end[l] = out->n += net->fan_out[l];
        out->rows[l] = net->fan_out[l];
    }
}

static void fix(struct tsr_net *net) {
    net->weights_fixed = true;
}

static void take(const tsr_real *phi, tsr_real *z, size_t at, size_t begin, size_t n) {
    memcpy(z + begin, phi + at, n * sizeof *z);
}

static void put(const tsr_real *z, tsr_real *phi, size_t at, size_t begin, size_t n) {
    memcpy(phi + at, z + begin, n * sizeof *phi);
}

/* All biases whose place in phi, or (`of_z`) in z, is in [from, to). */
static void for_parts(const struct tsr_net *net, part_fn fn, bool of_z, size_t from, size_t to,
                      const tsr_real *source, tsr_real *target) {
    for (size_t l = 0, z = 0; l < net->n_layers; z += net->fan_out[l++]) {
        size_t base = of_z ? z : net->bias_at[l], end = base + net->fan_out[l];
        size_t lo = from > base ? from : base, hi = to < end ? to : end;
        if (lo < hi) fn(source, target, net->bias_at[l] + lo - base, z + lo - base, hi - lo);
    }
}

static void start(const struct tsr_chart *c, tsr_real *z) {
    for_parts(c->net, take, true, 0, c->space->n, c->theta, z);
}

static void expand(const struct tsr_chart *c, size_t count, const tsr_real *const *z, size_t from,
                   size_t to, tsr_real *const *phi) {
    for (size_t t = 0; t < count; t++) {
        memcpy(phi[t] + from, c->theta + from, (to - from) * sizeof **phi);
        for_parts(c->net, put, false, from, to, z[t], phi[t]);
    }
}

static void push(const struct tsr_chart *c, size_t count, const tsr_real *const *w, size_t from,
                 size_t to, tsr_real *const *v) {
    for (size_t t = 0; t < count; t++) {
        memset(v[t] + from, 0, (to - from) * sizeof **v);
        for_parts(c->net, put, false, from, to, w[t], v[t]);
    }
}

static void pull(const struct tsr_chart *c, size_t count, const tsr_real *const *g, size_t from,
                 size_t to, tsr_real *const *gz) {
    for (size_t t = 0; t < count; t++)
        for_parts(c->net, take, true, from, to, g[t], gz[t]);
}

const struct tsr_adaptation tsr_adaptation_biases = {
    .object = {.name = "biases", .about = "the biases of all layers (shift modulations)"},
    .layout = layout,
    .fix = fix,
    .start = start,
    .expand = expand,
    .push = push,
    .pull = pull,
};
