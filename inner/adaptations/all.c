/* SPDX-License-Identifier: MIT
 *
 * All weights and biases adapt.
 */
#include "inner/adaptations.h"

static void layout(const struct tsr_net *net, struct tsr_space *out) {
    out->n = net->n_params;
    out->n_groups = net->n_layers;
    for (size_t l = 0; l < net->n_layers; l++) {
        out->end[l] = net->bias_at[l] + net->fan_out[l];
        out->rows[l] = net->fan_out[l];
    }
}

const struct tsr_adaptation tsr_adaptation_all = {
    .object = {.name = "all", .about = "all weights and biases"},
    .whole = true,
    .layout = layout,
};
