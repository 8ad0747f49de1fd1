/* SPDX-License-Identifier: MIT
 *
 * Whole training runs on toy images: interrupted and resumed, with one and two threads, until they
 * learn, until they diverge; and every setting that must be refused.
 */
#include "tests/test_meta_runs.h"

#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "image/evaluate.h"
#include "image/geometry.h"
#include "image/training.h"
#include "meta/meta_gradient.h"
#include "meta/outer_optimizer.h"

/* ---- counting allocations of the calling thread ------------------------------------------------
 */

#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__)
#define COUNTS_ALLOCATIONS 1
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
static _Thread_local size_t allocations;

void *malloc(size_t size) {
    allocations++;
    return __libc_malloc(size);
}
void *calloc(size_t n, size_t size) {
    allocations++;
    return __libc_calloc(n, size);
}
void *realloc(void *block, size_t size) {
    allocations++;
    return __libc_realloc(block, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
    allocations++;
    return __libc_memalign(alignment, size);
}
int posix_memalign(void **block, size_t alignment, size_t size) {
    allocations++;
    *block = __libc_memalign(alignment, size);
    return *block ? 0 : 12;
}
#endif

/* ---- one outer step ----------------------------------------------------------------------------
 */

/* The meta-gradient of all training images, each the mean over its pixels; train_psnr the mean of
 * the PSNR of each. */
static void whole_gradient(const struct tsr_model *model, const char *path, tsr_real *d_theta,
                           tsr_real *d_rates, double *train_psnr) {
    enum { IMAGES = 4, REGIONS = 6, VALUES = 16 * 16 * 3, TASKS = IMAGES * REGIONS };
    const struct tsr_kernel *kernel;
    struct tsr_dataset *data;
    struct tsr_geometry geometry;
    struct tsr_engine engine;
    struct tsr_meta_workspace *meta;
    const struct tsr_choice choice = tsr_choice_of(&tsr_method_maml.object);
    struct tsr_task tasks[TASKS];
    size_t n;
    uint8_t *pixels = make(VALUES, 1);
    tsr_real *y = make(TASKS * VALUES, sizeof *y);
    double error[TASKS];
    MUST(tsr_dataset_open(path, &data, err));
    const uint32_t *index = tsr_dataset_split(data, TSR_SPLIT_TRAIN, &n);
    assert_int_equal(n, IMAGES);
    MUST(tsr_geometry_create(model, 16, 16, &geometry, err));
    for (size_t i = 0; i < TASKS; i++) {
        MUST(tsr_dataset_read(data, index[i / REGIONS], pixels, err));
        tsr_geometry_targets(&geometry, TSR_BYTES(pixels), i % REGIONS, y + i * VALUES);
        tasks[i] = tsr_geometry_task(&geometry, i % REGIONS, y + i * VALUES);
        tasks[i].qry_scale = 1.0 / (IMAGES * VALUES);
    }
    MUST(tsr_kernel_find("reference", &kernel, err));
    MUST(tsr_engine_create(&model->net, kernel, 1, &engine, err));
    MUST(tsr_meta_workspace_create(&engine, &choice, NULL, model->config.inner_steps, &model->rates,
                                   model->n_slots, TASKS, VALUES, NULL, &meta, err));
    const struct tsr_meta_point at = {model->theta, NULL, &model->rates, 0};
    MUST(tsr_meta_gradient(meta, &at, tasks, TASKS, d_theta, NULL, d_rates, error, err));
    *train_psnr = 0;
    for (size_t i = 0; i < TASKS; i += REGIONS) {
        double sum = 0;
        for (size_t r = 0; r < REGIONS; r++)
            sum += error[i + r];
        *train_psnr += -10 * log10(sum / VALUES) / IMAGES;
    }
    tsr_meta_workspace_free(meta);
    tsr_engine_clear(&engine);
    tsr_geometry_clear(&geometry);
    tsr_dataset_close(data);
    free(y);
    free(pixels);
}

/* A meta-batch of all images and regions: figures and moments after the first outer step follow
 * from the meta-gradient g alone. m = (1 - beta1) c g and v = (1 - beta2) (c g)^2, with c from the
 * clipping for theta and 1 for the rates. */
static void first_outer_step_by_hand(void **state) {
    (void)state;
    const char *data = toy_dataset("data.h5", 8, 16, 16, 3), *output = in_folder("m.h5");
    struct tsr_model_config config = toy_config(16, 16, 3);
    struct tsr_trainer_config run_config = settings(20, output);
    struct tsr_model *start;
    struct tsr_training *trainer;
    uint64_t stop = 1;
    struct tsr_trainer_callbacks callbacks = {.progress = stop_at, .user = &stop};
    config.rates = TSR_RATES_PER_STEP;
    run_config.batch = 4;
    run_config.clip = 1e-3;
    MUST(tsr_model_create(&config, run_config.seed, &start, err));
    size_t n = start->net.n_params, n_rates = tsr_rates_count(&start->rates), found;
    tsr_real *d_theta = make(n, sizeof *d_theta), *d_rates = make(n_rates, sizeof *d_rates);
    double psnr, norm = 0;
    whole_gradient(start, data, d_theta, d_rates, &psnr);
    for (size_t i = 0; i < n; i++)
        norm += (double)d_theta[i] * (double)d_theta[i];
    norm = sqrt(norm);
    assert_true(norm > 2e-3); /* so it is clipped */
    MUST(open_training(&config, &run_config, data, NULL, &trainer, err));
    MUST_FAIL(tsr_training_run(trainer, &callbacks, err), TSR_ERR_INTERRUPTED, "outer step 1");
    const struct tsr_trainer_progress *p = tsr_training_state(trainer);
    assert_true(fabs(p->gradient_norm - norm) <= 1e-4 * norm);
    assert_true(fabs(p->train_psnr_db - psnr) <= 1e-3);
    assert_true(fabs(p->outer_lr - 5e-3 / 4) <= 1e-9); /* the first of 4 outer steps of warm-up */
    double *m = read_array(output, "/outer/theta_m", &found);
    for (size_t i = 0; i < n; i++)
        d_theta[i] *= (tsr_real)(0.1 * 1e-3 / norm);
    assert_int_equal(found, n);
    ASSERT_CLOSE("m of theta", d_theta, m, n, 1e-4);
    free(m);
    m = read_array(output, "/outer/rates_m", &found);
    for (size_t i = 0; i < n_rates; i++)
        d_rates[i] *= (tsr_real)0.1;
    assert_int_equal(found, n_rates);
    ASSERT_CLOSE("m of the rates", d_rates, m, n_rates, 1e-4);
    free(m);
    /* the first update of Adam is the rate times the sign */
    for (size_t i = 0; i < n_rates; i++) {
        double step = (double)(tsr_training_model(trainer)->rates.value[i] - start->rates.value[i]);
        double want = 0.02 * 0.01 / 4 * (d_rates[i] > 0 ? -1 : 1);
        assert_true(fabs(step - want) <= 1e-3 * fabs(want));
    }
    close_training(trainer);
    tsr_model_free(start);
    free(d_theta);
    free(d_rates);
}

/* ---- determinism -------------------------------------------------------------------------------
 */

/* 12 outer steps; 5 outer steps and, in another session with another number of threads, the other
 * 7; and 12 with two threads. */
static void check_resume(const struct tsr_object *method, enum tsr_rates_kind rates,
                         enum tsr_slots slots, double fraction) {
    const char *data = toy_dataset("data.h5", 20, 16, 16, 3);
    const char *whole = in_folder("whole.h5"), *parts = in_folder("parts.h5");
    struct tsr_model_config model = toy_config(0, 0, 3);
    struct tsr_trainer_config config = settings(12, whole);
    model.rates = rates;
    model.slots = slots;
    config.method = tsr_choice_of(method);
    config.region_fraction = fraction;
    run(&model, &config, data, 0);
    config.output = parts;
    run(&model, &config, data, 5);
    resume(parts, data, 2);
    same_checkpoint(whole, parts, &model);
    config.threads = 2;
    run(&model, &config, data, 0);
    same_checkpoint(whole, parts, &model);
    config.seed++;
    run(&model, &config, data, 0);
    size_t n;
    double *a = read_array(whole, "/outer/theta_m", &n),
           *b = read_array(parts, "/outer/theta_m", &n);
    assert_memory_not_equal(a, b, n * sizeof *a);
    free(a);
    free(b);
}

static void maml_resumes(void **state) {
    (void)state;
    check_resume(&tsr_method_maml.object, TSR_RATES_PER_PARAM_PER_STEP, TSR_SLOTS_SHARED, 1);
}

static void fomaml_resumes(void **state) {
    (void)state;
    check_resume(&tsr_method_fomaml.object, TSR_RATES_PER_LAYER_PER_STEP, TSR_SLOTS_SHARED, 0.5);
}

static void reptile_resumes(void **state) {
    (void)state;
    check_resume(&tsr_method_reptile.object, TSR_RATES_FIXED, TSR_SLOTS_SHARED, 0.5);
}

/* The weights of its steps follow the progress of the run. */
static void multi_step_resumes(void **state) {
    (void)state;
    check_resume(&tsr_method_multi_step.object, TSR_RATES_PER_PARAM, TSR_SLOTS_SHARED, 0.5);
}

/* Rates that couple the numbers. */
static void matrices_resume(void **state) {
    (void)state;
    check_resume(&tsr_method_maml.object, TSR_RATES_KRON_PER_LAYER_PER_STEP, TSR_SLOTS_PER_REGION,
                 0.5);
}

static void per_region_slots_resume(void **state) {
    (void)state;
    check_resume(&tsr_method_maml.object, TSR_RATES_PER_STEP, TSR_SLOTS_PER_REGION, 0.5);
}

/* A run whose slots turn after 6 of 12 outer steps, interrupted before, at and behind the turn. */
static void check_turn(const struct tsr_model_config *model, double ema) {
    static const char *const numbers[] = {"best_val_psnr_db", "turned_at",    "lost_before",
                                          "lost_outer_steps", "good_updates", "last_outer_lr",
                                          "waited",           "halvings"};
    const uint64_t stops[] = {5, 6, 7, 11};
    const char *data = toy_dataset("data.h5", 20, 16, 16, 3);
    const char *whole = in_folder("whole.h5"), *parts = in_folder("parts.h5");
    struct tsr_trainer_config config = settings(12, whole);
    struct tsr_model_config turned = *model;
    struct tsr_model *loaded;
    turned.slots = TSR_SLOTS_PER_REGION;
    config.then = TSR_THEN_PER_REGION;
    config.ema = ema;
    config.patience = 1;
    run(model, &config, data, 0);
    MUST(tsr_model_load(whole, &loaded, err));
    size_t n = loaded->net.n_params;
    assert_int_equal(loaded->n_slots, 6);
    for (size_t s = 1; s < 6; s++)
        assert_memory_not_equal(loaded->theta, loaded->theta + s * n, n * sizeof(tsr_real));
    bool basis = loaded->basis;
    tsr_model_free(loaded);
    assert_true(read_number(whole, "/outer", "turned_at") == 6);
    config.output = parts;
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        config.threads = 1 + i % 2;
        run(model, &config, data, stops[i]);
        MUST(tsr_model_load(parts, &loaded, err));
        assert_int_equal(loaded->n_slots, stops[i] > 6 ? 6 : 1);
        tsr_model_free(loaded);
        resume(parts, data, 2 - i % 2);
        same_checkpoint(whole, parts, &turned);
        assert_int_equal(same_array(whole, parts, "/init/basis") > 0, basis);
        for (size_t j = 0; j < sizeof numbers / sizeof *numbers; j++)
            assert_true(read_number(whole, "/outer", numbers[j]) ==
                        read_number(parts, "/outer", numbers[j]));
    }
}

