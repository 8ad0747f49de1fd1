/* SPDX-License-Identifier: MIT */
#include "data/pack_job.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/digest.h"
#include "base/memory.h"
#include "base/threads.h"

/* ---- room ------------------------------------------------------------------------------------ */

enum tsr_status tsr_pack_work_open(struct tsr_pack_work *w, size_t threads, struct tsr_error *err) {
    size_t area = w->config->height * w->config->width;
    TSR_TRY(TSR_ALLOC(&w->rooms, threads, "images in work", err));
    w->threads = threads;
    for (size_t i = 0; i < threads; i++) {
        TSR_TRY(TSR_ALLOC(&w->rooms[i].pixels, w->image_size, "images in work", err));
        if (w->has_labels) TSR_TRY(TSR_ALLOC(&w->rooms[i].map, area, "label maps in work", err));
    }
    return TSR_OK;
}

static void clear_packed(struct tsr_packed *packed) {
    tsr_h5_item_clear(&packed->image);
    tsr_h5_item_clear(&packed->labels);
}

void tsr_pack_work_clear(struct tsr_pack_work *w) {
    for (size_t i = 0; i < w->threads; i++) {
        free(w->rooms[i].pixels);
        free(w->rooms[i].map);
    }
    free(w->rooms);
    clear_packed(&w->received);
    tsr_label_reader_clear(&w->labels);
    tsr_listing_clear(&w->listing);
}

void tsr_pack_job_clear(struct tsr_pack_job *job) {
    for (size_t i = 0; i < job->room; i++)
        clear_packed(&job->images[i]);
    free(job->images);
    job->images = NULL;
    job->room = 0;
}

static enum tsr_status make_places(struct tsr_pack_job *job, const char *name,
                                   struct tsr_error *err) {
    if (job->count <= job->room) return TSR_OK;
    tsr_pack_job_clear(job);
    TSR_TRY(TSR_ALLOC(&job->images, job->count, name, err));
    job->room = job->count;
    return TSR_OK;
}

/* ---- decoding -------------------------------------------------------------------------------- */

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

/* Labels as bytes, in place: from the first to the last. */
static void narrow(uint16_t *labels, size_t n) {
    unsigned char *bytes = (unsigned char *)labels;
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)labels[i];
}

/* The labels of image k, cut and scaled as it was; or as the rule finds them in its pixels. */
static enum tsr_status make_labels(const struct tsr_pack_work *w, const struct tsr_label_map *map,
                                   struct tsr_pack_job *job, size_t k,
                                   const struct tsr_pack_room *room, struct tsr_error *err) {
    const struct tsr_pack_config *c = w->config;
    size_t area = c->height * c->width;
    if (w->labels.active)
        TSR_TRY(tsr_fit_labels(map, c->fit, k, c->height, c->width, room->map, err));
    else
        TSR_TRY(call_for_labels(w, room->pixels, room->map, err));
    for (size_t i = 0; i < area; i++)
        if (room->map[i] > job->largest) job->largest = room->map[i];
    if (w->label_type == TSR_H5_U8) narrow(room->map, area);
    return tsr_h5_item_make(w->label_type, w->label_deflate, area, room->map,
                            &job->images[k].labels, err);
}

static enum tsr_status make_image(const struct tsr_pack_work *w, const struct tsr_image *whole,
                                  const struct tsr_label_map *map, struct tsr_pack_job *job,
                                  size_t k, struct tsr_error *err) {
    const struct tsr_pack_config *c = w->config;
    const struct tsr_pack_room *room = &w->rooms[tsr_thread_number()];
    TSR_TRY(tsr_fit_apply(whole, c->fit, k, c->height, c->width, room->pixels, err));
    TSR_TRY(tsr_h5_item_make(TSR_H5_U8, c->deflate, w->image_size, room->pixels,
                             &job->images[k].image, err));
    if (!w->has_labels) return TSR_OK;
    enum tsr_status status = make_labels(w, map, job, k, room, err);
    job->fatal = status != TSR_OK;
    return status;
}

