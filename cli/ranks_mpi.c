/* SPDX-License-Identifier: MIT */
#include "cli/ranks.h"

#include <limits.h>
#include <mpi.h>
#include <stdlib.h>

#include "base/memory.h"

/* Bytes of one message: what an int counts. */
enum { MOST_BYTES = 1 << 30, TAG = 1 };

static struct {
    struct tsr_comm comm;
    int *count, *first; /* [size] of a gathering */
    bool lost;          /* the others could not be reached */
} ranks = {.comm = {.size = 1}};

static enum tsr_status check(int result, const char *what, struct tsr_error *err) {
    char text[MPI_MAX_ERROR_STRING] = "";
    int length;
    if (result == MPI_SUCCESS) return TSR_OK;
    ranks.lost = true;
    (void)MPI_Error_string(result, text, &length);
    return TSR_ERROR(err, TSR_ERR_IO, "MPI cannot %s: %s", what, text);
}

static int part_of(size_t bytes) {
    return bytes < MOST_BYTES ? (int)bytes : MOST_BYTES;
}

static enum tsr_status send(void *user, size_t to, const void *data, size_t bytes,
                            struct tsr_error *err) {
    (void)user;
    const char *at = data;
    for (int n; bytes > 0; bytes -= (size_t)n, at += n) {
        n = part_of(bytes);
        TSR_TRY(check(MPI_Send(at, n, MPI_BYTE, (int)to, TAG, MPI_COMM_WORLD), "send", err));
    }
    return TSR_OK;
}

static enum tsr_status receive(void *user, size_t from, void *data, size_t bytes,
                               struct tsr_error *err) {
    (void)user;
    char *at = data;
    for (int n; bytes > 0; bytes -= (size_t)n, at += n) {
        n = part_of(bytes);
        TSR_TRY(check(MPI_Recv(at, n, MPI_BYTE, (int)from, TAG, MPI_COMM_WORLD, MPI_STATUS_IGNORE),
                      "receive", err));
    }
    return TSR_OK;
}

static enum tsr_status share(void *user, size_t from, void *data, size_t bytes,
                             struct tsr_error *err) {
    (void)user;
    char *at = data;
    for (int n; bytes > 0; bytes -= (size_t)n, at += n) {
        n = part_of(bytes);
        TSR_TRY(check(MPI_Bcast(at, n, MPI_BYTE, (int)from, MPI_COMM_WORLD), "share", err));
    }
    return TSR_OK;
}

static enum tsr_status gather(void *user, void *data, size_t n, size_t bytes,
                              struct tsr_error *err) {
    size_t all;
    (void)user;
    if (__builtin_mul_overflow(n, bytes, &all) || all > INT_MAX)
        return TSR_ERROR(err, TSR_ERR_UNSUPPORTED, "%zu times %zu bytes are too much to gather", n,
                         bytes);
    for (size_t r = 0; r < ranks.comm.size; r++) {
        struct tsr_span span = tsr_comm_span(n, r, ranks.comm.size);
        ranks.first[r] = (int)(span.first * bytes);
        ranks.count[r] = (int)(span.n * bytes);
    }
    return check(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, data, ranks.count, ranks.first,
                                MPI_BYTE, MPI_COMM_WORLD),
                 "gather", err);
}

static enum tsr_status most(void *user, int *value, struct tsr_error *err) {
    (void)user;
    return check(MPI_Allreduce(MPI_IN_PLACE, value, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD), "agree",
                 err);
}

/* Only the thread that runs the command calls MPI. */
static enum tsr_status meet(struct tsr_error *err) {
    int provided, rank, size;
    TSR_TRY(check(MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &provided), "start", err));
    TSR_TRY(check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "start", err));
    TSR_TRY(check(MPI_Comm_rank(MPI_COMM_WORLD, &rank), "count", err));
    TSR_TRY(check(MPI_Comm_size(MPI_COMM_WORLD, &size), "count", err));
    ranks.comm = (struct tsr_comm){.rank = (size_t)rank,
                                   .size = (size_t)size,
                                   .send = send,
                                   .receive = receive,
                                   .share = share,
                                   .gather = gather,
                                   .most = most};
    TSR_TRY(TSR_ALLOC(&ranks.count, ranks.comm.size, "ranks", err));
    return TSR_ALLOC(&ranks.first, ranks.comm.size, "ranks", err);
}

enum tsr_status cli_ranks_start(const struct tsr_comm **out, struct tsr_error *err) {
    *out = &ranks.comm;
    return cli_ranks_launched() ? meet(err) : TSR_OK;
}

void cli_ranks_end(int code) {
    int started = 0;
    free(ranks.count);
    free(ranks.first);
    ranks.count = ranks.first = NULL;
    if (MPI_Initialized(&started) != MPI_SUCCESS || !started) return;
    if (ranks.lost) (void)MPI_Abort(MPI_COMM_WORLD, code);
    (void)MPI_Finalize();
}
