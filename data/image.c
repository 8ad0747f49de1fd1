/* SPDX-License-Identifier: MIT */
#include "data/image.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/names.h"
#include "data/file.h"
#include "data/image_bytes.h"
#include "data/stb.h"

/* ---- reading --------------------------------------------------------------------------------- */

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

static enum tsr_status stb_failure(const char *path, struct tsr_error *err) {
    const char *reason = tsr_stb_reason();
    if (strcmp(reason, "outofmem") == 0)
        return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: not enough memory to decode it", path);
    return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: damaged image (%s)", path, reason);
}

/* Sizes and channels as they will be decoded, from the header alone. */
static enum tsr_status read_header(const char *path, enum tsr_image_kind kind,
                                   const unsigned char *bytes, size_t size, struct tsr_image *out,
                                   struct tsr_error *err) {
    const char *damage = tsr_image_damage(kind, bytes, size);
    if (damage) return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: %s", path, damage);
    if (kind == TSR_KIND_PNM) {
        struct tsr_pnm header;
        (void)tsr_pnm_header(bytes, size, &header); /* it was found undamaged */
        *out = (struct tsr_image){
            .height = header.height, .width = header.width, .channels = header.channels};
    } else {
        int width, height, channels;
        if (kind == TSR_KIND_PNG) /* stb does not say which side is too large */
            TSR_TRY(tsr_image_check_sides(path, tsr_big_endian(bytes + 20),
                                          tsr_big_endian(bytes + 16), err));
        /* Its reason is worthless here: that of the last format that it has tried. */
        if (!tsr_stb_info(bytes, (int)size, &width, &height, &channels))
            return TSR_ERROR(err, TSR_ERR_FORMAT,
                             "%s: damaged header, or an image that is too large or of an "
                             "unsupported kind",
                             path);
        /* An even number includes alpha. A BMP whose rows begin at the top has a negative height.
         */
        *out =
            (struct tsr_image){.height = height < 0 ? (size_t) - (int64_t)height : (size_t)height,
                               .width = (size_t)width,
                               .channels = channels <= 2 ? 1 : 3};
    }
    return tsr_image_check_sides(path, out->height, out->width, err);
}

/* Luma with the weights of JPEG, in the integers that stb_image uses. */
static uint8_t grey(const uint8_t *rgb) {
    return (uint8_t)((rgb[0] * 77 + rgb[1] * 150 + rgb[2] * 29) >> 8);
}

static void decode_pnm(const unsigned char *bytes, const struct tsr_pnm *header,
                       struct tsr_image *out) {
    const unsigned char *in = bytes + header->pixels;
    size_t wide = header->max > 255, pixels = header->width * header->height;
    for (size_t i = 0; i < pixels; i++) {
        uint8_t sample[3] = {0};
        for (size_t c = 0; c < header->channels; c++, in += 1 + wide) {
            size_t value = wide ? (size_t)in[0] << 8 | in[1] : in[0];
            if (value > header->max) value = header->max;
            sample[c] = (uint8_t)((value * 255 + header->max / 2) / header->max);
        }
        uint8_t *pixel = out->pixels + i * out->channels;
        if (header->channels == out->channels)
            memcpy(pixel, sample, out->channels);
        else if (out->channels == 1)
            *pixel = grey(sample);
        else
            memset(pixel, sample[0], 3);
    }
}

static enum tsr_status decode(const char *path, enum tsr_image_kind kind,
                              const unsigned char *bytes, size_t size, struct tsr_image *out,
                              struct tsr_error *err) {
    if (kind == TSR_KIND_PNM) {
        struct tsr_pnm header;
        (void)tsr_pnm_header(bytes, size, &header);
        TSR_TRY(tsr_image_create(out, out->height, out->width, out->channels, err));
        decode_pnm(bytes, &header, out);
        return TSR_OK;
    }
    const char *misfit = tsr_image_misfit(kind, bytes, size, out->height, out->width);
    if (misfit) return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: %s", path, misfit);
    out->pixels = tsr_stb_decode(bytes, (int)size, (int)out->channels);
    return out->pixels ? TSR_OK : stb_failure(path, err);
}

static enum tsr_status decode_any(const char *path, const unsigned char *bytes, size_t size,
                                  bool pixels, size_t channels, struct tsr_image *out,
                                  struct tsr_error *err) {
    enum tsr_image_kind kind = tsr_image_kind(bytes, size);
    struct tsr_image image;
    TSR_TRY(read_header(path, kind, bytes, size, &image, err));
    if (channels) image.channels = channels;
    if (pixels) TSR_TRY(decode(path, kind, bytes, size, &image, err));
    *out = image;
    return TSR_OK;
}

static enum tsr_status read_image(const char *path, bool pixels, size_t channels,
                                  struct tsr_image *out, struct tsr_error *err) {
    unsigned char *bytes;
    size_t size;
    *out = (struct tsr_image){0};
    TSR_TRY(tsr_file_read(path, INT_MAX, &bytes, &size, err));
    enum tsr_status status = decode_any(path, bytes, size, pixels, channels, out, err);
    free(bytes);
    return status;
}

static enum tsr_status check_channels(const char *path, size_t channels, struct tsr_error *err) {
    if (channels == 0 || channels == 1 || channels == 3) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_ARGUMENT, "%s: %zu channels asked for; 0, 1 or 3 can be", path,
                     channels);
}

enum tsr_status tsr_image_read(const char *path, size_t channels, struct tsr_image *out,
                               struct tsr_error *err) {
    *out = (struct tsr_image){0};
    TSR_TRY(check_channels(path, channels, err));
    return read_image(path, true, channels, out, err);
}

enum tsr_status tsr_image_decode(const char *name, const unsigned char *bytes, size_t size,
                                 size_t channels, struct tsr_image *out, struct tsr_error *err) {
    *out = (struct tsr_image){0};
    TSR_TRY(check_channels(name, channels, err));
    if (size > INT_MAX)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: has %zu bytes; at most %d are read", name, size,
                         INT_MAX);
    return decode_any(name, bytes, size, true, channels, out, err);
}

enum tsr_status tsr_image_probe(const char *path, struct tsr_image *out, struct tsr_error *err) {
    return read_image(path, false, 0, out, err);
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

enum tsr_status tsr_image_write_png(const char *path, const struct tsr_image *image,
                                    struct tsr_error *err) {
    if (image->channels != 1 && image->channels != 3)
        return TSR_ERROR(err, TSR_ERR_ARGUMENT, "%s: an image has 1 or 3 channels, not %zu", path,
                         image->channels);
    TSR_TRY(tsr_image_check_sides(path, image->height, image->width, err));
    int size = 0;
    unsigned char *png = tsr_stb_png(image->pixels, (int)image->height, (int)image->width,
                                     (int)image->channels, &size);
    if (!png) return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: not enough memory for the PNG", path);
    enum tsr_status status = tsr_file_replace(path, png, (size_t)size, err);
    free(png);
    return status;
}
