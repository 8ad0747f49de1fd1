/* SPDX-License-Identifier: MIT
 *
 * The pictures of a report: a few images after each inner step, and clippings of the regions that
 * are served worst. Internal to the report.
 */
#ifndef TSR_CLI_REPORT_PICTURES_H
#define TSR_CLI_REPORT_PICTURES_H

#include "cli/report.h"

/* Writes "steps" (the inner steps that are shown) and "pictures": an array with an object for each
 * image and each of what draws it, the image itself (subject null) or a subject:
 *
 *     image    in the survey
 *     why      "best", "median", "worst" or "random", of images of the gallery
 *     states   of the gallery: pictures after `steps`, as data: URIs of PNG; one of the image
 * itself labels   of the gallery, of the image itself: which region each pixel is in, as a PNG of
 * the same size, red + 256 green crops    [{region, picture}]: clippings around regions
 *
 * Nothing is shown where all states of an image would take more than tsr_survey_create() allows. */
enum tsr_status cli_report_pictures(struct cli_json *j, const struct cli_findings *f,
                                    struct tsr_error *err);

#endif
