/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/h5_internal.h"

/* ---- types ----------------------------------------------------------------------------------- */

struct type_info {
    const char *name;
    size_t size;
    bool is_float;
};
static const struct type_info type_infos[] = {
    [TSR_H5_U8] = {"uint8", 1, false},   [TSR_H5_U16] = {"uint16", 2, false},
    [TSR_H5_U32] = {"uint32", 4, false}, [TSR_H5_I64] = {"int64", 8, false},
    [TSR_H5_U64] = {"uint64", 8, false}, [TSR_H5_F32] = {"float32", 4, true},
    [TSR_H5_F64] = {"float64", 8, true},
};

static hid_t memory_type(enum tsr_h5_type type) {
    switch (type) {
    case TSR_H5_U8:
        return H5T_NATIVE_UINT8;
    case TSR_H5_U16:
        return H5T_NATIVE_UINT16;
    case TSR_H5_U32:
        return H5T_NATIVE_UINT32;
    case TSR_H5_I64:
        return H5T_NATIVE_INT64;
    case TSR_H5_U64:
        return H5T_NATIVE_UINT64;
    case TSR_H5_F32:
        return H5T_NATIVE_FLOAT;
    case TSR_H5_F64:
        return H5T_NATIVE_DOUBLE;
    }
    return H5I_INVALID_HID;
}

static hid_t file_type(enum tsr_h5_type type) {
    switch (type) {
    case TSR_H5_U8:
        return H5T_STD_U8LE;
    case TSR_H5_U16:
        return H5T_STD_U16LE;
    case TSR_H5_U32:
        return H5T_STD_U32LE;
    case TSR_H5_I64:
        return H5T_STD_I64LE;
    case TSR_H5_U64:
        return H5T_STD_U64LE;
    case TSR_H5_F32:
        return H5T_IEEE_F32LE;
    case TSR_H5_F64:
        return H5T_IEEE_F64LE;
    }
    return H5I_INVALID_HID;
}

const char *tsr_h5_class_name(H5T_class_t type_class) {
    switch (type_class) {
    case H5T_STRING:
        return "strings";
    case H5T_COMPOUND:
        return "compounds";
    case H5T_ENUM:
        return "an enumeration";
    case H5T_REFERENCE:
        return "references";
    case H5T_VLEN:
        return "arrays of variable length";
    case H5T_ARRAY:
        return "arrays";
    default:
        return "values of an unusual type";
    }
}

bool tsr_h5_number_type(hid_t stored, enum tsr_h5_type *out) {
    size_t size = H5Tget_size(stored);
    if (H5Tget_class(stored) == H5T_FLOAT)
        *out = size <= 4 ? TSR_H5_F32 : TSR_H5_F64;
    else if (H5Tget_sign(stored) != H5T_SGN_NONE)
        *out = TSR_H5_I64;
    else
        *out = size == 1 ? TSR_H5_U8 : size == 2 ? TSR_H5_U16 : size <= 4 ? TSR_H5_U32 : TSR_H5_U64;
    return size > 0 && size <= 8;
}

bool tsr_h5_is_blob(hid_t stored) {
    hid_t of = H5Tget_class(stored) == H5T_VLEN ? H5Tget_super(stored) : H5I_INVALID_HID;
    bool is = of >= 0 && H5Tget_class(of) == H5T_INTEGER && H5Tget_size(of) == 1;
    if (of >= 0) (void)H5Idec_ref(of);
    return is;
}

static enum tsr_status classify(const struct tsr_h5 *file, const char *object, hid_t stored,
                                enum tsr_h5_type *out, struct tsr_error *err) {
    H5T_class_t class = H5Tget_class(stored);
    size_t size = H5Tget_size(stored);
    if (class < 0 || size == 0)
        return TSR_H5_FAIL(err, TSR_ERR_FORMAT, file, object, "has a damaged type");
    if (class != H5T_INTEGER && class != H5T_FLOAT)
        return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object,
                          "holds %s; expected integers or floats", tsr_h5_class_name(class));
    if (tsr_h5_number_type(stored, out)) return TSR_OK;
    return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object,
                      "holds numbers of %zu bytes; at most 8 are read", size);
}

/* ---- shapes ---------------------------------------------------------------------------------- */

#define SHAPE_TEXT (TSR_H5_MAX_RANK * 21 + 3)

static const char *shape_text(char text[SHAPE_TEXT], size_t rank, const size_t *dims) {
    size_t at = (size_t)snprintf(text, SHAPE_TEXT, "[");
    for (size_t i = 0; i < rank; i++)
        at += (size_t)snprintf(text + at, SHAPE_TEXT - at, "%s%zu", i ? "," : "", dims[i]);
    (void)snprintf(text + at, SHAPE_TEXT - at, "]");
    return text;
}

/* Number of elements of the dimensions from `first` on; false on overflow. */
static bool count_elements(size_t first, size_t rank, const size_t *dims, size_t *out) {
    size_t n = 1;
    *out = 0;
    for (size_t i = first; i < rank; i++)
        if (__builtin_mul_overflow(n, dims[i], &n)) return false;
    *out = n;
    return n <= SIZE_MAX / 16;
}

