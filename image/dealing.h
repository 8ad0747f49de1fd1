/* SPDX-License-Identifier: MIT
 *
 * The splits of a dataset that has none of its own: dealt when a run begins, and again, the same,
 * when its model meets the dataset again.
 */
#ifndef TSR_IMAGE_DEALING_H
#define TSR_IMAGE_DEALING_H

#include "data/dataset.h"

enum tsr_dealing {
    TSR_DEALING_OWN,     /* the dataset has splits */
    TSR_DEALING_NONE,    /* it has none, and all images are in every split */
    TSR_DEALING_AGAIN,   /* dealt as the run of the model dealt them */
    TSR_DEALING_STRANGER /* the run dealt splits, but of another dataset: nothing is dealt */
};

/* `model` is a model file. Datasets are the same if their images are, by tsr_identity_of(). */
TSR_API enum tsr_status tsr_deal_again(const char *model, struct tsr_dataset *dataset,
                                       enum tsr_dealing *out, struct tsr_error *err) TSR_MUST_USE;

#endif
