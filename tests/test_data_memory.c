/* SPDX-License-Identifier: MIT
 *
 * Datasets in memory: the same as from a file, with pixels of 8 bit or real numbers.
 */
#include "check.h"

#include "data/dataset.h"
#include "data/sampler.h"

enum { N = 5, H = 3, W = 4, C = 2, SIZE = H * W * C };

static uint8_t bytes[N][SIZE], split[N] = {0, 1, 0, 2, 0};
static float floats[N][SIZE];
static uint16_t labels[N][H * W];
static const char *const names[N] = {"a", "b", "c", "d", "e"};

static int fill(void **state) {
    (void)state;
    for (size_t i = 0; i < N; i++) {
        for (size_t k = 0; k < SIZE; k++) {
            bytes[i][k] = (uint8_t)(20 * i + k);
            floats[i][k] = (float)bytes[i][k] / 255;
        }
        for (size_t k = 0; k < (size_t)H * W; k++)
            labels[i][k] = (uint16_t)((i + k) % 3);
    }
    return 0;
}

static struct tsr_dataset *open_images(const struct tsr_images *images) {
    struct tsr_dataset *dataset;
    MUST(tsr_dataset_in_memory(images, &dataset, err));
    return dataset;
}

static void test_bytes_are_read_as_they_are(void **state) {
    (void)state;
    struct tsr_images images = tsr_images_bytes(bytes[0], N, H, W, C);
    uint8_t out[SIZE];
    size_t n;
    struct tsr_dataset *d = open_images(&images);
    assert_int_equal(tsr_dataset_images(d), N);
    assert_int_equal(tsr_dataset_height(d), H);
    assert_int_equal(tsr_dataset_width(d), W);
    assert_int_equal(tsr_dataset_channels(d), C);
    assert_int_equal(tsr_dataset_value_size(d), 1);
    assert_false(tsr_dataset_has_labels(d));
    for (size_t i = 0; i < N; i++) {
        MUST(tsr_dataset_read(d, i, out, err));
        assert_memory_equal(out, bytes[i], SIZE);
    }
    assert_string_equal(tsr_dataset_name(d, 3), "#3");
    for (int k = 0; k < 4; k++) {
        (void)tsr_dataset_split(d, (enum tsr_split)k, &n);
        assert_int_equal(n, N);
    }
    MUST_FAIL(tsr_dataset_read(d, N, out, err), TSR_ERR_ARGUMENT, "image 5 of 5");
    tsr_dataset_close(d);
}

static void test_splits_names_and_labels(void **state) {
    (void)state;
    struct tsr_images images = tsr_images_bytes(bytes[0], N, H, W, C);
    uint16_t map[H * W];
    size_t n;
    images.split = split;
    images.names = names;
    images.labels = labels[0];
    images.label_count = 3;
    struct tsr_dataset *d = open_images(&images);
    const uint32_t *index = tsr_dataset_split(d, TSR_SPLIT_TRAIN, &n);
    assert_int_equal(n, 3);
    assert_int_equal(index[0], 0);
    assert_int_equal(index[1], 2);
    assert_int_equal(index[2], 4);
    index = tsr_dataset_split(d, TSR_SPLIT_TEST, &n);
    assert_int_equal(n, 1);
    assert_int_equal(index[0], 3);
    assert_string_equal(tsr_dataset_name(d, 1), "b");
    assert_true(tsr_dataset_has_labels(d));
    assert_int_equal(tsr_dataset_label_count(d), 3);
    assert_string_equal(tsr_dataset_label_rule(d), "labels");
    MUST(tsr_dataset_read_labels(d, 4, map, err));
    assert_memory_equal(map, labels[4], sizeof map);
    tsr_dataset_close(d);
    images.label_count = 2;
    d = open_images(&images);
    MUST_FAIL(tsr_dataset_read_labels(d, 4, map, err), TSR_ERR_FORMAT, "labels are 0..1");
    tsr_dataset_close(d);
}