static void slots_turn(void **state) {
    (void)state;
    struct tsr_model_config model = toy_config(0, 0, 3);
    check_turn(&model, 0);
    check_turn(&model, 0.8);
    model.adaptation = tsr_choice_of(&tsr_adaptation_latent.object);
    (void)tsr_choice_set(&model.adaptation, "numbers", 7);
    model.rates = TSR_RATES_PER_STEP;
    check_turn(&model, 0);
    model.partition = (struct tsr_partition_rule){.rule = TSR_RULE(segment, 6)};
    check_turn(&model, 0);
}

/* Up to the turn the run is one with a shared slot, and it begins behind it as one that starts from
 * that slot does: with fresh moments, a warm-up and the whole outer rate. */
static void a_turn_changes_nothing_else(void **state) {
    (void)state;
    const char *data = toy_dataset("data.h5", 20, 16, 16, 3), *output = in_folder("m.h5");
    struct tsr_model_config model = toy_config(0, 0, 3);
    struct tsr_trainer_config config = settings(12, output);
    struct tsr_model *shared, *turned;
    uint64_t stop = 9;
    struct tsr_trainer_callbacks callbacks = {.progress = stop_at, .user = &stop};
    struct tsr_training *training;
    run(&model, &config, data, 9);
    MUST(tsr_model_load(output, &shared, err));
    config.then = TSR_THEN_PER_REGION;
    config.then_at = 0.75;
    config.output = NULL;
    MUST(open_training(&model, &config, data, NULL, &training, err));
    MUST_FAIL(tsr_training_run(training, &callbacks, err), TSR_ERR_INTERRUPTED, "outer step 9");
    size_t n = shared->net.n_params;
    ASSERT_SAME_BITS("shared", tsr_training_model(training)->theta, shared->theta, n);
    stop = 10;
    MUST_FAIL(tsr_training_run(training, &callbacks, err), TSR_ERR_INTERRUPTED, "outer step 10");
    turned = (struct tsr_model *)(uintptr_t)tsr_training_model(training);
    assert_int_equal(turned->n_slots, 6);
    /* Adam's first update is the rate, at the beginning of a new warm-up, times the sign. */
    double lr = 5e-3 / 4;
    for (size_t i = 0; i < 6 * n; i++)
        assert_true(fabs((double)(turned->theta[i] - shared->theta[i % n])) <= lr * 1.001 + 1e-7);
    assert_true(fabs(tsr_training_state(training)->outer_lr - lr) <= 1e-6 * lr);
    close_training(training);
    tsr_model_free(shared);
}

