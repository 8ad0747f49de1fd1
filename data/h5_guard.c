/* SPDX-License-Identifier: MIT
 *
 * What of a file is read: nothing that lies outside it, and no more than it can hold.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "data/h5_internal.h"

/* ---- links ----------------------------------------------------------------------------------- */

/* HDF5 asks before it follows a link to another file. */
static herr_t refuse_other_file(const char *file, const char *group, const char *other,
                                const char *object, unsigned *flags, hid_t access, void *data) {
    (void)file, (void)group, (void)other, (void)object, (void)flags, (void)access, (void)data;
    return -1;
}

enum tsr_status tsr_h5_guarded_access(const struct tsr_h5 *file, hid_t *out,
                                      struct tsr_error *err) {
    *out = H5Pcreate(H5P_DATASET_ACCESS);
    if (*out < 0 || H5Pset_elink_cb(*out, refuse_other_file, NULL) < 0)
        return TSR_H5_FAIL(err, TSR_ERR_NO_MEMORY, file, NULL, "cannot be prepared");
    return TSR_OK;
}

/* What is to be known of the link `path`; the path to `object` goes through it. */
static enum tsr_status check_link(const struct tsr_h5 *file, const char *object, const char *path,
                                  struct tsr_error *err) {
    H5L_info_t info;
    if (H5Lget_info(file->id, path, &info, file->access) < 0)
        return TSR_H5_FAIL(err, tsr_h5_fault(file), file, object, "cannot be looked up");
    switch (info.type) {
    case H5L_TYPE_HARD:
        return TSR_OK;
    case H5L_TYPE_SOFT:
        if (H5Oexists_by_name(file->id, path, file->access) > 0) return TSR_OK;
        return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object,
                          "cannot be found: the soft link %s leads nowhere, in a circle or to "
                          "another file",
                          path);
    case H5L_TYPE_EXTERNAL:
        return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object,
                          "is not read: %s is a link to another file (external link)", path);
    default:
        return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object,
                          "is not read: %s is a link of a user-defined kind (%d)", path,
                          (int)info.type);
    }
}

/* Nothing lies below what is whole and no group. */
static bool leads_on(const struct tsr_h5 *file, const char *path) {
    hid_t id = H5Oopen(file->id, path, file->access);
    bool may = id < 0 || H5Iget_type(id) == H5I_GROUP;
    if (id >= 0) (void)H5Idec_ref(id);
    return may;
}

/* HDF5 asks that the groups on the way exist before it tells whether the last link does. With `err`
 * the links are looked at, too. */
static enum tsr_status follow(const struct tsr_h5 *file, const char *object, bool look, bool *found,
                              struct tsr_error *err) {
    enum tsr_status status = TSR_OK;
    *found = file->id >= 0 && *object == '/';
    if (!*found || object[1] == 0) return TSR_OK;
    char *path = strdup(object);
    if (!path) return TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, object, "cannot be looked up");
    for (char *end = path; *found && end && status == TSR_OK;) {
        char *above = end;
        end = strchr(end + 1, '/');
        if (end) *end = 0;
        htri_t there = H5Lexists(file->id, path, file->access);
        if (there < 0) { /* damaged, refused, or in what is no group */
            *above = 0;
            *found = above == path || leads_on(file, path);
            *above = '/';
        } else {
            *found = there > 0;
        }
        if (*found && look) status = check_link(file, object, path, err);
        if (there < 0) break;
        if (end) *end = '/';
    }
    free(path);
    return status;
}

bool tsr_h5_find(const struct tsr_h5 *file, const char *object) {
    bool found;
    return follow(file, object, false, &found, NULL) != TSR_OK || found;
}

enum tsr_status tsr_h5_check_path(const struct tsr_h5 *file, const char *object,
                                  struct tsr_error *err) {
    bool found;
    TSR_TRY(follow(file, object, true, &found, err));
    return found ? TSR_OK : TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object, "is missing");
}

/* ---- sizes ----------------------------------------------------------------------------------- */

