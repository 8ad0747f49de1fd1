/* SPDX-License-Identifier: MIT
 *
 * What the files h5*.c share. Besides h5_driver.h the only header that includes hdf5.h.
 */
#ifndef TSR_DATA_H5_INTERNAL_H
#define TSR_DATA_H5_INTERNAL_H

#include <hdf5.h>

#include "data/h5.h"
#include "data/h5_driver.h"

#define TSR_H5_FILTERS 3 /* that are read: deflate, shuffle, fletcher32 */

/* How the values of a dataset lie in the file. */
struct tsr_h5_storage {
    bool chunked, deflated;
    size_t chunk[TSR_H5_MAX_RANK];  /* extents of a chunk */
    size_t across[TSR_H5_MAX_RANK]; /* chunks along each axis */
    size_t chunk_bytes;             /* of its values */
    size_t value_bytes;             /* of one of them */
    size_t cache;                   /* bytes of the dataset's cache; 0: as HDF5 has it */
    size_t rows; /* rows of chunks, along the first axis, that stay in it; 0: not known */
    unsigned char *harmless; /* a bit for each chunk, owned: it was seen to inflate to no more than
                                its size; NULL: that is not kept */
    unsigned n_filters;
    H5Z_filter_t filter[TSR_H5_FILTERS]; /* in the order in which they were applied */
};

struct tsr_h5_strings; /* h5_strings.c: an array of strings that is kept open */

/* The two datasets used last stay open: a training run reads one image after the other, and one
 * label map after the other. */
struct tsr_h5_dataset {
    hid_t id;
    char *name;
    size_t rank;
    size_t dims[TSR_H5_MAX_RANK];
    enum tsr_h5_type type; /* what the file stores: TSR_H5_I64 stands for any signed integer */
    bool blobs;            /* it stores strings of bytes instead */
    struct tsr_h5_storage storage;
};

struct tsr_h5 {
    hid_t id, driver; /* driver: of ours (h5_driver.h), if it has one */
    char *path;
    struct tsr_temp *temp; /* where one being written is; NULL: it is being read or in memory */
    bool in_memory, writing;
    size_t size;  /* of the file that is read, in bytes; 0: not known */
    hid_t access; /* how links are followed and datasets are opened; for any call that asks */
    struct tsr_h5_memory memory; /* of one being written owned, of one being read borrowed */
    int io_error;                /* errno of the first failure to write or read it (h5_driver.h) */
    struct tsr_h5_dataset recent, earlier; /* the one used last, the one used before it */
    struct tsr_h5_strings *strings;        /* NULL: none is open */
};

/* HDF5 prints its errors unless told otherwise. Each public function is one call of another between
 * these two, which also hold the lock of the module: public functions do not call each other. An
 * error is looked at before the second. */
struct tsr_h5_call {
    H5E_auto2_t function;
    void *data;
};
struct tsr_h5_call tsr_h5_enter(void);
void tsr_h5_leave(struct tsr_h5_call call);

#define TSR_H5_QUIETLY(expression)                                                                 \
    do {                                                                                           \
        struct tsr_h5_call tsr_h5_call = tsr_h5_enter();                                           \
        enum tsr_status tsr_h5_status = (expression);                                              \
        tsr_h5_leave(tsr_h5_call);                                                                 \
        return tsr_h5_status;                                                                      \
    } while (0)

/* The same for a call that writes: HDF5 does not see that writing fails, so it is looked up. */
#define TSR_H5_WRITING(h5, err, expression)                                                        \
    TSR_H5_QUIETLY(tsr_h5_written((h5), (expression), (err)))
enum tsr_status tsr_h5_written(const struct tsr_h5 *file, enum tsr_status status,
                               struct tsr_error *err);
/* The same for a call that reads: that something is missing may mean that it could not be read. */
#define TSR_H5_READING(h5, err, expression)                                                        \
    TSR_H5_QUIETLY(tsr_h5_was_read((h5), (expression), (err)))
enum tsr_status tsr_h5_was_read(const struct tsr_h5 *file, enum tsr_status status,
                                struct tsr_error *err);

/* Fills the error with "path: object text" (`object` may be NULL). FAIL follows a call of HDF5 that
 * has just failed, and quotes its innermost message; BAD does not. */
#define TSR_H5_FAIL(err, status, h5, object, ...)                                                  \
    tsr_h5_error(true, (err), (status), (h5), (object), __FILE__, __LINE__, __VA_ARGS__)
#define TSR_H5_BAD(err, status, h5, object, ...)                                                   \
    tsr_h5_error(false, (err), (status), (h5), (object), __FILE__, __LINE__, __VA_ARGS__)
enum tsr_status tsr_h5_error(bool quote, struct tsr_error *err, enum tsr_status status,
                             const struct tsr_h5 *file, const char *object, const char *source,
                             int line, const char *format, ...) TSR_PRINTF(8, 9);

/* What a failed call means: a file being read is damaged, one being written cannot be. */
enum tsr_status tsr_h5_fault(const struct tsr_h5 *file);

/* Closes an identifier of any kind; a negative one is fine. Returns `status`, or if that is TSR_OK
 * and closing failed, an error. */
enum tsr_status tsr_h5_close_id(const struct tsr_h5 *file, const char *object, hid_t id,
                                enum tsr_status status, struct tsr_error *err);

/* Closes one of the datasets that are kept open. */
enum tsr_status tsr_h5_close_dataset(const struct tsr_h5 *file, struct tsr_h5_dataset *dataset,
                                     struct tsr_error *err);
/* Closes the array of strings that is kept open; NULL is fine. */
void tsr_h5_close_strings(struct tsr_h5_strings *strings);

/* ---- types (h5_array.c) ---------------------------------------------------------------------- */

