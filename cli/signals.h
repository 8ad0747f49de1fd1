/* SPDX-License-Identifier: MIT
 *
 * Signals that end a run. SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2 and SIGXCPU (batch systems
 * announce their limits with one of the last three), and SIGPIPE for standard output or error that
 * nobody reads any more: the first one asks the command to stop, which keeps what is done; the
 * process then ends by that very signal, so that a loop of a shell ends, too. Another one more than
 * a second later ends it at once (never SIGPIPE; a terminal that closes, timeout(1) and some batch
 * systems send theirs twice), and so does SIGQUIT; temporary files are removed first. A signal that
 * was ignored when the process began (nohup, a background job) stays ignored.
 */
#ifndef TSR_CLI_SIGNALS_H
#define TSR_CLI_SIGNALS_H

/* At the start of the process: a write beyond a limit on file sizes is an error, not the end. */
void cli_signals_start(void);
/* From now on, as above: before the first output is made. Again is fine. */
void cli_signals_catch(void);
/* The number of the signal that asks to stop; 0: none came. */
int cli_interrupted(void);
/* The same as a callback of the library. */
int cli_cancelled(void *user);
/* Ends the process by the signal that came; returns if none did. */
void cli_signals_end(void);

#endif
