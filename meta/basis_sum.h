/* SPDX-License-Identifier: MIT
 *
 * The gradient of the bases: sums over tasks of outer products. Internal to meta/.
 *
 * Of each task 2 K pairs of vectors are kept, a_j [n_params] and b_j [n], until enough are together
 * or the call ends; then they are taken in: the tasks of one item and slot, a bundle, one product
 * after the other, and the bundles of a slot as the tree of the other sums (meta/sum_tree.h). So
 * the bits depend on neither the number of threads, nor how many tasks are taken in at a time, nor
 * which process has which items; and no thread has a basis of its own.
 */
#ifndef TSR_META_BASIS_SUM_H
#define TSR_META_BASIS_SUM_H

#include "base/memory.h"
#include "inner/pass.h"
#include "meta/sum_tree.h"

/* Tasks of one slot and item; a range of the order in which tasks are taken in. */
struct tsr_bundle {
    size_t first, n;
    struct tsr_sum_turn turn; /* in the tree of its range */
    size_t range;             /* whose sum it is part of: piece * slots + slot */
    bool last;                /* of its range */
    tsr_real weight;          /* of its sum in that of the range */
};

struct tsr_basis_sum {
    const struct tsr_engine *engine;
    size_t inner_steps, slots, n_ranges;
    size_t size;            /* numbers of one basis */
    size_t max_kept;        /* tasks */
    tsr_real *a, *b;        /* [max_kept, 2 K, n_params], [max_kept, 2 K, n_directions] */
    size_t n_bundles, next; /* that the next task belongs to */
    struct tsr_bundle *bundle;
    tsr_real *part;           /* [size] of the bundle at hand */
    struct tsr_sum_tree tree; /* of the range at hand, levels of `size` numbers */
    size_t n_levels;
    tsr_real *sum;   /* [n_ranges, size] */
    tsr_real *spare; /* [slots, size] where there is more than one process */
};

/* Tasks that are kept at most, of which `least` must have room. */
size_t tsr_basis_sum_room(const struct tsr_engine *engine, size_t inner_steps, size_t least);

/* Storage from the arena; the fields up to max_kept, n_levels and tree.level are set. */
void tsr_basis_sum_layout(struct tsr_basis_sum *s, bool spare, struct tsr_arena *arena);

/* Begins sums over the bundles, which are set. */
void tsr_basis_sum_begin(struct tsr_basis_sum *s);

/* Takes in the tasks [first, first + n) of the order, which stand at the beginning of a and b. */
void tsr_basis_sum_take(struct tsr_basis_sum *s, size_t first, size_t n);

#endif
