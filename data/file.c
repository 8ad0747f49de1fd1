/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "data/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "data/file_name.h"

/* ---- reading --------------------------------------------------------------------------------- */

enum tsr_status tsr_file_read_at(int file, const char *name, uint64_t at, void *out, size_t size,
                                 struct tsr_error *err) {
    unsigned char *to = out;
    while (size > 0) {
        ssize_t got = pread(file, to, size, (off_t)at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0)
            return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be read: %s", name,
                             got < 0 ? strerror(errno) : "it has become shorter");
        to += got;
        at += (uint64_t)got;
        size -= (size_t)got;
    }
    return TSR_OK;
}

/* Reads a file that tells its size. */
static enum tsr_status read_all(int fd, const char *path, size_t size, unsigned char **out,
                                struct tsr_error *err) {
    unsigned char *bytes = malloc(size + 1);
    if (!bytes)
        return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: cannot allocate %zu bytes", path, size + 1);
    *out = bytes;
    for (size_t at = 0; at < size;) {
        ssize_t got = read(fd, bytes + at, size - at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
        if (got == 0)
            return TSR_ERROR(err, TSR_ERR_IO, "%s: ended after %zu of %zu bytes while it was read",
                             path, at, size);
        at += (size_t)got;
    }
    bytes[size] = 0;
    return TSR_OK;
}

/* Reads a pipe to its end. */
static enum tsr_status read_stream(int fd, const char *path, size_t limit, unsigned char **out,
                                   size_t *size, struct tsr_error *err) {
    size_t capacity = 0;
    for (;;) {
        if (capacity - *size < 2) {
            capacity = capacity ? 2 * capacity : (size_t)1 << 16;
            unsigned char *grown = realloc(*out, capacity);
            if (!grown)
                return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: cannot allocate %zu bytes", path,
                                 capacity);
            *out = grown;
        }
        ssize_t got = read(fd, *out + *size, capacity - *size - 1);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0)
            return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
        if (got == 0) break;
        *size += (size_t)got;
        if (*size > limit)
            return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: has more bytes than the %zu that are read",
                             path, limit);
    }
    (*out)[*size] = 0;
    return TSR_OK;
}

enum tsr_status tsr_file_read(const char *path, size_t limit, unsigned char **bytes, size_t *size,
                              struct tsr_error *err) {
    enum tsr_status status = TSR_OK;
    unsigned char *memory = NULL;
    struct stat info;
    *bytes = NULL;
    *size = 0;

    /* O_NONBLOCK: opening a named pipe must not wait for a writer. */
    int open_one = tsr_path_descriptor(path);
    int fd = open_one >= 0 ? dup(open_one) : open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &info) != 0) {
        status = TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
        goto done;
    }
    if (!S_ISREG(info.st_mode) && (open_one < 0 || S_ISDIR(info.st_mode))) {
        status = TSR_ERROR(err, TSR_ERR_FORMAT, "%s: is not a regular file", path);
        goto done;
    }
    if (open_one >= 0) {
        TSR_CHECK(read_stream(fd, path, limit, &memory, size, err));
    } else {
        if ((uintmax_t)info.st_size > limit) {
            status = TSR_ERROR(err, TSR_ERR_FORMAT, "%s: has %ju bytes; at most %zu are read", path,
                               (uintmax_t)info.st_size, limit);
            goto done;
        }
        TSR_CHECK(read_all(fd, path, (size_t)info.st_size, &memory, err));
        *size = (size_t)info.st_size;
    }
    *bytes = memory;
    memory = NULL;
done:
    if (!*bytes) *size = 0;
    free(memory);
    if (fd >= 0) (void)close(fd); /* nothing was written: nothing can be lost */
    return status;
}

/* ---- writing --------------------------------------------------------------------------------- */

int tsr_file_write(int file, const void *bytes, size_t size) {
    for (size_t at = 0; at < size;) {
        ssize_t put = write(file, (const char *)bytes + at, size - at);
        if (put < 0 && errno != EINTR) return errno;
        if (put > 0) at += (size_t)put;
    }
    return 0;
}

/* Writes to the descriptor and closes it; `path` is for messages. */
static enum tsr_status write_and_close(int fd, const char *path, const void *bytes, size_t size,
                                       struct tsr_error *err) {
    int failed = fd < 0 ? errno : tsr_file_write(fd, bytes, size);
    if (fd >= 0 && close(fd) != 0 && !failed) failed = errno;
    if (failed)
        return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be written: %s", path, strerror(failed));
    return TSR_OK;
}

bool tsr_file_is_stream(const char *path) {
    struct stat info;
    return tsr_path_descriptor(path) >= 0 ||
           (stat(path, &info) == 0 && (S_ISFIFO(info.st_mode) || S_ISCHR(info.st_mode)));
}

enum tsr_status tsr_file_replace(const char *path, const void *bytes, size_t size,
                                 struct tsr_error *err) {
    struct tsr_temp *temp;
    if (tsr_file_is_stream(path)) {
        int open_one = tsr_path_descriptor(path);
        int fd = open_one >= 0 ? dup(open_one) : open(path, O_WRONLY | O_CLOEXEC);
        return write_and_close(fd, path, bytes, size, err);
    }
    TSR_TRY(tsr_temp_create(path, &temp, err));
    int fd = open(tsr_temp_path(temp), O_WRONLY | O_CLOEXEC);
    enum tsr_status status = write_and_close(fd, path, bytes, size, err);
    if (status == TSR_OK) status = tsr_temp_commit(temp, err);
    tsr_temp_discard(temp);
    return status;
}
