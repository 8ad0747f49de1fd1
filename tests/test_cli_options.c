/* SPDX-License-Identifier: MIT
 *
 * Options of objects, over a registry made for this test: what they become, what the parser takes
 * and refuses, what --help says. And that the tables of all commands are sound.
 */
#define _POSIX_C_SOURCE 200809L /* open_memstream() */
#include "tests/check.h"

#include "cli/option_text.h"
#include "cli/option_values.h"

/* ---- a registry and a command ---------------------------------------------------------------- */

static const char *const moods[] = {"calm", "wild", NULL};
static const struct tsr_param sea_params[] = {
    {.name = "rows",
     .metavar = "R",
     .type = TSR_PARAM_COUNT,
     .fallback = 2,
     .lo = 1,
     .hi = 9,
     .positional = true},
    {.name = "cols",
     .metavar = "C",
     .type = TSR_PARAM_COUNT,
     .fallback = 3,
     .lo = 1,
     .hi = 9,
     .positional = true},
    {.name = "wave_length",
     .metavar = "L",
     .fallback = 5,
     .lo = 1,
     .hi = 10,
     .help = "length of a wave"},
    {.name = "mood", .type = TSR_PARAM_CHOICE, .choices = moods, .help = "how it is"},
};
static const struct tsr_param lake_params[] = {
    {.name = "wave_length",
     .metavar = "L",
     .fallback = 1,
     .lo = 0,
     .hi = 2,
     .help = "length of a wave"},
    {.name = "depth",
     .option = "deep",
     .metavar = "N",
     .type = TSR_PARAM_COUNT,
     .fallback = 4,
     .hi = 100,
     .help = "metres"},
    {.name = "found", .type = TSR_PARAM_COUNT, .derived = true},
};
static const struct tsr_object sea = {"sea", "salt water", TSR_PARAMS(sea_params)},
                               lake = {"lake", "sweet water", TSR_PARAMS(lake_params)},
                               pond = {.name = "pond", .about = "small"};
static const struct tsr_object *const waters[] = {&sea, &lake, &pond};
static const struct tsr_registry registry = {"water", waters, 3};

struct args {
    struct cli_common common;
    struct tsr_choice water;
};

static void by_name_default(void *args) {
    ((struct args *)args)->water = tsr_choice_of(&lake);
}

static const struct cli_option by_name_options[] = {
    {.name = "water",
     .metavar = "KIND",
     .type = CLI_OBJECT,
     .registry = &registry,
     .at = offsetof(struct args, water),
     .help = "what to swim in"},
    {.type = CLI_END},
};
static const struct cli_command by_name = {.name = "swim",
                                           .operands = "",
                                           .about = "Swims.",
                                           .options = by_name_options,
                                           .args_size = sizeof(struct args),
                                           .defaults = by_name_default};
static const struct cli_option named_options[] = {
    {.type = CLI_NAMED_OBJECT, .registry = &registry, .at = offsetof(struct args, water)},
    {.type = CLI_END},
};
static const struct cli_command named = {.name = "row",
                                         .operands = "",
                                         .about = "Rows.",
                                         .options = named_options,
                                         .args_size = sizeof(struct args)};

/* ---- parsing --------------------------------------------------------------------------------- */

struct parsed {
    enum tsr_status status;
    struct args args;
    char message[sizeof(((struct tsr_error *)0)->message)];
    bool chosen;
};

/* Words end with NULL. */
static struct parsed parse(const struct cli_command *command, const char *const *words) {
    struct parsed p = {0};
    struct cli_call call = {.command = command, .args = &p.args};
    struct cli_table *table = cli_table_create(command);
    const char *operands[16];
    size_t n = 0;
    bool help;
    while (words[n])
        n++;
    call.table = table;
    if (command->defaults) command->defaults(&p.args);
    p.status = cli_parse(&call, n, words, operands, &help);
    p.chosen = cli_chosen(&call, &registry);
    memcpy(p.message, call.err.message, sizeof p.message);
    free(table);
    return p;
}
#define PARSE(command, ...) parse(&(command), (const char *const[]){__VA_ARGS__, NULL})

