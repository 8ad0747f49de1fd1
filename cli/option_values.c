/* SPDX-License-Identifier: MIT */
#include "cli/option_values.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"

/* ---- from text ------------------------------------------------------------------------------- */

static enum tsr_status check_bounds(const struct cli_option *o, double value, const char *text,
                                    struct tsr_error *err) {
    if (o->positive && !(value > 0))
        return TSR_ERROR(err, TSR_ERR_CONFIG, "--%s: %s is not above 0", o->name, text);
    if (value < o->min)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "--%s: %s is below %.10g", o->name, text, o->min);
    if (o->max > 0 && value > o->max)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "--%s: %s is above %.10g", o->name, text, o->max);
    return TSR_OK;
}

/* Digits alone, up to `end`. */
static bool read_u64(const char *text, char stop, uint64_t *out, const char **end) {
    char *rest;
    if (!isdigit((unsigned char)*text)) return false;
    errno = 0;
    unsigned long long value = strtoull(text, &rest, 10);
    if (errno != 0 || *rest != stop || value > UINT64_MAX) return false;
    *out = value;
    *end = rest;
    return true;
}

/* A finite decimal number; strtod() alone would take " 1", "nan" and "0x1p3" too. */
static bool read_double(const char *text, double *out, const char **end) {
    const char *digits = text + (*text == '-' || *text == '+');
    char *rest;
    if (!isdigit((unsigned char)*digits) && *digits != '.') return false;
    if (digits[0] == '0' && (digits[1] == 'x' || digits[1] == 'X')) return false;
    errno = 0;
    double value = strtod(text, &rest);
    if (rest == text || !isfinite(value)) return false;
    *out = value;
    *end = rest;
    return true;
}

/* A whole number, below 2^53 if it is not digits alone: 1000, 1e3, 10k, 1.5M. */
static bool read_whole(const char *text, uint64_t *out) {
    double value;
    const char *end;
    if (read_u64(text, '\0', out, &end)) return true;
    if (!read_double(text, &value, &end)) return false;
    if (!*end && !strpbrk(text, "eE")) return false; /* 8.0 is a slip */
    if (*end && strcmp(end, "k") != 0 && strcmp(end, "K") != 0 && strcmp(end, "M") != 0)
        return false;
    value *= !*end ? 1 : *end == 'M' ? 1e6 : 1e3;
    if (!(value >= 0) || value >= 9007199254740992.0 || value != floor(value)) return false;
    *out = (uint64_t)value;
    return true;
}

/* Whole numbers with x, X or a multiplication sign between them: 8x8. One stands for all n. */
static bool read_extents(const char *text, size_t n, uint64_t *out) {
    for (size_t i = 0; i < n; i++) {
        size_t digits = strspn(text, "0123456789");
        const char *sign = text + digits, *end;
        bool times = strncmp(sign, "\xC3\x97", 2) == 0;
        if (!read_u64(text, *sign, &out[i], &end)) return false;
        if (!*sign && (i + 1 == n || i == 0)) {
            for (size_t j = i + 1; j < n; j++)
                out[j] = out[0];
            return true;
        }
        if (!times && *sign != 'x' && *sign != 'X') return false;
        text = sign + (times ? 2 : 1);
    }
    return false;
}

static enum tsr_status not_a(const struct cli_option *o, const char *text, const char *what,
                             struct tsr_error *err) {
    return TSR_ERROR(err, TSR_ERR_CONFIG, "--%s: \"%s\" is not %s", o->name, text, what);
}

static enum tsr_status set_integer(const struct cli_option *o, const char *text, void *at,
                                   struct tsr_error *err) {
    uint64_t value;
    if (!read_whole(text, &value) || (o->type == CLI_SIZE && value > SIZE_MAX))
        return not_a(o, text, "a whole number below 2^64, such as 1000, 1e3 or 10k", err);
    TSR_TRY(check_bounds(o, (double)value, text, err));
    if (o->type == CLI_SIZE)
        *(size_t *)at = (size_t)value;
    else
        *(uint64_t *)at = value;
    return TSR_OK;
}

static enum tsr_status set_double(const struct cli_option *o, const char *text, void *at,
                                  struct tsr_error *err) {
    double value;
    const char *end;
    if (!read_double(text, &value, &end) || *end) return not_a(o, text, "a number", err);
    TSR_TRY(check_bounds(o, value, text, err));
    *(double *)at = value;
    return TSR_OK;
}

