/* SPDX-License-Identifier: MIT
 *
 * Files that an old program wrote (tests/old/make-files): read, evaluated, rendered, resumed.
 */
#define _POSIX_C_SOURCE 200809L /* mkstemp() */
#include "tests/check.h"

#include <unistd.h>

#include "image/checkpoint.h"
#include "image/evaluate.h"
#include "image/inr.h"

static const char *old_file(const char *name, const char *suffix) {
    static char path[4][512];
    static size_t turn;
    char *out = path[turn++ % 4];
    const char *tests = getenv("TSR_TESTS");
    (void)snprintf(out, 512, "%s/old/%s%s", tests ? tests : "tests", name, suffix);
    return out;
}

static const char *const models[] = {"siren-grid", "relu-cell", "segment", "labels"};

/* Mean PSNR after k inner steps as the old program printed it. */
static double printed(const char *model, size_t k) {
    FILE *f = fopen(old_file("expected.txt", ""), "r");
    char name[64];
    size_t step;
    double psnr_db, found = (double)NAN;
    assert_non_null(f);
    while (fscanf(f, "%63s %zu %lf", name, &step, &psnr_db) == 3)
        if (strcmp(name, model) == 0 && step == k) found = psnr_db;
    (void)fclose(f);
    assert_true(isfinite(found));
    return found;
}

static void evaluates_as_before(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        struct tsr_model *model;
        struct tsr_dataset *data;
        struct tsr_reconstruct_config config;
        struct tsr_evaluation e;
        const char *dataset = strcmp(models[i], "labels") == 0 ? "classes" : "segments";
        MUST(tsr_model_load(old_file(models[i], ".h5"), &model, err));
        MUST(tsr_dataset_open(old_file(dataset, ".h5"), &data, err));
        tsr_reconstruct_config_default(model, &config);
        MUST(tsr_evaluate(model, data, TSR_SPLIT_ALL, 0, &config, NULL, &e, err));
        assert_int_equal(e.images, 8);
        assert_int_equal(e.inner_steps, 2);
        for (size_t k = 0; k <= 2; k++)
            if (!(fabs(e.psnr_db[k] - printed(models[i], k)) < 1e-3))
                fail_msg("%s, k = %zu: %.4f dB, not %.3f", models[i], k, e.psnr_db[k],
                         printed(models[i], k));
        tsr_evaluation_clear(&e);
        tsr_dataset_close(data);
        tsr_model_free(model);
    }
}

/* The largest difference of two pictures of one shape. */
static int worst_difference(const struct tsr_image *a, const struct tsr_image *b) {
    int worst = 0;
    assert_true(a->height == b->height && a->width == b->width && a->channels == b->channels);
    for (size_t i = 0; i < a->height * a->width * a->channels; i++)
        worst = abs(a->pixels[i] - b->pixels[i]) > worst ? abs(a->pixels[i] - b->pixels[i]) : worst;
    return worst;
}

static void renders_as_before(void **state) {
    (void)state;
    const struct tsr_image_as rgb = {.channels = 3, .background = TSR_WHITE};
    struct tsr_image pictures[3];
    for (size_t i = 0; i < 3; i++) {
        struct tsr_inr *inr;
        struct tsr_image now;
        MUST(tsr_inr_load(old_file(models[i], ".inr.h5"), &inr, err));
        MUST(tsr_inr_render(inr, 24, 24, 1, "auto", NULL, &now, err));
        MUST(tsr_image_read(old_file(models[i], ".png"), &rgb, &pictures[i], err));
        if (worst_difference(&now, &pictures[i]) > 1)
            fail_msg("%s: a value differs by %d", models[i], worst_difference(&now, &pictures[i]));
        tsr_image_clear(&now);
        tsr_inr_free(inr);
    }
    assert_true(worst_difference(&pictures[0], &pictures[1]) > 50); /* the comparison can fail */
    for (size_t i = 0; i < 3; i++)
        tsr_image_clear(&pictures[i]);
}

static void checkpoints_are_whole(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        struct tsr_model *model;
        struct tsr_outer_state outer;
        struct tsr_origin origin;
        MUST(tsr_checkpoint_load(old_file(models[i], ".h5"), &model, &outer, &origin, err));
        assert_false(origin.has_dataset); /* which was not yet kept */
        assert_string_equal(origin.kernel, "");
        assert_int_equal(outer.progress.outer_step, 40);
        assert_int_equal(outer.config.outer_steps, 40);
        assert_int_equal(outer.n_history, 2);
        assert_true(isfinite(outer.progress.val_psnr_db));
        double moments = 0;
        for (size_t j = 0; j < model->n_slots * model->net.n_params; j++)
            moments += fabs((double)outer.m_theta[j]);
        assert_true(moments > 0);
        tsr_outer_state_clear(&outer);
        tsr_model_free(model);
    }
}

/* What is read is written again, and read back the same. */
static void writes_what_it_read(void **state) {
    (void)state;
    char path[] = "/tmp/tessera-old-XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    (void)close(file);
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        struct tsr_model *model, *again;
        char before[512], after[512];
        MUST(tsr_model_load(old_file(models[i], ".h5"), &model, err));
        MUST(tsr_model_save(model, path, err));
        MUST(tsr_model_load(path, &again, err));
        tsr_choice_describe(&model->config.network.kind, before, sizeof before);
        tsr_choice_describe(&again->config.network.kind, after, sizeof after);
        assert_string_equal(before, after);
        tsr_partition_rule_describe(&model->config.partition, before, sizeof before);
        tsr_partition_rule_describe(&again->config.partition, after, sizeof after);
        assert_string_equal(before, after);
        assert_int_equal(model->n_slots, again->n_slots);
        ASSERT_SAME_BITS("theta", again->theta, model->theta, model->n_slots * model->net.n_params);
        ASSERT_SAME_BITS("rates", again->rates.value, model->rates.value,
                         tsr_rates_count(&model->rates));
        tsr_model_free(model);
        tsr_model_free(again);
    }
    (void)unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evaluates_as_before),
        cmocka_unit_test(renders_as_before),
        cmocka_unit_test(checkpoints_are_whole),
        cmocka_unit_test(writes_what_it_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
