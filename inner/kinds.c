/* SPDX-License-Identifier: MIT */
#include "inner/kinds.h"

#define KIND_OBJECT(name) &tsr_kind_##name.object,
static const struct tsr_object *const objects[] = {TSR_KINDS(KIND_OBJECT)};

const struct tsr_registry tsr_kinds = {"network kind", objects, sizeof objects / sizeof *objects};

void tsr_kind_layout_omegas(const struct tsr_choice *choice, struct tsr_net *net) {
    for (size_t l = 0; l + 1 < net->n_layers; l++)
        net->omega[l] = tsr_choice_get(choice, l ? "omega_hidden" : "omega_first");
}

double tsr_kind_outer_lr_by_width(size_t width) {
    return width <= 16 ? 3e-3 : width <= 32 ? 1.5e-3 : 1e-3;
}