static void turns_refused(void **state) {
    (void)state;
    const char *data = toy_dataset("data.h5", 8, 16, 16, 3);
    struct tsr_model_config model = toy_config(0, 0, 3);
    struct tsr_trainer_config config = settings(12, NULL);
    struct tsr_training *training;
    config.then = TSR_THEN_PER_CLASS;
    MUST_FAIL(open_training(&model, &config, data, NULL, &training, err), TSR_ERR_CONFIG,
              "per-class");
    config.then = TSR_THEN_PER_REGION;
    model.slots = TSR_SLOTS_PER_REGION;
    MUST_FAIL(open_training(&model, &config, data, NULL, &training, err), TSR_ERR_CONFIG,
              "only shared ones can turn");
    model.slots = TSR_SLOTS_SHARED;
    config.then_at = 0.93;
    MUST_FAIL(open_training(&model, &config, data, NULL, &training, err), TSR_ERR_CONFIG,
              "after 0.93 of 12 outer steps: none would be left");
    config.then_at = 0.5;
    model.partition = (struct tsr_partition_rule){.rule = TSR_RULE(grid, 1, 1)};
    MUST_FAIL(open_training(&model, &config, data, NULL, &training, err), TSR_ERR_CONFIG,
              "grid has one region");
    config.then_at = 1;
    MUST_FAIL(open_training(&model, &config, data, NULL, &training, err), TSR_ERR_CONFIG,
              "then_at is 1");
}

