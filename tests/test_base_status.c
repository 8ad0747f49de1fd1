/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/names.h"
#include "base/status.h"

static enum tsr_status fails(struct tsr_error *err) {
    return TSR_ERROR(err, TSR_ERR_SHAPE, "width is %d; expected %d", 3, 4);
}

static enum tsr_status forwards(struct tsr_error *err) {
    TSR_TRY(fails(err));
    return TSR_OK;
}

static void error_says_what_and_where(void **state) {
    (void)state;
    struct tsr_error err = {0};
    assert_int_equal(forwards(&err), TSR_ERR_SHAPE);
    assert_int_equal(err.status, TSR_ERR_SHAPE);
    assert_string_equal(err.message, "width is 3; expected 4");
    assert_non_null(strstr(err.file, "test_base_status.c"));
    assert_true(err.line > 0);
}

static void error_may_be_null(void **state) {
    (void)state;
    assert_int_equal(forwards(NULL), TSR_ERR_SHAPE);
    tsr_error_prefix(NULL, "image %d", 1);
}

static void prefix_keeps_the_rest(void **state) {
    (void)state;
    struct tsr_error err = {0};
    (void)fails(&err);
    tsr_error_prefix(&err, "image %d", 7);
    tsr_error_prefix(&err, "faces.h5");
    assert_string_equal(err.message, "faces.h5: image 7: width is 3; expected 4");
    assert_int_equal(err.status, TSR_ERR_SHAPE);
}

static void long_text_is_cut(void **state) {
    (void)state;
    struct tsr_error err = {0};
    char text[2 * TSR_ERROR_SIZE];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    (void)TSR_ERROR(&err, TSR_ERR_IO, "%s", text);
    assert_int_equal(strlen(err.message), TSR_ERROR_SIZE - 1);
    tsr_error_prefix(&err, "ab");
    assert_int_equal(strlen(err.message), TSR_ERROR_SIZE - 1);
    assert_memory_equal(err.message, "ab: x", 5);
    tsr_error_prefix(&err, "%s", text);
    assert_int_equal(strlen(err.message), TSR_ERROR_SIZE - 1);
}

/* A path of 1,200 characters must not push out the reason. */
static void a_long_prefix_leaves_the_message(void **state) {
    (void)state;
    struct tsr_error err = {0};
    char path[1201];
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = 0;
    (void)fails(&err);
    tsr_error_prefix(&err, "%s", path);
    assert_int_equal(strlen(err.message), TSR_ERROR_SIZE - 1);
    assert_non_null(strstr(err.message, "pp...: width is 3; expected 4"));
    assert_int_equal(err.message[0], 'p');
}

static void a_prefix_is_cut_between_characters(void **state) {
    (void)state;
    for (int shift = 0; shift < 2; shift++) {
        struct tsr_error err = {0};
        char path[1300];
        path[0] = 'p';
        for (size_t i = (size_t)shift; i + 2 < sizeof path; i += 2)
            memcpy(path + i, "\xC3\xA9", 3);
        (void)fails(&err);
        tsr_error_prefix(&err, "%s", path);
        const char *dots = strstr(err.message, "...: width");
        assert_non_null(dots);
        assert_int_equal((unsigned char)dots[-1], 0xA9);
    }
}

static void an_error_is_copied(void **state) {
    (void)state;
    struct tsr_error from = {0}, to = {0};
    (void)fails(&from);
    tsr_error_copy(&to, &from);
    assert_int_equal(to.status, TSR_ERR_SHAPE);
    assert_string_equal(to.message, from.message);
    tsr_error_copy(NULL, &from);
    tsr_error_copy(&to, NULL);
    assert_string_equal(to.message, from.message);
}

enum fruit { APPLE, PEAR };
static const char *const fruits[] = {"apple", "pear"};
const char *fruit_name(enum fruit value);
enum tsr_status fruit_parse(const char *text, enum fruit *out, struct tsr_error *err);
TSR_DEFINE_NAMES(fruit, fruit, fruits, "fruit")

static void a_value_without_a_name(void **state) {
    (void)state;
    enum fruit value = APPLE;
    assert_int_equal(fruit_parse("pear", &value, NULL), TSR_OK);
    assert_string_equal(fruit_name(value), "pear");
    assert_string_equal(fruit_name((enum fruit)2), "?");
    assert_string_equal(fruit_name((enum fruit) - 1), "?");
}

static void every_status_has_a_name(void **state) {
    (void)state;
    for (int s = TSR_OK; s <= TSR_ERR_UNSUPPORTED; s++) {
        const char *name = tsr_status_name((enum tsr_status)s);
        assert_non_null(name);
        assert_string_not_equal(name, "unknown status");
    }
    assert_string_equal(tsr_status_name((enum tsr_status)1000), "unknown status");
}

static void names(void **state) {
    (void)state;
    static const char *const known[] = {"maml", "fomaml", "reptile"};
    struct tsr_error err = {0};
    size_t index = 99;
    assert_int_equal(tsr_name_parse("reptile", known, 3, "method", &index, &err), TSR_OK);
    assert_int_equal(index, 2);
    assert_int_equal(tsr_name_parse("mam", known, 3, "method", &index, &err), TSR_ERR_NOT_FOUND);
    assert_int_equal(index, 2);
    assert_non_null(strstr(err.message, "\"mam\""));
    assert_non_null(strstr(err.message, "maml, fomaml, reptile"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_says_what_and_where),
        cmocka_unit_test(error_may_be_null),
        cmocka_unit_test(prefix_keeps_the_rest),
        cmocka_unit_test(long_text_is_cut),
        cmocka_unit_test(a_long_prefix_leaves_the_message),
        cmocka_unit_test(a_prefix_is_cut_between_characters),
        cmocka_unit_test(an_error_is_copied),
        cmocka_unit_test(every_status_has_a_name),
        cmocka_unit_test(names),
        cmocka_unit_test(a_value_without_a_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
