/* SPDX-License-Identifier: MIT */
#include "data/pack.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"
#include "base/memory.h"
#include "base/version.h"
#include "data/copies.h"
#include "data/h5.h"
#include "data/pack_job.h"
#include "data/pack_list.h"
#include "data/pack_sample.h"
#include "data/room.h"

#ifdef _OPENMP
#define OMP(directive) _Pragma(#directive)
#else
#define OMP(directive)
#endif

#define MAX_THREADS 4096
#define BLOCK_BYTES ((size_t)16 << 20)
#define LABELS_AT_MOST 65536

/* ---- configuration --------------------------------------------------------------------------- */

void tsr_pack_config_default(struct tsr_pack_config *config) {
    *config = (struct tsr_pack_config){
        .fit = TSR_FIT_CROP, .background = TSR_WHITE, .split = {0.8, 0.1, 0.1}, .deflate = 0};
}

static enum tsr_status check_labels(const struct tsr_pack_config *c, struct tsr_error *err) {
    bool given = c->labels || c->label_array;
    if (given && c->label_image)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "label maps come from files or from a rule, not from both");
    if ((c->label_names || c->label_parts || c->label_suffix || c->n_label_values ||
         c->n_ignored_labels || c->labels_fit) &&
        !given)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "names, parts, a suffix or values of labels are given, but no label maps");
    if (c->label_parts && (c->n_label_values || c->n_ignored_labels))
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "label maps are composed of parts, or have values of labels, not both");
    if (c->label_image && (!c->label_rule || c->label_count < 1 || c->label_count > LABELS_AT_MOST))
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "the rule of the labels is \"%s\" of %zu; it is a text, and 1..%d labels",
                         c->label_rule ? c->label_rule : "", c->label_count, LABELS_AT_MOST);
    return TSR_OK;
}

enum tsr_status tsr_pack_config_check(const struct tsr_pack_config *config, struct tsr_error *err) {
    double sum = 0;
    bool fractions = true;
    bool sized = config->height > 0 || config->width > 0;
    if ((sized && (config->height < 1 || config->width < 1)) ||
        config->height > TSR_IMAGE_MAX_SIDE || config->width > TSR_IMAGE_MAX_SIDE)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "the size is %zux%zu; a side is 1..%d",
                         config->height, config->width, TSR_IMAGE_MAX_SIDE);
    if (config->height * config->width > TSR_IMAGE_MAX_PIXELS)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "the size is %zux%zu; at most %zu pixels are stored",
                         config->height, config->width, TSR_IMAGE_MAX_PIXELS);
    if ((size_t)config->fit > TSR_FIT_TILE)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "fit %d is none of crop, cover, squash and tile",
                         (int)config->fit);
    if (config->channels != 0 && config->channels != 1 && config->channels != 3)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "channels is %zu; it is 1 or 3", config->channels);
    for (int i = 0; i < 3; i++) {
        fractions = fractions && config->split[i] >= 0 && config->split[i] <= 1;
        sum += config->split[i];
    }
    if (!fractions || fabs(sum - 1) > 1e-6)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "the split is %g,%g,%g; these are fractions of 0..1 whose sum is 1",
                         config->split[0], config->split[1], config->split[2]);
    if (config->deflate < 0 || config->deflate > 9)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "deflate is %d; levels are 0..9", config->deflate);
    if (config->threads > MAX_THREADS)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "threads is %zu; it is 0..%d", config->threads,
                         MAX_THREADS);
    return check_labels(config, err);
}

/* Of a block of the list a process decodes its share. */
struct block {
    struct tsr_pack_job *jobs; /* [per_block] */
    size_t first, n;           /* of the list */
    struct tsr_span own;
};

struct packer {
    struct tsr_pack_config config; /* settled */
    const struct tsr_pack_callbacks *callbacks;
    const struct tsr_comm *comm;
    struct tsr_pack_report *report;
    struct tsr_pack_work work;
    struct tsr_h5 *file; /* of rank 0 */
    size_t per_block, threads;
    struct block blocks[2]; /* one being decoded, one being written */
    uint16_t largest;       /* label of those written */

