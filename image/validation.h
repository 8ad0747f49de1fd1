/* SPDX-License-Identifier: MIT
 *
 * The validator of training on images: mean PSNR over images of the validation split after K inner
 * steps, as tsr_reconstruct() does them.
 */
#ifndef TSR_IMAGE_VALIDATION_H
#define TSR_IMAGE_VALIDATION_H

#include "base/comm.h"
#include "data/dataset.h"
#include "image/evaluate.h"
#include "meta/validator.h"

/* Over `limit` images of the split (0: all), evenly spread over it (base/spread.h). Of those this
 * process's share, all of them in the end, is read now and kept in memory: during training the
 * dataset belongs to the task source. Without images `out->score` is NULL. The model is kept.
 * threads, kernel: as in struct tsr_trainer_config. */
TSR_API enum tsr_status
tsr_validation_create(const struct tsr_model *model, struct tsr_dataset *dataset, size_t limit,
                      size_t threads, const char *kernel, const struct tsr_comm *comm,
                      struct tsr_validator *out, struct tsr_error *err) TSR_MUST_USE;

/* From now on the observer, which is copied and asks for no `phi`, sees `limit` images of this
 * process at every validation, evenly spread over them and the same each time. *n: how many; 0
 * where there is no validation. */
TSR_API enum tsr_status tsr_validation_observe(const struct tsr_validator *validator,
                                               const struct tsr_observer *observer, size_t limit,
                                               size_t *n, struct tsr_error *err) TSR_MUST_USE;

#endif
