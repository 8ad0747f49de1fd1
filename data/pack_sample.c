/* SPDX-License-Identifier: MIT */
#include "data/pack_sample.h"

#include "base/spread.h"

enum { FILES = 8 };

/* Adds the images of a file, and their bytes as they would be stored. */
static void look(const struct tsr_pack_work *w, size_t i, struct tsr_pack_sample *out,
                 double *stored) {
    struct tsr_pack_job job = {0};
    out->files++;
    tsr_pack_job_decode(w, i, &job);
    if (job.status == TSR_OK) {
        out->images += (double)job.count;
        for (size_t k = 0; k < job.count; k++)
            *stored += (double)job.images[k].image.size;
    }
    tsr_pack_job_clear(&job);
}

enum tsr_status tsr_pack_sample_take(const struct tsr_pack_work *work, struct tsr_pack_sample *out,
                                     struct tsr_error *err) {
    struct tsr_pack_config config = *work->config;
    const struct tsr_listing *listing = &work->listing;
    size_t count = tsr_spread_count(listing->n, FILES);
    double stored = 0;
    config.deflate = 1;
    config.keep_copies = true;
    *out = (struct tsr_pack_sample){0};
    struct tsr_pack_work w = {
        .config = &config, .listing = *listing, .image_size = work->image_size};
    enum tsr_status status = tsr_pack_work_open(&w, 1, err);
    for (size_t i = 0; i < count && status == TSR_OK; i++) {
        size_t at = tsr_spread(i, listing->n, count);
        if (listing->items[at].source == TSR_NO_SOURCE) look(&w, at, out, &stored);
    }
    w.listing = (struct tsr_listing){0}; /* is work's */
    tsr_pack_work_clear(&w);
    if (out->images > 0) out->deflated = stored / (out->images * (double)work->image_size);
    if (out->files > 0) out->images /= (double)out->files;
    return status;
}
