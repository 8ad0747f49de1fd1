/* SPDX-License-Identifier: MIT
 *
 * What the tests of training share: runs, interrupted or resumed, and the comparison of their
 * files.
 */
#ifndef TSR_TEST_META_RUNS_H
#define TSR_TEST_META_RUNS_H

#include "tests/test_meta_helper.h"

#include "image/training.h"

HELPER struct tsr_trainer_config settings(uint64_t outer_steps, const char *output) {
    struct tsr_trainer_config config;
    tsr_trainer_config_default(&config);
    config.outer_steps = outer_steps;
    config.batch = 3;
    config.region_fraction = 1;
    config.outer_lr = 5e-3;
    config.rates_lr = 0.02;
    config.clip = 0.1;
    config.warmup = 4;
    config.val_every = 4;
    config.checkpoint_seconds = 0;
    config.seed = 11;
    config.threads = 1;
    config.output = output;
    return config;
}

HELPER int stop_at(void *user, const struct tsr_trainer_progress *progress) {
    return progress->outer_step == *(const uint64_t *)user;
}

/* The dataset of a run in a test, opened for it and closed with it. */
static struct tsr_dataset *dataset_of_run;

/* Where there is no run, there is nothing to close later. */
HELPER enum tsr_status opened(enum tsr_status status) {
    if (status != TSR_OK) {
        tsr_dataset_close(dataset_of_run);
        dataset_of_run = NULL;
    }
    return status;
}

HELPER enum tsr_status open_training(const struct tsr_model_config *model,
                                     const struct tsr_trainer_config *config, const char *dataset,
                                     const struct tsr_model *init, struct tsr_training **out,
                                     struct tsr_error *err) {
    *out = NULL;
    TSR_TRY(tsr_dataset_open(dataset, &dataset_of_run, err));
    return opened(tsr_training_create(model, config, dataset_of_run, init, out, err));
}

HELPER enum tsr_status resume_training(const char *file, const struct tsr_trainer_config *config,
                                       const char *dataset, struct tsr_training **out,
                                       struct tsr_error *err) {
    *out = NULL;
    TSR_TRY(tsr_dataset_open(dataset, &dataset_of_run, err));
    return opened(tsr_training_resume(file, config, dataset_of_run, out, err));
}

HELPER void close_training(struct tsr_training *training) {
    tsr_training_free(training);
    tsr_dataset_close(dataset_of_run);
    dataset_of_run = NULL;
}

/* A run to its end, or, if `stop` is not 0, to its interruption. */
HELPER void run(const struct tsr_model_config *model, const struct tsr_trainer_config *config,
                const char *dataset, uint64_t stop) {
    struct tsr_training *trainer;
    struct tsr_trainer_callbacks callbacks = {.progress = stop_at, .user = &stop};
    MUST(open_training(model, config, dataset, NULL, &trainer, err));
    if (stop == 0)
        MUST(tsr_training_run(trainer, &callbacks, err));
    else
        MUST_FAIL(tsr_training_run(trainer, &callbacks, err), TSR_ERR_INTERRUPTED, "outer step");
    assert_int_equal(tsr_training_state(trainer)->outer_step, stop ? stop : config->outer_steps);
    close_training(trainer);
}

HELPER void resume(const char *file, const char *dataset, size_t threads) {
    struct tsr_training *trainer;
    struct tsr_trainer_config config = {.threads = threads, .output = file};
    MUST(resume_training(file, &config, dataset, &trainer, err));
    MUST(tsr_training_run(trainer, NULL, err));
    close_training(trainer);
}

/* Compares an array of two files bit by bit; 0 if neither has it. */
HELPER size_t same_array(const char *a, const char *b, const char *object) {
    size_t na = 0, nb = 0;
    double *x = read_array(a, object, &na), *y = read_array(b, object, &nb);
    assert_int_equal(na, nb);
    for (size_t i = 0; i < na; i++) {
        assert_true(isfinite(x[i]) || strcmp(object, "/outer/history") == 0);
        if (strcmp(object, "/outer/history") == 0 && i % 5 == 1) x[i] = y[i]; /* seconds */
    }
    if (na > 0) ASSERT_SAME_BITS(object, x, y, na);
    free(x);
    free(y);
    return na;
}

/* Initialisations, rates, moments, history and state of two checkpoints; returns the numbers
 * compared in all. */
HELPER void same_checkpoint(const char *a, const char *b, const struct tsr_model_config *config) {
    static const char *const arrays[] = {"/outer/theta_m", "/outer/theta_v", "/outer/rates_m",
                                         "/outer/rates_v", "/outer/history"};
    static const char *const parts[] = {"/init/layer%zu/weight", "/init/layer%zu/bias",
                                        "/inner/layer%zu/weight_rate", "/inner/layer%zu/bias_rate"};
    static const char *const numbers[] = {"outer_step",  "skipped", "train_psnr_db",
                                          "val_psnr_db", "seed",    "batch"};
    char path[64];
    size_t rates = same_array(a, b, "/inner/rate");
    for (size_t l = 0; l < config->network.hidden_layers + 2; l++)
        for (size_t i = 0; i < 4; i++) {
            (void)snprintf(path, sizeof path, parts[i], l);
            size_t n = same_array(a, b, path);
            if (i < 2) assert_true(n > 0);
            rates += i < 2 ? 0 : n;
        }
    assert_true(rates > 0);
    for (size_t i = 0; i < 5; i++)
        assert_true(same_array(a, b, arrays[i]) > 0);
    size_t anchors = same_array(a, b, "/partition/anchors");
    assert_int_equal(anchors > 0, tsr_model_has_anchors(config));
    assert_int_equal(same_array(a, b, "/partition/anchor_weights") > 0, anchors > 0);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        assert_true(read_number(a, "/outer", numbers[i]) == read_number(b, "/outer", numbers[i]));
}

#endif
