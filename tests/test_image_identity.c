/* SPDX-License-Identifier: MIT
 *
 * The dataset of a run: what tells it from others, that a resumed run insists on it, and that a
 * file which changes under a run is noticed.
 */
#define _POSIX_C_SOURCE 200809L
#include "tests/test_meta_runs.h"

#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "data/identity.h"
#include "image/checkpoint.h"

enum { N = 40, SIDE = 16, CHANNELS = 3, IMAGE = SIDE * SIDE * CHANNELS, MAP = SIDE * SIDE };

/* A dataset in memory, and what a caller may change of it. */
struct contents {
    uint8_t *pixels, *split;
    uint16_t *labels;
    char name[N][16];
    const char *names[N];
    struct tsr_images images;
};

static struct contents *contents(void) {
    struct contents *c = make(1, sizeof *c);
    c->pixels = toy_images(N, SIDE, SIDE, CHANNELS);
    c->labels = toy_labels(N, SIDE, SIDE, 5, 0);
    c->split = make(N, 1);
    for (size_t i = 0; i < N; i++) {
        c->split[i] = (uint8_t)(i % 4 < 2 ? 0 : i % 4 - 1);
        (void)snprintf(c->name[i], sizeof c->name[i], "image-%zu.png", i);
        c->names[i] = c->name[i];
    }
    c->images = (struct tsr_images){.size = sizeof c->images,
                                    .type = TSR_PIXELS_U8,
                                    .pixels = c->pixels,
                                    .n = N,
                                    .height = SIDE,
                                    .width = SIDE,
                                    .channels = CHANNELS,
                                    .split = c->split,
                                    .names = c->names,
                                    .labels = c->labels,
                                    .label_count = 5};
    return c;
}

static void free_contents(struct contents *c) {
    free(c->pixels);
    free(c->labels);
    free(c->split);
    free(c);
}

static struct tsr_identity identity_of(struct tsr_dataset *dataset) {
    struct tsr_identity identity;
    MUST(tsr_identity_of(dataset, &identity, err));
    tsr_dataset_close(dataset);
    return identity;
}

static struct tsr_identity in_memory(const struct contents *c) {
    struct tsr_dataset *dataset;
    MUST(tsr_dataset_in_memory(&c->images, &dataset, err));
    return identity_of(dataset);
}

static void store(const struct contents *c, const char *path, int deflate) {
    const size_t dims[4] = {N, SIDE, SIDE, CHANNELS};
    struct tsr_h5 *file;
    MUST(tsr_h5_create(path, &file, err));
    MUST(tsr_h5_write(file, "/images", TSR_H5_U8, 4, dims, c->pixels, deflate, err));
    MUST(tsr_h5_write(file, "/split", TSR_H5_U8, 1, dims, c->split, 0, err));
    MUST(tsr_h5_write_strings(file, "/names", N, c->names, err));
    MUST(tsr_h5_write(file, "/labels", TSR_H5_U16, 3, dims, c->labels, deflate, err));
    MUST(tsr_h5_write_attr_i64(file, "/labels", "count", 5, err));
    MUST(tsr_h5_commit(file, err));
    tsr_h5_close(file);
}

static struct tsr_identity in_file(const char *path) {
    struct tsr_dataset *dataset;
    MUST(tsr_dataset_open(path, &dataset, err));
    return identity_of(dataset);
}

#define ASSERT_DIFFERS(then, now, words)                                                           \
    do {                                                                                           \
        char differs[256];                                                                         \
        assert_false(tsr_identity_equal(&(then), &(now), differs, sizeof differs));                \
        if (!strstr(differs, (words))) fail_msg("\"%s\" lacks \"%s\"", differs, (words));          \
    } while (0)

