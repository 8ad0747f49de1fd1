/* SPDX-License-Identifier: MIT */
#include "cli/view_options.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* "LO..HI". strtod() would take the first dot of "0..255" for its own: it is cut before. */
static bool parse_range(const char *text, double range[2]) {
    char low[64], *end;
    const char *dots = strstr(text, "..");
    size_t length = dots ? (size_t)(dots - text) : 0;
    if (length == 0 || length >= sizeof low) return false;
    memcpy(low, text, length);
    low[length] = 0;
    range[0] = strtod(low, &end);
    if (*end) return false;
    range[1] = strtod(dots + 2, &end);
    return !*end && end != dots + 2 && isfinite(range[0]) && isfinite(range[1]) &&
           range[0] < range[1];
}

enum tsr_status cli_view_check_range(const char *text, struct tsr_error *err) {
    double range[2];
    if (parse_range(text, range)) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_CONFIG,
                     "\"%s\" is not a range LO..HI of two numbers, the first the smaller", text);
}

struct tsr_view_options cli_view_take(const struct cli_view *asked, struct cli_ignored *ignored) {
    cli_ignored_take(ignored);
    struct tsr_view_options view = {.images = asked->images,
                                    .layout = asked->layout,
                                    .ignored_labels = ignored->value,
                                    .n_ignored_labels = ignored->n};
    if (asked->range && !parse_range(asked->range, view.range)) view.range[1] = 0; /* was checked */
    return view;
}

static bool parse_ignored(const char *text, struct cli_ignored *out) {
    for (out->n = 0; out->n < sizeof out->value / sizeof *out->value; text++) {
        char *end;
        long number = strtol(text, &end, 10);
        if (end == text || number < -1 || number > UINT16_MAX) return false;
        out->value[out->n++] = (int32_t)number;
        if (!*end) return true;
        if (*end != ',') return false;
        text = end;
    }
    return false;
}

enum tsr_status cli_ignored_check(const char *text, struct tsr_error *err) {
    struct cli_ignored ignored;
    if (parse_ignored(text, &ignored)) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_CONFIG,
                     "\"%s\" is not a list of up to %zu numbers -1..%d with commas between them",
                     text, sizeof ignored.value / sizeof *ignored.value, UINT16_MAX);
}

void cli_ignored_take(struct cli_ignored *ignored) {
    if (ignored->text && !parse_ignored(ignored->text, ignored)) ignored->n = 0; /* was checked */
}
