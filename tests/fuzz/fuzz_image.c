/* SPDX-License-Identifier: MIT
 *
 * An image, decoded, then cut and scaled.
 */
#include <stdlib.h>

#include "data/image.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *path = fuzz_file(data, size);
    struct tsr_image image = {0}, probed = {0};
    struct tsr_error err;
    if (tsr_image_probe(path, &probed, &err) != TSR_OK) return 0;
    /* What is large is looked at, not decoded a thousand times. */
    if (probed.height * probed.width > (size_t)1 << 22) return 0;
    if (tsr_image_read(path, NULL, &image, &err) != TSR_OK) return 0;
    if (image.height != probed.height || image.width != probed.width ||
        image.channels != probed.channels)
        abort();
    uint8_t out[5 * 7 * 3];
    for (int fit = TSR_FIT_CROP; fit <= TSR_FIT_TILE; fit++) {
        size_t n = tsr_fit_count(&image, (enum tsr_fit)fit, 5, 7);
        if (n > 0 && tsr_fit_apply(&image, (enum tsr_fit)fit, n - 1, 5, 7, out, &err) != TSR_OK)
            abort();
    }
    tsr_image_clear(&image);
    const struct tsr_image_as grey = {.channels = 1, .background = {1, 2, 3}};
    if (tsr_image_read(path, &grey, &image, NULL) == TSR_OK) tsr_image_clear(&image);
    return 0;
}
