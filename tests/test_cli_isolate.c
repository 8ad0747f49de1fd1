/* SPDX-License-Identifier: MIT
 *
 * Decoders apart: they answer as those of this process do, and what one does that decoding does not
 * need (here they are made to do it, by the name of the file) ends it, as an error of that image;
 * the next image has another decoder. Nothing that they answer is believed.
 */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/isolate.h"
#include "test_data_files.h"

/* Things to be done by a decoder. */
static void open_file(void) {
    (void)!open("/etc/passwd", O_RDONLY);
}
static void create_file(void) {
    (void)!creat("/tmp/tessera-isolate-was-here", 0600);
}
static void connect_out(void) {
    (void)!socket(AF_INET, SOCK_STREAM, 0);
}
static void multiply(void) {
    (void)!fork();
}
static void run_program(void) {
    (void)!execl("/bin/true", "true", (char *)NULL);
}
static void make_code(void) {
    (void)!mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}
static void read_other(void) {
    char byte;
    (void)!read(0, &byte, 1);
}
static void write_other(void) {
    (void)!write(2, "", 1);
}
static void kill_parent(void) {
    (void)!kill(getppid(), SIGTERM);
}
static void crash(void) {
    volatile char *closed = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *closed = 1;
}

static const struct deed {
    const char *name;
    void (*act)(void);
    const char *says;
} deeds[] = {
    {"open", open_file, "open: its decoder was ended by SIGSYS"},
    {"create", create_file, "create: its decoder was ended by SIGSYS"},
    {"connect", connect_out, "connect: its decoder was ended by SIGSYS"},
    {"multiply", multiply, "multiply: its decoder was ended by SIGSYS"},
    {"run", run_program, "run: its decoder was ended by SIGSYS"},
    {"code", make_code, "code: its decoder was ended by SIGSYS"},
    {"read", read_other, "read: its decoder was ended by SIGSYS"},
    {"write", write_other, "write: its decoder was ended by SIGSYS"},
    {"kill", kill_parent, "kill: its decoder was ended by SIGSYS"},
    {"abort", abort, "abort: its decoder was ended by SIGSYS"},
    {"crash", crash, "crash: its decoder was ended by SIGSEGV"},
};
enum { DEEDS = sizeof deeds / sizeof *deeds };

/* Answers that cannot be. */
static const struct tsr_image lies[] = {
    {.height = 0, .width = 3, .channels = 3},        {.height = 3, .width = 0, .channels = 3},
    {.height = 1, .width = 1, .channels = 4},        {.height = 65536, .width = 1, .channels = 1},
    {.height = 1, .width = SIZE_MAX, .channels = 1}, {.height = 1, .width = 1, .channels = 1},
};
enum { LIES = sizeof lies / sizeof *lies };

static enum tsr_status image(void *user, const char *name, const unsigned char *bytes, size_t size,
                             const struct tsr_image_as *as, struct tsr_image *out,
                             struct tsr_error *err) {
    (void)user;
    for (size_t i = 0; i < DEEDS; i++)
        if (strcmp(name, deeds[i].name) == 0) deeds[i].act();
    if (strncmp(name, "lie", 3) == 0) {
        *out = lies[atoi(name + 3)];
        return TSR_OK;
    }
    if (strncmp(name, "status", 6) == 0) return (enum tsr_status)atoi(name + 6);
    return cli_decoders.image(NULL, name, bytes, size, as, out, err);
}

static enum tsr_status label_map(void *user, const char *name, unsigned char *bytes, size_t size,
                                 struct tsr_label_map *out, struct tsr_error *err) {
    (void)user;
    if (strcmp(name, "open") == 0) open_file();
    return cli_decoders.label_map(NULL, name, bytes, size, out, err);
}

static struct cli_isolate *isolate;

/* Sanitizers have calls of their own, which the filter does not know. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

/* Where the kernel shuts nobody off, that is what is said. */
static bool start(void) {
#ifdef SANITIZED
    skip();
#endif
    static const struct tsr_decoding work = {image, label_map, NULL};
    struct tsr_error err = {0};
    enum tsr_status status = cli_isolate_start(&work, &isolate, &err);
    if (status == TSR_OK) return true;
    assert_int_equal(status, TSR_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "--isolate: images cannot be decoded apart here"));
    cli_isolate_end(isolate);
    return false;
}

static enum tsr_status decode(const char *name, struct tsr_image *out, struct tsr_error *err) {
    const struct tsr_image_as as = {.channels = 3, .by = cli_isolate_decoding(isolate)};
    return tsr_image_decode(name, jpeg_baseline, sizeof jpeg_baseline, &as, out, err);
}

