/* SPDX-License-Identifier: MIT
 *
 * Runs that diverge, by a validator that says what the test wants: back to the last good state, at
 * half the rate, as often as is allowed, and the same when the run is interrupted and resumed
 * anywhere.
 */
#include "tests/test_meta_helper.h"

#include "image/checkpoint.h"
#include "image/training.h"
#include "meta/outer_optimizer.h"

enum { ITEMS = 3, POINTS = 12, STEPS = 24, NOTHING = 1 << 30 };

/* Decay of the running mean, where there is one. */
#define EMA 0.7

/* A run, with a source of noise for data: the same for the same outer step. */
struct play {
    struct tsr_model *model;
    struct tsr_outer_state state;
    const double *script; /* [STEPS / 4] what the validator says up to outer steps 4, 8, ... */
    uint64_t bad_step;    /* in which item 1 is not a number */
    uint64_t silent_step; /* after which the validator is interrupted */
    bool full;            /* nothing can be saved */
    uint64_t stop;        /* the run is interrupted there */
    const char *path;     /* of the checkpoint */
    tsr_real x[ITEMS][POINTS * 2], y[ITEMS][POINTS * 3];
    struct tsr_task task[ITEMS];
    size_t first[ITEMS + 1];
    tsr_real *after_8; /* theta after outer step 8 */
    double *mean;      /* of theta over the outer steps, with a running mean */
    int rollbacks, left_out, unsaved;
    char said[TSR_ERROR_SIZE], name[32];
    uint64_t begun; /* outer steps before this session */
};

static enum tsr_status next(void *user, uint64_t outer_step, struct tsr_task_batch *out,
                            struct tsr_error *err) {
    struct play *p = user;
    (void)err;
    for (size_t b = 0; b < ITEMS; b++) {
        uint64_t stream = outer_step << 32 | (TSR_STREAM_USER + b);
        for (size_t i = 0; i < POINTS * 2; i++)
            p->x[b][i] = (tsr_real)(2 * tsr_random_uniform(7, stream, i) - 1);
        for (size_t i = 0; i < POINTS * 3; i++)
            p->y[b][i] = (tsr_real)tsr_random_uniform(8, stream, i);
        if (b == 1 && outer_step == p->bad_step) p->y[b][5] = (tsr_real)NAN;
        p->task[b] = (struct tsr_task){.ctx = {p->x[b], p->y[b], POINTS},
                                       .qry = {p->x[b], p->y[b], POINTS},
                                       .ctx_scale = 1.0 / (POINTS * 3)};
        p->first[b] = b;
    }
    p->first[ITEMS] = ITEMS;
    *out = (struct tsr_task_batch){.n_items = ITEMS, .first = p->first, .tasks = p->task};
    return TSR_OK;
}

static const char *name(void *user, size_t item) {
    struct play *p = user;
    (void)snprintf(p->name, sizeof p->name, "item %zu", item);
    return p->name;
}

static enum tsr_status score(void *user, int (*stop)(void *stop_user), void *stop_user,
                             double *psnr_db, size_t *left_out, struct tsr_error *err) {
    const struct play *p = user;
    (void)stop;
    (void)stop_user;
    *left_out = 0;
    if (p->state.progress.outer_step == p->silent_step)
        return TSR_ERROR(err, TSR_ERR_INTERRUPTED, "silence");
    *psnr_db = p->script[(p->state.progress.outer_step + 3) / 4 - 1];
    return TSR_OK;
}

static enum tsr_status save(void *user, struct tsr_error *err) {
    const struct play *p = user;
    if (p->full) return TSR_ERROR(err, TSR_ERR_IO, "full");
    return tsr_checkpoint_save(p->model, &p->state, NULL, p->path, err);
}

/* A source that the run waits for, a while before each of its outer steps. */
static double waited(void *user) {
    const struct play *p = user;
    return 7 + 0.5 * (double)p->state.progress.outer_step;
}

