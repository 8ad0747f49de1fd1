/* SPDX-License-Identifier: MIT */
#include "meta/meta_gradient.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "inner/team.h"
#include "meta/basis_sum.h"
#include "meta/carried.h"
#include "meta/comm_sum.h"
#include "meta/sum_tree.h"

/* Blocks of tasks that a thread has, so that unequal ones even out; fewer where their sums would
 * take more than this many bytes. Neither changes a bit. */
enum { BLOCKS_PER_THREAD = 16, FEWEST_BLOCKS = 4, BLOCK_BYTES = 64 << 20 };
/* Numbers of a sum that one thread takes at a time. */
enum { SLICE = 4096 };

/* What one thread has for itself and is the first to touch; of the first, and of as many as it
 * carries together, a team makes use. */
struct worker {
    struct tsr_forwards forwards;
    tsr_real *leaf;           /* [n_sum] what the task adds to the sums */
    struct tsr_sum_tree tree; /* of the block at hand */
    struct tsr_arena arena;
};

/* Consecutive tasks of one slot that are a subtree of its sum. */
struct block {
    size_t first, n; /* a range of `order` */
};

/* What several processes need: the sums of all slots, but of bases, in one vector, [slots, n_sum]
 * and the number of tasks of each slot, one for each piece of this rank's share. */
struct shared {
    struct tsr_meta_share of;
    size_t n_pieces;
    struct tsr_span piece[TSR_MAX_PIECES];
    size_t length;
    tsr_real *sum[TSR_MAX_PIECES], *spare;
    struct tsr_arena arena;
};

struct tsr_meta_workspace {
    const struct tsr_engine *engine;
    struct tsr_choice method, loss;
    size_t inner_steps, slots, max_tasks, max_points;
    struct tsr_rates rates;      /* extents */
    size_t n_basis;              /* numbers of a slot's basis that are learned */
    size_t n_sum;                /* numbers summed over tasks: d_theta of a slot and its rates */
    size_t n_levels;             /* of the tree of a block */
    size_t together;             /* tasks that a thread carries */
    struct worker *workers;      /* [threads] */
    struct tsr_trajectory *ways; /* [threads, together] the tasks that each carries, */
    struct tsr_carried_task *carried; /* [threads, together] what they need beside, */
    struct tsr_pass *passes;          /* [threads, together] and their passes */
    struct tsr_basis_sum basis;       /* where there is one to learn */
    size_t max_blocks, n_blocks;
    struct block *blocks;
    tsr_real **sums;            /* [max_blocks] of n_sum numbers each */
    uint64_t *block_position;   /* [max_blocks] of its first task */
    size_t *order;              /* [max_tasks] tasks sorted by slot */
    uint64_t *position;         /* [max_tasks] in the tree of the slot, by `order` */
    struct tsr_sum_turn *turns; /* [max_tasks] of each in the tree of its block, by `order` */
    size_t *slot_first;         /* [slots + 1] range of each slot in order */
    size_t *slot_block;    /* [pieces * slots + 1] range of blocks of each piece of each slot */
    tsr_real *slot_rate;   /* [slots] its share of a rate that all slots have in common */
    double *slot_weight;   /* [slots] of its sum in d_theta; 0: no task */
    tsr_real *task_weight; /* [max_tasks] that the loss gives its image */
    unsigned item_bits;    /* of the position of a task in its item */
    struct shared shared;
    struct tsr_arena arena;       /* the sums of the blocks */
    struct tsr_arena basis_arena; /* of what `basis` has */
};

/* ---- storage --------------------------------------------------------------------------------- */

static size_t most_blocks(const struct tsr_meta_workspace *m) {
    size_t blocks = BLOCKS_PER_THREAD * m->engine->threads;
    while (blocks > FEWEST_BLOCKS * m->engine->threads &&
           blocks > BLOCK_BYTES / sizeof(tsr_real) / m->n_sum)
        blocks /= 2;
    return blocks;
}

/* Bits that hold any number below n. */
static unsigned bits_below(size_t n) {
    unsigned bits = 0;
    while (n > (size_t)1 << bits)
        bits++;
    return bits;
}

/* Does the loss weigh the items? Then no block has tasks of two of them. */
static bool weighs_items(const struct tsr_meta_workspace *m) {
    return tsr_loss_of(&m->loss)->weight;
}

static size_t n_pieces(const struct tsr_meta_workspace *m) {
    return m->shared.n_pieces ? m->shared.n_pieces : 1;
}

static bool learns_rates(const struct tsr_meta_workspace *m) {
    return tsr_method_of(&m->method)->learns_rates;
}