static void no_inner_steps(void **state) {
    (void)state;
    const char *data = toy_dataset("data.h5", 8, 16, 16, 1), *output = in_folder("m.h5");
    struct tsr_model_config model = toy_config(0, 0, 1);
    struct tsr_trainer_config config = settings(3, output);
    model.inner_steps = 0;
    run(&model, &config, data, 0);
    assert_true(read_number(output, "/outer", "outer_step") == 3);
}

/* A resumed run that is complete does nothing; a later bound continues it. */
static void resuming_a_complete_run(void **state) {
    (void)state;
    const char *data = toy_dataset("data.h5", 8, 16, 16, 3), *output = in_folder("m.h5");
    struct tsr_model_config model = toy_config(0, 0, 3);
    struct tsr_trainer_config config = settings(3, output);
    struct tsr_training *trainer;
    run(&model, &config, data, 0);
    resume(output, data, 1);
    assert_true(read_number(output, "/outer", "outer_step") == 3);
    struct tsr_trainer_config more = {.outer_steps = 5, .threads = 1, .output = output};
    MUST(resume_training(output, &more, data, &trainer, err));
    assert_int_equal(tsr_training_settings(trainer)->outer_steps, 5);
    assert_int_equal(tsr_training_settings(trainer)->batch, 3);
    MUST(tsr_training_run(trainer, NULL, err));
    close_training(trainer);
    assert_true(read_number(output, "/outer", "outer_step") == 5);
}

/* ---- what a run reaches ------------------------------------------------------------------------
 */

static double mean_psnr(const struct tsr_model *model, const char *dataset) {
    struct tsr_dataset *data;
    struct tsr_evaluation result;
    struct tsr_reconstruct_config config;
    tsr_reconstruct_config_default(model, &config);
    MUST(tsr_dataset_open(dataset, &data, err));
    MUST(tsr_evaluate(model, data, TSR_SPLIT_VAL, 0, &config, NULL, &result, err));
    double psnr = result.psnr_db[config.inner_steps];
    tsr_evaluation_clear(&result);
    tsr_dataset_close(data);
    return psnr;
}

/* Images that were not trained on gain 4 dB over the random initialisation, by the trainer's own
 * figure and by that of the evaluation. Reptile, which does not learn the rates, starts with larger
 * ones. */
static void learns(void **state) {
    const struct tsr_object *method = *(const struct tsr_object *const *)*state;
    const char *data = toy_dataset("data.h5", 48, 16, 16, 3);
    struct tsr_model_config model = toy_config(16, 16, 3);
    struct tsr_trainer_config config = settings(150, NULL);
    struct tsr_training *trainer;
    struct tsr_model *random;
    config.method = tsr_choice_of(method);
    config.batch = 4;
    config.warmup = 10;
    config.val_every = 0;
    if (method == &tsr_method_reptile.object) model.inner_lr = 0.1;
    MUST(tsr_model_create(&model, config.seed, &random, err));
    MUST(open_training(&model, &config, data, NULL, &trainer, err));
    assert_memory_equal(tsr_training_model(trainer)->theta, random->theta,
                        random->net.n_params * sizeof(tsr_real));
    MUST(tsr_training_run(trainer, NULL, err));
    double before = mean_psnr(random, data), after = mean_psnr(tsr_training_model(trainer), data);
    if (!(after > before + 4)) fail_msg("%.2f dB at the start, %.2f dB at the end", before, after);
    assert_true(fabs(tsr_training_state(trainer)->val_psnr_db - after) < 1e-3);
    assert_int_equal(tsr_training_state(trainer)->skipped, 0);
    tsr_model_free(random);
    close_training(trainer);
}

/* A run that starts from another model starts with its figures. */
static void starts_from_a_model(void **state) {
    (void)state;
    const char *data = toy_dataset("data.h5", 8, 16, 16, 3);
    struct tsr_model_config config = toy_config(16, 16, 3), other = config;
    struct tsr_model *init = toy_model(&config, 77);
    struct tsr_trainer_config run_config = settings(1, NULL);
    struct tsr_training *trainer;
    other.slots = TSR_SLOTS_PER_REGION;
    MUST(open_training(&other, &run_config, data, init, &trainer, err));
    const struct tsr_model *model = tsr_training_model(trainer);
    assert_int_equal(model->n_slots, 6);
    for (size_t s = 0; s < 6; s++)
        ASSERT_SAME_BITS("theta", model->theta + s * model->net.n_params, init->theta,
                         model->net.n_params);
    close_training(trainer);
    tsr_model_free(init);
}

