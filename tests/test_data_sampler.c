/* SPDX-License-Identifier: MIT */
#include "test_data_helper.h"

#include <hdf5.h>
#include <time.h>

#include "base/random.h"
#include "data/h5.h"
#include "data/sampler.h"

static struct tsr_error err;

enum { N = 23, HEIGHT = 3, WIDTH = 4, SIZE = HEIGHT * WIDTH };

/* N images whose pixels are 10 * index + place, labels 20 * index + place; every fourth is for
 * validation. `bound` of the labels, 0: there are none. */
static struct tsr_dataset *make_labelled(int deflate, int64_t bound) {
    const char *path = in_folder("d.h5");
    const size_t dims[4] = {N, HEIGHT, WIDTH, 1}, n = N;
    static uint8_t pixels[N][SIZE], split[N];
    static uint16_t labels[N][SIZE];
    struct tsr_h5 *file;
    struct tsr_dataset *dataset;
    for (size_t i = 0; i < N; i++) {
        split[i] = i % 4 == 3;
        for (size_t k = 0; k < SIZE; k++)
            pixels[i][k] = (uint8_t)(10 * i + k);
        for (size_t k = 0; k < SIZE; k++)
            labels[i][k] = (uint16_t)(20 * i + k);
    }
    assert_ok(tsr_h5_create(path, &file, &err), &err);
    assert_ok(tsr_h5_create_growing(file, "/images", TSR_H5_U8, 4, dims, deflate, &err), &err);
    assert_ok(tsr_h5_append(file, "/images", TSR_H5_U8, N, pixels, &err), &err);
    assert_ok(tsr_h5_write(file, "/split", TSR_H5_U8, 1, &n, split, 0, &err), &err);
    if (bound) {
        assert_ok(tsr_h5_write(file, "/labels", TSR_H5_U16, 3, dims, labels, deflate, &err), &err);
        assert_ok(tsr_h5_write_attr_i64(file, "/labels", "count", bound, &err), &err);
    }
    assert_ok(tsr_h5_commit(file, &err), &err);
    tsr_h5_close(file);
    assert_ok(tsr_dataset_open(path, &dataset, &err), &err);
    return dataset;
}

static struct tsr_dataset *make_dataset(int deflate) {
    return make_labelled(deflate, 0);
}

/* The first `n` indices of the stream from batch `first` on. */
static void take(struct tsr_dataset *dataset, enum tsr_split split, size_t batch, uint64_t seed,
                 uint64_t first, size_t n, uint32_t *out) {
    struct tsr_sampler *sampler;
    struct tsr_image_batch b;
    assert_ok(tsr_sampler_create(dataset, split, batch, NULL, seed, first, false, &sampler, &err),
              &err);
    for (size_t i = 0; i < n; i++) {
        if (i % batch == 0) {
            assert_ok(tsr_sampler_next(sampler, &b, &err), &err);
            assert_int_equal(b.n, batch);
            assert_int_equal(b.height, HEIGHT);
            assert_int_equal(b.width, WIDTH);
            assert_int_equal(b.channels, 1);
            assert_null(b.labels);
        }
        out[i] = b.index[i % batch];
        assert_true(out[i] < N);
        for (size_t k = 0; k < SIZE; k++)
            assert_int_equal(b.pixels.bytes[i % batch * SIZE + k], (uint8_t)(10 * out[i] + k));
    }
    assert_true(tsr_sampler_waited(sampler) >= 0);
    tsr_sampler_free(sampler);
}

static void every_epoch_is_a_permutation(void **state) {
    (void)state;
    struct tsr_dataset *dataset = make_dataset(0);
    const size_t batches[] = {1, 3, 7, 18, 40, 100};
    for (size_t k = 0; k < 6; k++) {
        uint32_t stream[18 * 6], order[18];
        size_t n;
        take(dataset, TSR_SPLIT_TRAIN, batches[k], 5, 0, 18 * 6, stream);
        const uint32_t *split = tsr_dataset_split(dataset, TSR_SPLIT_TRAIN, &n);
        assert_int_equal(n, 18);
        for (size_t epoch = 0; epoch < 6; epoch++) {
            tsr_random_permutation(5, TSR_STREAM_SHUFFLE | (uint64_t)epoch << 32, n, order);
            for (size_t i = 0; i < n; i++)
                assert_int_equal(stream[epoch * n + i], split[order[i]]);
        }
        assert_memory_not_equal(stream, stream + 18, 18 * sizeof *stream);
    }
    tsr_dataset_close(dataset);
}

