/* SPDX-License-Identifier: MIT */
#include "test_data_helper.h"

#include "base/random.h"
#include "data/dataset.h"
#include "data/h5.h"
#include "tests/resident.h"

static struct tsr_error err;

struct content {
    enum tsr_h5_type type;
    size_t rank, dims[4];
    const uint8_t *split;
    size_t n_split;
    const char *const *names;
    size_t n_names;
    const char *format;
    int64_t version;
};

/* A file as somebody may have written it; its numbers count up. */
static const char *put_file(const struct content *c) {
    const char *path = in_folder("d.h5");
    size_t n = 1;
    struct tsr_h5 *file;
    for (size_t i = 0; i < c->rank; i++)
        n *= c->dims[i];
    uint8_t *data = calloc(n + 1, 8);
    assert_non_null(data);
    for (size_t i = 0; i < n; i++)
        data[i] = (uint8_t)i;
    assert_ok(tsr_h5_create(path, &file, &err), &err);
    if (c->rank)
        assert_ok(tsr_h5_write(file, "/images", c->type, c->rank, c->dims, data, 0, &err), &err);
    if (c->split)
        assert_ok(tsr_h5_write(file, "/split", TSR_H5_U8, 1, &c->n_split, c->split, 0, &err), &err);
    if (c->names) assert_ok(tsr_h5_write_strings(file, "/names", c->n_names, c->names, &err), &err);
    if (c->format) {
        assert_ok(tsr_h5_write_attr_str(file, "/", "format", c->format, &err), &err);
        assert_ok(tsr_h5_write_attr_i64(file, "/", "format_version", c->version, &err), &err);
    }
    assert_ok(tsr_h5_commit(file, &err), &err);
    tsr_h5_close(file);
    free(data);
    return path;
}

static struct tsr_dataset *open_content(const struct content *c) {
    struct tsr_dataset *dataset;
    assert_ok(tsr_dataset_open(put_file(c), &dataset, &err), &err);
    return dataset;
}

static void assert_refused(const struct content *c, enum tsr_status status, const char *part) {
    struct tsr_dataset *dataset;
    const char *path = put_file(c);
    assert_fails(tsr_dataset_open(path, &dataset, &err), status, &err, part);
    assert_non_null(strstr(err.message, "d.h5: "));
    assert_null(dataset);
}

static void foreign_layouts(void **state) {
    (void)state;
    for (size_t channels = 0; channels <= 3; channels += channels ? 2 : 1) {
        const struct content c = {TSR_H5_U8, channels ? 4 : 3, {5, 3, 2, channels}, .split = NULL};
        size_t count = channels ? channels : 1, size = 6 * count, n;
        struct tsr_dataset *dataset = open_content(&c);
        assert_int_equal(tsr_dataset_images(dataset), 5);
        assert_int_equal(tsr_dataset_height(dataset), 3);
        assert_int_equal(tsr_dataset_width(dataset), 2);
        assert_int_equal(tsr_dataset_channels(dataset), count);
        for (size_t i = 5; i-- > 0;) {
            uint8_t image[18];
            assert_ok(tsr_dataset_read(dataset, i, image, &err), &err);
            for (size_t k = 0; k < size; k++)
                assert_int_equal(image[k], i * size + k);
        }
        for (int s = TSR_SPLIT_TRAIN; s <= TSR_SPLIT_ALL; s++) {
            const uint32_t *all = tsr_dataset_split(dataset, (enum tsr_split)s, &n);
            assert_int_equal(n, 5);
            for (uint32_t i = 0; i < 5; i++)
                assert_int_equal(all[i], i);
        }
        assert_string_equal(tsr_dataset_name(dataset, 0), "#0");
        assert_string_equal(tsr_dataset_name(dataset, 4), "#4");
        assert_string_equal(tsr_dataset_name(dataset, 5), "#?");
        tsr_dataset_close(dataset);
    }
    tsr_dataset_close(NULL);
}

