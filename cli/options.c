/* SPDX-License-Identifier: MIT */
#include "cli/options.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "data/dataset.h"
#include "data/image.h"
#include "image/fit.h"
#include "image/model.h"
#include "inner/inner_loop.h"
#include "meta/meta_gradient.h"
#include "partition/segmentation.h"

/* ---- enumerations ---------------------------------------------------------------------------- */

#define ENUM(id, prefix, tag, last)                                                                \
    static enum tsr_status parse_##id(const char *text, void *out, struct tsr_error *err) {        \
        return prefix##_parse(text, (enum tag *)out, err);                                         \
    }                                                                                              \
    static const char *name_##id(size_t value) {                                                   \
        return prefix##_name((enum tag)value);                                                     \
    }                                                                                              \
    static size_t get_##id(const void *at) {                                                       \
        return (size_t) * (const enum tag *)at;                                                    \
    }                                                                                              \
    const struct cli_enum cli_enum_##id = {parse_##id, name_##id, get_##id, (size_t)(last) + 1};

ENUM(fit, tsr_fit, tsr_fit, TSR_FIT_TILE)
ENUM(split, tsr_split, tsr_split, TSR_SPLIT_ALL)
ENUM(slots, tsr_slots, tsr_slots, TSR_SLOTS_PER_CLASS)
ENUM(merge, tsr_merge, tsr_merge, TSR_MERGE_AREA)
ENUM(sampling, tsr_sampling, tsr_sampling, TSR_SAMPLING_ENDPOINTS)
ENUM(frame, tsr_frame, tsr_frame, TSR_FRAME_REGION)
ENUM(rates, tsr_rates, tsr_rates_kind, TSR_RATES_PER_PARAM_PER_STEP)
ENUM(inner_loss, tsr_inner_loss, tsr_inner_loss, TSR_INNER_LOSS_IMAGE)
ENUM(schedule, tsr_fit_schedule, tsr_fit_schedule, TSR_FIT_SCHEDULE_COSINE)

/* A network kind: the address of its object. */
static enum tsr_status parse_net(const char *text, void *out, struct tsr_error *err) {
    return tsr_registry_find(&tsr_kinds, text, out, err);
}
static const char *name_net(size_t value) {
    return tsr_kinds.object[value]->name;
}
static size_t get_net(const void *at) {
    size_t i = 0;
    while (i + 1 < tsr_kinds.n && tsr_kinds.object[i] != *(const struct tsr_object *const *)at)
        i++;
    return i;
}
#define COUNT_KIND(name) +1
const struct cli_enum cli_enum_net = {parse_net, name_net, get_net, TSR_KINDS(COUNT_KIND)};

/* An outer method, likewise. */
static enum tsr_status parse_method(const char *text, void *out, struct tsr_error *err) {
    return tsr_registry_find(&tsr_methods, text, out, err);
}
static const char *name_method(size_t value) {
    return tsr_methods.object[value]->name;
}
static size_t get_method(const void *at) {
    size_t i = 0;
    while (i + 1 < tsr_methods.n && tsr_methods.object[i] != *(const struct tsr_object *const *)at)
        i++;
    return i;
}
const struct cli_enum cli_enum_method = {parse_method, name_method, get_method,
                                         TSR_METHODS(COUNT_KIND)};

/* An optimiser of the inner loop: the address of its object. */
static enum tsr_status parse_optimizer(const char *text, void *out, struct tsr_error *err) {
    return tsr_registry_find(&tsr_optimizers, text, out, err);
}
static const char *name_optimizer(size_t value) {
    return tsr_optimizers.object[value]->name;
}
static size_t get_optimizer(const void *at) {
    size_t i = 0;
    while (i + 1 < tsr_optimizers.n &&
           tsr_optimizers.object[i] != *(const struct tsr_object *const *)at)
        i++;
    return i;
}
const struct cli_enum cli_enum_optimizer = {parse_optimizer, name_optimizer, get_optimizer,
                                            TSR_OPTIMIZERS(COUNT_KIND)};

enum tsr_status cli_check_kernel(const char *text, struct tsr_error *err) {
    const struct tsr_kernel *kernel;
    return tsr_kernel_find(text, &kernel, err);
}

