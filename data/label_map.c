/* SPDX-License-Identifier: MIT */
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/file.h"
#include "data/image.h"
#include "data/image_bytes.h"
#include "data/orientation.h"
#include "data/stb.h"

/* ---- PNG ------------------------------------------------------------------------------------- */

#define PNG_DEPTH 24 /* where a PNG file says so */
#define PNG_COLOUR 25
enum png_colour { PNG_GREY = 0, PNG_PALETTE = 3, PNG_GREY_ALPHA = 4 };

/* Without its palette, whose chunk is passed over, a PNG of indices is a grey one. Transparency
 * would not fit the new kind. The checksums no longer hold: they were looked at before, and
 * stb_image does not. The file is whole. */
static void forget_colours(unsigned char *bytes) {
    bytes[PNG_COLOUR] = PNG_GREY;
    for (size_t at = 8; memcmp(bytes + at + 4, "IEND", 4) != 0;
         at += (size_t)tsr_big_endian(bytes + at) + 12)
        if (memcmp(bytes + at + 4, "tRNS", 4) == 0) memcpy(bytes + at + 4, "none", 4);
}

static enum tsr_status check_png(const char *path, const unsigned char *bytes, size_t size,
                                 struct tsr_label_map *out, struct tsr_error *err) {
    int depth = bytes[PNG_DEPTH], colour = bytes[PNG_COLOUR];
    out->most = depth == 16 ? UINT16_MAX : UINT8_MAX;
    out->width = tsr_big_endian(bytes + 16);
    out->height = tsr_big_endian(bytes + 20);
    if (colour != PNG_GREY && colour != PNG_GREY_ALPHA && colour != PNG_PALETTE)
        return TSR_ERROR(err, TSR_ERR_FORMAT,
                         "%s: is in colour; a label map is grey, its values the labels, or has a "
                         "palette, its indices the labels",
                         path);
    TSR_TRY(tsr_image_check_sides(path, out->height, out->width, err));
    const char *misfit = tsr_image_misfit(TSR_KIND_PNG, bytes, size, out->height, out->width);
    if (misfit) return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: %s", path, misfit);
    return TSR_OK;
}

static enum tsr_status read_png(const char *path, unsigned char *bytes, size_t size,
                                struct tsr_label_map *out, struct tsr_error *err) {
    TSR_TRY(check_png(path, bytes, size, out, err));
    if (bytes[PNG_COLOUR] == PNG_PALETTE) forget_colours(bytes);
    int depth = bytes[PNG_DEPTH];
    unsigned char *narrow = NULL;
    struct tsr_stb_size found;
    if (depth == 16)
        out->labels = tsr_stb_decode_wide(bytes, (int)size, 1, &found);
    else
        narrow = tsr_stb_decode(bytes, (int)size, 1, &found);
    if (!out->labels && !narrow)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: damaged image (%s)", path, tsr_stb_reason());
    if (!narrow) return TSR_OK;
    /* Few bits are stretched to 0..255 on decoding. */
    unsigned stretch = depth < 8 ? 255u / ((1u << depth) - 1) : 1;
    void *labels;
    enum tsr_status status =
        tsr_alloc(&labels, out->height * out->width, sizeof *out->labels, path, err);
    if (status == TSR_OK) {
        out->labels = labels;
        for (size_t i = 0; i < out->height * out->width; i++)
            out->labels[i] = (uint16_t)(narrow[i] / stretch);
    }
    free(narrow);
    return status;
}

/* ---- PGM ------------------------------------------------------------------------------------- */

static enum tsr_status read_pgm(const char *path, const unsigned char *bytes, size_t size,
                                struct tsr_label_map *out, struct tsr_error *err) {
    struct tsr_pnm header;
    void *labels;
    (void)tsr_pnm_header(bytes, size, &header); /* it was found undamaged */
    out->height = header.height;
    out->width = header.width;
    out->most = header.max > UINT8_MAX ? UINT16_MAX : UINT8_MAX;
    if (header.channels != 1)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: is in colour; a label map is grey", path);
    TSR_TRY(tsr_image_check_sides(path, out->height, out->width, err));
    TSR_TRY(tsr_alloc(&labels, out->height * out->width, sizeof *out->labels, path, err));
    out->labels = labels;
    const unsigned char *in = bytes + header.pixels;
    for (size_t i = 0; i < out->height * out->width; i++)
        out->labels[i] = header.max > 255 ? (uint16_t)(in[2 * i] << 8 | in[2 * i + 1]) : in[i];
    return TSR_OK;
}

/* ---- any ------------------------------------------------------------------------------------- */

static enum tsr_status decode(const char *path, unsigned char *bytes, size_t size,
                              struct tsr_label_map *out, struct tsr_error *err) {
    enum tsr_image_kind kind = tsr_image_kind(bytes, size);
    if (kind == TSR_KIND_JPEG || kind == TSR_KIND_BMP)
        return TSR_ERROR(err, TSR_ERR_FORMAT,
                         "%s: is neither PNG nor PGM, which label maps are: they keep every value",
                         path);
    struct tsr_image_header header;
    const char *wrong = tsr_image_damage(kind, bytes, size);
    if (!wrong) wrong = tsr_image_header(kind, bytes, size, &header);
    if (wrong) return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: %s", path, wrong);
    TSR_TRY(kind == TSR_KIND_PNG ? read_png(path, bytes, size, out, err)
                                 : read_pgm(path, bytes, size, out, err));
    void *labels = out->labels;
    enum tsr_status status = tsr_turn_upright(header.orientation, sizeof *out->labels, &labels,
                                              &out->height, &out->width, path, err);
    out->labels = labels;
    return status;
}

enum tsr_status tsr_label_map_decode(const char *name, unsigned char *bytes, size_t size,
                                     const struct tsr_decoding *by, struct tsr_label_map *out,
                                     struct tsr_error *err) {
    *out = (struct tsr_label_map){0};
    if (by) return by->label_map(by->user, name, bytes, size, out, err);
    if (size > INT_MAX)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: has %zu bytes; at most %d are read", name, size,
                         INT_MAX);
    enum tsr_status status = decode(name, bytes, size, out, err);
    if (status != TSR_OK) tsr_label_map_clear(out);
    return status;
}

enum tsr_status tsr_label_map_read(const char *path, const struct tsr_decoding *by,
                                   struct tsr_label_map *out, struct tsr_error *err) {
    unsigned char *bytes;
    size_t size;
    *out = (struct tsr_label_map){0};
    TSR_TRY(tsr_file_read(path, INT_MAX, &bytes, &size, err));
    enum tsr_status status = tsr_label_map_decode(path, bytes, size, by, out, err);
    free(bytes);
    return status;
}

void tsr_label_map_clear(struct tsr_label_map *map) {
    if (!map) return;
    free(map->labels);
    *map = (struct tsr_label_map){0};
}
