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

/* Tells how large `path` will be with `bytes` of `what` ("11000 images of 178x178x3") and how much
 * is free, if it is worth a word. `at_most`: they may take less (deflate). TSR_ERR_IO: what cannot
 * take less does not fit. */
enum tsr_status tsr_room_check(const char *path, const char *what, double bytes, bool at_most,
                               const struct tsr_notice *notice, struct tsr_error *err) TSR_MUST_USE;

#endif
