/* SPDX-License-Identifier: MIT
 *
 * A model: everything that adaptation to a new image needs. The network's shape, the partition
 * rule, coordinates, the initialisation of each slot, the inner rates.
 */
#ifndef TSR_IMAGE_MODEL_H
#define TSR_IMAGE_MODEL_H

#include "base/setting.h"
#include "inner/adaptations.h"
#include "inner/network.h"
#include "inner/rates.h"
#include "partition/anchors.h"
#include "partition/coords.h"

/* What the inner loss of a region is divided by: its own pixels, so that a rate means the same for
 * any region (`region`), or all pixels of the image (`image`; the loss of arXiv 2310.14184's code,
 * per image). */
enum tsr_inner_loss { TSR_INNER_LOSS_REGION, TSR_INNER_LOSS_IMAGE };
TSR_API extern const struct tsr_names tsr_inner_loss_names;
TSR_API const char *tsr_inner_loss_name(enum tsr_inner_loss loss);
TSR_API enum tsr_status tsr_inner_loss_parse(const char *text, enum tsr_inner_loss *out,
                                             struct tsr_error *err) TSR_MUST_USE;

/* What of an image the inner loop sees; the outer loop, and who measures, sees all pixels. */
struct tsr_context_config {
    double fraction; /* of the pixels of each region, drawn at random, (0, 1] */
    /* S, 1 .. TSR_MAX_QUERY_SCALE: the context is the image at 1/S of its size, each pixel the mean
     * of S by S; 1: the image itself. */
    size_t query_scale;
};
#define TSR_MAX_QUERY_SCALE 16
/* Is the context something else than all pixels? */
TSR_API bool tsr_context_differs(const struct tsr_context_config *context);
TSR_API enum tsr_status tsr_context_config_check(const struct tsr_context_config *context,
                                                 struct tsr_error *err) TSR_MUST_USE;

struct tsr_model_config {
    struct tsr_network_config network; /* in_dim 2; out_dim = channels of the images */
    struct tsr_partition_rule partition;
    struct tsr_coords coords;
    enum tsr_slots slots;
    struct tsr_choice adaptation; /* what the inner loop adapts, of tsr_adaptations */
    size_t inner_steps;           /* K, 0 .. 1000 */
    enum tsr_rates_kind rates;
    double inner_lr; /* what all rates start from; positive */
    enum tsr_inner_loss inner_loss;
    struct tsr_context_config context; /* that it is trained for */
    size_t height, width;              /* of the images it is trained on; 0: unknown */
};

/* Defaults: width 32, 2 hidden layers, grid 8x8, shared slot, frame `region`, -1..1, center, K = 3,
 * per-param-per-step rates from 3e-2, inner loss `region`, all pixels as context. */
TSR_API void tsr_model_config_default(struct tsr_model_config *config);
/* What the rates start from if nobody says otherwise: a property of adaptation and network kind. */
TSR_API double tsr_model_start_rate(const struct tsr_model_config *config);
TSR_API enum tsr_status tsr_model_config_check(const struct tsr_model_config *config,
                                               struct tsr_error *err) TSR_MUST_USE;

/* The configuration for images at 1/scale of their size: networks see the same coordinates, cells,
 * overlap and image size count fewer pixels, and the context is the whole image. Errors:
 * TSR_ERR_CONFIG unless coordinates are sampled at centers, as tsr_partition_rule_reduce();
 * TSR_ERR_SHAPE for an image size that is no multiple. */
TSR_API enum tsr_status tsr_model_config_reduce(struct tsr_model_config *config, size_t scale,
                                                struct tsr_error *err) TSR_MUST_USE;

/* All settings in the order in which a reader wants to see them: groups `network` (coordinates
 * among it), `partition`, `inner`, `context` (base/setting.h). An fn that only reads does not
 * change *config.
 */
