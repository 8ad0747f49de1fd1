/* SPDX-License-Identifier: MIT
 *
 * Checkpoint files (docs/formats.md): a model file with the state of the outer loop in /outer.
 * Internal.
 */
#ifndef TSR_IMAGE_CHECKPOINT_H
#define TSR_IMAGE_CHECKPOINT_H

#include "data/identity.h"
#include "image/model.h"
#include "meta/outer_state.h"

/* What a run was computed from, and by what. */
struct tsr_origin {
    bool has_dataset; /* older files do not say */
    struct tsr_identity dataset;
    char kernel[64]; /* name and precision, as the bits depend on them; "": unknown */
};

/* Model and training state in one file, atomically; `origin` may be NULL. */
enum tsr_status tsr_checkpoint_save(const struct tsr_model *model,
                                    const struct tsr_outer_state *state,
                                    const struct tsr_origin *origin, const char *path,
                                    struct tsr_error *err) TSR_MUST_USE;
/* The model of a run that is over: without what only a resumed run needs, a basis deflated.
 * `origin`: of it the dataset is told; NULL: nothing. */
enum tsr_status tsr_checkpoint_finish(const struct tsr_model *model,
                                      const struct tsr_origin *origin, const char *command,
                                      const char *path, struct tsr_error *err) TSR_MUST_USE;
/* The origin alone; all zeros if the model does not tell. */
enum tsr_status tsr_checkpoint_origin(const char *path, struct tsr_origin *origin,
                                      struct tsr_error *err) TSR_MUST_USE;
/* TSR_ERR_FORMAT if the file has no /outer. */
enum tsr_status tsr_checkpoint_load(const char *path, struct tsr_model **model,
                                    struct tsr_outer_state *state, struct tsr_origin *origin,
                                    struct tsr_error *err) TSR_MUST_USE;

#endif
