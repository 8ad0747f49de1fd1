/* SPDX-License-Identifier: MIT */
#include "meta/methods.h"

#define METHOD_OBJECT(name) &tsr_method_##name.object,
static const struct tsr_object *const objects[] = {TSR_METHODS(METHOD_OBJECT)};

const struct tsr_registry tsr_methods = {"method", objects, sizeof objects / sizeof *objects};
