/* SPDX-License-Identifier: MIT */
#include "test_data_helper.h"

#include "data/file.h"

static struct tsr_error err;

static void reading(void **state) {
    (void)state;
    unsigned char *bytes;
    size_t size;
    assert_ok(tsr_file_read(write_text("a", "hello"), 5, &bytes, &size, &err), &err);
    assert_int_equal(size, 5);
    assert_string_equal((char *)bytes, "hello");
    free(bytes);
    assert_ok(tsr_file_read(write_text("b", ""), 0, &bytes, &size, &err), &err);
    assert_int_equal(size, 0);
    free(bytes);
    assert_fails(tsr_file_read(in_folder("a"), 4, &bytes, &size, &err), TSR_ERR_FORMAT, &err,
                 "a: has 5 bytes; at most 4 are read");
    assert_null(bytes);
    assert_fails(tsr_file_read(folder, 4, &bytes, &size, &err), TSR_ERR_FORMAT, &err,
                 "not a regular file");
    assert_fails(tsr_file_read(in_folder("c"), 4, &bytes, &size, &err), TSR_ERR_IO, &err,
                 "c: cannot be opened");
    /* A named pipe that nobody writes to must not be waited for. */
    assert_int_equal(mkfifo(in_folder("pipe"), 0600), 0);
    assert_fails(tsr_file_read(in_folder("pipe"), 4, &bytes, &size, &err), TSR_ERR_FORMAT, &err,
                 "not a regular file");
}

static void assert_content(const char *path, const char *text) {
    size_t size;
    char *bytes = slurp(path, &size);
    assert_int_equal(size, strlen(text));
    assert_memory_equal(bytes, text, size);
    free(bytes);
}

static void replacing(void **state) {
    (void)state;
    const char *path = write_text("a", "before");
    assert_ok(tsr_file_replace(path, "after", 5, &err), &err);
    assert_content(path, "after");
    assert_int_equal(files_in_folder(), 1);
    /* The longest name there can be leaves room for the temporary one. */
    char name[256];
    memset(name, 'x', 255);
    name[255] = 0;
    char longest[400];
    snprintf(longest, sizeof longest, "%s/%s", folder, name);
    assert_ok(tsr_file_replace(longest, "x", 1, &err), &err);
    assert_content(longest, "x");
    /* A file without a folder in its name. */
    char here[512];
    assert_non_null(getcwd(here, sizeof here));
    assert_int_equal(chdir(folder), 0);
    enum tsr_status status = tsr_file_replace("b", "b", 1, &err);
    assert_int_equal(chdir(here), 0);
    assert_ok(status, &err);
    assert_content(in_folder("b"), "b");
}

static void temporary_files(void **state) {
    (void)state;
    const char *path = in_folder("a");
    char *one, *two;
    assert_ok(tsr_temp_create(path, &one, &err), &err);
    assert_ok(tsr_temp_create(path, &two, &err), &err);
    assert_string_not_equal(one, two);
    assert_int_equal(files_in_folder(), 2);
    write_file(one, "1", 1);
    assert_ok(tsr_temp_commit(one, path, &err), &err);
    tsr_temp_discard(one);
    tsr_temp_discard(two);
    tsr_temp_discard(NULL);
    assert_content(path, "1");
    assert_int_equal(files_in_folder(), 1);
    assert_fails(tsr_temp_create(in_folder("no/a"), &one, &err), TSR_ERR_IO, &err,
                 "no/a: cannot create a file there");
    assert_null(one);
}

/* As an ordinary open() would: readable by whom the mask allows. */
static void permissions(void **state) {
    (void)state;
    struct stat info;
    mode_t old = umask(027);
    enum tsr_status status = tsr_file_replace(in_folder("a"), "a", 1, &err);
    umask(old);
    assert_ok(status, &err);
    assert_int_equal(stat(in_folder("a"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(reading),
        TEST(replacing),
        TEST(temporary_files),
        TEST(permissions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
