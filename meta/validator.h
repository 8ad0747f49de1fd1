/* SPDX-License-Identifier: MIT
 *
 * Whom the trainer asks how good the initialisation is.
 */
#ifndef TSR_META_VALIDATOR_H
#define TSR_META_VALIDATOR_H

#include "base/status.h"

/* Functions are called by the thread that runs the trainer. */
struct tsr_validator {
    void *user;
    /* Mean PSNR in dB after K inner steps from the initialisation and the rates as they stand, over
     * the items where it is finite; *left_out: how many others there are. NaN where those are more
     * than half. The validator asks `stop` (may be NULL) now and then; nonzero:
     * TSR_ERR_INTERRUPTED. NULL: there is nothing to validate on. */
    enum tsr_status (*score)(void *user, int (*stop)(void *stop_user), void *stop_user,
                             double *psnr_db, size_t *left_out, struct tsr_error *err);
    void (*close)(void *user); /* may be NULL */
};

#endif
