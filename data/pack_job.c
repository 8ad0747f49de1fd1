/* SPDX-License-Identifier: MIT */
#include "data/pack_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/memory.h"

/* ---- decoding -------------------------------------------------------------------------------- */

/* The labels of a file, cut and scaled as the image was. */
static enum tsr_status read_labels(const struct tsr_pack_work *w, const struct tsr_listed *item,
                                   struct tsr_pack_job *job, struct tsr_error *err) {
    const struct tsr_pack_config *c = w->config;
    struct tsr_label_map map;
    enum tsr_status status = tsr_label_reader_read(&w->labels, item, job->maps, job->whole.height,
                                                   job->whole.width, &map, err);
    for (size_t k = 0; k < job->count && status == TSR_OK; k++)
        status = tsr_fit_labels(&map, c->fit, k, c->height, c->width,
                                job->labels + k * c->height * c->width, err);
    tsr_label_map_clear(&map);
    return status;
}

static enum tsr_status call_for_labels(const struct tsr_pack_work *w, const uint8_t *pixels,
                                       uint16_t *labels, struct tsr_error *err) {
    const struct tsr_pack_config *c = w->config;
    TSR_TRY(c->label_image(c->label_user, pixels, c->height, c->width, c->channels, labels, err));
    for (size_t i = 0; i < c->height * c->width; i++)
        if (labels[i] >= w->label_bound)
            return TSR_ERROR(err, TSR_ERR_ARGUMENT, "the rule \"%s\" gave the label %u of %zu",
                             c->label_rule, labels[i], w->label_bound);
    return TSR_OK;
}

/* The labels that the rule finds in each image made of the source. */
static enum tsr_status find_labels(const struct tsr_pack_work *w, const struct tsr_listed *item,
                                   struct tsr_pack_job *job, struct tsr_error *err) {
    const struct tsr_pack_config *c = w->config;
    enum tsr_status status = TSR_OK;
    void *tile;
    if (c->fit != TSR_FIT_TILE) {
        status = call_for_labels(w, job->pixels, job->labels, err);
    } else {
        TSR_TRY(tsr_alloc(&tile, w->image_size, 1, "tile", err));
        for (size_t k = 0; k < job->count && status == TSR_OK; k++) {
            status = tsr_fit_apply(&job->whole, c->fit, k, c->height, c->width, tile, err);
            if (status == TSR_OK)
                status = call_for_labels(w, tile, job->labels + k * c->height * c->width, err);
        }
        free(tile);
    }
    if (status != TSR_OK) tsr_error_prefix(err, "%s", item->path);
    return status;
}

static enum tsr_status label(const struct tsr_pack_work *w, const struct tsr_listed *item,
                             struct tsr_pack_job *job, struct tsr_error *err) {
    size_t area = w->config->height * w->config->width;
    if (job->labels_room < job->count) {
        void *memory;
        TSR_TRY(tsr_alloc(&memory, job->count, area * sizeof *job->labels, item->path, err));
        free(job->labels);
        job->labels = memory;
        job->labels_room = job->count;
    }
    TSR_TRY(w->labels.active ? read_labels(w, item, job, err) : find_labels(w, item, job, err));
    job->largest = 0;
    for (size_t i = 0; i < job->count * area; i++)
        if (job->labels[i] > job->largest) job->largest = job->labels[i];
    return TSR_OK;
}

static uint64_t digest_of(const struct tsr_image *image) {
    const size_t shape[3] = {image->height, image->width, image->channels};
    return tsr_digest_fast(tsr_digest(TSR_DIGEST_START, shape, sizeof shape), image->pixels,
                           shape[0] * shape[1] * shape[2]);
}

static enum tsr_status fit(const struct tsr_pack_work *w, const struct tsr_listed *item,
                           struct tsr_pack_job *job, struct tsr_error *err) {
    const struct tsr_pack_config *c = w->config;
    const struct tsr_image_as as = {c->channels, c->background, c->decoding};
    TSR_TRY(tsr_source_decode(&w->listing, item, &job->fetched, &as, &job->whole, err));
    memcpy(job->remark, job->whole.remark, sizeof job->remark);
    if (!c->keep_copies) job->digest = digest_of(&job->whole);
    job->mostly_cut =
        c->fit == TSR_FIT_CROP && c->height * c->width < job->whole.height * job->whole.width / 4;
    job->count = tsr_fit_count(&job->whole, c->fit, c->height, c->width);
    enum tsr_status status = TSR_OK;
    bool tiles = job->count > 0 && c->fit == TSR_FIT_TILE;
    if (!tiles) {
        status = tsr_fit_apply(&job->whole, c->fit, 0, c->height, c->width, job->pixels, err);
        if (status != TSR_OK) tsr_error_prefix(err, "%s", item->path);
    }
    if (status == TSR_OK && w->has_labels) {
        status = label(w, item, job, err);
        job->fatal = status != TSR_OK;
    }
    if (!tiles || status != TSR_OK) tsr_image_clear(&job->whole);
    return status;
}

void tsr_pack_job_want(const struct tsr_pack_work *w, size_t i) {
    tsr_source_want(&w->listing, &w->listing.items[i]);
    if (w->labels.active) tsr_label_reader_want(&w->labels, &w->listing.items[i]);
}

