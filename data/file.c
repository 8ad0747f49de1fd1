/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "data/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"

static enum tsr_status read_all(int fd, const char *path, size_t size, unsigned char *bytes,
                                struct tsr_error *err) {
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
    return TSR_OK;
}

enum tsr_status tsr_file_read(const char *path, size_t limit, unsigned char **bytes, size_t *size,
                              struct tsr_error *err) {
    enum tsr_status status = TSR_OK;
    void *memory = NULL;
    struct stat info;
    *bytes = NULL;
    *size = 0;

    /* O_NONBLOCK: opening a named pipe must not wait for a writer. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &info) != 0) {
        status = TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
        goto done;
    }
    if (!S_ISREG(info.st_mode)) {
        status = TSR_ERROR(err, TSR_ERR_FORMAT, "%s: is not a regular file", path);
        goto done;
    }
    if ((uintmax_t)info.st_size > limit) {
        status = TSR_ERROR(err, TSR_ERR_FORMAT, "%s: has %ju bytes; at most %zu are read", path,
                           (uintmax_t)info.st_size, limit);
        goto done;
    }
    size_t n = (size_t)info.st_size;
    memory = malloc(n + 1);
    if (!memory) {
        status = TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: cannot allocate %zu bytes", path, n + 1);
        goto done;
    }
    TSR_CHECK(read_all(fd, path, n, memory, err));
    *bytes = memory;
    bytes[0][n] = 0;
    *size = n;
    memory = NULL;
done:
    free(memory);
    if (fd >= 0) (void)close(fd); /* nothing was written: nothing can be lost */
    return status;
}

static const char *base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static enum tsr_status check_target(const char *target, struct tsr_error *err) {
    struct stat info;
    if (*base_name(target) == 0)
        return TSR_ERROR(err, TSR_ERR_IO, "\"%s\" does not name a file", target);
    if (stat(target, &info) == 0 && !S_ISREG(info.st_mode))
        return TSR_ERROR(err, TSR_ERR_IO, "%s: exists and is not a regular file", target);
    return TSR_OK;
}

enum tsr_status tsr_temp_create(const char *target, char **temp, struct tsr_error *err) {
    static atomic_uint counter;
    *temp = NULL;
    TSR_TRY(check_target(target, err));

    /* The name does not grow with the target's, which may be as long as the system allows. */
    size_t folder = (size_t)(base_name(target) - target), size = folder + 64;
    void *memory;
    TSR_TRY(tsr_alloc(&memory, size, 1, "temporary file name", err));
    char *name = memory;
    int fd = -1;
    /* A name can be taken by what a killed process of the same number left behind. */
    for (int attempt = 0; attempt < 1000 && fd < 0; attempt++) {
        (void)snprintf(name, size, "%.*s.tessera-%ld-%u.tmp", (int)folder, target, (long)getpid(),
                       atomic_fetch_add(&counter, 1));
        fd = open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd < 0 && errno != EEXIST) break;
    }
    if (fd < 0 || close(fd) != 0) {
        enum tsr_status status = TSR_ERROR(err, TSR_ERR_IO, "%s: cannot create a file there: %s",
                                           target, strerror(errno));
        free(name);
        return status;
    }
    *temp = name;
    return TSR_OK;
}

/* Makes a rename in the folder of `path` durable. Not every file system can; the file is complete
 * under its name already. */
static void sync_folder(const char *path) {
    size_t n = (size_t)(base_name(path) - path);
    char *folder = malloc(n + 2);
    if (!folder) return;
    memcpy(folder, path, n);
    memcpy(folder + n, ".", 2);
    int fd = open(folder, O_RDONLY | O_CLOEXEC);
    free(folder);
    if (fd < 0) return;
    (void)fsync(fd);
    (void)close(fd);
}

enum tsr_status tsr_temp_commit(const char *temp, const char *target, struct tsr_error *err) {
    int fd = open(temp, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return TSR_ERROR(err, TSR_ERR_IO, "%s: its temporary file %s is gone: %s", target, temp,
                         strerror(errno));
    int failed = fsync(fd) != 0 ? errno : 0;
    if (close(fd) != 0 && !failed) failed = errno;
    if (failed)
        return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be flushed to the disk: %s", target,
                         strerror(failed));
    if (rename(temp, target) != 0)
        return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be put in place: %s", target,
                         strerror(errno));
    sync_folder(target);
    return TSR_OK;
}

void tsr_temp_discard(char *temp) {
    if (!temp) return;
    (void)unlink(temp); /* fails with ENOENT after a commit */
    free(temp);
}

static enum tsr_status write_all(const char *temp, const char *path, const char *bytes, size_t size,
                                 struct tsr_error *err) {
    int failed = 0, fd = open(temp, O_WRONLY | O_CLOEXEC);
    if (fd < 0) failed = errno;
    for (size_t at = 0; at < size && !failed;) {
        ssize_t put = write(fd, bytes + at, size - at);
        if (put >= 0)
            at += (size_t)put;
        else if (errno != EINTR)
            failed = errno;
    }
    if (fd >= 0 && close(fd) != 0 && !failed) failed = errno;
    if (failed)
        return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be written: %s", path, strerror(failed));
    return TSR_OK;
}

enum tsr_status tsr_file_replace(const char *path, const void *bytes, size_t size,
                                 struct tsr_error *err) {
    char *temp;
    TSR_TRY(tsr_temp_create(path, &temp, err));
    enum tsr_status status = write_all(temp, path, bytes, size, err);
    if (status == TSR_OK) status = tsr_temp_commit(temp, path, err);
    tsr_temp_discard(temp);
    return status;
}