static void splits_and_names(void **state) {
    (void)state;
    const uint8_t split[6] = {2, 0, 0, 2, 0, 2};
    const char *const names[6] = {"a", "b", "c", "d", "e", "f"};
    const struct content c = {TSR_H5_U8, 3, {6, 2, 2}, split, 6, names, 6, "tessera-dataset", 1};
    struct tsr_dataset *dataset = open_content(&c);
    size_t n;
    const uint32_t *train = tsr_dataset_split(dataset, TSR_SPLIT_TRAIN, &n);
    assert_int_equal(n, 3);
    assert_true(train[0] == 1 && train[1] == 2 && train[2] == 4);
    const uint32_t *test = tsr_dataset_split(dataset, TSR_SPLIT_TEST, &n);
    assert_int_equal(n, 3);
    assert_true(test[0] == 0 && test[1] == 3 && test[2] == 5);
    (void)tsr_dataset_split(dataset, TSR_SPLIT_VAL, &n);
    assert_int_equal(n, 0);
    (void)tsr_dataset_split(dataset, TSR_SPLIT_ALL, &n);
    assert_int_equal(n, 6);
    assert_string_equal(tsr_dataset_name(dataset, 3), "d");
    tsr_dataset_close(dataset);

    const struct content few = {TSR_H5_U8, 3, {6, 2, 2}, .names = names, .n_names = 5};
    dataset = open_content(&few);
    assert_string_equal(tsr_dataset_name(dataset, 3), "#3");
    tsr_dataset_close(dataset);
}

static void dealt_splits(void **state) {
    (void)state;
    const struct content c = {TSR_H5_U8, 3, {40, 2, 2}, .split = NULL};
    const struct tsr_deal deal = {{0.5, 0.2, 0.3}, 7}, other = {{0.5, 0.2, 0.3}, 8};
    const size_t want[3] = {20, 8, 12};
    uint32_t first[20];
    struct tsr_dataset *dataset = open_content(&c);
    assert_false(tsr_dataset_has_split(dataset));
    for (int again = 0; again < 2; again++) {
        bool seen[40] = {false};
        size_t n;
        assert_ok(tsr_dataset_deal(dataset, &deal, &err), &err);
        assert_false(tsr_dataset_has_split(dataset));
        for (int s = TSR_SPLIT_TRAIN; s <= TSR_SPLIT_TEST; s++) {
            const uint32_t *index = tsr_dataset_split(dataset, (enum tsr_split)s, &n);
            assert_int_equal(n, want[s]);
            for (size_t i = 0; i < n; i++) {
                assert_false(seen[index[i]]);
                assert_true(i == 0 || index[i] > index[i - 1]);
                seen[index[i]] = true;
            }
        }
        const uint32_t *train = tsr_dataset_split(dataset, TSR_SPLIT_TRAIN, &n);
        if (again) assert_memory_equal(first, train, sizeof first);
        memcpy(first, train, sizeof first);
        assert_ok(tsr_dataset_deal(dataset, &other, &err), &err);
        train = tsr_dataset_split(dataset, TSR_SPLIT_TRAIN, &n);
        assert_memory_not_equal(first, train, sizeof first);
    }
    const struct tsr_deal wrong = {{0.5, 0.2, 0.2}, 7};
    assert_fails(tsr_dataset_deal(dataset, &wrong, &err), TSR_ERR_CONFIG, &err, "whose sum is 1");
    tsr_dataset_close(dataset);
}

