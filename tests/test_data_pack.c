/* SPDX-License-Identifier: MIT */
#include "test_data_helper.h"

#include "base/digest.h"
#include "base/random.h"
#include "base/version.h"
#include "data/dataset.h"
#include "data/h5.h"
#include "data/pack.h"
#include "data/pack_sample.h"
#include "data/room.h"
#include "test_data_files.h"

static struct tsr_error err;

static struct tsr_pack_config config_of(size_t height, size_t width) {
    struct tsr_pack_config config;
    tsr_pack_config_default(&config);
    config.height = height;
    config.width = width;
    config.threads = 2;
    return config;
}

static struct tsr_pack_report pack(const struct tsr_pack_config *config, const char *source,
                                   const char *output) {
    struct tsr_pack_report report;
    assert_ok(tsr_pack(config, &source, 1, output, NULL, &report, &err), &err);
    return report;
}

static enum tsr_status pack_fails(const struct tsr_pack_config *config, const char *source) {
    struct tsr_pack_report report;
    memset(&err, 0, sizeof err);
    return tsr_pack(config, &source, 1, in_folder("out.h5"), NULL, &report, &err);
}

static struct tsr_dataset *open_dataset(const char *path) {
    struct tsr_dataset *dataset;
    assert_ok(tsr_dataset_open(path, &dataset, &err), &err);
    return dataset;
}

static size_t split_size(const struct tsr_dataset *dataset, enum tsr_split split) {
    size_t n;
    (void)tsr_dataset_split(dataset, split, &n);
    return n;
}

/* The split of an image, by asking each. */
static int split_of(const struct tsr_dataset *dataset, size_t index) {
    for (int s = 0; s < 3; s++) {
        size_t n;
        const uint32_t *members = tsr_dataset_split(dataset, (enum tsr_split)s, &n);
        for (size_t i = 0; i < n; i++)
            if (members[i] == index) return s;
    }
    return -1;
}

static int split_of_name(struct tsr_dataset *dataset, const char *name) {
    for (size_t i = 0; i < tsr_dataset_images(dataset); i++)
        if (strcmp(tsr_dataset_name(dataset, i), name) == 0) return split_of(dataset, i);
    return -1;
}

static void assert_image(struct tsr_dataset *dataset, size_t index, const uint8_t *expected) {
    size_t size =
        tsr_dataset_height(dataset) * tsr_dataset_width(dataset) * tsr_dataset_channels(dataset);
    uint8_t *pixels = malloc(size);
    assert_non_null(pixels);
    assert_ok(tsr_dataset_read(dataset, index, pixels, &err), &err);
    assert_memory_equal(pixels, expected, size);
    free(pixels);
}

/* ---- contents ------------------------------------------------------------------------------ */

/* Sorted names, exact pixels, for any number of threads and any compression. */
static void png_is_packed_exactly(void **state) {
    (void)state;
    make_folder("in");
    make_folder("in/b");
    for (unsigned i = 0; i < 23; i++) {
        char name[32];
        snprintf(name, sizeof name, "in/%s%02u.PNG", i % 2 ? "b/" : "", i);
        put_png(name, 9, 7, 3, i);
    }
    for (int round = 0; round < 3; round++) {
        struct tsr_pack_config config = config_of(9, 7);
        config.threads = (size_t)round + 1;
        config.deflate = round == 2 ? 6 : 0;
        config.command = "tessera pack in";
        struct tsr_pack_report report = pack(&config, in_folder("in"), in_folder("out.h5"));
        assert_int_equal(report.sources, 23);
        assert_int_equal(report.images, 23);
        assert_int_equal(report.skipped + report.missing + report.not_listed, 0);
        assert_int_equal(report.per_split[0], 18);
        assert_int_equal(report.per_split[1], 3);
        assert_int_equal(report.per_split[2], 2);
        struct tsr_dataset *dataset = open_dataset(in_folder("out.h5"));
        assert_int_equal(tsr_dataset_images(dataset), 23);
        assert_int_equal(tsr_dataset_height(dataset), 9);
        assert_int_equal(tsr_dataset_width(dataset), 7);
        assert_int_equal(tsr_dataset_channels(dataset), 3);
        assert_string_equal(tsr_dataset_path(dataset), in_folder("out.h5"));
        for (unsigned i = 0; i < 23; i++) {
            unsigned number = i < 12 ? 2 * i : 2 * (i - 12) + 1;
            char name[32];
            snprintf(name, sizeof name, "%s%02u.PNG", i < 12 ? "" : "b/", number);
            struct tsr_image image = make_image(9, 7, 3, number);
            assert_image(dataset, i, image.pixels);
            assert_string_equal(tsr_dataset_name(dataset, i), name);
            tsr_image_clear(&image);
        }
        uint8_t none;
        assert_fails(tsr_dataset_read(dataset, 23, &none, &err), TSR_ERR_ARGUMENT, &err,
                     "there is no 23");
        tsr_dataset_close(dataset);
    }
}

static void attributes_say_how(void **state) {
    (void)state;
    struct tsr_pack_config config = config_of(5, 4);
    config.command = "tessera pack a.png -o out.h5";
    config.seed = 77;
    config.fit = TSR_FIT_SQUASH;
    pack(&config, put_png("a.png", 9, 7, 3, 1), in_folder("out.h5"));
    struct tsr_h5 *file;
    char text[64];
    int64_t number;
    assert_ok(tsr_h5_open(in_folder("out.h5"), &file, &err), &err);
    const char *const strings[][2] = {{"format", "tessera-dataset"},
                                      {"version", TSR_VERSION},
                                      {"command", "tessera pack a.png -o out.h5"},
                                      {"fit", "squash"},
                                      {"split_fractions", "0.8,0.1,0.1"}};
    for (size_t i = 0; i < 5; i++) {
        assert_ok(tsr_h5_read_attr_str(file, "/", strings[i][0], text, sizeof text, &err), &err);
        assert_string_equal(text, strings[i][1]);
    }
    assert_ok(tsr_h5_read_attr_i64(file, "/", "format_version", &number, &err), &err);
    assert_int_equal(number, 1);
    assert_ok(tsr_h5_read_attr_i64(file, "/", "seed", &number, &err), &err);
    assert_int_equal(number, 77);
    tsr_h5_close(file);
}