const struct cli_option cli_common_options[] = {
    {.name = "threads",
     .metavar = "N",
     .type = CLI_SIZE,
     .at = offsetof(struct cli_common, threads),
     .max = 4096,
     .help = "threads; 0: all cores"},
    {.name = "seed",
     .metavar = "S",
     .type = CLI_U64,
     .at = offsetof(struct cli_common, seed),
     .help = "of everything random"},
    {.name = "quiet",
     .type = CLI_FLAG,
     .at = offsetof(struct cli_common, quiet),
     .help = "print results and errors only"},
    {.name = "help", .type = CLI_FLAG, .help = "this text"},
    {.type = CLI_END},
};

/* ---- values ---------------------------------------------------------------------------------- */

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

static enum tsr_status not_a(const struct cli_option *o, const char *text, const char *what,
                             struct tsr_error *err) {
    return TSR_ERROR(err, TSR_ERR_CONFIG, "--%s: \"%s\" is not %s", o->name, text, what);
}

static enum tsr_status set_integer(const struct cli_option *o, const char *text, void *at,
                                   struct tsr_error *err) {
    uint64_t value;
    const char *end;
    if (!read_u64(text, '\0', &value, &end) || (o->type == CLI_SIZE && value > SIZE_MAX))
        return not_a(o, text, "a whole number (digits only, below 2^64)", err);
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
    uint64_t a, b;
    const char *end;
    if (!read_u64(text, 'x', &a, &end) || !read_u64(end + 1, '\0', &b, &end))
        return TSR_ERROR(err, TSR_ERR_CONFIG, "--%s: \"%s\" is not %s, such as 8x8", o->name, text,
                         o->metavar);
    TSR_TRY(check_bounds(o, (double)a, text, err));
    TSR_TRY(check_bounds(o, (double)b, text, err));
    ((size_t *)at)[0] = (size_t)a;
    ((size_t *)at)[1] = (size_t)b;
    return TSR_OK;
}

static enum tsr_status set_duration(const struct cli_option *o, const char *text, void *at,
                                    struct tsr_error *err) {
    static const struct {
        const char *suffix;
        double seconds;
    } units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};
    double value;
    const char *end;
    if (read_double(text, &value, &end))
        for (size_t i = 0; i < sizeof units / sizeof *units; i++)
            if (strcmp(end, units[i].suffix) == 0) {
                value *= units[i].seconds;
                TSR_TRY(check_bounds(o, value, text, err));
                *(double *)at = value;
                return TSR_OK;
            }
    return not_a(o, text, "a time, such as 90s, 30m or 2h", err);
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

static enum tsr_status set_value(const struct cli_option *o, const char *text, void *at,
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
        if (o->names->parse(text, at, err) == TSR_OK) return TSR_OK;
        tsr_error_prefix(err, "--%s", o->name);
        return TSR_ERR_CONFIG;
    case CLI_FLAG:
    case CLI_HEADING:
    case CLI_END:
        break;
    }
    return TSR_ERROR(err, TSR_ERR_ARGUMENT, "--%s takes no value", o->name);
}

/* ---- the command line ------------------------------------------------------------------------ */

/* Levenshtein distance, for words of fewer than 32 characters. */
static size_t distance(const char *a, const char *b) {
    size_t row[33], n = strlen(a), m = strlen(b);
    if (n > 32 || m > 32) return SIZE_MAX;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[m];
}

const char *cli_nearest(const char *text, const char *const *words) {
    const char *nearest = NULL;
    size_t best = 1 + strlen(text) / 3;
    for (; *words; words++) {
        size_t d = distance(text, *words);
        if (d > best || (d == best && nearest)) continue;
        best = d;
        nearest = *words;
    }
    return nearest;
}

/* An option of the command or of all, by name or, if that is NULL, by alias. */
static const struct cli_option *find_option(const struct cli_command *command, const char *name,
                                            char alias) {
    const struct cli_option *tables[2] = {command->options, cli_common_options};
    for (size_t t = 0; t < 2; t++)
        for (const struct cli_option *o = tables[t]; o && o->type != CLI_END; o++) {
            if (o->type == CLI_HEADING) continue;
            if (name ? strcmp(o->name, name) == 0 : o->alias == alias) return o;
        }
    return NULL;
}

static enum tsr_status unknown_option(const struct cli_call *call, const char *name,
                                      struct tsr_error *err) {
    const char *words[2 * CLI_MAX_OPTIONS];
    const struct cli_option *tables[2] = {call->command->options, cli_common_options};
    size_t n = 0;
    for (size_t t = 0; t < 2; t++)
        for (const struct cli_option *o = tables[t]; o && o->type != CLI_END; o++)
            if (o->type != CLI_HEADING) words[n++] = o->name;
    words[n] = NULL;
    const char *nearest = cli_nearest(name, words);
    if (nearest)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "unknown option --%s; did you mean --%s?", name,
                         nearest);
    return TSR_ERROR(err, TSR_ERR_CONFIG, "unknown option --%s; tessera %s --help lists them", name,
                     call->command->name);
}

