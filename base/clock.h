/* SPDX-License-Identifier: MIT
 *
 * Time and processors.
 */
#ifndef TSR_BASE_CLOCK_H
#define TSR_BASE_CLOCK_H

#include "base/api.h"

/* Seconds of a monotonic clock with an arbitrary origin. */
TSR_API double tsr_seconds(void);

/* `requested` threads, or for 0 as many as there are processors available to this process. */
TSR_API size_t tsr_thread_count(size_t requested);

/* Number of the calling thread in its team: 0 outside parallel regions. */
TSR_API size_t tsr_thread_number(void);

#endif
