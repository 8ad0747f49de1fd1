/* SPDX-License-Identifier: MIT
 *
 * The shape of an array of others, and how it is to be seen as images; if it can be, the first and
 * the last image of it.
 */
#include <stdlib.h>
#include <string.h>

#include "data/view.h"
#include "fuzz.h"

struct input {
    const uint8_t *at, *end;
};

static unsigned take(struct input *in, unsigned below) {
    return in->at < in->end ? *in->at++ % below : 0;
}

static struct tsr_array array_of(struct input *in) {
    static const size_t extents[] = {
        0, 1, 2, 3, 4, 5, 6, 8, 28, 64, 3072, 65535, 1u << 31, (size_t)1 << 62, SIZE_MAX};
    struct tsr_array array = {.rank = take(in, TSR_ARRAY_MAX_RANK + 1)};
    unsigned kind = take(in, 8);
    array.floats = kind & 1;
    array.bytes = !array.floats && kind & 2;
    array.reversed = kind & 4;
    for (size_t i = 0; i < array.rank; i++)
        array.dims[i] = extents[take(in, sizeof extents / sizeof *extents)];
    return array;
}

static struct tsr_view_options options_of(struct input *in, char *layout, size_t size) {
    static const double ends[] = {0, 1, 255, -1, 65535, 1e300, -1e300, 0.5};
    struct tsr_view_options options = {.layout = layout};
    options.range[0] = ends[take(in, 8)];
    options.range[1] = ends[take(in, 8)];
    size_t length = take(in, (unsigned)size);
    for (size_t i = 0; i < length; i++)
        layout[i] = (char)take(in, 256);
    layout[length] = '\0';
    if (length == 0) options.layout = NULL;
    return options;
}

static void see(const struct tsr_view *view, size_t index, struct input *in) {
    size_t stored = tsr_view_values(view), n = view->height * view->width * view->channels;
    struct tsr_error err;
    if (stored > 1u << 16 || n > 1u << 16) return;
    size_t size = stored * (view->narrow ? 1 : sizeof(float));
    unsigned char *values = malloc(size ? size : 1);
    void *pixels = malloc(n ? n * (view->floats ? sizeof(float) : 1) : 1);
    for (size_t i = 0; values && i < size; i++)
        values[i] = (unsigned char)take(in, 256);
    if (values && pixels) (void)!tsr_view_image(view, "array", index, values, pixels, &err);
    free(values);
    free(pixels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct input in = {data, data + size};
    struct tsr_view view;
    struct tsr_error err;
    char layout[32], suggested[TSR_VIEW_LAYOUT_SIZE];
    struct tsr_array array = array_of(&in);
    struct tsr_view_options options = options_of(&in, layout, sizeof layout);
    (void)tsr_view_suggest(&array, suggested, sizeof suggested);
    if (options.layout && tsr_view_check_layout(options.layout, &err) != TSR_OK) return 0;
    if (tsr_view_find("array", &array, &options, &view, &err) != TSR_OK) return 0;
    if (view.channels != 1 && view.channels != 3) abort();
    if (view.n == 0) return 0;
    see(&view, 0, &in);
    see(&view, view.n - 1, &in);
    return 0;
}
