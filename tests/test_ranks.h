/* SPDX-License-Identifier: MIT
 *
 * Ranks as threads of one process, with a communicator of locks and copies: what several processes
 * do together, without them.
 */
#ifndef TSR_TEST_RANKS_H
#define TSR_TEST_RANKS_H

#include <pthread.h>

#include "tests/check.h"

#include "base/comm.h"

enum { MOST_RANKS = 16 };

struct letter {
    void *data;
    size_t bytes;
};

struct ranks {
    size_t size;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    size_t waiting, round;                     /* of everybody's meeting */
    void *shown[MOST_RANKS];                   /* by each */
    struct letter box[MOST_RANKS][MOST_RANKS]; /* from, to; one at a time */
    size_t letters;                            /* sent in all */
};

struct one_rank {
    struct ranks *all;
    struct tsr_comm comm;
    void (*work)(const struct tsr_comm *comm, void *data);
    void *data;
    pthread_t thread;
};

static inline void meet_all(struct ranks *r) {
    pthread_mutex_lock(&r->lock);
    size_t round = r->round;
    if (++r->waiting == r->size) {
        r->waiting = 0, r->round++;
        pthread_cond_broadcast(&r->changed);
    }
    while (r->round == round)
        pthread_cond_wait(&r->changed, &r->lock);
    pthread_mutex_unlock(&r->lock);
}

static inline enum tsr_status rank_send(void *user, size_t to, const void *data, size_t bytes,
                                        struct tsr_error *err) {
    struct one_rank *me = user;
    struct letter *box = &me->all->box[me->comm.rank][to];
    void *copy = make(bytes, 1);
    (void)err;
    memcpy(copy, data, bytes);
    pthread_mutex_lock(&me->all->lock);
    while (box->data)
        pthread_cond_wait(&me->all->changed, &me->all->lock);
    *box = (struct letter){copy, bytes};
    me->all->letters++;
    pthread_cond_broadcast(&me->all->changed);
    pthread_mutex_unlock(&me->all->lock);
    return TSR_OK;
}

static inline enum tsr_status rank_receive(void *user, size_t from, void *data, size_t bytes,
                                           struct tsr_error *err) {
    struct one_rank *me = user;
    struct letter *box = &me->all->box[from][me->comm.rank];
    (void)err;
    pthread_mutex_lock(&me->all->lock);
    while (!box->data)
        pthread_cond_wait(&me->all->changed, &me->all->lock);
    if (box->bytes != bytes) abort();
    memcpy(data, box->data, bytes);
    free(box->data);
    *box = (struct letter){0};
    pthread_cond_broadcast(&me->all->changed);
    pthread_mutex_unlock(&me->all->lock);
    return TSR_OK;
}

static inline enum tsr_status rank_share(void *user, size_t from, void *data, size_t bytes,
                                         struct tsr_error *err) {
    struct one_rank *me = user;
    (void)err;
    me->all->shown[me->comm.rank] = data;
    meet_all(me->all);
    if (from != me->comm.rank) memcpy(data, me->all->shown[from], bytes);
    meet_all(me->all);
    return TSR_OK;
}

static inline enum tsr_status rank_gather(void *user, void *data, size_t n, size_t bytes,
                                          struct tsr_error *err) {
    struct one_rank *me = user;
    (void)err;
    me->all->shown[me->comm.rank] = data;
    meet_all(me->all);
    for (size_t r = 0; r < me->all->size; r++) {
        struct tsr_span span = tsr_comm_span(n, r, me->all->size);
        if (r != me->comm.rank)
            memcpy((char *)data + span.first * bytes,
                   (char *)me->all->shown[r] + span.first * bytes, span.n * bytes);
    }
    meet_all(me->all);
    return TSR_OK;
}

static inline enum tsr_status rank_most(void *user, int *value, struct tsr_error *err) {
    struct one_rank *me = user;
    int most = *value;
    (void)err;
    me->all->shown[me->comm.rank] = value;
    meet_all(me->all);
    for (size_t r = 0; r < me->all->size; r++)
        if (*(int *)me->all->shown[r] > most) most = *(int *)me->all->shown[r];
    meet_all(me->all);
    *value = most;
    return TSR_OK;
}

static inline void *rank_run(void *data) {
    struct one_rank *me = data;
    me->work(&me->comm, me->data);
    return NULL;
}

/* work(comm, data[r]) by `size` ranks at the same time; returns how many letters were sent. */
static inline size_t run_ranks(size_t size, void (*work)(const struct tsr_comm *comm, void *data),
                               void *const *data) {
    struct ranks all = {.size = size};
    struct one_rank rank[MOST_RANKS];
    pthread_mutex_init(&all.lock, NULL);
    pthread_cond_init(&all.changed, NULL);
    for (size_t r = 0; r < size; r++) {
        rank[r] = (struct one_rank){.all = &all, .work = work, .data = data[r]};
        rank[r].comm = (struct tsr_comm){.user = &rank[r],
                                         .rank = r,
                                         .size = size,
                                         .send = rank_send,
                                         .receive = rank_receive,
                                         .share = rank_share,
                                         .gather = rank_gather,
                                         .most = rank_most};
        if (pthread_create(&rank[r].thread, NULL, rank_run, &rank[r]) != 0) abort();
    }
    for (size_t r = 0; r < size; r++)
        (void)pthread_join(rank[r].thread, NULL);
    pthread_cond_destroy(&all.changed);
    pthread_mutex_destroy(&all.lock);
    return all.letters;
}

#endif
