/* SPDX-License-Identifier: MIT
 *
 * The orientation in an EXIF segment, and a picture that is turned by it.
 */
#include <stdlib.h>
#include <string.h>

#include "data/orientation.h"
#include "fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    unsigned orientation = tsr_exif_orientation(data, size);
    size_t height = 3, width = 2;
    struct tsr_error err;
    if (orientation < 1 || orientation > 8) abort();
    void *pixels = calloc(height * width, 3);
    if (!pixels) return 0;
    if (tsr_turn_upright(orientation, 3, &pixels, &height, &width, "picture", &err) == TSR_OK &&
        (height == 2) != tsr_turns_sides(orientation))
        abort();
    free(pixels);
    return 0;
}
