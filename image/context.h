/* SPDX-License-Identifier: MIT
 *
 * The context of an image: what of it is known when its networks adapt. By default all pixels; else
 * random ones of each region, those of a mask, or the image at a fraction of its size. The query,
 * what is learned for and measured on, stays the whole image.
 */
#ifndef TSR_IMAGE_CONTEXT_H
#define TSR_IMAGE_CONTEXT_H

#include "image/geometry.h"

struct tsr_context {
    struct tsr_context_config config;
    const struct tsr_geometry *query; /* of the image; the caller's */
    struct tsr_geometry reduced;      /* owned; with a query scale only */
    float *image;                     /* [h, w, C] the reduced image; with a query scale only */
    uint8_t *known;                   /* [h, w] not 0: is context; NULL: all are */
    struct tsr_pixels pixels;         /* [h, w, C] of the image at hand */
};

/* For images of the query's size under the model's partition, `masked` if tsr_context_mask() will
 * say what is known. All pixels are, until then or until one is drawn. Errors: TSR_ERR_SHAPE where
 * the sides of the image or the edges of its regions are no multiples of the query scale, as
 * tsr_model_config_reduce(). */
TSR_API enum tsr_status tsr_context_create(const struct tsr_model *model,
                                           const struct tsr_context_config *config, bool masked,
                                           const struct tsr_geometry *query,
                                           struct tsr_context *out,
                                           struct tsr_error *err) TSR_MUST_USE;
TSR_API void tsr_context_clear(struct tsr_context *context);

/* What follows is for contexts that differ from the query (tsr_context_differs()). */

/* Draws the known pixels of image number `image`: of each region, of n pixels, round(fraction n)
 * and at least one, all choices equally likely. A pure function of its arguments and the regions;
 * nothing to do where all are known. To be called after the regions have changed. */
TSR_API void tsr_context_draw(struct tsr_context *context, uint64_t seed, uint64_t outer_step,
                              uint64_t image);
/* The known pixels are those where mask [h, w] is not 0. */
TSR_API void tsr_context_mask(struct tsr_context *context, const uint8_t *mask);
/* The image at hand, [H, W, C] of the query's size, kept until the next. With a query scale of S
 * each context value is the mean over S by S pixels. */
TSR_API void tsr_context_take(struct tsr_context *context, struct tsr_pixels pixels);

/* Coordinates [n, 2] and targets [n, C] of the known points of a region, in x and y with room for
 * max_context of the query's geometry. Returns n, which a mask may make 0. */
TSR_API size_t tsr_context_points(const struct tsr_context *context, size_t region, tsr_real *x,
                                  tsr_real *y);
/* The task of a region with these n context points, and all its pixels, with targets query_y, as
 * query set. qry_scale is left 0. */
TSR_API struct tsr_task tsr_context_task(const struct tsr_context *context, size_t region,
                                         const tsr_real *x, const tsr_real *y, size_t n,
                                         const tsr_real *query_y);

/* Pixels of the image that are not known; with a query scale 0: none is left out. */
TSR_API size_t tsr_context_unseen(const struct tsr_context *context);
/* Known pixels of the query, [H, W], for who measures the others; NULL: there are no others. */
TSR_API const uint8_t *tsr_context_known(const struct tsr_context *context);

#endif
