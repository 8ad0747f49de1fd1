/* SPDX-License-Identifier: MIT */
#include "cli/context_options.h"

#include "base/memory.h"
#include "cli/isolate.h"
#include "data/image.h"

void cli_context_apply(const struct cli_call *call, const struct tsr_context_config *asked,
                       struct tsr_context_config *context) {
    if (cli_given(call, "context-fraction")) context->fraction = asked->fraction;
    if (cli_given(call, "query-scale")) context->query_scale = asked->query_scale;
}

/* What is not black is known. */
static size_t take_known(const struct tsr_image *image, uint8_t *known) {
    size_t n = 0;
    for (size_t i = 0; i < image->height * image->width; i++) {
        const uint8_t *pixel = image->pixels + i * image->channels;
        known[i] = 0;
        for (size_t c = 0; c < image->channels; c++)
            known[i] |= pixel[c] != 0;
        n += known[i];
    }
    return n;
}

enum tsr_status cli_mask_read(const struct cli_call *call, const char *path, struct cli_mask *mask,
                              struct tsr_error *err) {
    const struct tsr_image_as as = {.channels = 3, /* on black */
                                    .by = cli_isolate_decoding(call->isolate)};
    struct tsr_image image;
    *mask = (struct cli_mask){0};
    if (!path) return TSR_OK;
    if (cli_given(call, "context-fraction"))
        return TSR_ERROR(err, TSR_ERR_CONFIG, "--mask and --context-fraction exclude each other");
    TSR_TRY(tsr_image_read(path, &as, &image, err));
    mask->height = image.height;
    mask->width = image.width;
    enum tsr_status status = TSR_ALLOC(&mask->known, image.height * image.width, "mask", err);
    if (status == TSR_OK && take_known(&image, mask->known) == 0)
        status = TSR_ERROR(err, TSR_ERR_FORMAT,
                           "%s: all its pixels are black: nothing of the image is known", path);
    tsr_image_clear(&image);
    return status;
}

enum tsr_status cli_mask_check(const char *path, const struct cli_mask *mask, size_t height,
                               size_t width, struct tsr_error *err) {
    if (!mask->known || (mask->height == height && mask->width == width)) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_SHAPE, "%s: the mask has %zux%zu pixels, its image %zux%zu", path,
                     mask->height, mask->width, height, width);
}
