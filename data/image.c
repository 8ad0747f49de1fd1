/* SPDX-License-Identifier: MIT */
#include "data/image.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/names.h"
#include "data/file.h"
#include "data/stb.h"

/* ---- images ---------------------------------------------------------------------------------- */

enum tsr_status tsr_image_check_sides(const char *name, size_t height, size_t width,
                                      struct tsr_error *err) {
    if (height < 1 || width < 1 || height > TSR_IMAGE_MAX_SIDE || width > TSR_IMAGE_MAX_SIDE)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: is %zux%zu (height x width); a side is 1..%d",
                         name, height, width, TSR_IMAGE_MAX_SIDE);
    if (height > TSR_IMAGE_MAX_PIXELS / width)
        return TSR_ERROR(err, TSR_ERR_FORMAT,
                         "%s: is %zux%zu (height x width); at most %zu pixels are read", name,
                         height, width, TSR_IMAGE_MAX_PIXELS);
    return TSR_OK;
}

enum tsr_status tsr_image_create(struct tsr_image *out, size_t height, size_t width,
                                 size_t channels, struct tsr_error *err) {
    *out = (struct tsr_image){0};
    if (channels != 1 && channels != 3)
        return TSR_ERROR(err, TSR_ERR_ARGUMENT, "an image has 1 or 3 channels, not %zu", channels);
    TSR_TRY(tsr_image_check_sides("image", height, width, err));
    void *pixels;
    TSR_TRY(tsr_alloc(&pixels, height * width, channels, "image", err));
    *out = (struct tsr_image){
        .height = height, .width = width, .channels = channels, .pixels = pixels};
    return TSR_OK;
}

void tsr_image_clear(struct tsr_image *image) {
    if (!image) return;
    free(image->pixels);
    *image = (struct tsr_image){0};
}

/* ---- fitting --------------------------------------------------------------------------------- */

static const char *const fit_names[] = {[TSR_FIT_CROP] = "crop",
                                        [TSR_FIT_COVER] = "cover",
                                        [TSR_FIT_SQUASH] = "squash",
                                        [TSR_FIT_TILE] = "tile"};
TSR_DEFINE_NAMES(tsr_fit, tsr_fit, fit_names, "fit")

static size_t fit_count(size_t in_height, size_t in_width, enum tsr_fit fit, size_t height,
                        size_t width) {
    if (height == 0 || width == 0 || in_height == 0 || in_width == 0) return 0;
    size_t down = in_height / height, across = in_width / width;
    switch (fit) {
    case TSR_FIT_CROP:
        return down > 0 && across > 0;
    case TSR_FIT_TILE:
        return down * across;
    case TSR_FIT_COVER:
    case TSR_FIT_SQUASH:
        return 1;
    }
    return 0;
}

size_t tsr_fit_count(const struct tsr_image *image, enum tsr_fit fit, size_t height, size_t width) {
    return fit_count(image->height, image->width, fit, height, width);
}

/* The part of an image that a fit takes: copied from (top, left) on, or scaled. */
struct part {
    bool scaled;
    size_t top, left;
    struct tsr_stb_box box;  /* fractions of the sides */
    size_t rows[2], cols[2]; /* scale: pixels of the image for one of the target, as a fraction */
};

static struct part squash(size_t in_height, size_t in_width, size_t height, size_t width) {
    return (struct part){.scaled = in_height != height || in_width != width,
                         .box = {0, 0, 1, 1},
                         .rows = {in_height, height},
                         .cols = {in_width, width}};
}

/* Scales the largest centred part that has the aspect of the target. */
static struct part cover(size_t in_height, size_t in_width, size_t height, size_t width) {
    double h = (double)in_height, w = (double)in_width;
    double part_h = h, part_w = w;
    bool flat = in_width * height >= width * in_height;
    size_t scale[2] = {flat ? in_height : in_width, flat ? height : width};
    if (flat)
        part_w = h * (double)width / (double)height;
    else
        part_h = w * (double)height / (double)width;
    /* Nothing to scale: exact pixels, where a part that begins at half a pixel would interpolate.
     */
    if (part_h == (double)height && part_w == (double)width)
        return (struct part){.top = (in_height - height) / 2, .left = (in_width - width) / 2};
    double top = (1 - part_h / h) / 2, left = (1 - part_w / w) / 2;
    return (struct part){.scaled = true,
                         .box = {top, left, 1 - top, 1 - left},
                         .rows = {scale[0], scale[1]},
                         .cols = {scale[0], scale[1]}};
}