#define LARGEST_CHUNK ((size_t)1 << 30)
#define LARGEST_CACHE ((size_t)128 << 20)
#define SHORTEST_INDEX_ENTRY 8 /* bytes of the file that tell where a chunk is */
#define DEFLATE_AT_MOST 1032   /* what a byte of deflate can stand for; a property of the format */
#define HARMLESS ((size_t)64 << 20) /* bytes that any chunk may inflate to */
#define COUNTED_CHUNKS 65536        /* HDF5 walks through all of them to add up their sizes */

/* Bytes in the file of a chunk, whatever its filters. */
static size_t most_stored(const struct tsr_h5_storage *storage) {
    return storage->chunk_bytes + storage->chunk_bytes / 64 + 1024;
}

enum tsr_status tsr_h5_check_size(const struct tsr_h5 *file, const char *object, size_t count,
                                  size_t size, struct tsr_error *err) {
    size_t bytes;
    if (file->writing || (!__builtin_mul_overflow(count, size, &bytes) && bytes <= file->size))
        return TSR_OK;
    return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object,
                      "claims %zu values of %zu bytes; the file has %zu bytes", count, size,
                      file->size);
}

static enum tsr_status check_filter(const struct tsr_h5 *file, const char *object, hid_t properties,
                                    unsigned i, unsigned *seen, struct tsr_h5_storage *storage,
                                    struct tsr_error *err) {
    static const H5Z_filter_t known[TSR_H5_FILTERS] = {H5Z_FILTER_DEFLATE, H5Z_FILTER_SHUFFLE,
                                                       H5Z_FILTER_FLETCHER32};
    unsigned flags, values[1];
    size_t n = 1;
    char name[64] = "";
    H5Z_filter_t filter =
        H5Pget_filter2(properties, i, &flags, &n, values, sizeof name, name, NULL);
    if (filter < 0) return TSR_H5_FAIL(err, TSR_ERR_FORMAT, file, object, "has a damaged filter");
    name[sizeof name - 1] = 0;
    for (unsigned k = 0; k < sizeof known / sizeof *known; k++) {
        if (known[k] != filter) continue;
        if (*seen & 1u << k)
            return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object,
                              "is stored through filter %d twice", (int)filter);
        *seen |= 1u << k;
        storage->filter[storage->n_filters++] = filter;
        return TSR_OK;
    }
    return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object,
                      "is stored through filter %d (%s), which is not read; where that filter is "
                      "known, `h5repack -f GZIP=1 OLD.h5 NEW.h5` or h5py (docs/data.md) stores it "
                      "through deflate, which is",
                      (int)filter, *name ? name : "without a name");
}

/* `bytes`: what the array claims. */
static enum tsr_status check_layout(const struct tsr_h5 *file, const char *object, hid_t dataset,
                                    const struct tsr_h5_storage *storage, size_t n_chunks,
                                    size_t bytes, struct tsr_error *err) {
    size_t least = storage->deflated ? bytes / DEFLATE_AT_MOST : bytes;
    if (least > file->size || n_chunks > file->size / SHORTEST_INDEX_ENTRY)
        return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object,
                          "claims %zu bytes; the file has %zu, and can hold no such array", bytes,
                          file->size);
    if (n_chunks > COUNTED_CHUNKS) return TSR_OK;
    hsize_t stored = H5Dget_storage_size(dataset);
    if (stored >= least) return TSR_OK;
    return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object,
                      "claims %zu bytes, of which %llu are stored%s", bytes,
                      (unsigned long long)stored,
                      stored ? " (a part was never written)" : " (it was never written)");
}

