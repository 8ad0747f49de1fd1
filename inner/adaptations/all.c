/* SPDX-License-Identifier: MIT
 *
 * All weights and biases adapt.
 */
#include "inner/adaptations.h"

static size_t count(const struct tsr_net *net) {
    return net->n_params;
}

const struct tsr_adaptation tsr_adaptation_all = {
    .object = {.name = "all", .about = "all weights and biases"},
    .count = count,
};
