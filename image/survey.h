/* SPDX-License-Identifier: MIT
 *
 * What an evaluation found, image by image and region by region: how good an initialisation is, and
 * where.
 *
 *     tsr_survey_create(model, dataset, split, limit, &config, false, &survey, err);
 *     callbacks.observer = tsr_survey_observer(survey);
 *     tsr_evaluate(model, dataset, split, limit, &config, &callbacks, &evaluation, err);
 *     tsr_survey_region(survey, 7, config.inner_steps, &figures);
 *     tsr_survey_free(survey);
 */
#ifndef TSR_IMAGE_SURVEY_H
#define TSR_IMAGE_SURVEY_H

#include "image/evaluate.h"

/* Pixels from a border of regions, counted in rows or columns, that count as lying at it. */
#define TSR_BORDER_PIXELS 2
/* Sides of the error map, at most. */
#define TSR_ERROR_MAP_SIDE 64

struct tsr_survey {
    size_t images, max_images; /* seen so far, to come in all */
    size_t n_regions, states;  /* states: K + 1 */
    size_t channels;
    uint32_t *index;    /* [images] in the dataset */
    double *psnr_db;    /* [images, states] */
    double *ssim;       /* [images, states]; NaN where it was not computed */
    float *region_mse;  /* [images, n_regions, states] mean squared error; NaN: no pixels there */
    uint32_t *n_pixels; /* [images, n_regions] */
    /* The partition of the last image: that of all, unless it follows the image. */
    bool follows;
    size_t height, width;       /* of the images */
    struct tsr_region *regions; /* [n_regions] */
    /* The rest is of the 8-bit pictures; without them (has_pictures) it is 0. They are left out
     * where all states of an image would take more than 256 MiB. */
    bool has_pictures;
    double *border_share; /* [states] of the squared error, near borders; mean over images */
    double border_pixels; /* share of the pixels there; mean over images */
    size_t map_height, map_width; /* the image, cut as a grid of at most TSR_ERROR_MAP_SIDE cells */
    double *map_mse;              /* [states, map_height, map_width] mean over images and pixels */
    /* How far K inner steps move the parameters of each layer, weights and biases: the root of the
     * mean square of phi_K - theta over parameters, regions with pixels and images; and that of
     * theta over the same. */
    size_t n_layers;
    double *moved, *theta_rms; /* [n_layers] */
    /* Its own. */
    struct tsr_net net;
    size_t adapted; /* regions in `moved` */
    uint8_t *near, *room;
    struct tsr_observer observer;
};

/* Room for the images of tsr_evaluate() with the same arguments, of the model or of another with
 * its partition and networks. `figures_only`: without pictures, borders, maps and distances moved,
 * as where several processes share the images; has_pictures is false then and `moved` NaN. Memory:
 * 4 bytes for each image, region and state. Errors: TSR_ERR_NO_MEMORY, those of the partition. */
TSR_API enum tsr_status tsr_survey_create(const struct tsr_model *model,
                                          struct tsr_dataset *dataset, enum tsr_split split,
                                          size_t limit, const struct tsr_reconstruct_config *config,
                                          bool figures_only, struct tsr_survey **out,
                                          struct tsr_error *err) TSR_MUST_USE;
TSR_API void tsr_survey_free(struct tsr_survey *survey); /* accepts NULL */

/* Fills the survey; a view. Observed once. */
TSR_API const struct tsr_observer *tsr_survey_observer(struct tsr_survey *survey);

/* PSNR in dB of a region of an image after k inner steps; NaN: no pixels there. */
TSR_API double tsr_survey_psnr_db(const struct tsr_survey *survey, size_t image, size_t region,
                                  size_t k);

/* Of one region after k inner steps, over the images that have pixels of it. */
struct tsr_region_figures {
    size_t images;
    double pixels;        /* mean */
    double psnr_db;       /* mean; NaN without an image */
    double psnr_db_std;   /* n-1; NaN below two images */
    double worst_psnr_db; /* NaN without an image */
    size_t worst_image;   /* in the survey */
};
TSR_API void tsr_survey_region(const struct tsr_survey *survey, size_t region, size_t k,
                               struct tsr_region_figures *out);

/* The images of the survey by the PSNR after k inner steps of a region (n_regions: of the whole
 * image), lowest first; images without pixels there at the end. order [images]. */
TSR_API enum tsr_status tsr_survey_order(const struct tsr_survey *survey, size_t region, size_t k,
                                         uint32_t *order, struct tsr_error *err) TSR_MUST_USE;

/* A paired comparison: the mean of b - a over n pairs, and the percentile bootstrap interval of it
 * (Efron 1979) from `resamples` samples of pairs, drawn by (seed, stream). Pairs of which a value
 * is not finite are left out. */
struct tsr_paired {
    size_t n, wins;         /* pairs; those in which b is larger */
    double mean, low, high; /* 95 %; NaN without pairs */
};
TSR_API enum tsr_status tsr_paired_bootstrap(const double *a, const double *b, size_t n,
                                             size_t resamples, uint64_t seed, uint64_t instance,
                                             struct tsr_paired *out,
                                             struct tsr_error *err) TSR_MUST_USE;

/* Of two surveys of the same images: the gain of b over a after the last inner step of each, of the
 * whole image (region n_regions) or of a region. Errors: TSR_ERR_ARGUMENT where the images or the
 * numbers of regions differ. */
TSR_API enum tsr_status tsr_survey_compare(const struct tsr_survey *a, const struct tsr_survey *b,
                                           size_t region, size_t resamples, uint64_t seed,
                                           struct tsr_paired *out,
                                           struct tsr_error *err) TSR_MUST_USE;

#endif
