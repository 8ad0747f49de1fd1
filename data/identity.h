/* SPDX-License-Identifier: MIT
 *
 * Is this the dataset of that run? What of a dataset decides what is learned from it, in numbers
 * small enough to keep in a checkpoint (docs/formats.md, /dataset).
 */
#ifndef TSR_DATA_IDENTITY_H
#define TSR_DATA_IDENTITY_H

#include "base/setting.h"
#include "data/dataset.h"

/* Digests are FNV-1a of 64 bits. Where the dataset lies and how it is stored do not matter. */
struct tsr_identity {
    uint64_t images, height, width, channels;
    uint64_t value_bytes;                  /* 1, or 4 for floats */
    uint64_t train, val, test;             /* images of the splits */
    uint64_t labels;                       /* count; 0: no label maps */
    uint64_t split_digest, names_digest;   /* of all images */
    uint64_t pixels_digest, labels_digest; /* of some images, spread over all; 0: no label maps */
    struct tsr_deal deal; /* how the splits came about where the dataset has none; not compared */
};

/* Reads all names and up to TSR_IDENTITY_SAMPLE images with their label maps, fewer of large ones:
 * tens of milliseconds, a tenth of a second with a million names. Afterwards tsr_dataset_name()
 * only looks up. Errors: what reading gives; names that cannot be read for want of memory are not
 * taken for none. */
#define TSR_IDENTITY_SAMPLE 32
TSR_API enum tsr_status tsr_identity_of(struct tsr_dataset *dataset, struct tsr_identity *out,
                                        struct tsr_error *err) TSR_MUST_USE;

/* The group `dataset` of files. An fn that only reads does not change *identity. */
TSR_API enum tsr_status tsr_identity_visit(struct tsr_identity *identity, tsr_setting_fn fn,
                                           void *user, struct tsr_error *err);

/* Of the same group, where splits were dealt. */
TSR_API enum tsr_status tsr_deal_visit(struct tsr_deal *deal, tsr_setting_fn fn, void *user,
                                       struct tsr_error *err);

/* Are they the same? If not, `text` [size] says what differs, with both values, `then` first. */
TSR_API bool tsr_identity_equal(const struct tsr_identity *then, const struct tsr_identity *now,
                                char *text, size_t size);

#endif