    uint8_t *splits;    /* of the images written */
    const char **names; /* likewise */
    struct tsr_copies copies;
};

/* ---- writing --------------------------------------------------------------------------------- */

static enum tsr_status reserve(struct packer *p, struct tsr_error *err) {
    size_t n = p->report->images;
    if (n == UINT32_MAX) return TSR_ERROR(err, TSR_ERR_UNSUPPORTED, "more than 2^32-1 images");
    TSR_TRY(TSR_GROW(&p->splits, n, "splits of images", err));
    return TSR_GROW(&p->names, n, "names of images", err);
}

/* Of an image, or of its tile. */
static enum tsr_status set_name(struct packer *p, size_t at, const struct tsr_listed *item,
                                size_t tile, struct tsr_error *err) {
    p->names[at] = item->name;
    if (p->config.fit != TSR_FIT_TILE) return TSR_OK;
    size_t size = strlen(item->name) + 24;
    char *numbered = tsr_pool_take(&p->work.listing.pool, size);
    if (!numbered) return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: no memory for names", item->name);
    (void)snprintf(numbered, size, "%s#%zu", item->name, tile);
    p->names[at] = numbered;
    return TSR_OK;
}

static enum tsr_status add_image(struct packer *p, const struct tsr_listed *item, size_t tile,
                                 const struct tsr_packed *packed, struct tsr_error *err) {
    size_t at = p->report->images;
    TSR_TRY(reserve(p, err));
    TSR_TRY(set_name(p, at, item, tile, err));
    TSR_TRY(tsr_h5_append_item(p->file, "/images", &packed->image, err));
    if (p->work.has_labels) TSR_TRY(tsr_h5_append_item(p->file, "/labels", &packed->labels, err));
    p->splits[at] = item->split;
    p->report->images++;
    return TSR_OK;
}

static enum tsr_status skip(struct packer *p, const char *path, const struct tsr_pack_job *job,
                            struct tsr_error *err) {
    if (p->config.strict || job->fatal || job->status == TSR_ERR_NO_MEMORY) {
        if (err) *err = job->err;
        return job->status;
    }
    p->report->skipped++;
    if (!p->callbacks || !p->callbacks->skipped) return TSR_OK;
    /* The message begins with the path, which the callback gets by itself. */
    const char *why = job->err.message;
    size_t length = strlen(path);
    if (strncmp(why, path, length) == 0 && strncmp(why + length, ": ", 2) == 0) why += length + 2;
    p->callbacks->skipped(p->callbacks->user, path, why);
    return TSR_OK;
}

/* *out: its images are not packed, since those of its picture are, in another split. */
static enum tsr_status leave_out(struct packer *p, const struct tsr_listed *item,
                                 const struct tsr_pack_job *job, bool *out, struct tsr_error *err) {
    uint32_t first, image = (uint32_t)p->report->images, n = (uint32_t)job->count;
    enum tsr_copies_verdict verdict;
    if (p->config.keep_copies) return TSR_OK;
    TSR_TRY(
        tsr_copies_add(&p->copies, item, job->digest, image, n, p->splits, &verdict, &first, err));
    *out = verdict == TSR_COPIES_LEFT_OUT || verdict == TSR_COPIES_TAKES;
    p->report->copies += verdict == TSR_COPIES_FOLLOWS ? n : 0;
    p->report->left_out += *out ? n : 0;
    for (uint32_t k = 0; k < n && verdict == TSR_COPIES_TAKES; k++)
        TSR_TRY(set_name(p, first + k, item, k, err));
    return TSR_OK;
}

