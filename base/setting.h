/* SPDX-License-Identifier: MIT
 *
 * One description of a struct of settings, for all who write, read, check or show it.
 *
 * A struct of settings has one visitor, `tsr_..._visit(config, fn, user, err)`, which calls `fn`
 * once for each setting, in the order in which a reader wants to see them. Files, JSON, printing
 * and checking are each such an `fn`.
 */
#ifndef TSR_BASE_SETTING_H
#define TSR_BASE_SETTING_H

#include "base/names.h"
#include "base/object.h"

enum tsr_setting_type {
    TSR_SETTING_SIZE,   /* size_t */
    TSR_SETTING_U64,    /* uint64_t */
    TSR_SETTING_REAL,   /* double */
    TSR_SETTING_NAME,   /* an enumeration, one of `names` by its number */
    TSR_SETTING_CHOICE, /* struct tsr_choice, an object of `registry` with its parameters */
};

struct tsr_setting {
    const char *group; /* of the file and of JSON, without slash: "network", "inner", "outer" */
    const char *name;  /* "width" */
    enum tsr_setting_type type;
    void *value; /* of the type above; an `fn` that reads files writes to it */
    const struct tsr_names *names;
    const struct tsr_registry *registry;
    bool optional;    /* a file that lacks it keeps the value */
    bool one_is_none; /* 1 is what it is without, and people are not shown it */
};

typedef enum tsr_status (*tsr_setting_fn)(void *user, const struct tsr_setting *setting,
                                          struct tsr_error *err);

/* A row of a table of settings. */
#define TSR_SETTING(group_, name_, type_, at, ...)                                                 \
    { .group = (group_), .name = (name_), .type = TSR_SETTING_##type_, .value = (at), __VA_ARGS__ }

/* fn for each row of settings [n], up to the first that fails. */
TSR_API enum tsr_status tsr_settings_visit(const struct tsr_setting *settings, size_t n,
                                           tsr_setting_fn fn, void *user, struct tsr_error *err);
#define TSR_SETTINGS_VISIT(table, fn, user, err)                                                   \
    tsr_settings_visit((table), sizeof(table) / sizeof *(table), (fn), (user), (err))

/* The number of an enumeration, whose type only its owner knows. */
TSR_API int tsr_setting_number(const struct tsr_setting *setting);

/* An fn that checks what can be checked without knowing the meaning: enumerations are one of their
 * names, choices an object of the registry with values in range. user is not used.
 * TSR_ERR_CONFIG. */
TSR_API enum tsr_status tsr_setting_check(void *user, const struct tsr_setting *setting,
                                          struct tsr_error *err);

/* Have two settings of one type the same value? */
TSR_API bool tsr_setting_equal(const struct tsr_setting *a, const struct tsr_setting *b);

/* The value as text: "32", "per-region", "siren, omega_first 15, omega_hidden 30". out [size],
 * terminated. */
TSR_API void tsr_setting_print(const struct tsr_setting *setting, char *out, size_t size);

#endif
