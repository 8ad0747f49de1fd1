/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "cli/later.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

struct cli_later {
    pthread_t thread;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    void (*work)(void *user); /* NULL: nothing to do */
    void *user;
    bool end;
};

/* An OpenMP runtime that knows of more threads than processors does not let those that wait spin,
 * on the processor that this thread could have. A team of its own is how it is told. */
static void tell_of_thread(void) {
    size_t n = 0;
#pragma omp parallel num_threads(2) reduction(+ : n)
    n++;
    (void)n;
}

static void *run(void *argument) {
    struct cli_later *l = argument;
    tell_of_thread();
    (void)pthread_mutex_lock(&l->lock);
    for (;;) {
        while (!l->work && !l->end)
            (void)pthread_cond_wait(&l->changed, &l->lock);
        if (!l->work) break;
        (void)pthread_mutex_unlock(&l->lock);
        l->work(l->user);
        (void)pthread_mutex_lock(&l->lock);
        l->work = NULL;
        (void)pthread_cond_broadcast(&l->changed);
    }
    (void)pthread_mutex_unlock(&l->lock);
    return NULL;
}

static int create_without_signals(pthread_t *thread, void *user) {
    sigset_t all, mask;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, &mask);
    int code = pthread_create(thread, NULL, run, user);
    (void)pthread_sigmask(SIG_SETMASK, &mask, NULL);
    return code;
}

enum tsr_status cli_later_start(struct cli_later **out, struct tsr_error *err) {
    *out = NULL;
    TSR_TRY(TSR_ALLOC(out, 1, "a thread", err));
    struct cli_later *l = *out;
    (void)pthread_mutex_init(&l->lock, NULL);
    (void)pthread_cond_init(&l->changed, NULL);
    int code = create_without_signals(&l->thread, l);
    if (code == 0) return TSR_OK;
    (void)pthread_cond_destroy(&l->changed);
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
    *out = NULL;
    return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "no further thread can be started: %s",
                     strerror(code));
}

static void wait_idle(struct cli_later *l) {
    while (l->work)
        (void)pthread_cond_wait(&l->changed, &l->lock);
}

void cli_later_do(struct cli_later *l, void (*work)(void *user), void *user) {
    (void)pthread_mutex_lock(&l->lock);
    wait_idle(l);
    l->user = user;
    l->work = work;
    (void)pthread_cond_broadcast(&l->changed);
    (void)pthread_mutex_unlock(&l->lock);
}

void cli_later_wait(struct cli_later *l) {
    (void)pthread_mutex_lock(&l->lock);
    wait_idle(l);
    (void)pthread_mutex_unlock(&l->lock);
}

void cli_later_end(struct cli_later *l) {
    if (!l) return;
    (void)pthread_mutex_lock(&l->lock);
    l->end = true;
    (void)pthread_cond_broadcast(&l->changed);
    (void)pthread_mutex_unlock(&l->lock);
    (void)pthread_join(l->thread, NULL);
    (void)pthread_cond_destroy(&l->changed);
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
}
