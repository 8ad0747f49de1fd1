/* SPDX-License-Identifier: MIT */
#define _XOPEN_SOURCE 700
#include "cli/signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

#include "data/file.h"

#define TWICE_SECONDS 1 /* what comes again within is the same */

static const int ending[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU, SIGQUIT, SIGPIPE};

static volatile sig_atomic_t interrupted, since;

static void end_by(int number) {
    sigset_t set;
    struct sigaction action = {.sa_handler = SIG_DFL};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(number, &action, NULL);
    (void)sigemptyset(&set);
    (void)sigaddset(&set, number);
    (void)raise(number);
    (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
}

static void note(int number) {
    int saved = errno;
    struct timespec now = {0};
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    int second = (int)(now.tv_sec & 0x3fffffff);
    /* A pipe that nobody reads is no reason to give up what the run has. */
    int asked = interrupted != 0 && interrupted != SIGPIPE;
    if (number == SIGQUIT || (asked && number != SIGPIPE && second - since > TWICE_SECONDS)) {
        tsr_temp_abandon();
        end_by(number);
    }
    if (!asked) {
        if (interrupted == 0 || number != SIGPIPE) since = second;
        if (number != SIGPIPE || interrupted == 0) interrupted = number;
    }
    errno = saved;
}

void cli_signals_start(void) {
    struct sigaction action = {.sa_handler = SIG_IGN};
    (void)sigemptyset(&action.sa_mask);
    (void)sigaction(SIGXFSZ, &action, NULL);
}

void cli_signals_catch(void) {
    struct sigaction action = {.sa_handler = note, .sa_flags = SA_RESTART}, old;
    (void)sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof ending / sizeof *ending; i++)
        if (sigaction(ending[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            (void)sigaction(ending[i], &action, NULL);
}

int cli_interrupted(void) {
    return interrupted;
}

int cli_cancelled(void *user) {
    (void)user;
    return interrupted;
}

void cli_signals_end(void) {
    if (interrupted) end_by(interrupted);
}