/* ---- divergence --------------------------------------------------------------------------------
 */

static void divergence_ends_the_run(void **state) {
    (void)state;
    const char *data = toy_dataset("data.h5", 8, 16, 16, 3), *output = in_folder("m.h5");
    struct tsr_model_config config = toy_config(0, 0, 3);
    struct tsr_trainer_config run_config = settings(50, output);
    struct tsr_training *trainer;
    struct tsr_model *model;
    config.inner_lr = 1e30;
    run_config.max_rollbacks = 0;
    run_config.val_every = 1000;
    MUST(open_training(&config, &run_config, data, NULL, &trainer, err));
    MUST_FAIL(tsr_training_run(trainer, NULL, err), TSR_ERR_NUMERIC, "outer step 10: ");
    assert_true(tsr_training_state(trainer)->skipped >= 10);
    close_training(trainer);
    MUST(tsr_model_load(output, &model, err));
    for (size_t i = 0; i < model->net.n_params; i++)
        assert_true(isfinite(model->theta[i]));
    tsr_model_free(model);
    assert_true(read_number(output, "/outer", "outer_step") == 10);
}

/* One bad image cannot be made of 8-bit pixels, but a bad slot can: only its images are left out.
 */
static void bad_slot_is_reported(void **state) {
    (void)state;
    const char *data = toy_dataset("data.h5", 8, 16, 16, 3);
    struct tsr_model_config config = toy_config(16, 16, 3);
    struct tsr_trainer_config run_config = settings(50, NULL);
    struct tsr_training *trainer;
    config.slots = TSR_SLOTS_PER_REGION;
    run_config.max_rollbacks = 0;
    run_config.val_every = 1000;
    struct tsr_model *init = toy_model(&config, 5);
    init->theta[2 * init->net.n_params + 3] = (tsr_real)NAN;
    MUST(open_training(&config, &run_config, data, init, &trainer, err));
    MUST_FAIL(tsr_training_run(trainer, NULL, err), TSR_ERR_NUMERIC,
              "outer step 10: loss or gradient of more than half of the images was not finite");
    assert_int_equal(tsr_training_state(trainer)->skipped, 30);
    close_training(trainer);
    tsr_model_free(init);
}

/* ---- cost --------------------------------------------------------------------------------------
 */

#ifdef COUNTS_ALLOCATIONS
struct steady {
    size_t last, steps, validations; /* allocations in outer steps without and with validation */
};

static int watch_allocations(void *user, const struct tsr_trainer_progress *progress) {
    struct steady *s = user;
    size_t *count = progress->validated ? &s->validations : &s->steps;
    if (progress->outer_step > 1) *count += allocations - s->last;
    s->last = allocations;
    return 0;
}

/* The history may grow, at a validation. */
static void no_allocation_in_the_outer_loop(void **state) {
    (void)state;
    const char *data = toy_dataset("data.h5", 20, 16, 16, 3);
    for (size_t method = 0; method < tsr_methods.n; method++) {
        struct tsr_model_config model = toy_config(0, 0, 3);
        struct tsr_trainer_config config = settings(20, NULL);
        struct tsr_training *trainer;
        struct steady steady = {0};
        struct tsr_trainer_callbacks callbacks = {.progress = watch_allocations, .user = &steady};
        config.method = tsr_choice_of(tsr_methods.object[method]);
        config.region_fraction = 0.5;
        size_t before = allocations;
        MUST(open_training(&model, &config, data, NULL, &trainer, err));
        assert_true(allocations > before); /* they are counted */
        MUST(tsr_training_run(trainer, &callbacks, err));
        assert_int_equal(steady.steps, 0);
        assert_true(steady.validations <= 1);
        close_training(trainer);
    }
}
#endif

/* ---- bounds and checkpoints --------------------------------------------------------------------
 */

static void time_bound(void **state) {
    (void)state;
    const char *data = toy_dataset("data.h5", 8, 16, 16, 3), *output = in_folder("m.h5");
    struct tsr_model_config model = toy_config(0, 0, 3);
    struct tsr_trainer_config config = settings(0, output);
    struct tsr_training *trainer;
    config.seconds = 0.2;
    MUST(open_training(&model, &config, data, NULL, &trainer, err));
    double start = tsr_seconds();
    MUST(tsr_training_run(trainer, NULL, err));
    double took = tsr_seconds() - start;
    assert_true(took >= 0.2 && took < 10);
    assert_true(tsr_training_state(trainer)->outer_step > 0);
    assert_true(isfinite(tsr_training_state(trainer)->val_psnr_db));
    close_training(trainer);
    assert_true(read_number(output, "/outer", "seconds") >= 0.2);
}

