/* SPDX-License-Identifier: MIT
 *
 * An INR, loaded and drawn. TSR_FUZZ_INR is one that was adapted, from which the changes start.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "fuzz.h"
#include "image/inr.h"

void tsr_inr_free(struct tsr_inr *inr);

static const char *base(void) {
    static char path[64];
    const char *given = getenv("TSR_FUZZ_INR");
    if (given) return given;
    if (*path) return path;
    (void)snprintf(path, sizeof path, "/tmp/tessera-fuzz-inr-%ld.h5", (long)getpid());
    struct tsr_model_config config;
    struct tsr_inr *inr;
    tsr_model_config_default(&config);
    if (tsr_inr_create(&config, 16, 12, &inr, NULL) != TSR_OK ||
        tsr_inr_save(inr, path, NULL) != TSR_OK)
        abort();
    tsr_inr_free(inr);
    return path;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct tsr_inr *inr;
    struct tsr_image image = {0};
    struct tsr_error err;
    const char *path = fuzz_h5(base(), data, size);
    if (!path || tsr_inr_load(path, &inr, &err) != TSR_OK) return 0;
    if (inr->net.out_dim <= 3 && inr->net.n_params < 4096 &&
        tsr_inr_render(inr, 9, 7, 1, NULL, NULL, &image, &err) == TSR_OK)
        tsr_image_clear(&image);
    tsr_inr_free(inr);
    return 0;
}
