/* SPDX-License-Identifier: MIT
 *
 * Sums over the items of all ranks in the order of the fixed tree (meta/sum_tree.h), whatever their
 * number: an item is a leaf, a rank sums the largest subtrees that its share is made of, its
 * pieces, and where two ranks meet in a node the upper one sends its sum of the right child to the
 * lower one. That is at most one vector a level and a rank; where the ranks are a power of two and
 * divide the items, every share is one piece, and rank 0 has the whole after log2(size) levels.
 */
#ifndef TSR_META_COMM_SUM_H
#define TSR_META_COMM_SUM_H

#include "base/comm.h"

/* Pieces of a share, at most, whatever the number of items. */
enum { TSR_MAX_PIECES = 128 };

/* The pieces of this rank's share of n items, in their order; how many. n >= comm->size. */
TSR_API size_t tsr_comm_pieces(const struct tsr_comm *comm, size_t n,
                               struct tsr_span piece[TSR_MAX_PIECES]);

/* sum[i] [length]: this rank's sums of its pieces. Afterwards sum[0] is on every rank the sum over
 * all n items; the others and `spare` [length] are overwritten. Adding -0 changes nothing, so that
 * is what the sum of nothing is. Collective; about log2(size) vectors received by rank 0, and one
 * shared with all. */
TSR_API enum tsr_status tsr_comm_sum(const struct tsr_comm *comm, size_t n, tsr_real *const *sum,
                                     size_t length, tsr_real *spare,
                                     struct tsr_error *err) TSR_MUST_USE;

#endif
