/* SPDX-License-Identifier: MIT
 *
 * Few-step reconstruction of one image, and what it is worth: PSNR and SSIM after every inner step.
 */
#ifndef TSR_IMAGE_RECONSTRUCT_H
#define TSR_IMAGE_RECONSTRUCT_H

#include "data/pixels.h"
#include "image/model.h"
#include "inner/inner_loop.h"

struct tsr_reconstruct_config {
    size_t inner_steps; /* may exceed the model's K: the last rates repeat */
    struct tsr_inner_optimizer optimizer;
    bool ssim;          /* compute SSIM too */
    bool seam;          /* compute the seam metric too (image/seam.h) */
    size_t threads;     /* 0: all */
    const char *kernel; /* "auto", ... */
};
/* inner_steps = the model's, SGD, no SSIM. */
TSR_API void tsr_reconstruct_config_default(const struct tsr_model *model,
                                            struct tsr_reconstruct_config *config);
TSR_API enum tsr_status tsr_reconstruct_config_check(const struct tsr_reconstruct_config *config,
                                                     struct tsr_error *err) TSR_MUST_USE;

/* Adapts images of one size; workspace is kept from one to the next. One caller at a time. Its
 * memory does not grow with the number of inner steps (but for the pictures that SSIM needs). When
 * regions overlap or the seam metric is wanted, regions go through the inner loop in rounds of as
 * many inner steps as have outputs at all context pixels in 64 MiB, at least one; with more than
 * one round the parameters of all regions are kept. */
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

/* What comes out; all arrays are the caller's and may be NULL where not wanted. K = inner_steps. */
struct tsr_reconstruction {
    double *psnr_db; /* [K+1] of the image, from the unclipped outputs */
    double
        *ssim; /* [K+1] of the clipped 8-bit image; needs config.ssim and 11x11 pixels, else NaN */
    double *seam;         /* [K+1] seam metric; needs config.seam, else NaN */
    double *region_error; /* [K+1, n_regions] squared error summed over the region's own pixels and
                             channels, after blending */
    tsr_real *phi;        /* [n_regions, n_params] adapted parameters; a region without pixels keeps
                             its initialisation */
    uint8_t *pictures;    /* [K+1, H, W, C] the clipped 8-bit image after each inner step */
    double seconds;       /* of computing, without SSIM and seam metric */
};

/* pixels [H, W, C]. A non-finite loss is no error here: PSNR is then NaN. */
TSR_API void tsr_reconstruct(struct tsr_reconstructor *r, struct tsr_pixels pixels,
                             struct tsr_reconstruction *out);

/* PSNR in dB, peak 1, from a sum of squared errors over n values. */
TSR_API double tsr_psnr_db(double squared_error, size_t n);

/* SSIM (Wang et al. 2004): Gaussian window 11x11 of sigma 1.5, K1 0.01, K2 0.03, peak 255, mean
 * over the valid positions and the channels. a, b [H, W, C]. NaN if a side is below 11. scratch [5
 * * width]. */
TSR_API double tsr_ssim(const uint8_t *a, const uint8_t *b, size_t height, size_t width,
                        size_t channels, float *scratch);

#endif
