/* SPDX-License-Identifier: MIT */
#include "meta/losses.h"

#include "meta/methods.h"

#define LOSS_OBJECT(name) &tsr_loss_##name.object,
static const struct tsr_object *const objects[] = {TSR_LOSSES(LOSS_OBJECT)};

const struct tsr_registry tsr_losses = {"outer loss", objects, sizeof objects / sizeof *objects};

enum tsr_status tsr_loss_check(const struct tsr_choice *choice, const struct tsr_method *method,
                               struct tsr_error *err) {
    TSR_TRY(tsr_choice_check(&tsr_losses, choice, err));
    const struct tsr_loss *loss = tsr_loss_of(choice);
    if (method->wants_outputs && (loss->slope || loss->weight))
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "outer loss %s with the method %s, which follows no outer loss",
                         choice->object->name, method->object.name);
    if (method->many_losses && loss->weight)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "outer loss %s with the method %s, whose losses after several inner steps "
                         "would weigh an image differently",
                         choice->object->name, method->object.name);
    return TSR_OK;
}
