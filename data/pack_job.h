/* SPDX-License-Identifier: MIT
 *
 * One source on its way into a dataset: fetched, in the order of the list; decoded, in any thread;
 * handed out as the images that it becomes, in the order of the list again. Where several processes
 * share the work, one decodes and sends, and rank 0 receives. Internal to data/.
 */
#ifndef TSR_DATA_PACK_JOB_H
#define TSR_DATA_PACK_JOB_H

#include "base/comm.h"
#include "data/label_reader.h"
#include "data/listing.h"
#include "data/pack.h"

/* What the jobs of a run have in common. */
struct tsr_pack_work {
    const struct tsr_pack_config *config; /* with what was left open settled */
    struct tsr_listing listing;
    bool has_labels;
    struct tsr_label_reader labels; /* where there are label maps in files */
    size_t label_bound;             /* labels are below it */
    size_t image_size;              /* height * width * channels */
    uint8_t *tile;                  /* [image_size], and */
    uint16_t *map; /* [height, width]: room for one image that is cut or received, and its labels */
};

struct tsr_pack_job {
    enum tsr_status status;
    struct tsr_error err;
    struct tsr_fetched fetched, *maps; /* maps: [item->maps] files of its label map */
    char remark[sizeof((struct tsr_image *)0)->remark]; /* of the decoder; "": none */
    bool mostly_cut;                                    /* a crop keeps less than a quarter of it */
    uint64_t digest;                                    /* of its pixels; 0: config->keep_copies */
    size_t count;                                       /* images made of it */
    struct tsr_image whole; /* for tiles: they are cut when they are handed out */
    uint8_t *pixels;        /* [height, width, channels], else */

    uint16_t *labels;   /* [count, height, width], if there are any */
    size_t labels_room; /* for as many maps */
    uint16_t largest;   /* label */
    bool fatal;         /* it is the labels that failed */

    size_t from; /* the process that has its images */
};

/* The source of item i will be fetched: called for all that will, before the first. */
void tsr_pack_job_want(const struct tsr_pack_work *work, size_t i);
/* Both keep their failure in job->status. The first by one thread at a time, in the order of the
 * list. */
void tsr_pack_job_fetch(const struct tsr_pack_work *work, size_t i, struct tsr_pack_job *job);
void tsr_pack_job_decode(const struct tsr_pack_work *work, size_t i, struct tsr_pack_job *job);
/* Frees what it holds; the struct remains. */
void tsr_pack_job_clear(struct tsr_pack_job *job);

/* One image of a job. Views, until the next is taken. */
struct tsr_packed {
    const uint8_t *pixels;  /* [height, width, channels] */
    const uint16_t *labels; /* [height, width]; NULL: there are none */
};
/* Image k < job->count, each once, in their order: here, or from job->from. */
enum tsr_status tsr_pack_job_take(const struct tsr_pack_work *work, const struct tsr_comm *comm,
                                  const struct tsr_pack_job *job, size_t k, struct tsr_packed *out,
                                  struct tsr_error *err) TSR_MUST_USE;
/* Sends a job to rank 0: what is to be said of it, and its images. The other side is
 * tsr_pack_job_receive(), which makes `job` one of rank `from`, and tsr_pack_job_take() of each of
 * its images. An image that cannot be handed out is told, behind its place, by the error. */
enum tsr_status tsr_pack_job_send(const struct tsr_pack_work *work, const struct tsr_comm *comm,
                                  const struct tsr_pack_job *job,
                                  struct tsr_error *err) TSR_MUST_USE;
enum tsr_status tsr_pack_job_receive(const struct tsr_comm *comm, size_t from,
                                     struct tsr_pack_job *job, struct tsr_error *err) TSR_MUST_USE;

#endif
