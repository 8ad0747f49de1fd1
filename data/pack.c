/* SPDX-License-Identifier: MIT */
#include "data/pack.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/version.h"
#include "data/h5.h"
#include "data/label_reader.h"
#include "data/pack_list.h"
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
    if (c->labels && c->label_image)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "label maps come from files or from a rule, not from both");
    if ((c->label_names || c->label_parts || c->label_suffix || c->n_label_values ||
         c->n_ignored_labels || c->labels_fit) &&
        !c->labels)
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

/* ---- decoding -------------------------------------------------------------------------------- */

/* One source file on its way. */
struct job {
    enum tsr_status status;
    struct tsr_error err;
    struct tsr_fetched fetched, *maps; /* maps: [item->maps] files of its label map */
    const char *remark;                /* of the decoder, or NULL */
    bool mostly_cut;                   /* a crop keeps less than a quarter of it */
    size_t count;                      /* images made of it */
    struct tsr_image whole;            /* for tiles: they are cut when they are written */
    uint8_t *pixels;                   /* [height, width, channels], else */

    uint16_t *labels;   /* [count, height, width], if there are any */
    size_t labels_room; /* for as many maps */
    uint16_t largest;   /* label */
    bool fatal;         /* it is the labels that failed */
};

struct block {
    struct job *jobs; /* [per_block] */
    size_t first, n;  /* of the listing */
};

struct packer {
    const struct tsr_pack_config *config;
    const struct tsr_pack_callbacks *callbacks;
    struct tsr_pack_report *report;
    struct tsr_listing listing;
    struct tsr_h5 *file;
    size_t image_size, per_block, threads;
    struct block blocks[2]; /* one being decoded, one being written */
    uint8_t *tile;          /* [height, width, channels] */

    bool has_labels;
    struct tsr_label_reader labels; /* where there are label maps in files */
    size_t label_bound;             /* labels are below it */
    uint16_t largest;               /* of those written */

    uint8_t *splits;    /* [capacity], of the images written */
    const char **names; /* [capacity] */
    size_t capacity;
};

/* The labels of a file, cut and scaled as the image was. */
static enum tsr_status read_labels(const struct packer *p, const struct tsr_listed *item,
                                   struct job *job, struct tsr_error *err) {
    const struct tsr_pack_config *c = p->config;
    struct tsr_label_map map;
    enum tsr_status status = tsr_label_reader_read(&p->labels, item, job->maps, job->whole.height,
                                                   job->whole.width, &map, err);
    for (size_t k = 0; k < job->count && status == TSR_OK; k++)
        status = tsr_fit_labels(&map, c->fit, k, c->height, c->width,
                                job->labels + k * c->height * c->width, err);
    tsr_label_map_clear(&map);
    return status;
}

static enum tsr_status call_for_labels(const struct packer *p, const uint8_t *pixels,
                                       uint16_t *labels, struct tsr_error *err) {
    const struct tsr_pack_config *c = p->config;
    TSR_TRY(c->label_image(c->label_user, pixels, c->height, c->width, c->channels, labels, err));
    for (size_t i = 0; i < c->height * c->width; i++)
        if (labels[i] >= p->label_bound)
            return TSR_ERROR(err, TSR_ERR_ARGUMENT, "the rule \"%s\" gave the label %u of %zu",
                             c->label_rule, labels[i], p->label_bound);
    return TSR_OK;
}

/* The labels that the rule finds in each image made of the source. */
static enum tsr_status find_labels(const struct packer *p, const struct tsr_listed *item,
                                   struct job *job, struct tsr_error *err) {
    const struct tsr_pack_config *c = p->config;
    enum tsr_status status = TSR_OK;
    void *tile;
    if (c->fit != TSR_FIT_TILE) {
        status = call_for_labels(p, job->pixels, job->labels, err);
    } else {
        TSR_TRY(tsr_alloc(&tile, p->image_size, 1, "tile", err));
        for (size_t k = 0; k < job->count && status == TSR_OK; k++) {
            status = tsr_fit_apply(&job->whole, c->fit, k, c->height, c->width, tile, err);
            if (status == TSR_OK)
                status = call_for_labels(p, tile, job->labels + k * c->height * c->width, err);
        }
        free(tile);
    }
    if (status != TSR_OK) tsr_error_prefix(err, "%s", item->path);
    return status;
}

