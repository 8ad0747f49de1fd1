/* SPDX-License-Identifier: MIT
 *
 * JSON text: commas, nesting, escapes, numbers that JSON lacks.
 */
#include "tests/check.h"

#include "cli/json.h"

static void same(struct cli_json *j, const char *expected) {
    MUST(cli_json_finish(j, err));
    assert_int_equal(j->size, strlen(expected));
    assert_memory_equal(j->text, expected, j->size);
    cli_json_clear(j);
}

static void values(void **state) {
    (void)state;
    struct cli_json j = {0};
    cli_json_open(&j, NULL, '{');
    cli_json_string(&j, "text", "a \"b\" \\ \n\t\x01 \xc3\xa9");
    cli_json_string(&j, "none", NULL);
    cli_json_number(&j, "third", 1.0 / 4);
    cli_json_number(&j, "nan", (double)NAN);
    cli_json_number(&j, "infinite", (double)INFINITY);
    cli_json_integer(&j, "large", UINT64_MAX);
    cli_json_numbers(&j, "list", (const double[]){1, 2.5, (double)NAN}, 3);
    cli_json_numbers(&j, "empty", NULL, 0);
    cli_json_close(&j, '}');
    same(&j,
         "{\n  \"text\": \"a \\\"b\\\" \\\\ \\u000a\\u0009\\u0001 \xc3\xa9\",\n  \"none\": null,\n"
         "  \"third\": 0.25,\n  \"nan\": null,\n  \"infinite\": null,\n"
         "  \"large\": 18446744073709551615,\n  \"list\": [1, 2.5, null],\n"
         "  \"empty\": []\n}\n");
}

static void nesting(void **state) {
    (void)state;
    struct cli_json j = {0};
    cli_json_open(&j, NULL, '[');
    for (uint64_t i = 0; i < 2; i++) {
        cli_json_open(&j, NULL, '{');
        cli_json_integer(&j, "i", i);
        cli_json_open(&j, "inner", '{');
        cli_json_close(&j, '}');
        cli_json_close(&j, '}');
    }
    cli_json_close(&j, ']');
    same(&j, "[\n  {\n    \"i\": 0,\n    \"inner\": {}\n  },\n  {\n    \"i\": 1,\n"
             "    \"inner\": {}\n  }\n]\n");
}

/* Settings by group, objects with their parameters. */
static const struct tsr_param params[] = {{.name = "omega", .hi = 99, .fallback = 30}};
static const struct tsr_object wave = {"wave", "", TSR_PARAMS(params)};
static const struct tsr_object *const objects[] = {&wave};
static const struct tsr_registry registry = {"thing", objects, 1};

static void settings(void **state) {
    (void)state;
    struct cli_json j = {0};
    struct cli_json_settings s = {.json = &j};
    struct tsr_choice choice = tsr_choice_of(&wave);
    size_t width = 32;
    double rate = 0.5;
    const struct tsr_setting table[] = {
        TSR_SETTING("network", "kind", CHOICE, &choice, .registry = &registry),
        TSR_SETTING("network", "width", SIZE, &width),
        TSR_SETTING("inner", "rate", REAL, &rate),
    };
    cli_json_open(&j, NULL, '{');
    MUST(TSR_SETTINGS_VISIT(table, cli_json_setting, &s, err));
    cli_json_settings_end(&s);
    cli_json_close(&j, '}');
    same(&j, "{\n  \"network\": {\n    \"kind\": \"wave\",\n    \"omega\": 30,\n    \"width\": 32\n"
             "  },\n  \"inner\": {\n    \"rate\": 0.5\n  }\n}\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values),
        cmocka_unit_test(nesting),
        cmocka_unit_test(settings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
