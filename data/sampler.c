/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "data/sampler.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"

/* One with the caller, one ready, one or two being filled: enough to hide the reading as long as it
 * is faster than the work on average. */
#define SLOTS 4
#define READERS_AT_MOST 16
#define PROCESSORS_TO_A_READER 2 /* of images that have to be inflated */

struct slot {
    uint8_t *pixels;  /* [part.n] images as tsr_dataset_read() gives them */
    uint16_t *labels; /* NULL: not asked for */
    uint32_t *index;
    size_t read; /* images that are there; guarded by the lock */
};

/* Images of the split that are best read together, a window of several groups at a time. */
struct groups {
    size_t images, n; /* images of the dataset to a group; 0: there are none. Groups in all */
    size_t to_window;
    uint32_t *rank;  /* [n], in the order of the epoch */
    uint32_t *drawn; /* [images of the split], their order without windows */
    size_t *next;    /* [windows], where in the order their next image comes */
};

struct tsr_sampler {
    struct tsr_dataset *dataset;
    const uint32_t *split; /* [n], view of the dataset's */
    size_t n, batch, image_bytes, area;
    struct tsr_span part; /* of each batch */
    uint64_t position;    /* in the stream of images, of the first batch */
    bool labels;
    uint64_t seed;
    struct slot slots[SLOTS];
    double waited; /* used by the caller's thread only */

    pthread_t readers[READERS_AT_MOST];
    size_t n_readers;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    uint64_t epoch; /* whose order `order` holds */
    bool ordered;
    uint32_t *order; /* [n] */
    struct groups groups;
    uint64_t assigned; /* images that readers have taken up */
    uint64_t filled;   /* batches put into the ring */
    uint64_t taken;    /* batches handed to the caller; the last of them is still in use */
    size_t reading;    /* readers that are at an image */
    bool stop, failed;
    uint64_t failed_at; /* which image, as `assigned` counts */
    struct tsr_error error;
};

/* ---- the readers ----------------------------------------------------------------------------- */

/* An image and its place in the ring. */
struct job {
    uint64_t number; /* as `assigned` counts */
    struct slot *slot;
    size_t i; /* of the batch */
};

/* Brings the images of a window together, as they were drawn: a counting sort. */
static void order_by_windows(struct tsr_sampler *s, uint64_t epoch) {
    struct groups *g = &s->groups;
    size_t windows = (g->n + g->to_window - 1) / g->to_window, at = 0;
    tsr_random_permutation(s->seed, epoch << 32 | TSR_STREAM_CHUNKS, g->n, g->rank);
    memcpy(g->drawn, s->order, s->n * sizeof *g->drawn);
    memset(g->next, 0, windows * sizeof *g->next);
    for (size_t i = 0; i < s->n; i++)
        g->next[g->rank[s->split[i] / g->images] / g->to_window]++;
    for (size_t w = 0; w < windows; w++) {
        size_t images = g->next[w];
        g->next[w] = at;
        at += images;
    }
    for (size_t i = 0; i < s->n; i++) {
        uint32_t image = g->drawn[i];
        s->order[g->next[g->rank[s->split[image] / g->images] / g->to_window]++] = image;
    }
}

static uint32_t image_at(struct tsr_sampler *s, uint64_t position) {
    uint64_t epoch = position / s->n;
    if (!s->ordered || epoch != s->epoch) {
        tsr_random_permutation(s->seed, epoch << 32 | TSR_STREAM_SHUFFLE, s->n, s->order);
        if (s->groups.images > 0) order_by_windows(s, epoch);
        s->epoch = epoch;
        s->ordered = true;
    }
    return s->split[s->order[position % s->n]];
}

/* Takes up the next image, once there is room for it; false: there will be none. Locked. */
static bool next_job(struct tsr_sampler *s, struct job *job) {
    while (!s->stop && !s->failed && s->assigned / s->part.n - s->taken >= SLOTS - 1)
        pthread_cond_wait(&s->changed, &s->lock);
    if (s->stop || s->failed) return false;
    job->number = s->assigned++;
    uint64_t batch = job->number / s->part.n;
    job->slot = &s->slots[batch % SLOTS];
    job->i = (size_t)(job->number % s->part.n);
    if (job->i == 0) job->slot->read = 0;
    job->slot->index[job->i] = image_at(s, s->position + batch * s->batch + s->part.first + job->i);
    s->reading++;
    return true;
}