static void to_hsize(size_t rank, const size_t *dims, hsize_t *out) {
    for (size_t i = 0; i < rank; i++)
        out[i] = dims[i];
}

static enum tsr_status check_rank(const struct tsr_h5 *file, const char *object, size_t rank,
                                  size_t least, struct tsr_error *err) {
    if (*object == '/' && rank >= least && rank <= TSR_H5_MAX_RANK) return TSR_OK;
    return TSR_H5_BAD(err, TSR_ERR_ARGUMENT, file, object,
                      "cannot have rank %zu and that name; ranks are %zu..%d, names begin with /",
                      rank, least, TSR_H5_MAX_RANK);
}

/* ---- the open dataset ------------------------------------------------------------------------ */

static enum tsr_status get_shape(const struct tsr_h5 *file, const char *object, hid_t space,
                                 struct tsr_h5_dataset *dataset, struct tsr_error *err) {
    hsize_t dims[H5S_MAX_RANK];
    int rank = H5Sget_simple_extent_ndims(space);
    if (rank < 0 || H5Sget_simple_extent_dims(space, dims, NULL) < 0)
        return TSR_H5_FAIL(err, TSR_ERR_FORMAT, file, object, "has a damaged shape");
    if (H5Sget_simple_extent_type(space) == H5S_NULL)
        return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object, "is empty (it has no shape)");
    if (rank > TSR_H5_MAX_RANK)
        return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object, "has rank %d; at most %d is read",
                          rank, TSR_H5_MAX_RANK);
    dataset->rank = (size_t)rank;
    for (int i = 0; i < rank; i++) {
        if (dims[i] > SIZE_MAX)
            return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object, "is too large for this machine");
        dataset->dims[i] = (size_t)dims[i];
    }
    size_t elements;
    if (!count_elements(0, dataset->rank, dataset->dims, &elements)) {
        char text[SHAPE_TEXT];
        return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object, "has shape %s, which is too large",
                          shape_text(text, dataset->rank, dataset->dims));
    }
    return TSR_OK;
}

static enum tsr_status open_dataset(struct tsr_h5 *file, const char *object, bool blobs,
                                    struct tsr_h5_dataset *out, struct tsr_error *err) {
    enum tsr_status status;
    hid_t type = H5I_INVALID_HID, space = H5I_INVALID_HID;
    *out = (struct tsr_h5_dataset){.id = H5I_INVALID_HID, .blobs = blobs};
    TSR_CHECK(tsr_h5_open_guarded(file, object, &out->id, &out->storage, err));
    type = H5Dget_type(out->id);
    space = H5Dget_space(out->id);
    if (type < 0 || space < 0) {
        status = TSR_H5_FAIL(err, TSR_ERR_FORMAT, file, object, "cannot be opened");
        goto done;
    }
    if (!blobs || !tsr_h5_is_blob(type)) TSR_CHECK(classify(file, object, type, &out->type, err));
    TSR_CHECK(get_shape(file, object, space, out, err));
    out->name = strdup(object);
    if (!out->name) status = TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, object, "cannot be opened");
done:
    status = tsr_h5_close_id(file, object, type, status, err);
    status = tsr_h5_close_id(file, object, space, status, err);
    if (status != TSR_OK) {
        (void)tsr_h5_close_id(file, object, out->id, status, NULL);
        free(out->name);
        tsr_h5_storage_clear(&out->storage);
        *out = (struct tsr_h5_dataset){.id = H5I_INVALID_HID};
    }
    return status;
}

enum tsr_h5_kind tsr_h5_glance(struct tsr_h5 *file, const char *object, size_t *rank) {
    struct tsr_h5_entry entry;
    tsr_h5_look(file, object, &entry);
    *rank = entry.rank;
    return entry.kind;
}

/* Makes `object` the recent dataset. */
static enum tsr_status use_as(struct tsr_h5 *file, const char *object, bool blobs,
                              struct tsr_error *err) {
    const struct tsr_h5_dataset *recent = &file->recent;
    if (recent->name && strcmp(recent->name, object) == 0 && recent->blobs == blobs) return TSR_OK;
    struct tsr_h5_dataset dataset = file->earlier;
    if (!dataset.name || strcmp(dataset.name, object) != 0 || dataset.blobs != blobs) {
        TSR_TRY(tsr_h5_close_dataset(file, &file->earlier, err));
        TSR_TRY(open_dataset(file, object, blobs, &dataset, err));
    }
    file->earlier = file->recent;
    file->recent = dataset;
    return TSR_OK;
}

static enum tsr_status use(struct tsr_h5 *file, const char *object, struct tsr_error *err) {
    return use_as(file, object, false, err);
}

