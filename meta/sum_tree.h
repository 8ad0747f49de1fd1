/* SPDX-License-Identifier: MIT
 *
 * Sums over tasks in the order of a fixed binary tree.
 *
 * A leaf has a position, a number. The tree over some leaves: one leaf is its own sum; otherwise
 * the highest bit in which their positions differ parts them into two trees, whose sums are added.
 * Its shape is a function of the positions alone, and the leaves whose positions differ in their h
 * lowest bits at most are a subtree: whoever has such a block sums it without the others, and the
 * bits do not depend on who has which, nor does a leaf that is missing move another.
 *
 *     positions  0 1 2 3 4 5 7        ((0+1) + (2+3)) + ((4+5) + 7)
 */
#ifndef TSR_META_SUM_TREE_H
#define TSR_META_SUM_TREE_H

#include "base/api.h"

/* The sum of one block, whose leaves come in their order. Storage is the caller's. */
struct tsr_sum_tree {
    tsr_real **level; /* sums of finished subtrees, the largest first */
};

/* What a leaf does when it comes: the upper two of the levels in use become one, `sums` times; then
 * it is put on top, at `level`. */
struct tsr_sum_turn {
    unsigned char level, sums;
};

/* The levels in use, and where each parts from the next: the highest bit in which leaves of the two
 * differ. Bits fall from level to level. Begins as zeros. */
enum { TSR_SUM_TREE_BITS = 64 };
struct tsr_sum_tree_stack {
    size_t n;
    unsigned char parting[TSR_SUM_TREE_BITS + 1];
    uint64_t last; /* position */
};

/* The turn of the next leaf, at a position above those before it. */
struct tsr_sum_turn tsr_sum_tree_push(struct tsr_sum_tree_stack *stack, uint64_t position);

/* The turns of n leaves at increasing positions. At most one level more than the bits in which the
 * positions differ is used. */
void tsr_sum_tree_turns(const uint64_t *position, size_t n, struct tsr_sum_turn *turn);

/* The elements [from, to) of a leaf. Calls for disjoint ranges may run at the same time. About 2
 * additions or copies per element. */
void tsr_sum_tree_add(const struct tsr_sum_tree *tree, struct tsr_sum_turn turn,
                      const tsr_real *leaf, size_t from, size_t to);

/* out = the sum of all leaves, the last of which had this turn; elements [from, to). Overwrites the
 * levels. */
void tsr_sum_tree_finish(const struct tsr_sum_tree *tree, struct tsr_sum_turn last, size_t from,
                         size_t to, tsr_real *out);

/* block[0] = the sum of the sums of n blocks, each at the position of one of its leaves; elements
 * [from, to). Overwrites the others. */
void tsr_sum_tree_blocks(tsr_real *const *block, const uint64_t *position, size_t n, size_t from,
                         size_t to);

#endif
