/* SPDX-License-Identifier: MIT
 *
 * What was probably meant: words that are nearly one of ours, and words of other programs.
 */
#ifndef TSR_CLI_LIKELY_H
#define TSR_CLI_LIKELY_H

#include "cli/options.h"

/* The error of an option that the command does not have, as it was written: "--lr", "-z". Always
 * TSR_ERR_CONFIG. */
enum tsr_status cli_unknown_option(const struct cli_call *call, const char *written,
                                   struct tsr_error *err);
/* The same of a command. */
enum tsr_status cli_unknown_command(const char *written, struct tsr_error *err);

#endif