const char *tsr_h5_class_name(H5T_class_t type_class);
/* The type that stands for a stored integer or float; false: too wide, or damaged. */
bool tsr_h5_number_type(hid_t stored, enum tsr_h5_type *out);
/* Strings of bytes, each of its own length. */
bool tsr_h5_is_blob(hid_t stored);

/* ---- what of a file is read (h5_guard.c) ----------------------------------------------------- */

/* Whether there is a link of that name. What it leads to may be damaged, or refused: opening it
 * tells. */
bool tsr_h5_find(const struct tsr_h5 *file, const char *object);
/* The property list file->access: nothing outside the file is opened on the way to an object. */
enum tsr_status tsr_h5_guarded_access(const struct tsr_h5 *file, hid_t *out, struct tsr_error *err);
/* TSR_ERR_FORMAT: the object is missing, or behind a link that is not followed. */
enum tsr_status tsr_h5_check_path(const struct tsr_h5 *file, const char *object,
                                  struct tsr_error *err);
/* Of such a dataset not even the shape is asked for. */
bool tsr_h5_is_virtual(hid_t dataset);
/* Opens a dataset of whatever type, if its values lie in the file itself, pass filters that are
 * known, and could be as many as it claims. */
enum tsr_status tsr_h5_open_guarded(const struct tsr_h5 *file, const char *object, hid_t *out,
                                    struct tsr_h5_storage *storage, struct tsr_error *err);
/* Of `storage`, which is filled whether that succeeds or not. */
void tsr_h5_storage_clear(struct tsr_h5_storage *storage);
/* The bytes of the file that the chunk at `at` takes: it is there, and takes no more than it can.
 */
enum tsr_status tsr_h5_chunk_stored(const struct tsr_h5 *file, const char *object, hid_t dataset,
                                    const struct tsr_h5_storage *storage, const hsize_t *at,
                                    size_t *out, struct tsr_error *err);
/* Before a box of extents count [rank] from start [rank] on is read: each of its chunks is there,
 * and inflates to no more than its size. */
enum tsr_status tsr_h5_check_chunks(const struct tsr_h5 *file, const char *object, hid_t dataset,
                                    const struct tsr_h5_storage *storage, size_t rank,
                                    const size_t *start, const size_t *count,
                                    struct tsr_error *err);
/* Before `count` items of `size` bytes that are stored as they are get memory. */
enum tsr_status tsr_h5_check_size(const struct tsr_h5 *file, const char *object, size_t count,
                                  size_t size, struct tsr_error *err);

/* ---- chunks without HDF5 (h5_chunk.c), any thread ---------------------------------------------
 */

/* The values out [storage->chunk_bytes] of a chunk that lies in the file as bytes [stored]. Filters
 * whose bit is set in `mask` were not applied. False: damaged, or no memory; nothing beyond `out`
 * is written whatever the bytes are. */
bool tsr_h5_unpack(const struct tsr_h5_storage *storage, uint32_t mask, const unsigned char *bytes,
                   size_t stored, unsigned char *out);

/* ---- writing --------------------------------------------------------------------------------- */

/* Makes the groups on the way to an object. */
enum tsr_status tsr_h5_make_parents(const struct tsr_h5 *file, const char *object,
                                    struct tsr_error *err);
/* Makes a group, and those on the way to it. */
enum tsr_status tsr_h5_make_group(const struct tsr_h5 *file, const char *object,
                                  struct tsr_error *err);
/* Adds the filters of chunked arrays to their properties: shuffle and deflate unless it is 0, then
 * a checksum over what is stored. */
enum tsr_status tsr_h5_set_filters(const struct tsr_h5 *file, const char *object, hid_t properties,
                                   int deflate, struct tsr_error *err);

enum tsr_status tsr_h5_check_writable(const struct tsr_h5 *file, const char *object,
                                      struct tsr_error *err);

/* ---- strings (h5_strings.c) ------------------------------------------------------------------ */

/* A string type for reading what is stored as `stored` (a string type): of variable length, or one
 * byte longer than the file's, so that a terminator fits. */
enum tsr_status tsr_h5_string_type(const struct tsr_h5 *file, const char *object, hid_t stored,
                                   hid_t *out, struct tsr_error *err);
/* The type that strings of at most `length` bytes are written as: UTF-8, filled up with zeros. */
enum tsr_status tsr_h5_utf8_type(const struct tsr_h5 *file, const char *object, size_t length,
                                 hid_t *out, struct tsr_error *err);

/* ---- attributes (h5_attr.c) ------------------------------------------------------------------ */

/* "/network@width": how messages name an attribute. Cut if it is longer than any sensible name. */
struct tsr_h5_label {
    char text[256];
};
struct tsr_h5_label tsr_h5_label(const char *object, const char *name);

struct tsr_h5_attribute {
    hid_t id, type;
    H5T_class_t type_class;
    struct tsr_h5_label label;
};
/* Opens an attribute of any shape, whose `*n` values could lie in the file. All to be closed
 * whether this succeeds or not. */
enum tsr_status tsr_h5_open_attribute(struct tsr_h5 *file, const char *object, const char *name,
                                      struct tsr_h5_attribute *out, hid_t *space, size_t *n,
                                      struct tsr_error *err);
enum tsr_status tsr_h5_close_attribute(const struct tsr_h5 *file,
                                       const struct tsr_h5_attribute *attribute,
                                       enum tsr_status status, struct tsr_error *err);
/* Writes one in the place of an old one. */
enum tsr_status tsr_h5_replace_attribute(struct tsr_h5 *file, const char *object, const char *name,
                                         hid_t stored, hid_t given, hid_t space, const void *value,
                                         struct tsr_error *err);

#endif