struct reader {
    struct cli_call *call;
    const char *const *words;
    size_t n, i;
    bool common_given[CLI_MAX_OPTIONS];
};

static bool *given_flag(struct reader *r, const struct cli_option *o) {
    const struct cli_option *own = r->call->command->options;
    size_t i = 0;
    for (; own && own[i].type != CLI_END; i++)
        if (&own[i] == o) return &r->call->given[i];
    for (i = 0; &cli_common_options[i] != o;)
        i++;
    return &r->common_given[i];
}

static enum tsr_status take_option(struct reader *r, const struct cli_option *o,
                                   const char *value) {
    struct cli_call *call = r->call;
    bool *given = given_flag(r, o);
    if (*given) return TSR_ERROR(&call->err, TSR_ERR_CONFIG, "--%s is given twice", o->name);
    *given = true;
    if (o->type == CLI_FLAG) {
        if (value) return TSR_ERROR(&call->err, TSR_ERR_CONFIG, "--%s takes no value", o->name);
        *(bool *)((char *)call->args + o->at) = true;
        return TSR_OK;
    }
    if (!value) {
        if (r->i + 1 >= r->n || strncmp(r->words[r->i + 1], "--", 2) == 0)
            return TSR_ERROR(&call->err, TSR_ERR_CONFIG, "--%s needs a value: --%s %s", o->name,
                             o->name, o->metavar);
        value = r->words[++r->i];
    }
    return set_value(o, value, (char *)call->args + o->at, &call->err);
}

static enum tsr_status take_long(struct reader *r, const char *word, bool *help) {
    char name[64];
    size_t length = strcspn(word, "=");
    if (length >= sizeof name)
        return TSR_ERROR(&r->call->err, TSR_ERR_CONFIG, "unknown option --%s", word);
    memcpy(name, word, length);
    name[length] = '\0';
    const struct cli_option *o = find_option(r->call->command, name, 0);
    if (!o) return unknown_option(r->call, name, &r->call->err);
    *help = strcmp(name, "help") == 0;
    return *help ? TSR_OK : take_option(r, o, word[length] ? word + length + 1 : NULL);
}

static enum tsr_status take_short(struct reader *r, const char *word, bool *help) {
    const struct cli_option *o = word[2] == '\0' ? find_option(r->call->command, NULL, word[1]) : 0;
    *help = strcmp(word, "-h") == 0;
    if (*help) return TSR_OK;
    if (!o)
        return TSR_ERROR(&r->call->err, TSR_ERR_CONFIG,
                         "unknown option %s; tessera %s --help lists them", word,
                         r->call->command->name);
    return take_option(r, o, NULL);
}

static enum tsr_status check_complete(struct cli_call *call) {
    const struct cli_command *c = call->command;
    if (call->n_operands < c->min_operands)
        return TSR_ERROR(&call->err, TSR_ERR_CONFIG, "an argument is missing: tessera %s %s",
                         c->name, c->operands);
    if (call->n_operands > c->max_operands)
        return TSR_ERROR(&call->err, TSR_ERR_CONFIG, "one argument too many: \"%s\"",
                         call->operands[c->max_operands]);
    for (size_t i = 0; c->options && c->options[i].type != CLI_END; i++)
        if (c->options[i].required && !call->given[i])
            return TSR_ERROR(&call->err, TSR_ERR_CONFIG, "--%s %s is missing", c->options[i].name,
                             c->options[i].metavar);
    return TSR_OK;
}

enum tsr_status cli_parse(struct cli_call *call, size_t n, const char *const *words,
                          const char **operands, bool *help) {
    struct reader r = {.call = call, .words = words, .n = n};
    bool ended = false;
    *help = false;
    call->operands = operands;
    for (r.i = 0; r.i < n; r.i++) {
        const char *word = words[r.i];
        if (ended || word[0] != '-' || word[1] == '\0') {
            operands[call->n_operands++] = word;
        } else if (strcmp(word, "--") == 0) {
            ended = true;
        } else {
            TSR_TRY(word[1] == '-' ? take_long(&r, word + 2, help) : take_short(&r, word, help));
            if (*help) return TSR_OK;
        }
    }
    return check_complete(call);
}