static enum tsr_status set_pair(const struct cli_option *o, const char *text, void *at,
                                struct tsr_error *err) {
    uint64_t value[2];
    if (!read_extents(text, 2, value))
        return TSR_ERROR(err, TSR_ERR_CONFIG, "--%s: \"%s\" is not %s, such as 8x8", o->name, text,
                         o->metavar);
    for (size_t i = 0; i < 2; i++) {
        TSR_TRY(check_bounds(o, (double)value[i], text, err));
        ((size_t *)at)[i] = (size_t)value[i];
    }
    return TSR_OK;
}

/* Seconds of "90", "90s", "1.5h", "1h30m": units fall, and only a lone number goes without. */
static bool read_duration(const char *text, double *out) {
    static const char units[] = "dhms";
    static const double seconds[] = {86400, 3600, 60, 1};
    size_t next = 0;
    const char *rest = text;
    *out = 0;
    do {
        double value;
        if (!read_double(rest, &value, &rest) || value < 0) return false;
        if (!*rest) return next == 0 && (*out = value, true);
        const char *unit = strchr(units + next, *rest);
        if (!unit) return false;
        next = (size_t)(unit - units) + 1;
        *out += value * seconds[next - 1];
    } while (*++rest);
    return true;
}

static enum tsr_status set_duration(const struct cli_option *o, const char *text, void *at,
                                    struct tsr_error *err) {
    double value;
    if (!read_duration(text, &value))
        return not_a(o, text, "a time, such as 90s, 30m or 1h30m", err);
    TSR_TRY(check_bounds(o, value, text, err));
    *(double *)at = value;
    return TSR_OK;
}

static enum tsr_status set_doubles(const struct cli_option *o, const char *text, void *at,
                                   struct tsr_error *err) {
    const char *rest = text;
    for (size_t i = 0; i < o->list; i++) {
        double value;
        if (!read_double(rest, &value, &rest) || *rest != (i + 1 < o->list ? ',' : '\0'))
            return TSR_ERROR(err, TSR_ERR_CONFIG,
                             "--%s: \"%s\" is not %zu numbers with commas between them", o->name,
                             text, o->list);
        TSR_TRY(check_bounds(o, value, text, err));
        rest++;
        ((double *)at)[i] = value;
    }
    return TSR_OK;
}

static enum tsr_status set_string(const struct cli_option *o, const char *text, void *at,
                                  struct tsr_error *err) {
    if (!*text) return TSR_ERROR(err, TSR_ERR_CONFIG, "--%s: the value is empty", o->name);
    if (o->check && o->check(text, err) != TSR_OK) {
        tsr_error_prefix(err, "--%s", o->name);
        return TSR_ERR_CONFIG;
    }
    *(const char **)at = text;
    return TSR_OK;
}

static enum tsr_status set_enum(const struct cli_option *o, const char *text, void *at,
                                struct tsr_error *err) {
    size_t index = 0;
    const struct tsr_names *n = o->names;
    if (tsr_name_parse(text, n->name, n->n, n->what, &index, err) != TSR_OK) {
        tsr_error_prefix(err, "--%s", o->name);
        return TSR_ERR_CONFIG;
    }
    int number = (int)index;
    memcpy(at, &number, sizeof number);
    return TSR_OK;
}

static enum tsr_status set_object(const struct cli_option *o, const char *text,
                                  struct tsr_choice *at, struct tsr_error *err) {
    char words[96];
    struct tsr_choice found;
    size_t name = strcspn(text, ":");
    (void)snprintf(words, sizeof words, "%.*s %s", (int)(name < 64 ? name : 64), text,
                   text[name] ? text + name + 1 : "");
    if (tsr_parse_choice(o->registry, words, &found, err) != TSR_OK) {
        tsr_error_prefix(err, "--%s", o->name);
        return TSR_ERR_CONFIG;
    }
    /* else the command's own defaults */
    if (at->object != found.object || text[name]) *at = found;
    return TSR_OK;
}

static enum tsr_status set_param(const struct cli_option *o, const char *text, double *at,
                                 struct tsr_error *err) {
    const char *end;
    uint64_t whole;
    if (o->param->type == TSR_PARAM_CHOICE) {
        if (tsr_param_parse_choice(o->param, text, at, err) == TSR_OK) return TSR_OK;
        tsr_error_prefix(err, "--%s", o->name);
        return TSR_ERR_CONFIG;
    }
    if (o->param->type == TSR_PARAM_COUNT) {
        if (!read_whole(text, &whole) || whole > (uint64_t)1 << 53)
            return not_a(o, text, "a whole number, such as 1000, 1e3 or 10k", err);
        *at = (double)whole;
        return TSR_OK;
    }
    if (!read_double(text, at, &end) || *end) return not_a(o, text, "a number", err);
    return TSR_OK;
}