static enum tsr_status count_job(struct packer *p, const struct tsr_listed *item,
                                 const struct tsr_pack_job *job, bool *out, struct tsr_error *err) {
    if (job->status != TSR_OK) return skip(p, item->path, job, err);
    p->report->mostly_cut += job->mostly_cut;
    if (job->remark[0] && p->callbacks && p->callbacks->remark)
        p->callbacks->remark(p->callbacks->user, item->path, job->remark);
    if (p->work.has_labels && job->largest > p->largest) p->largest = job->largest;
    return leave_out(p, item, job, out, err);
}

/* After an error (`before`) images of other processes are still taken, since those send them. */
static enum tsr_status write_job(struct packer *p, const struct tsr_listed *item,
                                 const struct tsr_pack_job *job, enum tsr_status before,
                                 struct tsr_error *err) {
    bool out = false;
    enum tsr_status status = before == TSR_OK ? count_job(p, item, job, &out, err) : before;
    size_t count = job->status == TSR_OK ? job->count : 0;
    bool here = job->from == p->comm->rank;
    const struct tsr_packed *packed;
    for (size_t k = 0; k < count && (status == TSR_OK || !here); k++) {
        enum tsr_status taken =
            tsr_pack_job_take(&p->work, p->comm, job, k, &packed, status == TSR_OK ? err : NULL);
        if (taken != TSR_OK) return taken;
        if (status == TSR_OK && !out) status = add_image(p, item, k, packed, err);
    }
    return status;
}

static enum tsr_status write_received(struct packer *p, const struct block *block,
                                      enum tsr_status status, struct tsr_error *err) {
    struct tsr_pack_job job;
    for (size_t r = 1; r < p->comm->size; r++) {
        struct tsr_span span = tsr_comm_span(block->n, r, p->comm->size);
        for (size_t i = span.first; i < span.first + span.n; i++) {
            TSR_TRY(tsr_pack_job_receive(p->comm, r, &job, err));
            status = write_job(p, &p->work.listing.items[block->first + i], &job, status, err);
        }
    }
    return status;
}

/* Rank 0 writes the images of all, the others send it theirs. */
static enum tsr_status hand_out(struct packer *p, struct block *block, struct tsr_error *err) {
    enum tsr_status status = TSR_OK;
    for (size_t i = 0; i < block->own.n; i++) {
        struct tsr_pack_job *job = &block->jobs[i];
        const struct tsr_listed *item = &p->work.listing.items[block->first + block->own.first + i];
        if (p->comm->rank > 0)
            status = tsr_pack_job_send(&p->work, p->comm, job, err);
        else if (status == TSR_OK)
            status = write_job(p, item, job, TSR_OK, err);
        if (p->config.fit == TSR_FIT_TILE) tsr_pack_job_clear(job); /* any number of images */
    }
    return p->comm->rank == 0 ? write_received(p, block, status, err) : status;
}

static enum tsr_status write_block(struct packer *p, struct block *block, struct tsr_error *err) {
    if (block->n == 0) return TSR_OK;
    size_t done = block->first + block->n, n = p->work.listing.n;
    TSR_TRY(tsr_comm_agree(p->comm, hand_out(p, block, err), err));
    block->n = 0;
    bool stop = p->callbacks && p->callbacks->progress &&
                p->callbacks->progress(p->callbacks->user, done, n) != 0;
    TSR_TRY(tsr_comm_any(p->comm, &stop, err));
    if (!stop) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_INTERRUPTED, "interrupted after %zu of %zu files", done, n);
}

/* From item `first` of the list on. */
static struct block block_from(const struct packer *p, size_t first) {
    size_t left = p->work.listing.n - first, most = p->per_block * p->comm->size;
    size_t n = left < most ? left : most;
    return (struct block){
        .first = first, .n = n, .own = tsr_comm_span(n, p->comm->rank, p->comm->size)};
}

/* A thread's part of it: takes jobs as long as there are any. libgomp's `ordered` would hold the
 * next job back until the one before is decoded. */
