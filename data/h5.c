/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "data/file.h"
#include "data/h5_driver.h"
#include "data/h5_internal.h"

/* ---- errors ---------------------------------------------------------------------------------- */

/* HDF5 admits one thread at a time: one lock around every public function of this module. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct tsr_h5_call tsr_h5_enter(void) {
    (void)pthread_mutex_lock(&lock);
    struct tsr_h5_call call = {NULL, NULL};
    (void)H5Eget_auto2(H5E_DEFAULT, &call.function, &call.data);
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return call;
}

void tsr_h5_leave(struct tsr_h5_call call) {
    (void)H5Eset_auto2(H5E_DEFAULT, call.function, call.data);
    (void)pthread_mutex_unlock(&lock);
}

struct innermost {
    char text[256];
};

static herr_t take_first(unsigned n, const H5E_error2_t *error, void *data) {
    struct innermost *innermost = data;
    if (n == 0 && error->desc)
        (void)snprintf(innermost->text, sizeof innermost->text, "%s", error->desc);
    return 0;
}

enum tsr_status tsr_h5_error(bool quote, struct tsr_error *err, enum tsr_status status,
                             const struct tsr_h5 *file, const char *object, const char *source,
                             int line, const char *format, ...) {
    struct innermost innermost = {""};
    /* Upward: from where the error arose to the function that was called. */
    if (quote) (void)H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, &innermost);
    quote = innermost.text[0] != 0;
    char text[TSR_ERROR_SIZE / 2];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return tsr_error_set(err, status, source, line, "%s: %s%s%s%s%s%s", file->path,
                         object ? object : "", object ? " " : "", text, quote ? " (HDF5: " : "",
                         innermost.text,
                         quote                         ? ")"
                         : status == TSR_ERR_NO_MEMORY ? ": not enough memory"
                                                       : "");
}

enum tsr_status tsr_h5_written(const struct tsr_h5 *file, enum tsr_status status,
                               struct tsr_error *err) {
    if (file->io_error == 0) return status;
    if (file->io_error == ENOMEM)
        return TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, NULL, "cannot be written");
    return TSR_H5_BAD(err, TSR_ERR_IO, file, NULL, "cannot be written: %s",
                      strerror(file->io_error));
}

enum tsr_status tsr_h5_was_read(const struct tsr_h5 *file, enum tsr_status status,
                                struct tsr_error *err) {
    if (file->io_error == 0 || file->writing) return status;
    if (file->io_error == ENOMEM)
        return TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, NULL, "cannot be read");
    return TSR_H5_BAD(err, TSR_ERR_IO, file, NULL, "cannot be read: %s", strerror(file->io_error));
}

enum tsr_status tsr_h5_fault(const struct tsr_h5 *file) {
    return file->writing ? TSR_ERR_IO : TSR_ERR_FORMAT;
}

enum tsr_status tsr_h5_close_id(const struct tsr_h5 *file, const char *object, hid_t id,
                                enum tsr_status status, struct tsr_error *err) {
    if (id < 0) return status;
    if (H5Idec_ref(id) >= 0 || status != TSR_OK) return status;
    return TSR_H5_FAIL(err, tsr_h5_fault(file), file, object, "cannot be closed");
}

/* ---- opening, closing ------------------------------------------------------------------------ */

void tsr_h5_end_quietly(void) {
    (void)H5dont_atexit();
}

/* HDF5 crashes where memory runs out within it. It takes less than this for a file, so that what we
 * can still have, it can. */
#define RESERVE ((size_t)1 << 20)

static enum tsr_status check_reserve(const char *path, struct tsr_error *err) {
    void *volatile block = malloc(RESERVE);
    bool there = block != NULL;
    free(block);
    if (there) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: cannot allocate the %zu bytes to open it with",
                     path, RESERVE);
}

static enum tsr_status new_handle(const char *path, struct tsr_h5 **out, struct tsr_error *err) {
    void *memory;
    TSR_TRY(check_reserve(path, err));
    TSR_TRY(tsr_alloc(&memory, 1, sizeof **out, path, err));
    *out = memory;
    **out = (struct tsr_h5){.id = H5I_INVALID_HID,
                            .driver = H5I_INVALID_HID,
                            .access = H5I_INVALID_HID,
                            .recent.id = H5I_INVALID_HID,
                            .earlier.id = H5I_INVALID_HID};
    (*out)->path = strdup(path);
    if ((*out)->path) return TSR_OK;
    free(*out);
    *out = NULL;
    return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: cannot allocate its name", path);
}