static void wrong_layouts(void **state) {
    (void)state;
    const struct {
        struct content content;
        const char *message;
    } cases[] = {
        {{TSR_H5_U8, 0, {0}, .split = NULL}, "/images is missing"},
        {{TSR_H5_U8, 1, {10}, .split = NULL}, "expected [N,H,W] or [N,H,W,C]"},
        {{TSR_H5_U8, 2, {10, 20}, .split = NULL},
         "/images has shape [10,20]; --images-layout flat:HxWxC, with the numbers, reads it"},
        {{TSR_H5_U8, 2, {10, 49}, .split = NULL}, "flat:7x7 reads it as 10 grey images"},
        {{TSR_H5_U8, 2, {10, 48}, .split = NULL}, "flat:4x4x3 reads it as 10 colour images"},
        {{TSR_H5_U8, 3, {9, 8, 3}, .split = NULL},
         "HWC reads it as one image of 3 channels, NHW as 9 grey images"},
        {{TSR_H5_U8, 3, {3, 9, 8}, .split = NULL},
         "CHW reads it as one image of 3 channels, NHW as 3 grey images"},
        {{TSR_H5_U8, 4, {3, 2, 8, 8}, .split = NULL},
         "expected 1, 3 or 4 channels on one axis; --images-layout"},
        {{TSR_H5_U8, 4, {3, 3, 8, 4}, .split = NULL}, "1, 3 or 4 channels on one axis"},
        {{TSR_H5_U8, 4, {8, 8, 3, 2}, .split = NULL}, "--images-layout HWCN -o D.h5` makes"},
        {{TSR_H5_U8, 3, {0, 8, 8}, .split = NULL}, "expected 1 to 2^32-1 images"},
        {{TSR_H5_U8, 3, {1, 70000, 2}, .split = NULL}, "sides of 1..65535"},
        {{TSR_H5_U8, 3, {1, 1, 0}, .split = NULL}, "sides of 1..65535"},
        {{TSR_H5_U8, 3, {2, 8, 8}, .split = (const uint8_t[]){0, 3}, .n_split = 2},
         "/split is 3 for image 1; expected 0 (train), 1 (val) or 2 (test)"},
        {{TSR_H5_U8, 3, {2, 8, 8}, .split = (const uint8_t[]){0, 1, 2}, .n_split = 3},
         "/split has shape [3]; expected [2]"},
        {{TSR_H5_U8, 3, {2, 8, 8}, .format = "tessera-model", .version = 1},
         "is a \"tessera-model\"; expected a \"tessera-dataset\""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_refused(&cases[i].content, TSR_ERR_FORMAT, cases[i].message);
    const struct content newer = {
        TSR_H5_U8, 3, {2, 8, 8}, .format = "tessera-dataset", .version = 2};
    assert_refused(&newer, TSR_ERR_VERSION, "format_version 2; this program reads up to 1");
}

/* ---- label maps ---------------------------------------------------------------------------- */

struct labels {
    enum tsr_h5_type type;
    size_t rank, dims[4];
    const int64_t *values; /* converted to the type; NULL: zeros */
    int64_t count;         /* attribute; 0: absent */
    size_t n_names;
    const char *rule;
    const int64_t *of_void; /* attribute; NULL: absent */
};

/* Adds label maps to 2 grey images of 1x3. */
static const char *put_labels(const struct labels *l) {
    const char *path = in_folder("d.h5");
    const size_t dims[4] = {2, 1, 3, 1};
    const char *const names[4] = {"sky", "sea", "land", "ship"};
    const uint8_t pixels[6] = {0};
    int64_t wide[8] = {0};
    double real[8] = {0};
    uint8_t narrow[8] = {0};
    struct tsr_h5 *file;
    for (size_t i = 0; i < 6 && l->values; i++) {
        wide[i] = l->values[i];
        real[i] = (double)wide[i];
        narrow[i] = (uint8_t)wide[i];
    }
    const void *data = l->type == TSR_H5_I64   ? (void *)wide
                       : l->type == TSR_H5_F64 ? (void *)real
                                               : narrow;
    assert_ok(tsr_h5_create(path, &file, &err), &err);
    assert_ok(tsr_h5_write(file, "/images", TSR_H5_U8, 4, dims, pixels, 0, &err), &err);
    assert_ok(tsr_h5_write(file, "/labels", l->type, l->rank, l->dims, data, 0, &err), &err);
    if (l->count) assert_ok(tsr_h5_write_attr_i64(file, "/labels", "count", l->count, &err), &err);
    if (l->n_names)
        assert_ok(
            tsr_h5_write_attr_strings(file, "/labels", "label_names", l->n_names, names, &err),
            &err);
    if (l->of_void)
        assert_ok(tsr_h5_write_attr_i64(file, "/labels", "void", *l->of_void, &err), &err);
    if (l->rule) assert_ok(tsr_h5_write_attr_str(file, "/labels", "rule", l->rule, &err), &err);
    assert_ok(tsr_h5_commit(file, &err), &err);
    tsr_h5_close(file);
    return path;
}

static struct tsr_dataset *open_labels(const struct labels *l) {
    struct tsr_dataset *dataset;
    assert_ok(tsr_dataset_open(put_labels(l), &dataset, &err), &err);
    return dataset;
}

static const int64_t six[6] = {2, 0, 1, 3, 0, 3};

static void label_maps(void **state) {
    (void)state;
    const struct labels cases[] = {
        {TSR_H5_U8, 3, {2, 1, 3}, six, 0, 4, NULL, .of_void = NULL},
        {TSR_H5_I64, 3, {2, 1, 3}, six, 0, 0, NULL, .of_void = NULL}, /* neither count nor names:
                                                                         counted */
        {TSR_H5_I64, 3, {2, 1, 3}, six, 4, 4, "segment 4 color", .of_void = NULL},
        {TSR_H5_U8, 3, {2, 1, 3}, six, 65535, 0, "by hand", .of_void = NULL},
    };
    for (size_t k = 0; k < 4; k++) {
        struct tsr_dataset *dataset = open_labels(&cases[k]);
        uint16_t labels[3];
        assert_true(tsr_dataset_has_labels(dataset));
        assert_int_equal(tsr_dataset_label_count(dataset), k == 3 ? 65535 : 4);
        assert_string_equal(tsr_dataset_label_name(dataset, 2), cases[k].n_names ? "land" : "#2");
        assert_string_equal(tsr_dataset_label_name(dataset, 65534), k == 3 ? "#65534" : "#?");
        assert_string_equal(tsr_dataset_label_rule(dataset),
                            cases[k].rule ? cases[k].rule : "labels");
        for (size_t i = 2; i-- > 0;) {
            assert_ok(tsr_dataset_read_labels(dataset, i, labels, &err), &err);
            for (size_t p = 0; p < 3; p++)
                assert_int_equal(labels[p], six[3 * i + p]);
        }
        assert_fails(tsr_dataset_read_labels(dataset, 2, labels, &err), TSR_ERR_ARGUMENT, &err,
                     "there is no 2");
        tsr_dataset_close(dataset);
    }
}

/* One class an image, and what is no array of numbers, are somebody else's business. */
static void other_labels(void **state) {
    (void)state;
    const struct labels cases[] = {{TSR_H5_I64, 1, {2}, .values = six},
                                   {TSR_H5_F64, 2, {2, 3}, .values = NULL}};
    uint16_t labels[3];
    for (size_t k = 0; k < 2; k++) {
        struct tsr_dataset *dataset = open_labels(&cases[k]);
        assert_false(tsr_dataset_has_labels(dataset));
        assert_int_equal(tsr_dataset_label_count(dataset), 0);
        assert_null(tsr_dataset_label_rule(dataset));
        assert_fails(tsr_dataset_read_labels(dataset, 0, labels, &err), TSR_ERR_ARGUMENT, &err,
                     "d.h5: has no label maps");
        tsr_dataset_close(dataset);
    }
}

static void wrong_label_maps(void **state) {
    (void)state;
    const int64_t negative[6] = {0, 0, 0, 1, -1, 0}, large[6] = {0, 65536, 0};
    const int64_t nought = 0, below = -2;
    const struct {
        struct labels labels;
        const char *message;
    } cases[] = {
        {{TSR_H5_U8, 3, {2, 3, 1}, .count = 4},
         "/labels has shape [2,3,1]; expected [2,1,3] as /images"},
        {{TSR_H5_U8, 3, {1, 1, 3}, .count = 4}, "expected [2,1,3]"},
        {{TSR_H5_U8, 4, {2, 1, 3, 1}, .count = 4}, "/labels has rank 4; expected [N,H,W]"},
        {{TSR_H5_F64, 3, {2, 1, 3}, .count = 4}, "/labels holds floats; labels are integers"},
        {{TSR_H5_U8, 3, {2, 1, 3}, .count = -1}, "/labels@count is -1; expected 1..65536"},
        {{TSR_H5_U8, 3, {2, 1, 3}, .count = 65537}, "/labels@count is 65537"},
        {{TSR_H5_U8, 3, {2, 1, 3}, .count = 3, .n_names = 4},
         "/labels@count is 3, but /labels@label_names has 4"},
        {{TSR_H5_U8, 3, {2, 1, 3}, .count = 65536}, "has 65536 labels, of which 65536 are classes"},
        {{TSR_H5_U8, 3, {2, 1, 3}, .count = 1, .of_void = &nought},
         "has 1 labels, of which 0 are classes"},
        {{TSR_H5_U8, 3, {2, 1, 3}, .of_void = &below}, "/labels@void is -2; expected -1..65535"},
        {{TSR_H5_I64, 3, {2, 1, 3}, .values = negative},
         "/labels has -1 at row 0, column 1 of image 1 (#1); --ignore-label -1"},
        {{TSR_H5_I64, 3, {2, 1, 3}, .values = large},
         "/labels has 65536 at row 0, column 1 of image 0 (#0), which is no label"},
    };
    struct tsr_dataset *dataset;
    uint16_t labels[3];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_fails(tsr_dataset_open(put_labels(&cases[i].labels), &dataset, &err), TSR_ERR_FORMAT,
                     &err, cases[i].message);
        assert_non_null(strstr(err.message, "d.h5: "));
        assert_null(dataset);
    }
    const struct labels few = {TSR_H5_U8, 3, {2, 1, 3}, .values = six, .n_names = 3};
    dataset = open_labels(&few);
    assert_ok(tsr_dataset_read_labels(dataset, 0, labels, &err), &err);
    assert_fails(tsr_dataset_read_labels(dataset, 1, labels, &err), TSR_ERR_FORMAT, &err,
                 "d.h5: /labels has 3 at row 0, column 0 of image 1 (#1); labels are 0..2");
    tsr_dataset_close(dataset);
}

/* Void is said by the file, or by who opens it; a last label that is void is no class. */
static void pixels_of_no_class(void **state) {
    (void)state;
    enum { V = TSR_VOID_LABEL };
    static const int64_t borders[6] = {255, 0, 1, 1, 0, 255}, below[6] = {-1, 0, 1, 1, 0, -1};
    static const int64_t wide[6] = {V, 0, 1, 1, 0, V}, three = 3, one = 1, minus = -1;
    static const int32_t is255[] = {255}, is_minus[] = {-1}, is_two[] = {3, 255};
    const struct {
        struct labels labels;
        const int32_t *ignored;
        size_t n, count;
        uint16_t expected[6];
    } cases[] = {
        {{TSR_H5_U8, 3, {2, 1, 3}, six, 4, 4, .of_void = &three}, NULL, 0, 3, {2, 0, 1, V, 0, V}},
        {{TSR_H5_U8, 3, {2, 1, 3}, six, 4, 4, .of_void = &one}, NULL, 0, 4, {2, 0, V, 3, 0, 3}},
        {{TSR_H5_U8, 3, {2, 1, 3}, six, .of_void = &three}, NULL, 0, 3, {2, 0, 1, V, 0, V}},
        {{TSR_H5_U8, 3, {2, 1, 3}, .values = six}, is_two, 2, 3, {2, 0, 1, V, 0, V}},
        {{TSR_H5_U8, 3, {2, 1, 3}, .values = borders}, is255, 1, 2, {V, 0, 1, 1, 0, V}},
        {{TSR_H5_U8, 3, {2, 1, 3}, .values = borders}, is_minus, 1, 2, {V, 0, 1, 1, 0, V}},
        {{TSR_H5_U8, 3, {2, 1, 3}, borders, .count = 7}, is255, 1, 7, {V, 0, 1, 1, 0, V}},
        {{TSR_H5_I64, 3, {2, 1, 3}, .values = below}, is_minus, 1, 2, {V, 0, 1, 1, 0, V}},
        {{TSR_H5_I64, 3, {2, 1, 3}, below, .of_void = &minus}, NULL, 0, 2, {V, 0, 1, 1, 0, V}},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        struct tsr_view_options view = {.ignored_labels = cases[k].ignored,
                                        .n_ignored_labels = cases[k].n};
        struct tsr_dataset *dataset;
        uint16_t labels[3];
        assert_ok(tsr_dataset_open_as(put_labels(&cases[k].labels), &view, &dataset, &err), &err);
        assert_true(tsr_dataset_has_void(dataset));
        assert_int_equal(tsr_dataset_label_count(dataset), cases[k].count);
        for (size_t i = 0; i < 2; i++) {
            assert_ok(tsr_dataset_read_labels(dataset, i, labels, &err), &err);
            assert_memory_equal(labels, cases[k].expected + 3 * i, sizeof labels);
        }
        tsr_dataset_close(dataset);
    }
    /* The sign of no class in memory is a label like any other in a file. */
    const struct labels high = {TSR_H5_I64, 3, {2, 1, 3}, wide, 2, 0, NULL, .of_void = NULL};
    const struct tsr_view_options ignores = {.ignored_labels = is255, .n_ignored_labels = 1};
    struct tsr_dataset *dataset;
    uint16_t labels[3];
    assert_ok(tsr_dataset_open_as(put_labels(&high), &ignores, &dataset, &err), &err);
    assert_fails(tsr_dataset_read_labels(dataset, 0, labels, &err), TSR_ERR_FORMAT, &err,
                 "/labels has 65535 at row 0, column 0");
    tsr_dataset_close(dataset);
}

static void split_names(void **state) {
    (void)state;
    enum tsr_split split;
    for (int s = TSR_SPLIT_TRAIN; s <= TSR_SPLIT_ALL; s++) {
        assert_ok(tsr_split_parse(tsr_split_name((enum tsr_split)s), &split, &err), &err);
        assert_int_equal(split, s);
    }
    assert_fails(tsr_split_parse("valid", &split, &err), TSR_ERR_NOT_FOUND, &err,
                 "train, val, test, all");
}

/* A run over a large dataset takes no more memory than one over a small one. */
static void many_images_cost_no_memory(void **state) {
    (void)state;
    enum { N = 40000, SIDE = 2, AREA = SIDE * SIDE, AT_ONCE = 1000 };
    const size_t dims[] = {0, SIDE, SIDE};
    const char *path = in_folder("many.h5");
    uint8_t block[AT_ONCE * AREA], image[AREA];
    struct tsr_h5 *file;
    struct tsr_dataset *dataset;
    size_t before = resident_kib();
    assert_ok(tsr_h5_create(path, &file, &err), &err);
    assert_ok(tsr_h5_create_growing(file, "/images", TSR_H5_U8, 3, dims, 0, &err), &err);
    for (size_t i = 0; i < N; i += AT_ONCE) {
        for (size_t k = 0; k < sizeof block; k++)
            block[k] = (uint8_t)((i + k / AREA) % 251);
        assert_ok(tsr_h5_append(file, "/images", TSR_H5_U8, AT_ONCE, block, &err), &err);
    }
    assert_ok(tsr_h5_commit(file, &err), &err);
    tsr_h5_close(file);
    assert_ok(tsr_dataset_open(path, &dataset, &err), &err);
    for (size_t i = 0; i < N; i++) {
        size_t index = (size_t)tsr_random_below(1, TSR_STREAM_USER, i, N);
        assert_ok(tsr_dataset_read(dataset, index, image, &err), &err);
        assert_int_equal(image[AREA - 1], index % 251);
    }
    /* 10 MB are HDF5 itself; without a bound on what it keeps there were 22. */
    if (before > 0) assert_true(resident_kib() < before + 14000);
    tsr_dataset_close(dataset);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(foreign_layouts),    TEST(splits_and_names), TEST(dealt_splits),
        TEST(wrong_layouts),      TEST(label_maps),       TEST(other_labels),
        TEST(wrong_label_maps),   TEST(split_names),      TEST(many_images_cost_no_memory),
        TEST(pixels_of_no_class),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
