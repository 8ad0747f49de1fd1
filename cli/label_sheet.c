/* SPDX-License-Identifier: MIT */
#include "cli/label_sheet.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "cli/sheet.h"

#define SMALL 512 /* pictures are magnified up to about this side */

/* ---- colours --------------------------------------------------------------------------------- */

/* Labels that follow each other lie far apart on the colour circle (by the golden ratio), and the
 * rounds of it differ in lightness. */
static void colour_of(uint32_t label, uint8_t *out) {
    static const double light[] = {1, 0.7, 0.85, 0.55}, pale[] = {0, 0.35, 0.15, 0.5};
    double hue = 6 * fmod(0.61803398874989484 * label + 0.02, 1);
    size_t round = label / 5 % 4;
    for (int c = 0; c < 3; c++) {
        double away = fabs(fmod(hue - 2 * c + 9, 6) - 3); /* 0 at the channel's own hue */
        double v = away <= 1 ? 1 : away >= 2 ? 0 : 2 - away;
        out[c] = (uint8_t)(255 * light[round] * (v + (1 - v) * pale[round]) + 0.5);
    }
}

/* ---- drawing --------------------------------------------------------------------------------- */

static const uint8_t *pixel_of(const struct tsr_image *image, size_t row, size_t col) {
    return image->pixels + (row * image->width + col) * image->channels;
}

/* Does another label begin at this pixel of the magnified map? */
static bool is_border(const uint32_t *labels, size_t height, size_t width, size_t scale, size_t y,
                      size_t x) {
    size_t row = y / scale, col = x / scale;
    const uint32_t *here = labels + row * width + col;
    if (row + 1 < height && y % scale == scale - 1 && here[width] != *here) return true;
    if (col + 1 < width && x % scale == scale - 1 && here[1] != *here) return true;
    if (scale == 1) return false;
    if (row > 0 && y % scale == 0 && *(here - width) != *here) return true;
    return col > 0 && x % scale == 0 && here[-1] != *here;
}

enum tsr_status cli_label_overlay(const struct tsr_image *picture, const uint32_t *labels,
                                  size_t scale, struct tsr_image *out, struct tsr_error *err) {
    TSR_TRY(tsr_image_create(out, picture->height * scale, picture->width * scale, 3, err));
    for (size_t y = 0; y < out->height; y++)
        for (size_t x = 0; x < out->width; x++) {
            uint8_t *to = out->pixels + 3 * (y * out->width + x), colour[3];
            if (is_border(labels, picture->height, picture->width, scale, y, x)) continue;
            const uint8_t *from = pixel_of(picture, y / scale, x / scale);
            colour_of(labels[y / scale * picture->width + x / scale], colour);
            for (size_t c = 0; c < 3; c++)
                to[c] = (uint8_t)((from[picture->channels == 3 ? c : 0] + colour[c] + 1) / 2);
        }
    return TSR_OK;
}

static enum tsr_status magnify(const struct tsr_image *picture, size_t scale, struct tsr_image *out,
                               struct tsr_error *err) {
    TSR_TRY(tsr_image_create(out, picture->height * scale, picture->width * scale,
                             picture->channels, err));
    for (size_t y = 0; y < out->height; y++)
        for (size_t x = 0; x < out->width; x++)
            memcpy(out->pixels + (y * out->width + x) * out->channels,
                   pixel_of(picture, y / scale, x / scale), out->channels);
    return TSR_OK;
}

enum tsr_status cli_label_sheet(const struct tsr_image *picture, const uint32_t *labels,
                                const char *caption, struct tsr_image *out, struct tsr_error *err) {
    enum tsr_status status;
    struct cli_sheet sheet = {0};
    struct tsr_image left = {0}, right = {0};
    size_t longer = picture->height > picture->width ? picture->height : picture->width;
    size_t scale = longer * 2 <= SMALL ? SMALL / longer : 1;
    *out = (struct tsr_image){0};
    TSR_CHECK(magnify(picture, scale, &left, err));
    TSR_CHECK(cli_label_overlay(picture, labels, scale, &right, err));
    TSR_CHECK(cli_sheet_create(&sheet, 1, 2, left.height, left.width, err));
    TSR_CHECK(cli_sheet_put(&sheet, 0, 0, &left, caption, err));
    TSR_CHECK(cli_sheet_put(&sheet, 0, 1, &right, "labels", err));
    *out = sheet.canvas;
    sheet.canvas = (struct tsr_image){0};
done:
    cli_sheet_clear(&sheet);
    tsr_image_clear(&left);
    tsr_image_clear(&right);
    return status;
}