static enum tsr_status read_image(struct tsr_sampler *s, const struct job *job,
                                  struct tsr_error *err) {
    uint32_t index = job->slot->index[job->i];
    TSR_TRY(tsr_dataset_read(s->dataset, index, job->slot->pixels + job->i * s->image_bytes, err));
    if (!s->labels) return TSR_OK;
    return tsr_dataset_read_labels(s->dataset, index, job->slot->labels + job->i * s->area, err);
}

/* Batches are complete in their order, whoever read what. Of several errors the first image's is
 * kept: all before it have been taken up, and will be there. Locked. */
static void end_job(struct tsr_sampler *s, const struct job *job, enum tsr_status status,
                    const struct tsr_error *err) {
    s->reading--;
    if (status == TSR_OK) {
        job->slot->read++;
    } else if (!s->failed || job->number < s->failed_at) {
        s->failed = true;
        s->failed_at = job->number;
        s->error = *err;
    }
    while (s->filled < s->assigned / s->part.n && s->slots[s->filled % SLOTS].read == s->part.n)
        s->filled++;
    pthread_cond_broadcast(&s->changed);
}

static void *read_ahead(void *data) {
    struct tsr_sampler *s = data;
    struct job job;
    pthread_mutex_lock(&s->lock);
    while (next_job(s, &job)) {
        struct tsr_error err = {0};
        pthread_mutex_unlock(&s->lock);
        enum tsr_status status = read_image(s, &job, &err);
        pthread_mutex_lock(&s->lock);
        end_job(s, &job, status, &err);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

/* HDF5 admits one thread at a time, but what is slow about a deflated image is not HDF5's. */
static size_t count_readers(const struct tsr_dataset *dataset) {
    size_t n = 1;
    if (tsr_dataset_deflated(dataset)) n += tsr_thread_count(0) / PROCESSORS_TO_A_READER;
    return n < READERS_AT_MOST ? n : READERS_AT_MOST;
}

/* Signals are for the thread that knows what to do with them. Zero if there is a reader; some of
 * several may be missing. */
static int start_readers(struct tsr_sampler *s) {
    sigset_t all, old;
    int result = 0;
    size_t wanted = count_readers(s->dataset);
    sigfillset(&all);
    int masked = pthread_sigmask(SIG_SETMASK, &all, &old);
    while (s->n_readers < wanted && result == 0) {
        result = pthread_create(&s->readers[s->n_readers], NULL, read_ahead, s);
        s->n_readers += result == 0;
    }
    if (masked == 0) (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return s->n_readers > 0 ? 0 : result;
}

/* ---- the caller's thread --------------------------------------------------------------------- */

static enum tsr_status check(const struct tsr_sampler *s, enum tsr_split split,
                             uint64_t first_batch, struct tsr_error *err) {
    uint64_t position;
    const char *path = tsr_dataset_path(s->dataset);
    if (s->batch < 1) return TSR_ERROR(err, TSR_ERR_CONFIG, "the batch is 0; it is at least 1");
    if (s->part.n < 1 || s->part.n > s->batch || s->part.first > s->batch - s->part.n)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "%zu images from %zu on are no part of a batch of %zu", s->part.n,
                         s->part.first, s->batch);
    if (s->n < 1)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "%s: has no image in the split \"%s\"", path,
                         tsr_split_name(split));
    if (s->labels && !tsr_dataset_has_labels(s->dataset))
        return TSR_ERROR(err, TSR_ERR_CONFIG, "%s: has no label maps (/labels [N,H,W])", path);
    if (__builtin_mul_overflow(first_batch, s->batch, &position) || position > UINT64_MAX / 2)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "cannot start at batch %llu of %zu images",
                         (unsigned long long)first_batch, s->batch);
    return TSR_OK;
}

static enum tsr_status allocate_groups(struct tsr_sampler *s, struct tsr_error *err) {
    struct groups *g = &s->groups;
    g->images = tsr_dataset_group(s->dataset, &g->to_window);
    if (g->images == 0) return TSR_OK;
    g->n = (tsr_dataset_images(s->dataset) + g->images - 1) / g->images;
    TSR_TRY(TSR_ALLOC(&g->rank, g->n, "order of the images", err));
    TSR_TRY(TSR_ALLOC(&g->drawn, s->n, "order of the images", err));
    return TSR_ALLOC(&g->next, g->n / g->to_window + 1, "order of the images", err);
}

