/* SPDX-License-Identifier: MIT */
#include "cli/sheet.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define GAP 8
#define GLYPH_WIDTH 5
#define GLYPH_HEIGHT 9
#define BACKGROUND 0x18
#define INK 0xE8

/* Rows from the top, the leftmost pixel in bit 4. */
static const struct glyph {
    char c;
    unsigned char rows[GLYPH_HEIGHT];
} glyphs[] = {
    {'a', {0x00, 0x00, 0x0e, 0x01, 0x0f, 0x11, 0x0f, 0x00, 0x00}},
    {'b', {0x10, 0x10, 0x1e, 0x11, 0x11, 0x11, 0x1e, 0x00, 0x00}},
    {'c', {0x00, 0x00, 0x0e, 0x11, 0x10, 0x11, 0x0e, 0x00, 0x00}},
    {'d', {0x01, 0x01, 0x0f, 0x11, 0x11, 0x11, 0x0f, 0x00, 0x00}},
    {'e', {0x00, 0x00, 0x0e, 0x11, 0x1f, 0x10, 0x0e, 0x00, 0x00}},
    {'f', {0x06, 0x08, 0x1e, 0x08, 0x08, 0x08, 0x08, 0x00, 0x00}},
    {'g', {0x00, 0x00, 0x0f, 0x11, 0x11, 0x11, 0x0f, 0x01, 0x0e}},
    {'h', {0x10, 0x10, 0x1e, 0x11, 0x11, 0x11, 0x11, 0x00, 0x00}},
    {'i', {0x04, 0x00, 0x0c, 0x04, 0x04, 0x04, 0x0e, 0x00, 0x00}},
    {'j', {0x02, 0x00, 0x06, 0x02, 0x02, 0x02, 0x02, 0x02, 0x0c}},
    {'k', {0x10, 0x10, 0x12, 0x14, 0x18, 0x14, 0x12, 0x00, 0x00}},
    {'l', {0x0c, 0x04, 0x04, 0x04, 0x04, 0x04, 0x0e, 0x00, 0x00}},
    {'m', {0x00, 0x00, 0x1a, 0x15, 0x15, 0x15, 0x15, 0x00, 0x00}},
    {'n', {0x00, 0x00, 0x1e, 0x11, 0x11, 0x11, 0x11, 0x00, 0x00}},
    {'o', {0x00, 0x00, 0x0e, 0x11, 0x11, 0x11, 0x0e, 0x00, 0x00}},
    {'p', {0x00, 0x00, 0x1e, 0x11, 0x11, 0x11, 0x1e, 0x10, 0x10}},
    {'q', {0x00, 0x00, 0x0f, 0x11, 0x11, 0x11, 0x0f, 0x01, 0x01}},
    {'r', {0x00, 0x00, 0x16, 0x19, 0x10, 0x10, 0x10, 0x00, 0x00}},
    {'s', {0x00, 0x00, 0x0f, 0x10, 0x0e, 0x01, 0x1e, 0x00, 0x00}},
    {'t', {0x08, 0x08, 0x1e, 0x08, 0x08, 0x08, 0x06, 0x00, 0x00}},
    {'u', {0x00, 0x00, 0x11, 0x11, 0x11, 0x11, 0x0f, 0x00, 0x00}},
    {'v', {0x00, 0x00, 0x11, 0x11, 0x11, 0x0a, 0x04, 0x00, 0x00}},
    {'w', {0x00, 0x00, 0x15, 0x15, 0x15, 0x15, 0x0a, 0x00, 0x00}},
    {'x', {0x00, 0x00, 0x11, 0x0a, 0x04, 0x0a, 0x11, 0x00, 0x00}},
    {'y', {0x00, 0x00, 0x11, 0x11, 0x11, 0x11, 0x0f, 0x01, 0x0e}},
    {'z', {0x00, 0x00, 0x1f, 0x02, 0x04, 0x08, 0x1f, 0x00, 0x00}},
    {'0', {0x0e, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0e, 0x00, 0x00}},
    {'1', {0x04, 0x0c, 0x04, 0x04, 0x04, 0x04, 0x0e, 0x00, 0x00}},
    {'2', {0x0e, 0x11, 0x01, 0x06, 0x08, 0x10, 0x1f, 0x00, 0x00}},
    {'3', {0x0e, 0x11, 0x01, 0x06, 0x01, 0x11, 0x0e, 0x00, 0x00}},
    {'4', {0x02, 0x06, 0x0a, 0x12, 0x1f, 0x02, 0x02, 0x00, 0x00}},
    {'5', {0x1f, 0x10, 0x1e, 0x01, 0x01, 0x11, 0x0e, 0x00, 0x00}},
    {'6', {0x0e, 0x10, 0x10, 0x1e, 0x11, 0x11, 0x0e, 0x00, 0x00}},
    {'7', {0x1f, 0x01, 0x02, 0x02, 0x04, 0x04, 0x04, 0x00, 0x00}},
    {'8', {0x0e, 0x11, 0x11, 0x0e, 0x11, 0x11, 0x0e, 0x00, 0x00}},
    {'9', {0x0e, 0x11, 0x11, 0x0f, 0x01, 0x01, 0x0e, 0x00, 0x00}},
    {'.', {0x00, 0x00, 0x00, 0x00, 0x00, 0x0c, 0x0c, 0x00, 0x00}},
    {'-', {0x00, 0x00, 0x00, 0x1f, 0x00, 0x00, 0x00, 0x00, 0x00}},
    {'_', {0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x1f, 0x00, 0x00}},
    {',', {0x00, 0x00, 0x00, 0x00, 0x00, 0x0c, 0x04, 0x08, 0x00}},
    {':', {0x00, 0x00, 0x0c, 0x0c, 0x00, 0x0c, 0x0c, 0x00, 0x00}},
    {'B', {0x1e, 0x11, 0x11, 0x1e, 0x11, 0x11, 0x1e, 0x00, 0x00}},
};