static int on_progress(void *user, const struct tsr_trainer_progress *progress) {
    struct play *p = user;
    double n = (double)progress->outer_step - 1, decay = fmin((1 + n) / (10 + n), EMA);
    for (size_t i = 0; i < p->state.n_theta; i++)
        p->mean[i] = decay * p->mean[i] + (1 - decay) * (double)p->model->theta[i];
    assert_true(progress->data_seconds == 0.5 * (double)(progress->outer_step - p->begun));
    if (progress->outer_step == 8)
        memcpy(p->after_8, p->model->theta, p->state.n_theta * sizeof *p->after_8);
    return progress->outer_step == p->stop;
}

/* At this moment theta is what it was. */
static void on_rolled_back(void *user, const char *what) {
    struct play *p = user;
    p->rollbacks++;
    (void)snprintf(p->said, sizeof p->said, "%s", what);
    if (strstr(what, "back to the state of outer step 8"))
        ASSERT_SAME_BITS("theta", p->model->theta, p->after_8, p->state.n_theta);
}

static void on_save_failed(void *user, const struct tsr_error *error) {
    struct play *p = user;
    assert_string_equal(error->message, "full");
    p->unsaved++;
}

static void on_left_out(void *user, const char *item) {
    struct play *p = user;
    assert_string_equal(item, "item 1");
    p->left_out++;
}

static void begin(struct play *p, const double *script, size_t max_rollbacks, const char *path) {
    struct tsr_model_config config = toy_config(16, 16, 3);
    config.rates = TSR_RATES_PER_STEP;
    *p = (struct play){.script = script, .bad_step = NOTHING, .silent_step = NOTHING, .path = path};
    MUST(tsr_model_create(&config, 3, &p->model, err));
    MUST(tsr_outer_state_create(p->model->n_slots * p->model->net.n_params, 0,
                                tsr_rates_count(&p->model->rates), &p->state, err));
    p->after_8 = make(p->state.n_theta, sizeof *p->after_8);
    p->mean = make(p->state.n_theta, sizeof *p->mean);
    for (size_t i = 0; i < p->state.n_theta; i++)
        p->mean[i] = (double)p->model->theta[i];
    tsr_trainer_config_default(&p->state.config);
    p->state.config.outer_steps = STEPS;
    p->state.config.val_every = 4;
    p->state.config.outer_lr = 1e-3;
    p->state.config.warmup = 2;
    p->state.config.threads = 1;
    p->state.config.checkpoint_seconds = 0;
    p->state.config.max_rollbacks = max_rollbacks;
}

static enum tsr_status go(struct play *p, uint64_t stop, struct tsr_error *err) {
    struct tsr_task_source source = {.user = p,
                                     .n_slots = 1,
                                     .n_items = ITEMS,
                                     .item_tasks = 1,
                                     .max_tasks = ITEMS,
                                     .max_points = POINTS,
                                     .next = next,
                                     .name = name,
                                     .waited = waited};
    const struct tsr_validator validator = {.user = p, .score = score};
    const struct tsr_store store = {p, save};
    const struct tsr_learner learner = tsr_model_learner(p->model);
    const struct tsr_trainer_callbacks callbacks = {.progress = on_progress,
                                                    .user = p,
                                                    .save_failed = on_save_failed,
                                                    .rolled_back = on_rolled_back,
                                                    .left_out = on_left_out};
    struct tsr_trainer *trainer;
    p->stop = stop;
    p->begun = p->state.progress.outer_step;
    TSR_TRY(tsr_trainer_create(&learner, &source, &validator, &store, &p->state, &trainer, err));
    enum tsr_status status = tsr_trainer_run(trainer, &callbacks, err);
    tsr_trainer_free(trainer);
    return status;
}

/* The same run in another session, from the file. */
static void reload(struct play *p) {
    struct tsr_origin origin;
    size_t threads = p->state.config.threads;
    tsr_model_free(p->model);
    tsr_outer_state_clear(&p->state);
    MUST(tsr_checkpoint_load(p->path, &p->model, &p->state, &origin, err));
    p->state.config.threads = threads;
}

static void end(struct play *p) {
    tsr_model_free(p->model);
    tsr_outer_state_clear(&p->state);
    free(p->after_8);
    free(p->mean);
}

