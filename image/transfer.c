/* SPDX-License-Identifier: MIT */
#include "image/transfer.h"

#include <stdlib.h>

#include "base/memory.h"

void tsr_transfer_clear(struct tsr_transfer *transfer) {
    free(transfer->psnr_db);
    *transfer = (struct tsr_transfer){0};
}

struct work {
    const struct tsr_evaluate_callbacks *callbacks;
    size_t slot, n_slots;
};

static int on_progress(void *user, size_t done, size_t total, double mean_psnr_db) {
    const struct work *w = user;
    if (!w->callbacks || !w->callbacks->progress) return 0;
    return w->callbacks->progress(w->callbacks->user, w->slot * total + done, w->n_slots * total,
                                  mean_psnr_db);
}

static enum tsr_status use_slots(struct work *w, const struct tsr_model *model,
                                 struct tsr_model *spread_out, struct tsr_dataset *dataset,
                                 enum tsr_split split, size_t limit,
                                 const struct tsr_reconstruct_config *config,
                                 struct tsr_transfer *out, struct tsr_error *err) {
    const struct tsr_evaluate_callbacks callbacks = {.progress = on_progress, .user = w};
    for (w->slot = 0; w->slot < model->n_slots; w->slot++) {
        struct tsr_evaluation one;
        for (size_t to = 0; to < model->n_slots; to++)
            tsr_model_copy_slot(spread_out, to, model, w->slot);
        TSR_TRY(tsr_evaluate(spread_out, dataset, split, limit, config, &callbacks, &one, err));
        if (w->slot == 0) {
            enum tsr_status status =
                TSR_ALLOC(&out->psnr_db, model->n_slots * one.n_regions, "transfer matrix", err);
            if (status != TSR_OK) {
                tsr_evaluation_clear(&one);
                return status;
            }
        }
        out->n_slots = model->n_slots;
        out->n_regions = one.n_regions;
        out->images = one.images;
        for (size_t r = 0; r < one.n_regions; r++)
            out->psnr_db[w->slot * one.n_regions + r] =
                one.region_psnr_db[r * (one.inner_steps + 1) + one.inner_steps];
        tsr_evaluation_clear(&one);
    }
    return TSR_OK;
}

enum tsr_status tsr_transfer_matrix(const struct tsr_model *model, struct tsr_dataset *dataset,
                                    enum tsr_split split, size_t limit,
                                    const struct tsr_reconstruct_config *config,
                                    const struct tsr_evaluate_callbacks *callbacks,
                                    struct tsr_transfer *out, struct tsr_error *err) {
    struct work w = {.callbacks = callbacks, .n_slots = model->n_slots};
    struct tsr_reconstruct_config plain = *config;
    struct tsr_model *spread_out;
    *out = (struct tsr_transfer){0};
    if (model->n_slots < 2)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "the model has one slot; a transfer matrix compares slots");
    plain.ssim = plain.seam = false;
    TSR_TRY(tsr_model_create(&model->config, 0, &spread_out, err));
    spread_out->anchors = model->anchors; /* borrowed */
    enum tsr_status status =
        use_slots(&w, model, spread_out, dataset, split, limit, &plain, out, err);
    spread_out->anchors = (struct tsr_anchors){0};
    tsr_model_free(spread_out);
    if (status != TSR_OK) tsr_transfer_clear(out);
    return status;
}