/* Where and how a dataset is stored does not matter. */
static void of_contents_alone(void **state) {
    (void)state;
    struct contents *c = contents();
    struct tsr_identity a = in_memory(c), b;
    char text[256];
    store(c, in_folder("plain.h5"), 0);
    b = in_file(in_folder("plain.h5"));
    if (!tsr_identity_equal(&a, &b, text, sizeof text)) fail_msg("%s", text);
    store(c, in_folder("small.h5"), 4);
    b = in_file(in_folder("small.h5"));
    if (!tsr_identity_equal(&a, &b, text, sizeof text)) fail_msg("%s", text);
    assert_string_equal(text, "");
    assert_int_equal(b.images, N);
    assert_int_equal(b.train, N / 2);
    free_contents(c);
}

/* Each thing that differs is named, alone. */
static void each_difference(void **state) {
    (void)state;
    struct contents *c = contents();
    struct tsr_identity first = in_memory(c), now;
    c->pixels[(N - 1) * IMAGE + 7] ^= 1; /* the last image is always among the samples */
    now = in_memory(c);
    ASSERT_DIFFERS(first, now, "pixels of digest ");
    assert_int_equal(first.names_digest, now.names_digest);
    assert_int_equal(first.split_digest, now.split_digest);
    c->pixels[(N - 1) * IMAGE + 7] ^= 1;
    c->labels[3] = (uint16_t)((c->labels[3] + 1) % 5);
    now = in_memory(c);
    ASSERT_DIFFERS(first, now, "label maps of digest ");
    assert_int_equal(first.pixels_digest, now.pixels_digest);
    c->labels[3] = (uint16_t)((c->labels[3] + 4) % 5);
    c->name[17][0] = 'I';
    now = in_memory(c);
    ASSERT_DIFFERS(first, now, "names of digest ");
    c->name[17][0] = 'i';
    c->split[0] = 1, c->split[2] = 0; /* as many as before */
    now = in_memory(c);
    ASSERT_DIFFERS(first, now, "split of digest ");
    assert_int_equal(first.train, now.train);
    c->split[2] = 2;
    now = in_memory(c);
    ASSERT_DIFFERS(first, now, "19 training images, not 20, 11 test images, not 10");
    c->split[0] = 0, c->split[2] = 1;
    c->images.n = N - 4;
    now = in_memory(c);
    ASSERT_DIFFERS(first, now, "36 images, not 40");
    free_contents(c);
}

/* ---- runs --------------------------------------------------------------------------------------
 */

static struct tsr_trainer_config resumed(const char *output) {
    return (struct tsr_trainer_config){.threads = 1, .output = output, .outer_steps = 4};
}

static void resumed_with_its_dataset_alone(void **state) {
    (void)state;
    struct contents *c = contents();
    const char *data = in_folder("data.h5"), *output = in_folder("m.h5");
    struct tsr_model_config model = toy_config(0, 0, CHANNELS);
    struct tsr_trainer_config config = settings(2, output), more = resumed(output);
    struct tsr_training *training;
    store(c, data, 0);
    run(&model, &config, data, 0);
    MUST(resume_training(output, &more, data, &training, err));
    assert_null(tsr_training_remark(training, 0));
    close_training(training);
    store(c, in_folder("copy.h5"), 1); /* moved and packed anew */
    MUST(resume_training(output, &more, in_folder("copy.h5"), &training, err));
    assert_null(tsr_training_remark(training, 0));
    close_training(training);
    c->split[0] = 2, c->split[3] = 0; /* a test image moves into the training */
    store(c, data, 0);
    MUST_FAIL(resume_training(output, &more, data, &training, err), TSR_ERR_CONFIG,
              "data.h5 is not the dataset that the run of ");
    more.force = true;
    MUST(resume_training(output, &more, data, &training, err));
    assert_non_null(strstr(tsr_training_remark(training, 0), "it has split of digest"));
    assert_null(tsr_training_remark(training, 1));
    MUST(tsr_training_run(training, NULL, err));
    close_training(training);
    more.force = false; /* the run has another dataset from now on */
    MUST(resume_training(output, &more, data, &training, err));
    close_training(training);
    free_contents(c);
}