static void assert_same(const struct play *a, const struct play *b) {
    const struct tsr_outer_state *s = &a->state, *t = &b->state;
    ASSERT_SAME_BITS("theta", a->model->theta, b->model->theta, s->n_theta);
    ASSERT_SAME_BITS("rates", a->model->rates.value, b->model->rates.value, s->n_rates);
    ASSERT_SAME_BITS("m", s->m_theta, t->m_theta, s->n_theta);
    ASSERT_SAME_BITS("v", s->v_theta, t->v_theta, s->n_theta);
    ASSERT_SAME_BITS("good theta", s->good.theta, t->good.theta, s->n_theta);
    ASSERT_SAME_BITS("good v", s->good.v_rates, t->good.v_rates, s->n_rates);
    assert_int_equal(s->progress.outer_step, t->progress.outer_step);
    assert_int_equal(s->progress.rollbacks, t->progress.rollbacks);
    assert_int_equal(s->progress.lost, t->progress.lost);
    assert_int_equal(s->progress.halvings, t->progress.halvings);
    assert_int_equal(s->progress.waited, t->progress.waited);
    if (s->config.ema > 0) {
        ASSERT_SAME_BITS("values", s->other.theta, t->other.theta, s->n_theta);
        ASSERT_SAME_BITS("good mean", s->good.mean.rates, t->good.mean.rates, s->n_rates);
    }
    assert_int_equal(s->progress.skipped, t->progress.skipped);
    assert_int_equal(s->good.outer_step, t->good.outer_step);
    assert_int_equal(s->good.updates, t->good.updates);
    assert_true(s->progress.best_val_psnr_db == t->progress.best_val_psnr_db);
    assert_memory_equal(s->rollback, t->rollback, s->progress.rollbacks * sizeof *s->rollback);
    assert_int_equal(s->n_history, t->n_history);
}

static const double good[] = {20, 21, 22, 23, 24, 25}, falls[] = {20, 21, 10, 21.5, 22, 23},
                    dips[] = {20, 24, 21.1, 23.6, 21.2, 24}, fails[] = {20, 21, 9, 8, 7, 6},
                    ends[] = {20, 21, 22, 23, 24, 5}, nothing[] = {20, 21, NAN, 21, 22, 23};

static void goes_back(void **state) {
    (void)state;
    struct play healthy, p;
    begin(&healthy, good, 3, in_folder("healthy.h5"));
    MUST(go(&healthy, NOTHING, err));
    assert_int_equal(healthy.rollbacks, 0);
    begin(&p, falls, 3, in_folder("m.h5"));
    MUST(go(&p, NOTHING, err));
    assert_int_equal(p.rollbacks, 1);
    assert_string_equal(p.said,
                        "outer step 12: validation PSNR is 10.00 dB; the best was 21.00 dB: "
                        "back to the state of outer step 8, with 1/2 of the outer rates "
                        "(rollback 1 of 3)");
    const struct tsr_outer_state *s = &p.state;
    assert_int_equal(s->progress.outer_step, STEPS);
    assert_int_equal(s->progress.lost, 4);
    assert_true(s->rollback[0].outer_step == 12 && s->rollback[0].good_outer_step == 8);
    assert_true(s->rollback[0].val_psnr_db == 10 && s->rollback[0].factor == 0.5);
    assert_int_equal(s->n_history, 6);
    double schedule = tsr_schedule(STEPS - 1 - 4, 2, (STEPS - 1.0) / STEPS, s->config.final_lr);
    assert_true(fabs(s->progress.outer_lr / (0.5 * 1e-3 * schedule) - 1) < 1e-12);
    assert_true(memcmp(p.model->theta, healthy.model->theta, s->n_theta * sizeof(tsr_real)) != 0);
    assert_true(s->good.current && s->good.outer_step == STEPS);
    end(&p);
    end(&healthy);
}

/* Interrupted after any outer step, and resumed from the file: before, at and after the rollback.
 */
static void check_resumption(const double *script, double ema, int rollbacks) {
    struct play whole, parts;
    begin(&whole, script, 3, in_folder("whole.h5"));
    whole.state.config.ema = ema;
    whole.state.config.patience = 2;
    MUST(go(&whole, NOTHING, err));
    assert_int_equal(whole.rollbacks, rollbacks);
    for (uint64_t stop = 1; stop < STEPS; stop++) {
        begin(&parts, script, 3, in_folder("parts.h5"));
        parts.state.config.ema = ema;
        parts.state.config.patience = 2;
        MUST_FAIL(go(&parts, stop, err), TSR_ERR_INTERRUPTED, "interrupted after outer step");
        reload(&parts);
        MUST(go(&parts, NOTHING, err));
        assert_same(&parts, &whole);
        reload(&parts);
        assert_same(&parts, &whole);
        end(&parts);
    }
    end(&whole);
}

