/* SPDX-License-Identifier: MIT */
#define _DEFAULT_SOURCE
#include "cli/progress.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/signals.h"

#define LIVE_SECONDS 0.16
#define PLAIN_SECONDS 30.0
#define PLAIN_FRACTION 0.1
#define BAR 24

void cli_progress_start(struct cli_progress *p, bool quiet) {
    *p = (struct cli_progress){.quiet = quiet, .live = !quiet && isatty(STDERR_FILENO) == 1};
    p->start = tsr_seconds();
    p->last = p->live ? p->start - LIVE_SECONDS : p->start;
}

bool cli_progress_due(const struct cli_progress *p, double fraction) {
    if (p->quiet) return false;
    double elapsed = tsr_seconds() - p->last;
    if (p->live) return elapsed >= LIVE_SECONDS;
    return elapsed >= PLAIN_SECONDS ||
           (elapsed >= 1 && fraction - p->last_fraction >= PLAIN_FRACTION);
}

static size_t terminal_width(int file) {
    struct winsize size;
    if (ioctl(file, TIOCGWINSZ, &size) == 0 && size.ws_col > 20) return size.ws_col;
    return 80;
}

size_t cli_text_width(void) {
    size_t width = terminal_width(STDOUT_FILENO);
    return width < 96 ? width : 96;
}

static void show_live(struct cli_progress *p, double fraction, const char *text) {
    char line[512], bar[BAR + 1];
    size_t width = terminal_width(STDERR_FILENO), full = 0;
    if (fraction > 0) full = fraction < 1 ? (size_t)(fraction * BAR) : BAR;
    memset(bar, '.', BAR);
    memset(bar, '#', full);
    bar[BAR] = '\0';
    (void)snprintf(line, sizeof line, "[%s] %3.0f%%  %s", bar, 100 * fraction, text);
    if (width <= sizeof line) line[width - 1] = '\0'; /* a line that wraps cannot be taken back */
    (void)fprintf(stderr, "\r%s\033[K", line);
    (void)fflush(stderr);
    p->shown = true;
}

/* For those who read a log the next morning. */
static void print_time(void) {
    char text[32];
    struct tm local;
    time_t now = time(NULL);
    if (localtime_r(&now, &local) && strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S", &local))
        (void)fprintf(stderr, "%s  ", text);
}

void cli_progress_show(struct cli_progress *p, double fraction, const char *format, ...) {
    char text[400];
    va_list list;
    if (p->quiet) return;
    va_start(list, format);
    (void)vsnprintf(text, sizeof text, format, list);
    va_end(list);
    if (p->live) {
        show_live(p, fraction, text);
    } else {
        print_time();
        (void)fprintf(stderr, "%3.0f%%  %s\n", 100 * fraction, text);
    }
    p->last = tsr_seconds();
    p->last_fraction = fraction;
}

void cli_progress_say(struct cli_progress *p, const char *format, ...) {
    va_list list;
    if (p->quiet) return;
    cli_progress_end(p);
    if (!p->live) print_time();
    va_start(list, format);
    (void)vfprintf(stderr, format, list);
    va_end(list);
    (void)fputc('\n', stderr);
}

void cli_progress_end(struct cli_progress *p) {
    if (!p->shown) return;
    (void)fputs("\r\033[K", stderr);
    (void)fflush(stderr);
    p->shown = false;
}

const char *cli_time(double seconds, char *out) {
    if (!(seconds >= 0 && seconds < 1e8)) {
        (void)snprintf(out, 16, "?");
        return out;
    }
    unsigned s = (unsigned)(seconds + 0.5);
    if (s < 60)
        (void)snprintf(out, 16, "%us", s);
    else if (s < 3600)
        (void)snprintf(out, 16, "%um%02us", s / 60, s % 60);
    else
        (void)snprintf(out, 16, "%uh%02um", s / 3600, s / 60 % 60);
    return out;
}

double cli_time_left(const struct cli_progress *p, double fraction) {
    double elapsed = tsr_seconds() - p->start;
    return fraction > 0 ? elapsed * (1 - fraction) / fraction : -1;
}

static void on_watch(void *user, double done) {
    struct cli_watch *w = user;
    char left[16];
    if (cli_progress_due(&w->line, done))
        cli_progress_show(&w->line, done, "%s, %s left", w->what,
                          cli_time(cli_time_left(&w->line, done), left));
}

void cli_watch_start(struct cli_watch *w, bool quiet, const char *what) {
    w->what = what;
    w->watch = (struct tsr_watch){.cancelled = cli_cancelled, .progress = on_watch, .user = w};
    cli_progress_start(&w->line, quiet);
}

void cli_watch_end(struct cli_watch *w) {
    cli_progress_end(&w->line);
}
