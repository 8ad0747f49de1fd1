/* SPDX-License-Identifier: MIT
 *
 * PNG through libspng. It is given the chunks that make the pixels alone: others, of which some are
 * deflated, are nobody's business.
 */
#include <stdlib.h>
#include <string.h>

#include <spng.h>

#include "base/memory.h"
#include "data/decoder.h"

static bool makes_pixels(const unsigned char *chunk) {
    static const char kinds[][5] = {"IHDR", "PLTE", "tRNS", "IDAT", "IEND"};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (memcmp(chunk + 4, kinds[i], 4) == 0) return true;
    return false;
}

/* The file without the other chunks; out [size], of which the number of bytes is returned. It was
 * found whole. */
static size_t reduce(const unsigned char *bytes, unsigned char *out) {
    size_t n = 8, length;
    memcpy(out, bytes, n);
    for (size_t at = 8;; at += length) {
        length = (size_t)tsr_big_endian(bytes + at) + 12;
        if (!makes_pixels(bytes + at)) continue;
        memcpy(out + n, bytes + at, length);
        n += length;
        if (memcmp(bytes + at + 4, "IEND", 4) == 0) return n;
    }
}

/* The format that has as many samples as the header says; whatever has fewer bits is stretched. */
static int format_of(const struct tsr_image_header *header, unsigned colour) {
    bool wide = header->bits == 16, given = colour == 4 || colour == 6;
    if (wide && (given || header->samples % 2 == 1)) return SPNG_FMT_PNG;
    switch (header->samples) {
    case 1:
        return SPNG_FMT_G8;
    case 2:
        return given ? SPNG_FMT_PNG : wide ? SPNG_FMT_GA16 : SPNG_FMT_GA8;
    case 3:
        return SPNG_FMT_RGB8;
    default:
        return wide ? SPNG_FMT_RGBA16 : SPNG_FMT_RGBA8;
    }
}

static int decode_into(spng_ctx *png, const struct tsr_encoded *in, const unsigned char *bytes,
                       size_t size, void *samples, size_t expected) {
    size_t found;
    int format = format_of(&in->header, in->bytes[25]);
    int flags = in->header.samples % 2 == 0 ? SPNG_DECODE_TRNS : 0;
    int wrong = spng_set_png_buffer(png, bytes, size);
    /* The checksums were looked at before. */
    if (!wrong) wrong = spng_set_crc_action(png, SPNG_CRC_USE, SPNG_CRC_USE);
    if (!wrong) wrong = spng_decoded_image_size(png, format, &found);
    if (!wrong && found != expected) wrong = SPNG_EINTERNAL;
    return wrong ? wrong : spng_decode_image(png, samples, expected, format, flags);
}

static enum tsr_status decode(const struct tsr_encoded *in, struct tsr_decoded *out,
                              struct tsr_error *err) {
    const struct tsr_image_header *h = &in->header;
    unsigned char *bytes = malloc(in->size);
    spng_ctx *png = spng_ctx_new(0);
    void *samples = NULL;
    size_t pixel = (size_t)h->samples * (h->bits / 8);
    enum tsr_status status = tsr_alloc(&samples, h->height * h->width, pixel, in->name, err);
    if (status == TSR_OK && (!bytes || !png))
        status = TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: not enough memory to decode it", in->name);
    if (status == TSR_OK) {
        int wrong = decode_into(png, in, bytes, reduce(in->bytes, bytes), samples,
                                h->height * h->width * pixel);
        if (wrong)
            status = TSR_ERROR(err, wrong == SPNG_EMEM ? TSR_ERR_NO_MEMORY : TSR_ERR_FORMAT,
                               "%s: damaged PNG (%s)", in->name, spng_strerror(wrong));
    }
    if (status == TSR_OK)
        out->samples = samples;
    else
        free(samples);
    spng_ctx_free(png);
    free(bytes);
    return status;
}

const struct tsr_decoder tsr_decoder_libspng = {
    .object = {.name = "libspng", .about = "PNG, by libspng"},
    .reads = {[TSR_KIND_PNG] = true},
    .decode = decode,
};
