/* SPDX-License-Identifier: MIT
 *
 * What K inner steps save: how long ordinary learning with Adam takes to reach as much, from a
 * random initialisation of the same networks and from one that draws the mean image of the train
 * split.
 */
#ifndef TSR_IMAGE_REACH_H
#define TSR_IMAGE_REACH_H

#include "image/evaluate.h"

/* Adam's rates that are tried, in this order. */
TSR_API extern const double tsr_reach_rates[];
TSR_API extern const size_t tsr_reach_n_rates;

enum { TSR_REACH_RANDOM, TSR_REACH_MEAN_IMAGE, TSR_REACH_STARTS };

enum {
    TSR_REACH_ITERATIONS = 5000,  /* at most, an image and rate */
    TSR_REACH_EVERY = 10,         /* iterations between looks at the PSNR */
    TSR_REACH_MEAN_IMAGES = 1000, /* of the train split, at most, that the mean image is of */
};

/* From one start, each image with the rate that reaches its target in the fewest iterations. */
struct tsr_reach_start {
    double rate;                /* that of most images; 0 if none reached its target */
    size_t reached;             /* images */
    double iterations, seconds; /* means over them, of the best rate alone; NaN: none */
};

struct tsr_reach {
    size_t images, inner_steps;
    double psnr_db, seconds; /* of the K inner steps: means over the images */
    bool has_mean_image;     /* false where the regions follow the image */
    struct tsr_reach_start start[TSR_REACH_STARTS];
};

/* For `limit` images of a split (0: all), evenly spread; the target of each is what K inner steps
 * reach on it. Cost: up to limit * TSR_REACH_STARTS * tsr_reach_n_rates * TSR_REACH_ITERATIONS
 * gradient passes; a rate is given up where another one has needed no more. `seed` is that of the
 * random start. progress counts images times starts times rates. Errors: those of tsr_evaluate()
 * and tsr_fitter_create(). callbacks may be NULL. */
TSR_API enum tsr_status tsr_reach(const struct tsr_model *model, struct tsr_dataset *dataset,
                                  enum tsr_split split, size_t limit,
                                  const struct tsr_reconstruct_config *config, uint64_t seed,
                                  const struct tsr_evaluate_callbacks *callbacks,
                                  struct tsr_reach *out, struct tsr_error *err) TSR_MUST_USE;

#endif
