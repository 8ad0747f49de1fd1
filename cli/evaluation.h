/* SPDX-License-Identifier: MIT
 *
 * Evaluation of a model, and of what it is compared to, with progress. Shared by eval and demo.
 */
#ifndef TSR_CLI_EVALUATION_H
#define TSR_CLI_EVALUATION_H

#include "cli/image_list.h"
#include "image/baseline.h"
#include "image/reach.h"
#include "image/transfer.h"

struct cli_evaluation {
    const struct tsr_model *model;
    struct tsr_dataset *dataset;
    enum tsr_split split;
    size_t limit;
    const struct tsr_reconstruct_config *config;
    bool quiet;
    const struct tsr_observer *observer; /* sees each image; may be NULL */
    const struct tsr_comm *comm; /* processes that share it, without an observer; NULL: one */
};

/* tsr_evaluate(), tsr_evaluate_baseline(), tsr_transfer_matrix() and tsr_reach() with a progress
 * line; a signal stops them. */
enum tsr_status cli_evaluate(const struct cli_evaluation *e, struct tsr_evaluation *out,
                             struct tsr_error *err);
enum tsr_status cli_evaluate_baseline(const struct cli_evaluation *e, uint64_t seed,
                                      struct tsr_baseline *out, struct tsr_error *err);
enum tsr_status cli_evaluate_transfer(const struct cli_evaluation *e, struct tsr_transfer *out,
                                      struct tsr_error *err);
enum tsr_status cli_evaluate_reach(const struct cli_evaluation *e, uint64_t seed,
                                   struct tsr_reach *out, struct tsr_error *err);

/* The same of image files, each at its own size, by tsr_evaluator_add(). A bad one is left out as
 * cli_images_each() says: there are figures nevertheless, unless out->images is 0. */
struct cli_files_evaluation {
    const struct tsr_model *model;
    const struct tsr_reconstruct_config *config;
    struct cli_images *images;
    struct tsr_image_as as;
    bool strict, quiet;
};
enum tsr_status cli_evaluate_files(struct cli_call *call, const struct cli_files_evaluation *e,
                                   struct tsr_evaluation *out);

#endif