static void save_without_origin(const char *path, const char *kernel) {
    struct tsr_model *model;
    struct tsr_outer_state outer;
    struct tsr_origin origin;
    MUST(tsr_checkpoint_load(path, &model, &outer, &origin, err));
    assert_true(origin.has_dataset && origin.kernel[0]);
    if (kernel)
        (void)snprintf(origin.kernel, sizeof origin.kernel, "%s", kernel);
    else
        origin = (struct tsr_origin){0};
    MUST(tsr_checkpoint_save(model, &outer, &origin, path, err));
    tsr_outer_state_clear(&outer);
    tsr_model_free(model);
}

/* What an older program did not write, and what another machine computed, is said. */
static void remarks_of_a_resumed_run(void **state) {
    (void)state;
    const char *data = toy_dataset("data.h5", 8, SIDE, SIDE, CHANNELS), *output = in_folder("m.h5");
    struct tsr_model_config model = toy_config(0, 0, CHANNELS);
    struct tsr_trainer_config config = settings(2, output), more = resumed(output);
    struct tsr_training *training;
    run(&model, &config, data, 0);
    save_without_origin(output, "vax float32");
    MUST(resume_training(output, &more, data, &training, err));
    assert_non_null(strstr(tsr_training_remark(training, 0), "by kernel vax float32 and goes on"));
    close_training(training);
    save_without_origin(output, NULL);
    MUST(resume_training(output, &more, data, &training, err));
    assert_non_null(strstr(tsr_training_remark(training, 0), "does not say which dataset"));
    assert_null(tsr_training_remark(training, 1));
    close_training(training);
}

/* ---- a file that changes under a run -----------------------------------------------------------
 */

static void overwrite(const char *path) {
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, "x", 1, 4000), 1);
    assert_int_equal(close(fd), 0);
}

static void cut(const char *path) {
    assert_int_equal(truncate(path, 6000), 0);
}

static void replace(const char *path) {
    struct contents *c = contents();
    store(c, path, 0); /* a new file, renamed */
    free_contents(c);
}

static void take_away(const char *path) {
    assert_int_equal(unlink(path), 0);
}

struct fault {
    void (*happens)(const char *path);
    const char *path, *message;
};

static int at_step_3(void *user, const struct tsr_trainer_progress *progress) {
    const struct timespec pause = {0, 5000000};
    const struct fault *fault = user;
    if (progress->outer_step == 3) fault->happens(fault->path);
    (void)nanosleep(&pause, NULL);
    return 0;
}

static void changed_under_a_run(void **state) {
    (void)state;
    struct fault faults[] = {{overwrite, NULL, "was written to"},
                             {cut, NULL, "now it has 6000"},
                             {replace, NULL, "was replaced by another file"},
                             {take_away, NULL, "is gone while"}};
    const struct timespec pause = {0, 20000000};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        for (uint64_t steps = 4; steps <= 4000; steps *= 1000) {
            struct contents *c = contents();
            const char *data = in_folder("data.h5"), *output = in_folder("m.h5");
            struct tsr_model_config model = toy_config(0, 0, CHANNELS);
            struct tsr_trainer_config config = settings(steps, output);
            struct tsr_trainer_callbacks callbacks = {.progress = at_step_3, .user = &faults[i]};
            struct tsr_training *training;
            store(c, data, 0);
            (void)nanosleep(&pause, NULL); /* the clock of files is coarse */
            faults[i].path = data;
            MUST(open_training(&model, &config, data, NULL, &training, err));
            MUST_FAIL(tsr_training_run(training, &callbacks, err), TSR_ERR_IO, faults[i].message);
            double done = (double)tsr_training_state(training)->outer_step;
            assert_true(steps == 4 ? done == 4 : done >= 3 && done < 2000);
            assert_true(read_number(output, "/outer", "outer_step") == done);
            close_training(training);
            free_contents(c);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(of_contents_alone),
        TEST(each_difference),
        TEST(resumed_with_its_dataset_alone),
        TEST(remarks_of_a_resumed_run),
        TEST(changed_under_a_run),
    };
    return cmocka_run_group_tests_name("identity", tests, NULL, NULL);
}
