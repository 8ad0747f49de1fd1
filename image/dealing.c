/* SPDX-License-Identifier: MIT */
#include "image/dealing.h"

#include "image/checkpoint.h"

static bool same_images(const struct tsr_identity *a, const struct tsr_identity *b) {
    return a->images == b->images && a->height == b->height && a->width == b->width &&
           a->channels == b->channels && a->value_bytes == b->value_bytes &&
           a->pixels_digest == b->pixels_digest;
}

enum tsr_status tsr_deal_again(const char *model, struct tsr_dataset *dataset,
                               enum tsr_dealing *out, struct tsr_error *err) {
    struct tsr_origin origin;
    struct tsr_identity now;
    *out = TSR_DEALING_OWN;
    if (tsr_dataset_has_split(dataset)) return TSR_OK;
    TSR_TRY(tsr_checkpoint_origin(model, &origin, err));
    *out = TSR_DEALING_NONE;
    if (!origin.has_dataset || !tsr_deal_is(&origin.dataset.deal)) return TSR_OK;
    TSR_TRY(tsr_identity_of(dataset, &now, err));
    *out = same_images(&origin.dataset, &now) ? TSR_DEALING_AGAIN : TSR_DEALING_STRANGER;
    if (*out == TSR_DEALING_STRANGER) return TSR_OK;
    return tsr_dataset_deal(dataset, &origin.dataset.deal, err);
}
