/* SPDX-License-Identifier: MIT
 *
 * What h5.c, h5_array.c and h5_attr.c share. The only header that includes hdf5.h.
 */
#ifndef TSR_DATA_H5_INTERNAL_H
#define TSR_DATA_H5_INTERNAL_H

#include <hdf5.h>

#include "data/h5.h"
#include "data/h5_driver.h"

/* The two datasets used last stay open: a training run reads one image after the other, and one
 * label map after the other. */
struct tsr_h5_dataset {
    hid_t id;
    char *name;
    size_t rank;
    size_t dims[TSR_H5_MAX_RANK];
    enum tsr_h5_type type; /* what the file stores: TSR_H5_I64 stands for any signed integer */
};

struct tsr_h5 {
    hid_t id, driver; /* driver: of ours (h5_driver.h), if it has one */
    char *path;
    struct tsr_temp *temp; /* where one being written is; NULL: it is being read or in memory */
    bool in_memory, writing;
    struct tsr_h5_memory memory; /* of one being written owned, of one being read borrowed */
    int write_error;             /* errno of the first failure to write it (h5_driver.h) */
    struct tsr_h5_dataset recent, earlier; /* the one used last, the one used before it */
};

/* HDF5 prints its errors unless told otherwise. Each public function is one call of another between
 * these two, which also hold the lock of the module: public functions do not call each other. An
 * error is looked at before the second. */
struct tsr_h5_mute {
    H5E_auto2_t function;
    void *data;
};
struct tsr_h5_mute tsr_h5_mute(void);
void tsr_h5_unmute(struct tsr_h5_mute mute);

#define TSR_H5_QUIETLY(expression)                                                                 \
    do {                                                                                           \
        struct tsr_h5_mute tsr_h5_muted = tsr_h5_mute();                                           \
        enum tsr_status tsr_h5_status = (expression);                                              \
        tsr_h5_unmute(tsr_h5_muted);                                                               \
        return tsr_h5_status;                                                                      \
    } while (0)

/* The same for a call that writes: HDF5 does not see that writing fails, so it is looked up. */
#define TSR_H5_WRITING(h5, err, expression)                                                        \
    TSR_H5_QUIETLY(tsr_h5_verdict((h5), (expression), (err)))
enum tsr_status tsr_h5_verdict(const struct tsr_h5 *file, enum tsr_status status,
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
enum tsr_status tsr_h5_blame(const struct tsr_h5 *file);

/* Closes an identifier of any kind; a negative one is fine. Returns `status`, or if that is TSR_OK
 * and closing failed, an error. */
enum tsr_status tsr_h5_shut(const struct tsr_h5 *file, const char *object, hid_t id,
                            enum tsr_status status, struct tsr_error *err);

/* Closes one of the datasets that are kept open. */
enum tsr_status tsr_h5_forget(const struct tsr_h5 *file, struct tsr_h5_dataset *dataset,
                              struct tsr_error *err);
bool tsr_h5_find(struct tsr_h5 *file, const char *object);

/* Properties for creating links: missing groups on the way are made. */
enum tsr_status tsr_h5_link_properties(const struct tsr_h5 *file, hid_t *out,
                                       struct tsr_error *err);

enum tsr_status tsr_h5_check_writable(const struct tsr_h5 *file, const char *object,
                                      struct tsr_error *err);

/* A string type for reading what is stored as `stored` (a string type): of variable length, or one
 * byte longer than the file's, so that a terminator fits. */
enum tsr_status tsr_h5_string_type(const struct tsr_h5 *file, const char *object, hid_t stored,
                                   hid_t *out, struct tsr_error *err);
/* The type that strings are written as: variable length, UTF-8. */
enum tsr_status tsr_h5_utf8_type(const struct tsr_h5 *file, const char *object, hid_t *out,
                                 struct tsr_error *err);

#endif