static void layout_worker(const struct tsr_meta_workspace *m, size_t thread, struct tsr_arena *a) {
    struct worker *w = &m->workers[thread];
    for (size_t i = thread * m->together; i < (thread + 1) * m->together; i++)
        tsr_carried_layout(&m->carried[i], &m->ways[i], m->engine, tsr_method_of(&m->method),
                           tsr_loss_of(&m->loss), &m->rates, m->inner_steps, m->max_points, a);
    w->leaf = tsr_arena_take(a, m->n_sum, sizeof *w->leaf);
    for (size_t l = 0; l < m->n_levels; l++) {
        tsr_real *level = tsr_arena_take(a, m->n_sum, sizeof *level);
        if (a->base) w->tree.level[l] = level;
    }
    if (m->inner_steps > 0) tsr_forwards_layout(&w->forwards, m->engine, m->max_points, a);
}

static void layout_sums(struct tsr_meta_workspace *m, struct tsr_arena *a) {
    for (size_t i = 0; i < m->max_blocks; i++) {
        tsr_real *sum = tsr_arena_take(a, m->n_sum, sizeof *sum);
        if (a->base) m->sums[i] = sum;
    }
}

static void layout_shared(struct tsr_meta_workspace *m, struct tsr_arena *a) {
    struct shared *s = &m->shared;
    for (size_t i = 0; i < s->n_pieces; i++)
        s->sum[i] = tsr_arena_take(a, s->length, sizeof **s->sum);
    s->spare = s->n_pieces ? tsr_arena_take(a, s->length, sizeof *s->spare) : NULL;
}

static void layout_basis(struct tsr_meta_workspace *m, struct tsr_arena *a) {
    if (m->n_basis) tsr_basis_sum_layout(&m->basis, m->shared.n_pieces > 0, a);
}

static const char *const what = "workspace of the meta-gradient";

static enum tsr_status allocate_worker(const struct tsr_meta_workspace *m, size_t thread,
                                       struct tsr_error *err) {
    struct worker *w = &m->workers[thread];
    struct tsr_arena measure = {0};
    TSR_TRY(TSR_ALLOC(&w->tree.level, m->n_levels, what, err));
    layout_worker(m, thread, &measure);
    TSR_TRY(tsr_arena_create(&w->arena, measure.used, what, err));
    layout_worker(m, thread, &w->arena);
    return TSR_OK;
}

/* An arena of what `layout` takes. */
static enum tsr_status reserve(struct tsr_meta_workspace *m, struct tsr_arena *arena,
                               void (*layout)(struct tsr_meta_workspace *, struct tsr_arena *),
                               struct tsr_error *err) {
    struct tsr_arena measure = {0};
    layout(m, &measure);
    TSR_TRY(tsr_arena_create(arena, measure.used, what, err));
    layout(m, arena);
    return TSR_OK;
}

/* The tree of the bases is that of the items. */
static enum tsr_status allocate_basis(struct tsr_meta_workspace *m, struct tsr_error *err) {
    if (!m->n_basis) return TSR_OK;
    size_t least = m->engine->threads * m->together;
    m->basis = (struct tsr_basis_sum){
        .engine = m->engine,
        .inner_steps = m->inner_steps,
        .slots = m->slots,
        .n_ranges = n_pieces(m) * m->slots,
        .size = m->n_basis,
        .max_kept = tsr_basis_sum_room(m->engine, m->inner_steps, least),
        .n_levels = m->n_levels - m->item_bits,
    };
    if (weighs_items(m) || m->basis.max_kept > m->max_tasks) m->basis.max_kept = m->max_tasks;
    TSR_TRY(TSR_ALLOC(&m->basis.bundle, m->max_tasks, what, err));
    TSR_TRY(TSR_ALLOC(&m->basis.tree.level, m->basis.n_levels, what, err));
    return reserve(m, &m->basis_arena, layout_basis, err);
}

