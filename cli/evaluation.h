/* SPDX-License-Identifier: MIT
 *
 * Evaluation with progress, and what it is compared to. Shared by eval and demo.
 */
#ifndef TSR_CLI_EVALUATION_H
#define TSR_CLI_EVALUATION_H

#include "image/evaluate.h"

struct cli_evaluation {
    const struct tsr_model *model;
    struct tsr_dataset *dataset;
    enum tsr_split split;
    size_t limit;
    const struct tsr_reconstruct_config *config;
    bool quiet;
};

/* tsr_evaluate() with a progress line that begins with `label`; stops at a signal. */
enum tsr_status cli_evaluate(const struct cli_evaluation *e, const char *label,
                             struct tsr_evaluation *out, struct tsr_error *err);

/* A random initialisation of the model's networks, adapted by as many gradient steps of one fixed
 * rate. The rate is the best of cli_baseline_rates on images that are not evaluated: of val, or of
 * train if val is what is evaluated or is empty. */
struct cli_baseline {
    double rate;
    enum tsr_split chosen_on;
    size_t chosen_on_images;
    struct tsr_evaluation result;
};
extern const double cli_baseline_rates[];
extern const size_t cli_baseline_n_rates;
enum tsr_status cli_evaluate_baseline(const struct cli_evaluation *e, uint64_t seed,
                                      struct cli_baseline *out, struct tsr_error *err);

#endif