/* ---- captions -------------------------------------------------------------------------------- */

/* Text is drawn larger below larger pictures. */
static size_t text_scale(const struct cli_sheet *s) {
    return s->width < 220 ? 1 : s->width < 600 ? 2 : 3;
}

static size_t caption_height(const struct cli_sheet *s) {
    return GLYPH_HEIGHT * text_scale(s) + GAP;
}

static void draw_dot(struct tsr_image *canvas, size_t row, size_t col, size_t scale) {
    for (size_t y = row; y < row + scale && y < canvas->height; y++)
        for (size_t x = col; x < col + scale && x < canvas->width; x++)
            memset(canvas->pixels + 3 * (y * canvas->width + x), INK, 3);
}

static void draw_glyph(struct tsr_image *canvas, size_t row, size_t col, size_t scale, char c) {
    if (c >= 'A' && c <= 'Z' && c != 'B') c = (char)(c - 'A' + 'a');
    for (size_t g = 0; g < sizeof glyphs / sizeof *glyphs; g++) {
        if (glyphs[g].c != c) continue;
        for (size_t y = 0; y < GLYPH_HEIGHT; y++)
            for (size_t x = 0; x < GLYPH_WIDTH; x++)
                if (glyphs[g].rows[y] >> (GLYPH_WIDTH - 1 - x) & 1)
                    draw_dot(canvas, row + y * scale, col + x * scale, scale);
    }
}

/* ---- the sheet ------------------------------------------------------------------------------- */

enum tsr_status cli_sheet_create(struct cli_sheet *s, size_t rows, size_t cols, size_t height,
                                 size_t width, struct tsr_error *err) {
    *s = (struct cli_sheet){.rows = rows, .cols = cols, .height = height, .width = width};
    TSR_TRY(tsr_image_create(&s->canvas, GAP + rows * (height + caption_height(s) + GAP),
                             GAP + cols * (width + GAP), 3, err));
    memset(s->canvas.pixels, BACKGROUND, s->canvas.height * s->canvas.width * 3);
    return TSR_OK;
}

void cli_sheet_clear(struct cli_sheet *s) {
    tsr_image_clear(&s->canvas);
}

void cli_sheet_fit(size_t most, size_t *height, size_t *width) {
    size_t *side[] = {height, width}, longer = *height > *width ? *height : *width;
    for (size_t i = 0; i < 2 && longer > most; i++) {
        size_t scaled = (*side[i] * most + longer / 2) / longer;
        *side[i] = scaled ? scaled : 1;
    }
}

static void copy_pixels(struct tsr_image *canvas, size_t row, size_t col, const uint8_t *pixels,
                        size_t height, size_t width, size_t channels) {
    for (size_t y = 0; y < height; y++)
        for (size_t x = 0; x < width; x++) {
            const uint8_t *from = pixels + (y * width + x) * channels;
            uint8_t *to = canvas->pixels + 3 * ((row + y) * canvas->width + col + x);
            for (size_t c = 0; c < 3; c++)
                to[c] = from[channels == 3 ? c : 0];
        }
}

enum tsr_status cli_sheet_put(struct cli_sheet *s, size_t row, size_t col,
                              const struct tsr_image *picture, const char *caption,
                              struct tsr_error *err) {
    void *scaled;
    size_t top = GAP + row * (s->height + caption_height(s) + GAP), left = GAP;
    left += col * (s->width + GAP);
    TSR_TRY(tsr_alloc(&scaled, s->height * s->width, picture->channels, "picture", err));
    enum tsr_status status =
        tsr_fit_apply(picture, TSR_FIT_COVER, 0, s->height, s->width, scaled, err);
    if (status == TSR_OK)
        copy_pixels(&s->canvas, top, left, scaled, s->height, s->width, picture->channels);
    free(scaled);
    size_t scale = text_scale(s), step = (GLYPH_WIDTH + 1) * scale;
    for (size_t i = 0; caption[i] && (i + 1) * step <= s->width; i++)
        draw_glyph(&s->canvas, top + s->height + GAP / 2, left + i * step, scale, caption[i]);
    return status;
}

/* ---- error maps ------------------------------------------------------------------------------ */

static void colour(double t, uint8_t *out) {
    static const uint8_t stops[][3] = {{0, 0, 4},      {28, 16, 68},    {79, 18, 123},
                                       {129, 37, 129}, {181, 54, 122},  {229, 80, 100},
                                       {251, 135, 97}, {254, 194, 135}, {252, 253, 191}};
    const size_t last = sizeof stops / sizeof *stops - 1;
    double at = (t < 0 ? 0 : t > 1 ? 1 : t) * (double)last;
    size_t i = at < (double)last ? (size_t)at : last - 1;
    for (size_t c = 0; c < 3; c++)
        out[c] = (uint8_t)(stops[i][c] + (at - (double)i) * (stops[i + 1][c] - stops[i][c]) + 0.5);
}

enum tsr_status cli_sheet_error_map(const struct tsr_image *a, const struct tsr_image *b,
                                    double gain, struct tsr_image *out, struct tsr_error *err) {
    TSR_TRY(tsr_image_create(out, a->height, a->width, 3, err));
    for (size_t i = 0; i < a->height * a->width; i++) {
        int sum = 0;
        for (size_t c = 0; c < a->channels; c++)
            sum += abs(a->pixels[i * a->channels + c] - b->pixels[i * a->channels + c]);
        colour(gain * sum / (255.0 * (double)a->channels), out->pixels + 3 * i);
    }
    return TSR_OK;
}