static enum tsr_status allocate(struct tsr_meta_workspace *m, struct tsr_error *err) {
    size_t threads = m->engine->threads, ranges = n_pieces(m) * m->slots;
    size_t most = most_blocks(m) + (weighs_items(m) ? m->max_tasks : ranges),
           carried = threads * m->together;
    m->max_blocks = m->max_tasks < most ? m->max_tasks : most;
    TSR_TRY(TSR_ALLOC(&m->workers, threads, what, err));
    TSR_TRY(TSR_ALLOC(&m->ways, carried, what, err));
    TSR_TRY(TSR_ALLOC(&m->carried, carried, what, err));
    TSR_TRY(TSR_ALLOC(&m->passes, carried, what, err));
    TSR_TRY(TSR_ALLOC(&m->blocks, m->max_blocks, what, err));
    TSR_TRY(TSR_ALLOC(&m->sums, m->max_blocks, what, err));
    TSR_TRY(TSR_ALLOC(&m->block_position, m->max_blocks, what, err));
    TSR_TRY(TSR_ALLOC(&m->order, m->max_tasks, what, err));
    TSR_TRY(TSR_ALLOC(&m->position, m->max_tasks, what, err));
    TSR_TRY(TSR_ALLOC(&m->turns, m->max_tasks, what, err));
    TSR_TRY(TSR_ALLOC(&m->slot_first, m->slots + 1, what, err));
    TSR_TRY(TSR_ALLOC(&m->slot_block, ranges + 1, what, err));
    TSR_TRY(TSR_ALLOC(&m->slot_rate, m->slots, what, err));
    TSR_TRY(TSR_ALLOC(&m->slot_weight, m->slots, what, err));
    TSR_TRY(TSR_ALLOC(&m->task_weight, m->max_tasks, what, err));
    for (size_t i = 0; i < threads; i++)
        TSR_TRY(allocate_worker(m, i, err));
    TSR_TRY(reserve(m, &m->arena, layout_sums, err));
    TSR_TRY(allocate_basis(m, err));
    return reserve(m, &m->shared.arena, layout_shared, err);
}

/* The tree of a slot: bits of the item, below them those of its task. */
static void set_up_share(struct tsr_meta_workspace *m, const struct tsr_meta_share *share) {
    m->n_levels = bits_below(m->max_tasks) + 1;
    if (!share) return;
    struct shared *s = &m->shared;
    m->item_bits = bits_below(share->item_tasks);
    m->n_levels = m->item_bits + bits_below(share->items) + 1;
    if (share->comm->size == 1) return;
    s->of = *share;
    s->n_pieces = tsr_comm_pieces(share->comm, share->items, s->piece);
    s->length = m->slots * (m->n_sum + 1);
}

enum tsr_status tsr_meta_workspace_create(const struct tsr_engine *engine,
                                          const struct tsr_choice *method,
                                          const struct tsr_choice *loss, size_t inner_steps,
                                          const struct tsr_rates *rates, size_t slots,
                                          size_t max_tasks, size_t max_points,
                                          const struct tsr_meta_share *share,
                                          struct tsr_meta_workspace **out, struct tsr_error *err) {
    *out = NULL;
    const struct tsr_choice mse = tsr_choice_of(tsr_losses.object[0]);
    TSR_TRY(tsr_choice_check(&tsr_methods, method, err));
    TSR_TRY(tsr_loss_check(loss ? loss : &mse, tsr_method_of(method), err));
    struct tsr_meta_workspace *m;
    TSR_TRY(TSR_ALLOC(&m, 1, what, err));
    *m = (struct tsr_meta_workspace){.engine = engine,
                                     .method = *method,
                                     .loss = loss ? *loss : mse,
                                     .inner_steps = inner_steps,
                                     .slots = slots,
                                     .max_tasks = max_tasks,
                                     .max_points = max_points,
                                     .rates = *rates};
    m->rates.value = NULL;
    const struct tsr_method *of = tsr_method_of(method);
    if (tsr_carried_learns_basis(engine, of))
        m->n_basis = engine->space.n_directions * engine->net.n_params;
    m->n_sum = engine->net.n_params + (learns_rates(m) ? rates->n_steps * rates->n_units : 0);
    m->together =
        tsr_inner_together(&engine->space, tsr_carried_tapes(engine, of, inner_steps, max_points));
    set_up_share(m, share);
    enum tsr_status status = allocate(m, err);
    if (status != TSR_OK) {
        tsr_meta_workspace_free(m);
        return status;
    }
    *out = m;
    return TSR_OK;
}

void tsr_meta_workspace_free(struct tsr_meta_workspace *m) {
    if (!m) return;
    for (size_t i = 0; m->workers && i < m->engine->threads; i++) {
        tsr_arena_free(&m->workers[i].arena);
        free(m->workers[i].tree.level);
    }
    tsr_arena_free(&m->arena);
    tsr_arena_free(&m->shared.arena);
    tsr_arena_free(&m->basis_arena);
    free(m->basis.bundle);
    free(m->basis.tree.level);
    free(m->workers);
    free(m->ways);
    free(m->carried);
    free(m->passes);
    free(m->blocks);
    free(m->sums);
    free(m->block_position);
    free(m->order);
    free(m->position);
    free(m->turns);
    free(m->slot_first);
    free(m->slot_block);
    free(m->slot_rate);
    free(m->slot_weight);
    free(m->task_weight);
    free(m);
}

