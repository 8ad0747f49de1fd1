/* SPDX-License-Identifier: MIT
 *
 * Which file a path leads to, whatever it is called. Internal to data/.
 */
#ifndef TSR_DATA_FILE_ID_H
#define TSR_DATA_FILE_ID_H

#include <stdint.h>

/* Zeros: it is not known. */
struct tsr_file_id {
    uint64_t device, inode;
};

#endif
