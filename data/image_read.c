/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/decoder.h"
#include "data/file.h"
#include "data/image.h"
#include "data/orientation.h"

/* ---- samples to pixels ----------------------------------------------------------------------- */

/* Samples of one width to pixels of 8 bits: what is transparent on the background, 1 to 3 channels
 * and the reverse. */
struct conversion {
    const void *in;
    unsigned bits, samples; /* of a pixel of `in` */
    uint8_t on[3];          /* background */
    size_t channels;
};

static uint32_t sample(const struct conversion *c, size_t i) {
    return c->bits == 16 ? ((const uint16_t *)c->in)[i] : ((const uint8_t *)c->in)[i];
}

/* A value of `alpha` out of `full` over one of the background, rounded once. */
static uint8_t over(uint64_t value, uint64_t alpha, uint64_t on, uint64_t full) {
    uint64_t mixed = 255 * value * alpha + on * full * (full - alpha);
    return (uint8_t)((mixed + full * full / 2) / (full * full));
}

static void convert_pixel(const struct conversion *c, size_t i, uint8_t *out) {
    uint32_t full = c->bits == 16 ? 65535 : 255;
    size_t colours = c->samples <= 2 ? 1 : 3, at = i * c->samples;
    uint32_t alpha = c->samples % 2 == 0 ? sample(c, at + colours) : full;
    uint8_t value[3];
    for (size_t k = 0; k < colours; k++)
        value[k] = over(sample(c, at + k), alpha, c->on[k], full);
    if (colours == c->channels)
        memcpy(out, value, colours);
    else if (colours == 3)
        *out = tsr_grey(value[0], value[1], value[2]);
    else
        memset(out, value[0], 3);
}

/* Of what is transparent in a picture of as many channels. A grey picture that becomes RGB is one
 * of equal channels, so that it stays grey whatever is asked of it. */
static void set_background(struct conversion *c, struct tsr_colour colour) {
    const uint8_t rgb[3] = {colour.red, colour.green, colour.blue};
    memcpy(c->on, rgb, 3);
    if (c->samples <= 2) memset(c->on, tsr_grey(rgb[0], rgb[1], rgb[2]), 3);
}

static enum tsr_status convert(const struct tsr_encoded *file, const struct tsr_image_as *as,
                               struct tsr_decoded *decoded, struct tsr_image *out,
                               struct tsr_error *err) {
    const struct tsr_image_header *h = &file->header;
    struct conversion c = {decoded->samples, h->bits, h->samples, {0}, out->channels};
    size_t pixels = h->height * h->width;
    if (h->bits == 8 && h->samples == out->channels) {
        out->pixels = decoded->samples;
        decoded->samples = NULL;
        return TSR_OK;
    }
    set_background(&c, as->background);
    void *memory;
    TSR_TRY(tsr_alloc(&memory, pixels, out->channels, file->name, err));
    out->pixels = memory;
    for (size_t i = 0; i < pixels; i++)
        convert_pixel(&c, i, out->pixels + i * out->channels);
    return TSR_OK;
}

/* ---- files ----------------------------------------------------------------------------------- */

/* Looks at the bytes, and at the sides as they will be decoded. */
static enum tsr_status look(struct tsr_encoded *file, struct tsr_error *err) {
    struct tsr_image_header *h = &file->header;
    file->kind = tsr_image_kind(file->bytes, file->size);
    const char *wrong = tsr_image_damage(file->kind, file->bytes, file->size);
    if (!wrong) wrong = tsr_image_header(file->kind, file->bytes, file->size, h);
    if (wrong) return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: %s", file->name, wrong);
    return tsr_image_check_sides(file->name, h->height, h->width, err);
}

static void describe(const struct tsr_image_header *h, size_t channels, struct tsr_image *out) {
    bool turned = tsr_turns_sides(h->orientation);
    *out = (struct tsr_image){.height = turned ? h->width : h->height,
                              .width = turned ? h->height : h->width,
                              .channels = channels          ? channels
                                          : h->samples <= 2 ? 1
                                                            : 3};
}

static enum tsr_status decode_pixels(const struct tsr_encoded *file, const struct tsr_image_as *as,
                                     struct tsr_image *out, struct tsr_error *err) {
    const struct tsr_image_header *h = &file->header;
    struct tsr_decoded decoded = {0};
    const char *misfit = tsr_image_misfit(file->kind, file->bytes, file->size, h->height, h->width);
    if (misfit) return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: %s", file->name, misfit);
    TSR_TRY(tsr_decoder_of(file->kind)->decode(file, &decoded, err));
    enum tsr_status status = convert(file, as, &decoded, out, err);
    free(decoded.samples);
    if (decoded.remark) (void)snprintf(out->remark, sizeof out->remark, "%s", decoded.remark);
    if (status != TSR_OK) return status;
    void *pixels = out->pixels;
    size_t height = h->height, width = h->width;
    status =
        tsr_turn_upright(h->orientation, out->channels, &pixels, &height, &width, file->name, err);
    out->pixels = pixels;
    return status;
}

enum tsr_status tsr_image_decode(const char *name, const unsigned char *bytes, size_t size,
                                 const struct tsr_image_as *as, struct tsr_image *out,
                                 struct tsr_error *err) {
    static const struct tsr_image_as plain = {.background = {255, 255, 255}};
    struct tsr_encoded file = {.name = name, .bytes = bytes, .size = size};
    struct tsr_image image;
    *out = (struct tsr_image){0};
    if (!as) as = &plain;
    if (as->by) return as->by->image(as->by->user, name, bytes, size, as, out, err);
    if (as->channels != 0 && as->channels != 1 && as->channels != 3)
        return TSR_ERROR(err, TSR_ERR_ARGUMENT, "%s: %zu channels asked for; 0, 1 or 3 can be",
                         name, as->channels);
    if (size > INT_MAX)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: has %zu bytes; at most %d are read", name, size,
                         INT_MAX);
    TSR_TRY(look(&file, err));
    describe(&file.header, as->channels, &image);
    enum tsr_status status = decode_pixels(&file, as, &image, err);
    if (status == TSR_OK)
        *out = image;
    else
        tsr_image_clear(&image);
    return status;
}

enum tsr_status tsr_image_read(const char *path, const struct tsr_image_as *as,
                               struct tsr_image *out, struct tsr_error *err) {
    unsigned char *bytes;
    size_t size;
    *out = (struct tsr_image){0};
    TSR_TRY(tsr_file_read(path, INT_MAX, &bytes, &size, err));
    enum tsr_status status = tsr_image_decode(path, bytes, size, as, out, err);
    free(bytes);
    return status;
}

enum tsr_status tsr_image_probe(const char *path, struct tsr_image *out, struct tsr_error *err) {
    struct tsr_encoded file = {.name = path};
    unsigned char *bytes;
    *out = (struct tsr_image){0};
    TSR_TRY(tsr_file_read(path, INT_MAX, &bytes, &file.size, err));
    file.bytes = bytes;
    enum tsr_status status = look(&file, err);
    if (status == TSR_OK) describe(&file.header, 0, out);
    free(bytes);
    return status;
}