static enum tsr_status check_chunked(const struct tsr_h5 *file, const char *object,
                                     hid_t properties, size_t rank, const hsize_t *dims,
                                     size_t size, struct tsr_h5_storage *storage, size_t *n_chunks,
                                     struct tsr_error *err) {
    hsize_t chunk[H5S_MAX_RANK];
    unsigned seen = 0;
    int n_filters = H5Pget_nfilters(properties);
    if (H5Pget_chunk(properties, (int)rank, chunk) != (int)rank || n_filters < 0)
        return TSR_H5_FAIL(err, TSR_ERR_FORMAT, file, object, "has damaged chunks");
    for (int i = 0; i < n_filters; i++)
        TSR_TRY(check_filter(file, object, properties, (unsigned)i, &seen, storage, err));
    storage->chunked = true;
    storage->deflated = seen & 1; /* the first of those known */
    storage->chunk_bytes = storage->value_bytes = size;
    for (size_t i = 0; i < rank; i++) {
        if (chunk[i] == 0 ||
            __builtin_mul_overflow(storage->chunk_bytes, (size_t)chunk[i], &storage->chunk_bytes))
            storage->chunk_bytes = SIZE_MAX / 2; /* ends in the message below */
        if (chunk[i] == 0 || storage->chunk_bytes > LARGEST_CHUNK)
            return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object,
                              "has chunks of %zu bytes and more; at most %zu are read",
                              storage->chunk_bytes, LARGEST_CHUNK);
        storage->chunk[i] = (size_t)chunk[i];
        storage->across[i] = (size_t)((dims[i] + chunk[i] - 1) / chunk[i]);
        if (__builtin_mul_overflow(*n_chunks, storage->across[i], n_chunks)) *n_chunks = SIZE_MAX;
    }
    return TSR_OK;
}

/* Before HDF5 is asked for the shape: of a virtual dataset it opens other files for that, and of
 * one that maps to itself without end it crashes. */
static enum tsr_status check_place(const struct tsr_h5 *file, const char *object, hid_t properties,
                                   struct tsr_error *err) {
    H5D_layout_t layout = properties < 0 ? H5D_LAYOUT_ERROR : H5Pget_layout(properties);
    if (layout < 0) return TSR_H5_FAIL(err, TSR_ERR_FORMAT, file, object, "cannot be opened");
    if (layout == H5D_VIRTUAL)
        return TSR_H5_BAD(
            err, TSR_ERR_FORMAT, file, object,
            "is a virtual dataset: its values lie in other files, which are not read");
    if (H5Pget_external_count(properties) != 0)
        return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object,
                          "has its values in another file (external storage), which is not read");
    return TSR_OK;
}

/* A chunk of many items is read from the file and inflated for each of them, unless it stays in the
 * dataset's cache: all chunks if there is room, else as many rows of them as there is room for,
 * which serves whoever reads one item after the other, or those of a few rows in any order. Returns
 * how many bytes that takes; 0: HDF5's own cache will do. */
static size_t cache_bytes(struct tsr_h5_storage *storage, size_t rank) {
    size_t row = storage->chunk_bytes;
    if (rank == 0 || storage->chunk[0] < 2) return 0;
    for (size_t i = 1; i < rank; i++)
        if (__builtin_mul_overflow(row, storage->across[i], &row)) return 0;
    if (row == 0) return 0;
    size_t room = LARGEST_CACHE / row;
    storage->rows = room < storage->across[0] ? room : storage->across[0];
    return storage->rows * row;
}

/* What a chunk of deflate holds is looked at once. */
static void remember_chunks(struct tsr_h5_storage *storage, size_t n_chunks) {
    if (storage->deflated && most_stored(storage) > HARMLESS / DEFLATE_AT_MOST)
        storage->harmless = calloc(n_chunks / 8 + 1, 1);
}

static enum tsr_status check_storage(const struct tsr_h5 *file, const char *object, hid_t dataset,
                                     hid_t properties, hid_t space, hid_t type,
                                     struct tsr_h5_storage *storage, struct tsr_error *err) {
    hsize_t dims[H5S_MAX_RANK];
    int rank = H5Sget_simple_extent_dims(space, dims, NULL);
    size_t size = H5Tget_size(type), bytes = size, n_chunks = 1;
    bool chunked = H5Pget_layout(properties) == H5D_CHUNKED;
    if (rank < 0 || size == 0)
        return TSR_H5_FAIL(err, TSR_ERR_FORMAT, file, object, "cannot be opened");
    for (int i = 0; i < rank; i++)
        if (__builtin_mul_overflow(bytes, (size_t)dims[i], &bytes)) bytes = SIZE_MAX;
    if (chunked && rank > TSR_H5_MAX_RANK)
        return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object, "has rank %d; at most %d is read",
                          rank, TSR_H5_MAX_RANK);
    if (chunked)
        TSR_TRY(check_chunked(file, object, properties, (size_t)rank, dims, size, storage,
                              &n_chunks, err));
    if (chunked && !file->writing) storage->cache = cache_bytes(storage, (size_t)rank);
    if (bytes == 0 || file->writing || H5Sget_simple_extent_type(space) == H5S_NULL) return TSR_OK;
    TSR_TRY(check_layout(file, object, dataset, storage, n_chunks, bytes, err));
    if (chunked) remember_chunks(storage, n_chunks);
    return TSR_OK;
}