static enum tsr_status label(const struct packer *p, const struct tsr_listed *item, struct job *job,
                             struct tsr_error *err) {
    size_t area = p->config->height * p->config->width;
    if (job->labels_room < job->count) {
        void *memory;
        TSR_TRY(tsr_alloc(&memory, job->count, area * sizeof *job->labels, item->path, err));
        free(job->labels);
        job->labels = memory;
        job->labels_room = job->count;
    }
    TSR_TRY(p->config->labels ? read_labels(p, item, job, err) : find_labels(p, item, job, err));
    job->largest = 0;
    for (size_t i = 0; i < job->count * area; i++)
        if (job->labels[i] > job->largest) job->largest = job->labels[i];
    return TSR_OK;
}

static enum tsr_status fit(const struct packer *p, const struct tsr_listed *item, struct job *job,
                           struct tsr_error *err) {
    const struct tsr_pack_config *c = p->config;
    const struct tsr_image_as as = {c->channels, c->background};
    TSR_TRY(tsr_source_decode(&p->listing, item, &job->fetched, &as, &job->whole, err));
    job->remark = job->whole.remark;
    job->mostly_cut =
        c->fit == TSR_FIT_CROP && c->height * c->width < job->whole.height * job->whole.width / 4;
    job->count = tsr_fit_count(&job->whole, c->fit, c->height, c->width);
    enum tsr_status status = TSR_OK;
    bool tiles = job->count > 0 && c->fit == TSR_FIT_TILE;
    if (!tiles) {
        status = tsr_fit_apply(&job->whole, c->fit, 0, c->height, c->width, job->pixels, err);
        if (status != TSR_OK) tsr_error_prefix(err, "%s", item->path);
    }
    if (status == TSR_OK && p->has_labels) {
        status = label(p, item, job, err);
        job->fatal = status != TSR_OK;
    }
    if (!tiles || status != TSR_OK) tsr_image_clear(&job->whole);
    return status;
}

static enum tsr_status fetch_item(const struct packer *p, const struct tsr_listed *item,
                                  struct job *job, struct tsr_error *err) {
    TSR_TRY(tsr_source_fetch(&p->listing, item, &job->fetched, err));
    if (!item->maps) return TSR_OK;
    job->fatal = true;
    TSR_TRY(TSR_ALLOC(&job->maps, item->maps, item->path, err));
    TSR_TRY(tsr_label_reader_fetch(&p->labels, item, job->maps, err));
    job->fatal = false;
    return TSR_OK;
}

static void fetch(const struct packer *p, size_t i, struct job *job) {
    job->err = (struct tsr_error){0};
    job->count = 0;
    job->remark = NULL;
    job->fatal = false;
    job->maps = NULL;
    job->status = fetch_item(p, &p->listing.items[i], job, &job->err);
}

/* What was fetched and, where something failed, not used. */
static void discard_fetched(const struct tsr_listed *item, struct job *job) {
    free(job->fetched.bytes);
    job->fetched = (struct tsr_fetched){0};
    for (size_t i = 0; job->maps && i < item->maps; i++)
        free(job->maps[i].bytes);
    free(job->maps);
    job->maps = NULL;
}

static void decode(const struct packer *p, size_t i, struct job *job) {
    if (job->status == TSR_OK) job->status = fit(p, &p->listing.items[i], job, &job->err);
    discard_fetched(&p->listing.items[i], job);
}

/* ---- writing --------------------------------------------------------------------------------- */

