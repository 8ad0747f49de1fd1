/* SPDX-License-Identifier: MIT */
#include "cli/built_in.h"

#include <stdlib.h>
#include <string.h>

#include "cli/image_list.h"
#include "cli/paths.h"

/* To be freed; NULL: it is not there. */
static char *path_of(enum tsr_preset preset) {
    char *file = cli_join("models", tsr_preset_name(preset), ".h5");
    char *path = file ? cli_installed(file) : NULL;
    free(file);
    return path;
}

static enum tsr_status find(struct cli_call *call, enum tsr_preset preset) {
    const char *name = tsr_preset_name(preset);
    call->built_in = path_of(preset);
    if (call->built_in) return TSR_OK;
    return TSR_ERROR(&call->err, TSR_ERR_IO,
                     "the built-in model %s is neither beside the program nor where it is "
                     "installed; `make models` learns it, or name a model M.h5",
                     name);
}

enum tsr_status cli_built_in_take(struct cli_call *call) {
    const enum tsr_preset *preset = (void *)((char *)call->args + call->command->built_in);
    bool asked = cli_given(call, "preset");
    if (call->command->built_in == 0 || *preset == TSR_PRESET_NONE) return TSR_OK;
    if (!asked && (call->n_operands == 0 || !cli_holds_images(call->operands[0]))) return TSR_OK;
    TSR_TRY(find(call, *preset));
    if (!asked && !((const struct cli_common *)call->args)->quiet)
        cli_complain(call, "the built-in model %s (--preset)", tsr_preset_name(*preset));
    memmove(call->operands + 1, call->operands, call->n_operands * sizeof *call->operands);
    call->operands[0] = call->built_in;
    call->n_operands++;
    return TSR_OK;
}

bool cli_built_in_complete(struct tsr_inr *inr) {
    for (size_t i = TSR_PRESET_NONE + 1; i < tsr_preset_names.n && inr->incomplete; i++) {
        char *path = path_of((enum tsr_preset)i);
        struct tsr_model *model = NULL;
        if (path && tsr_model_load(path, &model, NULL) == TSR_OK)
            (void)!tsr_inr_complete(inr, model, NULL);
        tsr_model_free(model);
        free(path);
    }
    return !inr->incomplete;
}