static enum tsr_status make_images(const struct tsr_pack_work *w, const struct tsr_listed *item,
                                   const struct tsr_image *whole, struct tsr_pack_job *job,
                                   struct tsr_error *err) {
    enum tsr_status status;
    struct tsr_label_map map = {0};
    if (w->labels.active && job->count > 0) {
        job->fatal = true;
        TSR_TRY(tsr_label_reader_read(&w->labels, item, job->maps, whole->height, whole->width,
                                      &map, err));
        job->fatal = false;
    }
    size_t k = 0;
    do /* of none the first says why */
        status = make_image(w, whole, &map, job, k, err);
    while (status == TSR_OK && ++k < job->count);
    tsr_label_map_clear(&map);
    if (status != TSR_OK) tsr_error_prefix(err, "%s", item->path);
    return status;
}

static uint64_t digest_of(const struct tsr_image *image) {
    const size_t shape[3] = {image->height, image->width, image->channels};
    return tsr_digest_fast(tsr_digest(TSR_DIGEST_START, shape, sizeof shape), image->pixels,
                           shape[0] * shape[1] * shape[2]);
}

static enum tsr_status fit(const struct tsr_pack_work *w, const struct tsr_listed *item,
                           struct tsr_pack_job *job, struct tsr_error *err) {
    enum tsr_status status;
    const struct tsr_pack_config *c = w->config;
    const struct tsr_image_as as = {c->channels, c->background, c->decoding};
    struct tsr_image whole;
    TSR_TRY(tsr_source_decode(&w->listing, item, &job->fetched, &as, &whole, err));
    memcpy(job->remark, whole.remark, sizeof job->remark);
    if (!c->keep_copies) job->digest = digest_of(&whole);
    job->mostly_cut =
        c->fit == TSR_FIT_CROP && c->height * c->width < whole.height * whole.width / 4;
    job->count = tsr_fit_count(&whole, c->fit, c->height, c->width);
    TSR_CHECK(make_places(job, item->path, err));
    status = make_images(w, item, &whole, job, err);
done:
    tsr_image_clear(&whole);
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
    job->largest = 0;
    job->digest = 0;
    job->remark[0] = 0;
    job->fatal = false;
    job->maps = NULL;
    job->status = fetch_item(w, &w->listing.items[i], job, &job->err);
}

/* What was fetched and, where something failed, not used. */
static void discard_fetched(const struct tsr_listed *item, struct tsr_pack_job *job) {
    tsr_fetched_clear(&job->fetched);
    for (size_t i = 0; job->maps && i < item->maps; i++)
        tsr_fetched_clear(&job->maps[i]);
    free(job->maps);
    job->maps = NULL;
}

void tsr_pack_job_decode(const struct tsr_pack_work *w, size_t i, struct tsr_pack_job *job) {
    if (job->status == TSR_OK) job->status = fit(w, &w->listing.items[i], job, &job->err);
    discard_fetched(&w->listing.items[i], job);
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

static enum tsr_status send_item(const struct tsr_comm *comm, const struct tsr_h5_item *item,
                                 struct tsr_error *err) {
    TSR_TRY(comm->send(comm->user, 0, &item->size, sizeof item->size, err));
    return comm->send(comm->user, 0, item->bytes, item->size, err);
}

static enum tsr_status receive_item(const struct tsr_comm *comm, size_t from,
                                    struct tsr_h5_item *item, struct tsr_error *err) {
    TSR_TRY(comm->receive(comm->user, from, &item->size, sizeof item->size, err));
    if (item->size > item->room) {
        free(item->bytes);
        item->room = 0;
        TSR_TRY(TSR_ALLOC(&item->bytes, item->size, "an image of another process", err));
        item->room = item->size;
    }
    return comm->receive(comm->user, from, item->bytes, item->size, err);
}

enum tsr_status tsr_pack_job_take(struct tsr_pack_work *w, const struct tsr_comm *comm,
                                  const struct tsr_pack_job *job, size_t k,
                                  const struct tsr_packed **out, struct tsr_error *err) {
    *out = job->from == comm->rank ? &job->images[k] : &w->received;
    if (job->from == comm->rank) return TSR_OK;
    TSR_TRY(receive_item(comm, job->from, &w->received.image, err));
    return w->has_labels ? receive_item(comm, job->from, &w->received.labels, err) : TSR_OK;
}

enum tsr_status tsr_pack_job_send(const struct tsr_pack_work *w, const struct tsr_comm *comm,
                                  const struct tsr_pack_job *job, struct tsr_error *err) {
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
        TSR_TRY(send_item(comm, &job->images[k].image, err));
        if (w->has_labels) TSR_TRY(send_item(comm, &job->images[k].labels, err));
    }
    return TSR_OK;
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
