/* SPDX-License-Identifier: MIT
 *
 * Evaluation of a model on a split: means over images of per-image figures.
 */
#ifndef TSR_IMAGE_EVALUATE_H
#define TSR_IMAGE_EVALUATE_H

#include "base/comm.h"
#include "data/dataset.h"
#include "image/reconstruct.h"

struct tsr_evaluation {
    size_t images, inner_steps;
    size_t of; /* images of the split, over which `images` are evenly spread */
    double *psnr_db,
        *psnr_db_std;       /* [inner_steps+1] mean and standard deviation (n-1) over images */
    double *unseen_psnr_db; /* [inner_steps+1] of the pixels that are not known; NaN without any */
    double *ssim;           /* [inner_steps+1]; NaN where it was not computed */
    double *seam; /* [inner_steps+1] seam metric (image/seam.h); NaN where it was not computed */
    size_t n_regions;       /* 0: the images had different numbers of them */
    size_t *region_slot;    /* [n_regions] */
    size_t *region_images;  /* [n_regions] images that have pixels of this region */
    double *region_pixels;  /* [n_regions] mean over these images */
    double *region_psnr_db; /* [n_regions, inner_steps+1] mean over these images; NaN without one */
    double seconds_per_image;     /* of adaptation; without finding the regions */
    double map_seconds_per_image; /* of finding the regions, for a rule that follows the image */
    double params_per_image;      /* adapted; mean over images */
    double values_per_image;      /* height * width * channels; mean over images */
    double flops_per_image; /* of K inner steps and the final forward pass over the context pixels,
                               and over all pixels where these are others; mean over images */
    size_t not_finite; /* images whose error became NaN or infinite; they are in the mean as NaN */
};

/* One image of an evaluation, as it has just been found. Views. */
struct tsr_evaluated {
    const struct tsr_model *model;
    size_t index;                          /* in the dataset */
    struct tsr_pixels pixels;              /* [H, W, C] */
    const struct tsr_partition *partition; /* of this image, or of another that the rank adapted */
    const double *region_pixels;           /* [n_regions] of this image */
    const struct tsr_reconstruction *result;
};

/* Who wants to see each image of an evaluation, and what of it beside its figures. */
struct tsr_observer {
    bool pictures, phi; /* of struct tsr_reconstruction; NULL otherwise */
    /* A failure ends the evaluation with it. */
    enum tsr_status (*image)(void *user, const struct tsr_evaluated *image, struct tsr_error *err);
    void *user;
};

struct tsr_evaluate_callbacks {
    /* After every image; nonzero stops with TSR_ERR_INTERRUPTED. May be NULL. */
    int (*progress)(void *user, size_t done, size_t total, double mean_psnr_db);
    void *user;
    const struct tsr_observer *observer; /* may be NULL */
    const struct tsr_comm
        *comm; /* processes that share the images; an observer, which each of them shows all images,
                  has their figures alone: neither pixels nor pictures nor phi. NULL: one */
};

/* Evaluates `limit` (0: all) images of a split, evenly spread over it (base/spread.h). A context
 * that is drawn depends on config->seed and on the image's place in the dataset. Label maps
 * come from the dataset where they are stored (image/regions.h). Errors: TSR_ERR_SHAPE when the
 * images do not fit the model, TSR_ERR_CONFIG for an empty split or missing label maps. Of several
 * processes each calls this with the same arguments and has the same figures; `progress` comes
 * after some images. */
TSR_API enum tsr_status tsr_evaluate(const struct tsr_model *model, struct tsr_dataset *dataset,
                                     enum tsr_split split, size_t limit,
                                     const struct tsr_reconstruct_config *config,
                                     const struct tsr_evaluate_callbacks *callbacks,
                                     struct tsr_evaluation *out,
                                     struct tsr_error *err) TSR_MUST_USE;
/* The same of images of any sizes that the model takes, one after the other. The model and the
 * observer, which may be NULL, are kept. */
struct tsr_evaluator;
TSR_API enum tsr_status tsr_evaluator_create(const struct tsr_model *model,
                                             const struct tsr_reconstruct_config *config,
                                             const struct tsr_observer *observer,
                                             struct tsr_evaluator **out,
                                             struct tsr_error *err) TSR_MUST_USE;
/* pixels [H, W, C] of the model's channels; map [H, W] its label map, for a rule that wants one, or
 * NULL; index: what the observer is told, and a context is drawn by. After an error the image is
 * not in the figures, and others may follow. */
TSR_API enum tsr_status tsr_evaluator_add(struct tsr_evaluator *e, struct tsr_pixels pixels,
                                          size_t height, size_t width, const uint16_t *map,
                                          size_t index, struct tsr_error *err) TSR_MUST_USE;
/* Mean after K inner steps over the images so far, of which there is one at least. */
TSR_API double tsr_evaluator_psnr_db(const struct tsr_evaluator *e);
/* The figures of at least one image: to be cleared; the evaluator is only to be freed then. */
TSR_API void tsr_evaluator_finish(struct tsr_evaluator *e, struct tsr_evaluation *out);
TSR_API void tsr_evaluator_free(struct tsr_evaluator *e); /* accepts NULL */

TSR_API void tsr_evaluation_clear(struct tsr_evaluation *evaluation);

#endif