static void test_floats_come_through_the_sampler(void **state) {
    (void)state;
    struct tsr_images images = tsr_images_floats(floats[0], N, H, W, C);
    struct tsr_sampler *sampler;
    struct tsr_image_batch batch;
    tsr_real a[SIZE], b[SIZE];
    images.split = split;
    struct tsr_dataset *d = open_images(&images);
    assert_int_equal(tsr_dataset_value_size(d), sizeof(float));
    MUST(tsr_sampler_create(d, TSR_SPLIT_TRAIN, 2, NULL, 1, 0, false, &sampler, err));
    for (size_t round = 0; round < 6; round++) {
        MUST(tsr_sampler_next(sampler, &batch, err));
        assert_null(batch.pixels.bytes);
        for (size_t i = 0; i < 2; i++) {
            assert_memory_equal(batch.pixels.floats + i * SIZE, floats[batch.index[i]],
                                sizeof floats[0]);
            tsr_pixels_values(tsr_pixels_at(batch.pixels, i * SIZE), SIZE, a);
            tsr_pixels_values(TSR_BYTES(bytes[batch.index[i]]), SIZE, b);
            assert_memory_equal(a, b, sizeof a);
        }
    }
    tsr_sampler_free(sampler);
    tsr_dataset_close(d);
}

static void test_floats_as_bytes(void **state) {
    (void)state;
    const float values[6] = {-1, 0, 0.5F, 1, 7, 3.0F / 255};
    const uint8_t expected[6] = {0, 0, 128, 255, 255, 3};
    uint8_t room[6], same[2] = {3, 4};
    assert_ptr_equal(tsr_pixels_bytes((struct tsr_pixels){.floats = values}, 6, room), room);
    assert_memory_equal(room, expected, 6);
    assert_ptr_equal(tsr_pixels_bytes(TSR_BYTES(same), 2, room), same);
}

static void test_refused(void **state) {
    (void)state;
    const struct tsr_images good = tsr_images_floats(floats[0], N, H, W, C);
    struct tsr_images bad;
    struct tsr_dataset *d;
    uint8_t wrong[N] = {0, 1, 3, 0, 0};
    bad = good, bad.pixels = NULL;
    MUST_FAIL(tsr_dataset_in_memory(&bad, &d, err), TSR_ERR_ARGUMENT, "pixels is NULL");
    assert_null(d);
    bad = good, bad.type = (enum tsr_pixel_type)0;
    MUST_FAIL(tsr_dataset_in_memory(&bad, &d, err), TSR_ERR_ARGUMENT, "type is 0");
    bad = good, bad.n = 0;
    MUST_FAIL(tsr_dataset_in_memory(&bad, &d, err), TSR_ERR_ARGUMENT, "[0,3,4,2]");
    bad = good, bad.height = 65536;
    MUST_FAIL(tsr_dataset_in_memory(&bad, &d, err), TSR_ERR_ARGUMENT, "65536");
    bad = good, bad.width = 0;
    MUST_FAIL(tsr_dataset_in_memory(&bad, &d, err), TSR_ERR_ARGUMENT, "sides");
    bad = good, bad.channels = 0;
    MUST_FAIL(tsr_dataset_in_memory(&bad, &d, err), TSR_ERR_ARGUMENT, "channel");
    bad = good, bad.labels = labels[0];
    MUST_FAIL(tsr_dataset_in_memory(&bad, &d, err), TSR_ERR_ARGUMENT, "label_count is 0");
    bad = good, bad.split = wrong;
    MUST_FAIL(tsr_dataset_in_memory(&bad, &d, err), TSR_ERR_FORMAT, "3 for image 2");
    floats[1][5] = NAN;
    MUST_FAIL(tsr_dataset_in_memory(&good, &d, err), TSR_ERR_ARGUMENT, "image 1");
    floats[1][5] = INFINITY;
    MUST_FAIL(tsr_dataset_in_memory(&good, &d, err), TSR_ERR_ARGUMENT, "image 1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_bytes_are_read_as_they_are, fill),
        cmocka_unit_test_setup(test_splits_names_and_labels, fill),
        cmocka_unit_test_setup(test_floats_come_through_the_sampler, fill),
        cmocka_unit_test(test_floats_as_bytes),
        cmocka_unit_test_setup(test_refused, fill),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
