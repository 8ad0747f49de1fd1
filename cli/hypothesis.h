/* SPDX-License-Identifier: MIT
 *
 * Results of `tessera hypothesis`: tables, CSV, JSON, plot.
 */
#ifndef TSR_CLI_HYPOTHESIS_H
#define TSR_CLI_HYPOTHESIS_H

#include <stdio.h>

#include "study/hypothesis.h"
#include "study/laws.h"

/* The runs of one partition. */
struct hypothesis_group {
    struct tsr_hypothesis h;
    struct tsr_net net;              /* of one piece */
    struct tsr_hypothesis_run *runs; /* [n_values, n_repeats]; not all need be done */
    bool fitted;                     /* else there was too little to fit */
    struct tsr_law laws[TSR_N_LAWS];
};

struct hypothesis_results {
    struct hypothesis_group *groups; /* [n_groups] */
    size_t n_groups;
    size_t n_values, n_repeats; /* numbers of boundaries, runs of each */
    const char *kernel;
};

/* Mean steps of five runs in the arrays that the paper's code ships, for its own settings; 0: not
 * known. */
double hypothesis_published(const struct tsr_hypothesis *h, size_t n);

/* Fits the laws of every group to the runs that are done. */
enum tsr_status hypothesis_fit(struct hypothesis_results *r, size_t resamples,
                               struct tsr_error *err);

void hypothesis_print(const struct hypothesis_results *r, FILE *to);
enum tsr_status hypothesis_write_csv(const struct hypothesis_results *r, const char *path,
                                     struct tsr_error *err);
enum tsr_status hypothesis_write_json(const struct hypothesis_results *r, const char *path,
                                      struct tsr_error *err);
enum tsr_status hypothesis_write_plot(const struct hypothesis_results *r, const char *path,
                                      struct tsr_error *err);

#endif