/* ---- one task ---------------------------------------------------------------------------------
 */

/* One call's arguments. */
struct call {
    const struct tsr_meta_point *at;
    const struct tsr_task *tasks;
    const size_t *item; /* or NULL */
    size_t n_tasks;
    double *error;
};

/* Without items, every task is one. */
static bool same_item(const struct call *call, size_t i, size_t j) {
    return call->item && call->item[i] == call->item[j];
}

static struct tsr_carried carry(struct tsr_meta_workspace *m, const struct call *call,
                                size_t thread, size_t n) {
    size_t first = thread == TSR_TEAM ? 0 : thread * m->together;
    return (struct tsr_carried){.engine = m->engine,
                                .loss = &m->loss,
                                .rates = call->at->rates,
                                .theta = call->at->theta,
                                .basis = call->at->basis,
                                .thread = thread,
                                .inner_steps = m->inner_steps,
                                .n = n,
                                .ways = m->ways + first,
                                .tasks = m->carried + first,
                                .passes = m->passes + first};
}

static bool all_finite(const tsr_real *x, size_t n) {
    tsr_real sum[8] = {0}; /* NaN and infinity survive the multiplication by zero and the sum */
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t k = 0; k < 8; k++)
            sum[k] += 0 * x[i + k];
    for (; i < n; i++)
        sum[0] += 0 * x[i];
    for (size_t k = 1; k < 8; k++)
        sum[0] += sum[k];
    return sum[0] == 0;
}

/* Gives task `at` of the order to what carries it; `first`: the first of those that are kept. */
static void take_task(struct tsr_meta_workspace *m, const struct call *call, size_t carried,
                      size_t at, size_t first) {
    size_t terms = (at - first) * 2 * m->inner_steps;
    m->ways[carried].task = &call->tasks[m->order[at]];
    if (m->n_basis)
        tsr_carried_keep(&m->carried[carried], &m->ways[carried], m->engine, m->inner_steps,
                         m->basis.a + terms * m->engine->net.n_params,
                         m->basis.b + terms * m->engine->space.n);
}

/* What a task that is back adds to the sums. Reports its error. */
static void make_leaf(const struct tsr_meta_workspace *m, const struct call *call, size_t carried,
                      tsr_real *leaf) {
    const struct tsr_carried_task *t = &m->carried[carried];
    const struct tsr_trajectory *way = &m->ways[carried];
    size_t n = m->engine->net.n_params;
    const struct tsr_method *method = tsr_method_of(&m->method);
    bool finite = isfinite(t->query_error) && all_finite(t->v, n);
    memcpy(leaf, t->v, n * sizeof *leaf);
    tsr_real *rates = leaf + n;
    if (m->n_basis) tsr_carried_finish_basis(t, m->engine, m->inner_steps);
    memset(rates, 0, (m->n_sum - n) * sizeof *rates);
    for (size_t k = 0; method->learns_rates && k < m->inner_steps; k++) {
        size_t step = k < m->rates.n_steps ? k : m->rates.n_steps - 1;
        const tsr_real *g = way->gz ? way->gz + k * way->gz_stride : way->g + k * way->g_stride;
        finite = finite && all_finite(g, m->rates.n);
        if (t->before)
            tsr_rates_derive(call->at->rates, k, way->task->slot, t->before + k * m->rates.n, g,
                             rates + step * m->rates.n_units);
        else
            tsr_rates_reduce(&m->rates, g, rates + step * m->rates.n_units);
    }
    finite = finite && all_finite(rates, m->n_sum - n);
    call->error[way->task - call->tasks] = finite ? t->query_error : (double)NAN;
}

/* ---- sums ------------------------------------------------------------------------------------ */

/* Sorts the tasks by slot, stably, and finds the place of each in the tree of its slot: that of its
 * item, and in it that of the task among those of the item. */
static void sort_tasks(struct tsr_meta_workspace *m, const struct call *call) {
    size_t *first = m->slot_first, of_item = 0;
    memset(first, 0, (m->slots + 1) * sizeof *first);
    for (size_t i = 0; i < call->n_tasks; i++)
        first[call->tasks[i].slot + 1]++;
    for (size_t s = 0; s < m->slots; s++)
        first[s + 1] += first[s];
    for (size_t i = 0; i < call->n_tasks; i++) {
        size_t at = first[call->tasks[i].slot]++;
        m->order[at] = i;
        if (!call->item) continue;
        of_item = i > 0 && call->item[i] == call->item[i - 1] ? of_item + 1 : 0;
        m->position[at] = (uint64_t)call->item[i] << m->item_bits | of_item;
    }
    memmove(first + 1, first, m->slots * sizeof *first);
    first[0] = 0;
    for (size_t s = 0; s < m->slots && !call->item; s++)
        for (size_t i = first[s]; i < first[s + 1]; i++)
            m->position[i] = i - first[s];
}

