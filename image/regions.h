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
 * there are none, or of more classes than the rule has (void is none). A rule that finds its
 * regions takes them if they were made by the same rule (`pack --segment`), else it finds them.
 * False for other rules. */
TSR_API enum tsr_status tsr_regions_stored(const struct tsr_partition_rule *rule,
                                           const struct tsr_dataset *dataset, bool *stored,
                                           struct tsr_error *err) TSR_MUST_USE;

/* Gives the rule `labels` as many classes as the dataset's label maps have, and void if they have
 * it, unless it has a number. */
TSR_API void tsr_regions_count_classes(struct tsr_partition_rule *rule,
                                       const struct tsr_dataset *dataset);

/* A model with classes and without void gets a region for the pixels of no class, where that takes
 * no weights that it lacks: if its slot is shared. Else such pixels get classes
 * (tsr_partition_rule_label()). False: it has no void after this. */
TSR_API bool tsr_regions_admit_void(struct tsr_model *model);

/* The label map of an image, to be stored in a dataset: `label_image` of struct tsr_pack_config,
 * with a struct tsr_partition_rule * that finds its regions as `label_user`. */
TSR_API enum tsr_status tsr_regions_for_pack(void *rule, const uint8_t *pixels, size_t height,
                                             size_t width, size_t channels, uint16_t *labels,
                                             struct tsr_error *err) TSR_MUST_USE;

/* The label map [H, W] of an image [H, W, C] under a rule that follows it, numbered as the model's
 * slots want it: tsr_partition_rule_label(), and with per-region slots tsr_anchors_match(). Floats
 * are looked at as 8 bit. */
TSR_API enum tsr_status tsr_regions_of_image(const struct tsr_model *model,
                                             struct tsr_pixels pixels, size_t height, size_t width,
                                             const uint16_t *stored, uint32_t *labels,
                                             struct tsr_error *err) TSR_MUST_USE;

/* Learns the model's anchors (partition/anchors.h) from at most `limit` images of the train split,
 * evenly spread. For a model that has them (tsr_model_has_anchors()); else does nothing.
 * `threads` as in tsr_thread_count(). */
TSR_API enum tsr_status tsr_regions_learn(struct tsr_model *model, struct tsr_dataset *dataset,
                                          size_t limit, size_t threads,
                                          struct tsr_error *err) TSR_MUST_USE;

#endif