TSR_API enum tsr_status tsr_model_config_visit(struct tsr_model_config *config, tsr_setting_fn fn,
                                               void *user, struct tsr_error *err);
/* Those of them that an INR has too: the network, the coordinates, the partition rule. */
TSR_API enum tsr_status tsr_model_shape_visit(struct tsr_model_config *config, tsr_setting_fn fn,
                                              void *user, struct tsr_error *err);

/* Initialisations that a model of this configuration has. per-region slots need a rule with as many
 * regions in every image (not `labels`), per-class slots the rule `labels`. */
TSR_API size_t tsr_model_config_slots(const struct tsr_model_config *config);

/* Are regions matched to slots by anchors? With per-region slots and a rule that finds its regions
 * in the pixels. */
TSR_API bool tsr_model_has_anchors(const struct tsr_model_config *config);

struct tsr_model {
    struct tsr_model_config config;
    struct tsr_net net;
    size_t n_slots;
    struct tsr_space space; /* what adapts */
    tsr_real *theta;        /* [n_slots, n_params], owned */
    tsr_real *basis;        /* [n_slots, n_directions, n_params], owned; NULL if there is none */
    struct tsr_rates rates; /* value is owned */
    /* With tsr_model_has_anchors(): what the regions of every image are matched to, so that slot s
     * means the same kind of region everywhere. Learned from the train split; n is 0 before. */
    struct tsr_anchors anchors;
};

/* A model with random initialisation: a function of `seed`. Errors: TSR_ERR_CONFIG,
 * TSR_ERR_NO_MEMORY. To be freed with tsr_model_free() (include/tessera.h). */
TSR_API enum tsr_status tsr_model_create(const struct tsr_model_config *config, uint64_t seed,
                                         struct tsr_model **out,
                                         struct tsr_error *err) TSR_MUST_USE;

/* Slot `to` of a model becomes slot `from` of another whose networks, adaptation, kind of rates and
 * K are the same: initialisation, basis, rates. */
TSR_API void tsr_model_copy_slot(struct tsr_model *model, size_t to, const struct tsr_model *source,
                                 size_t from);

/* Copies initialisation, rates and anchors of `from` into `model`. Learned weights mean something
 * only to the networks and coordinates that they were learned for: all settings of the group
 * `network` must agree, else TSR_ERR_SHAPE names the first that does not and both values. A shared
 * slot expands into per-region or per-class slots. A basis is taken over if the adaptation agrees,
 * and rates if their kind and K do, too. */
TSR_API enum tsr_status tsr_model_init_from(struct tsr_model *model, const struct tsr_model *from,
                                            struct tsr_error *err) TSR_MUST_USE;

/* Reading and writing: docs/formats.md. tsr_model_load() reads all but /outer, which may be absent.
 */
TSR_API enum tsr_status tsr_model_load(const char *path, struct tsr_model **out,
                                       struct tsr_error *err) TSR_MUST_USE;
/* Writes a model without training state, atomically. */
TSR_API enum tsr_status tsr_model_save(const struct tsr_model *model, const char *path,
                                       struct tsr_error *err) TSR_MUST_USE;

/* Do images of this shape fit the model? TSR_ERR_SHAPE names what does not: the channels, or,
 * unless the slot is shared, a number of regions that is not the number of slots, or cells in other
 * rows and columns than those of the images that the slots were learned on. */
TSR_API enum tsr_status tsr_model_check_image(const struct tsr_model *model, size_t height,
                                              size_t width, size_t channels,
                                              struct tsr_error *err) TSR_MUST_USE;

/* Regions that an image of this size has under the model's rule. */
TSR_API size_t tsr_model_regions(const struct tsr_model *model, size_t height, size_t width);

/* Numbers of the bases of all slots; 0 if there are none. */
TSR_API size_t tsr_model_basis_count(const struct tsr_model *model);

/* Numbers that adaptation to a region gives. */
TSR_API size_t tsr_model_region_numbers(const struct tsr_model *model);

#endif
