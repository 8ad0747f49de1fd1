/* SPDX-License-Identifier: MIT
 *
 * Tables of parameters: what an object (a network kind, a partition rule, an outer method, an
 * adaptation, a test-time optimiser) can be told. One table drives the options of the program, its
 * help, man pages and completion, the JSON it writes and the attributes of files.
 *
 * Values stand in an array of doubles, value i for row i of the table: whole numbers up to 2^53 are
 * exact in it, and a choice is the index of its name.
 *
 *     static const struct tsr_param params[] = {
 *         {.name = "omega", .type = TSR_PARAM_NUMBER, .fallback = 30, .lo = 1e-3, .hi = 1e4,
 *          .metavar = "W", .help = "frequency of the hidden layers"},
 *     };
 */
#ifndef TSR_BASE_PARAMS_H
#define TSR_BASE_PARAMS_H

#include <stdbool.h>

#include "base/status.h"

/* Most rows of a table. */
#define TSR_MAX_PARAMS 8

enum tsr_param_type {
    TSR_PARAM_NUMBER, /* real */
    TSR_PARAM_COUNT,  /* whole */
    TSR_PARAM_CHOICE, /* one of `choices` */
};

struct tsr_param {
    const char *name;    /* of the attribute in files and of the key in JSON, e.g. "omega_first" */
    const char *option;  /* of the option, without dashes; NULL: the name with '-' for '_' */
    const char *metavar; /* what stands for the value in help, e.g. "W"; NULL for a choice */
    enum tsr_param_type type;
    double fallback, lo, hi;    /* default and inclusive range; ignored for the range of a choice */
    const char *const *choices; /* ends with NULL */
    bool optional;              /* a file that lacks it means the default */
    /* Given in the value of the option that chooses the object (--grid 8x8), not by its own. */
    bool positional;
    bool derived; /* found from the data: no option gives it, and its default may be out of range */
    const char *help; /* one line, no full stop */
};

struct tsr_params {
    const struct tsr_param *row; /* [n]; static storage */
    size_t n;                    /* at most TSR_MAX_PARAMS */
};
#define TSR_PARAMS(table)                                                                          \
    { (table), sizeof(table) / sizeof *(table) }

/* value [n] = the defaults. */
TSR_API void tsr_params_default(const struct tsr_params *params, double *value);

/* Each value of value [n] finite, in range, whole where it is to be. TSR_ERR_CONFIG names `what`,
 * the parameter, the value found and the rule. */
TSR_API enum tsr_status tsr_params_check(const char *what, const struct tsr_params *params,
                                         const double *value, struct tsr_error *err) TSR_MUST_USE;

/* Row of the parameter of this name; params->n if there is none. */
TSR_API size_t tsr_params_find(const struct tsr_params *params, const char *name);

/* Value of the parameter `name`, which the table must have (NaN otherwise). */
TSR_API double tsr_params_get(const struct tsr_params *params, const double *value,
                              const char *name);

/* The index of `text` among the choices of a row. TSR_ERR_NOT_FOUND lists them. */
TSR_API enum tsr_status tsr_param_parse_choice(const struct tsr_param *row, const char *text,
                                               double *value, struct tsr_error *err) TSR_MUST_USE;

/* A choice that was found from the data and is the usual one: descriptions leave it out. */
TSR_API bool tsr_param_is_tacit(const struct tsr_param *row, double value);

/* The value as it is written: "30", "color". out [size], terminated. */
TSR_API void tsr_param_print(const struct tsr_param *row, double value, char *out, size_t size);

#endif
