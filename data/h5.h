/* SPDX-License-Identifier: MIT
 *
 * HDF5 files for the rest of tessera: typed arrays and attributes by path, errors in words, and
 * files that appear whole or not at all. hdf5.h is seen by data/ only.
 *
 * Writing: tsr_h5_create() opens a temporary file beside the target; tsr_h5_commit() flushes it to
 * the disk and renames it; tsr_h5_close() without a commit removes it. Reading: every read states
 * the shape and type it expects; a mismatch is TSR_ERR_FORMAT with path, object, found and
 * expected. A file is read as if it came from a stranger: what lies outside it (external storage,
 * virtual datasets, links to other files), values that were never written, filters other than
 * deflate, shuffle and fletcher32, and sizes that the file cannot hold are TSR_ERR_FORMAT before
 * anything is allocated.
 *
 * Any thread: HDF5 admits one at a time, and a lock in this module sees to that. One handle is used
 * by one thread at a time.
 */
#ifndef TSR_DATA_H5_H
#define TSR_DATA_H5_H

#include <stdbool.h>

#include "base/status.h"

#define TSR_H5_MAX_RANK 8

struct tsr_h5; /* an open file */

enum tsr_h5_type {
    TSR_H5_U8,
    TSR_H5_U16,
    TSR_H5_U32,
    TSR_H5_I64,
    TSR_H5_U64,
    TSR_H5_F32,
    TSR_H5_F64
};

/* HDF5 cleans up when the process ends, which goes wrong after some damaged files ("infinite loop
 * closing library") and for want of memory. A program that closes its files itself says so before
 * it opens any; a library must not, since others may rely on it. */
TSR_API void tsr_h5_end_quietly(void);

TSR_API enum tsr_status tsr_h5_create(const char *path, struct tsr_h5 **out,
                                      struct tsr_error *err) TSR_MUST_USE;
/* Read-only. Errors: TSR_ERR_IO (missing, unreadable), TSR_ERR_FORMAT (not HDF5, truncated). */
TSR_API enum tsr_status tsr_h5_open(const char *path, struct tsr_h5 **out,
                                    struct tsr_error *err) TSR_MUST_USE;
/* The same in memory; `name` stands for the path in messages. A file in memory is not committed but
 * taken: *bytes [*size] belong to the caller, who frees them. What is read must stay until
 * tsr_h5_close(). */
TSR_API enum tsr_status tsr_h5_create_memory(const char *name, struct tsr_h5 **out,
                                             struct tsr_error *err) TSR_MUST_USE;
TSR_API enum tsr_status tsr_h5_take_memory(struct tsr_h5 *file, void **bytes, size_t *size,
                                           struct tsr_error *err) TSR_MUST_USE;
TSR_API enum tsr_status tsr_h5_open_memory(const char *name, const void *bytes, size_t size,
                                           struct tsr_h5 **out, struct tsr_error *err) TSR_MUST_USE;
/* Flush, fsync, rename; the handle stays valid only for tsr_h5_close(). */
TSR_API enum tsr_status tsr_h5_commit(struct tsr_h5 *file, struct tsr_error *err) TSR_MUST_USE;
/* Accepts NULL. A created file that was not committed is removed. */
TSR_API void tsr_h5_close(struct tsr_h5 *file);
/* The path given to create or open. View. */
TSR_API const char *tsr_h5_path(const struct tsr_h5 *file);

/* Objects are named by absolute path ("/init/layer0/weight"); attributes by the path of their
 * object and their name. Missing intermediate groups are created by the writing calls. */
/* Whether there is a link, or an attribute, of that name. One that is damaged or refused is there:
 * reading it tells. */
TSR_API bool tsr_h5_exists(struct tsr_h5 *file, const char *object);
TSR_API bool tsr_h5_has_attr(struct tsr_h5 *file, const char *object, const char *name);

/* What an object is, without the checks that reading it makes. */
enum tsr_h5_kind {
    TSR_H5_ABSENT,
    TSR_H5_NUMBERS,   /* an array of integers or floats, of rank *rank */
    TSR_H5_BLOBS,     /* an array of strings of bytes, each of its own length */
    TSR_H5_OTHER,     /* a group, or an array of anything else */
    TSR_H5_UNREADABLE /* damaged, or behind a link that is not followed */
};
TSR_API enum tsr_h5_kind tsr_h5_glance(struct tsr_h5 *file, const char *object, size_t *rank);

/* The same of all arrays in a group and below it, in the order of their names. Links are not
 * followed, nor what lies deeper than 16 groups. */