static enum tsr_status shape(struct tsr_h5 *file, const char *object, size_t *rank, size_t *dims,
                             enum tsr_h5_type *type, struct tsr_error *err) {
    TSR_TRY(use(file, object, err));
    *rank = file->recent.rank;
    memcpy(dims, file->recent.dims, sizeof file->recent.dims);
    if (type) *type = file->recent.type;
    return TSR_OK;
}

enum tsr_status tsr_h5_shape(struct tsr_h5 *file, const char *object, size_t *rank, size_t *dims,
                             enum tsr_h5_type *type, struct tsr_error *err) {
    TSR_H5_READING(file, err, shape(file, object, rank, dims, type, err));
}

static enum tsr_status chunks(struct tsr_h5 *file, const char *object, struct tsr_h5_chunks *out,
                              struct tsr_error *err) {
    *out = (struct tsr_h5_chunks){0};
    TSR_TRY(use(file, object, err));
    const struct tsr_h5_dataset *d = &file->recent;
    if (!d->storage.chunked) return TSR_OK;
    memcpy(out->extent, d->storage.chunk, sizeof out->extent);
    out->bytes = d->storage.chunk_bytes;
    out->deflated = d->storage.deflated;
    out->rows = d->storage.rows;
    out->cached = d->storage.rows > 0 && d->storage.rows == d->storage.across[0];
    return TSR_OK;
}

enum tsr_status tsr_h5_chunks(struct tsr_h5 *file, const char *object, struct tsr_h5_chunks *out,
                              struct tsr_error *err) {
    TSR_H5_READING(file, err, chunks(file, object, out, err));
}

/* ---- reading --------------------------------------------------------------------------------- */

static enum tsr_status check_floats(const struct tsr_h5 *file, const char *object,
                                    enum tsr_h5_type type, struct tsr_error *err) {
    if (!type_infos[file->recent.type].is_float || type_infos[type].is_float) return TSR_OK;
    return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object, "holds floats; expected integers (%s)",
                      type_infos[type].name);
}

static enum tsr_status check_expected(const struct tsr_h5 *file, const char *object,
                                      enum tsr_h5_type type, size_t rank, const size_t *dims,
                                      struct tsr_error *err) {
    const struct tsr_h5_dataset *found = &file->recent;
    char have[SHAPE_TEXT], want[SHAPE_TEXT];
    bool same = found->rank == rank;
    for (size_t i = 0; i < rank && same; i++)
        same = found->dims[i] == dims[i];
    if (!same)
        return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object, "has shape %s; expected %s",
                          shape_text(have, found->rank, found->dims), shape_text(want, rank, dims));
    return check_floats(file, object, type, err);
}

/* HDF5 replaces a value that the wanted type cannot hold by the nearest that it can. Infinity stays
 * infinity in any float. */
static H5T_conv_ret_t refuse_range(H5T_conv_except_t except, hid_t from, hid_t to, void *value,
                                   void *converted, void *data) {
    (void)to;
    (void)converted;
    (void)data;
    if (except != H5T_CONV_EXCEPT_RANGE_HI && except != H5T_CONV_EXCEPT_RANGE_LOW)
        return H5T_CONV_UNHANDLED;
    double number;
    if (H5Tget_class(from) == H5T_FLOAT && H5Tget_size(from) == sizeof number) {
        memcpy(&number, value, sizeof number);
        if (isinf(number)) return H5T_CONV_UNHANDLED;
    }
    return H5T_CONV_ABORT;
}

static enum tsr_status read_selected(const struct tsr_h5 *file, const char *object,
                                     enum tsr_h5_type type, hid_t memory, hid_t selection,
                                     void *out, struct tsr_error *err) {
    enum tsr_status status = TSR_OK;
    hid_t transfer = H5P_DEFAULT;
    if (type != file->recent.type) {
        transfer = H5Pcreate(H5P_DATASET_XFER);
        if (transfer < 0 || H5Pset_type_conv_cb(transfer, refuse_range, NULL) < 0) {
            status = TSR_H5_FAIL(err, TSR_ERR_NO_MEMORY, file, object, "cannot be read");
            goto done;
        }
    }
    if (H5Dread(file->recent.id, memory_type(type), memory, selection, transfer, out) < 0)
        status = TSR_H5_FAIL(err, tsr_h5_fault(file), file, object, "cannot be read as %s",
                             type_infos[type].name);
done:
    if (transfer != H5P_DEFAULT) status = tsr_h5_close_id(file, object, transfer, status, err);
    return status;
}

static enum tsr_status check_box(const struct tsr_h5 *file, const char *object, const size_t *start,
                                 const size_t *count, struct tsr_error *err) {
    const struct tsr_h5_dataset *d = &file->recent;
    return tsr_h5_check_chunks(file, object, d->id, &d->storage, d->rank, start, count, err);
}