static void grey_and_colour(void **state) {
    (void)state;
    struct tsr_pack_config config = config_of(4, 4);
    struct tsr_image grey = make_image(4, 4, 1, 1), colour = make_image(4, 4, 3, 2);
    uint8_t expected[48];
    make_folder("in");
    write_png(in_folder("in/a.png"), &grey);
    write_png(in_folder("in/b.png"), &colour);
    pack(&config, in_folder("in"), in_folder("rgb.h5"));
    struct tsr_dataset *dataset = open_dataset(in_folder("rgb.h5"));
    for (size_t i = 0; i < 48; i++)
        expected[i] = grey.pixels[i / 3];
    assert_image(dataset, 0, expected);
    assert_image(dataset, 1, colour.pixels);
    tsr_dataset_close(dataset);

    config.channels = 1;
    pack(&config, in_folder("in"), in_folder("grey.h5"));
    dataset = open_dataset(in_folder("grey.h5"));
    assert_int_equal(tsr_dataset_channels(dataset), 1);
    for (size_t i = 0; i < 16; i++)
        expected[i] = (uint8_t)((77 * colour.pixels[3 * i] + 150 * colour.pixels[3 * i + 1] +
                                 29 * colour.pixels[3 * i + 2]) >>
                                8);
    assert_image(dataset, 0, grey.pixels);
    assert_image(dataset, 1, expected);
    tsr_dataset_close(dataset);
    tsr_image_clear(&grey);
    tsr_image_clear(&colour);
}

static void tiles_are_named_and_stay_together(void **state) {
    (void)state;
    struct tsr_pack_config config = config_of(4, 5);
    config.fit = TSR_FIT_TILE;
    config.split[0] = config.split[1] = 0.5;
    config.split[2] = 0;
    make_folder("in");
    for (unsigned i = 0; i < 8; i++) {
        char name[16];
        snprintf(name, sizeof name, "in/%u.png", i);
        put_png(name, 9, 16, 3, i);
    }
    struct tsr_pack_report report = pack(&config, in_folder("in"), in_folder("out.h5"));
    assert_int_equal(report.sources, 8);
    assert_int_equal(report.images, 48);
    assert_int_equal(report.per_split[0], 24);
    assert_int_equal(report.per_split[1], 24);
    struct tsr_dataset *dataset = open_dataset(in_folder("out.h5"));
    for (size_t i = 0; i < 48; i++) {
        char name[16];
        uint8_t tile[60];
        struct tsr_image image = make_image(9, 16, 3, (unsigned)i / 6);
        snprintf(name, sizeof name, "%zu.png#%zu", i / 6, i % 6);
        assert_string_equal(tsr_dataset_name(dataset, i), name);
        assert_int_equal(split_of(dataset, i), split_of(dataset, i / 6 * 6));
        assert_ok(tsr_fit_apply(&image, TSR_FIT_TILE, i % 6, 4, 5, tile, &err), &err);
        assert_image(dataset, i, tile);
        tsr_image_clear(&image);
    }
    tsr_dataset_close(dataset);
}

