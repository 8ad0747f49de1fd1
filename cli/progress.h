/* SPDX-License-Identifier: MIT
 *
 * Progress on stderr: one live line on a terminal, about six times a second; plain lines now and
 * then elsewhere, which begin with date and time; nothing when quiet.
 */
#ifndef TSR_CLI_PROGRESS_H
#define TSR_CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/watch.h"

struct cli_progress {
    bool quiet, live;
    bool shown;         /* a live line stands on the terminal */
    double start, last; /* seconds: of the beginning, of the last line */
    double last_fraction;
};

void cli_progress_start(struct cli_progress *p, bool quiet);

/* Is it time for a line? `fraction` of the work is done. */
bool cli_progress_due(const struct cli_progress *p, double fraction);

/* Shows bar and text (live) or text alone (plain). */
void cli_progress_show(struct cli_progress *p, double fraction, const char *format, ...)
    TSR_PRINTF(3, 4);

/* A line that stays, above the live one; not when quiet. */
void cli_progress_say(struct cli_progress *p, const char *format, ...) TSR_PRINTF(2, 3);

/* Removes the live line. Before anything else is printed. */
void cli_progress_end(struct cli_progress *p);

/* A watch of the library's (base/watch.h) that shows a line and lets signals end the call. */
struct cli_watch {
    struct cli_progress line;
    const char *what; /* stands in the line */
    struct tsr_watch watch;
};
void cli_watch_start(struct cli_watch *w, bool quiet, const char *what);
/* Removes the line. */
void cli_watch_end(struct cli_watch *w);

/* Columns for text on stdout: those of the terminal, at most 96; 80 where it is none. */
size_t cli_text_width(void);

/* "45s", "3m07s", "2h05m"; "?" for what is not a time. out [16]. */
const char *cli_time(double seconds, char *out);
/* Time left at the pace since the start. */
double cli_time_left(const struct cli_progress *p, double fraction);

#endif