static int is_there(void *user, const struct tsr_trainer_progress *progress) {
    if (progress->outer_step == 3) *(bool *)user = files_in_folder() == 2;
    return 0;
}

/* With a tiny interval the file is there long before the end. */
static void checkpoints_on_the_way(void **state) {
    (void)state;
    const char *data = toy_dataset("data.h5", 8, 16, 16, 3);
    struct tsr_model_config model = toy_config(0, 0, 3);
    struct tsr_trainer_config config = settings(4, in_folder("m.h5"));
    struct tsr_training *trainer;
    bool there = false;
    struct tsr_trainer_callbacks callbacks = {.progress = is_there, .user = &there};
    config.checkpoint_seconds = 1e-9;
    MUST(open_training(&model, &config, data, NULL, &trainer, err));
    MUST(tsr_training_run(trainer, &callbacks, err));
    assert_true(there);
    close_training(trainer);
}

struct losing {
    const char *folder; /* goes at outer step `stop` */
    uint64_t stop;
    int failures;
};

static int lose_folder(void *user, const struct tsr_trainer_progress *progress) {
    struct losing *l = user;
    if (progress->outer_step != l->stop) return 0;
    if (l->folder) assert_int_equal(rmdir(l->folder), 0);
    return 1;
}

static void count_failure(void *user, const struct tsr_error *error) {
    struct losing *l = user;
    assert_int_equal(error->status, TSR_ERR_IO);
    l->failures++;
}

/* An interrupted run whose file cannot be written says so, and claims nothing. */
static void interrupted_and_not_saved(void **state) {
    (void)state;
    const char *data = toy_dataset("data.h5", 20, 16, 16, 3);
    struct tsr_model_config model = toy_config(0, 0, 3);
    struct losing l = {.folder = in_folder("gone"), .stop = 3};
    struct tsr_trainer_callbacks callbacks = {
        .progress = lose_folder, .user = &l, .save_failed = count_failure};
    assert_int_equal(mkdir(l.folder, 0700), 0);
    struct tsr_trainer_config config = settings(10, in_folder("gone/m.h5"));
    struct tsr_training *training;
    MUST(open_training(&model, &config, data, NULL, &training, err));
    MUST_FAIL(tsr_training_run(training, &callbacks, err), TSR_ERR_INTERRUPTED,
              "interrupted after outer step 3; what was learned could not be saved");
    assert_int_equal(tsr_training_state(training)->saved, 0);
    assert_int_equal(mkdir(l.folder, 0700), 0);
    MUST(tsr_training_run(training, NULL, err)); /* nothing is lost: it can go on */
    assert_int_equal(tsr_training_state(training)->saved, 1);
    assert_int_equal(tsr_training_state(training)->saved_outer_step, 10);
    close_training(training);
    assert_true(read_number(config.output, "/outer", "outer_step") == 10);
}

/* A save on the way that fails does not end the run; the last one does, and its error is told. */
static void saves_on_the_way_fail(void **state) {
    (void)state;
    const char *data = toy_dataset("data.h5", 20, 16, 16, 3);
    struct tsr_model_config model = toy_config(0, 0, 3);
    struct tsr_trainer_config config = settings(4, in_folder("nowhere/m.h5"));
    struct losing l = {.stop = UINT64_MAX};
    struct tsr_trainer_callbacks callbacks = {
        .progress = lose_folder, .user = &l, .save_failed = count_failure};
    struct tsr_training *training;
    config.checkpoint_seconds = 1e-9;
    MUST(open_training(&model, &config, data, NULL, &training, err));
    MUST_FAIL(tsr_training_run(training, &callbacks, err), TSR_ERR_IO, "nowhere");
    assert_int_equal(tsr_training_state(training)->outer_step, 4);
    assert_int_equal(l.failures, 3);
    assert_int_equal(tsr_training_run(training, &callbacks, NULL), TSR_ERR_IO);
    close_training(training);
}

static int slow_steps(void *user, const struct tsr_trainer_progress *progress) {
    const struct timespec pause = {0, 20000000};
    (void)nanosleep(&pause, NULL);
    return progress->outer_step >= *(const uint64_t *)user;
}

/* A run that is interrupted and goes on in the same session keeps its clock. */
static void clock_of_a_second_run(void **state) {
    (void)state;
    const char *data = toy_dataset("data.h5", 20, 16, 16, 3);
    struct tsr_model_config model = toy_config(0, 0, 3);
    struct tsr_trainer_config config = settings(50, NULL);
    struct tsr_training *training;
    uint64_t stop = 6;
    struct tsr_trainer_callbacks callbacks = {.progress = slow_steps, .user = &stop};
    MUST(open_training(&model, &config, data, NULL, &training, err));
    MUST_FAIL(tsr_training_run(training, &callbacks, err), TSR_ERR_INTERRUPTED, "step 6");
    double before = tsr_training_state(training)->seconds;
    assert_true(before >= 0.1);
    stop = 7;
    MUST_FAIL(tsr_training_run(training, &callbacks, err), TSR_ERR_INTERRUPTED, "step 7");
    assert_true(tsr_training_state(training)->seconds > before);
    close_training(training);
}

