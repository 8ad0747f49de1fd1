/* SPDX-License-Identifier: MIT
 *
 * Event files of TensorBoard: records of TFRecord (length, masked CRC-32C of it, data, masked
 * CRC-32C of that; little endian), each a protocol buffer of the message Event with scalars.
 */
#ifndef TSR_CLI_EVENT_FILE_H
#define TSR_CLI_EVENT_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

struct cli_events;

struct cli_scalar {
    const char *tag; /* of at most 100 bytes */
    double value;    /* one that is not finite is left out */
};

/* A new file in `folder`, which is made if need be. What other files of the folder say of outer
 * steps behind `step` is taken back: TensorBoard shows it no longer. */
enum tsr_status cli_events_open(const char *folder, uint64_t step, struct cli_events **out,
                                struct tsr_error *err);
/* Appends at most 16 scalars of one outer step. */
enum tsr_status cli_events_add(struct cli_events *events, uint64_t step,
                               const struct cli_scalar *scalars, size_t n, struct tsr_error *err);
void cli_events_close(struct cli_events *events); /* accepts NULL */

/* CRC-32C (Castagnoli), as RFC 3720 has it. */
uint32_t cli_crc32c(const void *bytes, size_t n);

#endif
