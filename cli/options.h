/* SPDX-License-Identifier: MIT
 *
 * One table of options per command. It drives the parser, --help with the defaults, the OPTIONS of
 * the man page and the completion of the shell (cli/option_text.h).
 *
 * GNU habits: --name value, --name=value, options and operands in any order, -- ends the options.
 * Strict: whole words, bounds, no option twice, no abbreviations.
 *
 * A row of type CLI_OBJECT or CLI_NAMED_OBJECT stands for all options by which an object of a
 * registry (base/object.h) is chosen and its parameters are set:
 *
 *     CLI_OBJECT         --net siren, and --omega-first W, ... of all kinds
 *     CLI_NAMED_OBJECT   --grid RxC, --segment N, --whole, ..., and --merge KIND, ... of all rules
 *
 * A parameter that several objects have is one option; one that the chosen object lacks is refused.
 * A new object has its options by its registry line alone.
 */
#ifndef TSR_CLI_OPTIONS_H
#define TSR_CLI_OPTIONS_H

#include "base/names.h"
#include "base/object.h"
#include "cli/cli.h"

enum cli_type {
    CLI_END,
    CLI_HEADING,      /* name is the heading */
    CLI_FLAG,         /* bool */
    CLI_STRING,       /* const char * */
    CLI_SIZE,         /* size_t: 1000, 1e3, 10k, 2M */
    CLI_U64,          /* uint64_t: the same */
    CLI_DOUBLE,       /* double */
    CLI_PAIR,         /* size_t [2], "RxC"; "8": 8x8 */
    CLI_DURATION,     /* double, seconds: 90, 90s, 30m, 1h30m */
    CLI_ENUM,         /* an enumeration, through `names` */
    CLI_DOUBLES,      /* double [list], "a,b,c" */
    CLI_OBJECT,       /* struct tsr_choice, an object of `registry` by its name */
    CLI_NAMED_OBJECT, /* the same; each object is an option. Nothing given: the value is kept */
    /* What the two become in a struct cli_table: */
    CLI_HIDDEN, /* the row CLI_NAMED_OBJECT itself */
    CLI_NAME,   /* one of its objects */
    CLI_PARAM,  /* a parameter of objects of the registry */
};

struct cli_option {
    const char *name;
    char alias; /* "-o"; 0: none */
    const char *metavar;
    enum cli_type type;
    size_t at; /* offsetof() in the arguments */
    const struct tsr_names *names;
    const struct tsr_registry *registry;
    bool (*offers)(const struct tsr_object *object); /* which objects of it; NULL: all */
    size_t list;
    double min, max; /* inclusive; max 0: no upper bound. Of both numbers of a pair, of a list */
    bool positive;   /* above 0 */
    bool required;
    bool hidden;        /* --help leaves it out */
    enum cli_file file; /* of a string */
    bool each; /* with several images a folder that gets a file of each: the command tells which */
    enum tsr_status (*check)(const char *text, struct tsr_error *err); /* of a string */
    const char *shown; /* what --help shows as default; NULL: the value, "": nothing */
    /* Of objects: the parameter whose default --help shows as `shown`; NULL: `shown` is that of
     * --NAME itself, or of all named objects. */
    const char *shown_param;
    const char *help;
    /* Set in a struct cli_table. */
    size_t parent; /* of CLI_NAME and CLI_PARAM: index of the row that they come from */
    const struct tsr_object *object; /* CLI_NAME */
    const struct tsr_param *param;   /* CLI_PARAM: of the first object that has it */
};

/* --kernel, for the commands that compute. */
#define CLI_KERNEL(offset)                                                                         \
    {                                                                                              \
        .name = "kernel", .metavar = "NAME", .type = CLI_STRING, .at = (offset),                   \
        .check = cli_check_kernel,                                                                 \
        .help = "the code of the inner loop: auto, or one that `tessera version` lists"            \
    }
enum tsr_status cli_check_kernel(const char *text, struct tsr_error *err);

/* --background, for the commands that decode images; tsr_colour_parse() takes the string. */
#define CLI_BACKGROUND(offset)                                                                     \
    {                                                                                              \
        .name = "background", .metavar = "COLOUR", .type = CLI_STRING, .at = (offset),             \
        .check = cli_check_colour,                                                                 \
        .help = "what is transparent is composed on it: #rrggbb, or a name such as black"          \
    }
enum tsr_status cli_check_colour(const char *text, struct tsr_error *err);

/* --isolate, for the same commands: call->isolate is there before they run. */
#define CLI_ISOLATE(offset)                                                                        \
    {                                                                                              \
        .name = "isolate", .type = CLI_FLAG, .at = (offset),                                       \
        .help = "image files are decoded by processes that can open no file and no connection"     \
    }

/* The options of a command, with those of objects written out and those of all commands behind. */
struct cli_table {
    struct cli_option option[CLI_MAX_OPTIONS]; /* up to CLI_END */
    size_t n;
    struct {
        char name[40], metavar[24];
    } words[CLI_MAX_OPTIONS]; /* what names of options point to where no table has them */
};
/* To be freed; NULL: no memory. */
struct cli_table *cli_table_create(const struct cli_command *command);

/* The option of this name or, where that is NULL, alias; NULL: there is none. */
const struct cli_option *cli_table_find(const struct cli_table *table, const char *name,
                                        char alias);
/* Does a row of objects offer object i of its registry? */
bool cli_offers(const struct cli_option *row, size_t i);
/* The parameter of an object that an option of type CLI_PARAM sets; NULL: the object lacks it. */
const struct tsr_param *cli_param_of(const struct cli_option *option,
                                     const struct tsr_object *object);

/* Fills call->args (after the defaults), given, operands from words [n]; `operands` [n] is the
 * storage for the latter. call->table is set before. Sets *help, and returns at once, for --help.
 * TSR_ERR_CONFIG for misuse. */
enum tsr_status cli_parse(struct cli_call *call, size_t n, const char *const *words,
                          const char **operands, bool *help);

/* Was an object of this registry chosen on the command line? */
bool cli_chosen(const struct cli_call *call, const struct tsr_registry *registry);
/* An option by which an object of this registry or a parameter of it was given; NULL: none was. */
const char *cli_given_of(const struct cli_call *call, const struct tsr_registry *registry);

/* Sets those parameters of *choice that were given among the options of this registry and that its
 * object has. */
void cli_params_given(const struct cli_call *call, const struct tsr_registry *registry,
                      struct tsr_choice *choice);

#endif
