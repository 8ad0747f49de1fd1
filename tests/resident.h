/* SPDX-License-Identifier: MIT
 *
 * Memory of this process, for tests of what should not grow.
 */
#ifndef TSR_TESTS_RESIDENT_H
#define TSR_TESTS_RESIDENT_H

#include <stddef.h>
#include <stdio.h>

/* KiB in memory; 0 where that is not known, and under AddressSanitizer, which keeps what is freed.
 */
static inline size_t resident_kib(void) {
    size_t kib = 0;
#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__)
    FILE *f = fopen("/proc/self/status", "r");
    char line[256];
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "VmRSS: %zu", &kib) == 1) break;
    if (f) (void)fclose(f);
#endif
    return kib;
}

#endif
