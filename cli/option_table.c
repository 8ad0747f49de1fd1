/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "cli/option_values.h"

static const struct cli_option cli_common_options[] = {
    {.name = "all commands", .type = CLI_HEADING},
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
    {.name = "force",
     .type = CLI_FLAG,
     .at = offsetof(struct cli_common, force),
     .help = "replace outputs that exist (an input is never replaced)"},
    {.name = "help", .type = CLI_FLAG, .help = "this text"},
    {.type = CLI_END},
};

bool cli_offers(const struct cli_option *row, size_t i) {
    return !row->offers || row->offers(row->registry->object[i]);
}

static struct cli_option *push(struct cli_table *t, struct cli_option o) {
    if (t->n + 1 >= CLI_MAX_OPTIONS) return NULL;
    t->option[t->n] = o;
    return &t->option[t->n++];
}

/* The name of the option of a parameter: out [size]. */
static void param_name(const struct tsr_param *row, char *out, size_t size) {
    (void)snprintf(out, size, "%s", row->option ? row->option : row->name);
    for (char *c = out; *c; c++)
        if (*c == '_') *c = '-';
}

const struct tsr_param *cli_param_of(const struct cli_option *option,
                                     const struct tsr_object *object) {
    char name[40];
    for (size_t i = 0; i < object->params.n; i++) {
        const struct tsr_param *row = &object->params.row[i];
        if (row->positional || row->derived) continue;
        param_name(row, name, sizeof name);
        if (strcmp(name, option->name) == 0) return row;
    }
    return NULL;
}

/* One option for each parameter of the registry that is not there yet. */
static void push_params(struct cli_table *t, size_t parent, const struct tsr_object *object) {
    for (size_t i = 0; i < object->params.n; i++) {
        const struct tsr_param *row = &object->params.row[i];
        char *name = t->words[t->n].name;
        size_t j = parent;
        if (row->positional || row->derived) continue;
        param_name(row, name, sizeof t->words->name);
        while (j < t->n &&
               !(t->option[j].type == CLI_PARAM && strcmp(t->option[j].name, name) == 0))
            j++;
        if (j < t->n) continue;
        (void)push(t, (struct cli_option){
                          .name = name,
                          .metavar = row->type == TSR_PARAM_CHOICE ? "KIND" : row->metavar,
                          .type = CLI_PARAM,
                          .parent = parent,
                          .param = row,
                      });
    }
}

size_t cli_positionals(const struct tsr_object *object) {
    size_t n = 0;
    for (size_t i = 0; i < object->params.n; i++)
        n += object->params.row[i].positional;
    return n;
}

/* --whole, --segment N, --grid RxC. */
static void push_name(struct cli_table *t, size_t parent, const struct tsr_object *object) {
    char *metavar = t->words[t->n].metavar;
    size_t used = 0;
    for (size_t i = 0; i < object->params.n && used < sizeof t->words->metavar; i++)
        if (object->params.row[i].positional)
            used += (size_t)snprintf(metavar + used, sizeof t->words->metavar - used, "%s%s",
                                     used ? "x" : "", object->params.row[i].metavar);
    (void)push(t, (struct cli_option){.name = object->name,
                                      .metavar = used ? metavar : NULL,
                                      .type = CLI_NAME,
                                      .parent = parent,
                                      .object = object,
                                      .help = object->about});
}

static void push_rows(struct cli_table *t, const struct cli_option *o) {
    for (; o && o->type != CLI_END; o++) {
        size_t parent = t->n;
        bool named = o->type == CLI_NAMED_OBJECT;
        struct cli_option *row = push(t, *o);
        if (!row || !o->registry) continue;
        if (named) row->type = CLI_HIDDEN;
        for (size_t i = 0; i < o->registry->n && named; i++)
            if (cli_offers(o, i)) push_name(t, parent, o->registry->object[i]);
        for (size_t i = 0; i < o->registry->n; i++)
            if (cli_offers(o, i)) push_params(t, parent, o->registry->object[i]);
    }
}

/* --force is for commands that write, and may say more there. */
static bool is_wanted(const struct cli_table *t, const struct cli_option *common) {
    bool writes = false;
    if (strcmp(common->name, "force") != 0) return true;
    for (size_t i = 0; i < t->n; i++)
        writes = writes || t->option[i].file >= CLI_WRITES;
    return writes && !cli_table_find(t, "force", 0);
}

struct cli_table *cli_table_create(const struct cli_command *command) {
    struct cli_table *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    const struct cli_option *own = command->options;
    if (own && own->type != CLI_END && own->type != CLI_HEADING)
        (void)push(t, (struct cli_option){.name = "options", .type = CLI_HEADING});
    push_rows(t, own);
    for (const struct cli_option *o = cli_common_options; o->type != CLI_END; o++)
        if (is_wanted(t, o)) (void)push(t, *o);
    return t; /* calloc() left CLI_END behind */
}

const struct cli_option *cli_table_find(const struct cli_table *table, const char *name,
                                        char alias) {
    for (const struct cli_option *o = table->option; o->type != CLI_END; o++) {
        if (o->type == CLI_HEADING || o->type == CLI_HIDDEN) continue;
        if (name ? strcmp(o->name, name) == 0 : o->alias == alias) return o;
    }
    return NULL;
}