/* Past the tasks [from, to) of a slot's order that are one block: of one piece, and with positions
 * that differ in their h lowest bits at most. */
static size_t block_end(const struct tsr_meta_workspace *m, size_t from, size_t to, size_t piece,
                        unsigned h) {
    const struct shared *s = &m->shared;
    uint64_t end = UINT64_MAX;
    if (s->n_pieces) end = (uint64_t)(s->piece[piece].first + s->piece[piece].n) << m->item_bits;
    size_t i = from;
    while (i < to && m->position[i] < end && m->position[i] >> h == m->position[from] >> h)
        i++;
    return i;
}

/* Cuts the tasks of each slot into blocks of height h; false: they are too many. */
static bool cut(struct tsr_meta_workspace *m, unsigned h) {
    size_t pieces = n_pieces(m);
    m->n_blocks = 0;
    for (size_t s = 0; s < m->slots; s++) {
        size_t at = m->slot_first[s], end = m->slot_first[s + 1];
        for (size_t q = 0; q < pieces; q++) {
            m->slot_block[s * pieces + q] = m->n_blocks;
            for (size_t next; at < end && (next = block_end(m, at, end, q, h)) > at; at = next) {
                if (m->n_blocks == m->max_blocks) return false;
                m->block_position[m->n_blocks] = m->position[at];
                m->blocks[m->n_blocks++] = (struct block){at, next - at};
            }
        }
    }
    m->slot_block[m->slots * pieces] = m->n_blocks;
    return true;
}

/* The bundles of one piece of a slot, tasks [at, ..) of the order, and their tree; past its tasks.
 */
static size_t bundle_range(struct tsr_meta_workspace *m, size_t at, size_t slot, size_t piece) {
    size_t end = m->slot_first[slot + 1], first = m->basis.n_bundles;
    struct tsr_bundle *b = m->basis.bundle;
    struct tsr_sum_tree_stack stack = {0};
    for (size_t next; at < end && (next = block_end(m, at, end, piece, m->item_bits)) > at;
         at = next)
        b[m->basis.n_bundles++] =
            (struct tsr_bundle){.first = at,
                                .n = next - at,
                                .weight = 1,
                                .turn = tsr_sum_tree_push(&stack, m->position[at] >> m->item_bits),
                                .range = piece * m->slots + slot};
    if (m->basis.n_bundles > first) b[m->basis.n_bundles - 1].last = true;
    return at;
}

static void make_bundles(struct tsr_meta_workspace *m) {
    m->basis.n_bundles = 0;
    for (size_t s = 0; s < m->slots; s++)
        for (size_t q = 0, at = m->slot_first[s]; q < n_pieces(m); q++)
            at = bundle_range(m, at, s, q);
    tsr_basis_sum_begin(&m->basis);
}

/* Blocks as low as there is room for, but of as many tasks as a thread carries together if there
 * are enough for all; at their highest there is one for each piece of a slot. */
static void make_blocks(struct tsr_meta_workspace *m, const struct call *call) {
    unsigned h = 0;
    sort_tasks(m, call);
    while (call->n_tasks >> h > most_blocks(m) ||
           ((size_t)2 << h <= m->together && call->n_tasks >> (h + 1) >= m->engine->threads))
        h++;
    if (weighs_items(m) && h > m->item_bits) h = m->item_bits;
    while (!cut(m, h))
        h++;
    for (size_t i = 0; i < m->n_blocks; i++) {
        const struct block *b = &m->blocks[i];
        tsr_sum_tree_turns(m->position + b->first, b->n, m->turns + b->first);
    }
}

/* Where the sums of the slots go. */
struct gradients {
    tsr_real *theta, *rates;
};

/* The sum of a slot over the blocks of a piece, elements [from, to); NULL: it has none. */
static tsr_real *sum_blocks(const struct tsr_meta_workspace *m, size_t slot, size_t piece,
                            size_t from, size_t to) {
    const size_t *range = m->slot_block + slot * n_pieces(m) + piece;
    if (range[0] == range[1]) return NULL;
    tsr_sum_tree_blocks(m->sums + range[0], m->block_position + range[0], range[1] - range[0], from,
                        to);
    return m->sums[range[0]];
}