static void decode_share(const struct packer *p, size_t from, struct tsr_pack_job *jobs, size_t n,
                         size_t *taken) {
    for (;;) {
        size_t i;
        OMP(omp critical(tsr_pack_fetch)) {
            i = *taken < n ? (*taken)++ : n;
            if (i < n) tsr_pack_job_fetch(&p->work, from + i, &jobs[i]);
        }
        if (i == n) return;
        tsr_pack_job_decode(&p->work, from + i, &jobs[i]);
    }
}

/* The calling thread writes one block, and calls back, while the others begin to decode the next,
 * in which it joins when it is done: the callbacks see one thread, what is fetched is fetched in
 * the order of the list, and the images are in that order for any number of threads and processes.
 */
static enum tsr_status pack_all(struct packer *p, struct tsr_error *err) {
    enum tsr_status status = TSR_OK;
    struct block *done = &p->blocks[0], *next = &p->blocks[1];
    for (size_t first = 0; status == TSR_OK && (first < p->work.listing.n || done->n > 0);) {
        struct tsr_pack_job *jobs = next->jobs;
        *next = block_from(p, first);
        next->jobs = jobs;
        size_t from = first + next->own.first, n = next->own.n, taken = 0;
        OMP(omp parallel num_threads((int)p->threads)) {
            OMP(omp master)
            status = write_block(p, done, err);
            decode_share(p, from, jobs, n, &taken);
        }
        first += next->n;
        struct block *swap = done;
        done = next;
        next = swap;
    }
    return status;
}

/* ---- the file -------------------------------------------------------------------------------- */

/* Threads wait for each other at the end of a block, so it is as long as memory allows. For tiles,
 * whole sources of any size wait to be cut. */
static size_t block_size(size_t threads, size_t image_size) {
    size_t n = BLOCK_BYTES / image_size;
    if (n < 2 * threads) return 2 * threads;
    return n > 32 * threads ? 32 * threads : n;
}

static enum tsr_status allocate(struct packer *p, struct tsr_error *err) {
    TSR_TRY(tsr_pack_work_open(&p->work, p->threads, err));
    for (int b = 0; b < 2; b++) {
        TSR_TRY(TSR_ALLOC(&p->blocks[b].jobs, p->per_block, "images in work", err));
        for (size_t i = 0; i < p->per_block; i++)
            p->blocks[b].jobs[i].from = p->comm->rank;
    }
    return TSR_OK;
}

static void free_packer(struct packer *p) {
    for (int b = 0; b < 2; b++) {
        for (size_t i = 0; p->blocks[b].jobs && i < p->per_block; i++)
            tsr_pack_job_clear(&p->blocks[b].jobs[i]);
        free(p->blocks[b].jobs);
    }
    free(p->splits);
    free(p->names);
    tsr_copies_clear(&p->copies);
    tsr_pack_work_clear(&p->work);
    tsr_h5_close(p->file);
}

static enum tsr_status write_attributes(const struct packer *p, struct tsr_error *err) {
    const struct tsr_pack_config *c = &p->config;
    struct tsr_h5 *f = p->file;
    char split[96];
    (void)snprintf(split, sizeof split, "%g,%g,%g", c->split[0], c->split[1], c->split[2]);
    TSR_TRY(tsr_h5_write_attr_str(f, "/", "format", "tessera-dataset", err));
    TSR_TRY(tsr_h5_write_attr_i64(f, "/", "format_version", 1, err));
    TSR_TRY(tsr_h5_write_attr_str(f, "/", "version", tsr_version(), err));
    if (c->command) TSR_TRY(tsr_h5_write_attr_str(f, "/", "command", c->command, err));
    TSR_TRY(tsr_h5_write_attr_str(f, "/", "fit", tsr_fit_name(c->fit), err));
    TSR_TRY(tsr_h5_write_attr_str(f, "/", "background", tsr_colour_text(c->background).text, err));
    TSR_TRY(tsr_h5_write_attr_str(f, "/", "split_fractions", split, err));
    if (c->split_file) TSR_TRY(tsr_h5_write_attr_str(f, "/", "split_file", c->split_file, err));
    if (c->labels) TSR_TRY(tsr_h5_write_attr_str(f, "/", "label_folder", c->labels, err));
    if (p->work.labels.array)
        TSR_TRY(tsr_h5_write_attr_str(f, "/", "label_array", p->work.labels.array, err));
    if (c->label_names)
        TSR_TRY(tsr_h5_write_attr_str(f, "/", "label_names_file", c->label_names, err));
    TSR_TRY(tsr_h5_write_attr_i64(f, "/", "limit", (int64_t)c->limit, err));
    TSR_TRY(tsr_h5_write_attr_i64(f, "/", "seed", (int64_t)c->seed, err));
    TSR_TRY(tsr_h5_write_attr_i64(f, "/", "sources", (int64_t)p->report->sources, err));
    return tsr_h5_write_attr_i64(f, "/", "skipped", (int64_t)p->report->skipped, err);
}