static enum tsr_status allocate(struct tsr_sampler *s, struct tsr_error *err) {
    void *memory;
    size_t size;
    TSR_TRY(tsr_alloc(&memory, s->n, sizeof *s->order, "order of the images", err));
    s->order = memory;
    TSR_TRY(allocate_groups(s, err));
    if (__builtin_mul_overflow(s->image_bytes, s->part.n, &size)) size = SIZE_MAX;
    for (size_t i = 0; i < SLOTS; i++) {
        TSR_TRY(tsr_alloc(&memory, size, 1, "batch of images", err));
        s->slots[i].pixels = memory;
        if (s->labels) {
            TSR_TRY(tsr_alloc(&memory, s->part.n, s->area * sizeof *s->slots[i].labels,
                              "batch of label maps", err));
            s->slots[i].labels = memory;
        }
        TSR_TRY(tsr_alloc(&memory, s->part.n, sizeof *s->slots[i].index, "batch of images", err));
        s->slots[i].index = memory;
    }
    return TSR_OK;
}

enum tsr_status tsr_sampler_create(struct tsr_dataset *dataset, enum tsr_split split, size_t batch,
                                   const struct tsr_span *part, uint64_t seed, uint64_t first_batch,
                                   bool labels, struct tsr_sampler **out, struct tsr_error *err) {
    enum tsr_status status;
    void *memory;
    *out = NULL;
    TSR_TRY(tsr_alloc(&memory, 1, sizeof **out, "sampler", err));
    struct tsr_sampler *s = memory;
    s->dataset = dataset;
    s->split = tsr_dataset_split(dataset, split, &s->n);
    s->batch = batch;
    s->part = part ? *part : (struct tsr_span){0, batch};
    s->area = tsr_dataset_height(dataset) * tsr_dataset_width(dataset);
    s->image_bytes = s->area * tsr_dataset_channels(dataset) * tsr_dataset_value_size(dataset);
    s->labels = labels;
    s->seed = seed;
    s->position = first_batch * batch;  /* checked next */
    pthread_mutex_init(&s->lock, NULL); /* with default attributes these two cannot fail */
    pthread_cond_init(&s->changed, NULL);
    TSR_CHECK(check(s, split, first_batch, err));
    TSR_CHECK(allocate(s, err));
    int result = start_readers(s);
    if (result != 0) {
        status = TSR_ERROR(err, TSR_ERR_NO_MEMORY, "cannot start a thread for reading: %s",
                           strerror(result));
        goto done;
    }
    *out = s;
    s = NULL;
done:
    tsr_sampler_free(s);
    return status;
}

/* Will there be another batch? Locked. */
static bool may_fill(const struct tsr_sampler *s) {
    return !s->failed || s->reading > 0;
}

enum tsr_status tsr_sampler_next(struct tsr_sampler *s, struct tsr_image_batch *out,
                                 struct tsr_error *err) {
    enum tsr_status status = TSR_OK;
    pthread_mutex_lock(&s->lock);
    if (s->filled == s->taken && may_fill(s)) {
        double start = tsr_seconds();
        while (s->filled == s->taken && may_fill(s))
            pthread_cond_wait(&s->changed, &s->lock);
        s->waited += tsr_seconds() - start;
    }
    if (s->filled == s->taken) {
        status = s->error.status;
        if (err) *err = s->error;
    } else {
        const struct slot *slot = &s->slots[s->taken % SLOTS];
        *out = (struct tsr_image_batch){.n = s->part.n,
                                        .height = tsr_dataset_height(s->dataset),
                                        .width = tsr_dataset_width(s->dataset),
                                        .channels = tsr_dataset_channels(s->dataset),
                                        .pixels = tsr_dataset_pixels(s->dataset, slot->pixels),
                                        .labels = slot->labels,
                                        .index = slot->index};
        s->taken++;
        pthread_cond_broadcast(&s->changed);
    }
    pthread_mutex_unlock(&s->lock);
    return status;
}

double tsr_sampler_waited(const struct tsr_sampler *sampler) {
    return sampler->waited;
}

void tsr_sampler_free(struct tsr_sampler *s) {
    if (!s) return;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < s->n_readers; i++)
        (void)pthread_join(s->readers[i], NULL);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    for (size_t i = 0; i < SLOTS; i++) {
        free(s->slots[i].pixels);
        free(s->slots[i].labels);
        free(s->slots[i].index);
    }
    free(s->order);
    free(s->groups.rank);
    free(s->groups.drawn);
    free(s->groups.next);
    free(s);
}