static void described(struct parsed p, const char *expected) {
    char text[128];
    if (p.status != TSR_OK) fail_msg("%s", p.message);
    tsr_choice_describe(&p.args.water, text, sizeof text);
    assert_string_equal(text, expected);
}

static void refused(struct parsed p, const char *text) {
    assert_int_equal(p.status, TSR_ERR_CONFIG);
    if (!strstr(p.message, text)) fail_msg("\"%s\" lacks \"%s\"", p.message, text);
}

static void objects_by_name(void **state) {
    (void)state;
    described(parse(&by_name, (const char *const[]){NULL}),
              "lake, wave_length 1, depth 4, found 0");
    described(PARSE(by_name, "--water", "pond"), "pond");
    described(PARSE(by_name, "--wave-length=7.5", "--water", "sea", "--mood", "wild"),
              "sea 2x3, wave_length 7.5, mood wild");
    described(PARSE(by_name, "--deep", "9"), "lake, wave_length 1, depth 9, found 0");
    assert_true(PARSE(by_name, "--water", "lake").chosen);
    assert_false(PARSE(by_name, "--deep", "9").chosen);
}

static void objects_by_their_own_names(void **state) {
    (void)state;
    described(PARSE(named, "--sea", "4x5"), "sea 4x5, wave_length 5, mood calm");
    described(PARSE(named, "--mood", "wild", "--sea=1x1"), "sea 1x1, wave_length 5, mood wild");
    described(PARSE(named, "--sea", "4X5"), "sea 4x5, wave_length 5, mood calm");
    described(PARSE(named, "--sea", "4"), "sea 4x4, wave_length 5, mood calm");
    described(PARSE(named, "--pond"), "pond");
    struct parsed nothing = parse(&named, (const char *const[]){NULL});
    assert_int_equal(nothing.status, TSR_OK);
    assert_null(nothing.args.water.object);
    assert_false(nothing.chosen);
}

static void misuse(void **state) {
    (void)state;
    refused(PARSE(by_name, "--water", "fire"),
            "--water: water \"fire\" is unknown; known are sea,");
    refused(PARSE(by_name, "--water", "pond", "--deep", "1"),
            "--deep has no meaning with --water pond; it is for --water lake");
    refused(PARSE(by_name, "--mood", "calm"), "it is for --water sea");
    refused(PARSE(by_name, "--wave-length", "3"), "--wave-length: 3 is above 2");
    refused(PARSE(by_name, "--water", "sea", "--wave-length", "0"), "--wave-length: 0 is below 1");
    refused(PARSE(by_name, "--water", "sea", "--wave-length", "x"), "\"x\" is not a number");
    refused(PARSE(by_name, "--deep", "1.5"), "is not a whole number");
    refused(PARSE(by_name, "--water", "sea", "--mood", "sad"), "--mood");
    refused(PARSE(by_name, "--found", "1"), "unknown option --found");
    refused(PARSE(by_name, "--rows", "1"), "unknown option --rows");
    refused(PARSE(named, "--sea", "4x5", "--pond"), "--sea and --pond exclude each other");
    refused(PARSE(named, "--sea", "4x"), "--sea: \"4x\" is not RxC");
    refused(PARSE(named, "--sea", "4x10"), "--sea: 10 is above 9");
    refused(PARSE(named, "--sea", "0x1"), "--sea: 0 is below 1");
    refused(PARSE(named, "--pond=1"), "--pond takes no value");
    refused(PARSE(named, "--mood", "wild"), "--mood is for --sea, which is missing");
    refused(PARSE(named, "--pond", "--wave-length", "1"),
            "--wave-length has no meaning with --pond; it is for --sea, --lake");
    refused(PARSE(named, "--pond", "--pond"), "given twice");
}

/* ---- values ---------------------------------------------------------------------------------- */