static void resumes_across_a_rollback(void **state) {
    (void)state;
    check_resumption(falls, 0, 1);
    check_resumption(dips, 0, 0);
    check_resumption(nothing, 0, 1);
}

static void running_mean_resumes(void **state) {
    (void)state;
    check_resumption(falls, EMA, 1);
    check_resumption(dips, EMA, 0);
}

/* What a run leaves behind is the mean over its outer steps, and they do not follow from it. */
static void running_mean(void **state) {
    (void)state;
    struct play plain, p;
    begin(&plain, good, 3, in_folder("plain.h5"));
    MUST(go(&plain, NOTHING, err));
    begin(&p, good, 3, in_folder("m.h5"));
    p.state.config.ema = EMA;
    MUST(go(&p, NOTHING, err));
    size_t n = p.state.n_theta;
    ASSERT_CLOSE("mean", p.model->theta, p.mean, n, sizeof(tsr_real) == 4 ? 1e-6 : 1e-12);
    ASSERT_SAME_BITS("theta", p.state.other.theta, plain.model->theta, n);
    assert_memory_not_equal(p.model->theta, plain.model->theta, n * sizeof(tsr_real));
    end(&plain);
    end(&p);
}

/* Two validations without a new best halve the outer rates. */
static void patience(void **state) {
    (void)state;
    static const double stands[] = {20, 21, 20.9, 21, 20.8, 21.5};
    struct play p;
    begin(&p, stands, 3, in_folder("m.h5"));
    p.state.config.patience = 2;
    MUST(go(&p, NOTHING, err));
    const struct tsr_outer_state *s = &p.state;
    double schedule = tsr_schedule(STEPS - 1, 2, (STEPS - 1.0) / STEPS, s->config.final_lr);
    assert_int_equal(s->progress.halvings, 1);
    assert_int_equal(s->progress.waited, 0);
    assert_int_equal(p.rollbacks, 0);
    assert_true(fabs(s->progress.outer_lr / (0.5 * 1e-3 * schedule) - 1) < 1e-12);
    end(&p);
}

static void ends_in_the_last_good_state(void **state) {
    (void)state;
    for (size_t most = 0; most < 3; most++) {
        struct play p;
        begin(&p, fails, most, in_folder("m.h5"));
        MUST_FAIL(go(&p, NOTHING, err), TSR_ERR_NUMERIC,
                  "the run ends in the state of outer step 8");
        assert_int_equal(p.rollbacks, most);
        assert_int_equal(p.state.progress.outer_step, 12 + 4 * most);
        assert_int_equal(p.state.progress.saved_outer_step, 12 + 4 * most);
        reload(&p);
        ASSERT_SAME_BITS("theta", p.model->theta, p.after_8, p.state.n_theta);
        assert_int_equal(p.state.good.outer_step, 8);
        end(&p);
    }
    struct play p;
    begin(&p, ends, 3, in_folder("m.h5"));
    MUST_FAIL(go(&p, NOTHING, err), TSR_ERR_NUMERIC, "the run ends in the state of outer step 20");
    end(&p);
}

/* A run whose slots are to turn off the beat of its validations. */
static void begin_turn(struct play *p, const double *script, const char *path) {
    begin(p, script, 3, path);
    p->state.config.then = TSR_THEN_PER_REGION;
    p->state.config.then_at = 10.5 / STEPS;
}

/* What has diverged since the last validation does not turn: the run stops for that in a good
 * state, wherever it was interrupted. */
