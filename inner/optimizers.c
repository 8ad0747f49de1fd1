/* SPDX-License-Identifier: MIT */
#include "inner/optimizers.h"

#define OPTIMIZER_OBJECT(name) &tsr_optimizer_##name.object,
static const struct tsr_object *const objects[] = {TSR_OPTIMIZERS(OPTIMIZER_OBJECT)};

const struct tsr_registry tsr_optimizers = {"inner optimizer", objects,
                                            sizeof objects / sizeof *objects};