static void files_and_folders(void **state) {
    (void)state;
    struct tsr_pack_config config = config_of(4, 4);
    struct tsr_pack_report report;
    config.keep_copies = true;
    make_folder("in");
    make_folder("in/.hidden");
    make_folder("in/empty.png");
    put_png("in/z.png", 4, 4, 3, 1);
    put_png("in/.dot.png", 4, 4, 3, 1);
    put_png("in/.hidden/a.png", 4, 4, 3, 1);
    write_text("in/readme.txt", "not an image, and not looked at");
    assert_int_equal(symlink("..", in_folder("in/loop")), 0);
    assert_int_equal(symlink(".", in_folder("in/loop2")), 0);
    make_folder("else");
    put_png("else/y.png", 4, 4, 3, 2);
    put_png("x.data", 4, 4, 3, 3);
    char slash[128];
    snprintf(slash, sizeof slash, "%s/", in_folder("in"));
    const char *const sources[3] = {in_folder("x.data"), slash, in_folder("else")};
    assert_ok(tsr_pack(&config, sources, 3, in_folder("out.h5"), NULL, &report, &err), &err);
    struct tsr_dataset *dataset = open_dataset(in_folder("out.h5"));
    /* Through the first link lie the files of the folder above, the output's temporary one not. */
    const char *const names[] = {"x.data", "loop/else/y.png", "z.png", "y.png"};
    assert_int_equal(tsr_dataset_images(dataset), 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(tsr_dataset_name(dataset, i), names[i]);
    tsr_dataset_close(dataset);
}

/* ---- splits -------------------------------------------------------------------------------- */

/* The splits of the files `names` [n], one digit each; what no folder decides is of split `rest`.
 */
static void assert_folders(const char *const *names, const char *splits, size_t n, int rest,
                           const char *const *sources, size_t n_sources) {
    struct tsr_pack_config config = config_of(4, 4);
    const char *paths[8];
    char name[96];
    config.split[0] = rest == 0;
    config.split[1] = rest == 1;
    config.split[2] = rest == 2;
    for (unsigned i = 0; i < n; i++) {
        for (const char *c = names[i]; (c = strchr(c, '/')) != NULL; c++) {
            snprintf(name, sizeof name, "%.*s", (int)(c - names[i]), names[i]);
            (void)mkdir(in_folder(name), 0777);
        }
        put_png(names[i], 4, 4, 3, i);
    }
    for (size_t i = 0; i < n_sources; i++)
        paths[i] = in_folder(sources[i]);
    assert_ok(tsr_pack(&config, paths, n_sources, in_folder("out.h5"), NULL, NULL, &err), &err);
    struct tsr_dataset *dataset = open_dataset(in_folder("out.h5"));
    assert_int_equal(tsr_dataset_images(dataset), n);
    for (size_t i = 0; i < n; i++) {
        /* The name below the source is the end of the path. */
        const char *end = names[i];
        int split = -1;
        while (split < 0 && end) {
            split = split_of_name(dataset, end);
            end = strchr(end, '/');
            end = end ? end + 1 : NULL;
        }
        if (split != splits[i] - '0') fail_msg("%s is in split %d", names[i], split);
    }
    tsr_dataset_close(dataset);
    assert_int_equal(leave_folder(NULL) | enter_folder(NULL), 0);
}
#define FOLDERS(splits, rest, sources, ...)                                                        \
    do {                                                                                           \
        const char *const names[] = {__VA_ARGS__};                                                 \
        const char *const from[] = {SOURCES sources};                                              \
        assert_folders(names, splits, sizeof names / sizeof *names, rest, from,                    \
                       sizeof from / sizeof *from);                                                \
    } while (0)
#define SOURCES(...) __VA_ARGS__

static void folders_are_splits(void **state) {
    (void)state;
    FOLDERS("01122", 0, ("in"), "in/train/a.png", "in/val/b.png", "in/validation/x/c.png",
            "in/test/d.png", "in/test/val/e.png");
    FOLDERS("012", 0, ("in"), "in/Training/a.png", "in/VALID/b.png", "in/Testing/c.png");
    FOLDERS("01", 2, ("in"), "in/x/train2017/a.png", "in/y/val2017/b.png");
    FOLDERS("012", 0, ("in"), "in/set_train_HR/a.png", "in/set_valid_HR/b.png",
            "in/set_test_HR/c.png");
    /* What lies beside them is not theirs. */
    FOLDERS("1122", 2, ("in"), "in/dev/a.png", "in/dev/b.png", "in/test/c.png", "in/loose.png");
    /* Names that differ in more than the split are no splits. */
    FOLDERS("22", 2, ("in"), "in/old_train/a.png", "in/new_val/b.png");
    FOLDERS("22", 2, ("in"), "in/train_val/a.png", "in/test_val/b.png");
    FOLDERS("22", 2, ("in"), "in/strain/a.png", "in/vale/b.png");
    /* Alone. */
    FOLDERS("11", 2, ("in"), "in/val/a.png", "in/val/train/b.png");
}

static void one_level_is_of_splits(void **state) {
    (void)state;
    /* A class may be called train. */
    FOLDERS("222", 2, ("in"), "in/bus/a.png", "in/car/b.png", "in/train/c.png");
    FOLDERS("0011", 2, ("in"), "in/train/bus/a.png", "in/train/train/b.png", "in/val/train/c.png",
            "in/val/test/d.png");
    FOLDERS("0202", 1, ("in"), "in/bus/train/a.png", "in/bus/test/b.png", "in/train/train/c.png",
            "in/train/test/d.png");
}

static void sources_are_splits(void **state) {
    (void)state;
    FOLDERS("012", 0, ("in/train", "in/val/", "in/test"), "in/train/a.png", "in/val/b.png",
            "in/test/c.png");
    FOLDERS("012", 0, ("in/Train/a.png", "in/Val/b.png", "in/Test/c.png"), "in/Train/a.png",
            "in/Val/b.png", "in/Test/c.png");
    /* Of one source alone the name says nothing. */
    FOLDERS("2", 2, ("in/train"), "in/train/a.png");
    FOLDERS("012", 1, ("a", "b"), "a/train/a.png", "a/val/b.png", "b/test/c.png");
}

static void random_split(void **state) {
    (void)state;
    struct tsr_pack_config config = config_of(2, 2);
    make_folder("in");
    for (unsigned i = 0; i < 50; i++) {
        char name[16];
        snprintf(name, sizeof name, "in/%02u.png", i);
        put_png(name, 2, 2, 1, i);
    }
    int first[50], differ = 0;
    for (uint64_t seed = 0; seed < 3; seed++) {
        config.seed = seed / 2; /* 0, 0, 1 */
        pack(&config, in_folder("in"), in_folder("out.h5"));
        struct tsr_dataset *dataset = open_dataset(in_folder("out.h5"));
        assert_int_equal(split_size(dataset, TSR_SPLIT_TRAIN), 40);
        assert_int_equal(split_size(dataset, TSR_SPLIT_VAL), 5);
        assert_int_equal(split_size(dataset, TSR_SPLIT_TEST), 5);
        assert_int_equal(split_size(dataset, TSR_SPLIT_ALL), 50);
        for (size_t i = 0; i < 50; i++) {
            if (seed == 0) first[i] = split_of(dataset, i);
            if (seed == 1) assert_int_equal(split_of(dataset, i), first[i]);
            if (seed == 2) differ += split_of(dataset, i) != first[i];
        }
        tsr_dataset_close(dataset);
    }
    assert_true(differ > 4);
}

static void limit_is_spread(void **state) {
    (void)state;
    struct tsr_pack_config config = config_of(2, 2);
    make_folder("in");
    for (unsigned i = 0; i < 20; i++) {
        char name[16];
        snprintf(name, sizeof name, "in/%02u.png", i);
        put_png(name, 2, 2, 1, i);
    }
    config.limit = 5;
    struct tsr_pack_report report = pack(&config, in_folder("in"), in_folder("out.h5"));
    assert_int_equal(report.sources, 5);
    struct tsr_dataset *dataset = open_dataset(in_folder("out.h5"));
    const char *const names[] = {"00.png", "04.png", "08.png", "12.png", "16.png"};
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(tsr_dataset_name(dataset, i), names[i]);
    tsr_dataset_close(dataset);
    config.limit = 100;
    assert_int_equal(pack(&config, in_folder("in"), in_folder("out.h5")).sources, 20);
}

static void split_file(void **state) {
    (void)state;
    struct tsr_pack_config config = config_of(2, 2);
    make_folder("in");
    make_folder("in/sub");
    make_folder("in/val");
    put_png("in/a.png", 2, 2, 1, 0);
    put_png("in/b c.png", 2, 2, 1, 1);
    put_png("in/d.png", 2, 2, 1, 2);
    put_png("in/sub/e.png", 2, 2, 1, 3);
    put_png("in/sub/f.png", 2, 2, 1, 4);
    put_png("in/val/g.png", 2, 2, 1, 5);
    config.split_file = write_text("split.txt", "a.png 2\n"
                                                "\n"
                                                "  b c.png\ttrain\r\n"
                                                "sub/e.png val\n"
                                                "f.png   0\n"
                                                "gone.png 1\n"
                                                "gone.png 1\n"
                                                "g.png test");
    struct tsr_pack_report report = pack(&config, in_folder("in"), in_folder("out.h5"));
    assert_int_equal(report.sources, 5);
    assert_int_equal(report.not_listed, 1);
    assert_int_equal(report.missing, 1);
    struct tsr_dataset *dataset = open_dataset(in_folder("out.h5"));
    assert_int_equal(split_of_name(dataset, "a.png"), 2);
    assert_int_equal(split_of_name(dataset, "b c.png"), 0);
    assert_int_equal(split_of_name(dataset, "d.png"), -1);
    assert_int_equal(split_of_name(dataset, "sub/e.png"), 1);
    assert_int_equal(split_of_name(dataset, "sub/f.png"), 0);
    assert_int_equal(split_of_name(dataset, "val/g.png"), 2);
    tsr_dataset_close(dataset);
}

/* The same three images, in all the ways to name them. */
static void ways_to_say_splits(void **state) {
    (void)state;
    struct tsr_pack_config config = config_of(2, 2);
    const struct {
        const char *text;
        size_t size; /* 0: to its end */
    } cases[] = {
        {"a.png 0\nsub/b.png 1\nc d.png 2\n", 0},
        {"a.jpg 0\nb.JPEG 1\nc d.bmp 2\n", 0},
        {"a train\nb Validation\nc d TESTING\n", 0},
        {"\xef\xbb\xbfimage_id,partition\r\na.jpg,0\r\nb.jpg,1\r\nc d.jpg,2\r\n", 0},
        {"index;Set;File\n1;train;a\n2;dev;b\n3;test;\"c d\"\n", 0},
        {"filename\twidth\tsplit\nphotos/a.png\t8\ttrain\nphotos/sub/b.png\t8\tval\n"
         "photos/c d.png\t8\ttest\n",
         0},
        {"a.png,train\nb.png, val\nc d.png , test\n", 0},
        {"./a.png\t0\r/in/sub/b.png 1\rin\\c d.png 2\r", 0},
        {"\xff\xfe"
         "a\0 \0"
         "0\0\n\0"
         "b\0 \0"
         "1\0\n\0"
         "c\0 \0"
         "d\0 \0"
         "2\0",
         28},
        {"\0a\0 \0"
         "0\0\r\0\n\0"
         "b\0 \0"
         "1\0\n\0"
         "c\0 \0"
         "d\0 \0"
         "2",
         28},
    };
    make_folder("in");
    make_folder("in/sub");
    put_png("in/a.png", 2, 2, 1, 0);
    put_png("in/sub/b.png", 2, 2, 1, 1);
    put_png("in/c d.png", 2, 2, 1, 2);
    config.split_file = in_folder("split.txt");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        write_file(config.split_file, cases[i].text,
                   cases[i].size ? cases[i].size : strlen(cases[i].text));
        struct tsr_pack_report report = pack(&config, in_folder("in"), in_folder("out.h5"));
        if (report.images != 3 || report.missing || report.not_listed)
            fail_msg("case %zu: %zu images", i, report.images);
        struct tsr_dataset *dataset = open_dataset(in_folder("out.h5"));
        assert_int_equal(split_of_name(dataset, "a.png"), 0);
        assert_int_equal(split_of_name(dataset, "sub/b.png"), 1);
        assert_int_equal(split_of_name(dataset, "c d.png"), 2);
        tsr_dataset_close(dataset);
    }
}

