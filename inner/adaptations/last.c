/* SPDX-License-Identifier: MIT
 *
 * The last layer adapts, as in ANIL (Raghu et al., arXiv 1909.09157): the layers below are features
 * that all images share. The loss is quadratic in it.
 */
#include <string.h>

#include "inner/adaptations.h"

static size_t first(const struct tsr_net *net) {
    return net->weight_at[net->n_layers - 1];
}

static void layout(const struct tsr_net *net, struct tsr_space *out) {
    out->n = out->end[0] = net->n_params - first(net);
    out->n_groups = 1;
    out->rows[0] = net->out_dim;
}

static void fix(struct tsr_net *net) {
    net->n_fixed = net->n_layers - 1;
}

static void start(const struct tsr_chart *c, tsr_real *z) {
    memcpy(z, c->theta + first(c->net), c->space->n * sizeof *z);
}

static void expand(const struct tsr_chart *c, size_t count, const tsr_real *const *z, size_t from,
                   size_t to, tsr_real *const *phi) {
    for (size_t t = 0; t < count; t++)
        for (size_t i = from; i < to; i++)
            phi[t][i] = i < first(c->net) ? c->theta[i] : z[t][i - first(c->net)];
}

static void push(const struct tsr_chart *c, size_t count, const tsr_real *const *w, size_t from,
                 size_t to, tsr_real *const *v) {
    for (size_t t = 0; t < count; t++)
        for (size_t i = from; i < to; i++)
            v[t][i] = i < first(c->net) ? 0 : w[t][i - first(c->net)];
}

static void pull(const struct tsr_chart *c, size_t count, const tsr_real *const *g, size_t from,
                 size_t to, tsr_real *const *gz) {
    for (size_t t = 0; t < count; t++)
        memcpy(gz[t] + from, g[t] + first(c->net) + from, (to - from) * sizeof **gz);
}

const struct tsr_adaptation tsr_adaptation_last = {
    .object = {.name = "last", .about = "the last layer (ANIL)"},
    .layout = layout,
    .fix = fix,
    .start = start,
    .expand = expand,
    .push = push,
    .pull = pull,
};
