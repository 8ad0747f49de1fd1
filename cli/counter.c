/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE
#include "cli/counter.h"

#include <math.h>
#include <stdint.h>
#include <unistd.h>
#ifdef __linux__
#include <linux/perf_event.h>
#include <sys/syscall.h>
#endif

void cli_counter_open(struct cli_counter *counter) {
    counter->fd = -1;
#ifdef __linux__
    struct perf_event_attr what = {.type = PERF_TYPE_HARDWARE,
                                   .size = sizeof what,
                                   .config = PERF_COUNT_HW_INSTRUCTIONS,
                                   .exclude_kernel = 1,
                                   .exclude_hv = 1};
    counter->fd = (int)syscall(SYS_perf_event_open, &what, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
#endif
}

double cli_counter_read(const struct cli_counter *counter) {
    uint64_t n;
    if (counter->fd < 0 || read(counter->fd, &n, sizeof n) != (ssize_t)sizeof n) return (double)NAN;
    return (double)n;
}

void cli_counter_close(struct cli_counter *counter) {
    if (counter->fd >= 0) (void)close(counter->fd);
    counter->fd = -1;
}
