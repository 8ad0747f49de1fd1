/* SPDX-License-Identifier: MIT
 *
 * Work beside the work: one thread of its own that does one thing at a time, such as decoding the
 * next image or writing the last one while this one is computed.
 */
#ifndef TSR_CLI_LATER_H
#define TSR_CLI_LATER_H

#include "base/status.h"

struct cli_later;

/* Its thread takes no signals. */
enum tsr_status cli_later_start(struct cli_later **out, struct tsr_error *err);
/* Waits until what was begun is done, and begins this. What `work` touches is its own until
 * cli_later_wait() has returned. */
void cli_later_do(struct cli_later *later, void (*work)(void *user), void *user);
/* Until nothing is being done. */
void cli_later_wait(struct cli_later *later);
/* Waits, and ends the thread. Accepts NULL. */
void cli_later_end(struct cli_later *later);

#endif