static enum tsr_status read_whole(struct tsr_h5 *file, const char *object, enum tsr_h5_type type,
                                  size_t rank, const size_t *dims, void *out,
                                  struct tsr_error *err) {
    size_t elements = 0;
    TSR_TRY(check_rank(file, object, rank, 0, err));
    TSR_TRY(use(file, object, err));
    TSR_TRY(check_expected(file, object, type, rank, dims, err));
    (void)count_elements(0, rank, dims, &elements); /* checked when it was opened */
    if (elements == 0) return TSR_OK;
    const size_t start[TSR_H5_MAX_RANK] = {0};
    TSR_TRY(check_box(file, object, start, dims, err));
    return read_selected(file, object, type, H5S_ALL, H5S_ALL, out, err);
}

enum tsr_status tsr_h5_read(struct tsr_h5 *file, const char *object, enum tsr_h5_type type,
                            size_t rank, const size_t *dims, void *out, struct tsr_error *err) {
    TSR_H5_READING(file, err, read_whole(file, object, type, rank, dims, out, err));
}

/* Selects a box in the file, and gives the space of as many values in memory. */
static enum tsr_status select_box(const struct tsr_h5 *file, const char *object,
                                  const size_t *start, const size_t *count, hid_t *selection,
                                  hid_t *memory, struct tsr_error *err) {
    const struct tsr_h5_dataset *dataset = &file->recent;
    hsize_t from[TSR_H5_MAX_RANK], extents[TSR_H5_MAX_RANK];
    to_hsize(dataset->rank, start, from);
    to_hsize(dataset->rank, count, extents);
    *memory = H5Screate_simple((int)dataset->rank, extents, NULL);
    *selection = H5Dget_space(dataset->id);
    if (*memory < 0 || *selection < 0 ||
        H5Sselect_hyperslab(*selection, H5S_SELECT_SET, from, NULL, extents, NULL) < 0)
        return TSR_H5_FAIL(err, tsr_h5_fault(file), file, object, "cannot select a part");
    return TSR_OK;
}

/* The recent dataset's. */
static enum tsr_status read_box(const struct tsr_h5 *file, const char *object,
                                enum tsr_h5_type type, const size_t *start, const size_t *count,
                                void *out, struct tsr_error *err) {
    hid_t selection = H5I_INVALID_HID, memory = H5I_INVALID_HID;
    enum tsr_status status;
    TSR_CHECK(check_box(file, object, start, count, err));
    TSR_CHECK(select_box(file, object, start, count, &selection, &memory, err));
    status = read_selected(file, object, type, memory, selection, out, err);
done:
    status = tsr_h5_close_id(file, object, selection, status, err);
    return tsr_h5_close_id(file, object, memory, status, err);
}

static enum tsr_status read_any_box(struct tsr_h5 *file, const char *object, enum tsr_h5_type type,
                                    size_t rank, const size_t *start, const size_t *count,
                                    void *out, struct tsr_error *err) {
    const struct tsr_h5_dataset *found = &file->recent;
    char have[SHAPE_TEXT], want[SHAPE_TEXT];
    TSR_TRY(check_rank(file, object, rank, 1, err));
    TSR_TRY(use(file, object, err));
    TSR_TRY(check_floats(file, object, type, err));
    bool inside = found->rank == rank, empty = false;
    for (size_t i = 0; i < rank && inside; i++) {
        inside = start[i] <= found->dims[i] && count[i] <= found->dims[i] - start[i];
        empty = empty || count[i] == 0;
    }
    if (!inside)
        return TSR_H5_BAD(
            err, TSR_ERR_ARGUMENT, file, object, "has shape %s; there is no part of shape %s there",
            shape_text(have, found->rank, found->dims), shape_text(want, rank, count));
    return empty ? TSR_OK : read_box(file, object, type, start, count, out, err);
}

/* ---- reading a chunk ------------------------------------------------------------------------- */

/* A chunk as it lies in the file, for whoever unpacks it without HDF5. */
struct packed {
    unsigned char *bytes; /* [stored]; NULL: it has to be read by HDF5 */
    size_t stored;
    uint32_t mask; /* of filters that were not applied */
    struct tsr_h5_storage storage;
};

#if H5_VERSION_GE(1, 10, 3)
/* Bytes, in one chunk that is the box, are unpacked here; so are bytes to 16 bits. */
static bool can_unpack(const struct tsr_h5_dataset *d, enum tsr_h5_type type, size_t rank,
                       const size_t *start, const size_t *count) {
    bool can = d->rank == rank && d->storage.n_filters > 0 && d->type == TSR_H5_U8 &&
               (type == TSR_H5_U8 || type == TSR_H5_U16);
    for (size_t i = 0; i < rank && can; i++)
        can = count[i] == d->storage.chunk[i] && start[i] % count[i] == 0 &&
              count[i] <= d->dims[i] && start[i] <= d->dims[i] - count[i];
    return can;
}

