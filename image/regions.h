/* SPDX-License-Identifier: MIT
 *
 * The regions of an image under a rule that follows it: its label map, stored or computed, and
 * numbered as the model's slots want it.
 */
#ifndef TSR_IMAGE_REGIONS_H
#define TSR_IMAGE_REGIONS_H

#include "data/dataset.h"
#include "image/model.h"

/* Are the label maps of a dataset those of this rule? `labels` needs them: TSR_ERR_CONFIG when
 * there are none, or of more classes than the rule has. `segment` takes them if they were made by
 * the same rule (`pack --segment`), else segmentations are computed. False for other rules. */
TSR_API enum tsr_status tsr_regions_stored(const struct tsr_partition_rule *rule,
                                           const struct tsr_dataset *dataset, bool *stored,
                                           struct tsr_error *err) TSR_MUST_USE;

/* The label map [H, W] of an image [H, W, C]: `stored` [H, W] if there is one (else NULL: it is
 * computed, for `segment`). With per-region slots the segments are numbered by the model's anchors.
 * Floats are looked at as 8 bit. Errors: TSR_ERR_CONFIG when the image has not enough segments or
 * `labels` has no map; TSR_ERR_ARGUMENT for a label that is not below the number of regions. */
TSR_API enum tsr_status tsr_regions_of_image(const struct tsr_model *model,
                                             struct tsr_pixels pixels, size_t height, size_t width,
                                             const uint16_t *stored, uint32_t *labels,
                                             struct tsr_error *err) TSR_MUST_USE;

/* Learns the model's anchors (partition/anchors.h) from at most `limit` images of the train split,
 * evenly spread. For a model with per-region slots and the rule `segment`; else does nothing.
 * `threads` as in tsr_thread_count(). */
TSR_API enum tsr_status tsr_regions_learn(struct tsr_model *model, struct tsr_dataset *dataset,
                                          size_t limit, size_t threads,
                                          struct tsr_error *err) TSR_MUST_USE;

#endif
