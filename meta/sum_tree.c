/* SPDX-License-Identifier: MIT */
#include "meta/sum_tree.h"

#include <string.h>

enum { BITS = TSR_SUM_TREE_BITS };

static void add(tsr_real *sum, const tsr_real *x, size_t from, size_t to) {
    for (size_t i = from; i < to; i++)
        sum[i] += x[i];
}

static void copy(tsr_real *to, const tsr_real *x, size_t from, size_t end) {
    memcpy(to + from, x + from, (end - from) * sizeof *to);
}

/* Two levels part lower than the new leaf does from them: they are a subtree without it. */
struct tsr_sum_turn tsr_sum_tree_push(struct tsr_sum_tree_stack *s, uint64_t position) {
    struct tsr_sum_turn turn = {0, 0};
    if (s->n > 0) {
        unsigned char bit = (unsigned char)(BITS - 1 - __builtin_clzll(s->last ^ position));
        for (; s->n > 1 && s->parting[s->n - 2] < bit; s->n--)
            turn.sums++;
        s->parting[s->n - 1] = bit;
    }
    s->last = position;
    turn.level = (unsigned char)s->n++;
    return turn;
}

void tsr_sum_tree_turns(const uint64_t *position, size_t n, struct tsr_sum_turn *turn) {
    struct tsr_sum_tree_stack stack = {0};
    for (size_t i = 0; i < n; i++)
        turn[i] = tsr_sum_tree_push(&stack, position[i]);
}

void tsr_sum_tree_add(const struct tsr_sum_tree *tree, struct tsr_sum_turn turn,
                      const tsr_real *leaf, size_t from, size_t to) {
    for (size_t top = (size_t)turn.level + turn.sums; top > turn.level; top--)
        add(tree->level[top - 2], tree->level[top - 1], from, to);
    copy(tree->level[turn.level], leaf, from, to);
}

void tsr_sum_tree_finish(const struct tsr_sum_tree *tree, struct tsr_sum_turn last, size_t from,
                         size_t to, tsr_real *out) {
    for (size_t l = last.level; l > 0; l--)
        add(tree->level[l - 1], tree->level[l], from, to);
    copy(out, tree->level[0], from, to);
}

void tsr_sum_tree_blocks(tsr_real *const *block, const uint64_t *position, size_t n, size_t from,
                         size_t to) {
    struct tsr_sum_tree_stack stack = {0};
    size_t top[BITS + 1]; /* block of each level */
    for (size_t i = 0; i < n; i++) {
        struct tsr_sum_turn turn = tsr_sum_tree_push(&stack, position[i]);
        for (size_t k = (size_t)turn.level + turn.sums; k > turn.level; k--)
            add(block[top[k - 2]], block[top[k - 1]], from, to);
        top[turn.level] = i;
    }
    for (; stack.n > 1; stack.n--)
        add(block[top[stack.n - 2]], block[top[stack.n - 1]], from, to);
}