static void lists_of_splits(void **state) {
    (void)state;
    struct tsr_pack_config config = config_of(2, 2);
    make_folder("in");
    put_png("in/a.png", 2, 2, 1, 0);
    put_png("in/a.bmp.png", 2, 2, 1, 1);
    put_png("in/b.png", 2, 2, 1, 2);
    put_png("in/c.png", 2, 2, 1, 3);
    put_png("in/d.png", 2, 2, 1, 4);
    config.split_lists[0] = write_text("train.txt", "a  -1\nb  1\n");
    config.split_lists[2] = write_text("test.txt", "/x/in/c.png /x/maps/c.png\ngone\n");
    struct tsr_pack_report report = pack(&config, in_folder("in"), in_folder("out.h5"));
    assert_int_equal(report.images, 3);
    assert_int_equal(report.per_split[0], 2);
    assert_int_equal(report.per_split[2], 1);
    assert_int_equal(report.not_listed, 2);
    assert_int_equal(report.missing, 1);
    config.split_lists[1] = write_text("val.txt", "filename,class\nb.png,7\n");
    assert_fails(pack_fails(&config, in_folder("in")), TSR_ERR_FORMAT, &err,
                 "two splits: line 2 of");
}

/* An image with another ending than the list's is no second one of it. */
static void an_ending_is_heeded(void **state) {
    (void)state;
    struct tsr_pack_config config = config_of(2, 2);
    make_folder("in");
    put_png("in/a.png", 2, 2, 1, 0);
    put_png("in/a.jfif", 2, 2, 1, 1);
    config.split_file = write_text("split.txt", "a.png 2\n");
    assert_int_equal(pack(&config, in_folder("in"), in_folder("out.h5")).not_listed, 1);
    config.split_file = write_text("split.txt", "a.jpg 2\n");
    assert_int_equal(pack(&config, in_folder("in"), in_folder("out.h5")).images, 2);
}