struct tsr_h5_entry {
    const char *path; /* view, absolute */
    enum tsr_h5_kind kind;
    enum tsr_h5_type type; /* of numbers */
    char type_text[32];    /* "uint8", "big-endian float32", "strings" */
    size_t rank, dims[TSR_H5_MAX_RANK];
    bool reversed; /* MATLAB has written it: its axes are in reverse */
};
/* Must not call back into this module; false ends the listing. */
typedef bool (*tsr_h5_entry_fn)(void *user, const struct tsr_h5_entry *entry);
TSR_API enum tsr_status tsr_h5_list(struct tsr_h5 *file, const char *group, tsr_h5_entry_fn fn,
                                    void *user, struct tsr_error *err) TSR_MUST_USE;
/* One of them. kind is TSR_H5_ABSENT, or TSR_H5_OTHER for a group (type_text is "group"). */
TSR_API void tsr_h5_look(struct tsr_h5 *file, const char *object, struct tsr_h5_entry *out);

/* Rank and extents of a dataset. dims [TSR_H5_MAX_RANK], overwritten. `type` (may be NULL) gets the
 * class it is stored in; TSR_ERR_FORMAT for a type that is none of enum tsr_h5_type's kinds. */
TSR_API enum tsr_status tsr_h5_shape(struct tsr_h5 *file, const char *object, size_t *rank,
                                     size_t *dims, enum tsr_h5_type *type,
                                     struct tsr_error *err) TSR_MUST_USE;

/* Reads a whole dataset of exactly this shape into `out`, converted to `type` (any integer or float
 * type is accepted in the file; a float file read as an integer type is an error, and so is a value
 * that `type` cannot hold). */
TSR_API enum tsr_status tsr_h5_read(struct tsr_h5 *file, const char *object, enum tsr_h5_type type,
                                    size_t rank, const size_t *dims, void *out,
                                    struct tsr_error *err) TSR_MUST_USE;
/* Reads item `index` along the first dimension (of extents dims[1..rank-1]). */
TSR_API enum tsr_status tsr_h5_read_item(struct tsr_h5 *file, const char *object,
                                         enum tsr_h5_type type, size_t rank, const size_t *dims,
                                         size_t index, void *out,
                                         struct tsr_error *err) TSR_MUST_USE;

/* Reads the box of extents count [rank] from start [rank] on. */
TSR_API enum tsr_status tsr_h5_read_box(struct tsr_h5 *file, const char *object,
                                        enum tsr_h5_type type, size_t rank, const size_t *start,
                                        const size_t *count, void *out,
                                        struct tsr_error *err) TSR_MUST_USE;
/* String of bytes `index`, of an array of rank 1 of TSR_H5_BLOBS; free(*bytes). */
TSR_API enum tsr_status tsr_h5_read_blob(struct tsr_h5 *file, const char *object, size_t index,
                                         unsigned char **bytes, size_t *size,
                                         struct tsr_error *err) TSR_MUST_USE;

/* The chunks that an array lies in; reading any value of one reads, and inflates, all of it. */
struct tsr_h5_chunks {
    size_t extent[TSR_H5_MAX_RANK]; /* [rank]; zeros: there are no chunks */
    size_t bytes;                   /* of values */
    bool deflated;
    bool cached; /* all of them stay in memory once they have been read, or else */
    size_t rows; /* so many rows of them along the first axis; 0: none need */
};
TSR_API enum tsr_status tsr_h5_chunks(struct tsr_h5 *file, const char *object,
                                      struct tsr_h5_chunks *out,
                                      struct tsr_error *err) TSR_MUST_USE;

/* Creates and writes a dataset. Rank 0 is a scalar. `deflate` 0..9, 0 for none. What is small lies
 * in the structure of the file, whose checksums cover it; what is not, in chunks of some hundred
 * kilobytes, each with a checksum. */
TSR_API enum tsr_status tsr_h5_write(struct tsr_h5 *file, const char *object, enum tsr_h5_type type,
                                     size_t rank, const size_t *dims, const void *data, int deflate,
                                     struct tsr_error *err) TSR_MUST_USE;
/* Creates an empty dataset that grows along its first dimension, chunks of one item of extents
 * dims[1..rank-1] (dims[0] is ignored; of rank 1, a chunk for some thousand numbers), each with a
 * checksum; tsr_h5_append() adds items. */
TSR_API enum tsr_status tsr_h5_create_growing(struct tsr_h5 *file, const char *object,
                                              enum tsr_h5_type type, size_t rank,
                                              const size_t *dims, int deflate,
                                              struct tsr_error *err) TSR_MUST_USE;
