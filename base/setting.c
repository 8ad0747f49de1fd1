/* SPDX-License-Identifier: MIT */
#include "base/setting.h"

#include <stdio.h>
#include <string.h>

enum some_enumeration { SOME };
_Static_assert(sizeof(enum some_enumeration) == sizeof(int), "enumerations have the size of int");

enum tsr_status tsr_settings_visit(const struct tsr_setting *settings, size_t n, tsr_setting_fn fn,
                                   void *user, struct tsr_error *err) {
    for (size_t i = 0; i < n; i++)
        TSR_TRY(fn(user, &settings[i], err));
    return TSR_OK;
}

int tsr_setting_number(const struct tsr_setting *setting) {
    int number;
    memcpy(&number, setting->value, sizeof number);
    return number;
}

static enum tsr_status check_name(const struct tsr_setting *s, struct tsr_error *err) {
    int number = tsr_setting_number(s);
    if (number >= 0 && (size_t)number < s->names->n) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_CONFIG,
                     "%s: %s is number %d; it must be one of 0 (%s) to %zu (%s)", s->group, s->name,
                     number, s->names->name[0], s->names->n - 1, s->names->name[s->names->n - 1]);
}

enum tsr_status tsr_setting_check(void *user, const struct tsr_setting *s, struct tsr_error *err) {
    (void)user;
    if (s->type == TSR_SETTING_NAME) return check_name(s, err);
    if (s->type == TSR_SETTING_CHOICE) return tsr_choice_check(s->registry, s->value, err);
    return TSR_OK;
}

bool tsr_setting_equal(const struct tsr_setting *a, const struct tsr_setting *b) {
    switch (a->type) {
    case TSR_SETTING_SIZE:
        return *(const size_t *)a->value == *(const size_t *)b->value;
    case TSR_SETTING_U64:
        return *(const uint64_t *)a->value == *(const uint64_t *)b->value;
    case TSR_SETTING_REAL:
        return *(const double *)a->value == *(const double *)b->value;
    case TSR_SETTING_NAME:
        return tsr_setting_number(a) == tsr_setting_number(b);
    case TSR_SETTING_CHOICE:
        break;
    }
    return tsr_choice_equal(a->value, b->value);
}

void tsr_setting_print(const struct tsr_setting *s, char *out, size_t size) {
    int number;
    switch (s->type) {
    case TSR_SETTING_SIZE:
        (void)snprintf(out, size, "%zu", *(const size_t *)s->value);
        return;
    case TSR_SETTING_U64:
        (void)snprintf(out, size, "%llu", (unsigned long long)*(const uint64_t *)s->value);
        return;
    case TSR_SETTING_REAL:
        (void)snprintf(out, size, "%.10g", *(const double *)s->value);
        return;
    case TSR_SETTING_NAME:
        number = tsr_setting_number(s);
        (void)snprintf(out, size, "%s",
                       number >= 0 && (size_t)number < s->names->n ? s->names->name[number] : "?");
        return;
    case TSR_SETTING_CHOICE:
        tsr_choice_describe(s->value, out, size);
        return;
    }
}
