/* SPDX-License-Identifier: MIT
 *
 * Colours as people write them: the sixteen names of HTML 4 (and grey), #rrggbb, #rgb.
 */
#ifndef TSR_DATA_COLOUR_H
#define TSR_DATA_COLOUR_H

#include "base/status.h"

struct tsr_colour {
    uint8_t red, green, blue; /* sRGB */
};
#define TSR_WHITE ((struct tsr_colour){255, 255, 255})

/* Any case. TSR_ERR_CONFIG says what there is. */
TSR_API enum tsr_status tsr_colour_parse(const char *text, struct tsr_colour *out,
                                         struct tsr_error *err) TSR_MUST_USE;

/* "#rrggbb", to be stored. */
struct tsr_colour_text {
    char text[8];
};
TSR_API struct tsr_colour_text tsr_colour_text(struct tsr_colour colour);

/* Its luma with the weights of JPEG, in integers as stb_image has them. */
static inline uint8_t tsr_grey(uint8_t red, uint8_t green, uint8_t blue) {
    return (uint8_t)((red * 77 + green * 150 + blue * 29) >> 8);
}

#endif