TSR_API enum tsr_status tsr_h5_append(struct tsr_h5 *file, const char *object,
                                      enum tsr_h5_type type, size_t n_items, const void *data,
                                      struct tsr_error *err) TSR_MUST_USE;

/* One item of such an array as its file holds it. What is slow about it, the filters, is done by
 * tsr_h5_item_make(), in any thread and without HDF5. Zeros at first. */
struct tsr_h5_item {
    unsigned char *bytes; /* [size], of [room], owned */
    size_t size, room;
};
/* Of n values of `type`, TSR_H5_U8 or TSR_H5_U16, which the array has, too; `deflate` likewise.
 * TSR_ERR_NO_MEMORY. */
TSR_API enum tsr_status tsr_h5_item_make(enum tsr_h5_type type, int deflate, size_t n,
                                         const void *values, struct tsr_h5_item *out,
                                         struct tsr_error *err) TSR_MUST_USE;
TSR_API void tsr_h5_item_clear(struct tsr_h5_item *item);
/* What the file holds is what tsr_h5_append() of its values gives. */
TSR_API enum tsr_status tsr_h5_append_item(struct tsr_h5 *file, const char *object,
                                           const struct tsr_h5_item *item,
                                           struct tsr_error *err) TSR_MUST_USE;

/* Arrays of strings (UTF-8; written with the length of the longest, which is at most 512 KiB;
 * strings of variable length are read, too). Reading all gives one block: `out[i]` point into it;
 * free(out) frees all. */
TSR_API enum tsr_status tsr_h5_write_strings(struct tsr_h5 *file, const char *object, size_t n,
                                             const char *const *strings,
                                             struct tsr_error *err) TSR_MUST_USE;
TSR_API enum tsr_status tsr_h5_read_strings(struct tsr_h5 *file, const char *object, size_t *n,
                                            char ***out, struct tsr_error *err) TSR_MUST_USE;

/* String `index` of exactly n; free(*out). Those around it are kept, as long as no other array of
 * strings is asked for. */
TSR_API enum tsr_status tsr_h5_read_string(struct tsr_h5 *file, const char *object, size_t n,
                                           size_t index, char **out,
                                           struct tsr_error *err) TSR_MUST_USE;

/* The same as an attribute, of 1 to TSR_H5_MAX_ATTR_STRINGS strings: HDF5 keeps attributes within
 * 64 KiB. Any file of others is read with up to 65536; a single string is an array of one. */
#define TSR_H5_MAX_ATTR_STRINGS 4000
TSR_API enum tsr_status tsr_h5_write_attr_strings(struct tsr_h5 *file, const char *object,
                                                  const char *name, size_t n,
                                                  const char *const *strings,
                                                  struct tsr_error *err) TSR_MUST_USE;
TSR_API enum tsr_status tsr_h5_read_attr_strings(struct tsr_h5 *file, const char *object,
                                                 const char *name, size_t *n, char ***out,
                                                 struct tsr_error *err) TSR_MUST_USE;

/* Scalar attributes. Integers and floats are converted; a string attribute is truncated never: too
 * long for `size` is an error. `object` "/" is the file itself. */
TSR_API enum tsr_status tsr_h5_write_attr_i64(struct tsr_h5 *file, const char *object,
                                              const char *name, int64_t value,
                                              struct tsr_error *err) TSR_MUST_USE;
TSR_API enum tsr_status tsr_h5_write_attr_f64(struct tsr_h5 *file, const char *object,
                                              const char *name, double value,
                                              struct tsr_error *err) TSR_MUST_USE;
TSR_API enum tsr_status tsr_h5_write_attr_str(struct tsr_h5 *file, const char *object,
                                              const char *name, const char *value,
                                              struct tsr_error *err) TSR_MUST_USE;
TSR_API enum tsr_status tsr_h5_read_attr_i64(struct tsr_h5 *file, const char *object,
                                             const char *name, int64_t *out,
                                             struct tsr_error *err) TSR_MUST_USE;
TSR_API enum tsr_status tsr_h5_read_attr_f64(struct tsr_h5 *file, const char *object,
                                             const char *name, double *out,
                                             struct tsr_error *err) TSR_MUST_USE;
/* Fixed-length and variable-length strings (both of which h5py writes). out [size], terminated. */
TSR_API enum tsr_status tsr_h5_read_attr_str(struct tsr_h5 *file, const char *object,
                                             const char *name, char *out, size_t size,
                                             struct tsr_error *err) TSR_MUST_USE;

#endif
