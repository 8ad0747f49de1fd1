/* SPDX-License-Identifier: MIT
 *
 * Plain files: whole files into memory, files that appear whole or not at all, and one writer at a
 * time.
 *
 * The second are written under a temporary name beside their target:
 *
 *     TSR_TRY(tsr_temp_create("faces.h5", &temp, err));    // an empty file, ours alone
 *     ... write to tsr_temp_path(temp) ...
 *     status = tsr_temp_commit(temp, err);                 // fsync, mode and owner, rename
 *     tsr_temp_discard(temp);                              // removes it unless it was renamed
 *
 * Symbolic links are followed: what they lead to is replaced, they stay. A replaced file hands down
 * its mode, and as far as the system permits its owner, group, access list and user attributes; a
 * new one has what an ordinary open() gives it.
 *
 * A temporary file is locked for its life, and its name is a function of its target's: the next
 * writer of the target removes what a killed process left, and never what a living one has.
 *
 * Any thread, except where said.
 */
#ifndef TSR_DATA_FILE_H
#define TSR_DATA_FILE_H

#include <stdbool.h>

#include "base/status.h"

/* Reads a file of at most `limit` bytes: a regular one, or what is open already as /dev/stdin or
 * /dev/fd/N, a pipe too. The result has a terminating zero that is not counted; free with free().
 * Errors: TSR_ERR_IO (missing, unreadable), TSR_ERR_FORMAT (too large, not a regular file). */
TSR_API enum tsr_status tsr_file_read(const char *path, size_t limit, unsigned char **bytes,
                                      size_t *size, struct tsr_error *err) TSR_MUST_USE;

/* Reads [size] bytes of an open file from `at` on. `name` stands for the path. TSR_ERR_IO: it
 * fails, or the file ends before. */
TSR_API enum tsr_status tsr_file_read_at(int file, const char *name, uint64_t at, void *out,
                                         size_t size, struct tsr_error *err) TSR_MUST_USE;

/* Writes `size` bytes to an open file, however many calls that takes: 0, or the errno that ended
 * it.
 */
TSR_API int tsr_file_write(int file, const void *bytes, size_t size);

/* Writes `size` bytes to `path`, which afterwards holds all of them or what it held before. A pipe
 * or a device (/dev/null, /dev/stdout) is written to as it stands. */
TSR_API enum tsr_status tsr_file_replace(const char *path, const void *bytes, size_t size,
                                         struct tsr_error *err) TSR_MUST_USE;

/* The path that `path` leads to when links of its last component are followed; it need not exist.
 * Free with free(). Errors: TSR_ERR_IO (a loop of links; not the name of a file). */
TSR_API enum tsr_status tsr_file_target(const char *path, char **target,
                                        struct tsr_error *err) TSR_MUST_USE;

/* Is this a pipe, a device or what is open already, which is written to as it stands? */
TSR_API bool tsr_file_is_stream(const char *path);

/* ---- temporary files ------------------------------------------------------------------------- */

struct tsr_temp;

/* Creates an empty file in the folder of what `target` leads to, of a name that no other process or
 * thread has. A target that exists and is not a regular file is an error. */
TSR_API enum tsr_status tsr_temp_create(const char *target, struct tsr_temp **temp,
                                        struct tsr_error *err) TSR_MUST_USE;
/* Where it is. View. */
TSR_API const char *tsr_temp_path(const struct tsr_temp *temp);
/* Flushes it to the disk and renames it to the target. */
TSR_API enum tsr_status tsr_temp_commit(struct tsr_temp *temp, struct tsr_error *err) TSR_MUST_USE;
/* Removes the file if it still has its temporary name. Accepts NULL. */
TSR_API void tsr_temp_discard(struct tsr_temp *temp);

/* For a signal handler that is about to end the process: removes the temporary files that there are
 * and lets no further ones be made. Async-signal-safe. */
TSR_API void tsr_temp_abandon(void);

/* ---- one writer ------------------------------------------------------------------------------ */

struct tsr_file_lock;

/* Says that this process is about to write `path`, which need not exist, until tsr_file_unlock().
 * While another one says so it is TSR_ERR_IO: "PATH is being written by process N". Locks of one
 * process do not exclude each other.
 *
 * The lock is the kernel's, on the folder: it leaves nothing on the disk and goes with the process,
 * however that ends. It is not seen from other machines. Where the system has no such locks, or the
 * folder cannot be read, there is none and no error. */
TSR_API enum tsr_status tsr_file_lock(const char *path, struct tsr_file_lock **lock,
                                      struct tsr_error *err) TSR_MUST_USE;
/* Accepts NULL. */
TSR_API void tsr_file_unlock(struct tsr_file_lock *lock);

#endif
