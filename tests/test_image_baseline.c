/* SPDX-License-Identifier: MIT
 *
 * The random baseline: that its rate is the best of those that are tried, on images that are not
 * evaluated; that the model's weights and rates do not matter; progress and interruption.
 */
#include "tests/test_image_helper.h"

#include "image/baseline.h"
#include "image/training.h"

enum { HEIGHT = 12, WIDTH = 15, CHANNELS = 3, LAST = 2 };

static struct tsr_baseline baseline_of(const struct tsr_model *model, struct tsr_dataset *data,
                                       enum tsr_split split, uint64_t seed) {
    struct tsr_reconstruct_config config = plain(model);
    struct tsr_baseline b;
    MUST(tsr_evaluate_baseline(model, data, split, 0, &config, seed, NULL, &b, err));
    return b;
}

/* PSNR after the last step of a model of random weights, made by hand. */
static double random_psnr(const struct tsr_model *like, struct tsr_dataset *data,
                          enum tsr_split split, size_t limit, double rate, uint64_t seed) {
    struct tsr_model_config config = like->config;
    struct tsr_model *model;
    struct tsr_evaluation e;
    config.rates = TSR_RATES_FIXED;
    config.inner_lr = rate;
    MUST(tsr_model_create(&config, seed, &model, err));
    struct tsr_reconstruct_config steps = plain(model);
    MUST(tsr_evaluate(model, data, split, limit, &steps, NULL, &e, err));
    double psnr_db = e.psnr_db[LAST];
    tsr_evaluation_clear(&e);
    tsr_model_free(model);
    return psnr_db;
}

static void the_rate_is_the_best_on_other_images(void **state) {
    (void)state;
    struct tsr_model_config config = toy_config(HEIGHT, WIDTH, CHANNELS);
    struct tsr_model *model = toy_model(&config, 1);
    /* one with more images of val than are used, one without val */
    const size_t sizes[] = {80, 2};
    for (int i = 0; i < 3; i++) {
        struct tsr_dataset *data =
            toy_data(i ? "b.h5" : "a.h5", sizes[i == 2], HEIGHT, WIDTH, CHANNELS);
        enum tsr_split split = i == 0 ? TSR_SPLIT_TEST : i == 1 ? TSR_SPLIT_VAL : TSR_SPLIT_TRAIN;
        enum tsr_split other = i == 0 ? TSR_SPLIT_VAL : TSR_SPLIT_TRAIN;
        struct tsr_baseline b = baseline_of(model, data, split, 7);
        size_t n;
        (void)tsr_dataset_split(data, other, &n);
        assert_int_equal(b.chosen_on, other);
        assert_int_equal(b.chosen_on_images, n < TSR_BASELINE_IMAGES ? n : TSR_BASELINE_IMAGES);
        double chosen = random_psnr(model, data, other, TSR_BASELINE_IMAGES, b.rate, 7);
        for (size_t r = 0; r < tsr_baseline_n_rates; r++) {
            double rate = tsr_baseline_rates[r];
            double psnr_db = random_psnr(model, data, other, TSR_BASELINE_IMAGES, rate, 7);
            assert_false(psnr_db > chosen);
            if (rate == b.rate) assert_true(psnr_db == chosen);
        }
        assert_int_equal(b.result.inner_steps, LAST);
        assert_true(b.result.psnr_db[LAST] == random_psnr(model, data, split, 0, b.rate, 7));
        tsr_evaluation_clear(&b.result);
        tsr_dataset_close(data);
    }
    tsr_model_free(model);
}

static void only_the_shape_of_the_model_matters(void **state) {
    (void)state;
    struct tsr_model_config config = toy_config(HEIGHT, WIDTH, CHANNELS);
    struct tsr_dataset *data = toy_data("c.h5", 8, HEIGHT, WIDTH, CHANNELS);
    struct tsr_model *a = toy_model(&config, 1), *b = toy_model(&config, 2);
    struct tsr_baseline x = baseline_of(a, data, TSR_SPLIT_TEST, 5);
    struct tsr_baseline y = baseline_of(b, data, TSR_SPLIT_TEST, 5);
    struct tsr_baseline z = baseline_of(b, data, TSR_SPLIT_TEST, 6);
    assert_true(x.rate == y.rate);
    ASSERT_SAME_BITS("PSNR", x.result.psnr_db, y.result.psnr_db, LAST + 1);
    assert_true(x.result.psnr_db[0] != z.result.psnr_db[0]); /* the seed does */
    tsr_evaluation_clear(&x.result);
    tsr_evaluation_clear(&y.result);
    tsr_evaluation_clear(&z.result);
    tsr_model_free(a);
    tsr_model_free(b);
    tsr_dataset_close(data);
}