static enum tsr_status fetch_item(const struct tsr_pack_work *w, const struct tsr_listed *item,
                                  struct tsr_pack_job *job, struct tsr_error *err) {
    TSR_TRY(tsr_source_fetch(&w->listing, item, &job->fetched, err));
    if (!item->maps) return TSR_OK;
    job->fatal = true;
    TSR_TRY(TSR_ALLOC(&job->maps, item->maps, item->path, err));
    TSR_TRY(tsr_label_reader_fetch(&w->labels, item, job->maps, err));
    job->fatal = false;
    return TSR_OK;
}

void tsr_pack_job_fetch(const struct tsr_pack_work *w, size_t i, struct tsr_pack_job *job) {
    job->err = (struct tsr_error){0};
    job->count = 0;
    job->remark[0] = 0;
    job->fatal = false;
    job->maps = NULL;
    job->status = fetch_item(w, &w->listing.items[i], job, &job->err);
}

/* What was fetched and, where something failed, not used. */
static void discard_fetched(const struct tsr_listed *item, struct tsr_pack_job *job) {
    free(job->fetched.bytes);
    job->fetched = (struct tsr_fetched){0};
    for (size_t i = 0; job->maps && i < item->maps; i++)
        free(job->maps[i].bytes);
    free(job->maps);
    job->maps = NULL;
}

void tsr_pack_job_decode(const struct tsr_pack_work *w, size_t i, struct tsr_pack_job *job) {
    if (job->status == TSR_OK) job->status = fit(w, &w->listing.items[i], job, &job->err);
    discard_fetched(&w->listing.items[i], job);
}

void tsr_pack_job_clear(struct tsr_pack_job *job) {
    tsr_image_clear(&job->whole);
    free(job->pixels);
    free(job->labels);
}

/* ---- handing out ----------------------------------------------------------------------------- */

static enum tsr_status cut(const struct tsr_pack_work *w, const struct tsr_pack_job *job, size_t k,
                           struct tsr_packed *out, struct tsr_error *err) {
    const struct tsr_pack_config *c = w->config;
    *out = (struct tsr_packed){job->pixels, NULL};
    if (w->has_labels) out->labels = job->labels + k * c->height * c->width;
    if (c->fit != TSR_FIT_TILE) return TSR_OK;
    out->pixels = w->tile;
    return tsr_fit_apply(&job->whole, c->fit, k, c->height, c->width, w->tile, err);
}

static size_t map_size(const struct tsr_pack_work *w) {
    return w->config->height * w->config->width * sizeof *w->map;
}

enum tsr_status tsr_pack_job_take(const struct tsr_pack_work *w, const struct tsr_comm *comm,
                                  const struct tsr_pack_job *job, size_t k, struct tsr_packed *out,
                                  struct tsr_error *err) {
    if (job->from == comm->rank) return cut(w, job, k, out, err);
    *out = (struct tsr_packed){w->tile, w->has_labels ? w->map : NULL};
    TSR_TRY(comm->receive(comm->user, job->from, w->tile, w->image_size, err));
    return w->has_labels ? comm->receive(comm->user, job->from, w->map, map_size(w), err) : TSR_OK;
}

/* ---- between processes ----------------------------------------------------------------------- */

/* What is said of a job before its images follow. */
struct word {
    enum tsr_status status;
    struct tsr_error err;
    bool mostly_cut, fatal;
    uint64_t digest;
    size_t count;
    uint16_t largest;
    char remark[sizeof((struct tsr_pack_job *)0)->remark];
};

enum tsr_status tsr_pack_job_send(const struct tsr_pack_work *w, const struct tsr_comm *comm,
                                  const struct tsr_pack_job *job, struct tsr_error *err) {
    enum tsr_status status = TSR_OK;
    struct tsr_packed image;
    struct word word = {.status = job->status,
                        .err = job->err,
                        .mostly_cut = job->mostly_cut,
                        .fatal = job->fatal,
                        .digest = job->digest,
                        .count = job->status == TSR_OK ? job->count : 0,
                        .largest = job->largest};
    memcpy(word.remark, job->remark, sizeof word.remark);
    TSR_TRY(comm->send(comm->user, 0, &word, sizeof word, err));
    for (size_t k = 0; k < word.count; k++) {
        enum tsr_status cutting = cut(w, job, k, &image, status == TSR_OK ? err : NULL);
        if (status == TSR_OK) status = cutting;
        TSR_TRY(comm->send(comm->user, 0, image.pixels, w->image_size, err));
        if (image.labels) TSR_TRY(comm->send(comm->user, 0, image.labels, map_size(w), err));
    }
    return status;
}

enum tsr_status tsr_pack_job_receive(const struct tsr_comm *comm, size_t from,
                                     struct tsr_pack_job *job, struct tsr_error *err) {
    struct word word;
    TSR_TRY(comm->receive(comm->user, from, &word, sizeof word, err));
    *job = (struct tsr_pack_job){.status = word.status,
                                 .err = word.err,
                                 .mostly_cut = word.mostly_cut,
                                 .fatal = word.fatal,
                                 .digest = word.digest,
                                 .count = word.count,
                                 .largest = word.largest,
                                 .from = from};
    memcpy(job->remark, word.remark, sizeof job->remark);
    return TSR_OK;
}
