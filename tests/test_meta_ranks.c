/* SPDX-License-Identifier: MIT
 *
 * Ranks that share a meta-batch: the spans cover the items, the sums of their pieces are the sum of
 * one process to the last bit, and so is a whole run, with items that are left out, whatever the
 * number of ranks; what goes wrong on one of them ends it on all.
 */
#include "tests/test_meta_helper.h"
#include "tests/test_ranks.h"

#include "image/training.h"
#include "meta/comm_sum.h"
#include "meta/sum_tree.h"
#include "meta/trainer.h"

enum { LENGTH = 5, MOST_ITEMS = 70 };

static void spans_and_pieces(void **state) {
    (void)state;
    for (size_t n = 1; n <= MOST_ITEMS; n++)
        for (size_t size = 1; size <= n && size <= MOST_RANKS; size++) {
            size_t next = 0;
            for (size_t rank = 0; rank < size; rank++) {
                struct tsr_comm comm = {.rank = rank, .size = size};
                struct tsr_span span = tsr_comm_span(n, rank, size), piece[TSR_MAX_PIECES];
                size_t pieces = tsr_comm_pieces(&comm, n, piece), at = span.first;
                assert_int_equal(span.first, next);
                assert_true(span.n >= n / size && span.n <= n / size + 1);
                for (size_t i = 0; i < pieces; at += piece[i++].n)
                    assert_int_equal(piece[i].first, at);
                assert_int_equal(at, span.first + span.n);
                if ((size & (size - 1)) == 0 && n % size == 0 && ((n / size) & (n / size - 1)) == 0)
                    assert_int_equal(pieces, 1);
                next = span.first + span.n;
            }
            assert_int_equal(next, n);
        }
}

/* The sum of leaves first .. first + n - 1 by the tree; their positions may have gaps. */
static void tree_sum(tsr_real (*leaf)[LENGTH], const uint64_t *position, size_t first, size_t n,
                     tsr_real *out) {
    tsr_real storage[65][LENGTH], *level[65];
    struct tsr_sum_turn turn[MOST_ITEMS];
    const struct tsr_sum_tree tree = {level};
    for (size_t i = 0; i < 65; i++)
        level[i] = storage[i];
    tsr_sum_tree_turns(position + first, n, turn);
    for (size_t i = 0; i < n; i++)
        tsr_sum_tree_add(&tree, turn[i], leaf[first + i], 0, LENGTH);
    tsr_sum_tree_finish(&tree, turn[n - 1], 0, LENGTH, out);
}

/* The definition: the highest bit in which the positions differ parts the leaves. */
static tsr_real defined(tsr_real (*leaf)[LENGTH], const uint64_t *position, size_t first, size_t n,
                        size_t k) {
    if (n == 1) return leaf[first][k];
    uint64_t differ = position[first] ^ position[first + n - 1], bit = 1;
    while (differ >> 1)
        differ >>= 1, bit <<= 1;
    size_t m = 0;
    while (!(position[first + m] & bit))
        m++;
    tsr_real a = defined(leaf, position, first, m, k);
    tsr_real b = defined(leaf, position, first + m, n - m, k);
    return a + b;
}

