/* SPDX-License-Identifier: MIT
 *
 * Ordinary learning of one image: Adam on the network of each region, from a random or a
 * meta-learned initialisation, for as long as it takes (the single-image experiments of arXiv
 * 2310.14184, which compare one network with one for each region at equal numbers of parameters).
 *
 * Regions are independent: each descends the mean squared error over its own context pixels, so
 * they run for blocks of iterations without meeting. Iteration k is Adam's update number k + 1,
 * which leads from phi_k to phi_{k+1}. What is measured at iteration k is measured at phi_k.
 */
#ifndef TSR_IMAGE_FIT_H
#define TSR_IMAGE_FIT_H

#include "base/names.h"
#include "image/inr.h"
#include "image/model.h"

/* Rate over the run: constant, or a half cosine down to 0 at --iterations or --time. */
enum tsr_fit_schedule { TSR_FIT_SCHEDULE_CONSTANT, TSR_FIT_SCHEDULE_COSINE };
TSR_API extern const struct tsr_names tsr_fit_schedule_names;
TSR_API const char *tsr_fit_schedule_name(enum tsr_fit_schedule schedule); /* constant, cosine */
TSR_API enum tsr_status tsr_fit_schedule_parse(const char *text, enum tsr_fit_schedule *out,
                                               struct tsr_error *err) TSR_MUST_USE;

struct tsr_fit_config {
    /* Bounds, of which the first that is reached ends the run; at least one must be set. 0: none.
     */
    uint64_t iterations;
    double seconds; /* of training */
    /* PSNR in dB. A region whose error has reached its share of the target is frozen: it costs
     * nothing more. The run ends when the image's error has reached the target. Regions are looked
     * at in each iteration (with a batch fraction: at curve points), the image at curve points. */
    double target_psnr_db;

    double lr; /* Adam's rate, positive; beta 0.9 and 0.999, eps 1e-8 (arXiv 1412.6980) */
    enum tsr_fit_schedule schedule;
    uint64_t warmup; /* iterations of linear rise of the rate */
    /* Part of the context pixels of each region that an iteration looks at, 0 (excluded) to 1. They
     * are taken from random permutations of the pixels, one after the other, so that each pixel has
     * its turn once in each pass. */
    double batch_fraction;
    uint64_t every; /* iterations between curve points, at least 1 */
    /* What is learned of each network, and stored; the rest stays as the model's slot has it. Of
     * `all`, region r starts from tsr_network_randomize(seed, r) if `random`, and not from its
     * slot. latent: with the model's basis, so as many numbers as that has. */
    struct tsr_choice adaptation;
    bool random;
    /* Else: inner steps of the model, with its rates, that come before Adam; they count as training
     * but not as iterations. What they adapt must be what is learned, unless all is. */
    size_t inner_steps;
    /* What is learned from: the pixels where mask [H, W] is not 0 (not used after
     * tsr_fitter_create()), or, without one, a random part of each region's, 0 (excluded) to 1.
     * Figures are of all pixels nevertheless, but what the target is compared with. A region
     * without a known pixel keeps its initialisation. */
    double context_fraction;
    const uint8_t *mask;
    uint64_t seed;      /* of initialisation, batches, known pixels */
    size_t threads;     /* 0: all */
    const char *kernel; /* "auto", ... */
    /* The image's label map [H, W], for the rule `labels`; may be given for `segment` too, which
     * otherwise computes it (image/regions.h). Not used after tsr_fitter_create(). */
    const uint16_t *labels;
};
/* All parameters, rate 1e-3, constant, all pixels, a curve point each 10 iterations, random; no
 * bound. */
TSR_API void tsr_fit_config_default(struct tsr_fit_config *config);
/* What suits this image, set in `config`: rate (by width; a tenth after inner steps of a model),
 * schedule (cosine where iterations or a time bound the run), warm-up (after inner steps), part of
 * the pixels per iteration (65,536 per region are enough). From `config` are taken adaptation,
 * inner_steps, iterations, seconds. */
TSR_API void tsr_fit_config_for(const struct tsr_model *model, size_t height, size_t width,
                                struct tsr_fit_config *config);
/* The frequency of the first layer that suits what the network of a region has to draw. */
TSR_API double tsr_fit_omega_first(const struct tsr_model_config *config, size_t height,
                                   size_t width);
TSR_API enum tsr_status tsr_fit_config_check(const struct tsr_fit_config *config,
                                             struct tsr_error *err) TSR_MUST_USE;

/* Where a run stands. psnr_db, loss, region_error are those of the last curve point; a frozen
 * region's stay those of the moment it was frozen, which are its final ones. */
struct tsr_fit_state {
    uint64_t iteration; /* updates done, by all regions */
    double seconds;     /* spent on them: gradients and updates, without measuring and callbacks */
    double
        map_seconds; /* of finding the regions, for a rule that follows the image; not in seconds */
    double flops;    /* essential FLOPs of them: gradients, and ways through a basis */
    double psnr_db;  /* of the image, from the unclipped outputs, blended where regions overlap */
    double unseen_psnr_db;      /* of its pixels that are not known; NaN without one */
    double loss;                /* mean squared error over the context pixels of all regions */
    size_t n_regions, active;   /* not frozen */
    const double *region_error; /* [n_regions] squared error summed over own pixels and channels */
    const uint64_t *region_iteration; /* [n_regions] updates done */
};

struct tsr_fit_callbacks {
    /* At each curve point: iteration 0, each `every`-th and the last. A failure ends the run with
     * it. */
    enum tsr_status (*point)(void *user, const struct tsr_fit_state *state, struct tsr_error *err);
    /* On the calling thread, several times a second; nonzero ends the run with TSR_ERR_INTERRUPTED,
     * between iterations after a last curve point, within one that takes long at once: then some
     * regions have done more iterations than others. */
    int (*progress)(void *user, const struct tsr_fit_state *state);
    void *user;
};

/* Memory: parameters and their gradients (with a batch fraction these for each thread only), values
 * and two moments of what is learned, the targets of the largest region for each thread. */
struct tsr_fitter;

/* For an image of 8-bit pixels [H, W, C], which must outlive the fitter, under the model's
 * partition rule and coordinates; the model is not used afterwards. Errors: as
 * tsr_model_check_image(). */
TSR_API enum tsr_status tsr_fitter_create(const struct tsr_model *model,
                                          const struct tsr_fit_config *config,
                                          const struct tsr_image *image, struct tsr_fitter **out,
                                          struct tsr_error *err) TSR_MUST_USE;
TSR_API void tsr_fitter_free(struct tsr_fitter *fitter); /* accepts NULL */

/* Runs until a bound is reached. The result does not depend on the number of threads unless the run
 * is bounded by time. TSR_ERR_NUMERIC: the error of a region is not finite; TSR_ERR_INTERRUPTED: a
 * callback asked for it. callbacks may be NULL. */
TSR_API enum tsr_status tsr_fitter_run(struct tsr_fitter *fitter,
                                       const struct tsr_fit_callbacks *callbacks,
                                       struct tsr_error *err) TSR_MUST_USE;

TSR_API const struct tsr_fit_state *tsr_fitter_state(const struct tsr_fitter *fitter);
/* The image as it is learned so far: ready to be saved or rendered. */
TSR_API const struct tsr_inr *tsr_fitter_inr(const struct tsr_fitter *fitter);

#endif