enum tsr_status tsr_h5_close_dataset(const struct tsr_h5 *file, struct tsr_h5_dataset *dataset,
                                     struct tsr_error *err) {
    hid_t id = dataset->id;
    char *name = dataset->name;
    tsr_h5_storage_clear(&dataset->storage);
    *dataset = (struct tsr_h5_dataset){.id = H5I_INVALID_HID};
    enum tsr_status status = tsr_h5_close_id(file, name, id, TSR_OK, err);
    free(name);
    return status;
}

static enum tsr_status close_file(struct tsr_h5 *file, struct tsr_error *err) {
    enum tsr_status status = tsr_h5_close_dataset(file, &file->recent, err);
    enum tsr_status earlier =
        tsr_h5_close_dataset(file, &file->earlier, status == TSR_OK ? err : NULL);
    if (status == TSR_OK) status = earlier;
    tsr_h5_close_strings(file->strings);
    file->strings = NULL;
    hid_t id = file->id;
    file->id = H5I_INVALID_HID;
    if (id >= 0 && H5Fclose(id) < 0 && status == TSR_OK)
        status = TSR_H5_FAIL(err, tsr_h5_fault(file), file, NULL, "cannot be closed");
    if (file->driver >= 0) (void)H5FDunregister(file->driver);
    file->driver = H5I_INVALID_HID;
    return status;
}

static enum tsr_status close_handle(struct tsr_h5 *file) {
    enum tsr_status status = close_file(file, NULL);
    tsr_temp_discard(file->temp);
    if (file->access >= 0) (void)H5Pclose(file->access);
    if (file->writing) free(file->memory.bytes);
    free(file->path);
    free(file);
    return status;
}

void tsr_h5_close(struct tsr_h5 *file) {
    if (!file) return;
    struct tsr_h5_call call = tsr_h5_enter();
    (void)close_handle(file); /* what mattered was committed, or is given up */
    tsr_h5_leave(call);
}

/* HDF5 keeps up to 32 MiB of what it read of a file's structure, which takes three times as much in
 * memory: the more images there are, the more a run over them would grow. */
#define METADATA_AT_MOST ((size_t)512 << 10)

static bool bound_metadata(hid_t access) {
    H5AC_cache_config_t config = {.version = H5AC__CURR_CACHE_CONFIG_VERSION};
    if (H5Pget_mdc_config(access, &config) < 0) return false;
    config.set_initial_size = true;
    config.initial_size = config.min_size = config.max_size = METADATA_AT_MOST;
    return H5Pset_mdc_config(access, &config) >= 0;
}

/* File systems without locks are common on clusters: there HDF5 would refuse to open anything. */
static enum tsr_status access_properties(const struct tsr_h5 *file, hid_t *out,
                                         struct tsr_error *err) {
    *out = H5Pcreate(H5P_FILE_ACCESS);
    if (*out < 0 || H5Pset_fclose_degree(*out, H5F_CLOSE_STRONG) < 0 || !bound_metadata(*out))
        return TSR_H5_FAIL(err, TSR_ERR_IO, file, NULL, "cannot be prepared");
        /* The formats of HDF5 1.8 have checksums over the structure of a file, and are read by all.
         */
#if H5_VERSION_GE(1, 10, 2)
    if (file->writing && H5Pset_libver_bounds(*out, H5F_LIBVER_V18, H5F_LIBVER_V18) < 0)
        return TSR_H5_FAIL(err, TSR_ERR_IO, file, NULL, "cannot be prepared");
#endif
#if H5_VERSION_GE(1, 12, 1) || (H5_VERSION_GE(1, 10, 7) && !H5_VERSION_GE(1, 12, 0))
    if (H5Pset_file_locking(*out, true, true) < 0)
        return TSR_H5_FAIL(err, TSR_ERR_IO, file, NULL, "cannot be prepared");
#endif
    return TSR_OK;
}