static enum tsr_status reserve(struct packer *p, struct tsr_error *err) {
    if (p->report->images < p->capacity) return TSR_OK;
    if (p->report->images == UINT32_MAX)
        return TSR_ERROR(err, TSR_ERR_UNSUPPORTED, "more than 2^32-1 images");
    size_t capacity = 2 * p->capacity + 1024;
    uint8_t *splits = realloc(p->splits, capacity);
    if (splits) p->splits = splits;
    const char **names = realloc(p->names, capacity * sizeof *names);
    if (names) p->names = names;
    if (!splits || !names)
        return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "no memory for the names of %zu images", capacity);
    p->capacity = capacity;
    return TSR_OK;
}

static enum tsr_status add_image(struct packer *p, const struct tsr_listed *item, size_t tile,
                                 const uint8_t *pixels, const uint16_t *labels,
                                 struct tsr_error *err) {
    size_t at = p->report->images;
    const char *name = item->name;
    TSR_TRY(reserve(p, err));
    if (p->config->fit == TSR_FIT_TILE) {
        size_t size = strlen(name) + 24;
        char *numbered = tsr_pool_take(&p->listing.pool, size);
        if (!numbered) return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: no memory for names", name);
        (void)snprintf(numbered, size, "%s#%zu", name, tile);
        name = numbered;
    }
    TSR_TRY(tsr_h5_append(p->file, "/images", TSR_H5_U8, 1, pixels, err));
    if (labels) TSR_TRY(tsr_h5_append(p->file, "/labels", TSR_H5_U16, 1, labels, err));
    p->names[at] = name;
    p->splits[at] = item->split;
    p->report->per_split[item->split]++;
    p->report->images++;
    return TSR_OK;
}