static void tree_is_as_defined(void **state) {
    (void)state;
    tsr_real leaf[MOST_ITEMS][LENGTH], sum[LENGTH];
    uint64_t position[MOST_ITEMS];
    size_t other_order = 0;
    for (size_t n = 1; n <= MOST_ITEMS; n++) {
        draw_all(*leaf, n * LENGTH, -1, 1);
        for (size_t i = 0; i < n; i++)
            position[i] = (i ? position[i - 1] : 0) + draw_size(1, n % 3 ? 1 : 9);
        tree_sum(leaf, position, 0, n, sum);
        for (size_t k = 0; k < LENGTH; k++) {
            tsr_real tree = defined(leaf, position, 0, n, k), in_order = 0;
            ASSERT_SAME_BITS("sum", sum + k, &tree, 1);
            for (size_t i = 0; i < n; i++)
                in_order += leaf[i][k];
            other_order += tree != in_order;
        }
        /* as blocks of any heights, of which only a leaf's position is known */
        tsr_real storage[MOST_ITEMS][LENGTH], *block[MOST_ITEMS];
        uint64_t at[MOST_ITEMS];
        size_t n_blocks = 0, h = draw_size(0, 7);
        for (size_t i = 0, end; i < n; i = end) {
            for (end = i; end < n && position[end] >> h == position[i] >> h;)
                end++;
            block[n_blocks] = storage[n_blocks];
            tree_sum(leaf, position, i, end - i, block[n_blocks]);
            at[n_blocks++] = position[draw_size(i, end - 1)];
        }
        tsr_sum_tree_blocks(block, at, n_blocks, 0, LENGTH);
        ASSERT_SAME_BITS("blocks", block[0], sum, LENGTH);
    }
    assert_true(other_order > MOST_ITEMS); /* the order does show in the bits */
}

/* ---- sums of ranks ----------------------------------------------------------------------------
 */

struct sums {
    size_t n;
    tsr_real (*leaf)[LENGTH];
    uint64_t *position;
    tsr_real result[LENGTH];
    enum tsr_status status;
};

static void sum_share(const struct tsr_comm *comm, void *data) {
    struct sums *s = data;
    struct tsr_span piece[TSR_MAX_PIECES];
    tsr_real storage[TSR_MAX_PIECES + 1][LENGTH], *sum[TSR_MAX_PIECES];
    size_t pieces = tsr_comm_pieces(comm, s->n, piece);
    for (size_t i = 0; i < pieces; i++) {
        sum[i] = storage[i];
        tree_sum(s->leaf, s->position, piece[i].first, piece[i].n, sum[i]);
    }
    s->status = tsr_comm_sum(comm, s->n, sum, LENGTH, storage[TSR_MAX_PIECES], NULL);
    memcpy(s->result, sum[0], sizeof s->result);
}

static void sums_of_ranks(void **state) {
    (void)state;
    static const size_t items[] = {1, 2, 3, 4, 5, 7, 8, 12, 16, 23, 64, 70};
    tsr_real leaf[MOST_ITEMS][LENGTH], whole[LENGTH];
    uint64_t position[MOST_ITEMS];
    for (size_t i = 0; i < MOST_ITEMS; i++)
        position[i] = i;
    for (size_t t = 0; t < sizeof items / sizeof *items; t++)
        for (size_t size = 1; size <= 9 && size <= items[t]; size++) {
            struct sums sums[MOST_RANKS];
            void *data[MOST_RANKS];
            draw_all(*leaf, items[t] * LENGTH, -1, 1);
            tree_sum(leaf, position, 0, items[t], whole);
            for (size_t r = 0; r < size; r++) {
                sums[r] = (struct sums){.n = items[t], .leaf = leaf, .position = position};
                data[r] = &sums[r];
            }
            size_t letters = run_ranks(size, sum_share, data);
            if ((size & (size - 1)) == 0 && items[t] == 64) assert_int_equal(letters, size - 1);
            for (size_t r = 0; r < size; r++) {
                assert_int_equal(sums[r].status, TSR_OK);
                ASSERT_SAME_BITS("sum of ranks", sums[r].result, whole, LENGTH);
            }
        }
}

/* ---- what one finds out, all know --------------------------------------------------------------
 */

struct word {
    enum tsr_status in, out;
    struct tsr_error error;
    bool flag;
};

static void agree(const struct tsr_comm *comm, void *data) {
    struct word *w = data;
    if (w->in != TSR_OK) w->in = TSR_ERROR(&w->error, w->in, "no room here");
    w->out = tsr_comm_agree(comm, w->in, &w->error);
    if (tsr_comm_any(comm, &w->flag, NULL) != TSR_OK) abort();
}

