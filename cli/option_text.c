/* SPDX-License-Identifier: MIT */
#include "cli/option_text.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli/option_values.h"

/* Text that grows up to the size of its buffer. */
struct text {
    char *out;
    size_t size, used;
};

static void add(struct text *t, const char *format, ...) TSR_PRINTF(2, 3);
static void add(struct text *t, const char *format, ...) {
    va_list list;
    if (t->used >= t->size) return;
    va_start(list, format);
    t->used += (size_t)vsnprintf(t->out + t->used, t->size - t->used, format, list);
    va_end(list);
}

/* "a, b or c": the i-th of n. */
static const char *before(size_t i, size_t n, const char *first) {
    return i == 0 ? first : i + 1 < n ? ", " : " or ";
}

/* ---- the text of an option ------------------------------------------------------------------- */

static void add_choices(struct text *t, const struct cli_option *o) {
    size_t n = 0;
    if (o->type == CLI_ENUM)
        for (size_t i = 0; i < o->names->n; i++)
            add(t, "%s%s", before(i, o->names->n, ": "), o->names->name[i]);
    if (o->type != CLI_PARAM || o->param->type != TSR_PARAM_CHOICE) return;
    while (o->param->choices[n])
        n++;
    for (size_t i = 0; i < n; i++)
        add(t, "%s%s", before(i, n, ": "), o->param->choices[i]);
}

/* "sine layers (siren), ReLU on ... (relu-pe) or ...". */
/* Parameters without a name of their own stand behind that of the object: "latent:D". */
static void add_objects(struct text *t, const struct tsr_registry *registry) {
    for (size_t i = 0; i < registry->n; i++) {
        const struct tsr_object *o = registry->object[i];
        add(t, "%s%s", before(i, registry->n, ""), o->name);
        const char *joint = ":";
        for (size_t j = 0; j < o->params.n; j++) {
            if (!o->params.row[j].positional) continue;
            add(t, "%s%s", joint, o->params.row[j].metavar);
            joint = "x";
        }
        add(t, " (%s)", o->about);
    }
}

/* Is object i the first of the registry whose parameter has this help? */
static bool first_of_its_help(const struct tsr_registry *registry, size_t i,
                              const struct cli_option *o) {
    const char *help = cli_param_of(o, registry->object[i])->help;
    for (size_t j = 0; j < i; j++) {
        const struct tsr_param *row = cli_param_of(o, registry->object[j]);
        if (row && strcmp(row->help, help) == 0) return false;
    }
    return true;
}

/* "siren, finer: frequency of the first layer; gauss: ...". */
static void add_param(struct text *t, const struct tsr_registry *registry,
                      const struct cli_option *o) {
    bool any = false;
    for (size_t i = 0; i < registry->n; i++) {
        const struct tsr_param *row = cli_param_of(o, registry->object[i]);
        if (!row || !first_of_its_help(registry, i, o)) continue;
        add(t, "%s%s", any ? "; " : "", registry->object[i]->name);
        for (size_t j = i + 1; j < registry->n; j++) {
            const struct tsr_param *same = cli_param_of(o, registry->object[j]);
            if (same && strcmp(same->help, row->help) == 0)
                add(t, ", %s", registry->object[j]->name);
        }
        add(t, ": %s", row->help);
        any = true;
    }
}

/* The defaults of a parameter: "30", "siren 15, gauss 8" where objects differ. */
static void add_param_default(struct text *t, const struct cli_option *parent,
                              const struct cli_option *o, const struct tsr_choice *chosen) {
    const struct tsr_registry *registry = parent->registry;
    char value[64], first[64] = "";
    bool same = true;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0, n = 0; i < registry->n; i++) {
            const struct tsr_object *object = registry->object[i];
            const struct tsr_param *row = cli_param_of(o, object);
            if (!row) continue;
            size_t at = tsr_params_find(&object->params, row->name);
            tsr_param_print(row, chosen->object == object ? chosen->value[at] : row->fallback,
                            value, sizeof value);
            if (!*first) (void)snprintf(first, sizeof first, "%s", value);
            if (pass == 0)
                same = same && strcmp(first, value) == 0;
            else if (!same)
                add(t, "%s%s %s", n ? ", " : "", object->name, value);
            n++;
        }
    if (same) add(t, "%s", first);
}

/* What --help shows in brackets. */
static void add_default(struct text *t, const struct cli_table *table, const struct cli_option *o,
                        const void *args) {
    const struct cli_option *parent = &table->option[o->parent];
    const void *at = (const char *)args + (o->type == CLI_NAME ? parent : o)->at;
    char value[256] = "";
    if (o->type == CLI_PARAM) {
        const struct tsr_choice *chosen = (const void *)((const char *)args + parent->at);
        if (parent->shown_param && strcmp(parent->shown_param, o->param->name) == 0)
            add(t, "%s", parent->shown);
        else if (chosen->object || !parent->shown)
            add_param_default(t, parent, o, chosen);
        else
            add(t, "%s", parent->shown);
        return;
    }
    if (o->type == CLI_NAME && parent->shown && !parent->shown_param)
        return; /* none of the objects is the default */
    if (o->shown && !o->shown_param)
        (void)snprintf(value, sizeof value, "%s", o->shown);
    else
        cli_print_value(o, at, value, sizeof value);
    add(t, "%s", value);
}