/* The gradients of a slot, elements [from, to) of its sum. */
static void spread(const struct tsr_meta_workspace *m, size_t slot, const tsr_real *sum,
                   size_t from, size_t to, const struct gradients *out) {
    size_t n = m->engine->net.n_params, units = m->rates.n_units;
    tsr_real weight = (tsr_real)m->slot_weight[slot];
    size_t i = from;
    if (weight == 0) sum = NULL;
    for (; i < to && i < n; i++)
        out->theta[slot * n + i] = sum ? weight * sum[i] : 0;
    while (i < to) {
        size_t step = (i - n) / units, end = n + (step + 1) * units;
        tsr_real *rate = m->rates.n_slots < m->slots
                             ? m->slot_rate + slot
                             : out->rates + tsr_rates_at(&m->rates, step, slot) + (i - n) % units;
        for (; i < to && i < end; i++)
            *rate++ = sum ? sum[i] : 0;
    }
}

/* A rate that all slots have in common: their shares, as a tree over the slots. */
static void sum_common_rate(const struct tsr_meta_workspace *m, tsr_real *d_rates) {
    for (size_t stride = 1; stride < m->slots; stride *= 2)
        for (size_t s = 0; s + stride < m->slots; s += 2 * stride)
            m->slot_rate[s] += m->slot_rate[s + stride];
    d_rates[0] = m->slot_rate[0];
}

/* ---- alone and as a team ----------------------------------------------------------------------
 */

/* The tasks [at, at + n) of a block together. */
static void run_together(struct tsr_meta_workspace *m, const struct call *call, size_t at, size_t n,
                         size_t first_kept) {
    size_t thread = tsr_thread_number(), first = thread * m->together;
    struct worker *w = &m->workers[thread];
    struct tsr_carried carried = carry(m, call, thread, n);
    for (size_t i = 0; i < n; i++)
        take_task(m, call, first + i, at + i, first_kept);
    tsr_carried_start(&carried, &w->forwards);
    tsr_method_of(&m->method)->finish(&m->method, call->at->progress, &carried);
    for (size_t i = 0; i < n; i++) {
        make_leaf(m, call, first + i, w->leaf);
        tsr_sum_tree_add(&w->tree, m->turns[at + i], w->leaf, 0, m->n_sum);
    }
}

static void run_block(struct tsr_meta_workspace *m, const struct call *call, size_t index,
                      size_t first_kept) {
    const struct block *block = &m->blocks[index];
    struct worker *w = &m->workers[tsr_thread_number()];
    for (size_t i = 0, n; i < block->n; i += n) {
        n = block->n - i < m->together ? block->n - i : m->together;
        run_together(m, call, block->first + i, n, first_kept);
    }
    tsr_sum_tree_finish(&w->tree, m->turns[block->first + block->n - 1], 0, m->n_sum,
                        m->sums[index]);
}

static size_t n_slices(const struct tsr_meta_workspace *m) {
    return (m->n_sum + SLICE - 1) / SLICE;
}

static size_t slice_end(const struct tsr_meta_workspace *m, size_t from) {
    return from + SLICE < m->n_sum ? from + SLICE : m->n_sum;
}

/* The weight that the loss gives each item, from its error: of its blocks, and of its bundles of a
 * basis. Once all tasks are back. */
static void weigh_items(struct tsr_meta_workspace *m, const struct call *call) {
    size_t out_dim = m->engine->net.out_dim;
    for (size_t i = 0, end; i < call->n_tasks; i = end) {
        double error = 0, values = 0;
        for (end = i; end < call->n_tasks && (end == i || same_item(call, i, end)); end++) {
            error += call->error[end];
            values += (double)(call->tasks[end].qry.n * out_dim);
        }
        double weight = tsr_loss_of(&m->loss)->weight(&m->loss, error / values);
        while (i < end)
            m->task_weight[i++] = (tsr_real)weight;
    }
#pragma omp parallel for schedule(static) num_threads((int)m->engine->threads)
    for (size_t i = 0; i < m->n_blocks; i++)
        for (size_t j = 0; j < m->n_sum; j++)
            m->sums[i][j] *= m->task_weight[m->order[m->blocks[i].first]];
    for (size_t i = 0; m->n_basis && i < m->basis.n_bundles; i++)
        m->basis.bundle[i].weight = m->task_weight[m->order[m->basis.bundle[i].first]];
}

/* Each thread carries tasks of its own, block by block; where a basis is learned, as many blocks as
 * can be kept, before they are taken in. */
static void run_alone(struct tsr_meta_workspace *m, const struct call *call) {
    for (size_t begin = 0, end; begin < m->n_blocks; begin = end) {
        size_t first = m->blocks[begin].first, n = 0;
        for (end = begin; end < m->n_blocks; n += m->blocks[end++].n)
            if (m->n_basis && n + m->blocks[end].n > m->basis.max_kept) break;
#pragma omp parallel for schedule(dynamic, 1) num_threads((int)m->engine->threads)
        for (size_t i = begin; i < end; i++)
            run_block(m, call, i, first);
        if (weighs_items(m)) weigh_items(m, call);
        if (m->n_basis) tsr_basis_sum_take(&m->basis, first, n);
    }
}

