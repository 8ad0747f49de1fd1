/* SPDX-License-Identifier: MIT
 *
 * A label map, decoded and cut.
 */
#include <stdlib.h>

#include "data/image.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *path = fuzz_file(data, size);
    struct tsr_image probed = {0};
    struct tsr_label_map map;
    struct tsr_error err;
    uint16_t out[5 * 7];
    if (tsr_image_probe(path, &probed, NULL) == TSR_OK && probed.height * probed.width > (size_t)1
                                                                                             << 22)
        return 0;
    if (tsr_label_map_read(path, NULL, &map, &err) != TSR_OK) return 0;
    for (int fit = TSR_FIT_COVER; fit <= TSR_FIT_SQUASH; fit++)
        if (tsr_fit_labels(&map, (enum tsr_fit)fit, 0, 5, 7, out, &err) != TSR_OK) abort();
    tsr_label_map_clear(&map);
    return 0;
}
