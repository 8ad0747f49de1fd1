/* SPDX-License-Identifier: MIT
 *
 * What a user should know of work that goes on: sentences, handed to whoever asked for it. Internal
 * to data/.
 */
#ifndef TSR_DATA_NOTICE_H
#define TSR_DATA_NOTICE_H

#include "base/status.h"

struct tsr_notice {
    void (*say)(void *user, const char *text); /* NULL: nobody asked */
    void *user;
};

/* Of long texts the end goes. */
void tsr_notice(const struct tsr_notice *to, const char *format, ...) TSR_PRINTF(2, 3);

#endif
