/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/object.h"

static const char *const merges[] = {"color", "area", NULL};
static const struct tsr_param segment_params[] = {
    {.name = "n", .type = TSR_PARAM_COUNT, .fallback = 9, .lo = 1, .hi = 65535, .positional = true},
    {.name = "merge", .type = TSR_PARAM_CHOICE, .choices = merges},
    {.name = "weight", .type = TSR_PARAM_NUMBER, .fallback = 0.5, .lo = 0, .hi = 1},
};
static const struct tsr_object segment = {"segment", "pieces", TSR_PARAMS(segment_params)};
static const struct tsr_object whole = {.name = "whole", .about = "one piece"};
static const struct tsr_object stranger = {.name = "stranger", .about = "of no registry"};
static const struct tsr_object *const objects[] = {&whole, &segment};
static const struct tsr_registry registry = {"rule", objects, 2};

static void objects_are_found_by_name(void **state) {
    (void)state;
    const struct tsr_object *found = NULL;
    struct tsr_error err = {0};
    assert_int_equal(tsr_registry_find(&registry, "segment", &found, NULL), TSR_OK);
    assert_ptr_equal(found, &segment);
    assert_int_equal(tsr_registry_find(&registry, "segments", &found, &err), TSR_ERR_NOT_FOUND);
    assert_string_equal(err.message, "rule \"segments\" is unknown; known are whole, segment; "
                                     "did you mean segment?");
}

static void defaults_pass_and_values_are_reached_by_name(void **state) {
    (void)state;
    struct tsr_choice c = tsr_choice_of(&segment), d = c;
    char text[64];
    assert_int_equal(tsr_choice_check(&registry, &c, NULL), TSR_OK);
    assert_true(tsr_choice_get(&c, "n") == 9);
    assert_true(tsr_choice_set(&c, "n", 12));
    assert_true(tsr_choice_get(&c, "n") == 12 && !tsr_choice_equal(&c, &d));
    assert_false(tsr_choice_set(&c, "m", 12));
    assert_true(isnan(tsr_choice_get(&c, "m")));
    tsr_choice_describe(&c, text, sizeof text);
    assert_string_equal(text, "segment 12, merge color, weight 0.5");
    tsr_choice_describe(&c, text, 10); /* cut, terminated */
    assert_string_equal(text, "segment 1");
}

static void refuse(const char *name, double value, const char *message) {
    struct tsr_choice c = tsr_choice_of(&segment);
    struct tsr_error err = {0};
    assert_true(tsr_choice_set(&c, name, value));
    assert_int_equal(tsr_choice_check(&registry, &c, &err), TSR_ERR_CONFIG);
    assert_string_equal(err.message, message);
}

static void bad_values_are_named(void **state) {
    (void)state;
    refuse("n", 0, "segment: n is 0; it must be a whole number, 1 to 65535");
    refuse("n", 2.5, "segment: n is 2.5; it must be a whole number, 1 to 65535");
    refuse("merge", 2, "segment: merge is 2; it must be a whole number, 0 to 1");
    refuse("weight", -0.25, "segment: weight is -0.25; it must be 0 to 1");
    refuse("weight", (double)NAN, "segment: weight is nan; it must be 0 to 1");
}

static void strangers_are_refused(void **state) {
    (void)state;
    struct tsr_choice none = {0}, other = {.object = &stranger};
    struct tsr_error err = {0};
    assert_int_equal(tsr_choice_check(&registry, &none, &err), TSR_ERR_CONFIG);
    assert_int_equal(tsr_choice_check(&registry, &other, &err), TSR_ERR_CONFIG);
    assert_string_equal(err.message, "rule is not set");
}

static void choices_are_parsed(void **state) {
    (void)state;
    double value = -1;
    assert_int_equal(tsr_param_parse_choice(&segment_params[1], "area", &value, NULL), TSR_OK);
    assert_true(value == 1);
    assert_int_equal(tsr_param_parse_choice(&segment_params[1], "", &value, NULL),
                     TSR_ERR_NOT_FOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_found_by_name),
        cmocka_unit_test(defaults_pass_and_values_are_reached_by_name),
        cmocka_unit_test(bad_values_are_named),
        cmocka_unit_test(strangers_are_refused),
        cmocka_unit_test(choices_are_parsed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