static enum tsr_status skip(struct packer *p, const char *path, const struct job *job,
                            struct tsr_error *err) {
    if (p->config->strict || job->fatal || job->status == TSR_ERR_NO_MEMORY) {
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

static enum tsr_status write_job(struct packer *p, const struct tsr_listed *item,
                                 const struct job *job, struct tsr_error *err) {
    const struct tsr_pack_config *c = p->config;
    if (job->status != TSR_OK) return skip(p, item->path, job, err);
    p->report->mostly_cut += job->mostly_cut;
    if (job->remark && p->callbacks && p->callbacks->remark)
        p->callbacks->remark(p->callbacks->user, item->path, job->remark);
    const uint16_t *labels = p->has_labels ? job->labels : NULL;
    if (labels && job->largest > p->largest) p->largest = job->largest;
    if (c->fit != TSR_FIT_TILE) return add_image(p, item, 0, job->pixels, labels, err);
    for (size_t k = 0; k < job->count; k++) {
        TSR_TRY(tsr_fit_apply(&job->whole, c->fit, k, c->height, c->width, p->tile, err));
        TSR_TRY(add_image(p, item, k, p->tile, labels, err));
        if (labels) labels += c->height * c->width;
    }
    return TSR_OK;
}

static enum tsr_status write_block(struct packer *p, struct block *block, struct tsr_error *err) {
    enum tsr_status status = TSR_OK;
    for (size_t i = 0; i < block->n; i++) {
        if (status == TSR_OK)
            status = write_job(p, &p->listing.items[block->first + i], &block->jobs[i], err);
        tsr_image_clear(&block->jobs[i].whole);
    }
    size_t done = block->first + block->n;
    if (status == TSR_OK && block->n > 0 && p->callbacks && p->callbacks->progress &&
        p->callbacks->progress(p->callbacks->user, done, p->listing.n) != 0)
        status = TSR_ERROR(err, TSR_ERR_INTERRUPTED, "interrupted after %zu of %zu files", done,
                           p->listing.n);
    block->n = 0;
    return status;
}

/* The calling thread writes one block, and calls back, while the others begin to decode the next,
 * in which it joins when it is done: the callbacks see one thread, what is fetched is fetched in
 * the order of the list, and the images are in that order for any number of threads. */
static enum tsr_status pack_all(struct packer *p, struct tsr_error *err) {
    enum tsr_status status = TSR_OK;
    struct block *done = &p->blocks[0], *next = &p->blocks[1];
    for (size_t first = 0; status == TSR_OK && (first < p->listing.n || done->n > 0);) {
        size_t left = p->listing.n - first, n = left < p->per_block ? left : p->per_block;
        *next = (struct block){.jobs = next->jobs, .first = first, .n = n};
        OMP(omp parallel num_threads((int)p->threads)) {
            OMP(omp master)
            status = write_block(p, done, err);
            OMP(omp for schedule(dynamic, 1) ordered)
            for (size_t i = 0; i < n; i++) {
                OMP(omp ordered)
                fetch(p, first + i, &next->jobs[i]);
                decode(p, first + i, &next->jobs[i]);
            }
        }
        first += n;
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
    void *memory;
    const struct tsr_pack_config *c = p->config;
    bool tiles = c->fit == TSR_FIT_TILE;
    p->threads = tsr_thread_count(c->threads);
    size_t labels = p->has_labels ? c->height * c->width * sizeof(uint16_t) : 0;
    p->per_block = block_size(p->threads, tiles ? SIZE_MAX : p->image_size + labels);
    TSR_TRY(tsr_alloc(&memory, tiles ? p->image_size : 1, 1, "tile", err));
    p->tile = memory;
    for (int b = 0; b < 2; b++) {
        TSR_TRY(tsr_alloc(&memory, p->per_block, sizeof(struct job), "images in work", err));
        p->blocks[b].jobs = memory;
        for (size_t i = 0; i < p->per_block && !tiles; i++) {
            TSR_TRY(tsr_alloc(&memory, p->image_size, 1, "images in work", err));
            p->blocks[b].jobs[i].pixels = memory;
        }
    }
    return TSR_OK;
}

static void free_packer(struct packer *p) {
    for (int b = 0; b < 2; b++) {
        for (size_t i = 0; p->blocks[b].jobs && i < p->per_block; i++) {
            tsr_image_clear(&p->blocks[b].jobs[i].whole);
            free(p->blocks[b].jobs[i].pixels);
            free(p->blocks[b].jobs[i].labels);
        }
        free(p->blocks[b].jobs);
    }
    free(p->tile);
    free(p->splits);
    free(p->names);
    tsr_label_reader_clear(&p->labels);
    tsr_listing_clear(&p->listing);
    tsr_h5_close(p->file);
}

static enum tsr_status write_attributes(const struct packer *p, struct tsr_error *err) {
    const struct tsr_pack_config *c = p->config;
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
    if (c->label_names)
        TSR_TRY(tsr_h5_write_attr_str(f, "/", "label_names_file", c->label_names, err));
    TSR_TRY(tsr_h5_write_attr_i64(f, "/", "limit", (int64_t)c->limit, err));
    TSR_TRY(tsr_h5_write_attr_i64(f, "/", "seed", (int64_t)c->seed, err));
    TSR_TRY(tsr_h5_write_attr_i64(f, "/", "sources", (int64_t)p->report->sources, err));
    return tsr_h5_write_attr_i64(f, "/", "skipped", (int64_t)p->report->skipped, err);
}

/* Label maps compress to a few percent, and faster than they are read: they always are. */
static enum tsr_status create_labels(struct packer *p, struct tsr_error *err) {
    const struct tsr_pack_config *c = p->config;
    const size_t dims[3] = {0, c->height, c->width};
    p->has_labels = c->labels || c->label_image;
    if (!p->has_labels) return TSR_OK;
    p->label_bound = c->label_image ? c->label_count : p->labels.bound;
    return tsr_h5_create_growing(p->file, "/labels", p->label_bound > 256 ? TSR_H5_U16 : TSR_H5_U8,
                                 3, dims, c->deflate ? c->deflate : 1, err);
}

static enum tsr_status finish_labels(struct packer *p, struct tsr_error *err) {
    const struct tsr_pack_config *c = p->config;
    const struct tsr_label_names *names = NULL;
    if (!p->has_labels) return TSR_OK;
    p->report->labels = p->label_bound;
    if (c->labels) {
        TSR_TRY(tsr_label_reader_names(&p->labels, p->largest, &names, err));
        p->report->labels = names->n;
    }
    TSR_TRY(tsr_h5_write_attr_str(p->file, "/labels", "rule",
                                  c->label_image ? c->label_rule : "labels", err));
    TSR_TRY(tsr_h5_write_attr_i64(p->file, "/labels", "count", (int64_t)p->report->labels, err));
    if (!names) return TSR_OK;
    if (p->labels.no_class >= 0)
        TSR_TRY(tsr_h5_write_attr_i64(p->file, "/labels", "void", p->labels.no_class, err));
    return tsr_h5_write_attr_strings(p->file, "/labels", "label_names", names->n,
                                     (const char *const *)names->names, err);
}

static enum tsr_status finish(struct packer *p, struct tsr_error *err) {
    size_t n = p->report->images;
    if (n == 0)
        return TSR_ERROR(err, TSR_ERR_NOT_FOUND,
                         "%s: nothing to write: all of the %zu files were unreadable or too small",
                         tsr_h5_path(p->file), p->report->sources);
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

/* Of tiles it is not known before how many there are. */
static enum tsr_status check_room(const struct packer *p, const char *output,
                                  struct tsr_error *err) {
    const struct tsr_pack_config *c = p->config;
    const struct tsr_notice notice = {p->callbacks ? p->callbacks->note : NULL,
                                      p->callbacks ? p->callbacks->user : NULL};
    char what[96];
    double values = (double)c->height * (double)c->width * (double)c->channels;
    if (c->fit == TSR_FIT_TILE) return TSR_OK;
    (void)snprintf(what, sizeof what, "%zu images of %zux%zux%zu", p->listing.n, c->height,
                   c->width, c->channels);
    return tsr_room_check(output, what, values * (double)p->listing.n, c->deflate > 0, &notice,
                          err);
}

enum tsr_status tsr_pack(const struct tsr_pack_config *config, const char *const *sources,
                         size_t n_sources, const char *output,
                         const struct tsr_pack_callbacks *callbacks, struct tsr_pack_report *report,
                         struct tsr_error *err) {
    enum tsr_status status;
    double start = tsr_seconds();
    struct tsr_pack_report unused;
    struct tsr_pack_config settled = *config;
    struct packer p = {
        .config = &settled, .callbacks = callbacks, .report = report ? report : &unused};
    *p.report = (struct tsr_pack_report){0};
    TSR_CHECK(tsr_pack_config_check(config, err));
    TSR_CHECK(
        tsr_pack_list(config, sources, n_sources, callbacks, &p.listing, &p.labels, p.report, err));
    TSR_CHECK(settle_size(&settled, &p.listing, err));
    p.report->height = settled.height;
    p.report->width = settled.width;
    p.report->channels = settled.channels;
    const size_t dims[4] = {0, settled.height, settled.width, settled.channels};
    TSR_CHECK(check_room(&p, output, err));
    TSR_CHECK(tsr_h5_create(output, &p.file, err));
    TSR_CHECK(tsr_h5_create_growing(p.file, "/images", TSR_H5_U8, 4, dims, config->deflate, err));
    TSR_CHECK(create_labels(&p, err));
    /* No overflow: HDF5 has just accepted it as a chunk, that is less than 2^32. */
    p.image_size = settled.height * settled.width * settled.channels;
    TSR_CHECK(allocate(&p, err));
    TSR_CHECK(pack_all(&p, err));
    TSR_CHECK(finish(&p, err));
done:
    free_packer(&p);
    p.report->seconds = tsr_seconds() - start;
    return status;
}