bool cli_given(const struct cli_call *call, const char *option) {
    const struct cli_option *o = call->command->options;
    for (size_t i = 0; o[i].type != CLI_END; i++)
        if (o[i].type != CLI_HEADING && strcmp(o[i].name, option) == 0) return call->given[i];
    return false;
}

/* ---- help ------------------------------------------------------------------------------------ */

#define HELP_COLUMN 26
#define HELP_WIDTH 96

static void format_seconds(double s, char *out, size_t size) {
    if (s >= 60 && fmod(s, 60) == 0)
        (void)snprintf(out, size, "%gm", s / 60);
    else
        (void)snprintf(out, size, "%gs", s);
}

/* The value in the arguments, which are the defaults; "" if there is nothing to say. */
static void format_default(const struct cli_option *o, const void *at, char *out, size_t size) {
    const double *d = at;
    const size_t *z = at;
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
        (void)snprintf(out, size, "%s", o->names->name(o->names->get(at)));
        break;
    case CLI_DOUBLES:
        for (size_t i = 0, n = 0; i < o->list && n < size; i++)
            n += (size_t)snprintf(out + n, size - n, i ? ",%g" : "%g", d[i]);
        break;
    case CLI_FLAG:
    case CLI_HEADING:
    case CLI_END:
        break;
    }
}

/* Words of `text`, wrapped and indented; the cursor stands at `column`. */
static void print_wrapped(FILE *to, const char *text, size_t column) {
    while (*text) {
        size_t word = strcspn(text, " ");
        if (column + word > HELP_WIDTH && column > HELP_COLUMN) {
            (void)fprintf(to, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        }
        (void)fprintf(to, "%.*s", (int)word, text);
        column += word + 1;
        text += word;
        if (*text == ' ') {
            text++;
            if (column + strcspn(text, " ") <= HELP_WIDTH) (void)fputc(' ', to);
        }
    }
    (void)fputc('\n', to);
}

static void print_option(const struct cli_option *o, const void *args, FILE *to) {
    char head[128], text[1024], value[256];
    int length = snprintf(head, sizeof head, "  %s%c%s--%s%s%s", o->alias ? "-" : "",
                          o->alias ? o->alias : ' ', o->alias ? ", " : "", o->name,
                          o->metavar ? " " : "", o->metavar ? o->metavar : "");
    if (!o->alias) /* without an alias there is no column for it */
        length = snprintf(head, sizeof head, "  --%s%s%s", o->name, o->metavar ? " " : "",
                          o->metavar ? o->metavar : "");
    size_t n = (size_t)snprintf(text, sizeof text, "%s", o->help);
    if (o->type == CLI_ENUM)
        for (size_t i = 0; i < o->names->n && n < sizeof text; i++)
            n += (size_t)snprintf(text + n, sizeof text - n, "%s%s",
                                  i == 0                ? ": "
                                  : i + 1 < o->names->n ? ", "
                                                        : " or ",
                                  o->names->name(i));
    format_default(o, (const char *)args + o->at, value, sizeof value);
    if (value[0] && n < sizeof text) (void)snprintf(text + n, sizeof text - n, " [%s]", value);
    if (length + 2 > HELP_COLUMN)
        (void)fprintf(to, "%s\n%*s", head, HELP_COLUMN, "");
    else
        (void)fprintf(to, "%-*s", HELP_COLUMN, head);
    print_wrapped(to, text, HELP_COLUMN);
}

void cli_print_help(const struct cli_command *command, FILE *to) {
    void *args = calloc(1, command->args_size);
    if (!args) return;
    if (command->defaults) command->defaults(args);
    (void)fprintf(to, "usage: tessera %s [options]%s%s\n\n%s\n", command->name,
                  command->operands[0] ? " " : "", command->operands, command->about);
    const struct cli_option *o = command->options;
    if (o && o->type != CLI_END && o->type != CLI_HEADING) (void)fprintf(to, "\noptions\n");
    for (; o && o->type != CLI_END; o++) {
        if (o->type == CLI_HEADING)
            (void)fprintf(to, "\n%s\n", o->name);
        else
            print_option(o, args, to);
    }
    (void)fprintf(to, "\nall commands\n");
    for (o = cli_common_options; o->type != CLI_END; o++)
        print_option(o, args, to);
    free(args);
}
