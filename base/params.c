/* SPDX-License-Identifier: MIT */
#include "base/params.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/names.h"

static size_t n_choices(const struct tsr_param *row) {
    size_t n = 0;
    while (row->choices[n])
        n++;
    return n;
}

void tsr_params_default(const struct tsr_params *params, double *value) {
    for (size_t i = 0; i < params->n; i++)
        value[i] = params->row[i].fallback;
}

static enum tsr_status check_row(const char *what, const struct tsr_param *row, double value,
                                 struct tsr_error *err) {
    bool choice = row->type == TSR_PARAM_CHOICE;
    double lo = choice ? 0 : row->lo, hi = choice ? (double)n_choices(row) - 1 : row->hi;
    bool whole = row->type == TSR_PARAM_NUMBER || value == floor(value);
    if (value >= lo && value <= hi && whole) return TSR_OK; /* false for NaN */
    return TSR_ERROR(err, TSR_ERR_CONFIG, "%s: %s is %.15g; it must be %s%.15g to %.15g", what,
                     row->name, value, row->type == TSR_PARAM_NUMBER ? "" : "a whole number, ", lo,
                     hi);
}

enum tsr_status tsr_params_check(const char *what, const struct tsr_params *params,
                                 const double *value, struct tsr_error *err) {
    for (size_t i = 0; i < params->n; i++)
        TSR_TRY(check_row(what, &params->row[i], value[i], err));
    return TSR_OK;
}

size_t tsr_params_find(const struct tsr_params *params, const char *name) {
    size_t i = 0;
    while (i < params->n && strcmp(params->row[i].name, name) != 0)
        i++;
    return i;
}

double tsr_params_get(const struct tsr_params *params, const double *value, const char *name) {
    size_t i = tsr_params_find(params, name);
    return i < params->n ? value[i] : (double)NAN;
}

enum tsr_status tsr_param_parse_choice(const struct tsr_param *row, const char *text, double *value,
                                       struct tsr_error *err) {
    size_t index = 0;
    TSR_TRY(tsr_name_parse(text, row->choices, n_choices(row), row->name, &index, err));
    *value = (double)index;
    return TSR_OK;
}

bool tsr_param_is_tacit(const struct tsr_param *row, double value) {
    return row->derived && row->type == TSR_PARAM_CHOICE && !(value > row->fallback);
}

void tsr_param_print(const struct tsr_param *row, double value, char *out, size_t size) {
    if (row->type == TSR_PARAM_CHOICE && value >= 0 && value < (double)n_choices(row))
        (void)snprintf(out, size, "%s", row->choices[(size_t)value]);
    else
        (void)snprintf(out, size, "%.10g", value);
}
