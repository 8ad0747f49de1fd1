/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "base/clock.h"

#include <time.h>
#ifdef _OPENMP
#include <omp.h>
#endif

double tsr_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

size_t tsr_thread_count(size_t requested) {
#ifdef _OPENMP
    if (requested == 0) return (size_t)omp_get_num_procs();
    return requested;
#else
    (void)requested;
    return 1;
#endif
}

size_t tsr_thread_number(void) {
#ifdef _OPENMP
    return (size_t)omp_get_thread_num();
#else
    return 0;
#endif
}
