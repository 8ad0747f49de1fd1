/* SPDX-License-Identifier: MIT
 *
 * Meta-batches of images, read ahead by an I/O thread; deflated ones by several where there are
 * many processors.
 *
 * The stream of images is the concatenation of epochs; epoch e is the split in the random order
 * given by (seed, stream TSR_STREAM_SHUFFLE, e). Of a file whose chunks hold many images
 * (tsr_dataset_group()) those of a few chunks, drawn at random from (seed, stream
 * TSR_STREAM_CHUNKS, e), come together, in that order among themselves: as many chunks as stay in
 * memory, each of which is then read and inflated once an epoch. Batch b holds the images b*batch
 * .. b*batch+batch-1 of the stream, so that a position is a number, and a sampler started at b
 * yields what an uninterrupted one would.
 */
#ifndef TSR_DATA_SAMPLER_H
#define TSR_DATA_SAMPLER_H

#include "base/comm.h"
#include "data/dataset.h"

struct tsr_sampler;

struct tsr_image_batch {
    size_t n; /* images: the batch, or the part of it that was asked for */
    size_t height, width, channels;
    struct tsr_pixels pixels; /* [n, height, width, channels]; until the next tsr_sampler_next() */
    const uint16_t *labels;   /* [n, height, width], likewise; NULL: not asked for */
    const uint32_t *index;    /* [n] index of each in the dataset */
};

/* Starts reading ahead (a few batches, a bound that does not depend on the dataset). `part`: of
 * each batch only these images are read and given, at least one; NULL: all. `labels`: the label
 * maps too. The dataset is kept: until tsr_sampler_free() nobody else may use it. Errors:
 * TSR_ERR_CONFIG for batch 0, an empty split, or label maps that the dataset does not have. */
TSR_API enum tsr_status tsr_sampler_create(struct tsr_dataset *dataset, enum tsr_split split,
                                           size_t batch, const struct tsr_span *part, uint64_t seed,
                                           uint64_t first_batch, bool labels,
                                           struct tsr_sampler **out,
                                           struct tsr_error *err) TSR_MUST_USE;

/* The next batch; waits only if reading is behind. An error of an I/O thread is returned here, in
 * the place of the batch that has the image. */
TSR_API enum tsr_status tsr_sampler_next(struct tsr_sampler *sampler, struct tsr_image_batch *out,
                                         struct tsr_error *err) TSR_MUST_USE;

/* Seconds that tsr_sampler_next() has spent waiting. */
TSR_API double tsr_sampler_waited(const struct tsr_sampler *sampler);

/* Stops and joins the I/O thread. Accepts NULL. */
TSR_API void tsr_sampler_free(struct tsr_sampler *sampler);

#endif
