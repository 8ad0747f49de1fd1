/* SPDX-License-Identifier: MIT
 *
 * One source on its way into a dataset: fetched, in the order of the list; decoded, in any thread;
 * handed out as the images that it becomes, in the order of the list again. Where several processes
 * share the work, one decodes and sends, and rank 0 receives. Internal to data/.
 */
#ifndef TSR_DATA_PACK_JOB_H
#define TSR_DATA_PACK_JOB_H

#include "base/comm.h"
#include "data/h5.h"
#include "data/label_reader.h"
#include "data/listing.h"
#include "data/pack.h"

/* One image of the dataset, and its label map, as the file holds them. */
struct tsr_packed {
    struct tsr_h5_item image, labels;
};

/* What the jobs of a run have in common. */
struct tsr_pack_work {
    const struct tsr_pack_config *config; /* with what was left open settled */
    struct tsr_listing listing;
    bool has_labels;
    struct tsr_label_reader labels; /* where there are label maps in files */
    size_t label_bound;             /* labels are below it */
    enum tsr_h5_type label_type;    /* as they are stored, */
    int label_deflate;              /* deflated so */
    size_t image_size;              /* height * width * channels */
    /* Of each thread, room for the values of an image and of its labels. */
    struct tsr_pack_room {
        uint8_t *pixels; /* [image_size] */
        uint16_t *map;   /* [height, width]; NULL: no labels */
    } * rooms;           /* [threads] */
    size_t threads;
    struct tsr_packed received; /* from another process */
};

struct tsr_pack_job {
    enum tsr_status status;
    struct tsr_error err;
    struct tsr_fetched fetched, *maps; /* maps: [item->maps] files of its label map */
    char remark[sizeof((struct tsr_image *)0)->remark]; /* of the decoder; "": none */
    bool mostly_cut;                                    /* a crop keeps less than a quarter of it */
    uint64_t digest;                                    /* of its pixels; 0: config->keep_copies */

    size_t count, room;        /* images made of it, and their places */
    struct tsr_packed *images; /* [room] */
    uint16_t largest;          /* label */
    bool fatal;                /* it is the labels that failed */

    size_t from; /* the process that has its images */
};

/* Room for `threads` threads, and its end. */
enum tsr_status tsr_pack_work_open(struct tsr_pack_work *work, size_t threads,
                                   struct tsr_error *err) TSR_MUST_USE;
void tsr_pack_work_clear(struct tsr_pack_work *work);

/* The source of item i will be fetched: called for all that will, before the first. */
void tsr_pack_job_want(const struct tsr_pack_work *work, size_t i);
/* Both keep their failure in job->status. The first by one thread at a time, in the order of the
 * list. */
void tsr_pack_job_fetch(const struct tsr_pack_work *work, size_t i, struct tsr_pack_job *job);
void tsr_pack_job_decode(const struct tsr_pack_work *work, size_t i, struct tsr_pack_job *job);
/* Frees what it holds. */
void tsr_pack_job_clear(struct tsr_pack_job *job);

/* Image k < job->count, each once, in their order: here, or from job->from. A view, until the next
 * is taken. */
enum tsr_status tsr_pack_job_take(struct tsr_pack_work *work, const struct tsr_comm *comm,
                                  const struct tsr_pack_job *job, size_t k,
                                  const struct tsr_packed **out,
                                  struct tsr_error *err) TSR_MUST_USE;
/* Sends a job to rank 0: what is to be said of it, and its images. The other side is
 * tsr_pack_job_receive(), which makes `job` one of rank `from`, and tsr_pack_job_take() of each of
 * its images. */
enum tsr_status tsr_pack_job_send(const struct tsr_pack_work *work, const struct tsr_comm *comm,
                                  const struct tsr_pack_job *job,
                                  struct tsr_error *err) TSR_MUST_USE;
enum tsr_status tsr_pack_job_receive(const struct tsr_comm *comm, size_t from,
                                     struct tsr_pack_job *job, struct tsr_error *err) TSR_MUST_USE;

#endif