static int always(void *user) {
    (void)user;
    return 1;
}

/* An interruption is heard during validation, and the resumed run makes up for it. */
static void interrupted_during_validation(void **state) {
    (void)state;
    const char *data = toy_dataset("data.h5", 20, 16, 16, 3);
    const char *whole = in_folder("whole.h5"), *parts = in_folder("parts.h5");
    struct tsr_model_config model = toy_config(0, 0, 3);
    struct tsr_trainer_config config = settings(12, whole);
    struct tsr_trainer_callbacks callbacks = {.stop = always};
    struct tsr_training *training;
    run(&model, &config, data, 0);
    config.output = parts;
    MUST(open_training(&model, &config, data, NULL, &training, err));
    MUST_FAIL(tsr_training_run(training, &callbacks, err), TSR_ERR_INTERRUPTED, "step 4");
    close_training(training);
    resume(parts, data, 1);
    same_checkpoint(whole, parts, &model);
}

static void unwritable_output(void **state) {
    (void)state;
    const char *data = toy_dataset("data.h5", 8, 16, 16, 3);
    struct tsr_model_config model = toy_config(0, 0, 3);
    struct tsr_trainer_config config = settings(1, in_folder("nowhere/m.h5"));
    struct tsr_training *trainer;
    MUST(open_training(&model, &config, data, NULL, &trainer, err));
    MUST_FAIL(tsr_training_run(trainer, NULL, err), TSR_ERR_IO, "nowhere");
    close_training(trainer);
}

/* ---- what is refused ---------------------------------------------------------------------------
 */

#define REFUSED(field, value, text)                                                                \
    do {                                                                                           \
        struct tsr_trainer_config refused = settings(10, NULL);                                    \
        refused.field = (value);                                                                   \
        MUST_FAIL(tsr_trainer_config_check(&refused, err), TSR_ERR_CONFIG, text);                  \
    } while (0)

static void settings_refused(void **state) {
    (void)state;
    struct tsr_trainer_config good = settings(10, NULL);
    MUST(tsr_trainer_config_check(&good, err));
    REFUSED(batch, 0, "batch is 0; it must be 1 to 65536");
    REFUSED(batch, 65537, "batch is 65537");
    REFUSED(region_fraction, 0, "region_fraction is 0");
    REFUSED(region_fraction, 1.5, "region_fraction is 1.5");
    REFUSED(region_fraction, (double)NAN, "region_fraction is nan");
    REFUSED(outer_lr, -1, "outer_lr is -1");
    REFUSED(outer_lr, (double)NAN, "outer_lr is nan");
    REFUSED(rates_lr, -0.1, "rates_lr is -0.1");
    REFUSED(rates_lr, (double)INFINITY, "rates_lr is inf");
    REFUSED(beta1, 1, "beta1 is 1");
    REFUSED(beta1, -0.5, "beta1 is -0.5");
    REFUSED(beta2, 1, "beta2 is 1");
    REFUSED(final_lr, 1.01, "final_lr is 1.01");
    REFUSED(final_lr, (double)NAN, "final_lr is nan");
    REFUSED(clip, -1, "clip is -1");
    REFUSED(clip, (double)NAN, "clip is nan");
    REFUSED(max_rollbacks, TSR_MAX_ROLLBACKS + 1, "max_rollbacks is 17");
    REFUSED(seconds, -1, "seconds is -1");
    REFUSED(seconds, (double)INFINITY, "seconds is inf");
    REFUSED(checkpoint_seconds, (double)NAN, "checkpoint_seconds is nan");
    REFUSED(outer_steps, 0, "a bound is needed");
    REFUSED(outer_steps, UINT64_MAX, "at most 2^32-1");
}

static enum tsr_status try_create(const struct tsr_model_config *model,
                                  const struct tsr_trainer_config *config, const char *dataset,
                                  const struct tsr_model *init, struct tsr_error *err) {
    struct tsr_training *trainer;
    enum tsr_status status = open_training(model, config, dataset, init, &trainer, err);
    if (status != TSR_OK) assert_null(trainer);
    close_training(trainer);
    return status;
}

static void runs_refused(void **state) {
    (void)state;
    const char *data = toy_dataset("data.h5", 8, 16, 16, 3);
    struct tsr_model_config model = toy_config(16, 16, 3), other = model;
    struct tsr_trainer_config config = settings(1, NULL), bad = config;
    MUST(try_create(&model, &config, data, NULL, err));
    MUST_FAIL(try_create(&model, &config, in_folder("none.h5"), NULL, err), TSR_ERR_IO, "none.h5");
    bad.kernel = "cuda";
    MUST_FAIL(try_create(&model, &bad, data, NULL, err), TSR_ERR_NOT_FOUND, "cuda");
    bad = config, bad.batch = 0;
    MUST_FAIL(try_create(&model, &bad, data, NULL, err), TSR_ERR_CONFIG, "batch");
    other.partition.rule.value[0] = 17;
    MUST_FAIL(try_create(&other, &config, data, NULL, err), TSR_ERR_CONFIG, "grid 17x3");
    other = model, other.network.width = 9;
    struct tsr_model *init = toy_model(&other, 1);
    MUST_FAIL(try_create(&model, &config, data, init, err), TSR_ERR_SHAPE,
              "width of its network is 9, not 8");
    tsr_model_free(init);
    MUST_FAIL(try_create(&model, &config, toy_dataset("one.h5", 0, 16, 16, 3), NULL, err),
              TSR_ERR_FORMAT, "one.h5");
}