static void restart_equals_uninterrupted(void **state) {
    (void)state;
    struct tsr_dataset *dataset = make_dataset(4);
    uint32_t whole[300], part[300];
    const size_t batches[] = {1, 5, 30};
    for (size_t k = 0; k < 3; k++) {
        take(dataset, TSR_SPLIT_TRAIN, batches[k], 9, 0, 300, whole);
        for (size_t first = 0; first * batches[k] < 300; first += first / 3 + 1) {
            size_t at = first * batches[k];
            take(dataset, TSR_SPLIT_TRAIN, batches[k], 9, first, 300 - at, part);
            assert_memory_equal(part, whole + at, (300 - at) * sizeof *part);
        }
    }
    take(dataset, TSR_SPLIT_TRAIN, 5, 10, 0, 300, part);
    assert_memory_not_equal(part, whole, sizeof part);
    take(dataset, TSR_SPLIT_VAL, 7, 9, (uint64_t)1 << 40, 100, part);
    tsr_dataset_close(dataset);
}

/* Labels belong to their images, in every epoch and from any batch on. */
static void labels_come_with_their_images(void **state) {
    (void)state;
    const size_t batches[] = {1, 5, 18, 40};
    for (size_t k = 0; k < 8; k++) {
        struct tsr_dataset *dataset = make_labelled(k % 2 ? 3 : 0, 20 * N);
        struct tsr_sampler *sampler;
        struct tsr_image_batch b;
        assert_ok(tsr_sampler_create(dataset, TSR_SPLIT_TRAIN, batches[k / 2], NULL, 5, k, true,
                                     &sampler, &err),
                  &err);
        for (size_t seen = 0; seen < 3 * N; seen += b.n) {
            assert_ok(tsr_sampler_next(sampler, &b, &err), &err);
            for (size_t i = 0; i < b.n; i++)
                for (size_t p = 0; p < SIZE; p++) {
                    assert_int_equal(b.labels[i * SIZE + p], 20 * b.index[i] + p);
                    assert_int_equal(b.pixels.bytes[i * SIZE + p], (uint8_t)(10 * b.index[i] + p));
                }
        }
        tsr_sampler_free(sampler);
        tsr_dataset_close(dataset);
    }
}

static void labels_that_are_not_there(void **state) {
    (void)state;
    struct tsr_sampler *sampler;
    struct tsr_image_batch batch;
    struct tsr_dataset *dataset = make_dataset(0);
    assert_fails(tsr_sampler_create(dataset, TSR_SPLIT_ALL, 2, NULL, 1, 0, true, &sampler, &err),
                 TSR_ERR_CONFIG, &err, "d.h5: has no label maps");
    tsr_dataset_close(dataset);
    /* The last image has labels beyond the bound: it is read in the first epoch. */
    enum tsr_status status = TSR_OK;
    dataset = make_labelled(0, 20 * (N - 1));
    assert_ok(tsr_sampler_create(dataset, TSR_SPLIT_ALL, 1, NULL, 1, 0, true, &sampler, &err),
              &err);
    for (size_t i = 0; i < N && status == TSR_OK; i++)
        status = tsr_sampler_next(sampler, &batch, &err);
    assert_fails(status, TSR_ERR_FORMAT, &err,
                 "/labels has 440 at row 0, column 0 of image 22 (#22); labels are 0..439");
    tsr_sampler_free(sampler);
    tsr_dataset_close(dataset);
}

/* A batch stays as it is until the next is asked for, however far reading has gone ahead. */
static void batch_stays_valid(void **state) {
    (void)state;
    struct tsr_dataset *dataset = make_dataset(0);
    struct tsr_sampler *sampler;
    struct tsr_image_batch batch;
    uint8_t pixels[4 * SIZE];
    const struct timespec pause = {0, 3000000};
    assert_ok(tsr_sampler_create(dataset, TSR_SPLIT_ALL, 4, NULL, 1, 0, false, &sampler, &err),
              &err);
    for (int i = 0; i < 20; i++) {
        assert_ok(tsr_sampler_next(sampler, &batch, &err), &err);
        memcpy(pixels, batch.pixels.bytes, sizeof pixels);
        nanosleep(&pause, NULL);
        assert_memory_equal(pixels, batch.pixels.bytes, sizeof pixels);
    }
    tsr_sampler_free(sampler);
    tsr_dataset_close(dataset);
}

