/* SPDX-License-Identifier: MIT */
#include "meta/basis_sum.h"

#include <string.h>

/* Bytes that are kept, unless the least are more; rows of a basis that one thread takes. */
enum { KEPT_BYTES = 64 << 20, ROWS = 64 };

size_t tsr_basis_sum_room(const struct tsr_engine *engine, size_t inner_steps, size_t least) {
    size_t bytes = 2 * inner_steps * (engine->net.n_params + engine->space.n) * sizeof(tsr_real);
    size_t n = bytes ? KEPT_BYTES / bytes : least;
    return n > least ? n : least;
}

void tsr_basis_sum_layout(struct tsr_basis_sum *s, bool spare, struct tsr_arena *a) {
    size_t terms = s->max_kept * 2 * s->inner_steps;
    s->a = tsr_arena_take(a, terms, s->engine->net.n_params * sizeof *s->a);
    s->b = tsr_arena_take(a, terms, s->engine->space.n * sizeof *s->b);
    s->part = tsr_arena_take(a, s->size, sizeof *s->part);
    for (size_t l = 0; l < s->n_levels; l++) {
        tsr_real *level = tsr_arena_take(a, s->size, sizeof *level);
        if (a->base) s->tree.level[l] = level;
    }
    s->sum = tsr_arena_take(a, s->n_ranges, s->size * sizeof *s->sum);
    s->spare = spare ? tsr_arena_take(a, s->slots, s->size * sizeof *s->spare) : NULL;
}

/* A range without tasks sums to -0, which changes no other sum. */
void tsr_basis_sum_begin(struct tsr_basis_sum *s) {
    size_t row = s->engine->net.n_params, rows = s->n_ranges * (s->size / row);
    s->next = 0;
#pragma omp parallel for schedule(static) num_threads((int)s->engine->threads)
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < row; j++)
            s->sum[i * row + j] = -(tsr_real)0;
}

/* The tasks [lo, hi) of a bundle, rows [from, to) of the basis; those before stand in `part`. */
static void take_rows(const struct tsr_basis_sum *s, const struct tsr_bundle *bundle, size_t lo,
                      size_t hi, size_t first, size_t from, size_t to) {
    size_t n_params = s->engine->net.n_params, rows = s->engine->space.n;
    size_t terms = 2 * s->inner_steps, at = (lo - first) * terms;
    if (lo == bundle->first)
        memset(s->part + from * n_params, 0, (to - from) * n_params * sizeof *s->part);
    s->engine->kernel->outer((hi - lo) * terms, s->b + at * rows, rows, s->a + at * n_params,
                             n_params, from, to, s->part);
    if (hi < bundle->first + bundle->n) return;
    for (size_t i = from * n_params; bundle->weight != 1 && i < to * n_params; i++)
        s->part[i] *= bundle->weight;
    tsr_sum_tree_add(&s->tree, bundle->turn, s->part, from * n_params, to * n_params);
    if (bundle->last)
        tsr_sum_tree_finish(&s->tree, bundle->turn, from * n_params, to * n_params,
                            s->sum + bundle->range * s->size);
}

void tsr_basis_sum_take(struct tsr_basis_sum *s, size_t first, size_t n) {
    size_t rows = s->engine->space.n, end = first + n, next = s->next;
    size_t share = (rows / s->engine->threads + 7) / 8 * 8;
    size_t part = share < 8 ? 8 : share < ROWS ? share : ROWS;
#pragma omp parallel for schedule(static) num_threads((int)s->engine->threads)
    for (size_t from = 0; from < rows; from += part) {
        size_t to = from + part < rows ? from + part : rows;
        for (size_t i = next; i < s->n_bundles && s->bundle[i].first < end; i++) {
            const struct tsr_bundle *b = &s->bundle[i];
            size_t lo = b->first > first ? b->first : first;
            take_rows(s, b, lo, b->first + b->n < end ? b->first + b->n : end, first, from, to);
        }
    }
    while (s->next < s->n_bundles && s->bundle[s->next].first + s->bundle[s->next].n <= end)
        s->next++;
}
