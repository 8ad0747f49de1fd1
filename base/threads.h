/* SPDX-License-Identifier: MIT
 *
 * Threads of the OpenMP runtime: how many, and which one this is.
 */
#ifndef TSR_BASE_THREADS_H
#define TSR_BASE_THREADS_H

#include "base/api.h"

/* No request of threads is taken to mean more. */
#define TSR_MAX_THREADS 4096

/* `requested` threads, at most TSR_MAX_THREADS; for 0 the number that OMP_NUM_THREADS asks for,
 * else that of the processors this process may run on, and in both cases no more than
 * tsr_processor_quota() allows. At least 1; always 1 in a build without OpenMP. */
TSR_API size_t tsr_thread_count(size_t requested);

/* Number of the calling thread in its team: 0 outside parallel regions. */
TSR_API size_t tsr_thread_number(void);

/* Processors that the control groups of this process leave it, a fraction counted as one (Linux;
 * the quota of a container, version 1 or 2): the least of its own group and of all above. 0: no
 * quota. `groups` is the list of the groups, normally /proc/self/cgroup, `root` the folder where
 * they are mounted, normally /sys/fs/cgroup. */
TSR_API size_t tsr_processor_quota(const char *groups, const char *root);

#endif
