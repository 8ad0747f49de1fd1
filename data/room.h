/* SPDX-License-Identifier: MIT
 *
 * Whether what is to be written fits. Internal to data/.
 */
#ifndef TSR_DATA_ROOM_H
#define TSR_DATA_ROOM_H

#include <stdbool.h>

#include "data/notice.h"

/* Of the file system that the file `path` is to be written to: bytes free for this user. 0: it is
 * not known. */
uint64_t tsr_room_for(const char *path);

/* Below this, in bytes, nobody asks. */
#define TSR_ROOM_WORTH_A_WORD 1e8

struct tsr_room_need {
    const char *what; /* "11000 images of 178x178x3" */
    double bytes;
    bool exact;      /* else they are an estimate, and what does not fit is tried */
    double deflated; /* the part of the bytes that deflating would leave; 0: not known, or done */
};

/* Tells how large `path` will be and how much is free, if it is worth a word, and whether deflating
 * would help. TSR_ERR_IO: what is known to need more does not fit. */
enum tsr_status tsr_room_check(const char *path, const struct tsr_room_need *need,
                               const struct tsr_notice *notice, struct tsr_error *err) TSR_MUST_USE;

#endif
