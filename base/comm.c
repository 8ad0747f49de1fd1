/* SPDX-License-Identifier: MIT */
#include "base/comm.h"

const struct tsr_comm tsr_comm_alone = {.rank = 0, .size = 1};

struct tsr_span tsr_comm_span(size_t n, size_t rank, size_t size) {
    size_t each = n / size, rest = n % size;
    size_t first = each * rank + rest * rank / size;
    size_t end = each * (rank + 1) + rest * (rank + 1) / size;
    return (struct tsr_span){first, end - first};
}

size_t tsr_comm_owner(size_t n, size_t item, size_t size) {
    size_t rank = item / (n / size);
    if (rank >= size) rank = size - 1;
    while (tsr_comm_span(n, rank, size).first > item)
        rank--;
    return rank;
}

enum tsr_status tsr_comm_share(const struct tsr_comm *c, void *data, size_t bytes,
                               struct tsr_error *err) {
    return c->size == 1 ? TSR_OK : c->share(c->user, 0, data, bytes, err);
}

enum tsr_status tsr_comm_gather(const struct tsr_comm *c, void *data, size_t n, size_t bytes,
                                struct tsr_error *err) {
    return c->size == 1 ? TSR_OK : c->gather(c->user, data, n, bytes, err);
}

enum tsr_status tsr_comm_any(const struct tsr_comm *c, bool *flag, struct tsr_error *err) {
    int most = *flag;
    if (c->size > 1) TSR_TRY(c->most(c->user, &most, err));
    *flag = most != 0;
    return TSR_OK;
}

enum tsr_status tsr_comm_agree(const struct tsr_comm *c, enum tsr_status status,
                               struct tsr_error *err) {
    struct tsr_error word = {0};
    if (c->size == 1) return status;
    int behind = status == TSR_OK ? 0 : (int)(c->size - c->rank); /* most: the lowest rank */
    TSR_TRY(c->most(c->user, &behind, err));
    if (behind == 0) return TSR_OK;
    size_t speaker = c->size - (size_t)behind;
    if (speaker == c->rank) {
        tsr_error_copy(&word, err);
        word.status = status;
        if (speaker > 0) tsr_error_prefix(&word, "rank %zu", speaker);
    }
    TSR_TRY(c->share(c->user, speaker, &word, sizeof word, err));
    tsr_error_copy(err, &word);
    return word.status;
}
