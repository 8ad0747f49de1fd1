/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE
#include "data/h5_driver.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#if H5_VERSION_GE(1, 14, 0)
#include <H5FDdevelop.h>
#endif

struct settings {
    int *error;
    struct tsr_h5_memory *memory; /* NULL: a file on disk */
};

struct file {
    H5FD_t base; /* first, as HDF5 asks */
    bool writing;
    int fd; /* -1: in memory */
    int *error;
    struct tsr_h5_memory *memory;
    haddr_t end_allocated, end_written;
};

static void keep(struct file *file, int error) {
    if (*file->error == 0) *file->error = error ? error : EIO;
}

static H5FD_t *driver_open(const char *name, unsigned flags, hid_t access, haddr_t most) {
    (void)most;
    const struct settings *settings = H5Pget_driver_info(access);
    if (!settings) return NULL;
    struct file *file = calloc(1, sizeof *file);
    if (!file) {
        *settings->error = ENOMEM;
        return NULL;
    }
    file->error = settings->error;
    file->memory = settings->memory;
    file->fd = -1;
    if (file->memory) {
        file->end_written = file->memory->size;
        return &file->base;
    }
    file->writing = (flags & H5F_ACC_RDWR) != 0;
    file->fd = open(name, (file->writing ? O_RDWR : O_RDONLY) | O_CLOEXEC |
                              (flags & H5F_ACC_TRUNC ? O_TRUNC : 0));
    struct stat info;
    if (file->fd >= 0 && fstat(file->fd, &info) == 0) {
        file->end_written = (haddr_t)info.st_size;
        return &file->base;
    }
    keep(file, errno);
    if (file->fd >= 0) (void)close(file->fd);
    free(file);
    return NULL;
}

static herr_t driver_close(H5FD_t *base) {
    struct file *file = (struct file *)base;
    if (file->fd >= 0 && close(file->fd) != 0) keep(file, errno);
    free(file);
    return 0;
}

static herr_t driver_query(const H5FD_t *base, unsigned long *flags) {
    (void)base;
    *flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE |
             H5FD_FEAT_AGGREGATE_SMALLDATA;
    return 0;
}

static haddr_t driver_get_eoa(const H5FD_t *base, H5FD_mem_t type) {
    (void)type;
    return ((const struct file *)base)->end_allocated;
}

static herr_t driver_set_eoa(H5FD_t *base, H5FD_mem_t type, haddr_t end) {
    (void)type;
    ((struct file *)base)->end_allocated = end;
    return 0;
}

static haddr_t driver_get_eof(const H5FD_t *base, H5FD_mem_t type) {
    (void)type;
    return ((const struct file *)base)->end_written;
}

/* What of `size` bytes from `at` on there is in memory. */
static size_t there(const struct tsr_h5_memory *memory, haddr_t at, size_t size) {
    if (at >= memory->size) return 0;
    return size < memory->size - at ? size : (size_t)(memory->size - at);
}

/* Makes the memory at least `size` bytes, the new ones 0. */
static bool grow(struct tsr_h5_memory *memory, size_t size) {
    if (size <= memory->size) return true;
    if (size > memory->capacity) {
        size_t capacity = size > SIZE_MAX / 2 ? size : 2 * size;
        unsigned char *bytes = realloc(memory->bytes, capacity);
        if (!bytes) return false;
        memory->bytes = bytes;
        memory->capacity = capacity;
    }
    memset(memory->bytes + memory->size, 0, size - memory->size);
    memory->size = size;
    return true;
}

/* What was never written reads as zeros. */
static herr_t driver_read(H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t size,
                          void *buffer) {
    struct file *file = (struct file *)base;
    char *to = buffer;
    (void)type;
    (void)transfer;
    if (file->memory) {
        size_t n = there(file->memory, at, size);
        if (n > 0) memcpy(to, file->memory->bytes + at, n);
        memset(to + n, 0, size - n);
        return 0;
    }
    while (size > 0) {
        ssize_t got = pread(file->fd, to, size, (off_t)at);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) keep(file, errno);
        if (got < 0 && !file->writing) return -1;
        if (got <= 0) break;
        to += got;
        at += (haddr_t)got;
        size -= (size_t)got;
    }
    memset(to, 0, size);
    return 0;
}

