/* SPDX-License-Identifier: MIT
 *
 * Reptile (Nichol et al., arXiv 1803.02999): theta moves towards the mean of phi_K. The rates keep
 * their start values.
 */
#include "meta/methods.h"

static double passes(size_t k) {
    return 3 * (double)k;
}

static void finish(const struct tsr_choice *choice, double progress, struct tsr_carried *c) {
    (void)choice, (void)progress;
    tsr_carried_query_error(c);
    tsr_carried_displacement(c);
}

const struct tsr_method tsr_method_reptile = {
    .object = {"reptile", "towards the mean of the adapted parameters", {NULL, 0}},
    .mean_of_tasks = true,
    .wants_outputs = true,
    .passes = passes,
    .finish = finish,
};