/* As this process decodes it. */
static void decodes_well(void) {
    const struct tsr_image_as here = {.channels = 3};
    struct tsr_image a, b;
    MUST(tsr_image_decode("a", jpeg_baseline, sizeof jpeg_baseline, &here, &a, err));
    MUST(decode("a", &b, err));
    assert_int_equal(a.height, b.height);
    assert_int_equal(a.width, b.width);
    assert_int_equal(a.channels, b.channels);
    assert_memory_equal(a.pixels, b.pixels, a.height * a.width * a.channels);
    tsr_image_clear(&a);
    tsr_image_clear(&b);
}

static void the_same_answers(void **state) {
    (void)state;
    const struct tsr_image_as here = {.channels = 1};
    struct tsr_image_as there = here;
    if (!start()) return;
    there.by = cli_isolate_decoding(isolate);
    decodes_well();
    /* Cut anywhere: an error in the same words, or the same pixels and remark. */
    for (size_t n = 0; n <= sizeof jpeg_baseline; n += 7) {
        struct tsr_image a, b;
        struct tsr_error of_a = {0}, of_b = {0};
        enum tsr_status status = tsr_image_decode("cut", jpeg_baseline, n, &here, &a, &of_a);
        assert_int_equal(tsr_image_decode("cut", jpeg_baseline, n, &there, &b, &of_b), status);
        assert_string_equal(of_a.message, of_b.message);
        assert_string_equal(a.remark, b.remark);
        assert_int_equal(a.height, b.height);
        if (status == TSR_OK) assert_memory_equal(a.pixels, b.pixels, a.height * a.width);
        tsr_image_clear(&a);
        tsr_image_clear(&b);
    }
    unsigned char map[] = "P5 2 2 3 \1\2\3";
    struct tsr_label_map labels;
    MUST(tsr_label_map_decode("map", map, sizeof map, there.by, &labels, err));
    assert_int_equal(labels.height, 2);
    assert_int_equal(labels.labels[2], 3);
    tsr_label_map_clear(&labels);
    MUST_FAIL(tsr_label_map_decode("map", map, 3, there.by, &labels, err), TSR_ERR_FORMAT, "map: ");
    MUST_FAIL(tsr_label_map_decode("open", map, sizeof map, there.by, &labels, err), TSR_ERR_FORMAT,
              "open: its decoder was ended by SIGSYS");
    cli_isolate_end(isolate);
}

static void misdeeds_end_a_decoder(void **state) {
    (void)state;
    struct tsr_image out;
    if (!start()) return;
    for (size_t i = 0; i < DEEDS; i++) {
        MUST_FAIL(decode(deeds[i].name, &out, err), TSR_ERR_FORMAT, deeds[i].says);
        assert_null(out.pixels);
        decodes_well();
    }
    assert_int_not_equal(access("/tmp/tessera-isolate-was-here", F_OK), 0);
    cli_isolate_end(isolate);
}

static void lies_are_not_believed(void **state) {
    (void)state;
    struct tsr_image out;
    char name[24];
    if (!start()) return;
    for (size_t i = 0; i < LIES; i++) {
        (void)snprintf(name, sizeof name, "lie%zu", i);
        MUST_FAIL(decode(name, &out, err), TSR_ERR_FORMAT, "its decoder answered what cannot be");
    }
    const int statuses[] = {TSR_ERR_INTERRUPTED, TSR_ERR_FORMAT, -1, 1000};
    for (size_t i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        (void)snprintf(name, sizeof name, "status%d", statuses[i]);
        MUST_FAIL(decode(name, &out, err), TSR_ERR_FORMAT, "its decoder answered what cannot be");
    }
    decodes_well();
    cli_isolate_end(isolate);
}

/* Several at once, some of which end; and nothing is left running. */
static void threads_have_decoders_each(void **state) {
    (void)state;
    int wrong = 0;
    if (!start()) return;
#pragma omp parallel for num_threads(4) reduction(+ : wrong)
    for (int i = 0; i < 64; i++) {
        struct tsr_image out;
        struct tsr_error err = {0};
        bool bad = i % 8 == 5;
        enum tsr_status status = decode(bad ? "open" : "a", &out, &err);
        wrong += status != (bad ? TSR_ERR_FORMAT : TSR_OK);
        tsr_image_clear(&out);
    }
    assert_int_equal(wrong, 0);
    cli_isolate_end(isolate);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_answers),
        cmocka_unit_test(misdeeds_end_a_decoder),
        cmocka_unit_test(lies_are_not_believed),
        cmocka_unit_test(threads_have_decoders_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
