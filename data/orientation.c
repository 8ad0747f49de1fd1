/* SPDX-License-Identifier: MIT */
#include "data/orientation.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* ---- EXIF: one entry of the first directory of a TIFF block ------------------------------------
 */

#define TAG_ORIENTATION 0x0112
enum field_type { FIELD_BYTE = 1, FIELD_SHORT = 3, FIELD_LONG = 4 };

struct tiff {
    const unsigned char *bytes;
    bool big; /* the most significant byte comes first */
};

/* A number of n bytes; the caller has looked that they are there. */
static uint32_t number(const struct tiff *t, size_t at, size_t n) {
    uint32_t value = 0;
    for (size_t i = 0; i < n; i++)
        value = value << 8 | t->bytes[at + (t->big ? i : n - 1 - i)];
    return value;
}

static unsigned orientation_of_entry(const struct tiff *t, size_t at) {
    uint32_t type = number(t, at + 2, 2), count = number(t, at + 4, 4), value = 0;
    if (count != 1) return 0;
    if (type == FIELD_BYTE) value = number(t, at + 8, 1);
    if (type == FIELD_SHORT) value = number(t, at + 8, 2);
    if (type == FIELD_LONG) value = number(t, at + 8, 4);
    return value <= 8 ? value : 0;
}

unsigned tsr_exif_orientation(const unsigned char *bytes, size_t size) {
    struct tiff t = {.bytes = bytes};
    if (size < 8) return 1;
    t.big = bytes[0] == 'M';
    if (memcmp(bytes, "II", 2) != 0 && memcmp(bytes, "MM", 2) != 0) return 1;
    size_t at = number(&t, 4, 4);
    if (number(&t, 2, 2) != 42 || at > size - 2) return 1;
    size_t entries = number(&t, at, 2);
    for (at += 2; entries > 0 && size - at >= 12; at += 12, entries--) {
        if (number(&t, at, 2) != TAG_ORIENTATION) continue;
        unsigned found = orientation_of_entry(&t, at);
        return found ? found : 1;
    }
    return 1;
}

/* ---- turning --------------------------------------------------------------------------------- */

/* Where in the stored picture, counted in pixels, lies the first pixel of the upright one, and how
 * far it is from there to the next one in its row and to the next row. */
struct way {
    ptrdiff_t first, column, row;
};

static struct way way_of(unsigned orientation, size_t height, size_t width) {
    ptrdiff_t w = (ptrdiff_t)width, last_row = (ptrdiff_t)(height - 1) * w, last = w - 1;
    const struct way ways[9] = {
        [1] = {0, 1, w},
        [2] = {last, -1, w},
        [3] = {last_row + last, -1, -w},
        [4] = {last_row, 1, -w},
        [5] = {0, w, 1},
        [6] = {last_row, -w, 1},
        [7] = {last_row + last, -w, -1},
        [8] = {last, w, -1},
    };
    return ways[orientation];
}

enum tsr_status tsr_turn_upright(unsigned orientation, size_t element, void **pixels,
                                 size_t *height, size_t *width, const char *what,
                                 struct tsr_error *err) {
    if (orientation == 1) return TSR_OK;
    void *memory;
    TSR_TRY(tsr_alloc(&memory, *height * *width, element, what, err));
    struct way way = way_of(orientation, *height, *width);
    if (tsr_turns_sides(orientation)) {
        size_t swap = *height;
        *height = *width;
        *width = swap;
    }
    const unsigned char *in = *pixels;
    unsigned char *out = memory;
    for (size_t row = 0; row < *height; row++) {
        ptrdiff_t at = way.first + (ptrdiff_t)row * way.row;
        for (size_t column = 0; column < *width; column++, at += way.column, out += element)
            memcpy(out, in + (size_t)at * element, element);
    }
    free(*pixels);
    *pixels = memory;
    return TSR_OK;
}
