/* SPDX-License-Identifier: MIT
 *
 * D numbers per region adapt: phi = theta + M z, where theta and the basis M [n_params, D] are
 * learned by the outer loop and z begins at 0. CAVIA (Zintgraf et al., arXiv 1810.03642) and functa
 * (Dupont et al., arXiv 2201.12204) do this for biases; here the basis reaches all parameters.
 */
#include <string.h>

#include "inner/adaptations.h"

static const struct tsr_param params[] = {
    {.name = "numbers",
     .metavar = "D",
     .type = TSR_PARAM_COUNT,
     .fallback = 256,
     .lo = 1,
     .hi = 65536,
     .positional = true,
     .help = "numbers per region"},
};

static void layout(const struct tsr_net *net, struct tsr_space *out) {
    (void)net;
    out->n = out->n_directions = out->end[0] = out->rows[0] = (size_t)out->choice.value[0];
    out->n_groups = 1;
}

static void start(const struct tsr_chart *c, tsr_real *z) {
    memset(z, 0, c->space->n * sizeof *z);
}

static void push(const struct tsr_chart *c, size_t count, const tsr_real *const *w, size_t from,
                 size_t to, tsr_real *const *v) {
    for (size_t t = 0; t < count; t++)
        memset(v[t] + from, 0, (to - from) * sizeof **v);
    c->kernel->combine(c->basis, c->net->n_params, c->space->n, count, w, from, to, v);
}

static void expand(const struct tsr_chart *c, size_t count, const tsr_real *const *z, size_t from,
                   size_t to, tsr_real *const *phi) {
    for (size_t t = 0; t < count; t++)
        memcpy(phi[t] + from, c->theta + from, (to - from) * sizeof **phi);
    c->kernel->combine(c->basis, c->net->n_params, c->space->n, count, z, from, to, phi);
}

static void pull(const struct tsr_chart *c, size_t count, const tsr_real *const *g, size_t from,
                 size_t to, tsr_real *const *gz) {
    c->kernel->project(c->basis, c->net->n_params, from, to, count, g, c->net->n_params, gz);
}

const struct tsr_adaptation tsr_adaptation_latent = {
    .object = {.name = "latent",
               .about = "a few numbers in a learned basis of all parameters",
               .params = TSR_PARAMS(params)},
    .inner_lr = 0.1,
    .layout = layout,
    .start = start,
    .expand = expand,
    .push = push,
    .pull = pull,
};
