/* SPDX-License-Identifier: MIT */
#include "data/colour.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
    const char *name;
    struct tsr_colour colour;
} names[] = {
    {"white", {255, 255, 255}}, {"black", {0, 0, 0}},        {"gray", {128, 128, 128}},
    {"grey", {128, 128, 128}},  {"silver", {192, 192, 192}}, {"red", {255, 0, 0}},
    {"green", {0, 128, 0}},     {"blue", {0, 0, 255}},       {"lime", {0, 255, 0}},
    {"yellow", {255, 255, 0}},  {"aqua", {0, 255, 255}},     {"fuchsia", {255, 0, 255}},
    {"maroon", {128, 0, 0}},    {"olive", {128, 128, 0}},    {"navy", {0, 0, 128}},
    {"purple", {128, 0, 128}},  {"teal", {0, 128, 128}},
};

/* Of the three or six digits behind the #. */
static bool parse_digits(const char *digits, struct tsr_colour *out) {
    size_t n = strlen(digits);
    if ((n != 3 && n != 6) || strspn(digits, "0123456789abcdefABCDEF") != n) return false;
    unsigned long value = strtoul(digits, NULL, 16);
    if (n == 3) /* each digit stands for itself twice */
        value = 0x11 * ((value & 0xf00) << 8 | (value & 0xf0) << 4 | (value & 0xf));
    *out = (struct tsr_colour){(uint8_t)(value >> 16), (uint8_t)(value >> 8), (uint8_t)value};
    return true;
}

enum tsr_status tsr_colour_parse(const char *text, struct tsr_colour *out, struct tsr_error *err) {
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strcasecmp(text, names[i].name) == 0) {
            *out = names[i].colour;
            return TSR_OK;
        }
    if (text[0] == '#' && parse_digits(text + 1, out)) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_CONFIG,
                     "\"%s\" is no colour; it is #rrggbb or a name: white, black, grey, silver, "
                     "red, green, blue, lime, yellow, aqua, fuchsia, maroon, olive, navy, purple, "
                     "teal",
                     text);
}

struct tsr_colour_text tsr_colour_text(struct tsr_colour colour) {
    struct tsr_colour_text out;
    (void)snprintf(out.text, sizeof out.text, "#%02x%02x%02x", colour.red, colour.green,
                   colour.blue);
    return out;
}
