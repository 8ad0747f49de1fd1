/* SPDX-License-Identifier: MIT
 *
 * Sums over tasks in the order of a fixed binary tree.
 *
 * The tree over n leaves: one leaf is its own sum; of more, the first m and the others are summed
 * each as a tree, where m is the largest power of two below n. Its shape is a function of n alone,
 * and any 2^h leaves that begin at a multiple of 2^h are a subtree: whoever owns such a block sums
 * it without the others, and the bits do not depend on who owns which.
 *
 *     leaves  0 1 2 3 4 5 6        ((0+1) + (2+3)) + ((4+5) + 6)
 */
#ifndef TSR_META_SUM_TREE_H
#define TSR_META_SUM_TREE_H

#include "base/api.h"

/* The sum of one block of up to 2^h leaves, which come in their order. Storage is the caller's. */
struct tsr_sum_tree {
    tsr_real **level; /* [h + 1] vectors: level l holds a finished subtree of 2^l leaves */
    size_t n_levels;  /* h + 1 */
};

/* The elements [from, to) of leaf `i` of the block. Calls for disjoint ranges may run at the same
 * time. About 2 additions or copies per element. */
void tsr_sum_tree_add(const struct tsr_sum_tree *tree, size_t i, const tsr_real *leaf, size_t from,
                      size_t to);

/* out = the sum of the n leaves that were added, 1 <= n <= 2^h, elements [from, to). Overwrites
 * the levels. */
void tsr_sum_tree_finish(const struct tsr_sum_tree *tree, size_t n, size_t from, size_t to,
                         tsr_real *out);

/* block[0] = the sum of the sums of n blocks, all of 2^h leaves but the last, which may have fewer;
 * elements [from, to). Overwrites the others. */
void tsr_sum_tree_blocks(tsr_real *const *block, size_t n, size_t from, size_t to);

#endif
