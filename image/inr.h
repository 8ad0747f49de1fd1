/* SPDX-License-Identifier: MIT
 *
 * A reconstructed image as it is stored: partition, network shape and the adapted parameters of
 * each region. It can be rendered at any size.
 */
#ifndef TSR_IMAGE_INR_H
#define TSR_IMAGE_INR_H

#include "base/watch.h"
#include "data/image.h"
#include "image/model.h"

struct tsr_inr {
    struct tsr_network_config network;
    struct tsr_net net;
    struct tsr_partition_rule rule;
    struct tsr_partition *partition; /* of the height x width image; owned */
    struct tsr_coords coords;
    tsr_real *phi; /* [n_regions, n_params], owned */
    /* Where not all parameters adapted: the numbers that did, and what phi follows from with them;
     * owned. NULL otherwise. */
    struct tsr_choice adaptation;
    struct tsr_space space;
    enum tsr_slots slots;
    size_t n_slots;
    tsr_real *numbers;       /* [n_regions, n] */
    tsr_real *theta, *basis; /* [n_slots, n_params], [n_slots, n_directions, n_params] or NULL */
    /* The file has, or is to have, the digest of theta and basis instead of these, which are those
     * of a model then. */
    bool refers;
    bool incomplete; /* it was read from such a file: theta, basis and phi are still to come */
    uint64_t shared; /* the digest */
};

/* An INR for images of this size: network, coordinates and rule of a checked configuration; phi is
 * zero. Under a rule that follows the
 * image, tsr_inr_follow() is still to give the regions. To be freed with tsr_inr_free()
 * (include/tessera.h). */
TSR_API enum tsr_status tsr_inr_create(const struct tsr_model_config *config, size_t height,
                                       size_t width, struct tsr_inr **out,
                                       struct tsr_error *err) TSR_MUST_USE;
/* Copies what all images share, theta and basis of the model that the INR was made for; nothing to
 * do where all parameters adapt. */
TSR_API void tsr_inr_share(struct tsr_inr *inr, const struct tsr_model *model);
/* The digest of what a model's images share, theta and basis as float32, little-endian. */
TSR_API uint64_t tsr_model_shared_digest(const struct tsr_model *model);
/* Completes an INR with the theta and basis of the model that it refers to. TSR_ERR_SHAPE: it is
 * another one; nothing has changed then. */
TSR_API enum tsr_status tsr_inr_complete(struct tsr_inr *inr, const struct tsr_model *model,
                                         struct tsr_error *err) TSR_MUST_USE;
/* Sets phi from the numbers, theta and basis; nothing to do where all parameters adapt. */
TSR_API enum tsr_status tsr_inr_expand(struct tsr_inr *inr, struct tsr_error *err) TSR_MUST_USE;
/* The label map [H, W] of the image, for a rule that follows it. */
TSR_API enum tsr_status tsr_inr_follow(struct tsr_inr *inr, const uint32_t *labels,
                                       struct tsr_error *err) TSR_MUST_USE;

TSR_API enum tsr_status tsr_inr_save(const struct tsr_inr *inr, const char *path,
                                     struct tsr_error *err) TSR_MUST_USE;
/* TSR_ERR_UNSUPPORTED: the file refers to a model. */
TSR_API enum tsr_status tsr_inr_load(const char *path, struct tsr_inr **out,
                                     struct tsr_error *err) TSR_MUST_USE;
/* The same, but an INR that refers to a model is loaded, incomplete. */
TSR_API enum tsr_status tsr_inr_open(const char *path, struct tsr_inr **out,
                                     struct tsr_error *err) TSR_MUST_USE;

/* Where a picture goes: [height, width, out_dim] bytes, clipped and rounded, or floats, as the
 * network gives them; the other is NULL. */
struct tsr_drawing {
    size_t height, width;
    uint8_t *bytes;
    float *floats;
    const struct tsr_watch *watch; /* looked at every few thousand points; NULL: nobody watches */
};

/* Renders: output pixel centres are mapped to positions in the original image, each is evaluated by
 * the network of the region it falls in, or, where regions overlap, by all whose weight is not zero
 * there, and blended. At the original size this is the reconstruction itself. threads 0: all.
 * kernel: "auto", ... The bits do not depend on `threads`. */
TSR_API enum tsr_status tsr_inr_draw(const struct tsr_inr *inr, const struct tsr_drawing *to,
                                     size_t threads, const char *kernel,
                                     struct tsr_error *err) TSR_MUST_USE;
/* The same to an image of 8 bit. out: created, the caller clears it. out_dim must be 1 or 3. */
TSR_API enum tsr_status tsr_inr_render(const struct tsr_inr *inr, size_t height, size_t width,
                                       size_t threads, const char *kernel,
                                       const struct tsr_watch *watch, struct tsr_image *out,
                                       struct tsr_error *err) TSR_MUST_USE;

#endif