static void no_training_images(void **state) {
    (void)state;
    const char *data = in_folder("val.h5");
    const size_t dims[4] = {1, 16, 16, 3};
    uint8_t *image = toy_images(1, 16, 16, 3), split = 1;
    struct tsr_h5 *file;
    MUST(tsr_h5_create(data, &file, err));
    MUST(tsr_h5_write(file, "/images", TSR_H5_U8, 4, dims, image, 0, err));
    MUST(tsr_h5_write(file, "/split", TSR_H5_U8, 1, dims, &split, 0, err));
    MUST(tsr_h5_commit(file, err));
    tsr_h5_close(file);
    free(image);
    struct tsr_model_config model = toy_config(16, 16, 3);
    struct tsr_trainer_config config = settings(1, NULL);
    MUST_FAIL(try_create(&model, &config, data, NULL, err), TSR_ERR_CONFIG,
              "the train split has no images");
}

static enum tsr_status try_resume(const char *file, const char *dataset, struct tsr_error *err) {
    struct tsr_training *trainer;
    struct tsr_trainer_config config = {.threads = 1};
    enum tsr_status status = resume_training(file, &config, dataset, &trainer, err);
    if (status != TSR_OK) assert_null(trainer);
    close_training(trainer);
    return status;
}

static void resumptions_refused(void **state) {
    (void)state;
    const char *data = toy_dataset("data.h5", 8, 16, 16, 3), *output = in_folder("m.h5");
    struct tsr_model_config config = toy_config(16, 16, 3);
    config.slots = TSR_SLOTS_PER_REGION;
    config.partition = (struct tsr_partition_rule){.rule = TSR_RULE(cell, 8, 8)};
    struct tsr_trainer_config run_config = settings(1, output);
    run(&config, &run_config, data, 0);
    MUST(try_resume(output, data, err));
    MUST_FAIL(try_resume(output, toy_dataset("grey.h5", 8, 16, 16, 1), err), TSR_ERR_SHAPE,
              "1 channels");
    MUST_FAIL(try_resume(output, toy_dataset("wide.h5", 8, 16, 24, 3), err), TSR_ERR_SHAPE,
              "6 regions; the model has 4 per-region slots");
    MUST_FAIL(try_resume(in_folder("none.h5"), data, err), TSR_ERR_IO, "none.h5");
    struct tsr_model *model = toy_model(&config, 1);
    MUST(tsr_model_save(model, output, err));
    MUST_FAIL(try_resume(output, data, err), TSR_ERR_FORMAT,
              "there is no /outer; this model cannot be resumed");
    tsr_model_free(model);
}

int main(void) {
    static const struct tsr_object *methods[] = {&tsr_method_maml.object, &tsr_method_fomaml.object,
                                                 &tsr_method_reptile.object,
                                                 &tsr_method_multi_step.object};
    const struct CMUnitTest tests[] = {
        TEST(first_outer_step_by_hand),
        TEST(maml_resumes),
        TEST(fomaml_resumes),
        TEST(reptile_resumes),
        TEST(multi_step_resumes),
        TEST(matrices_resume),
        TEST(per_region_slots_resume),
        TEST(slots_turn),
        TEST(a_turn_changes_nothing_else),
        TEST(turns_refused),
        TEST(no_inner_steps),
        TEST(resuming_a_complete_run),
        cmocka_unit_test_prestate_setup_teardown(learns, enter_folder, leave_folder, &methods[0]),
        cmocka_unit_test_prestate_setup_teardown(learns, enter_folder, leave_folder, &methods[1]),
        cmocka_unit_test_prestate_setup_teardown(learns, enter_folder, leave_folder, &methods[2]),
        cmocka_unit_test_prestate_setup_teardown(learns, enter_folder, leave_folder, &methods[3]),
        TEST(starts_from_a_model),
        TEST(divergence_ends_the_run),
        TEST(bad_slot_is_reported),
#ifdef COUNTS_ALLOCATIONS
        TEST(no_allocation_in_the_outer_loop),
#endif
        TEST(time_bound),
        TEST(checkpoints_on_the_way),
        TEST(unwritable_output),
        TEST(interrupted_and_not_saved),
        TEST(saves_on_the_way_fail),
        TEST(clock_of_a_second_run),
        TEST(interrupted_during_validation),
        cmocka_unit_test(settings_refused),
        TEST(runs_refused),
        TEST(no_training_images),
        TEST(resumptions_refused),
    };
    return cmocka_run_group_tests_name("trainer", tests, NULL, NULL);
}
