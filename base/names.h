/* SPDX-License-Identifier: MIT
 *
 * Names of enumerations: one array of strings serves printing, parsing and the error message.
 */
#ifndef TSR_BASE_NAMES_H
#define TSR_BASE_NAMES_H

#include "base/status.h"

/* The names of an enumeration by number; what it is, for messages. */
struct tsr_names {
    const char *what;
    const char *const *name; /* [n] */
    size_t n;
};

/* The index of `text` in names [n]. TSR_ERR_NOT_FOUND says `what` was looked for, lists the
 * names, and says which was probably meant. */
TSR_API enum tsr_status tsr_name_parse(const char *text, const char *const *names, size_t n,
                                       const char *what, size_t *index,
                                       struct tsr_error *err) TSR_MUST_USE;

/* The name of names [n] that `text` was probably meant to be: few letters away; NULL: none is. */
TSR_API const char *tsr_name_nearest(const char *text, const char *const *names, size_t n);

/* Defines, over the array NAMES,
 *
 *     const char *PREFIX_name(enum ENUM);      "?" for a value without a name
 *     enum tsr_status PREFIX_parse(const char *, enum ENUM *, struct tsr_error *);
 *     const struct tsr_names PREFIX_names;
 */
#define TSR_DEFINE_NAMES(PREFIX, ENUM, NAMES, WHAT)                                                \
    const struct tsr_names PREFIX##_names = {WHAT, NAMES, sizeof NAMES / sizeof *NAMES};           \
    const char *PREFIX##_name(enum ENUM value) {                                                   \
        return (size_t)value < sizeof NAMES / sizeof *NAMES ? NAMES[value] : "?";                  \
    }                                                                                              \
    enum tsr_status PREFIX##_parse(const char *text, enum ENUM *out, struct tsr_error *err) {      \
        size_t index = 0;                                                                          \
        TSR_TRY(tsr_name_parse(text, NAMES, sizeof NAMES / sizeof *NAMES, WHAT, &index, err));     \
        *out = (enum ENUM)index;                                                                   \
        return TSR_OK;                                                                             \
    }

#endif
