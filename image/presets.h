/* SPDX-License-Identifier: MIT
 *
 * Presets of training: for a number of stored numbers, the cells, the network and the adaptation
 * that were best on the validation split of CelebA at 178x178 (docs/results.md).
 */
#ifndef TSR_IMAGE_PRESETS_H
#define TSR_IMAGE_PRESETS_H

#include "image/model.h"
#include "meta/outer_state.h"

/* By the most numbers that an image of 178x178 pixels is stored in. */
enum tsr_preset {
    TSR_PRESET_NONE,
    TSR_PRESET_12K,
    TSR_PRESET_25K,
    TSR_PRESET_50K,
    TSR_PRESET_100K,
    TSR_PRESET_200K,
};
TSR_API extern const struct tsr_names tsr_preset_names;
TSR_API const char *tsr_preset_name(enum tsr_preset preset);
TSR_API enum tsr_status tsr_preset_parse(const char *text, enum tsr_preset *out,
                                         struct tsr_error *err) TSR_MUST_USE;

/* Sets what the preset decides for images of three channels: of the model the rule (cells of fixed
 * size), width, hidden layers, adaptation and start rate; of the run the start, the outer rate and
 * a bound. NONE: nothing. */
TSR_API void tsr_preset_apply(enum tsr_preset preset, struct tsr_model_config *model,
                              struct tsr_trainer_config *trainer);
/* Numbers of a region of a preset for images of so many channels. */
TSR_API size_t tsr_preset_numbers(enum tsr_preset preset, size_t channels);

#endif
