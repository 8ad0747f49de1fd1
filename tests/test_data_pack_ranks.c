/* SPDX-License-Identifier: MIT
 *
 * Ranks that pack together: the dataset, the report and what is said are those of one process, for
 * every fit, with label maps and with files that cannot be read; what goes wrong on one of them
 * ends all, and nothing is left.
 */
#include "test_data_helper.h"

#include "data/pack.h"
#include "test_ranks.h"

/* One rank's part. */
struct packing {
    struct tsr_pack_config config;
    const char *source, *output;
    char text[4096]; /* what was said */
    size_t calls, stop_after;
    struct tsr_pack_report report;
    enum tsr_status status;
    struct tsr_error err;
};

static void say(struct packing *p, const char *path, const char *what) {
    size_t used = strlen(p->text);
    (void)snprintf(p->text + used, sizeof p->text - used, "%s|%s\n", path, what);
}

static int on_progress(void *user, size_t done, size_t total) {
    struct packing *p = user;
    (void)done, (void)total;
    return ++p->calls > p->stop_after;
}

static void on_file(void *user, const char *path, const char *what) {
    say(user, strrchr(path, '/') + 1, what);
}

static void on_note(void *user, const char *text) {
    say(user, "note", text);
}

static void work(const struct tsr_comm *comm, void *data) {
    struct packing *p = data;
    const struct tsr_pack_callbacks callbacks = {on_progress, on_file, on_file, on_note, p};
    p->config.comm = comm;
    p->status = tsr_pack(&p->config, &p->source, 1, p->output, &callbacks, &p->report, &p->err);
}

static void pack_by(size_t ranks, const struct packing *as, struct packing out[MOST_RANKS]) {
    void *data[MOST_RANKS];
    for (size_t r = 0; r < ranks; r++) {
        out[r] = *as;
        out[r].config.threads = 1 + r % 2;
        data[r] = &out[r];
    }
    (void)run_ranks(ranks, work, data);
}

static struct packing packing_of(enum tsr_fit fit) {
    struct packing p = {.source = in_folder("in"), .output = in_folder("out.h5")};
    tsr_pack_config_default(&p.config);
    p.config.height = 8, p.config.width = 6;
    p.config.fit = fit;
    p.stop_after = SIZE_MAX;
    return p;
}

static void put_map(const char *name, size_t height, size_t width, unsigned largest) {
    unsigned char bytes[512];
    size_t n = (size_t)snprintf((char *)bytes, sizeof bytes, "P5 %zu %zu 255 ", width, height);
    for (size_t i = 0; i < height * width; i++)
        bytes[n++] = (unsigned char)(i % (largest + 1));
    write_file(in_folder(name), bytes, n);
}

/* 301 files of several sizes and their maps, of which some are no images or too small. */
static void make_files(void) {
    make_folder("in"), make_folder("maps");
    for (unsigned i = 0; i < 301; i++) {
        char name[24], map[24];
        size_t height = 8 + i % 13, width = 6 + i % 10;
        (void)snprintf(name, sizeof name, "in/%03u.png", i);
        (void)snprintf(map, sizeof map, "maps/%03u.pgm", i);
        if (i % 50 == 7)
            write_text(name, "no image");
        else
            put_png(name, i % 50 == 8 ? 7 : height, width, 3, i);
        put_map(map, i % 50 == 8 ? 7 : height, width, 1 + i % 4);
    }
}

static void the_same_dataset(void **state) {
    (void)state;
    static struct packing by[MOST_RANKS];
    make_files();
    for (int fit = TSR_FIT_CROP; fit <= TSR_FIT_TILE; fit++)
        for (int labels = 0; labels < 2; labels++) {
            struct packing as = packing_of((enum tsr_fit)fit), one;
            size_t size, other;
            if (labels) as.config.labels = in_folder("maps");
            pack_by(1, &as, by);
            one = by[0];
            assert_ok(one.status, &one.err);
            assert_true(one.report.skipped > 0 && one.report.images > 100);
            unsigned char *bytes = slurp(as.output, &size);
            for (size_t ranks = 2; ranks <= 5; ranks += 3) {
                pack_by(ranks, &as, by);
                for (size_t r = 0; r < ranks; r++)
                    assert_ok(by[r].status, &by[r].err);
                unsigned char *again = slurp(as.output, &other);
                assert_int_equal(other, size);
                assert_memory_equal(again, bytes, size);
                free(again);
                assert_string_equal(by[0].text, one.text);
                by[0].report.seconds = one.report.seconds;
                assert_memory_equal(&by[0].report, &one.report, sizeof one.report);
                assert_string_equal(by[1].text, "");
            }
            free(bytes);
            assert_int_equal(remove(as.output), 0);
        }
}

static void fails_on_all(size_t ranks, const struct packing *as, enum tsr_status expected,
                         const char *part) {
    static struct packing by[MOST_RANKS];
    pack_by(ranks, as, by);
    for (size_t r = 0; r < ranks; r++)
        assert_fails(by[r].status, expected, &by[r].err, part);
    assert_int_equal(files_in_folder(), 2);
}

/* The first file that is no image, whoever had it, in the words of one process. */
static void one_failure_is_all(void **state) {
    (void)state;
    make_files();
    struct packing as = packing_of(TSR_FIT_CROP);
    as.config.strict = true;
    fails_on_all(1, &as, TSR_ERR_FORMAT, "in/007.png: not a JPEG");
    fails_on_all(3, &as, TSR_ERR_FORMAT, "in/007.png: not a JPEG");
    for (unsigned i = 7; i < 301; i += 50) {
        char name[24];
        (void)snprintf(name, sizeof name, "in/%03u.png", i);
        put_png(name, 8 + i % 13, 6 + i % 10, 3, i);
    }
    put_map("maps/299.pgm", 3, 3, 1);
    as.config.labels = in_folder("maps");
    as.config.strict = false;
    fails_on_all(3, &as, TSR_ERR_SHAPE, "maps/299.pgm");
    as.output = in_folder("none/out.h5");
    fails_on_all(3, &as, TSR_ERR_IO, "none/out.h5");
    as.source = in_folder("nothing");
    fails_on_all(2, &as, TSR_ERR_IO, "nothing: cannot be opened");
}

/* One of them lists other files, or is told to stop. */
static void one_differs(void **state) {
    (void)state;
    static struct packing by[3];
    void *data[3] = {&by[0], &by[1], &by[2]};
    make_files();
    for (int stop = 0; stop < 2; stop++) {
        for (size_t r = 0; r < 3; r++)
            by[r] = packing_of(TSR_FIT_CROP);
        if (stop)
            by[2].stop_after = 1;
        else
            by[2].config.limit = 300;
        (void)run_ranks(3, work, data);
        for (size_t r = 0; r < 3; r++)
            assert_fails(by[r].status, stop ? TSR_ERR_INTERRUPTED : TSR_ERR_CONFIG, &by[r].err,
                         stop ? "of 301 files"
                              : "rank 2: its list of 300 images is not the list of 301 of rank 0");
        assert_int_equal(files_in_folder(), 2);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_same_dataset),
        TEST(one_failure_is_all),
        TEST(one_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
