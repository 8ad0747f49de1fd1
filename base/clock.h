/* SPDX-License-Identifier: MIT
 *
 * Time.
 */
#ifndef TSR_BASE_CLOCK_H
#define TSR_BASE_CLOCK_H

#include "base/threads.h"

/* Seconds of a monotonic clock with an arbitrary origin. */
TSR_API double tsr_seconds(void);

#endif
