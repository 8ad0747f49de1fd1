/* SPDX-License-Identifier: MIT
 *
 * What a model is compared to: a random initialisation of its networks, adapted to the same images
 * by as many gradient steps of one fixed rate.
 */
#ifndef TSR_IMAGE_BASELINE_H
#define TSR_IMAGE_BASELINE_H

#include "image/evaluate.h"

/* The rates that are tried, ascending. */
TSR_API extern const double tsr_baseline_rates[];
TSR_API extern const size_t tsr_baseline_n_rates;

/* Images that the rate is chosen on, at most: enough to tell rates apart that differ by a factor
 * of 3. */
enum { TSR_BASELINE_IMAGES = 16 };

struct tsr_baseline {
    double rate;              /* of all steps; the one with the best PSNR after the last */
    enum tsr_split chosen_on; /* never the split that is evaluated, but where that is `all` */
    size_t chosen_on_images;
    struct tsr_evaluation result; /* with that rate; tsr_evaluation_clear() frees it */
};

struct tsr_baseline_callbacks {
    /* After every image, first while the rate is chosen, `done` counting the images of all rates,
     * then of the evaluation; nonzero stops with TSR_ERR_INTERRUPTED. The PSNR is that of the rate
     * at hand. */
    int (*progress)(void *user, bool choosing, size_t done, size_t total, double mean_psnr_db);
    void *user;
    const struct tsr_observer *observer; /* of the evaluation; may be NULL */
    const struct tsr_comm *comm;         /* as in struct tsr_evaluate_callbacks */
};

/* Evaluates the baseline of a model like tsr_evaluate() the model, whose partition, coordinates,
 * slots and anchors it has; the optimiser of `config` is not used. The initial weights are a
 * function of `seed`. The rate is the best of tsr_baseline_rates on images spread over val, or of
 * train if val is what is evaluated or is empty. Cost: that of evaluating the images and
 * TSR_BASELINE_IMAGES more for each rate. Errors: those of tsr_evaluate(); *out then holds
 * nothing. callbacks may be NULL. */
TSR_API enum tsr_status
tsr_evaluate_baseline(const struct tsr_model *model, struct tsr_dataset *dataset,
                      enum tsr_split split, size_t limit,
                      const struct tsr_reconstruct_config *config, uint64_t seed,
                      const struct tsr_baseline_callbacks *callbacks, struct tsr_baseline *out,
                      struct tsr_error *err) TSR_MUST_USE;

#endif