/* `in_memory`: the path is a name for messages. */
static enum tsr_status create(const char *path, bool in_memory, struct tsr_h5 **out,
                              struct tsr_error *err) {
    enum tsr_status status;
    struct tsr_h5 *file = NULL;
    hid_t access = H5I_INVALID_HID, creation = H5I_INVALID_HID;
    *out = NULL;
    TSR_CHECK(new_handle(path, &file, err));
    file->writing = true;
    file->in_memory = in_memory;
    if (!in_memory) TSR_CHECK(tsr_temp_create(path, &file->temp, err));
    TSR_CHECK(tsr_h5_guarded_access(file, &file->access, err));
    TSR_CHECK(access_properties(file, &access, err));
    if (tsr_h5_driver_set(access, &file->driver, &file->io_error,
                          in_memory ? &file->memory : NULL) < 0) {
        status = TSR_H5_FAIL(err, TSR_ERR_IO, file, NULL, "cannot be prepared");
        goto done;
    }
    creation = H5Pcreate(H5P_FILE_CREATE);
    /* Without times the same data give the same file. */
    if (creation >= 0 && H5Pset_obj_track_times(creation, false) >= 0)
        file->id = H5Fcreate(in_memory ? path : tsr_temp_path(file->temp), H5F_ACC_TRUNC, creation,
                             access);
    if (file->id < 0) {
        status = TSR_H5_FAIL(err, TSR_ERR_IO, file, NULL, "cannot be created");
        status = tsr_h5_written(file, status, err);
        goto done;
    }
    *out = file;
    file = NULL;
done:
    if (creation >= 0) (void)H5Pclose(creation);
    if (access >= 0) (void)H5Pclose(access);
    if (file) (void)close_handle(file);
    return status;
}

enum tsr_status tsr_h5_create(const char *path, struct tsr_h5 **out, struct tsr_error *err) {
    TSR_H5_QUIETLY(create(path, false, out, err));
}

enum tsr_status tsr_h5_create_memory(const char *name, struct tsr_h5 **out, struct tsr_error *err) {
    TSR_H5_QUIETLY(create(name, true, out, err));
}

