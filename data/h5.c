/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "data/file.h"
#include "data/h5_driver.h"
#include "data/h5_internal.h"

/* ---- errors ---------------------------------------------------------------------------------- */

/* HDF5 admits one thread at a time: one lock around every public function of this module. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct tsr_h5_mute tsr_h5_mute(void) {
    (void)pthread_mutex_lock(&lock);
    struct tsr_h5_mute mute = {NULL, NULL};
    (void)H5Eget_auto2(H5E_DEFAULT, &mute.function, &mute.data);
    (void)H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    return mute;
}

void tsr_h5_unmute(struct tsr_h5_mute mute) {
    (void)H5Eset_auto2(H5E_DEFAULT, mute.function, mute.data);
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
                         innermost.text, quote ? ")" : "");
}

enum tsr_status tsr_h5_verdict(const struct tsr_h5 *file, enum tsr_status status,
                               struct tsr_error *err) {
    if (file->write_error == 0) return status;
    return TSR_H5_BAD(err, TSR_ERR_IO, file, NULL, "cannot be written: %s",
                      strerror(file->write_error));
}

enum tsr_status tsr_h5_blame(const struct tsr_h5 *file) {
    return file->writing ? TSR_ERR_IO : TSR_ERR_FORMAT;
}

enum tsr_status tsr_h5_shut(const struct tsr_h5 *file, const char *object, hid_t id,
                            enum tsr_status status, struct tsr_error *err) {
    if (id < 0) return status;
    if (H5Idec_ref(id) >= 0 || status != TSR_OK) return status;
    return TSR_H5_FAIL(err, tsr_h5_blame(file), file, object, "cannot be closed");
}

/* ---- opening, closing ------------------------------------------------------------------------ */

static enum tsr_status new_handle(const char *path, struct tsr_h5 **out, struct tsr_error *err) {
    void *memory;
    TSR_TRY(tsr_alloc(&memory, 1, sizeof **out, path, err));
    *out = memory;
    **out = (struct tsr_h5){.id = H5I_INVALID_HID,
                            .driver = H5I_INVALID_HID,
                            .recent.id = H5I_INVALID_HID,
                            .earlier.id = H5I_INVALID_HID};
    (*out)->path = strdup(path);
    if ((*out)->path) return TSR_OK;
    free(*out);
    *out = NULL;
    return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: cannot allocate its name", path);
}

enum tsr_status tsr_h5_forget(const struct tsr_h5 *file, struct tsr_h5_dataset *dataset,
                              struct tsr_error *err) {
    hid_t id = dataset->id;
    char *name = dataset->name;
    *dataset = (struct tsr_h5_dataset){.id = H5I_INVALID_HID};
    enum tsr_status status = tsr_h5_shut(file, name, id, TSR_OK, err);
    free(name);
    return status;
}

static enum tsr_status close_file(struct tsr_h5 *file, struct tsr_error *err) {
    enum tsr_status status = tsr_h5_forget(file, &file->recent, err);
    enum tsr_status earlier = tsr_h5_forget(file, &file->earlier, status == TSR_OK ? err : NULL);
    if (status == TSR_OK) status = earlier;
    hid_t id = file->id;
    file->id = H5I_INVALID_HID;
    if (id >= 0 && H5Fclose(id) < 0 && status == TSR_OK)
        status = TSR_H5_FAIL(err, tsr_h5_blame(file), file, NULL, "cannot be closed");
    if (file->driver >= 0) (void)H5FDunregister(file->driver);
    file->driver = H5I_INVALID_HID;
    return status;
}

static enum tsr_status close_handle(struct tsr_h5 *file) {
    enum tsr_status status = close_file(file, NULL);
    tsr_temp_discard(file->temp);
    if (file->writing) free(file->memory.bytes);
    free(file->path);
    free(file);
    return status;
}

void tsr_h5_close(struct tsr_h5 *file) {
    if (!file) return;
    struct tsr_h5_mute mute = tsr_h5_mute();
    (void)close_handle(file); /* what mattered was committed, or is given up */
    tsr_h5_unmute(mute);
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
    hid_t access = H5I_INVALID_HID;
    *out = NULL;
    TSR_CHECK(new_handle(path, &file, err));
    file->writing = true;
    file->in_memory = in_memory;
    if (!in_memory) TSR_CHECK(tsr_temp_create(path, &file->temp, err));
    TSR_CHECK(access_properties(file, &access, err));
    if (tsr_h5_driver_set(access, &file->driver, &file->write_error,
                          in_memory ? &file->memory : NULL) < 0) {
        status = TSR_H5_FAIL(err, TSR_ERR_IO, file, NULL, "cannot be prepared");
        goto done;
    }
    file->id =
        H5Fcreate(in_memory ? path : tsr_temp_path(file->temp), H5F_ACC_TRUNC, H5P_DEFAULT, access);
    if (file->id < 0) {
        status = TSR_H5_FAIL(err, TSR_ERR_IO, file, NULL, "cannot be created");
        goto done;
    }
    *out = file;
    file = NULL;
done:
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

/* A missing file is told from a damaged one before HDF5 sees it. */
static enum tsr_status check_readable(const char *path, struct tsr_error *err) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    char byte;
    ssize_t got = read(fd, &byte, 1);
    int failed = errno;
    (void)close(fd);
    if (got < 0)
        return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be read: %s", path, strerror(failed));
    if (got == 0) return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: is empty", path);
    if (H5Fis_hdf5(path) <= 0)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: is not an HDF5 file", path);
    return TSR_OK;
}

