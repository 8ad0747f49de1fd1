/* SPDX-License-Identifier: MIT
 *
 * Arrays as numpy.save() writes them (versions 1 to 3 of the format, C and Fortran order). Pickled
 * objects are not read. https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
 * Internal to data/.
 */
#ifndef TSR_DATA_NPY_H
#define TSR_DATA_NPY_H

#include "data/view.h"

struct tsr_npy {
    char *name;             /* for messages, owned */
    int fd;                 /* of a file; -1: in memory */
    unsigned char *bytes;   /* [size], in memory, owned */
    size_t size, at;        /* of all, and where the numbers begin */
    char kind;              /* 'b' bool, 'u', 'i', 'f' */
    size_t width;           /* bytes of a number: 1, 2, 4 or 8 */
    bool swapped;           /* in the order of bytes that this machine does not have */
    struct tsr_array array; /* its shape and sort of numbers; a bool is shown as 0 or 255 */
    size_t step[TSR_ARRAY_MAX_RANK]; /* from one index of an axis to the next, in numbers */
};

bool tsr_npy_is(const unsigned char *bytes, size_t size);

/* TSR_ERR_FORMAT: damaged, cut off, objects, complex numbers and the like. To be cleared in any
 * case. */
enum tsr_status tsr_npy_open(const char *path, struct tsr_npy *out,
                             struct tsr_error *err) TSR_MUST_USE;
/* The same of bytes [size], which it takes over in any case. */
enum tsr_status tsr_npy_take(const char *name, unsigned char *bytes, size_t size,
                             struct tsr_npy *out, struct tsr_error *err) TSR_MUST_USE;
void tsr_npy_clear(struct tsr_npy *npy);

/* Reads all of a file into memory, where reading one image would read most of it: an array whose
 * images are not one behind the other. */
enum tsr_status tsr_npy_prepare(struct tsr_npy *npy, const struct tsr_view *view,
                                struct tsr_error *err) TSR_MUST_USE;
/* The values of an image as they lie in the array (row-major), for tsr_view_image(). */
enum tsr_status tsr_npy_values(const struct tsr_npy *npy, const struct tsr_view *view, size_t index,
                               void *values, struct tsr_error *err) TSR_MUST_USE;

#endif
