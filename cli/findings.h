/* SPDX-License-Identifier: MIT
 *
 * What an evaluation found of a model and of what it is compared to, image by image and region by
 * region, and how it is written: as JSON, as CSV, as a table on the terminal. Used by eval and by
 * its report.
 */
#ifndef TSR_CLI_FINDINGS_H
#define TSR_CLI_FINDINGS_H

#include "cli/json.h"
#include "image/reach.h"
#include "image/survey.h"
#include "image/transfer.h"

#define CLI_MOST_SUBJECTS 9

/* The model, its baseline, or another model. */
struct cli_subject {
    const char *name;        /* "model", "random", or the path of another model; a view */
    struct tsr_model *model; /* NULL: the baseline's, which has the model's shape */
    struct tsr_reconstruct_config config;
    struct tsr_evaluation result; /* owned */
    struct tsr_survey *survey;    /* owned; NULL: was not asked for */
};

struct cli_findings {
    struct tsr_dataset *dataset;
    uint64_t seed;
    size_t n; /* subjects; [0] is the model */
    struct cli_subject subject[CLI_MOST_SUBJECTS];
    double linear_limit_image_db; /* of whole images; NaN: unknown */
    double *linear_limit_db;      /* [regions of the model], owned; NULL: was not given */
    struct tsr_transfer transfer; /* n_slots 0: was not asked for */
    struct tsr_reach reach;       /* images 0: was not asked for */
};
void cli_findings_clear(struct cli_findings *f);

/* Does region r of the model lie at one place of all images, in rows and columns of cells? Then
 * which. */
bool cli_findings_cell(const struct cli_findings *f, size_t r, size_t *row, size_t *col);
/* The name of an image of the survey; a view, see tsr_dataset_name(). */
const char *cli_findings_image(const struct cli_findings *f, size_t i);
/* The gain of subject s over the model, of the whole image (region n_regions) or a region. Of
 * regions no more resamples are drawn than take a few seconds for all. *resamples: how many. */
enum tsr_status cli_findings_gain(const struct cli_findings *f, size_t s, size_t region,
                                  struct tsr_paired *out, size_t *resamples, struct tsr_error *err);
/* Can regions of subject s be told apart from those of the model? */
bool cli_findings_alike(const struct cli_findings *f, size_t s);

/* The array "regions" of a subject. */
void cli_findings_json_regions(struct cli_json *j, const struct cli_findings *f, size_t s);
/* "per_image", "borders" and "layers" of a subject. */
void cli_findings_json_images(struct cli_json *j, const struct cli_findings *f, size_t s);
/* "compare", "transfer", "reach": each if it was asked for. */
enum tsr_status cli_findings_json_rest(struct cli_json *j, const struct cli_findings *f,
                                       struct tsr_error *err);

/* A line for each region, of at most 80 columns, on stdout. */
void cli_findings_print(const struct cli_findings *f);
/* Gains, transfer matrix and what ordinary learning needs: what of it was asked for, on stdout. */
enum tsr_status cli_findings_print_rest(const struct cli_findings *f, struct tsr_error *err);

/* A row for each subject and region, or for each subject and image. */
enum tsr_status cli_findings_csv_regions(const struct cli_findings *f, const char *path,
                                         struct tsr_error *err);
enum tsr_status cli_findings_csv_images(const struct cli_findings *f, const char *path,
                                        struct tsr_error *err);

/* Reads what `scripts/linear-limit --cells` writes: lines "numbers region psnr_db", tab-separated,
 * the region "image" being the whole image, of which those with as many numbers as the model stores
 * of a region are taken. TSR_ERR_FORMAT, or TSR_ERR_CONFIG where it has others; the message names
 * those. */
enum tsr_status cli_findings_linear_limit(const char *path, const struct tsr_model *model,
                                          size_t n_regions, double **out, double *image_db,
                                          struct tsr_error *err);

#endif