static enum tsr_status find_part(size_t in_height, size_t in_width, enum tsr_fit fit, size_t index,
                                 size_t height, size_t width, struct part *out,
                                 struct tsr_error *err) {
    size_t count = fit_count(in_height, in_width, fit, height, width);
    if (count == 0)
        return TSR_ERROR(err, TSR_ERR_SHAPE,
                         "image of %zux%zu (height x width) is too small for a %s of %zux%zu",
                         in_height, in_width, tsr_fit_name(fit), height, width);
    if (index >= count)
        return TSR_ERROR(err, TSR_ERR_ARGUMENT, "%s %zu of an image that has %zu",
                         tsr_fit_name(fit), index, count);
    size_t across = in_width / width, down = in_height / height;
    switch (fit) {
    case TSR_FIT_CROP:
        *out = (struct part){.top = (in_height - height) / 2, .left = (in_width - width) / 2};
        return TSR_OK;
    case TSR_FIT_TILE:
        *out = (struct part){.top = (in_height - down * height) / 2 + index / across * height,
                             .left = (in_width - across * width) / 2 + index % across * width};
        return TSR_OK;
    case TSR_FIT_SQUASH:
        *out = squash(in_height, in_width, height, width);
        return TSR_OK;
    case TSR_FIT_COVER:
        *out = cover(in_height, in_width, height, width);
        return TSR_OK;
    }
    return TSR_ERROR(err, TSR_ERR_ARGUMENT, "unknown fit %d", (int)fit);
}

enum tsr_status tsr_fit_apply(const struct tsr_image *image, enum tsr_fit fit, size_t index,
                              size_t height, size_t width, uint8_t *out, struct tsr_error *err) {
    struct part part;
    size_t pixel = image->channels;
    TSR_TRY(find_part(image->height, image->width, fit, index, height, width, &part, err));
    if (!part.scaled) {
        for (size_t row = 0; row < height; row++)
            memcpy(out + row * width * pixel,
                   image->pixels + ((part.top + row) * image->width + part.left) * pixel,
                   width * pixel);
        return TSR_OK;
    }
    /* Beyond, stb counts bytes in int. */
    if (height > TSR_IMAGE_MAX_SIDE || width > TSR_IMAGE_MAX_SIDE ||
        height * width > TSR_IMAGE_MAX_PIXELS)
        return TSR_ERROR(err, TSR_ERR_ARGUMENT,
                         "cannot scale to %zux%zu; a side is 1..%d, and all are at most %zu pixels",
                         height, width, TSR_IMAGE_MAX_SIDE, TSR_IMAGE_MAX_PIXELS);
    if (!tsr_stb_resize(image->pixels, (int)image->height, (int)image->width, (int)pixel, part.box,
                        out, (int)height, (int)width))
        return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "not enough memory to scale an image to %zux%zu",
                         height, width);
    return TSR_OK;
}

/* The pixel of a side of `in` in which lies the centre of pixel i of a side of `out`, the centres
 * of the two sides being one: floor(in/2 + (i + 1/2 - out/2) scale), in integers. */
static size_t nearest(size_t i, size_t in, size_t out, const size_t scale[2]) {
    return (in * scale[1] + (2 * i + 1) * scale[0] - out * scale[0]) / (2 * scale[1]);
}

enum tsr_status tsr_fit_labels(const struct tsr_label_map *map, enum tsr_fit fit, size_t index,
                               size_t height, size_t width, uint16_t *out, struct tsr_error *err) {
    struct part part;
    TSR_TRY(find_part(map->height, map->width, fit, index, height, width, &part, err));
    for (size_t i = 0; i < height; i++) {
        size_t row = part.scaled ? nearest(i, map->height, height, part.rows) : part.top + i;
        const uint16_t *in = map->labels + row * map->width;
        for (size_t j = 0; j < width; j++)
            out[i * width + j] =
                in[part.scaled ? nearest(j, map->width, width, part.cols) : part.left + j];
    }
    return TSR_OK;
}

/* ---- writing --------------------------------------------------------------------------------- */

static enum tsr_status encode(const struct tsr_image *image, int quality, unsigned char **bytes,
                              size_t *size, struct tsr_error *err) {
    int length = 0;
    if (image->channels != 1 && image->channels != 3)
        return TSR_ERROR(err, TSR_ERR_ARGUMENT, "an image has 1 or 3 channels, not %zu",
                         image->channels);
    TSR_TRY(tsr_image_check_sides("an image", image->height, image->width, err));
    *bytes = tsr_stb_encode(image->pixels, (int)image->height, (int)image->width,
                            (int)image->channels, quality, &length);
    *size = (size_t)length;
    return *bytes ? TSR_OK : TSR_ERROR(err, TSR_ERR_NO_MEMORY, "not enough memory for the picture");
}

enum tsr_status tsr_image_png(const struct tsr_image *image, unsigned char **bytes, size_t *size,
                              struct tsr_error *err) {
    return encode(image, 0, bytes, size, err);
}

enum tsr_status tsr_image_jpeg(const struct tsr_image *image, int quality, unsigned char **bytes,
                               size_t *size, struct tsr_error *err) {
    return encode(image, quality, bytes, size, err);
}

enum tsr_status tsr_image_write_png(const char *path, const struct tsr_image *image,
                                    struct tsr_error *err) {
    unsigned char *png;
    size_t size;
    enum tsr_status status = tsr_image_png(image, &png, &size, err);
    if (status != TSR_OK) {
        tsr_error_prefix(err, "%s", path);
        return status;
    }
    status = tsr_file_replace(path, png, size, err);
    free(png);
    return status;
}