static void stops_at_any_time(void **state) {
    (void)state;
    struct tsr_dataset *dataset = make_dataset(0);
    for (int i = 0; i < 50; i++) {
        struct tsr_sampler *sampler;
        struct tsr_image_batch batch;
        assert_ok(tsr_sampler_create(dataset, TSR_SPLIT_ALL, 8, NULL, 1, 0, false, &sampler, &err),
                  &err);
        for (int k = 0; k < i % 7; k++)
            assert_ok(tsr_sampler_next(sampler, &batch, &err), &err);
        tsr_sampler_free(sampler);
    }
    tsr_sampler_free(NULL);
    tsr_dataset_close(dataset);
}

static void bad_settings(void **state) {
    (void)state;
    struct tsr_dataset *dataset = make_dataset(0);
    struct tsr_sampler *sampler;
    assert_fails(tsr_sampler_create(dataset, TSR_SPLIT_ALL, 0, NULL, 1, 0, false, &sampler, &err),
                 TSR_ERR_CONFIG, &err, "batch is 0");
    assert_null(sampler);
    assert_fails(tsr_sampler_create(dataset, TSR_SPLIT_TEST, 2, NULL, 1, 0, false, &sampler, &err),
                 TSR_ERR_CONFIG, &err, "d.h5: has no image in the split \"test\"");
    assert_fails(
        tsr_sampler_create(dataset, TSR_SPLIT_ALL, 2, NULL, 1, UINT64_MAX, false, &sampler, &err),
        TSR_ERR_CONFIG, &err, "cannot start at batch 18446744073709551615");
    assert_fails(
        tsr_sampler_create(dataset, TSR_SPLIT_ALL, SIZE_MAX / 4, NULL, 1, 0, false, &sampler, &err),
        TSR_ERR_NO_MEMORY, &err, "batch of images");
    tsr_dataset_close(dataset);
}

/* One image's compressed bytes are overwritten: batches before it arrive, then the error, again and
 * again. */
static void reading_error_surfaces(void **state) {
    (void)state;
    tsr_dataset_close(make_dataset(9));
    const char *path = in_folder("d.h5");
    size_t size, hits = 0, batches = 0;
    unsigned char *bytes = slurp(path, &size);
    for (size_t i = 0; i + 2 < size; i++) /* headers of zlib streams, level 9 */
        if (bytes[i] == 0x78 && bytes[i + 1] == 0xda && hits++ == 11) memset(bytes + i, 0, 8);
    assert_true(hits >= N);
    write_file(path, bytes, size);
    free(bytes);

    struct tsr_dataset *dataset;
    struct tsr_sampler *sampler;
    struct tsr_image_batch batch;
    enum tsr_status status;
    assert_ok(tsr_dataset_open(path, &dataset, &err), &err);
    assert_ok(tsr_sampler_create(dataset, TSR_SPLIT_ALL, 1, NULL, 2, 0, false, &sampler, &err),
              &err);
    while ((status = tsr_sampler_next(sampler, &batch, &err)) == TSR_OK && batches < 100)
        batches++;
    assert_true(batches < N);
    for (int i = 0; i < 3; i++) {
        assert_fails(status, TSR_ERR_FORMAT, &err, "d.h5: /images cannot be read");
        memset(&err, 0, sizeof err);
        status = tsr_sampler_next(sampler, &batch, &err);
    }
    assert_int_equal(tsr_sampler_next(sampler, &batch, NULL), TSR_ERR_FORMAT);
    tsr_sampler_free(sampler);
    tsr_dataset_close(dataset);
}

/* A file of more than stays in memory, SIDE x SIDE images in chunks of GROUP, in which only the
 * first four bytes, the index, are not zero. */
