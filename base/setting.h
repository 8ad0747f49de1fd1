/* SPDX-License-Identifier: MIT
 *
 * One description of a struct of settings, for all who write, read or show it.
 *
 * A struct of settings has one visitor, `tsr_..._visit(config, fn, user, err)`, which calls `fn`
 * once for each setting, in the order in which a reader wants to see them. Files, JSON and printing
 * are each such an `fn`.
 */
#ifndef TSR_BASE_SETTING_H
#define TSR_BASE_SETTING_H

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
    const char *const *names;
    size_t n_names;
    const struct tsr_registry *registry;
    bool optional; /* a file that lacks it keeps the value */
};

typedef enum tsr_status (*tsr_setting_fn)(void *user, const struct tsr_setting *setting,
                                          struct tsr_error *err);

#endif