static enum tsr_status create(struct packer *p, const char *output, struct tsr_error *err) {
    const struct tsr_pack_config *c = &p->config;
    const size_t dims[4] = {0, c->height, c->width, c->channels};
    TSR_TRY(tsr_h5_create(output, &p->file, err));
    TSR_TRY(tsr_h5_create_growing(p->file, "/images", TSR_H5_U8, 4, dims, c->deflate, err));
    if (!p->work.has_labels) return TSR_OK;
    return tsr_h5_create_growing(p->file, "/labels", p->work.label_type, 3, dims,
                                 p->work.label_deflate, err);
}

static enum tsr_status finish_labels(struct packer *p, struct tsr_error *err) {
    const struct tsr_pack_config *c = &p->config;
    const struct tsr_label_names *names = NULL;
    if (!p->work.has_labels) return TSR_OK;
    p->report->labels = p->work.label_bound;
    const struct tsr_label_reader *reader = &p->work.labels;
    const char *rule = reader->active ? reader->sheet.rule : c->label_rule;
    bool found = reader->active && strcmp(rule, "labels") != 0 && reader->names.n == 0;
    if (reader->active && !found) {
        TSR_TRY(tsr_label_reader_names(&p->work.labels, p->largest, &names, err));
        p->report->labels = names->n;
    }
    TSR_TRY(tsr_h5_write_attr_str(p->file, "/labels", "rule", rule, err));
    TSR_TRY(tsr_h5_write_attr_i64(p->file, "/labels", "count", (int64_t)p->report->labels, err));
    if (!names) return TSR_OK;
    if (p->work.labels.no_class >= 0)
        TSR_TRY(tsr_h5_write_attr_i64(p->file, "/labels", "void", p->work.labels.no_class, err));
    return tsr_h5_write_attr_strings(p->file, "/labels", "label_names", names->n,
                                     (const char *const *)names->names, err);
}

static struct tsr_notice notice_of(const struct packer *p) {
    return (struct tsr_notice){p->callbacks ? p->callbacks->note : NULL,
                               p->callbacks ? p->callbacks->user : NULL};
}

static void finish_splits(struct packer *p) {
    const struct tsr_notice notice = notice_of(p);
    const struct tsr_copies *c = &p->copies;
    tsr_copies_settle(c, p->splits);
    for (size_t i = 0; i < p->report->images; i++)
        p->report->per_split[p->splits[i]]++;
    if (p->report->copies)
        tsr_notice(&notice, "copies of other images: %zu, such as %s of %s; they are of one split",
                   p->report->copies, c->kept.again, c->kept.first);
    if (p->report->left_out)
        tsr_notice(&notice,
                   "images given to several splits: %zu, such as %s, which is %s, too; each is "
                   "packed once, in the first of test, val and train (--keep-copies: in all)",
                   p->report->left_out, c->left_out.again, c->left_out.first);
}