/* Puts the leaves of the tasks [first, first + n) of the order, which a team has carried, into the
 * trees of their blocks, and finishes those blocks that end with them. */
static void add_leaves(const struct tsr_meta_workspace *m, size_t block, size_t first, size_t n,
                       size_t from, size_t to) {
    const struct tsr_sum_tree *tree = &m->workers[0].tree;
    for (size_t i = first; i < first + n; i++) {
        const struct block *b = &m->blocks[block];
        tsr_sum_tree_add(tree, m->turns[i], m->workers[i - first].leaf, from, to);
        if (i + 1 == b->first + b->n)
            tsr_sum_tree_finish(tree, m->turns[i], from, to, m->sums[block++]);
    }
}

/* All threads carry `at_once` tasks at a time. */
static void run_team(struct tsr_meta_workspace *m, const struct call *call, size_t at_once) {
    size_t block = 0;
    for (size_t first = 0; first < call->n_tasks; first += at_once) {
        size_t n = call->n_tasks - first < at_once ? call->n_tasks - first : at_once;
        struct tsr_carried carried = carry(m, call, TSR_TEAM, n);
        for (size_t i = 0; i < n; i++)
            take_task(m, call, i, first + i, weighs_items(m) ? 0 : first);
        while (m->blocks[block].first + m->blocks[block].n <= first)
            block++;
        tsr_carried_start(&carried, NULL);
        tsr_method_of(&m->method)->finish(&m->method, call->at->progress, &carried);
#pragma omp parallel num_threads((int)m->engine->threads)
        {
#pragma omp for schedule(dynamic, 1)
            for (size_t i = 0; i < n; i++)
                make_leaf(m, call, i, m->workers[i].leaf);
#pragma omp for schedule(static)
            for (size_t i = 0; i < n_slices(m); i++)
                add_leaves(m, block, first, n, i * SLICE, slice_end(m, i * SLICE));
        }
        if (m->n_basis && !weighs_items(m)) tsr_basis_sum_take(&m->basis, first, n);
    }
    if (!weighs_items(m)) return;
    weigh_items(m, call);
    if (m->n_basis) tsr_basis_sum_take(&m->basis, 0, call->n_tasks);
}

static size_t largest_block(const struct tsr_meta_workspace *m) {
    size_t n = 0;
    for (size_t i = 0; i < m->n_blocks; i++)
        if (m->blocks[i].n > n) n = m->blocks[i].n;
    return n;
}

static struct tsr_plan plan(const struct tsr_meta_workspace *m, const struct tsr_task *tasks,
                            size_t n_tasks) {
    struct tsr_load load = {0};
    for (size_t i = 0; i < n_tasks; i++)
        tsr_load_add(&load, tasks[i].ctx.n, tsr_pass_pieces(tasks[i].ctx.n));
    return tsr_plan_of(&load, m->engine->threads);
}

enum tsr_status tsr_meta_sum(struct tsr_meta_workspace *m, const struct tsr_meta_point *at,
                             const struct tsr_task *tasks, const size_t *item, size_t n_tasks,
                             double *error, struct tsr_error *err) {
    if (n_tasks > m->max_tasks)
        return TSR_ERROR(err, TSR_ERR_ARGUMENT, "%zu tasks; the %s is made for at most %zu",
                         n_tasks, what, m->max_tasks);
    struct call call = {at, tasks, item, n_tasks, error};
    struct tsr_plan how = plan(m, tasks, n_tasks);
    size_t threads = m->engine->threads;
    for (size_t i = 0; i < m->engine->threads; i++)
        tsr_forwards_forget(&m->workers[i].forwards);
    make_blocks(m, &call);
    if (m->n_basis) make_bundles(m);
    if (how.team)
        run_team(m, &call, how.at_once);
    else if (m->n_basis && largest_block(m) > m->basis.max_kept)
        run_team(m, &call, threads < n_tasks ? threads : n_tasks);
    else
        run_alone(m, &call);
    return TSR_OK;
}

/* ---- the sums of all processes -----------------------------------------------------------------
 */

/* The vectors of this rank's pieces. A slot without tasks sums to -0, which changes no other sum.
 */
