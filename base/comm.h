/* SPDX-License-Identifier: MIT
 *
 * Processes that work on one thing together: ranks 0 .. size-1, each with its share of the items.
 *
 * A communicator is an object: rank, size and five functions, which whoever started the processes
 * fills in (the program, with MPI); tsr_comm_alone is that of one process. All but send and receive
 * are collective: every rank calls the same ones in the same order, from one thread. What a rank
 * finds out alone (an error, a signal) becomes everybody's by tsr_comm_agree() and tsr_comm_any()
 * before anything follows from it; where there is a word to say, it is rank 0's.
 */
#ifndef TSR_BASE_COMM_H
#define TSR_BASE_COMM_H

#include <stdbool.h>

#include "base/status.h"

struct tsr_comm {
    void *user;
    size_t rank, size; /* size 1: the functions are not called, and may be NULL */
    /* `bytes` bytes from one rank to another, in the order in which they are sent. */
    enum tsr_status (*send)(void *user, size_t to, const void *data, size_t bytes,
                            struct tsr_error *err);
    enum tsr_status (*receive)(void *user, size_t from, void *data, size_t bytes,
                               struct tsr_error *err);
    /* Rank `from`'s bytes to all. */
    enum tsr_status (*share)(void *user, size_t from, void *data, size_t bytes,
                             struct tsr_error *err);
    /* data: `bytes` bytes for each of n items, of which every rank has its share
     * (tsr_comm_span); afterwards all have all. */
    enum tsr_status (*gather)(void *user, void *data, size_t n, size_t bytes,
                              struct tsr_error *err);
    /* The largest of the ranks' values. */
    enum tsr_status (*most)(void *user, int *value, struct tsr_error *err);
};

TSR_API extern const struct tsr_comm tsr_comm_alone;
/* Where NULL stands for one process. */
static inline const struct tsr_comm *tsr_comm_of(const struct tsr_comm *comm) {
    return comm ? comm : &tsr_comm_alone;
}

/* Consecutive items. */
struct tsr_span {
    size_t first, n;
};

/* The share of a rank of n items: from floor(n rank / size) up to the next rank's first. */
TSR_API struct tsr_span tsr_comm_span(size_t n, size_t rank, size_t size);

/* The rank that has item `item` of n, of which every rank has one at least. */
TSR_API size_t tsr_comm_owner(size_t n, size_t item, size_t size);

/* *flag becomes true everywhere where it is anywhere. */
TSR_API enum tsr_status tsr_comm_any(const struct tsr_comm *comm, bool *flag,
                                     struct tsr_error *err) TSR_MUST_USE;

/* Every rank's status in, one out: TSR_OK, or that of the lowest rank for which it is not, with its
 * message, which says which rank it is unless that is 0. */
TSR_API enum tsr_status tsr_comm_agree(const struct tsr_comm *comm, enum tsr_status status,
                                       struct tsr_error *err) TSR_MUST_USE;

/* The functions above; of one process, none at all. */
TSR_API enum tsr_status tsr_comm_share(const struct tsr_comm *comm, void *data, size_t bytes,
                                       struct tsr_error *err) TSR_MUST_USE; /* rank 0's */
TSR_API enum tsr_status tsr_comm_gather(const struct tsr_comm *comm, void *data, size_t n,
                                        size_t bytes, struct tsr_error *err) TSR_MUST_USE;

#endif
