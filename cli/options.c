/* SPDX-License-Identifier: MIT */
#include "cli/options.h"

#include <stdlib.h>
#include <string.h>

#include "cli/built_in.h"
#include "cli/likely.h"
#include "cli/option_values.h"
#include "data/colour.h"
#include "inner/kernels/kernel.h"

enum tsr_status cli_check_kernel(const char *text, struct tsr_error *err) {
    const struct tsr_kernel *kernel;
    return tsr_kernel_find(text, &kernel, err);
}

enum tsr_status cli_check_colour(const char *text, struct tsr_error *err) {
    struct tsr_colour colour;
    return tsr_colour_parse(text, &colour, err);
}

/* ---- the command line ------------------------------------------------------------------------ */

struct reader {
    struct cli_call *call;
    const char *const *words;
    size_t n, i;
};

/* Is another object of the same row chosen already? */
static enum tsr_status check_alone(struct reader *r, const struct cli_option *o) {
    const struct cli_option *other = r->call->table->option;
    for (size_t i = 0; other[i].type != CLI_END; i++)
        if (&other[i] != o && other[i].type == CLI_NAME && other[i].parent == o->parent &&
            r->call->given[i])
            return TSR_ERROR(&r->call->err, TSR_ERR_CONFIG, "--%s and --%s exclude each other",
                             other[i].name, o->name);
    return TSR_OK;
}

/* Where the value of an option goes. */
static void *place_of(struct cli_call *call, const struct cli_option *o) {
    const struct cli_option *row = o->type == CLI_NAME ? &call->table->option[o->parent] : o;
    if (o->type == CLI_PARAM) return &call->param[o - call->table->option];
    return (char *)call->args + row->at;
}

static enum tsr_status take_option(struct reader *r, const struct cli_option *o,
                                   const char *value) {
    struct cli_call *call = r->call;
    bool *given = &call->given[o - call->table->option];
    if (*given) return TSR_ERROR(&call->err, TSR_ERR_CONFIG, "--%s is given twice", o->name);
    if (o->type == CLI_NAME) TSR_TRY(check_alone(r, o));
    *given = true;
    if (!o->metavar) { /* a flag, or an object without positional parameters */
        if (value) return TSR_ERROR(&call->err, TSR_ERR_CONFIG, "--%s takes no value", o->name);
        if (o->type == CLI_NAME) return cli_set_named(o, "", place_of(call, o), &call->err);
        *(bool *)place_of(call, o) = true;
        return TSR_OK;
    }
    if (!value) {
        if (r->i + 1 >= r->n || strncmp(r->words[r->i + 1], "--", 2) == 0)
            return TSR_ERROR(&call->err, TSR_ERR_CONFIG, "--%s needs a value: --%s %s", o->name,
                             o->name, o->metavar);
        value = r->words[++r->i];
    }
    return cli_set_value(o, value, place_of(call, o), &call->err);
}

static enum tsr_status take_long(struct reader *r, const char *word, bool *help) {
    char written[64];
    size_t length = strcspn(word, "=");
    if (length >= sizeof written)
        return TSR_ERROR(&r->call->err, TSR_ERR_CONFIG, "unknown option %s", word);
    memcpy(written, word, length);
    written[length] = '\0';
    const struct cli_option *o = cli_table_find(r->call->table, written + 2, 0);
    if (!o) return cli_unknown_option(r->call, written, &r->call->err);
    *help = strcmp(o->name, "help") == 0;
    return *help ? TSR_OK : take_option(r, o, word[length] ? word + length + 1 : NULL);
}

static enum tsr_status take_short(struct reader *r, const char *word, bool *help) {
    const struct cli_option *o =
        word[2] == '\0' ? cli_table_find(r->call->table, NULL, word[1]) : NULL;
    *help = strcmp(word, "-h") == 0;
    if (*help) return TSR_OK;
    return o ? take_option(r, o, NULL) : cli_unknown_option(r->call, word, &r->call->err);
}

/* ---- parameters of objects ------------------------------------------------------------------- */

/* The objects that have this parameter, as they are chosen: "--segment", "--net siren, finer". */
static void print_owners(const struct cli_option *parent, const struct cli_option *o, char *out,
                         size_t size) {
    const struct tsr_registry *registry = parent->registry;
    size_t used = 0;
    bool named = parent->type == CLI_HIDDEN;
    for (size_t i = 0; i < registry->n && used < size; i++) {
        if (!cli_offers(parent, i) || !cli_param_of(o, registry->object[i])) continue;
        const char *before = named ? (used ? ", --" : "--") : (used ? ", " : "--");
        used += (size_t)snprintf(out + used, size - used, "%s%s%s%s", before,
                                 named || before[0] == ',' ? "" : parent->name,
                                 named || before[0] == ',' ? "" : " ", registry->object[i]->name);
    }
}