static enum tsr_status take_packed(struct tsr_h5 *file, const char *object, enum tsr_h5_type type,
                                   size_t rank, const size_t *start, const size_t *count,
                                   struct packed *out, struct tsr_error *err) {
    hsize_t at[TSR_H5_MAX_RANK];
    TSR_TRY(check_rank(file, object, rank, 1, err));
    TSR_TRY(use(file, object, err));
    const struct tsr_h5_dataset *d = &file->recent;
    if (file->writing || !can_unpack(d, type, rank, start, count)) return TSR_OK;
    to_hsize(rank, start, at);
    out->storage = d->storage;
    TSR_TRY(tsr_h5_chunk_stored(file, object, d->id, &d->storage, at, &out->stored, err));
    out->bytes = malloc(out->stored);
    if (!out->bytes)
        return TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, object, "needs %zu bytes", out->stored);
    if (H5Dread_chunk(d->id, H5P_DEFAULT, at, &out->mask, out->bytes) >= 0) return TSR_OK;
    free(out->bytes); /* HDF5 will say what is wrong */
    out->bytes = NULL;
    return TSR_OK;
}
#else
static enum tsr_status take_packed(struct tsr_h5 *file, const char *object, enum tsr_h5_type type,
                                   size_t rank, const size_t *start, const size_t *count,
                                   struct packed *out, struct tsr_error *err) {
    (void)file, (void)object, (void)type, (void)rank, (void)start, (void)count;
    (void)out, (void)err;
    return TSR_OK;
}
#endif

static enum tsr_status lock_and_take(struct tsr_h5 *file, const char *object, enum tsr_h5_type type,
                                     size_t rank, const size_t *start, const size_t *count,
                                     struct packed *out, struct tsr_error *err) {
    TSR_H5_READING(file, err, take_packed(file, object, type, rank, start, count, out, err));
}

/* The values of bytes as 16 bits, in place: from the last to the first. */
static void widen(void *values, size_t n) {
    const unsigned char *narrow = values;
    uint16_t *wide = values;
    for (size_t i = n; i-- > 0;)
        wide[i] = narrow[i];
}

/* Reads a box that is a chunk, HDF5 doing only what it must, while others may read. *done is false
 * where it has to be read by HDF5, which also says what is wrong with it. */
static enum tsr_status read_chunk(struct tsr_h5 *file, const char *object, enum tsr_h5_type type,
                                  size_t rank, const size_t *start, const size_t *count, void *out,
                                  bool *done, struct tsr_error *err) {
    struct packed packed = {0};
    enum tsr_status status = lock_and_take(file, object, type, rank, start, count, &packed, err);
    *done = status == TSR_OK && packed.bytes &&
            tsr_h5_unpack(&packed.storage, packed.mask, packed.bytes, packed.stored, out);
    if (*done && type == TSR_H5_U16) widen(out, packed.storage.chunk_bytes);
    free(packed.bytes);
    return status;
}

enum tsr_status tsr_h5_read_box(struct tsr_h5 *file, const char *object, enum tsr_h5_type type,
                                size_t rank, const size_t *start, const size_t *count, void *out,
                                struct tsr_error *err) {
    bool done;
    TSR_TRY(read_chunk(file, object, type, rank, start, count, out, &done, err));
    if (done) return TSR_OK;
    TSR_H5_READING(file, err, read_any_box(file, object, type, rank, start, count, out, err));
}

static enum tsr_status read_item(struct tsr_h5 *file, const char *object, enum tsr_h5_type type,
                                 size_t rank, const size_t *dims, size_t index, void *out,
                                 struct tsr_error *err) {
    size_t start[TSR_H5_MAX_RANK] = {index}, count[TSR_H5_MAX_RANK], elements = 0;
    TSR_TRY(check_rank(file, object, rank, 1, err));
    TSR_TRY(use(file, object, err));
    TSR_TRY(check_expected(file, object, type, rank, dims, err));
    if (index >= dims[0])
        return TSR_H5_BAD(err, TSR_ERR_ARGUMENT, file, object, "has %zu items; there is no %zu",
                          dims[0], index);
    (void)count_elements(1, rank, dims, &elements);
    if (elements == 0) return TSR_OK;
    memcpy(count, dims, rank * sizeof *count);
    count[0] = 1;
    enum tsr_status status = read_box(file, object, type, start, count, out, err);
    if (status != TSR_OK) tsr_error_prefix(err, "item %zu", index);
    return status;
}

enum tsr_status tsr_h5_read_item(struct tsr_h5 *file, const char *object, enum tsr_h5_type type,
                                 size_t rank, const size_t *dims, size_t index, void *out,
                                 struct tsr_error *err) {
    bool done = false;
    size_t start[TSR_H5_MAX_RANK] = {index}, count[TSR_H5_MAX_RANK] = {1};
    for (size_t i = 1; i < rank && i < TSR_H5_MAX_RANK; i++)
        count[i] = dims[i];
    if (rank >= 1 && rank <= TSR_H5_MAX_RANK && index < dims[0]) {
        enum tsr_status status =
            read_chunk(file, object, type, rank, start, count, out, &done, err);
        if (status != TSR_OK) tsr_error_prefix(err, "item %zu", index);
        if (status != TSR_OK || done) return status;
    }
    TSR_H5_READING(file, err, read_item(file, object, type, rank, dims, index, out, err));
}

/* ---- strings of bytes ------------------------------------------------------------------------ */

