/* SPDX-License-Identifier: MIT
 *
 * What the functions of include/tessera.h share. Internal.
 */
#ifndef TSR_IMAGE_API_CHECKS_H
#define TSR_IMAGE_API_CHECKS_H

#include "base/status.h"

/* TSR_ERR_ARGUMENT unless `pointer` is there. */
#define TSR_NEED(pointer, err)                                                                     \
    do {                                                                                           \
        if (!(pointer))                                                                            \
            return TSR_ERROR((err), TSR_ERR_ARGUMENT, "%s: the argument %s is NULL", __func__,     \
                             #pointer);                                                            \
    } while (0)

/* A struct of the caller's, whose first member says how many bytes of it there are, as one of ours
 * of `size` bytes: what the caller does not know is 0. TSR_ERR_ARGUMENT: the size is too small to
 * be one; TSR_ERR_UNSUPPORTED: the caller's is larger, and what we do not know of it is not 0. */
enum tsr_status tsr_sized_read(const char *what, const void *from, size_t size, void *to,
                               struct tsr_error *err) TSR_MUST_USE;
/* The reverse: fills what the caller knows; what we do not know is set to 0. The caller's size
 * stays as it is, and must have been looked at. */
void tsr_sized_write(const void *from, size_t size, void *to);
/* Of a struct that is only written: is its size that of one? */
enum tsr_status tsr_sized_check(const char *what, const void *at,
                                struct tsr_error *err) TSR_MUST_USE;

#endif