static void whole(const char *text, uint64_t expected) {
    const struct cli_option option = {.name = "n", .type = CLI_U64};
    uint64_t value;
    MUST(cli_set_value(&option, text, &value, err));
    if (value != expected) fail_msg("%s is %llu", text, (unsigned long long)value);
}

static void duration(const char *text, double expected) {
    const struct cli_option option = {.name = "time", .type = CLI_DURATION};
    double value;
    MUST(cli_set_value(&option, text, &value, err));
    if (fabs(value - expected) > 1e-9 * expected) fail_msg("%s is %g", text, value);
}

static void extents(const char *text, size_t height, size_t width) {
    const struct cli_option option = {.name = "size", .metavar = "HxW", .type = CLI_PAIR};
    size_t value[2];
    MUST(cli_set_value(&option, text, value, err));
    if (value[0] != height || value[1] != width)
        fail_msg("%s is %zux%zu", text, value[0], value[1]);
}

static void values_as_they_are_typed(void **state) {
    (void)state;
    whole("18446744073709551615", UINT64_MAX);
    whole("1e3", 1000);
    whole("10k", 10000);
    whole("1.5k", 1500);
    whole("2M", 2000000);
    duration("90", 90);
    duration("90s", 90);
    duration("1.5h", 5400);
    duration("1h30m", 5400);
    duration("1d2h3m4s", 93784);
    extents("48x64", 48, 64);
    extents("48X64", 48, 64);
    extents("48\xC3\x97"
            "64",
            48, 64);
    extents("64", 64, 64);
}

/* ---- text ------------------------------------------------------------------------------------ */

static char *printed(const struct cli_command *command, bool man) {
    char *text = NULL;
    size_t size;
    FILE *to = open_memstream(&text, &size);
    assert_non_null(to);
    if (man)
        cli_print_man(command, to);
    else
        cli_print_help(command, 96, to);
    (void)fclose(to);
    return text;
}

static void has(const char *text, const char *part) {
    if (!strstr(text, part)) fail_msg("lacks \"%s\":\n%s", part, text);
}

static void help_of_objects(void **state) {
    (void)state;
    char *text = printed(&by_name, false);
    has(text, "  --water KIND            what to swim in: sea:RxC (salt water), lake (sweet water) "
              "or pond\n                          (small) [lake]\n");
    has(text, "  --wave-length L         sea, lake: length of a wave [sea 5, lake 1]\n");
    has(text, "  --mood KIND             sea: how it is: calm or wild [calm]\n");
    has(text, "  --deep N                lake: metres [4]\n");
    free(text);
    text = printed(&named, false);
    has(text, "  --sea RxC               salt water\n");
    has(text, "  --pond                  small\n");
    free(text);
    text = printed(&named, true);
    has(text, ".TP\n\\fB\\-\\-sea\\fR \\fIRxC\\fR\nSalt water.\n");
    has(text, ".SS All commands\n");
    free(text);
}

/* No name twice, help for all, room left, choices that pass their own checks. */
static void all_commands(void **state) {
    (void)state;
    for (const struct cli_command *const *c = cli_commands; *c; c++) {
        struct cli_table *t = cli_table_create(*c);
        assert_non_null(t);
        assert_true(t->n + 8 < CLI_MAX_OPTIONS);
        for (size_t i = 0; i < t->n; i++) {
            const struct cli_option *o = &t->option[i];
            if (o->type == CLI_HEADING || o->type == CLI_HIDDEN) continue;
            if (cli_table_find(t, o->name, 0) != o) fail_msg("%s --%s", (*c)->name, o->name);
            if (o->alias) assert_ptr_equal(cli_table_find(t, NULL, o->alias), o);
            if (o->type != CLI_PARAM && o->type != CLI_OBJECT) assert_non_null(o->help);
        }
        free(t);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_by_name), cmocka_unit_test(objects_by_their_own_names),
        cmocka_unit_test(misuse),          cmocka_unit_test(values_as_they_are_typed),
        cmocka_unit_test(help_of_objects), cmocka_unit_test(all_commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