/* More than any image file that is read has. */
#define LONGEST_BLOB ((size_t)INT32_MAX)

static enum tsr_status take_blob(const struct tsr_h5 *file, const char *object, const hvl_t *found,
                                 unsigned char **bytes, size_t *size, struct tsr_error *err) {
    if (found->len > LONGEST_BLOB || (found->len > 0 && !found->p))
        return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object, "has an item of %zu bytes",
                          found->len);
    *bytes = malloc(found->len + 1);
    if (!*bytes)
        return TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, object, "needs %zu bytes", found->len);
    if (found->len > 0) memcpy(*bytes, found->p, found->len);
    *size = found->len;
    return TSR_OK;
}

static enum tsr_status read_blob(struct tsr_h5 *file, const char *object, size_t index,
                                 unsigned char **bytes, size_t *size, struct tsr_error *err) {
    enum tsr_status status;
    hid_t type = H5I_INVALID_HID, selection = H5I_INVALID_HID, memory = H5I_INVALID_HID;
    const size_t count = 1;
    hvl_t found = {0};
    TSR_CHECK(use_as(file, object, true, err));
    if (file->recent.rank != 1 || index >= file->recent.dims[0]) {
        status = TSR_H5_BAD(err, TSR_ERR_ARGUMENT, file, object, "has no item %zu", index);
        goto done;
    }
    TSR_CHECK(check_box(file, object, &index, &count, err));
    TSR_CHECK(select_box(file, object, &index, &count, &selection, &memory, err));
    type = H5Tvlen_create(H5T_NATIVE_UINT8);
    if (type < 0 || H5Dread(file->recent.id, type, memory, selection, H5P_DEFAULT, &found) < 0)
        status = TSR_H5_FAIL(err, tsr_h5_fault(file), file, object, "cannot be read");
    else
        status = take_blob(file, object, &found, bytes, size, err);
    if (found.p) (void)H5free_memory(found.p);
    if (status != TSR_OK) tsr_error_prefix(err, "item %zu", index);
done:
    status = tsr_h5_close_id(file, object, type, status, err);
    status = tsr_h5_close_id(file, object, selection, status, err);
    return tsr_h5_close_id(file, object, memory, status, err);
}

enum tsr_status tsr_h5_read_blob(struct tsr_h5 *file, const char *object, size_t index,
                                 unsigned char **bytes, size_t *size, struct tsr_error *err) {
    TSR_H5_READING(file, err, read_blob(file, object, index, bytes, size, err));
}

/* ---- writing --------------------------------------------------------------------------------- */

#define LARGEST_ITEM UINT32_MAX /* bytes; a limit of HDF5 on chunks */
#define CHUNK_BYTES ((size_t)256 << 10)
#define SCALARS_IN_CHUNK ((size_t)8192) /* of an array that grows by single numbers */
/* What lies in the header of its object: HDF5 allows nearly 64 KiB. */
#define COMPACT_BYTES ((size_t)32 << 10)
#define WORTH_DEFLATING ((size_t)1 << 10)

enum tsr_status tsr_h5_set_filters(const struct tsr_h5 *file, const char *object, hid_t properties,
                                   int deflate, struct tsr_error *err) {
    if (deflate > 0 && H5Zfilter_avail(H5Z_FILTER_DEFLATE) <= 0)
        return TSR_H5_BAD(err, TSR_ERR_UNSUPPORTED, file, object,
                          "cannot be compressed: this HDF5 library has no deflate");
    if ((deflate > 0 &&
         (H5Pset_shuffle(properties) < 0 || H5Pset_deflate(properties, (unsigned)deflate) < 0)) ||
        H5Pset_fletcher32(properties) < 0)
        return TSR_H5_FAIL(err, TSR_ERR_IO, file, object, "cannot be created");
    return TSR_OK;
}

/* Chunks of an array that grows: an item each. */
static enum tsr_status item_chunk(const struct tsr_h5 *file, const char *object,
                                  enum tsr_h5_type type, size_t rank, const size_t *dims,
                                  hsize_t *extents, struct tsr_error *err) {
    size_t elements;
    to_hsize(rank, dims, extents);
    extents[0] = rank > 1 ? 1 : SCALARS_IN_CHUNK;
    if (count_elements(1, rank, dims, &elements) && elements > 0 &&
        elements <= LARGEST_ITEM / type_infos[type].size)
        return TSR_OK;
    return TSR_H5_BAD(err, TSR_ERR_UNSUPPORTED, file, object,
                      "has items of %zu numbers; HDF5 stores items of 1 to 2^32-1 bytes", elements);
}

/* Chunks of an array that is written whole: as many of the last dimensions as fit. */
static void whole_chunk(enum tsr_h5_type type, size_t rank, const size_t *dims, hsize_t *extents) {
    size_t room = CHUNK_BYTES / type_infos[type].size;
    for (size_t i = rank; i-- > 0;) {
        size_t n = dims[i] < room ? dims[i] : room;
        extents[i] = n;
        room = n > 0 && n < room ? room / n : 1;
    }
}

