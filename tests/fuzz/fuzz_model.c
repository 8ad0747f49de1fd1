/* SPDX-License-Identifier: MIT
 *
 * A model, and the run that it may be resumed from. TSR_FUZZ_MODEL is one that was trained, from
 * which the changes start.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz.h"
#include "image/checkpoint.h"
#include "image/model.h"

void tsr_model_free(struct tsr_model *model);

static const char *base(void) {
    static char path[64];
    const char *given = getenv("TSR_FUZZ_MODEL");
    if (given) return given;
    if (*path) return path;
    (void)snprintf(path, sizeof path, "/tmp/tessera-fuzz-model-%ld.h5", (long)getpid());
    struct tsr_model_config config;
    struct tsr_model *model;
    tsr_model_config_default(&config);
    if (tsr_model_create(&config, 1, &model, NULL) != TSR_OK ||
        tsr_model_save(model, path, NULL) != TSR_OK)
        abort();
    tsr_model_free(model);
    return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct tsr_model *model;
    struct tsr_outer_state state;
    struct tsr_origin origin;
    struct tsr_error err;
    const char *path = fuzz_h5(base(), data, size);
    if (!path) return 0;
    if (tsr_model_load(path, &model, &err) == TSR_OK) tsr_model_free(model);
    if (tsr_checkpoint_load(path, &model, &state, &origin, &err) == TSR_OK) {
        tsr_model_free(model);
        tsr_outer_state_clear(&state);
    }
    return 0;
}
