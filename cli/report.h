/* SPDX-License-Identifier: MIT
 *
 * `eval --report`: what an evaluation found as one page that needs nothing else, no network either.
 * Its data are a JSON object inside of it; page, style and script are cli/report/, charts are drawn
 * by uPlot.
 *
 * Its size is bounded: CLI_REPORT_GALLERY images, each of at most CLI_REPORT_SIDE pixels a side and
 * CLI_REPORT_STATES states, of the model and at most two others; CLI_REPORT_CROPS clippings of at
 * most CLI_REPORT_CROP_SIDE pixels of each; the CLI_REPORT_WORST worst images of each region by
 * name; and two numbers an image and state.
 */
#ifndef TSR_CLI_REPORT_H
#define TSR_CLI_REPORT_H

#include "cli/findings.h"

enum {
    CLI_REPORT_GALLERY = 6,
    CLI_REPORT_SIDE = 256,
    CLI_REPORT_STATES = 8,
    CLI_REPORT_DRAWN = 3, /* subjects */
    CLI_REPORT_CROPS = 256,
    CLI_REPORT_CROPS_OF_REGION = 4,
    CLI_REPORT_CROP_SIDE = 96,
    CLI_REPORT_WORST = 12,
};

/* What the page says beside the findings. */
struct cli_report {
    const char *command, *model_path;
    enum tsr_split split;
    double seconds;                                   /* that all of it took */
    void (*config)(struct cli_json *j, const void *); /* writes "config" */
    void (*figures)(struct cli_json *j, const struct tsr_evaluation *e);
    const void *user; /* of config */
    double params_per_value;
};

enum tsr_status cli_report_write(const struct cli_findings *f, const struct cli_report *about,
                                 const char *path, struct tsr_error *err);

#endif