/* Creates a dataset in `space`, in chunks of these extents; NULL: in the header of the object. */
static enum tsr_status create_dataset(struct tsr_h5 *file, const char *object,
                                      enum tsr_h5_type type, size_t rank, hid_t space,
                                      const hsize_t *chunk, int deflate, hid_t *out,
                                      struct tsr_error *err) {
    enum tsr_status status;
    hid_t properties = H5I_INVALID_HID;
    *out = H5I_INVALID_HID;
    TSR_CHECK(tsr_h5_make_parents(file, object, err));
    properties = H5Pcreate(H5P_DATASET_CREATE);
    /* Without times the same data give the same file. */
    if (properties < 0 || H5Pset_obj_track_times(properties, false) < 0 ||
        (chunk ? H5Pset_chunk(properties, (int)rank, chunk)
               : H5Pset_layout(properties, H5D_COMPACT)) < 0) {
        status = TSR_H5_FAIL(err, TSR_ERR_IO, file, object, "cannot be created");
        goto done;
    }
    if (chunk) TSR_CHECK(tsr_h5_set_filters(file, object, properties, deflate, err));
    *out =
        H5Dcreate2(file->id, object, file_type(type), space, H5P_DEFAULT, properties, H5P_DEFAULT);
    if (*out < 0) status = TSR_H5_FAIL(err, TSR_ERR_IO, file, object, "cannot be created");
done:
    return tsr_h5_close_id(file, object, properties, status, err);
}

static enum tsr_status check_writing(const struct tsr_h5 *file, const char *object, size_t rank,
                                     size_t least, int deflate, struct tsr_error *err) {
    TSR_TRY(tsr_h5_check_writable(file, object, err));
    TSR_TRY(check_rank(file, object, rank, least, err));
    if (deflate >= 0 && deflate <= 9) return TSR_OK;
    return TSR_H5_BAD(err, TSR_ERR_ARGUMENT, file, object, "deflate is %d; levels are 0..9",
                      deflate);
}

static enum tsr_status write_whole(struct tsr_h5 *file, const char *object, enum tsr_h5_type type,
                                   size_t rank, const size_t *dims, const void *data, int deflate,
                                   struct tsr_error *err) {
    enum tsr_status status;
    hid_t space = H5I_INVALID_HID, dataset = H5I_INVALID_HID;
    hsize_t extents[TSR_H5_MAX_RANK], chunk[TSR_H5_MAX_RANK];
    size_t elements;
    TSR_CHECK(check_writing(file, object, rank, 0, deflate, err));
    if (!count_elements(0, rank, dims, &elements)) {
        status = TSR_H5_BAD(err, TSR_ERR_ARGUMENT, file, object, "has too many elements");
        goto done;
    }
    to_hsize(rank, dims, extents);
    space = rank ? H5Screate_simple((int)rank, extents, NULL) : H5Screate(H5S_SCALAR);
    if (space < 0) {
        status = TSR_H5_FAIL(err, TSR_ERR_IO, file, object, "cannot be created");
        goto done;
    }
    size_t bytes = elements * type_infos[type].size;
    bool compact = bytes <= (deflate > 0 ? WORTH_DEFLATING : COMPACT_BYTES);
    if (!compact) whole_chunk(type, rank, dims, chunk);
    TSR_CHECK(create_dataset(file, object, type, rank, space, compact ? NULL : chunk, deflate,
                             &dataset, err));
    if (elements > 0 &&
        H5Dwrite(dataset, memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, data) < 0)
        status = TSR_H5_FAIL(err, TSR_ERR_IO, file, object, "cannot be written");
done:
    status = tsr_h5_close_id(file, object, space, status, err);
    return tsr_h5_close_id(file, object, dataset, status, err);
}

enum tsr_status tsr_h5_write(struct tsr_h5 *file, const char *object, enum tsr_h5_type type,
                             size_t rank, const size_t *dims, const void *data, int deflate,
                             struct tsr_error *err) {
    TSR_H5_WRITING(file, err, write_whole(file, object, type, rank, dims, data, deflate, err));
}

static enum tsr_status create_growing(struct tsr_h5 *file, const char *object,
                                      enum tsr_h5_type type, size_t rank, const size_t *dims,
                                      int deflate, struct tsr_error *err) {
    enum tsr_status status;
    hid_t space = H5I_INVALID_HID, dataset = H5I_INVALID_HID;
    hsize_t extents[TSR_H5_MAX_RANK], most[TSR_H5_MAX_RANK], chunk[TSR_H5_MAX_RANK];
    TSR_CHECK(check_writing(file, object, rank, 1, deflate, err));
    TSR_CHECK(item_chunk(file, object, type, rank, dims, chunk, err));
    to_hsize(rank, dims, extents);
    to_hsize(rank, dims, most);
    extents[0] = 0;
    most[0] = H5S_UNLIMITED;
    space = H5Screate_simple((int)rank, extents, most);
    if (space < 0) {
        status = TSR_H5_FAIL(err, TSR_ERR_IO, file, object, "cannot be created");
        goto done;
    }
    status = create_dataset(file, object, type, rank, space, chunk, deflate, &dataset, err);
done:
    status = tsr_h5_close_id(file, object, space, status, err);
    return tsr_h5_close_id(file, object, dataset, status, err);
}