/* From memory where there are `bytes`, else the file at `path`. */
static enum tsr_status open_file(const char *path, const void *bytes, size_t size,
                                 struct tsr_h5 **out, struct tsr_error *err) {
    enum tsr_status status;
    struct tsr_h5 *file = NULL;
    hid_t access = H5I_INVALID_HID;
    *out = NULL;
    if (!bytes) TSR_CHECK(check_readable(path, err));
    TSR_CHECK(new_handle(path, &file, err));
    TSR_CHECK(access_properties(file, &access, err));
    if (bytes) {
        file->in_memory = true; /* of one that is only read the driver changes nothing */
        file->memory = (struct tsr_h5_memory){.bytes = (unsigned char *)bytes, .size = size};
        if (tsr_h5_driver_set(access, &file->driver, &file->write_error, &file->memory) < 0) {
            status = TSR_H5_FAIL(err, TSR_ERR_IO, file, NULL, "cannot be prepared");
            goto done;
        }
    }
    file->id = H5Fopen(path, H5F_ACC_RDONLY, access);
    if (file->id < 0) {
        status = TSR_H5_FAIL(err, TSR_ERR_FORMAT, file, NULL, "cannot be opened as an HDF5 file");
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
    return tsr_h5_verdict(file, TSR_OK, err);
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

/* ---- names ----------------------------------------------------------------------------------- */

/* HDF5 asks that the groups on the way exist before it tells whether the last link does. */
bool tsr_h5_find(struct tsr_h5 *file, const char *object) {
    if (file->id < 0 || *object != '/') return false;
    if (object[1] == 0) return true;
    char *prefix = strdup(object);
    bool found = prefix != NULL;
    for (char *end = prefix; found && end;) {
        end = strchr(end + 1, '/');
        if (end) *end = 0;
        found = H5Lexists(file->id, prefix, H5P_DEFAULT) > 0 &&
                H5Oexists_by_name(file->id, prefix, H5P_DEFAULT) > 0;
        if (end) *end = '/';
    }
    free(prefix);
    return found;
}

bool tsr_h5_exists(struct tsr_h5 *file, const char *object) {
    struct tsr_h5_mute mute = tsr_h5_mute();
    bool found = tsr_h5_find(file, object);
    tsr_h5_unmute(mute);
    return found;
}

enum tsr_status tsr_h5_link_properties(const struct tsr_h5 *file, hid_t *out,
                                       struct tsr_error *err) {
    *out = H5Pcreate(H5P_LINK_CREATE);
    if (*out < 0 || H5Pset_create_intermediate_group(*out, 1) < 0)
        return TSR_H5_FAIL(err, TSR_ERR_NO_MEMORY, file, NULL, "cannot be prepared");
    return TSR_OK;
}

/* ---- string types ---------------------------------------------------------------------------- */

#define LONGEST_FIXED_STRING ((size_t)512 << 10)

enum tsr_status tsr_h5_string_type(const struct tsr_h5 *file, const char *object, hid_t stored,
                                   hid_t *out, struct tsr_error *err) {
    *out = H5I_INVALID_HID;
    htri_t variable = H5Tis_variable_str(stored);
    size_t size = H5Tget_size(stored);
    H5T_cset_t characters = H5Tget_cset(stored);
    if (variable < 0 || size == 0 || characters < 0)
        return TSR_H5_FAIL(err, TSR_ERR_FORMAT, file, object, "has a damaged type");
    if (!variable && size > LONGEST_FIXED_STRING)
        return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object,
                          "has strings of %zu bytes; at most %zu are read", size,
                          LONGEST_FIXED_STRING);
    *out = H5Tcopy(H5T_C_S1);
    /* HDF5 does not convert between character sets, not even from ASCII. */
    if (*out < 0 || H5Tset_size(*out, variable ? H5T_VARIABLE : size + 1) < 0 ||
        H5Tset_cset(*out, characters) < 0)
        return TSR_H5_FAIL(err, TSR_ERR_NO_MEMORY, file, object, "cannot be prepared");
    return TSR_OK;
}

enum tsr_status tsr_h5_utf8_type(const struct tsr_h5 *file, const char *object, hid_t *out,
                                 struct tsr_error *err) {
    *out = H5Tcopy(H5T_C_S1);
    if (*out < 0 || H5Tset_size(*out, H5T_VARIABLE) < 0 || H5Tset_cset(*out, H5T_CSET_UTF8) < 0)
        return TSR_H5_FAIL(err, TSR_ERR_NO_MEMORY, file, object, "cannot be prepared");
    return TSR_OK;
}