/* Slots of regions that are found by the pixels: the baseline has the model's anchors. */
static void slots_of_found_regions(void **state) {
    (void)state;
    struct tsr_model_config config = toy_config(HEIGHT, WIDTH, CHANNELS);
    struct tsr_dataset *data;
    struct tsr_training *training;
    struct tsr_trainer_config trainer;
    const char *path = toy_dataset("d.h5", 8, HEIGHT, WIDTH, CHANNELS);
    MUST(tsr_dataset_open(path, &data, err));
    config.partition = (struct tsr_partition_rule){.rule = TSR_RULE(segment, 4)};
    config.slots = TSR_SLOTS_PER_REGION;
    tsr_trainer_config_default(&trainer);
    trainer.outer_steps = 1;
    trainer.threads = 1;
    trainer.output = in_folder("segments.h5");
    MUST(tsr_training_create(&config, &trainer, data, NULL, &training, err));
    const struct tsr_model *model = tsr_training_model(training);
    assert_true(model->anchors.n == 4);
    struct tsr_baseline b = baseline_of(model, data, TSR_SPLIT_TEST, 1);
    assert_true(isfinite(b.result.psnr_db[LAST]));
    assert_true(model->anchors.n == 4 && model->anchors.mean != NULL);
    tsr_evaluation_clear(&b.result);
    tsr_training_free(training);
    tsr_dataset_close(data);
}

struct heard {
    size_t choosing, evaluating, of_val, of_test, stop_after;
};

static int hear(void *user, bool choosing, size_t done, size_t total, double mean_psnr_db) {
    struct heard *h = user;
    assert_true(!choosing || h->evaluating == 0);
    assert_int_equal(done, choosing ? ++h->choosing : ++h->evaluating);
    assert_int_equal(total, choosing ? h->of_val * tsr_baseline_n_rates : h->of_test);
    (void)mean_psnr_db;
    return h->choosing + h->evaluating == h->stop_after;
}

static void progress_and_interruption(void **state) {
    (void)state;
    struct tsr_model_config config = toy_config(HEIGHT, WIDTH, CHANNELS);
    struct tsr_model *model = toy_model(&config, 1);
    struct tsr_dataset *data = toy_data("e.h5", 11, HEIGHT, WIDTH, CHANNELS);
    struct tsr_reconstruct_config steps = plain(model);
    struct heard all = {.of_val = 3, .of_test = 2};
    const size_t n = 3 * tsr_baseline_n_rates + 2;
    for (size_t stop = 0; stop <= n; stop++) {
        struct heard heard = all;
        const struct tsr_baseline_callbacks callbacks = {.progress = hear, .user = &heard};
        struct tsr_baseline b;
        heard.stop_after = stop;
        if (stop == 0) {
            MUST(tsr_evaluate_baseline(model, data, TSR_SPLIT_TEST, 0, &steps, 1, &callbacks, &b,
                                       err));
            assert_int_equal(heard.choosing + heard.evaluating, n);
            tsr_evaluation_clear(&b.result);
            continue;
        }
        MUST_FAIL(
            tsr_evaluate_baseline(model, data, TSR_SPLIT_TEST, 0, &steps, 1, &callbacks, &b, err),
            TSR_ERR_INTERRUPTED, "interrupted");
        assert_int_equal(heard.choosing + heard.evaluating, stop);
        assert_null(b.result.psnr_db);
    }
    tsr_model_free(model);
    tsr_dataset_close(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_rate_is_the_best_on_other_images),
        TEST(only_the_shape_of_the_model_matters),
        TEST(slots_of_found_regions),
        TEST(progress_and_interruption),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
