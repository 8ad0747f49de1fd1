/* SPDX-License-Identifier: MIT
 *
 * INR files (docs/formats.md). Internal; callers use tsr_inr_load() and tsr_inr_save().
 */
#ifndef TSR_IMAGE_INR_FILE_H
#define TSR_IMAGE_INR_FILE_H

#include "data/h5.h"
#include "image/inr.h"

enum tsr_status tsr_inr_write(struct tsr_h5 *file, const struct tsr_inr *inr,
                              struct tsr_error *err) TSR_MUST_USE;
/* Frees an INR that is incomplete (image/inr.h), which is TSR_ERR_UNSUPPORTED. `name`: of its file.
 */
enum tsr_status tsr_inr_need_complete(const char *name, struct tsr_inr **inr,
                                      struct tsr_error *err) TSR_MUST_USE;
/* Shapes are checked before anything is allocated. */
enum tsr_status tsr_inr_read(struct tsr_h5 *file, struct tsr_inr **out,
                             struct tsr_error *err) TSR_MUST_USE;

#endif
