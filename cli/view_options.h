/* SPDX-License-Identifier: MIT
 *
 * How an array of somebody else's is read as images: for the commands that take datasets.
 */
#ifndef TSR_CLI_VIEW_OPTIONS_H
#define TSR_CLI_VIEW_OPTIONS_H

#include "cli/options.h"
#include "data/view.h"

/* Values in label maps that stand for no class. */
struct cli_ignored {
    const char *text; /* as it was typed; NULL: none */
    int32_t value[16];
    size_t n;
};

struct cli_view {
    const char *images, *layout, *range;
};

/* The options over a member struct cli_view of `args`. */
#define CLI_VIEW_OPTIONS(args, member, images_help)                                                \
    {.name = "images",                                                                             \
     .metavar = "NAME",                                                                            \
     .type = CLI_STRING,                                                                           \
     .at = offsetof(args, member.images),                                                          \
     .help = (images_help)},                                                                       \
        {.name = "images-layout",                                                                  \
         .metavar = "AXES",                                                                        \
         .type = CLI_STRING,                                                                       \
         .at = offsetof(args, member.layout),                                                      \
         .check = tsr_view_check_layout,                                                           \
         .help = "the order of the array's axes: NHWC, NCHW, HWCN, NHW, HWC, ... or "              \
                 "flat:HxWxC; without it the shape tells, or it is asked for"},                    \
    {                                                                                              \
        .name = "images-range", .metavar = "LO..HI", .type = CLI_STRING,                           \
        .at = offsetof(args, member.range), .check = cli_view_check_range,                         \
        .help = "the values that are black and white, such as 0..255 of floats or -1..1; without " \
                "it integers are 0..255 and floats 0..1"                                           \
    }
#define CLI_VIEW_IN_FILE "the array of the file that holds the images, instead of /images"

/* The option over a member struct cli_ignored of `args`. */
#define CLI_IGNORE_LABEL(args, member, then)                                                       \
    {                                                                                              \
        .name = "ignore-label", .metavar = "V,...", .type = CLI_STRING,                            \
        .at = offsetof(args, member.text), .check = cli_ignored_check,                             \
        .help = "values in the label maps that stand for no class, such as 255; -1: that, or the " \
                "largest that the file can hold. " then                                            \
    }
#define CLI_VOID_AT_HAND                                                                           \
    "Such pixels are reconstructed, but belong to no class's region and count in no class's "      \
    "figure"

enum tsr_status cli_view_check_range(const char *text, struct tsr_error *err);
enum tsr_status cli_ignored_check(const char *text, struct tsr_error *err);

/* What was asked for; its strings are views, and so are the values of `ignored`, whose text is
 * read.
 */
struct tsr_view_options cli_view_take(const struct cli_view *asked, struct cli_ignored *ignored);
/* Reads the text, which was checked. */
void cli_ignored_take(struct cli_ignored *ignored);

#endif
