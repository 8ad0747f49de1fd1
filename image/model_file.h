/* SPDX-License-Identifier: MIT
 *
 * Model files (docs/formats.md): /network, /partition, /inner, /init. Internal; callers use
 * tsr_model_load() and tsr_model_save().
 */
#ifndef TSR_IMAGE_MODEL_FILE_H
#define TSR_IMAGE_MODEL_FILE_H

#include "data/h5.h"
#include "image/model.h"

/* All but /outer; `command` may be NULL; a basis is deflated at this level, 0..9. */
enum tsr_status tsr_model_write(struct tsr_h5 *file, const struct tsr_model *model,
                                const char *command, int deflate,
                                struct tsr_error *err) TSR_MUST_USE;
/* Shapes are checked before anything is allocated. */
enum tsr_status tsr_model_read(struct tsr_h5 *file, struct tsr_model **out,
                               struct tsr_error *err) TSR_MUST_USE;

#endif
