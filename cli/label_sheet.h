/* SPDX-License-Identifier: MIT
 *
 * Label maps drawn over their pictures.
 */
#ifndef TSR_CLI_LABEL_SHEET_H
#define TSR_CLI_LABEL_SHEET_H

#include "data/image.h"

/* The picture (grey or RGB) with labels [height, width] over it: each label half transparent in a
 * colour of its own, a black line where two of them meet. Every pixel becomes scale x scale; the
 * line is one pixel of the result wide on either side (from a scale of 2 on, else on one side).
 * out: created, RGB, [height * scale, width * scale]. */
enum tsr_status cli_label_overlay(const struct tsr_image *picture, const uint32_t *labels,
                                  size_t scale, struct tsr_image *out, struct tsr_error *err);

/* The picture beside its overlay, small ones magnified, captioned. out: created, RGB. */
enum tsr_status cli_label_sheet(const struct tsr_image *picture, const uint32_t *labels,
                                const char *caption, struct tsr_image *out, struct tsr_error *err);

#endif
