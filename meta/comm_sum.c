/* SPDX-License-Identifier: MIT */
#include "meta/comm_sum.h"

#include "inner/dot.h"

/* How many of n > 1 leaves, a node of the tree, are its left child's: the largest power of two
 * below n. */
static size_t left_of(size_t n) {
    size_t m = 1;
    while (m < n - m)
        m *= 2;
    return m;
}

static bool within(struct tsr_span node, struct tsr_span share) {
    return node.first >= share.first && node.first + node.n <= share.first + share.n;
}

static bool meets(struct tsr_span node, struct tsr_span share) {
    return node.first < share.first + share.n && share.first < node.first + node.n;
}

static struct tsr_span left(struct tsr_span node) {
    return (struct tsr_span){node.first, left_of(node.n)};
}

static struct tsr_span right(struct tsr_span node) {
    size_t n = left_of(node.n);
    return (struct tsr_span){node.first + n, node.n - n};
}

static size_t add_pieces(struct tsr_span node, struct tsr_span share, struct tsr_span *piece,
                         size_t n) {
    if (!meets(node, share)) return n;
    if (!within(node, share))
        return add_pieces(right(node), share, piece, add_pieces(left(node), share, piece, n));
    piece[n] = node;
    return n + 1;
}

size_t tsr_comm_pieces(const struct tsr_comm *comm, size_t n,
                       struct tsr_span piece[TSR_MAX_PIECES]) {
    return add_pieces((struct tsr_span){0, n}, tsr_comm_span(n, comm->rank, comm->size), piece, 0);
}

struct summing {
    const struct tsr_comm *comm;
    size_t n, length;
    struct tsr_span share;
    tsr_real *const *sum;
    size_t used; /* pieces met so far */
    tsr_real *spare;
};

/* Whose the sum of a node is: of whoever has its first item. */
static size_t owner(const struct summing *s, struct tsr_span node) {
    return tsr_comm_owner(s->n, node.first, s->comm->size);
}

/* s->sum[*out] becomes the sum of a node, on its owner. All ranks meet the nodes in the same order,
 * so that nobody waits in a circle. */
static enum tsr_status sum_node(struct summing *s, struct tsr_span node, size_t *out,
                                struct tsr_error *err) {
    const struct tsr_comm *c = s->comm;
    size_t bytes = s->length * sizeof(tsr_real);
    size_t other = 0;
    *out = 0;
    if (!meets(node, s->share)) return TSR_OK;
    if (within(node, s->share)) {
        *out = s->used++;
        return TSR_OK;
    }
    TSR_TRY(sum_node(s, left(node), out, err));
    TSR_TRY(sum_node(s, right(node), &other, err));
    size_t lower = owner(s, node), upper = owner(s, right(node));
    if (upper == c->rank && lower != c->rank)
        return c->send(c->user, lower, s->sum[other], bytes, err);
    if (lower != c->rank) return TSR_OK;
    if (upper != c->rank) TSR_TRY(c->receive(c->user, upper, s->spare, bytes, err));
    tsr_add(s->sum[*out], 1, upper == c->rank ? s->sum[other] : s->spare, s->length);
    return TSR_OK;
}

enum tsr_status tsr_comm_sum(const struct tsr_comm *comm, size_t n, tsr_real *const *sum,
                             size_t length, tsr_real *spare, struct tsr_error *err) {
    struct summing s = {.comm = comm,
                        .n = n,
                        .length = length,
                        .share = tsr_comm_span(n, comm->rank, comm->size),
                        .sum = sum,
                        .spare = spare};
    size_t whole;
    TSR_TRY(sum_node(&s, (struct tsr_span){0, n}, &whole, err));
    return tsr_comm_share(comm, sum[0], length * sizeof(tsr_real), err);
}
