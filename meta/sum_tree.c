/* SPDX-License-Identifier: MIT */
#include "meta/sum_tree.h"

#include <string.h>

static void add(tsr_real *sum, const tsr_real *x, size_t from, size_t to) {
    for (size_t i = from; i < to; i++)
        sum[i] += x[i];
}

static void copy(tsr_real *to, const tsr_real *x, size_t from, size_t end) {
    memcpy(to + from, x + from, (end - from) * sizeof *to);
}

/* As a binary counter: leaf i completes the subtrees of 2, 4, ... leaves that its trailing ones
 * count. */
void tsr_sum_tree_add(const struct tsr_sum_tree *tree, size_t i, const tsr_real *leaf, size_t from,
                      size_t to) {
    size_t l = 0;
    for (; l + 1 < tree->n_levels && i >> l & 1; l++) {
        add(tree->level[l], leaf, from, to);
        leaf = tree->level[l];
    }
    copy(tree->level[l], leaf, from, to);
}

void tsr_sum_tree_finish(const struct tsr_sum_tree *tree, size_t n, size_t from, size_t to,
                         tsr_real *out) {
    size_t l = 0;
    while (!(n >> l & 1))
        l++;
    tsr_real *sum = tree->level[l];
    for (l++; n >> l; l++)
        if (n >> l & 1) {
            add(tree->level[l], sum, from, to);
            sum = tree->level[l];
        }
    copy(out, sum, from, to);
}

void tsr_sum_tree_blocks(tsr_real *const *block, size_t n, size_t from, size_t to) {
    for (size_t stride = 1; stride < n; stride *= 2)
        for (size_t i = 0; i + stride < n; i += 2 * stride)
            add(block[i], block[i + stride], from, to);
}
