/* SPDX-License-Identifier: MIT
 *
 * What of an image its networks adapt to, for the commands that train and adapt.
 */
#ifndef TSR_CLI_CONTEXT_OPTIONS_H
#define TSR_CLI_CONTEXT_OPTIONS_H

#include "cli/options.h"
#include "image/model.h"

/* --context-fraction over a member double, --query-scale over a member size_t; `shown_` is what
 * --help shows as default, or NULL. */
#define CLI_CONTEXT_FRACTION(offset, shown_)                                                       \
    {                                                                                              \
        .name = "context-fraction", .metavar = "F", .type = CLI_DOUBLE, .at = (offset),            \
        .positive = true, .max = 1, .shown = (shown_),                                             \
        .help = "random part of each region's pixels that inner steps see; figures are of all"     \
    }
#define CLI_QUERY_SCALE(offset, shown_, help_)                                                     \
    {                                                                                              \
        .name = "query-scale", .metavar = "S", .type = CLI_SIZE, .at = (offset), .min = 1,         \
        .max = TSR_MAX_QUERY_SCALE, .shown = (shown_), .help = (help_)                             \
    }
/* --mask over a member const char *. */
#define CLI_MASK(offset)                                                                           \
    {                                                                                              \
        .name = "mask", .metavar = "M.png", .type = CLI_STRING, .file = CLI_READS, .at = (offset), \
        .help = "picture of the image's size that is black, or transparent, where nothing is "     \
                "known: these pixels are filled in"                                                \
    }

/* Those of the two that were given; the others stay. */
void cli_context_apply(const struct cli_call *call, const struct tsr_context_config *asked,
                       struct tsr_context_config *context);

/* Of every pixel whether it is known. */
struct cli_mask {
    size_t height, width;
    uint8_t *known; /* [height, width]; NULL: there is no mask */
};
/* TSR_ERR_CONFIG for --context-fraction beside it, TSR_ERR_FORMAT for one without a known pixel, as
 * tsr_image_read(). To be freed with free(mask->known). */
enum tsr_status cli_mask_read(const struct cli_call *call, const char *path, struct cli_mask *mask,
                              struct tsr_error *err);
/* Is there none, or one of this size? TSR_ERR_SHAPE. */
enum tsr_status cli_mask_check(const char *path, const struct cli_mask *mask, size_t height,
                               size_t width, struct tsr_error *err);

#endif