enum tsr_status tsr_h5_create_growing(struct tsr_h5 *file, const char *object,
                                      enum tsr_h5_type type, size_t rank, const size_t *dims,
                                      int deflate, struct tsr_error *err) {
    TSR_H5_WRITING(file, err, create_growing(file, object, type, rank, dims, deflate, err));
}

/* Makes `object` the recent dataset, with room for n items more, the first of which is *first. */
static enum tsr_status grow(struct tsr_h5 *file, const char *object, size_t n, size_t *first,
                            struct tsr_error *err) {
    hsize_t extents[TSR_H5_MAX_RANK];
    TSR_TRY(tsr_h5_check_writable(file, object, err));
    TSR_TRY(use(file, object, err));
    struct tsr_h5_dataset *dataset = &file->recent;
    *first = dataset->rank ? dataset->dims[0] : 0;
    if (n == 0) return TSR_OK;
    to_hsize(dataset->rank, dataset->dims, extents);
    extents[0] = *first + n;
    if (dataset->rank == 0 || H5Dset_extent(dataset->id, extents) < 0)
        return TSR_H5_FAIL(err, TSR_ERR_IO, file, object, "cannot grow to %zu items", *first + n);
    dataset->dims[0] = *first + n;
    return TSR_OK;
}

/* Items of the recent dataset, of `type` in memory. */
static enum tsr_status write_items(const struct tsr_h5 *file, const char *object, size_t first,
                                   size_t n, hid_t type, const void *data, struct tsr_error *err) {
    enum tsr_status status;
    const struct tsr_h5_dataset *dataset = &file->recent;
    hid_t selection = H5I_INVALID_HID, memory = H5I_INVALID_HID;
    size_t start[TSR_H5_MAX_RANK] = {first}, count[TSR_H5_MAX_RANK];
    memcpy(count, dataset->dims, sizeof count);
    count[0] = n;
    TSR_CHECK(select_box(file, object, start, count, &selection, &memory, err));
    if (H5Dwrite(dataset->id, type, memory, selection, H5P_DEFAULT, data) < 0)
        status = TSR_H5_FAIL(err, TSR_ERR_IO, file, object, "cannot be written");
done:
    status = tsr_h5_close_id(file, object, selection, status, err);
    return tsr_h5_close_id(file, object, memory, status, err);
}

static enum tsr_status append(struct tsr_h5 *file, const char *object, enum tsr_h5_type type,
                              size_t n_items, const void *data, struct tsr_error *err) {
    size_t first;
    TSR_TRY(grow(file, object, n_items, &first, err));
    if (n_items == 0) return TSR_OK;
    return write_items(file, object, first, n_items, memory_type(type), data, err);
}

enum tsr_status tsr_h5_append(struct tsr_h5 *file, const char *object, enum tsr_h5_type type,
                              size_t n_items, const void *data, struct tsr_error *err) {
    TSR_H5_WRITING(file, err, append(file, object, type, n_items, data, err));
}

#if H5_VERSION_GE(1, 10, 3)
static enum tsr_status write_item(const struct tsr_h5 *file, const char *object, size_t index,
                                  const struct tsr_h5_item *item, struct tsr_error *err) {
    const hsize_t at[TSR_H5_MAX_RANK] = {index};
    if (H5Dwrite_chunk(file->recent.id, H5P_DEFAULT, 0, at, item->size, item->bytes) < 0)
        return TSR_H5_FAIL(err, TSR_ERR_IO, file, object, "cannot be written");
    return TSR_OK;
}
#else
/* HDF5 takes values only. */
static enum tsr_status write_item(const struct tsr_h5 *file, const char *object, size_t index,
                                  const struct tsr_h5_item *item, struct tsr_error *err) {
    const struct tsr_h5_dataset *d = &file->recent;
    unsigned char *values = malloc(d->storage.chunk_bytes);
    enum tsr_status status;
    if (values && tsr_h5_unpack(&d->storage, 0, item->bytes, item->size, values))
        status = write_items(file, object, index, 1, file_type(d->type), values, err);
    else
        status = TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, object, "needs %zu bytes",
                            d->storage.chunk_bytes);
    free(values);
    return status;
}
#endif

static enum tsr_status append_item(struct tsr_h5 *file, const char *object,
                                   const struct tsr_h5_item *item, struct tsr_error *err) {
    size_t index;
    TSR_TRY(grow(file, object, 1, &index, err));
    return write_item(file, object, index, item, err);
}

enum tsr_status tsr_h5_append_item(struct tsr_h5 *file, const char *object,
                                   const struct tsr_h5_item *item, struct tsr_error *err) {
    TSR_H5_WRITING(file, err, append_item(file, object, item, err));
}
