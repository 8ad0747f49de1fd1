/* SPDX-License-Identifier: MIT
 *
 * Adaptations as objects: which numbers of a network the inner loop adapts to a region. One file of
 * inner/adaptations/ defines each. The others keep the values that were learned, the same for all
 * images: only the adapted ones have to be stored or sent for an image.
 */
#ifndef TSR_INNER_ADAPTATIONS_H
#define TSR_INNER_ADAPTATIONS_H

#include "base/object.h"
#include "inner/adaptations/adaptations_list.h"
#include "inner/network.h"

struct tsr_adaptation {
    struct tsr_object object;
    /* Numbers that are adapted, 1 to net->n_params. */
    size_t (*count)(const struct tsr_net *net);
};

#define TSR_ADAPTATION_DECLARE(name)                                                               \
    TSR_API extern const struct tsr_adaptation tsr_adaptation_##name;
TSR_ADAPTATIONS(TSR_ADAPTATION_DECLARE)
#undef TSR_ADAPTATION_DECLARE

/* All adaptations; the first is the default. */
TSR_API extern const struct tsr_registry tsr_adaptations;

/* Numbers of one region that the choice adapts. */
TSR_API size_t tsr_adaptation_count(const struct tsr_choice *choice, const struct tsr_net *net);

#endif
