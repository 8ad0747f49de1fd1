/* SPDX-License-Identifier: MIT
 *
 * How special slots are: the initialisation of one slot, used in the regions of another.
 */
#ifndef TSR_IMAGE_TRANSFER_H
#define TSR_IMAGE_TRANSFER_H

#include "image/evaluate.h"

struct tsr_transfer {
    size_t n_slots, n_regions, images;
    double *psnr_db; /* [n_slots, n_regions] after K inner steps from slot s, mean over the images
                        that have pixels of the region; NaN without one */
};

/* Evaluates `limit` (0: all) images of a split once for each slot, all regions starting
 * from it with its rates. Cost: n_slots evaluations. `progress` counts the images of all of them.
 * Errors: TSR_ERR_CONFIG for a model of one slot; those of tsr_evaluate(). */
TSR_API enum tsr_status
tsr_transfer_matrix(const struct tsr_model *model, struct tsr_dataset *dataset,
                    enum tsr_split split, size_t limit, const struct tsr_reconstruct_config *config,
                    const struct tsr_evaluate_callbacks *callbacks, struct tsr_transfer *out,
                    struct tsr_error *err) TSR_MUST_USE;
TSR_API void tsr_transfer_clear(struct tsr_transfer *transfer);

#endif
