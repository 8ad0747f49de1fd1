/* SPDX-License-Identifier: MIT
 *
 * A reconstruction as a row of pictures: the image, what the networks draw after each inner step,
 * and the error after the last.
 */
#ifndef TSR_CLI_PANEL_H
#define TSR_CLI_PANEL_H

#include "cli/sheet.h"

#define CLI_PANEL_GAIN 8   /* of the error map */
#define CLI_PANEL_STATES 8 /* at most; of more those that lie evenly */
/* Sides of a picture, at most. */
#define CLI_PANEL_SIDE 768

struct cli_panel {
    const struct tsr_image *image;
    size_t inner_steps;
    const uint8_t *pictures; /* [inner_steps+1, H, W, C], as tsr_reconstruct() makes them */
    const double *psnr_db;   /* [inner_steps+1] */
};

/* Pictures that a panel of so many inner steps has. */
size_t cli_panel_places(size_t inner_steps);

/* Puts them into a sheet, row by row from its place `first` on. */
enum tsr_status cli_panel_put(struct cli_sheet *sheet, size_t first, const char *name,
                              const struct cli_panel *panel, struct tsr_error *err);

/* A sheet of its own, in two rows, as a PNG file. */
enum tsr_status cli_panel_write(const char *path, const char *name, const struct cli_panel *panel,
                                struct tsr_error *err);

#endif