static void agreement(void **state) {
    (void)state;
    struct word word[4] = {{0}, {0}, {.in = TSR_ERR_SHAPE}, {.in = TSR_ERR_IO, .flag = true}};
    void *data[4] = {&word[0], &word[1], &word[2], &word[3]};
    run_ranks(4, agree, data);
    for (size_t r = 0; r < 4; r++) {
        assert_int_equal(word[r].out, TSR_ERR_SHAPE);
        assert_string_equal(word[r].error.message, "rank 2: no room here");
        assert_true(word[r].flag);
    }
    memset(word, 0, sizeof word);
    run_ranks(4, agree, data);
    for (size_t r = 0; r < 4; r++)
        assert_true(word[r].out == TSR_OK && !word[r].flag);
}

/* ---- whole runs --------------------------------------------------------------------------------
 */

enum { ITEMS = 7, ITEM_TASKS = 3, TASKS = ITEMS * ITEM_TASKS, POINTS = 12, SLOTS = 3, STEPS = 12 };

/* A run of one rank on noise. Item 4 is not a number in outer step 5; the source of rank 1 fails in
 * outer step `failing`, rank 2 is told to stop after outer step `stopped`. */
struct play {
    struct tsr_comm comm;
    const char *method;
    struct tsr_model *model;
    struct tsr_outer_state state;
    uint64_t failing, stopped;
    tsr_real x[TASKS][POINTS * 2], y[TASKS][POINTS * 3];
    struct tsr_task task[TASKS];
    size_t first[ITEMS + 1];
    char name[16], left_out[64];
    enum tsr_status status;
    struct tsr_error error;
    size_t saves;
    double val_psnr_db;
};

static enum tsr_status next(void *user, uint64_t outer_step, struct tsr_task_batch *out,
                            struct tsr_error *err) {
    struct play *p = user;
    struct tsr_span span = tsr_comm_span(ITEMS, p->comm.rank, p->comm.size);
    size_t n = 0;
    if (outer_step == p->failing && p->comm.rank + 1 == p->comm.size)
        return TSR_ERROR(err, TSR_ERR_IO, "the cable is gone");
    for (size_t b = 0; b < span.n; b++) {
        size_t item = span.first + b, tasks = 1 + (item + outer_step) % ITEM_TASKS;
        p->first[b] = n;
        for (size_t i = 0; i < tasks; i++, n++) {
            uint64_t stream = outer_step << 32 | (TSR_STREAM_USER + item * ITEM_TASKS + i);
            for (size_t k = 0; k < POINTS * 2; k++)
                p->x[n][k] = (tsr_real)(2 * tsr_random_uniform(7, stream, k) - 1);
            for (size_t k = 0; k < POINTS * 3; k++)
                p->y[n][k] = (tsr_real)tsr_random_uniform(8, stream, k);
            if (item == 4 && outer_step == 5 && i == 0) p->y[n][5] = (tsr_real)NAN;
            const struct tsr_points points = {p->x[n], p->y[n], POINTS};
            p->task[n] = (struct tsr_task){.ctx = points,
                                           .qry = points,
                                           .ctx_scale = 1.0 / (POINTS * 3),
                                           .slot = (size_t)(stream * 7 % (outer_step % 2 ? 2 : 3))};
        }
    }
    p->first[span.n] = n;
    *out = (struct tsr_task_batch){.n_items = span.n, .first = p->first, .tasks = p->task};
    return TSR_OK;
}

static const char *name(void *user, size_t item) {
    struct play *p = user;
    size_t first = tsr_comm_span(ITEMS, p->comm.rank, p->comm.size).first;
    (void)snprintf(p->name, sizeof p->name, "item %zu", first + item);
    return p->name;
}

static enum tsr_status score(void *user, int (*stop)(void *stop_user), void *stop_user,
                             double *psnr_db, size_t *left_out, struct tsr_error *err) {
    struct play *p = user;
    (void)stop, (void)stop_user, (void)err;
    *left_out = 0;
    /* falls once, so that the run goes back */
    *psnr_db = p->state.progress.outer_step == 8 ? 5 : 20;
    return TSR_OK;
}

