/* SPDX-License-Identifier: MIT
 *
 * Few-step reconstruction of one image, and what it is worth: PSNR and SSIM after every inner step.
 */
#ifndef TSR_IMAGE_RECONSTRUCT_H
#define TSR_IMAGE_RECONSTRUCT_H

#include "base/watch.h"
#include "data/pixels.h"
#include "image/model.h"
#include "image/quality.h"
#include "inner/inner_loop.h"

struct tsr_reconstruct_config {
    size_t inner_steps;          /* may exceed the model's K: the last rates repeat */
    struct tsr_choice optimizer; /* of tsr_optimizers */
    /* A region takes no further step once its own PSNR is this (0: none), so that the image's is,
     * too; or once three steps in a row, past those of the training, have lowered its error by less
     * than a thousandth each. Its figures stay as they are from there on. */
    double target_psnr_db;
    bool until_converged;
    /* What of the image is known. Where that is not all, its figures are still of all pixels, and
     * errors that decide anything (which inner step is best, the two above) those of the context.
     */
    struct tsr_context_config context;
    bool masked;            /* tsr_reconstructor_mask() says what is known */
    uint64_t seed;          /* of a context that is drawn */
    bool ssim;              /* compute SSIM too */
    bool seam;              /* compute the seam metric too (image/seam.h) */
    size_t threads;         /* 0: all */
    const char *kernel;     /* "auto" or NULL, ... */
    struct tsr_watch watch; /* looked at after every inner step of a region, and several times a
                               second within one of a large region */
};
/* Inner steps and context = the model's, SGD, no SSIM. */
TSR_API void tsr_reconstruct_config_default(const struct tsr_model *model,
                                            struct tsr_reconstruct_config *config);
/* An optimiser as a model best uses it: with its defaults, and as many gradient steps before Adam
 * as the model was trained for. */
TSR_API struct tsr_choice tsr_reconstruct_optimizer(const struct tsr_model *model,
                                                    const struct tsr_optimizer *optimizer);
/* What takes so many inner steps if nobody says: gradient steps as in training, and where there are
 * more than the model was trained for, steps that are kept only if the loss falls. */
TSR_API const struct tsr_optimizer *tsr_reconstruct_optimizer_for(const struct tsr_model *model,
                                                                  size_t inner_steps);
/* TSR_ERR_CONFIG names what is out of range. */
TSR_API enum tsr_status tsr_reconstruct_config_check(const struct tsr_reconstruct_config *config,
                                                     struct tsr_error *err) TSR_MUST_USE;

/* Adapts images of one size; workspace is kept from one to the next. One caller at a time; several
 * reconstructors may share a model.
 *
 * Memory is that of the largest region, once for each thread or, where all threads share a region,
 * once for each of the few regions at hand. It does not grow with the number of inner steps:
 * results of all regions (their errors; for SSIM the pictures; for overlapping regions and the seam
 * metric the outputs) are kept for as many inner steps as fit in 64 MiB, at least one. If these are
 * not all, the regions go through the inner loop in rounds, and their parameters and the state of
 * the optimiser are kept between rounds. */
struct tsr_reconstructor;

/* model is kept. Errors: as tsr_model_check_image(). */
TSR_API enum tsr_status tsr_reconstructor_create(const struct tsr_model *model,
                                                 const struct tsr_reconstruct_config *config,
                                                 size_t height, size_t width,
                                                 struct tsr_reconstructor **out,
                                                 struct tsr_error *err) TSR_MUST_USE;
TSR_API void tsr_reconstructor_free(struct tsr_reconstructor *r); /* accepts NULL */

TSR_API const struct tsr_partition *tsr_reconstructor_partition(const struct tsr_reconstructor *r);

/* For a rule that follows the image: the label map [H, W] of the image to come, each below the
 * model's number of regions. To be called before tsr_reconstruct() for every image. */
TSR_API enum tsr_status tsr_reconstructor_follow(struct tsr_reconstructor *r,
                                                 const uint32_t *labels,
                                                 struct tsr_error *err) TSR_MUST_USE;

/* With a context fraction: the image to come has this number, which its known pixels are drawn by
 * (tsr_context_draw()). To be called before tsr_reconstruct() for every image, behind
 * tsr_reconstructor_follow(); without a fraction nothing happens. */
TSR_API void tsr_reconstructor_draw(struct tsr_reconstructor *r, uint64_t image);
/* With config.masked: the known pixels of the images to come are those where mask [H, W], at the
 * size of the context, is not 0 (copied). A region without a known pixel keeps its initialisation.
 */
TSR_API void tsr_reconstructor_mask(struct tsr_reconstructor *r, const uint8_t *mask);

/* What comes out; all arrays are the caller's and may be NULL where not wanted. K = inner_steps. */
struct tsr_reconstruction {
    double *psnr_db;        /* [K+1] of the image, from the unclipped outputs */
    double *unseen_psnr_db; /* [K+1] of its pixels that are not known; NaN without one */
    double
        *ssim; /* [K+1] of the clipped 8-bit image; needs config.ssim and 11x11 pixels, else NaN */
    double *seam;         /* [K+1] seam metric; needs config.seam, else NaN */
    double *region_error; /* [K+1, n_regions] squared error summed over the region's own pixels and
                             channels, after blending */
    /* Of each region those of the best inner step, 0 to K, by its squared error (with overlap, or
     * where not all is known, over all its context points); of the last where nothing got worse on
     * the way. A region without pixels keeps its initialisation. */
    tsr_real *phi;       /* [n_regions, n_params] adapted parameters */
    tsr_real *numbers;   /* [n_regions, n] the numbers that were adapted (inner/adaptations.h) */
    double best_psnr_db; /* of the image that they give, where one of the two is wanted; with pixels
                            of their own regions alone it is not below any of psnr_db */
    double best_unseen_psnr_db; /* of its pixels that are not known; NaN without one */
    uint8_t *pictures;          /* [K+1, H, W, C] the clipped 8-bit image after each inner step */
    double seconds; /* of computing, without SSIM and seam metric; with a context that is not
                       all pixels also of their outputs after every inner step */
    double flops;   /* essential ones of all passes, and of a basis; of such outputs the last */
};

/* pixels [H, W, C]. A non-finite loss is no error here: PSNR is then NaN. Errors:
 * TSR_ERR_INTERRUPTED when config.watch asked for it, TSR_ERR_NO_MEMORY. */
TSR_API enum tsr_status tsr_reconstruct(struct tsr_reconstructor *r, struct tsr_pixels pixels,
                                        struct tsr_reconstruction *out,
                                        struct tsr_error *err) TSR_MUST_USE;

#endif