static enum tsr_status finish(struct packer *p, struct tsr_error *err) {
    size_t n = p->report->images;
    if (n == 0)
        return TSR_ERROR(err, TSR_ERR_NOT_FOUND,
                         "%s: nothing to write: all of the %zu files were unreadable or too small",
                         tsr_h5_path(p->file), p->report->sources);
    finish_splits(p);
    TSR_TRY(tsr_h5_write(p->file, "/split", TSR_H5_U8, 1, &n, p->splits, 0, err));
    TSR_TRY(tsr_h5_write_strings(p->file, "/names", n, p->names, err));
    TSR_TRY(finish_labels(p, err));
    TSR_TRY(write_attributes(p, err));
    return tsr_h5_commit(p->file, err);
}

/* What was left open, as the arrays have it that all sources are. */
static enum tsr_status settle_size(struct tsr_pack_config *c, const struct tsr_listing *listing,
                                   struct tsr_error *err) {
    size_t n = listing->n_sources;
    const struct tsr_source *s = listing->sources;
    bool files = n == 0, same = n > 0, grey = n > 0;
    for (size_t i = 0; i < listing->n; i++)
        files = files || listing->items[i].source == TSR_NO_SOURCE;
    for (size_t i = 0; i < n; i++) {
        same = same && s[i].height > 0 && s[i].height == s->height && s[i].width == s->width;
        grey = grey && s[i].channels == 1;
    }
    if (c->channels == 0) c->channels = grey && !files ? 1 : 3;
    if (c->height > 0) return TSR_OK;
    if (files || !same)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "the size of the images to store is missing (--size HxW): the sources are "
                         "not all arrays of images of one size");
    c->height = s->height;
    c->width = s->width;
    return TSR_OK;
}

/* Files below which it is not worth the time to look at some of them twice. */
enum { SAMPLED_OF = 64 };

static enum tsr_status check_room(const struct packer *p, const char *output,
                                  struct tsr_error *err) {
    const struct tsr_pack_config *c = &p->config;
    const struct tsr_notice notice = notice_of(p);
    struct tsr_pack_sample sample;
    char what[96];
    bool tiles = c->fit == TSR_FIT_TILE;
    double values = (double)p->work.image_size, images = (double)p->work.listing.n;
    if (tiles ? images < SAMPLED_OF : images * values < TSR_ROOM_WORTH_A_WORD) return TSR_OK;
    TSR_TRY(tsr_pack_sample_take(&p->work, &sample, err));
    if (tiles && sample.files == 0) return TSR_OK; /* who knows how many there are */
    if (tiles) images *= sample.images;
    double stored = c->deflate && sample.deflated > 0 ? sample.deflated : 1;
    (void)snprintf(what, sizeof what, "%s%.0f images of %zux%zux%zu", tiles ? "about " : "", images,
                   c->height, c->width, c->channels);
    const struct tsr_room_need need = {.what = what,
                                       .bytes = images * values * stored,
                                       .exact = !tiles && !c->deflate,
                                       .deflated = c->deflate ? 0 : sample.deflated};
    return tsr_room_check(output, &need, &notice, err);
}

static enum tsr_status settle(struct packer *p, struct tsr_error *err) {
    struct tsr_pack_config *c = &p->config;
    struct tsr_pack_work *w = &p->work;
    TSR_TRY(settle_size(c, &w->listing, err));
    w->has_labels = w->labels.active || c->label_image;
    w->label_bound = c->label_image ? c->label_count : w->labels.bound;
    w->label_type = w->label_bound > 256 ? TSR_H5_U16 : TSR_H5_U8;
    /* Label maps compress to a few percent, and faster than they are read: they always are. */
    w->label_deflate = c->deflate ? c->deflate : 1;
    w->image_size = c->height * c->width * c->channels;
    p->report->height = c->height;
    p->report->width = c->width;
    p->report->channels = c->channels;
    return TSR_OK;
}