enum tsr_status cli_set_named(const struct cli_option *o, const char *text, struct tsr_choice *at,
                              struct tsr_error *err) {
    const struct tsr_params *params = &o->object->params;
    size_t n = cli_positionals(o->object), next = 0;
    uint64_t value[8] = {0};
    *at = tsr_choice_of(o->object);
    if (n > 0 && (n > 8 || !(n == 1 ? read_whole(text, value) : read_extents(text, n, value))))
        return TSR_ERROR(err, TSR_ERR_CONFIG, "--%s: \"%s\" is not %s%s", o->name, text, o->metavar,
                         n > 1 ? ", such as 8x8" : "");
    for (size_t i = 0; i < params->n; i++) {
        const struct tsr_param *row = &params->row[i];
        if (!row->positional) continue;
        double given = (double)value[next++];
        if (given < row->lo || given > row->hi)
            return TSR_ERROR(err, TSR_ERR_CONFIG, "--%s: %.0f is %s %.10g", o->name, given,
                             given < row->lo ? "below" : "above",
                             given < row->lo ? row->lo : row->hi);
        at->value[i] = given;
    }
    return TSR_OK;
}

enum tsr_status cli_set_value(const struct cli_option *o, const char *text, void *at,
                              struct tsr_error *err) {
    switch (o->type) {
    case CLI_STRING:
        return set_string(o, text, at, err);
    case CLI_SIZE:
    case CLI_U64:
        return set_integer(o, text, at, err);
    case CLI_DOUBLE:
        return set_double(o, text, at, err);
    case CLI_PAIR:
        return set_pair(o, text, at, err);
    case CLI_DURATION:
        return set_duration(o, text, at, err);
    case CLI_DOUBLES:
        return set_doubles(o, text, at, err);
    case CLI_ENUM:
        return set_enum(o, text, at, err);
    case CLI_OBJECT:
        return set_object(o, text, at, err);
    case CLI_PARAM:
        return set_param(o, text, at, err);
    case CLI_NAME:
        return cli_set_named(o, text, at, err);
    case CLI_NAMED_OBJECT:
    case CLI_HIDDEN:
    case CLI_FLAG:
    case CLI_HEADING:
    case CLI_END:
        break;
    }
    return TSR_ERROR(err, TSR_ERR_ARGUMENT, "--%s takes no value", o->name);
}

/* ---- as text --------------------------------------------------------------------------------- */

static void format_seconds(double s, char *out, size_t size) {
    if (s >= 60 && fmod(s, 60) == 0)
        (void)snprintf(out, size, "%gm", s / 60);
    else
        (void)snprintf(out, size, "%gs", s);
}

/* The values by which --NAME chooses the object: "8x8"; "" if it is not the one chosen. */
static void print_named(const struct cli_option *o, const struct tsr_choice *choice, char *out,
                        size_t size) {
    size_t used = 0;
    if (choice->object != o->object) return;
    for (size_t i = 0; i < o->object->params.n && used < size; i++)
        if (o->object->params.row[i].positional)
            used += (size_t)snprintf(out + used, size - used, "%s%.10g", used ? "x" : "",
                                     choice->value[i]);
}

void cli_print_value(const struct cli_option *o, const void *at, char *out, size_t size) {
    const double *d = at;
    const size_t *z = at;
    const struct tsr_choice *choice = at;
    int number;
    out[0] = '\0';
    if (o->shown) {
        (void)snprintf(out, size, "%s", o->shown);
        return;
    }
    switch (o->type) {
    case CLI_STRING:
        if (*(const char *const *)at) (void)snprintf(out, size, "%s", *(const char *const *)at);
        break;
    case CLI_SIZE:
        (void)snprintf(out, size, "%zu", *z);
        break;
    case CLI_U64:
        (void)snprintf(out, size, "%llu", (unsigned long long)*(const uint64_t *)at);
        break;
    case CLI_DOUBLE:
        (void)snprintf(out, size, "%g", *d);
        break;
    case CLI_PAIR:
        if (z[0]) (void)snprintf(out, size, "%zux%zu", z[0], z[1]);
        break;
    case CLI_DURATION:
        if (*d > 0) format_seconds(*d, out, size);
        break;
    case CLI_ENUM:
        memcpy(&number, at, sizeof number);
        (void)snprintf(out, size, "%s", o->names->name[number]);
        break;
    case CLI_OBJECT:
        if (choice->object) (void)snprintf(out, size, "%s", choice->object->name);
        break;
    case CLI_NAME:
        print_named(o, choice, out, size);
        break;
    case CLI_DOUBLES:
        for (size_t i = 0, n = 0; i < o->list && n < size; i++)
            n += (size_t)snprintf(out + n, size - n, i ? ",%g" : "%g", d[i]);
        break;
    default:
        break;
    }
}