static enum tsr_status save(void *user, struct tsr_error *err) {
    struct play *p = user;
    (void)err;
    p->saves++;
    return TSR_OK;
}

static int on_progress(void *user, const struct tsr_trainer_progress *progress) {
    const struct play *p = user;
    return progress->outer_step == p->stopped && p->comm.rank + 1 == p->comm.size;
}

static void on_left_out(void *user, const char *item) {
    struct play *p = user;
    (void)snprintf(p->left_out + strlen(p->left_out), sizeof p->left_out - strlen(p->left_out),
                   "%s;", item);
}

static void train_share(const struct tsr_comm *comm, void *data) {
    struct play *p = data;
    struct tsr_task_source source = {.user = p,
                                     .n_slots = SLOTS,
                                     .n_items = ITEMS,
                                     .item_tasks = ITEM_TASKS,
                                     .max_tasks = TASKS,
                                     .max_points = POINTS,
                                     .next = next,
                                     .name = name};
    const struct tsr_validator validator = {.user = p, .score = score};
    const struct tsr_store store = {p, comm->rank == 0 ? save : NULL};
    const struct tsr_learner learner = tsr_model_learner(p->model);
    const struct tsr_trainer_callbacks callbacks = {
        .progress = on_progress, .user = p, .left_out = on_left_out};
    struct tsr_trainer *trainer;
    p->comm = *comm;
    p->state.config.comm = comm;
    p->status =
        tsr_trainer_create(&learner, &source, &validator, &store, &p->state, &trainer, &p->error);
    if (p->status != TSR_OK) return;
    p->status = tsr_trainer_run(trainer, &callbacks, &p->error);
    tsr_trainer_free(trainer);
}

static void begin(struct play *p, const char *method, const char *adaptation, size_t threads) {
    struct tsr_model_config config = toy_config(16, 16, 3);
    const struct tsr_object *object;
    MUST(tsr_registry_find(&tsr_adaptations, adaptation, &object, err));
    config.adaptation = tsr_choice_of(object);
    (void)tsr_choice_set(&config.adaptation, "numbers", 9);
    config.partition = (struct tsr_partition_rule){.rule = TSR_RULE(grid, 1, SLOTS)};
    config.slots = TSR_SLOTS_PER_REGION;
    config.rates = strcmp(method, "fomaml") ? TSR_RATES_PER_LAYER_PER_STEP : TSR_RATES_PER_STEP;
    *p = (struct play){.method = method, .failing = UINT64_MAX, .stopped = UINT64_MAX};
    MUST(tsr_model_create(&config, 3, &p->model, err));
    assert_int_equal(p->model->n_slots, SLOTS);
    MUST(tsr_outer_state_create(p->model->n_slots * p->model->net.n_params,
                                tsr_model_basis_count(p->model), tsr_rates_count(&p->model->rates),
                                &p->state, err));
    tsr_trainer_config_default(&p->state.config);
    MUST(tsr_registry_find(&tsr_methods, method, &object, err));
    p->state.config.method = tsr_choice_of(object);
    p->state.config.outer_steps = STEPS;
    p->state.config.val_every = 4;
    p->state.config.outer_lr = 1e-3;
    p->state.config.warmup = 2;
    p->state.config.batch = ITEMS;
    p->state.config.threads = threads;
    p->state.config.checkpoint_seconds = 0;
}

static void end(struct play *p) {
    tsr_model_free(p->model);
    tsr_outer_state_clear(&p->state);
}

static void play(struct play *plays, size_t size) {
    void *data[MOST_RANKS];
    for (size_t r = 0; r < size; r++)
        data[r] = &plays[r];
    run_ranks(size, train_share, data);
}

