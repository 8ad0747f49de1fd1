/* SPDX-License-Identifier: MIT */
#include "cli/panel.h"

#include <stdio.h>

#include "base/spread.h"

static size_t states_of(size_t inner_steps) {
    return tsr_spread_count(inner_steps + 1, CLI_PANEL_STATES);
}

size_t cli_panel_places(size_t inner_steps) {
    return states_of(inner_steps) + 2;
}

static enum tsr_status put(struct cli_sheet *sheet, size_t place, const struct tsr_image *picture,
                           const char *caption, struct tsr_error *err) {
    return cli_sheet_put(sheet, place / sheet->cols, place % sheet->cols, picture, caption, err);
}

static enum tsr_status put_error(struct cli_sheet *sheet, size_t place,
                                 const struct tsr_image *image, const struct tsr_image *picture,
                                 struct tsr_error *err) {
    struct tsr_image map;
    char caption[32];
    (void)snprintf(caption, sizeof caption, "error x %d", CLI_PANEL_GAIN);
    TSR_TRY(cli_sheet_error_map(image, picture, CLI_PANEL_GAIN, &map, err));
    enum tsr_status status = put(sheet, place, &map, caption, err);
    tsr_image_clear(&map);
    return status;
}

enum tsr_status cli_panel_put(struct cli_sheet *sheet, size_t first, const char *name,
                              const struct cli_panel *panel, struct tsr_error *err) {
    size_t states = states_of(panel->inner_steps);
    struct tsr_image picture = *panel->image; /* a view */
    size_t values = picture.height * picture.width * picture.channels;
    TSR_TRY(put(sheet, first, panel->image, name, err));
    for (size_t i = 0; i < states; i++) {
        char caption[64];
        size_t k = states > 1 ? tsr_spread_ends(i, panel->inner_steps + 1, states) : 0;
        (void)snprintf(caption, sizeof caption, "%zu step%s %.1f dB", k, k == 1 ? "" : "s",
                       panel->psnr_db[k]);
        picture.pixels = (uint8_t *)panel->pictures + k * values;
        TSR_TRY(put(sheet, first + 1 + i, &picture, caption, err));
    }
    return put_error(sheet, first + 1 + states, panel->image, &picture, err);
}

enum tsr_status cli_panel_write(const char *path, const char *name, const struct cli_panel *panel,
                                struct tsr_error *err) {
    struct cli_sheet sheet;
    size_t height = panel->image->height, width = panel->image->width;
    cli_sheet_fit(CLI_PANEL_SIDE, &height, &width);
    TSR_TRY(cli_sheet_create(&sheet, 2, (cli_panel_places(panel->inner_steps) + 1) / 2, height,
                             width, err));
    enum tsr_status status = cli_panel_put(&sheet, 0, name, panel, err);
    if (status == TSR_OK) status = tsr_image_write_png(path, &sheet.canvas, err);
    cli_sheet_clear(&sheet);
    return status;
}