static enum tsr_status wrong_object(const struct cli_option *parent, const struct cli_option *o,
                                    const struct tsr_object *object, struct tsr_error *err) {
    char owners[160] = "";
    bool named = parent->type == CLI_HIDDEN;
    print_owners(parent, o, owners, sizeof owners);
    if (!object)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "--%s is for %s, which is missing", o->name, owners);
    return TSR_ERROR(err, TSR_ERR_CONFIG, "--%s has no meaning with --%s%s%s; it is for %s",
                     o->name, named ? "" : parent->name, named ? "" : " ", object->name, owners);
}

/* Gives the chosen object a parameter that was given. */
static enum tsr_status apply_param(struct cli_call *call, const struct cli_option *o) {
    const struct cli_option *parent = &call->table->option[o->parent];
    struct tsr_choice *choice = (void *)((char *)call->args + parent->at);
    double value = call->param[o - call->table->option];
    const struct tsr_param *row = choice->object ? cli_param_of(o, choice->object) : NULL;
    if (!row) return wrong_object(parent, o, choice->object, &call->err);
    if (row->type != TSR_PARAM_CHOICE && (value < row->lo || value > row->hi))
        return TSR_ERROR(&call->err, TSR_ERR_CONFIG, "--%s: %.10g is %s %.10g", o->name, value,
                         value < row->lo ? "below" : "above", value < row->lo ? row->lo : row->hi);
    (void)tsr_choice_set(choice, row->name, value);
    return TSR_OK;
}

static enum tsr_status check_complete(struct cli_call *call) {
    const struct cli_command *c = call->command;
    const struct cli_option *o = call->table->option;
    for (size_t i = 0; o[i].type != CLI_END; i++)
        if (o[i].type == CLI_PARAM && call->given[i]) TSR_TRY(apply_param(call, &o[i]));
    TSR_TRY(cli_built_in_take(call));
    if (call->n_operands < c->min_operands)
        return TSR_ERROR(&call->err, TSR_ERR_CONFIG, "an argument is missing: tessera %s %s",
                         c->name, c->operands);
    if (call->n_operands > c->max_operands)
        return TSR_ERROR(&call->err, TSR_ERR_CONFIG, "one argument too many: \"%s\"",
                         call->operands[c->max_operands]);
    for (size_t i = 0; o[i].type != CLI_END; i++)
        if (o[i].required && !call->given[i])
            return TSR_ERROR(&call->err, TSR_ERR_CONFIG, "--%s %s is missing", o[i].name,
                             o[i].metavar);
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
            TSR_TRY(word[1] == '-' ? take_long(&r, word, help) : take_short(&r, word, help));
            if (*help) return TSR_OK;
        }
    }
    return check_complete(call);
}

/* ---- what was given -------------------------------------------------------------------------- */

bool cli_given(const struct cli_call *call, const char *option) {
    const struct cli_option *o = cli_table_find(call->table, option, 0);
    return o && call->given[o - call->table->option];
}

void cli_params_given(const struct cli_call *call, const struct tsr_registry *registry,
                      struct tsr_choice *choice) {
    const struct cli_option *o = call->table->option;
    for (size_t i = 0; o[i].type != CLI_END; i++) {
        if (o[i].type != CLI_PARAM || !call->given[i]) continue;
        if (o[o[i].parent].registry != registry) continue;
        const struct tsr_param *row = cli_param_of(&o[i], choice->object);
        if (row) (void)tsr_choice_set(choice, row->name, call->param[i]);
    }
}

const char *cli_given_of(const struct cli_call *call, const struct tsr_registry *registry) {
    const struct cli_option *o = call->table->option;
    for (size_t i = 0; o[i].type != CLI_END; i++) {
        bool child = o[i].type == CLI_NAME || o[i].type == CLI_PARAM;
        if (call->given[i] && (child ? o[o[i].parent].registry : o[i].registry) == registry)
            return o[i].name;
    }
    return NULL;
}

bool cli_chosen(const struct cli_call *call, const struct tsr_registry *registry) {
    const struct cli_option *o = call->table->option;
    for (size_t i = 0; o[i].type != CLI_END; i++)
        if (call->given[i] && ((o[i].type == CLI_OBJECT && o[i].registry == registry) ||
                               (o[i].type == CLI_NAME && o[o[i].parent].registry == registry)))
            return true;
    return false;
}