static enum tsr_status open_cached(const struct tsr_h5 *file, const char *object, size_t bytes,
                                   size_t chunk_bytes, hid_t *dataset, struct tsr_error *err) {
    hid_t access = H5Pcopy(file->access), again = H5I_INVALID_HID;
    /* A chunk pushes out another one of the same place: there are many more places than chunks. */
    size_t places = 100 * (bytes / chunk_bytes) + 521;
    if (access >= 0 && H5Pset_chunk_cache(access, places, bytes, 1) >= 0) {
        /* One that is open keeps its cache. */
        hid_t first = *dataset;
        *dataset = H5I_INVALID_HID;
        (void)H5Idec_ref(first);
        again = H5Dopen2(file->id, object, access);
    }
    if (again < 0) {
        enum tsr_status status =
            TSR_H5_FAIL(err, TSR_ERR_FORMAT, file, object, "cannot be opened as a dataset");
        return tsr_h5_close_id(file, object, access, status, err);
    }
    *dataset = again;
    return tsr_h5_close_id(file, object, access, TSR_OK, err);
}

void tsr_h5_storage_clear(struct tsr_h5_storage *storage) {
    free(storage->harmless);
    storage->harmless = NULL;
}

bool tsr_h5_is_virtual(hid_t dataset) {
    hid_t properties = H5Dget_create_plist(dataset);
    bool is = properties < 0 || H5Pget_layout(properties) == H5D_VIRTUAL;
    if (properties >= 0) (void)H5Idec_ref(properties);
    return is;
}

enum tsr_status tsr_h5_open_guarded(const struct tsr_h5 *file, const char *object, hid_t *out,
                                    struct tsr_h5_storage *storage, struct tsr_error *err) {
    enum tsr_status status;
    hid_t properties = H5I_INVALID_HID, space = H5I_INVALID_HID, type = H5I_INVALID_HID;
    *storage = (struct tsr_h5_storage){0};
    *out = H5I_INVALID_HID;
    TSR_TRY(tsr_h5_check_path(file, object, err));
    *out = H5Dopen2(file->id, object, file->access);
    if (*out < 0)
        return TSR_H5_FAIL(err, TSR_ERR_FORMAT, file, object, "cannot be opened as a dataset");
    properties = H5Dget_create_plist(*out);
    status = check_place(file, object, properties, err);
    if (status == TSR_OK) {
        type = H5Dget_type(*out);
        space = H5Dget_space(*out);
        if (type < 0 || space < 0)
            status = TSR_H5_FAIL(err, TSR_ERR_FORMAT, file, object, "cannot be opened");
        else
            status = check_storage(file, object, *out, properties, space, type, storage, err);
    }
    status = tsr_h5_close_id(file, object, properties, status, err);
    status = tsr_h5_close_id(file, object, space, status, err);
    status = tsr_h5_close_id(file, object, type, status, err);
    if (status == TSR_OK && storage->cache > 0)
        status = open_cached(file, object, storage->cache, storage->chunk_bytes, out, err);
    return status;
}

/* ---- chunks ---------------------------------------------------------------------------------- */

#define WINDOW ((size_t)64 << 10)

/* Whether a stream of deflate gives more than `most` bytes. What is damaged is left to HDF5, whose
 * own inflating ends there, too. */
static enum tsr_status inflates_beyond(const unsigned char *bytes, size_t size, size_t most,
                                       bool *out) {
    z_stream stream = {.next_in = (unsigned char *)bytes, .avail_in = (uInt)size};
    unsigned char *window = malloc(WINDOW);
    *out = false;
    if (!window || inflateInit(&stream) != Z_OK) {
        free(window);
        return TSR_ERR_NO_MEMORY;
    }
    int result = Z_OK;
    while (result == Z_OK && !*out) {
        stream.next_out = window;
        stream.avail_out = (uInt)WINDOW;
        result = inflate(&stream, Z_NO_FLUSH);
        *out = stream.total_out > most;
    }
    (void)inflateEnd(&stream);
    free(window);
    return TSR_OK;
}

