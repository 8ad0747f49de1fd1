/* SPDX-License-Identifier: MIT */
#include "inner/adaptations.h"

#define ADAPTATION_OBJECT(name) &tsr_adaptation_##name.object,
static const struct tsr_object *const objects[] = {TSR_ADAPTATIONS(ADAPTATION_OBJECT)};

const struct tsr_registry tsr_adaptations = {"adaptation", objects,
                                             sizeof objects / sizeof *objects};

size_t tsr_adaptation_count(const struct tsr_choice *choice, const struct tsr_net *net) {
    const struct tsr_adaptation *a = (const void *)choice->object;
    return a->count(net);
}