static void assert_same(const struct play *a, const struct play *b) {
    const struct tsr_outer_state *s = &a->state, *t = &b->state;
    ASSERT_SAME_BITS("theta", a->model->theta, b->model->theta, s->n_theta);
    if (s->n_basis) ASSERT_SAME_BITS("basis", a->model->basis, b->model->basis, s->n_basis);
    ASSERT_SAME_BITS("rates", a->model->rates.value, b->model->rates.value, s->n_rates);
    ASSERT_SAME_BITS("m", s->m_theta, t->m_theta, s->n_theta);
    ASSERT_SAME_BITS("v", s->v_rates, t->v_rates, s->n_rates);
    assert_int_equal(s->progress.outer_step, t->progress.outer_step);
    assert_int_equal(s->progress.skipped, t->progress.skipped);
    assert_int_equal(s->progress.rollbacks, t->progress.rollbacks);
    assert_true(s->progress.train_psnr_db == t->progress.train_psnr_db);
    assert_true(s->progress.bad_share == t->progress.bad_share);
}

static struct play one, many[MOST_RANKS];

static void runs_of_ranks(void **state) {
    (void)state;
    static const char *const methods[] = {"maml", "fomaml", "reptile", "maml"};
    static const char *const adaptations[] = {"all", "biases", "all", "latent"};
    static const size_t sizes[] = {2, 3, 4, 7};
    for (size_t m = 0; m < 4; m++) {
        begin(&one, methods[m], adaptations[m], 1);
        play(&one, 1);
        assert_int_equal(one.status, TSR_OK);
        assert_string_equal(one.left_out, "item 4;");
        assert_int_equal(one.state.progress.rollbacks, 1);
        for (size_t t = 0; t < sizeof sizes / sizeof *sizes; t++) {
            for (size_t r = 0; r < sizes[t]; r++)
                begin(&many[r], methods[m], adaptations[m], 1 + r % 2);
            play(many, sizes[t]);
            for (size_t r = 0; r < sizes[t]; r++) {
                if (many[r].status != TSR_OK) fail_msg("%s", many[r].error.message);
                assert_same(&many[r], &one);
                assert_string_equal(many[r].left_out, "item 4;");
                assert_int_equal(many[r].saves, r == 0 ? one.saves : 0);
                end(&many[r]);
            }
        }
        end(&one);
    }
}

/* An error of one rank is everybody's, a signal too; what was learned until then is the same. */
static void one_for_all(void **state) {
    (void)state;
    for (int fails = 0; fails < 2; fails++) {
        for (size_t r = 0; r < 3; r++) {
            begin(&many[r], "maml", "all", 1);
            *(fails ? &many[r].failing : &many[r].stopped) = 6;
        }
        play(many, 3);
        for (size_t r = 0; r < 3; r++) {
            assert_int_equal(many[r].status, fails ? TSR_ERR_IO : TSR_ERR_INTERRUPTED);
            assert_int_equal(many[r].state.progress.outer_step, 6);
            assert_true(strstr(many[r].error.message,
                               fails ? "rank 2: the cable is gone" : "after outer step 6") != NULL);
            assert_same(&many[r], &many[0]);
        }
        for (size_t r = 0; r < 3; r++)
            end(&many[r]);
    }
}

static void more_ranks_than_items(void **state) {
    (void)state;
    for (size_t r = 0; r < ITEMS + 1; r++)
        begin(&many[r], "maml", "all", 1);
    play(many, ITEMS + 1);
    for (size_t r = 0; r < ITEMS + 1; r++) {
        assert_int_equal(many[r].status, TSR_ERR_CONFIG);
        assert_true(strstr(many[r].error.message, "8 processes share a meta-batch of 7") != NULL);
        end(&many[r]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_and_pieces),      cmocka_unit_test(tree_is_as_defined),
        cmocka_unit_test(sums_of_ranks),         cmocka_unit_test(agreement),
        cmocka_unit_test(runs_of_ranks),         cmocka_unit_test(one_for_all),
        cmocka_unit_test(more_ranks_than_items),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
