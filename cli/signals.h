/* SPDX-License-Identifier: MIT */
#ifndef TSR_CLI_SIGNALS_H
#define TSR_CLI_SIGNALS_H

/* From now on the first SIGINT or SIGTERM only sets a flag; the second ends the process. */
void cli_signals_catch(void);
/* Nonzero once a signal came. */
int cli_interrupted(void);
/* The same as a callback of the library. */
int cli_cancelled(void *user);

#endif