enum { SIDE = 1024, GROUP = 8, IMAGES = 20 * GROUP - 3 };
static struct tsr_dataset *make_large(void) {
    const hsize_t dims[4] = {IMAGES, SIDE, SIDE, 1}, chunk[4] = {GROUP, SIDE, SIDE, 1};
    const char *path = in_folder("large.h5");
    struct tsr_dataset *dataset;
    uint8_t *block = calloc(GROUP, SIDE * SIDE);
    assert_non_null(block);
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    hid_t space = H5Screate_simple(4, dims, NULL), memory = H5Screate_simple(4, chunk, NULL);
    hid_t how = H5Pcreate(H5P_DATASET_CREATE);
    assert_true(H5Pset_chunk(how, 4, chunk) >= 0 && H5Pset_deflate(how, 1) >= 0);
    hid_t images = H5Dcreate2(file, "/images", H5T_STD_U8LE, space, H5P_DEFAULT, how, H5P_DEFAULT);
    for (uint32_t first = 0; first < IMAGES; first += GROUP) {
        const hsize_t start[4] = {first},
                      count[4] = {IMAGES - first < GROUP ? IMAGES - first : GROUP, SIDE, SIDE, 1};
        for (uint32_t i = 0; i < count[0]; i++) {
            uint32_t index = first + i;
            memcpy(block + i * SIDE * SIDE, &index, sizeof index);
        }
        assert_true(H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0);
        assert_true(H5Sset_extent_simple(memory, 4, count, NULL) >= 0);
        assert_true(H5Dwrite(images, H5T_NATIVE_UINT8, memory, space, H5P_DEFAULT, block) >= 0);
    }
    assert_true(H5Dclose(images) >= 0 && H5Pclose(how) >= 0 && H5Sclose(space) >= 0);
    assert_true(H5Sclose(memory) >= 0 && H5Fclose(file) >= 0);
    free(block);
    assert_ok(tsr_dataset_open(path, &dataset, &err), &err);
    return dataset;
}

/* The order of an epoch as it is promised: that of any file, window by window. */
static void expect_order(const uint32_t *split, size_t n, size_t groups, uint64_t epoch,
                         uint32_t *out) {
    enum { ALL = (IMAGES + GROUP - 1) / GROUP };
    uint32_t drawn[IMAGES], rank[ALL];
    tsr_random_permutation(5, TSR_STREAM_SHUFFLE | epoch << 32, n, drawn);
    tsr_random_permutation(5, TSR_STREAM_CHUNKS | epoch << 32, ALL, rank);
    for (size_t window = 0; window <= ALL / groups; window++)
        for (size_t i = 0; i < n; i++)
            if (rank[split[drawn[i]] / GROUP] / groups == window) *out++ = split[drawn[i]];
}

static void large_chunks_are_read_together(void **state) {
    (void)state;
    size_t groups, n;
    struct tsr_dataset *dataset = make_large();
    const struct tsr_deal deal = {.fraction = {0.75, 0.25, 0}, .seed = 1};
    assert_ok(tsr_dataset_deal(dataset, &deal, &err), &err);
    assert_int_equal(tsr_dataset_group(dataset, &groups), GROUP);
    assert_true(groups > 1 && groups < IMAGES / GROUP);
    assert_int_equal(tsr_dataset_read_cost(dataset), SIDE * SIDE);
    const uint32_t *split = tsr_dataset_split(dataset, TSR_SPLIT_TRAIN, &n);
    uint32_t expected[2 * IMAGES];
    expect_order(split, n, groups, 0, expected);
    expect_order(split, n, groups, 1, expected + n);
    for (uint64_t first = 0; first < 20; first += 15) { /* from there a run goes on */
        struct tsr_sampler *sampler;
        struct tsr_image_batch b;
        size_t at = 7 * first;
        assert_ok(
            tsr_sampler_create(dataset, TSR_SPLIT_TRAIN, 7, NULL, 5, first, false, &sampler, &err),
            &err);
        while (at + 7 <= n + 20) {
            assert_ok(tsr_sampler_next(sampler, &b, &err), &err);
            for (size_t i = 0; i < b.n; i++) {
                uint32_t index;
                memcpy(&index, b.pixels.bytes + i * SIDE * SIDE, sizeof index);
                assert_int_equal(b.index[i], expected[at]);
                assert_int_equal(index, expected[at++]);
            }
        }
        tsr_sampler_free(sampler);
    }
    tsr_dataset_close(dataset);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_epoch_is_a_permutation),
        TEST(restart_equals_uninterrupted),
        TEST(labels_come_with_their_images),
        TEST(labels_that_are_not_there),
        TEST(batch_stays_valid),
        TEST(stops_at_any_time),
        TEST(bad_settings),
        TEST(reading_error_surfaces),
        TEST(large_chunks_are_read_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
