/* SPDX-License-Identifier: MIT */
#include "inner/adaptations.h"

#include <math.h>

#include "base/random.h"

#define ADAPTATION_OBJECT(name) &tsr_adaptation_##name.object,
static const struct tsr_object *const objects[] = {TSR_ADAPTATIONS(ADAPTATION_OBJECT)};

const struct tsr_registry tsr_adaptations = {"adaptation", objects,
                                             sizeof objects / sizeof *objects};

void tsr_space_layout(const struct tsr_choice *choice, const struct tsr_net *net,
                      struct tsr_space *out) {
    *out = (struct tsr_space){.choice = *choice};
    tsr_adaptation_of(choice)->layout(net, out);
}

void tsr_space_randomize(const struct tsr_space *space, const struct tsr_net *net, uint64_t seed,
                         uint64_t stream, tsr_real *basis) {
    size_t n = space->n_directions * net->n_params;
    double deviation = 1 / sqrt((double)net->n_params);
    uint64_t own = tsr_random_u64(seed, stream, TSR_STREAM_BASIS);
    for (size_t i = 0; i < n; i++)
        basis[i] = (tsr_real)(deviation * tsr_random_normal(own, TSR_STREAM_BASIS, i));
}

size_t tsr_adaptation_count(const struct tsr_choice *choice, const struct tsr_net *net) {
    struct tsr_space space;
    tsr_space_layout(choice, net, &space);
    return space.n;
}