static void fill_shared(struct tsr_meta_workspace *m) {
    const struct shared *s = &m->shared;
    size_t slices = n_slices(m), jobs = s->n_pieces * m->slots * slices;
#pragma omp parallel for schedule(static) num_threads((int)m->engine->threads)
    for (size_t i = 0; i < jobs; i++) {
        size_t from = i % slices * SLICE, to = slice_end(m, from);
        size_t slot = i / slices % m->slots, piece = i / slices / m->slots;
        const tsr_real *sum = sum_blocks(m, slot, piece, from, to);
        tsr_real *out = s->sum[piece] + slot * m->n_sum;
        for (size_t k = from; k < to; k++)
            out[k] = sum ? sum[k] : -(tsr_real)0;
    }
    for (size_t i = 0; i < m->slots; i++)
        for (size_t q = 0; q < s->n_pieces; q++) {
            const size_t *range = m->slot_block + i * s->n_pieces + q;
            size_t count = 0;
            for (size_t b = range[0]; b < range[1]; b++)
                count += m->blocks[b].n;
            s->sum[q][m->slots * m->n_sum + i] = (tsr_real)count;
        }
}

/* The factor of each slot's sum, from the number of its tasks. */
static void weigh(struct tsr_meta_workspace *m, bool *present) {
    const struct shared *s = &m->shared;
    bool mean = tsr_method_of(&m->method)->mean_of_tasks;
    for (size_t i = 0; i < m->slots; i++) {
        double count = s->n_pieces ? (double)s->sum[0][m->slots * m->n_sum + i]
                                   : (double)(m->slot_first[i + 1] - m->slot_first[i]);
        m->slot_weight[i] = count > 0 ? (mean ? 1 / count : 1) : 0;
        if (present) present[i] = count > 0;
    }
}

/* The sums of the bases over all processes, to d_basis: zeros where there is no task or the method
 * does not learn them. */
static enum tsr_status combine_bases(struct tsr_meta_workspace *m, tsr_real *d_basis,
                                     struct tsr_error *err) {
    const struct shared *s = &m->shared;
    struct tsr_basis_sum *b = &m->basis;
    size_t row = m->engine->net.n_params, rows = m->slots * m->engine->space.n_directions;
    if (m->n_basis && s->n_pieces) {
        tsr_real *sum[TSR_MAX_PIECES];
        for (size_t q = 0; q < s->n_pieces; q++)
            sum[q] = b->sum + q * m->slots * b->size;
        TSR_TRY(tsr_comm_sum(s->of.comm, s->of.items, sum, m->slots * b->size, b->spare, err));
    }
#pragma omp parallel for schedule(static) num_threads((int)m->engine->threads)
    for (size_t i = 0; i < rows; i++)
        for (size_t j = i * row; j < (i + 1) * row; j++)
            d_basis[j] = m->n_basis && m->slot_weight[j / m->n_basis] > 0 ? b->sum[j] : 0;
    return TSR_OK;
}

enum tsr_status tsr_meta_combine(struct tsr_meta_workspace *m, tsr_real *d_theta, tsr_real *d_basis,
                                 tsr_real *d_rates, bool *present, struct tsr_error *err) {
    const struct gradients out = {d_theta, d_rates};
    const struct shared *s = &m->shared;
    if (s->n_pieces) {
        fill_shared(m);
        TSR_TRY(tsr_comm_sum(s->of.comm, s->of.items, s->sum, s->length, s->spare, err));
    }
    weigh(m, present);
    TSR_TRY(combine_bases(m, d_basis, err));
    memset(d_rates, 0, tsr_rates_count(&m->rates) * sizeof *d_rates);
#pragma omp parallel for schedule(static) num_threads((int)m->engine->threads)
    for (size_t i = 0; i < m->slots * n_slices(m); i++) {
        size_t slot = i / n_slices(m), from = i % n_slices(m) * SLICE, to = slice_end(m, from);
        const tsr_real *sum =
            s->n_pieces ? s->sum[0] + slot * m->n_sum : sum_blocks(m, slot, 0, from, to);
        spread(m, slot, sum, from, to, &out);
    }
    if (learns_rates(m) && m->rates.n_slots < m->slots) sum_common_rate(m, d_rates);
    return TSR_OK;
}

enum tsr_status tsr_meta_gradient(struct tsr_meta_workspace *m, const struct tsr_meta_point *at,
                                  const struct tsr_task *tasks, size_t n_tasks, tsr_real *d_theta,
                                  tsr_real *d_basis, tsr_real *d_rates, double *error,
                                  struct tsr_error *err) {
    TSR_TRY(tsr_meta_sum(m, at, tasks, NULL, n_tasks, error, err));
    return tsr_meta_combine(m, d_theta, d_basis, d_rates, NULL, err);
}