static void turns_in_a_good_state(void **state) {
    (void)state;
    const uint64_t stops[] = {8, 10, 11};
    struct play whole, p;
    begin_turn(&whole, falls, in_folder("whole.h5"));
    MUST(go(&whole, NOTHING, err));
    assert_true(tsr_outer_state_is_due(&whole.state));
    assert_int_equal(whole.state.progress.outer_step, 11);
    assert_int_equal(whole.state.progress.lost, 3);
    assert_int_equal(whole.rollbacks, 1);
    assert_int_equal(whole.state.n_history, 3);
    ASSERT_SAME_BITS("theta", whole.model->theta, whole.after_8, whole.state.n_theta);
    for (size_t i = 0; i < 4; i++) {
        begin_turn(&p, falls, in_folder("m.h5"));
        p.silent_step = i == 3 ? 11 : NOTHING;
        MUST_FAIL(go(&p, i < 3 ? stops[i] : NOTHING, err), TSR_ERR_INTERRUPTED, "interrupted");
        p.silent_step = NOTHING;
        reload(&p);
        MUST(go(&p, NOTHING, err));
        assert_same(&whole, &p);
        end(&p);
    }
    end(&whole);
}

/* As at an interval: the run goes on. */
static void turns_unsaved(void **state) {
    (void)state;
    struct play p;
    begin_turn(&p, good, in_folder("m.h5"));
    p.full = true;
    MUST(go(&p, NOTHING, err));
    assert_int_equal(p.unsaved, 1);
    assert_true(tsr_outer_state_is_due(&p.state));
    end(&p);
}

/* New slots have not stood still, but what made the run diverge is as it was. */
static void a_turn_is_patient_again(void **state) {
    (void)state;
    static const double stands[] = {20, 10, 19.9, 0, 0, 0};
    struct play p;
    begin_turn(&p, stands, in_folder("m.h5"));
    p.state.config.patience = 2;
    MUST(go(&p, NOTHING, err));
    struct tsr_trainer_progress before = p.state.progress;
    assert_true(before.halvings == 1 && before.rollbacks == 1);
    MUST(tsr_outer_state_turn(&p.state, 2 * p.state.n_theta, 0, p.state.n_rates, err));
    const struct tsr_trainer_progress *after = &p.state.progress;
    assert_true(after->halvings == 0 && after->waited == 0 && after->rollbacks == 1);
    assert_true(after->best_val_psnr_db == 20 && after->turned_at == 11);
    assert_int_equal(after->lost_before, before.lost);
    assert_int_equal(tsr_outer_state_updates(&p.state), 0);
    assert_int_equal(p.state.n_history, 3);
    assert_false(tsr_outer_state_is_due(&p.state) || p.state.good.kept);
    end(&p);
}

/* The outer rates begin again with the new slots, and end with the run. */
static void a_turn_begins_the_decay_again(void **state) {
    (void)state;
    struct tsr_outer_state s = {.config = {.outer_steps = 40}};
    s.progress.outer_step = 10;
    assert_true(tsr_outer_state_decay(&s) == 0.25);
    s.progress.turned_at = 10;
    assert_true(tsr_outer_state_decay(&s) == 0);
    s.progress.outer_step = 25;
    assert_true(tsr_outer_state_decay(&s) == 0.5);
    s.progress.outer_step = 40;
    assert_true(tsr_outer_state_decay(&s) == 1);
    s.config = (struct tsr_trainer_config){.seconds = 8};
    s.progress.turned_seconds = 4;
    s.progress.seconds = 5;
    assert_true(tsr_outer_state_decay(&s) == 0.25);
    s.progress.turned_seconds = s.progress.seconds = 9;
    assert_true(tsr_outer_state_decay(&s) == 1);
}

/* An item that is not a number in one outer step is left out of it, named, and no divergence. */
static void names_what_it_leaves_out(void **state) {
    (void)state;
    struct play p;
    begin(&p, good, 3, in_folder("m.h5"));
    p.bad_step = 5;
    MUST(go(&p, NOTHING, err));
    assert_int_equal(p.left_out, 1);
    assert_int_equal(p.state.progress.skipped, 1);
    assert_int_equal(p.rollbacks, 0);
    end(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(goes_back),
        TEST(resumes_across_a_rollback),
        TEST(running_mean_resumes),
        TEST(running_mean),
        TEST(patience),
        TEST(ends_in_the_last_good_state),
        TEST(turns_in_a_good_state),
        TEST(turns_unsaved),
        TEST(a_turn_is_patient_again),
        TEST(a_turn_begins_the_decay_again),
        TEST(names_what_it_leaves_out),
    };
    return cmocka_run_group_tests_name("rollback", tests, NULL, NULL);
}