/* HDF5 files begin with this, at 0, 512, 1024, 2048 and so on. */
static bool has_signature(int fd, size_t size, int *failed) {
    static const char signature[8] = {(char)0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    char found[sizeof signature];
    for (size_t at = 0; at + sizeof found <= size; at = at ? 2 * at : 512) {
        ssize_t got;
        do
            got = pread(fd, found, sizeof found, (off_t)at);
        while (got < 0 && errno == EINTR);
        if (got < 0) *failed = errno;
        if (got < 0) return false;
        if (memcmp(found, signature, sizeof found) == 0) return true;
    }
    return false;
}

/* A missing file is told from a damaged one before HDF5 sees it, and what is no file of a size, a
 * pipe say, is not waited for. */
static enum tsr_status check_readable(const char *path, size_t *size, struct tsr_error *err) {
    struct stat info = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int failed = fd < 0 || fstat(fd, &info) != 0 ? errno : 0, unread = 0;
    bool ours =
        !failed && S_ISREG(info.st_mode) && has_signature(fd, (size_t)info.st_size, &unread);
    if (fd >= 0) (void)close(fd);
    if (failed)
        return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be opened: %s", path, strerror(failed));
    if (S_ISDIR(info.st_mode))
        return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be read: it is a folder", path);
    if (!S_ISREG(info.st_mode))
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: is not a regular file", path);
    if (info.st_size == 0) return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: is empty", path);
    if (unread) return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be read: %s", path, strerror(unread));
    if (!ours) return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: is not an HDF5 file", path);
    *size = (size_t)info.st_size;
    return TSR_OK;
}

/* From memory where there are `bytes` [size], else the file at `path`. */
static enum tsr_status open_file(const char *path, const void *bytes, size_t size,
                                 struct tsr_h5 **out, struct tsr_error *err) {
    enum tsr_status status;
    struct tsr_h5 *file = NULL;
    hid_t access = H5I_INVALID_HID;
    *out = NULL;
    if (!bytes) TSR_CHECK(check_readable(path, &size, err));
    TSR_CHECK(new_handle(path, &file, err));
    file->size = size;
    TSR_CHECK(tsr_h5_guarded_access(file, &file->access, err));
    TSR_CHECK(access_properties(file, &access, err));
    if (bytes) {
        file->in_memory = true; /* of one that is only read the driver changes nothing */
        file->memory = (struct tsr_h5_memory){.bytes = (unsigned char *)bytes, .size = size};
    }
    if (tsr_h5_driver_set(access, &file->driver, &file->io_error, bytes ? &file->memory : NULL) <
        0) {
        status = TSR_H5_FAIL(err, TSR_ERR_IO, file, NULL, "cannot be prepared");
        goto done;
    }
    file->id = H5Fopen(path, H5F_ACC_RDONLY, access);
    if (file->id < 0 && file->io_error == EWOULDBLOCK) {
        status = TSR_H5_BAD(err, TSR_ERR_IO, file, NULL,
                            "is locked: another program has it open for writing");
        goto done;
    }
    if (file->id < 0) {
        status = TSR_H5_FAIL(err, TSR_ERR_FORMAT, file, NULL, "cannot be opened as an HDF5 file");
        status = tsr_h5_was_read(file, status, err);
        goto done;
    }
    *out = file;
    file = NULL;
done:
    if (access >= 0) (void)H5Pclose(access);
    if (file) (void)close_handle(file);
    return status;
}

enum tsr_status tsr_h5_open(const char *path, struct tsr_h5 **out, struct tsr_error *err) {
    TSR_H5_QUIETLY(open_file(path, NULL, 0, out, err));
}

enum tsr_status tsr_h5_open_memory(const char *name, const void *bytes, size_t size,
                                   struct tsr_h5 **out, struct tsr_error *err) {
    TSR_H5_QUIETLY(open_file(name, bytes, size, out, err));
}

/* Flushes and closes what has been written. */
static enum tsr_status complete(struct tsr_h5 *file, struct tsr_error *err) {
    TSR_TRY(tsr_h5_check_writable(file, NULL, err));
    if (H5Fflush(file->id, H5F_SCOPE_GLOBAL) < 0)
        return TSR_H5_FAIL(err, TSR_ERR_IO, file, NULL, "cannot be written");
    TSR_TRY(close_file(file, err));
    return tsr_h5_written(file, TSR_OK, err);
}

static enum tsr_status commit(struct tsr_h5 *file, struct tsr_error *err) {
    if (file->in_memory)
        return TSR_H5_BAD(err, TSR_ERR_ARGUMENT, file, NULL, "is in memory and has no place");
    TSR_TRY(complete(file, err));
    return tsr_temp_commit(file->temp, err);
}

static enum tsr_status take(struct tsr_h5 *file, void **bytes, size_t *size,
                            struct tsr_error *err) {
    if (!file->in_memory) return TSR_H5_BAD(err, TSR_ERR_ARGUMENT, file, NULL, "is not in memory");
    TSR_TRY(complete(file, err));
    *bytes = file->memory.bytes;
    *size = file->memory.size;
    file->memory = (struct tsr_h5_memory){0};
    return TSR_OK;
}

enum tsr_status tsr_h5_take_memory(struct tsr_h5 *file, void **bytes, size_t *size,
                                   struct tsr_error *err) {
    TSR_H5_WRITING(file, err, take(file, bytes, size, err));
}

enum tsr_status tsr_h5_commit(struct tsr_h5 *file, struct tsr_error *err) {
    TSR_H5_WRITING(file, err, commit(file, err));
}

const char *tsr_h5_path(const struct tsr_h5 *file) {
    return file->path;
}

enum tsr_status tsr_h5_check_writable(const struct tsr_h5 *file, const char *object,
                                      struct tsr_error *err) {
    if (file->writing && file->id >= 0) return TSR_OK;
    return TSR_H5_BAD(err, TSR_ERR_ARGUMENT, file, object, "cannot be written: the file is %s",
                      file->writing ? "closed" : "open for reading");
}

/* ---- groups ---------------------------------------------------------------------------------- */

bool tsr_h5_exists(struct tsr_h5 *file, const char *object) {
    struct tsr_h5_call call = tsr_h5_enter();
    bool found = tsr_h5_find(file, object);
    tsr_h5_leave(call);
    return found;
}

/* HDF5 would make the groups on the way by itself, but with the time in them. */
enum tsr_status tsr_h5_make_group(const struct tsr_h5 *file, const char *object,
                                  struct tsr_error *err) {
    enum tsr_status status = TSR_OK;
    char *path = strdup(object);
    hid_t properties = H5Pcreate(H5P_GROUP_CREATE);
    if (!path || properties < 0 || H5Pset_obj_track_times(properties, false) < 0)
        status = TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, object, "cannot be created");
    for (char *end = path; end && status == TSR_OK;) {
        end = strchr(end + 1, '/');
        if (end) *end = 0;
        if (path[1] && !tsr_h5_find(file, path)) {
            hid_t group = H5Gcreate2(file->id, path, H5P_DEFAULT, properties, H5P_DEFAULT);
            if (group < 0) status = TSR_H5_FAIL(err, TSR_ERR_IO, file, object, "cannot be created");
            status = tsr_h5_close_id(file, object, group, status, err);
        }
        if (end) *end = '/';
    }
    free(path);
    return tsr_h5_close_id(file, object, properties, status, err);
}

enum tsr_status tsr_h5_make_parents(const struct tsr_h5 *file, const char *object,
                                    struct tsr_error *err) {
    const char *slash = strrchr(object, '/');
    if (!slash || slash == object) return TSR_OK;
    char *parent = strndup(object, (size_t)(slash - object));
    if (!parent) return TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, object, "cannot be created");
    enum tsr_status status = tsr_h5_make_group(file, parent, err);
    free(parent);
    return status;
}
