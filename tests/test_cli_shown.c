/* SPDX-License-Identifier: MIT */
#include "check.h"

#include <stdlib.h>
#include <string.h>

#include "cli/shown.h"

static void harmless_text_is_itself(void **state) {
    (void)state;
    static const char *const texts[] = {"", "a b\\c\"'~", "\xc3\xa9t\xc3\xa9.png",
                                        "\xe6\x97\xa5\xe6\x9c\xac", "\xf0\x9f\x96\xbc"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_ptr_equal(cli_shown(texts[i]), texts[i]);
    assert_string_equal(cli_field(texts[1]), "a b\\\\c\"'~");
}

static void what_is_obeyed_is_escaped(void **state) {
    (void)state;
    static const char *const texts[][2] = {
        {"\x1b[31m", "\\x1b[31m"},
        {"a\nb\tc\rd", "a\\nb\\tc\\rd"},
        {"\x7f", "\\x7f"},
        {"\\\n", "\\\\\\n"},
        {"\xc2\x9b"
         "31m",
         "\\u009b31m"},
        {"\x9b"
         "31m",
         "\\x9b31m"},
        {"\xe2\x80\xae"
         "gpj.exe",
         "\\u202egpj.exe"},
        {"\xe2\x81\xa6", "\\u2066"},
        {"\xe2\x80\xa8", "\\u2028"},
        {"\xc3", "\\xc3"},
        {"\xc3(", "\\xc3("},
        {"\xc0\xaf", "\\xc0\\xaf"}, /* longer than needed */
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"} /* half of a pair */,
        {"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
        {"\xc3\xa9\n", "\xc3\xa9\\n"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        assert_string_equal(cli_shown(texts[i][0]), texts[i][1]);
}

static void no_text_gets_a_control_through(void **state) {
    (void)state;
    char text[64];
    srand(1);
    for (int trial = 0; trial < 20000; trial++) {
        for (size_t i = 0; i < sizeof text - 1; i++)
            text[i] = (char)(rand() % 4 ? 0x80 + rand() % 0x80 : 1 + rand() % 0x7f);
        text[sizeof text - 1] = '\0';
        const char *shown = cli_shown(text);
        for (const char *s = shown; *s;) {
            size_t n = cli_utf8_length(s);
            assert_true(n > 0);
            assert_false(cli_is_control(s, n));
            s += n;
        }
    }
}

static void long_text_is_cut(void **state) {
    (void)state;
    char text[10000];
    memset(text, '\x1b', sizeof text);
    text[sizeof text - 1] = '\0';
    const char *shown = cli_shown(text);
    size_t n = strlen(shown);
    assert_in_range(n, 4000, 4095);
    assert_string_equal(shown + n - 7, "\\x1b...");
}

static void copies_last(void **state) {
    (void)state;
    const char *shown[16];
    char text[] = "a\n", expected[] = "a\\n";
    for (int i = 0; i < 16; i++) {
        text[0] = (char)('a' + i);
        shown[i] = cli_shown(text);
    }
    for (int i = 0; i < 16; i++) {
        expected[0] = (char)('a' + i);
        assert_string_equal(shown[i], expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(harmless_text_is_itself),
        cmocka_unit_test(what_is_obeyed_is_escaped),
        cmocka_unit_test(no_text_gets_a_control_through),
        cmocka_unit_test(long_text_is_cut),
        cmocka_unit_test(copies_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
