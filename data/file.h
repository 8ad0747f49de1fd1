/* SPDX-License-Identifier: MIT
 *
 * Plain files: whole files into memory, and files that appear whole or not at all.
 *
 * The latter are written under a temporary name beside their target:
 *
 *     TSR_TRY(tsr_temp_create("faces.h5", &temp, err));    // an empty file, ours alone
 *     ... write to it ...
 *     status = tsr_temp_commit(temp, "faces.h5", err);     // fsync, rename
 *     tsr_temp_discard(temp);                              // removes it unless it was renamed
 */
#ifndef TSR_DATA_FILE_H
#define TSR_DATA_FILE_H

#include "base/status.h"

/* Reads a regular file of at most `limit` bytes. The result has a terminating zero that is not
 * counted; free with free(). Errors: TSR_ERR_IO (missing, unreadable), TSR_ERR_FORMAT (too large,
 * not a regular file). */
TSR_API enum tsr_status tsr_file_read(const char *path, size_t limit, unsigned char **bytes,
                                      size_t *size, struct tsr_error *err) TSR_MUST_USE;

/* Writes `size` bytes to `path`, which afterwards holds all of them or what it held before. */
TSR_API enum tsr_status tsr_file_replace(const char *path, const void *bytes, size_t size,
                                         struct tsr_error *err) TSR_MUST_USE;

/* Creates an empty file in the folder of `target`, of a name that no other process or thread has.
 * A target that exists and is not a regular file is an error. */
TSR_API enum tsr_status tsr_temp_create(const char *target, char **temp,
                                        struct tsr_error *err) TSR_MUST_USE;
/* Flushes it to the disk and renames it to the target. */
TSR_API enum tsr_status tsr_temp_commit(const char *temp, const char *target,
                                        struct tsr_error *err) TSR_MUST_USE;
/* Removes the file if it still has its temporary name; frees the name. Accepts NULL. */
TSR_API void tsr_temp_discard(char *temp);

#endif
