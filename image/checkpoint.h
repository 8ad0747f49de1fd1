/* SPDX-License-Identifier: MIT
 *
 * Checkpoint files (docs/formats.md): a model file with the state of the outer loop in /outer.
 * Internal.
 */
#ifndef TSR_IMAGE_CHECKPOINT_H
#define TSR_IMAGE_CHECKPOINT_H

#include "image/model.h"
#include "meta/outer_state.h"

/* Model and training state in one file, atomically; `state` NULL: the model alone. */
enum tsr_status tsr_checkpoint_save(const struct tsr_model *model,
                                    const struct tsr_outer_state *state, const char *path,
                                    struct tsr_error *err) TSR_MUST_USE;
/* TSR_ERR_FORMAT if the file has no /outer. */
enum tsr_status tsr_checkpoint_load(const char *path, struct tsr_model **model,
                                    struct tsr_outer_state *state,
                                    struct tsr_error *err) TSR_MUST_USE;

#endif
