/* SPDX-License-Identifier: MIT
 *
 * Instructions that the calling thread executes, as the processor counts them, where the system
 * lets a program ask (Linux; perf_event_paranoid up to 2).
 */
#ifndef TSR_CLI_COUNTER_H
#define TSR_CLI_COUNTER_H

struct cli_counter {
    int fd; /* -1: nobody counts */
};

void cli_counter_open(struct cli_counter *counter);
/* Since cli_counter_open(), outside the kernel; NaN where nobody counts. */
double cli_counter_read(const struct cli_counter *counter);
void cli_counter_close(struct cli_counter *counter);

#endif