static herr_t driver_write(H5FD_t *base, H5FD_mem_t type, hid_t transfer, haddr_t at, size_t size,
                           const void *buffer) {
    struct file *file = (struct file *)base;
    const char *from = buffer;
    (void)type;
    (void)transfer;
    if (at + size > file->end_written) file->end_written = at + size;
    if (file->memory) {
        if (*file->error == 0 && !grow(file->memory, (size_t)(at + size))) keep(file, ENOMEM);
        if (*file->error == 0) memcpy(file->memory->bytes + at, from, size);
        return 0;
    }
    while (size > 0 && *file->error == 0) {
        ssize_t put = pwrite(file->fd, from, size, (off_t)at);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) {
            keep(file, put < 0 ? errno : ENOSPC);
            break;
        }
        from += put;
        at += (haddr_t)put;
        size -= (size_t)put;
    }
    return 0;
}

/* Whoever writes a file with HDF5 locks it, and so does who reads it. Ours, which nobody else can
 * know yet, are not locked. */
static herr_t driver_lock(H5FD_t *base, hbool_t exclusive) {
    struct file *file = (struct file *)base;
    (void)exclusive;
    if (file->fd < 0 || file->writing || flock(file->fd, LOCK_SH | LOCK_NB) == 0) return 0;
    if (errno != EWOULDBLOCK) return 0; /* a file system without locks */
    keep(file, EWOULDBLOCK);
    return -1;
}

static herr_t driver_unlock(H5FD_t *base) {
    struct file *file = (struct file *)base;
    if (file->fd >= 0 && !file->writing) (void)flock(file->fd, LOCK_UN);
    return 0;
}

static herr_t driver_truncate(H5FD_t *base, hid_t transfer, hbool_t closing) {
    struct file *file = (struct file *)base;
    (void)transfer;
    (void)closing;
    if (file->end_allocated == file->end_written) return 0;
    file->end_written = file->end_allocated;
    if (file->memory) {
        if (file->end_allocated < file->memory->size)
            file->memory->size = (size_t)file->end_allocated;
        else if (*file->error == 0 && !grow(file->memory, (size_t)file->end_allocated))
            keep(file, ENOMEM);
        return 0;
    }
    if (*file->error == 0 && ftruncate(file->fd, (off_t)file->end_allocated) != 0)
        keep(file, errno);
    return 0;
}

static const H5FD_class_t driver = {
#ifdef H5FD_CLASS_VERSION
    .version = H5FD_CLASS_VERSION,
    .value = (H5FD_class_value_t)600, /* numbers below 512 are HDF5's own */
#endif
    .name = "tessera",
    .maxaddr = ((haddr_t)1 << 62) - 1,
    .fc_degree = H5F_CLOSE_WEAK,
    .fapl_size = sizeof(struct settings),
    .open = driver_open,
    .close = driver_close,
    .query = driver_query,
    .get_eoa = driver_get_eoa,
    .set_eoa = driver_set_eoa,
    .get_eof = driver_get_eof,
    .read = driver_read,
    .write = driver_write,
    .truncate = driver_truncate,
    .lock = driver_lock,
    .unlock = driver_unlock,
    .fl_map = H5FD_FLMAP_DICHOTOMY,
};

herr_t tsr_h5_driver_set(hid_t access, hid_t *id, int *error, struct tsr_h5_memory *memory) {
    struct settings settings = {error, memory};
    *id = H5FDregister(&driver);
    return *id < 0 ? -1 : H5Pset_driver(access, *id, &settings);
}