void cli_option_text(const struct cli_table *table, const struct cli_option *o, const void *args,
                     char *out, size_t size) {
    char shown[256] = "";
    struct text text = {out, size, 0}, value = {shown, sizeof shown, 0};
    out[0] = '\0';
    if (o->type == CLI_PARAM)
        add_param(&text, table->option[o->parent].registry, o);
    else if (o->help)
        add(&text, "%s", o->help);
    if (o->type == CLI_NAME && table->option[o->parent].help)
        add(&text, "; %s", table->option[o->parent].help);
    if (o->type == CLI_OBJECT) {
        if (o->help) add(&text, ": ");
        add_objects(&text, o->registry);
    }
    add_choices(&text, o);
    add_default(&value, table, o, args);
    if (*shown) add(&text, " [%s]", shown);
}

/* ---- a walk over the options of a command ---------------------------------------------------- */

/* For each heading and each option that is shown. */
typedef void (*visit_fn)(FILE *to, const struct cli_option *option, const char *text, size_t width);

static void walk(const struct cli_command *command, visit_fn visit, size_t width, FILE *to) {
    void *args = calloc(1, command->args_size);
    struct cli_table *table = cli_table_create(command);
    char text[2048];
    if (args && table) {
        if (command->defaults) command->defaults(args);
        for (const struct cli_option *o = table->option; o->type != CLI_END; o++) {
            if (o->type == CLI_HIDDEN || o->hidden) continue;
            if (o->type != CLI_HEADING) cli_option_text(table, o, args, text, sizeof text);
            visit(to, o, text, width);
        }
    }
    free(table);
    free(args);
}

/* ---- --help ---------------------------------------------------------------------------------- */

#define HELP_COLUMN 26

/* Words of `text`, wrapped and indented; the cursor stands at HELP_COLUMN. */
static void print_wrapped(FILE *to, const char *text, size_t width) {
    size_t column = HELP_COLUMN;
    while (*text) {
        size_t word = strcspn(text, " ");
        if (column > HELP_COLUMN && column + 1 + word > width) {
            (void)fprintf(to, "\n%*s", HELP_COLUMN, "");
            column = HELP_COLUMN;
        } else if (column > HELP_COLUMN) {
            (void)fputc(' ', to);
            column++;
        }
        (void)fprintf(to, "%.*s", (int)word, text);
        column += word;
        text += word;
        text += strspn(text, " ");
    }
    (void)fputc('\n', to);
}

static void help_option(FILE *to, const struct cli_option *o, const char *text, size_t width) {
    char head[128], alias[8] = "";
    if (o->type == CLI_HEADING) {
        (void)fprintf(to, "\n%s\n", o->name);
        return;
    }
    if (o->alias) (void)snprintf(alias, sizeof alias, "-%c, ", o->alias);
    int length = snprintf(head, sizeof head, "  %s--%s%s%s", alias, o->name, o->metavar ? " " : "",
                          o->metavar ? o->metavar : "");
    if (length + 2 > HELP_COLUMN)
        (void)fprintf(to, "%s\n%*s", head, HELP_COLUMN, "");
    else
        (void)fprintf(to, "%-*s", HELP_COLUMN, head);
    print_wrapped(to, text, width);
}

void cli_print_help(const struct cli_command *command, size_t width, FILE *to) {
    (void)fprintf(to, "usage: tessera %s [options]%s%s\n\n%s\n", command->name,
                  command->operands[0] ? " " : "", command->operands, command->about);
    walk(command, help_option, width, to);
}

/* ---- man pages ------------------------------------------------------------------------------- */

/* Text as roff takes it: hyphens that are no line breaks, no control line by accident. */
static void print_roff(FILE *to, const char *text) {
    if (*text == '.' || *text == '\'') (void)fputs("\\&", to);
    for (; *text; text++) {
        if (*text == '-' || *text == '\\') (void)fputc('\\', to);
        (void)fputc(*text, to);
    }
}

/* As a sentence, with the default behind it. */
static void print_sentence(FILE *to, const struct cli_option *o, const char *text) {
    const char *value = strrchr(text, '[');
    size_t n = strlen(text), length = value && text[n - 1] == ']' ? (size_t)(value - text) - 1 : n;
    char sentence[2048];
    bool named = o->type == CLI_PARAM || o->type == CLI_OBJECT; /* begins with a name */
    (void)snprintf(sentence, sizeof sentence, "%.*s.%s", (int)length, text, text + length);
    if (!named) sentence[0] = (char)toupper((unsigned char)sentence[0]);
    print_roff(to, sentence);
    (void)fputc('\n', to);
}

static void man_option(FILE *to, const struct cli_option *o, const char *text, size_t width) {
    (void)width;
    if (o->type == CLI_HEADING) {
        (void)fprintf(to, ".SS %c", toupper((unsigned char)o->name[0]));
        print_roff(to, o->name + 1);
        (void)fputc('\n', to);
        return;
    }
    (void)fprintf(to, ".TP\n");
    if (o->alias) (void)fprintf(to, "\\fB\\-%c\\fR, ", o->alias);
    (void)fprintf(to, "\\fB\\-\\-");
    print_roff(to, o->name);
    (void)fprintf(to, "\\fR");
    if (o->metavar) {
        (void)fprintf(to, " \\fI");
        print_roff(to, o->metavar);
        (void)fprintf(to, "\\fR");
    }
    (void)fputc('\n', to);
    print_sentence(to, o, text);
}

void cli_print_man(const struct cli_command *command, FILE *to) {
    (void)fprintf(to, ".SH OPTIONS\nDefaults stand in brackets.\n");
    walk(command, man_option, 0, to);
}
