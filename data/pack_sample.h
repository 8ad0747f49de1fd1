/* SPDX-License-Identifier: MIT
 *
 * What a dataset will be, by a few of its files, before all of them are packed. Internal to data/.
 */
#ifndef TSR_DATA_PACK_SAMPLE_H
#define TSR_DATA_PACK_SAMPLE_H

#include "data/pack_job.h"

struct tsr_pack_sample {
    size_t files;  /* that were looked at: of those in no archive, spread over the list; may be 0 */
    double images; /* that a file becomes, their mean; 0 for one that cannot be read */
    double deflated; /* the part of their bytes that --deflate 1 leaves, 0 .. 1 */
};

/* Decodes them, as they will be, without their labels. TSR_ERR_NO_MEMORY. */
enum tsr_status tsr_pack_sample_take(const struct tsr_pack_work *work, struct tsr_pack_sample *out,
                                     struct tsr_error *err) TSR_MUST_USE;

#endif