static void what_is_passed_over_is_counted(void **state) {
    (void)state;
    struct tsr_pack_config config = config_of(2, 2);
    make_folder("in");
    const char *const names[] = {"a.jfif", "b.JPE", "c.webp",     "d.WEBP",
                                 "e.gif",  "f",     ".hidden.gif"};
    for (unsigned i = 0; i < 7; i++) {
        char name[32];
        snprintf(name, sizeof name, "in/%s", names[i]);
        put_png(name, 2, 2, 1, i);
    }
    struct tsr_pack_report report = pack(&config, in_folder("in"), in_folder("out.h5"));
    assert_int_equal(report.images, 2);
    assert_string_equal(report.passed_over, ".webp 2, without ending 1, .gif 1");
}

static void bad_split_files(void **state) {
    (void)state;
    struct tsr_pack_config config = config_of(2, 2);
    const char *image = put_png("a.png", 2, 2, 1, 0);
    const struct {
        const char *text, *message;
    } cases[] = {
        {"a.png 0\nb.png 3\n", "split.txt: line 2 is \"b.png 3\"; expected \"name split\""},
        {"a.png 0\n\nb.png\n", "split.txt: line 3 is \"b.png\""},
        {"a.png all\n", "line 1 is \"a.png all\""},
        {"a.png -1\n", "line 1"},
        {"image_id,partition\na.png,3\n", "line 2 has the split \"3\""},
        {"image_id,partition\na.png\n", "line 2 has 1 columns"},
        {"image_id,class\na.png,0\n", "line 1 is \"image_id,class\", a header without a column"},
        {"x/a.png 0\ny/a.png 1\n", "has two splits: line 1"},
        {"a.png 0\nb.png 1\na.png 1\n", "line 3 puts \"a.png\" into another split than line 1"},
        {"\n \n", "names no image"},
        {"b.png 0\n", "names none of the 1 images found"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        config.split_file = write_text("split.txt", cases[i].text);
        enum tsr_status status = pack_fails(&config, image);
        assert_true(status == TSR_ERR_FORMAT || status == TSR_ERR_NOT_FOUND);
        assert_fails(status, status, &err, cases[i].message);
    }
    write_file(in_folder("split.txt"), "a.png 0\n\0\0 1\n", 13);
    assert_fails(pack_fails(&config, image), TSR_ERR_FORMAT, &err, "line 2 is not text");
    config.split_file = in_folder("gone.txt");
    assert_fails(pack_fails(&config, image), TSR_ERR_IO, &err, "gone.txt: cannot be opened");
    assert_int_equal(files_in_folder(), 2);
}

/* ---- failures ------------------------------------------------------------------------------ */

struct log {
    char text[2048];
    size_t done, total, calls, stop_after;
};

static void log_skipped(void *user, const char *path, const char *why) {
    struct log *log = user;
    size_t used = strlen(log->text);
    snprintf(log->text + used, sizeof log->text - used, "%s|%s\n", strrchr(path, '/') + 1, why);
}

static int log_progress(void *user, size_t done, size_t total) {
    struct log *log = user;
    assert_true(done > log->done);
    log->done = done;
    log->total = total;
    return ++log->calls > log->stop_after;
}

static void make_mixture(void) {
    make_folder("in");
    for (unsigned i = 0; i < 30; i++) {
        char name[16];
        snprintf(name, sizeof name, "in/%02u.png", i);
        if (i == 3)
            write_text(name, "no image");
        else if (i == 17)
            put_png(name, 7, 6, 3, i);
        else if (i == 20)
            assert_int_equal(symlink("nowhere", in_folder(name)), 0);
        else
            put_png(name, 8, 6, 3, i);
    }
    write_file(in_folder("in/25.jpg"), jpeg_baseline, sizeof jpeg_baseline - 9);
}

static void unreadable_files_are_counted(void **state) {
    (void)state;
    struct tsr_pack_config config = config_of(8, 6);
    struct tsr_pack_report report;
    struct log log = {.stop_after = 1000};
    const struct tsr_pack_callbacks callbacks = {log_progress, log_skipped, NULL, NULL, &log};
    make_mixture();
    const char *source = in_folder("in");
    assert_ok(tsr_pack(&config, &source, 1, in_folder("out.h5"), &callbacks, &report, &err), &err);
    assert_int_equal(report.sources, 31);
    assert_int_equal(report.images, 27);
    assert_int_equal(report.skipped, 4);
    assert_string_equal(log.text,
                        "03.png|not a JPEG, PNG, BMP or PNM image\n"
                        "17.png|image of 7x6 (height x width) is too small for a crop of 8x6\n"
                        "20.png|cannot be opened: No such file or directory\n"
                        "25.jpg|truncated JPEG (it has no end-of-image marker)\n");
    assert_int_equal(log.done, 31);
    assert_int_equal(log.total, 31);
    struct tsr_dataset *dataset = open_dataset(in_folder("out.h5"));
    assert_string_equal(tsr_dataset_name(dataset, 3), "04.png");
    struct tsr_image image = make_image(8, 6, 3, 4);
    assert_image(dataset, 3, image.pixels);
    tsr_image_clear(&image);
    tsr_dataset_close(dataset);
}

static void strict_ends_at_the_first(void **state) {
    (void)state;
    struct tsr_pack_config config = config_of(8, 6);
    config.strict = true;
    make_mixture();
    assert_fails(pack_fails(&config, in_folder("in")), TSR_ERR_FORMAT, &err,
                 "in/03.png: not a JPEG");
    assert_int_equal(remove(in_folder("in/03.png")), 0);
    assert_fails(pack_fails(&config, in_folder("in")), TSR_ERR_SHAPE, &err,
                 "in/17.png: image of 7x6");
    assert_int_equal(files_in_folder(), 1);
}

static void interruption_leaves_nothing(void **state) {
    (void)state;
    struct tsr_pack_config config = config_of(8, 6);
    make_mixture();
    const char *const sources[3] = {in_folder("in"), in_folder("in"), in_folder("in")};
    for (size_t stop = 0; stop < 3; stop++) {
        struct tsr_pack_report report;
        struct log log = {.stop_after = stop};
        const struct tsr_pack_callbacks callbacks = {log_progress, NULL, NULL, NULL, &log};
        config.threads = 1; /* several blocks */
        config.keep_copies = true;
        assert_fails(tsr_pack(&config, sources, 3, in_folder("out.h5"), &callbacks, &report, &err),
                     TSR_ERR_INTERRUPTED, &err, "of 93 files");
        assert_int_equal(files_in_folder(), 1);
        assert_int_equal(log.calls, stop + 1);
    }
}

static void nothing_to_pack(void **state) {
    (void)state;
    struct tsr_pack_config config = config_of(8, 6);
    make_folder("in");
    assert_fails(pack_fails(&config, in_folder("in")), TSR_ERR_NOT_FOUND, &err, "no image found");
    assert_fails(pack_fails(&config, in_folder("gone")), TSR_ERR_IO, &err,
                 "gone: cannot be opened: No such file");
    assert_fails(pack_fails(&config, ""), TSR_ERR_IO, &err, "cannot be opened");
    put_png("in/a.png", 2, 2, 3, 1);
    assert_fails(pack_fails(&config, in_folder("in")), TSR_ERR_NOT_FOUND, &err,
                 "nothing to write: all of the 1 files");
    config.fit = TSR_FIT_TILE;
    assert_fails(pack_fails(&config, in_folder("in")), TSR_ERR_NOT_FOUND, &err, "nothing to write");
    config.fit = TSR_FIT_COVER;
    const char *source = in_folder("in");
    assert_fails(tsr_pack(&config, &source, 1, in_folder("no/out.h5"), NULL, NULL, &err),
                 TSR_ERR_IO, &err, "no/out.h5: cannot create");
    assert_int_equal(files_in_folder(), 1);
}

static void bad_settings(void **state) {
    (void)state;
    struct tsr_pack_config good = config_of(8, 6), c;
    assert_ok(tsr_pack_config_check(&good, &err), &err);
    c = good, c.height = 0;
    assert_fails(tsr_pack_config_check(&c, &err), TSR_ERR_CONFIG, &err, "size is 0x6");
    c = good, c.width = 65536;
    assert_fails(tsr_pack_config_check(&c, &err), TSR_ERR_CONFIG, &err, "8x65536");
    c = good, c.channels = 2;
    assert_fails(tsr_pack_config_check(&c, &err), TSR_ERR_CONFIG, &err, "channels is 2");
    c = good, c.split[0] = 0.9;
    assert_fails(tsr_pack_config_check(&c, &err), TSR_ERR_CONFIG, &err, "0.9,0.1,0.1");
    c = good, c.split[0] = 1.1, c.split[1] = -0.2;
    assert_fails(tsr_pack_config_check(&c, &err), TSR_ERR_CONFIG, &err, "sum is 1");
    c = good, c.deflate = 10;
    assert_fails(tsr_pack_config_check(&c, &err), TSR_ERR_CONFIG, &err, "deflate is 10");
    c = good, c.fit = (enum tsr_fit)9;
    assert_fails(tsr_pack_config_check(&c, &err), TSR_ERR_CONFIG, &err, "fit 9");
    c = good, c.threads = 100000;
    assert_fails(tsr_pack_config_check(&c, &err), TSR_ERR_CONFIG, &err, "threads is 100000");
    c = good, c.height = c.width = 65535, c.fit = TSR_FIT_COVER;
    assert_fails(pack_fails(&c, put_png("a.png", 2, 2, 3, 1)), TSR_ERR_CONFIG, &err,
                 "pixels are stored");
}

static void hear(void *user, const char *text) {
    (void)snprintf(user, 256, "%s", text);
}

static void room(void **state) {
    (void)state;
    char heard[256] = "";
    struct tsr_error e;
    const struct tsr_notice notice = {hear, heard};
    const char *path = in_folder("large.h5");
    struct tsr_room_need need = {"4 images", 768, true, 0.5};
    assert_true(tsr_room_for(path) > 0);
    assert_int_equal(tsr_room_check(path, &need, &notice, &e), TSR_OK);
    assert_string_equal(heard, "");
    need = (struct tsr_room_need){"many images", 1e30, true, 0.5};
    assert_int_equal(tsr_room_check(path, &need, &notice, &e), TSR_ERR_IO);
    assert_non_null(strstr(e.message, "large.h5: many images take 10"));
    assert_non_null(strstr(e.message, "--deflate 1 stores them in about 5000"));
    assert_string_equal(heard, "");
    need.exact = false;
    assert_int_equal(tsr_room_check(path, &need, &notice, &e), TSR_OK);
    assert_non_null(strstr(heard, "many images take about 10"));
    assert_non_null(strstr(heard, "--deflate 1"));
    need.deflated = 0.95;
    assert_int_equal(tsr_room_check(path, &need, &notice, &e), TSR_OK);
    assert_null(strstr(heard, "--deflate"));
    assert_int_equal(tsr_room_check("none/x.h5", &need, &notice, &e), TSR_OK);
}

/* What a few files tell: tiles of 4x5 in images of 9x16 that are flat, or noise, and in what is
 * none. */
static void a_sample_tells_images_and_bytes(void **state) {
    (void)state;
    for (int noise = 0; noise < 2; noise++) {
        struct tsr_pack_config config = config_of(4, 5);
        struct tsr_pack_sample sample;
        char name[32];
        config.fit = TSR_FIT_TILE;
        config.channels = 3;
        (void)snprintf(name, sizeof name, "in%d", noise);
        make_folder(name);
        for (unsigned i = 0; i < 20; i++) {
            struct tsr_image image = make_image(9, 16, 3, i);
            for (size_t k = 0; k < (size_t)9 * 16 * 3 && !noise; k++)
                image.pixels[k] = (uint8_t)i;
            (void)snprintf(name, sizeof name, "in%d/%02u.png", noise, i);
            write_png(in_folder(name), &image);
            tsr_image_clear(&image);
        }
        struct tsr_pack_work work = {.config = &config, .image_size = 60};
        (void)snprintf(name, sizeof name, "in%d", noise);
        assert_ok(tsr_listing_add(&work.listing, in_folder(name), &err), &err);
        assert_ok(tsr_pack_sample_take(&work, &sample, &err), &err);
        assert_int_equal(sample.files, 8);
        assert_true(sample.images == 6);
        assert_true(noise ? sample.deflated > 0.9 : sample.deflated < 0.5);
        tsr_listing_clear(&work.listing);
    }
}

/* ---- copies ------------------------------------------------------------------------------------
 */

/* What is given to several splits is packed in one, test before val before train, however the list
 * runs; all else as it came. */
static void copies_are_in_one_split(void **state) {
    (void)state;
    enum { FILES = 40, PICTURES = 15, ROUNDS = 6 };
    static const int rank[3] = {2, 1, 0};
    make_folder("in");
    for (unsigned round = 0; round < ROUNDS; round++) {
        char list[FILES * 16], *at = list;
        int given[FILES], best[PICTURES];
        size_t alone[PICTURES] = {0}, kept = 0;
        unsigned picture[FILES];
        memset(best, -1, sizeof best);
        for (unsigned i = 0; i < FILES; i++) {
            char name[32];
            uint64_t random = tsr_random_u64(round, TSR_STREAM_RUN, i);
            snprintf(name, sizeof name, "in/%02u.png", i);
            picture[i] = (unsigned)(random % PICTURES);
            given[i] = (int)(random / PICTURES % 3);
            put_png(name, 5, 4, 3, picture[i]);
            at += sprintf(at, "%02u.png %d\n", i, given[i]);
            int *b = &best[picture[i]];
            if (*b < 0 || rank[given[i]] < rank[*b]) *b = given[i];
        }
        for (unsigned i = 0; i < FILES; i++)
            alone[picture[i]] += given[i] == best[picture[i]];
        struct tsr_pack_config config = config_of(5, 4);
        config.split_file = write_text("list.txt", list);
        struct tsr_pack_report report = pack(&config, in_folder("in"), in_folder("out.h5"));
        struct tsr_dataset *dataset = open_dataset(in_folder("out.h5"));
        assert_int_equal(report.images + report.left_out, FILES);
        assert_int_equal(tsr_dataset_images(dataset), report.images);
        for (unsigned p = 0; p < PICTURES; p++) {
            size_t found = 0;
            for (unsigned i = 0; i < FILES; i++) {
                char name[16];
                snprintf(name, sizeof name, "%02u.png", i);
                int split = picture[i] == p ? split_of_name(dataset, name) : -1;
                assert_true(split == -1 || split == best[p]);
                found += split >= 0;
            }
            assert_true(found >= alone[p] && (alone[p] > 0) == (found > 0));
            kept += found;
        }
        assert_int_equal(kept, report.images);
        assert_int_equal(report.per_split[0] + report.per_split[1] + report.per_split[2],
                         report.images);
        for (int s = 0; s < 3; s++)
            assert_int_equal(split_size(dataset, (enum tsr_split)s), report.per_split[s]);
        tsr_dataset_close(dataset);
        config.keep_copies = true;
        report = pack(&config, in_folder("in"), in_folder("out.h5"));
        assert_int_equal(report.images, FILES);
        assert_int_equal(report.copies + report.left_out, 0);
    }
}

/* Of several files whose splits are dealt, or of which one is given, all images are kept. */
static void dealt_copies_stay_together(void **state) {
    (void)state;
    make_folder("in");
    for (unsigned i = 0; i < 30; i++) {
        char name[32];
        snprintf(name, sizeof name, "in/%02u.png", i);
        put_png(name, 8, 8, 3, i % 10);
    }
    struct tsr_pack_config config = config_of(4, 4);
    config.split[0] = config.split[2] = 0.5;
    config.split[1] = 0;
    for (uint64_t seed = 0; seed < 8; seed++) {
        config.seed = seed;
        config.fit = seed % 2 ? TSR_FIT_TILE : TSR_FIT_CROP;
        size_t tiles = seed % 2 ? 4 : 1;
        struct tsr_pack_report report = pack(&config, in_folder("in"), in_folder("out.h5"));
        assert_int_equal(report.images, 30 * tiles);
        assert_int_equal(report.copies, 20 * tiles);
        assert_int_equal(report.left_out, 0);
        struct tsr_dataset *dataset = open_dataset(in_folder("out.h5"));
        for (unsigned i = 0; i < 30 * tiles; i++)
            assert_int_equal(split_of(dataset, i), split_of(dataset, i % (10 * tiles)));
        tsr_dataset_close(dataset);
    }
    make_folder("all");
    make_folder("all/train");
    make_folder("all/test");
    make_folder("all/other");
    put_png("all/other/a.png", 8, 8, 3, 1);
    put_png("all/test/b.png", 8, 8, 3, 1);
    put_png("all/other/c.png", 8, 8, 3, 2);
    put_png("all/train/d.png", 8, 8, 3, 2);
    put_png("all/train/e.png", 8, 8, 3, 3);
    config = config_of(8, 8);
    config.split[0] = config.split[2] = 0;
    config.split[1] = 1;
    struct tsr_pack_report report = pack(&config, in_folder("all"), in_folder("out.h5"));
    assert_int_equal(report.images, 5);
    struct tsr_dataset *dataset = open_dataset(in_folder("out.h5"));
    assert_int_equal(split_of_name(dataset, "other/a.png"), TSR_SPLIT_TEST);
    assert_int_equal(split_of_name(dataset, "other/c.png"), TSR_SPLIT_TRAIN);
    tsr_dataset_close(dataset);
}

/* A file is packed once, whatever it is called: twice the same path, links of both kinds. */
static void a_file_is_packed_once(void **state) {
    (void)state;
    make_folder("once");
    make_folder("once/train");
    make_folder("once/test");
    put_png("once/train/a.png", 5, 4, 3, 1);
    put_png("once/train/b.png", 5, 4, 3, 2);
    assert_int_equal(link(in_folder("once/train/a.png"), in_folder("once/train/c.png")), 0);
    assert_int_equal(symlink("../train/b.png", in_folder("once/test/d.png")), 0);
    struct tsr_pack_config config = config_of(5, 4);
    struct tsr_pack_report report;
    const char *sources[] = {in_folder("once"), in_folder("once/train"),
                             in_folder("once/train/a.png")};
    assert_ok(tsr_pack(&config, sources, 3, in_folder("out.h5"), NULL, &report, &err), &err);
    assert_int_equal(report.images, 2);
    assert_int_equal(report.listed_again, 6);
    assert_int_equal(report.copies + report.left_out, 0);
    struct tsr_dataset *dataset = open_dataset(in_folder("out.h5"));
    assert_int_equal(split_of_name(dataset, "train/a.png"), TSR_SPLIT_TRAIN);
    assert_int_equal(split_of_name(dataset, "test/d.png"), TSR_SPLIT_TEST);
    tsr_dataset_close(dataset);
    config.keep_copies = true;
    assert_ok(tsr_pack(&config, sources, 3, in_folder("out.h5"), NULL, &report, &err), &err);
    assert_int_equal(report.images, 8);
}

/* Any bit of any byte matters, also the top bits of two words, which multiplying alone leaves
 * alone. */
static void fast_digest(void **state) {
    (void)state;
    unsigned char bytes[101] = {0};
    uint64_t digest[sizeof bytes * 8 + 1];
    size_t n = 0;
    digest[n++] = tsr_digest_fast(TSR_DIGEST_START, bytes, sizeof bytes);
    for (size_t i = 0; i < sizeof bytes * 8; i++) {
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
        digest[n++] = tsr_digest_fast(TSR_DIGEST_START, bytes, sizeof bytes);
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            assert_true(digest[i] != digest[k]);
    bytes[7] = bytes[39] = 0x80;
    assert_true(tsr_digest_fast(TSR_DIGEST_START, bytes, sizeof bytes) != digest[0]);
    memset(bytes, 0, sizeof bytes);
    assert_true(tsr_digest_fast(TSR_DIGEST_START, bytes, 64) !=
                tsr_digest_fast(TSR_DIGEST_START, bytes, 65));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(copies_are_in_one_split),
        TEST(dealt_copies_stay_together),
        TEST(a_file_is_packed_once),
        TEST(fast_digest),
        TEST(room),
        TEST(a_sample_tells_images_and_bytes),
        TEST(png_is_packed_exactly),
        TEST(attributes_say_how),
        TEST(grey_and_colour),
        TEST(tiles_are_named_and_stay_together),
        TEST(files_and_folders),
        TEST(folders_are_splits),
        TEST(one_level_is_of_splits),
        TEST(sources_are_splits),
        TEST(ways_to_say_splits),
        TEST(lists_of_splits),
        TEST(an_ending_is_heeded),
        TEST(what_is_passed_over_is_counted),
        TEST(random_split),
        TEST(limit_is_spread),
        TEST(split_file),
        TEST(bad_split_files),
        TEST(unreadable_files_are_counted),
        TEST(strict_ends_at_the_first),
        TEST(interruption_leaves_nothing),
        TEST(nothing_to_pack),
        TEST(bad_settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
