/* SPDX-License-Identifier: MIT
 *
 * Has a file that is being read been replaced or written to meanwhile?
 */
#ifndef TSR_DATA_FILE_MARK_H
#define TSR_DATA_FILE_MARK_H

#include "base/status.h"

/* What the system says of a file; sizes in bytes, times in seconds and nanoseconds. */
struct tsr_file_mark {
    uint64_t device, inode, size;
    int64_t seconds, nanoseconds; /* of the last write */
};

/* TSR_ERR_IO: there is no such file, or it cannot be looked at. */
TSR_API enum tsr_status tsr_file_mark_take(const char *path, struct tsr_file_mark *out,
                                           struct tsr_error *err) TSR_MUST_USE;

/* TSR_OK if the path still leads to the file of the mark, of the same size and last write;
 * otherwise TSR_ERR_IO, and the message says what happened to it. One system call. */
TSR_API enum tsr_status tsr_file_mark_check(const char *path, const struct tsr_file_mark *mark,
                                            struct tsr_error *err) TSR_MUST_USE;

#endif