/* What has to be the same in all processes. */
static uint64_t digest_of(const struct packer *p) {
    const struct tsr_pack_work *w = &p->work;
    const size_t numbers[] = {w->listing.n,       p->config.height, p->config.width,
                              p->config.channels, w->has_labels,    w->label_bound};
    uint64_t digest = tsr_digest(TSR_DIGEST_START, numbers, sizeof numbers);
    for (size_t i = 0; i < w->listing.n; i++) {
        const struct tsr_listed *item = &w->listing.items[i];
        const size_t of_item[] = {item->split, item->maps, item->source, item->index};
        digest = tsr_digest(digest, item->name, strlen(item->name) + 1);
        digest = tsr_digest(digest, of_item, sizeof of_item);
    }
    return digest;
}

/* One list, and blocks as long as rank 0 has them. */
static enum tsr_status meet(struct packer *p, struct tsr_error *err) {
    bool tiles = p->config.fit == TSR_FIT_TILE;
    size_t labels = p->work.has_labels ? p->config.height * p->config.width * sizeof(uint16_t) : 0;
    p->threads = tsr_thread_count(p->config.threads);
    p->per_block = block_size(p->threads, tiles ? SIZE_MAX : p->work.image_size + labels);
    struct {
        uint64_t digest, images, per_block;
    } own = {digest_of(p), p->work.listing.n, p->per_block}, word = own;
    TSR_TRY(tsr_comm_share(p->comm, &word, sizeof word, err));
    p->per_block = (size_t)word.per_block;
    if (word.digest == own.digest) return TSR_OK;
    return TSR_ERROR(
        err, TSR_ERR_CONFIG,
        "its list of %llu images is not the list of %llu of rank 0: all processes need "
        "the same files, under the same paths",
        (unsigned long long)own.images, (unsigned long long)word.images);
}

/* Every process's own part, before they meet. */
static enum tsr_status list(struct packer *p, const char *const *sources, size_t n_sources,
                            const char *output, struct tsr_error *err) {
    TSR_TRY(tsr_pack_config_check(&p->config, err));
    TSR_TRY(tsr_pack_list(&p->config, sources, n_sources, p->comm->rank == 0 ? p->callbacks : NULL,
                          &p->work.listing, &p->work.labels, p->report, err));
    TSR_TRY(settle(p, err));
    return p->comm->rank == 0 ? check_room(p, output, err) : TSR_OK;
}

/* Behind it. */
static enum tsr_status begin(struct packer *p, const char *output, struct tsr_error *err) {
    if (p->comm->rank == 0) TSR_TRY(create(p, output, err));
    TSR_TRY(allocate(p, err));
    for (size_t first = 0; first < p->work.listing.n;) {
        struct block block = block_from(p, first);
        for (size_t i = 0; i < block.own.n; i++)
            tsr_pack_job_want(&p->work, first + block.own.first + i);
        first += block.n;
    }
    return TSR_OK;
}

enum tsr_status tsr_pack(const struct tsr_pack_config *config, const char *const *sources,
                         size_t n_sources, const char *output,
                         const struct tsr_pack_callbacks *callbacks, struct tsr_pack_report *report,
                         struct tsr_error *err) {
    enum tsr_status status;
    double start = tsr_seconds();
    struct tsr_pack_report unused;
    const struct tsr_comm *comm = tsr_comm_of(config->comm);
    struct packer p = {.config = *config,
                       .callbacks = callbacks,
                       .comm = comm,
                       .report = report ? report : &unused};
    p.work.config = &p.config;
    *p.report = (struct tsr_pack_report){0};
    TSR_CHECK(tsr_comm_agree(comm, list(&p, sources, n_sources, output, err), err));
    TSR_CHECK(tsr_comm_agree(comm, meet(&p, err), err));
    TSR_CHECK(tsr_comm_agree(comm, begin(&p, output, err), err));
    TSR_CHECK(pack_all(&p, err));
    TSR_CHECK(tsr_comm_agree(comm, comm->rank == 0 ? finish(&p, err) : TSR_OK, err));
done:
    free_packer(&p);
    p.report->seconds = tsr_seconds() - start;
    return status;
}
