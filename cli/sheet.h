/* SPDX-License-Identifier: MIT
 *
 * Contact sheets: captioned pictures in rows and columns, RGB.
 */
#ifndef TSR_CLI_SHEET_H
#define TSR_CLI_SHEET_H

#include "data/image.h"

struct cli_sheet {
    size_t rows, cols;
    size_t height, width; /* of each picture */
    struct tsr_image canvas;
};

enum tsr_status cli_sheet_create(struct cli_sheet *s, size_t rows, size_t cols, size_t height,
                                 size_t width, struct tsr_error *err);
void cli_sheet_clear(struct cli_sheet *s); /* of zeros: fine */

/* Scales height x width down so that neither is above `most`; neither becomes 0. */
void cli_sheet_fit(size_t most, size_t *height, size_t *width);

/* Puts a picture (grey or RGB, any size: scaled to cover, then cropped) into a place, and a caption
 * of lower-case letters and digits below it. */
enum tsr_status cli_sheet_put(struct cli_sheet *s, size_t row, size_t col,
                              const struct tsr_image *picture, const char *caption,
                              struct tsr_error *err);

/* Mean absolute difference over the channels of two images of one size, times `gain`, in colours
 * from black over purple and orange to pale yellow. out: created. */
enum tsr_status cli_sheet_error_map(const struct tsr_image *a, const struct tsr_image *b,
                                    double gain, struct tsr_image *out, struct tsr_error *err);

#endif