static enum tsr_status check_bomb(const struct tsr_h5 *file, const char *object, hid_t dataset,
                                  const hsize_t *at, size_t chunk_bytes, size_t stored,
                                  struct tsr_error *err) {
#if H5_VERSION_GE(1, 10, 3)
    uint32_t skipped = 0;
    bool bomb = false;
    unsigned char *bytes = malloc(stored);
    if (!bytes) return TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, object, "needs %zu bytes", stored);
    enum tsr_status status = TSR_OK;
    if (H5Dread_chunk(dataset, H5P_DEFAULT, at, &skipped, bytes) < 0)
        status = TSR_H5_FAIL(err, tsr_h5_fault(file), file, object, "has a damaged chunk");
    else if (inflates_beyond(bytes, stored, chunk_bytes + 4, &bomb) != TSR_OK)
        status = TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, object, "cannot be inflated");
    free(bytes);
    if (status != TSR_OK || !bomb) return status;
    return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object,
                      "has a chunk that inflates to more than its %zu bytes", chunk_bytes);
#else
    (void)file, (void)object, (void)dataset, (void)at, (void)chunk_bytes, (void)stored, (void)err;
    return TSR_OK;
#endif
}

enum tsr_status tsr_h5_chunk_stored(const struct tsr_h5 *file, const char *object, hid_t dataset,
                                    const struct tsr_h5_storage *storage, const hsize_t *at,
                                    size_t *out, struct tsr_error *err) {
    hsize_t stored = 0;
    size_t most = most_stored(storage);
    if (H5Dget_chunk_storage_size(dataset, at, &stored) < 0)
        return TSR_H5_FAIL(err, tsr_h5_fault(file), file, object, "has a damaged chunk");
    if (stored == 0)
        return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object,
                          "has a chunk (from item %llu on) that was never written",
                          (unsigned long long)at[0]);
    if (stored > most)
        return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object,
                          "has a chunk of %zu bytes that takes %llu in the file",
                          storage->chunk_bytes, (unsigned long long)stored);
    *out = (size_t)stored;
    return TSR_OK;
}

static enum tsr_status check_chunk(const struct tsr_h5 *file, const char *object, hid_t dataset,
                                   const struct tsr_h5_storage *storage, size_t rank,
                                   const hsize_t *at, struct tsr_error *err) {
    size_t stored = 0, index = 0;
    for (size_t i = 0; i < rank; i++)
        index = index * storage->across[i] + (size_t)at[i] / storage->chunk[i];
    if (storage->harmless && storage->harmless[index / 8] & 1 << index % 8) return TSR_OK;
    TSR_TRY(tsr_h5_chunk_stored(file, object, dataset, storage, at, &stored, err));
    if (storage->deflated && stored > HARMLESS / DEFLATE_AT_MOST)
        TSR_TRY(check_bomb(file, object, dataset, at, storage->chunk_bytes, stored, err));
    if (storage->harmless) storage->harmless[index / 8] |= (unsigned char)(1 << index % 8);
    return TSR_OK;
}

enum tsr_status tsr_h5_check_chunks(const struct tsr_h5 *file, const char *object, hid_t dataset,
                                    const struct tsr_h5_storage *storage, size_t rank,
                                    const size_t *start, const size_t *count,
                                    struct tsr_error *err) {
    const size_t *chunk = storage->chunk;
    hsize_t at[TSR_H5_MAX_RANK] = {0};
    if (!storage->chunked || file->writing) return TSR_OK;
    for (size_t i = 0; i < rank; i++) {
        if (count[i] == 0) return TSR_OK;
        at[i] = start[i] / chunk[i] * chunk[i];
    }
    for (;;) {
        TSR_TRY(check_chunk(file, object, dataset, storage, rank, at, err));
        size_t i = rank;
        /* The next chunk, the last dimension running fastest. */
        while (i-- > 0) {
            at[i] += chunk[i];
            if (at[i] < start[i] + count[i]) break;
            at[i] = start[i] / chunk[i] * chunk[i];
        }
        if (i == SIZE_MAX) return TSR_OK;
    }
}
