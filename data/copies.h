/* SPDX-License-Identifier: MIT
 *
 * Pictures that a dataset would have more than once: what is tested must not have been learned.
 * Internal to data/.
 */
#ifndef TSR_DATA_COPIES_H
#define TSR_DATA_COPIES_H

#include "data/listing.h"

/* Two that are one. Views of the listing's strings; NULL: there are none. */
struct tsr_copies_example {
    const char *again, *first;
};

/* Leaves out what is another name of a file that is listed, too (a path given twice, a link, hard
 * or symbolic), and counts it. Of the names of one file that of the earliest split stays: test,
 * val, train, undecided; of these the first. */
enum tsr_status tsr_copies_of_files(struct tsr_listing *listing, size_t *n,
                                    struct tsr_copies_example *example,
                                    struct tsr_error *err) TSR_MUST_USE;

/* ---- of one content -------------------------------------------------------------------------- */

/* Of each picture: the images that were first made of it. */
struct tsr_copies_entry {
    uint64_t digest;
    uint32_t image, n; /* from `image` on; n 0: no entry */
    bool dealt;
    const char *path;
};
/* Images whose split is that of their picture. */
struct tsr_copies_follower {
    uint32_t image, n, first;
};
/* Zeros at first. */
struct tsr_copies {
    struct tsr_copies_entry *entries; /* [room], by their digests */
    size_t room, used;
    struct tsr_copies_follower *followers; /* [n_followers] */
    size_t n_followers;
    struct tsr_copies_example kept, left_out;
};

enum tsr_copies_verdict {
    TSR_COPIES_NEW,      /* no copy */
    TSR_COPIES_FOLLOWS,  /* a copy, of the split of the first */
    TSR_COPIES_LEFT_OUT, /* a copy that was given to another split than the first was */
    TSR_COPIES_TAKES /* such a one, whose split is the earlier: the first gets its split and name */
};

/* Takes up the n images from `image` on that are made of `item`, unless they are left out.
 * `splits` [image] are those of the images before. *first is the first image of the picture, if it
 * is a copy. Pictures are told apart by digests of 64 bits: of a million different ones two are
 * taken for one with a probability of 3e-8. */
enum tsr_status tsr_copies_add(struct tsr_copies *copies, const struct tsr_listed *item,
                               uint64_t digest, uint32_t image, uint32_t n, uint8_t *splits,
                               enum tsr_copies_verdict *verdict, uint32_t *first,
                               struct tsr_error *err) TSR_MUST_USE;
/* Gives the copies the splits of their pictures: splits of all images. */
void tsr_copies_settle(const struct tsr_copies *copies, uint8_t *splits);
void tsr_copies_clear(struct tsr_copies *copies);

#endif
