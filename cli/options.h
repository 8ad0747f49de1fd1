/* SPDX-License-Identifier: MIT
 *
 * One table of options per command. It drives the parser, --help with the defaults, and the test
 * of the man pages.
 *
 * GNU habits: --name value, --name=value, options and operands in any order, -- ends the options.
 * Strict: whole words, bounds, no option twice, no abbreviations.
 */
#ifndef TSR_CLI_OPTIONS_H
#define TSR_CLI_OPTIONS_H

#include "cli/cli.h"

enum cli_type {
    CLI_END,
    CLI_HEADING,  /* name is the heading */
    CLI_FLAG,     /* bool */
    CLI_STRING,   /* const char * */
    CLI_SIZE,     /* size_t */
    CLI_U64,      /* uint64_t */
    CLI_DOUBLE,   /* double */
    CLI_PAIR,     /* size_t [2], "RxC" */
    CLI_DURATION, /* double, seconds: 90, 90s, 30m, 2h */
    CLI_ENUM,     /* of the library, through `names` */
    CLI_DOUBLES,  /* double [list], "a,b,c" */
};

/* An enumeration of the library. */
struct cli_enum {
    enum tsr_status (*parse)(const char *text, void *out, struct tsr_error *err);
    const char *(*name)(size_t value);
    size_t (*get)(const void *at);
    size_t n;
};
extern const struct cli_enum cli_enum_fit, cli_enum_split, cli_enum_slots, cli_enum_sampling,
    cli_enum_net, cli_enum_frame, cli_enum_method, cli_enum_rates, cli_enum_inner_loss,
    cli_enum_schedule, cli_enum_optimizer, cli_enum_merge;

struct cli_option {
    const char *name;
    char alias; /* "-o"; 0: none */
    const char *metavar;
    enum cli_type type;
    size_t at; /* offsetof() in the arguments */
    const struct cli_enum *names;
    size_t list;
    double min, max; /* inclusive; max 0: no upper bound. Of both numbers of a pair, of a list */
    bool positive;   /* above 0 */
    bool required;
    enum tsr_status (*check)(const char *text, struct tsr_error *err); /* of a string */
    const char *shown; /* what --help shows as default; NULL: the value, "": nothing */
    const char *help;
};

/* --kernel, for the commands that compute. */
#define CLI_KERNEL(offset)                                                                         \
    {                                                                                              \
        .name = "kernel", .metavar = "NAME", .type = CLI_STRING, .at = (offset),                   \
        .check = cli_check_kernel,                                                                 \
        .help = "the code of the inner loop: auto, or one that `tessera version` lists"            \
    }
#define CLI_MERGE(offset)                                                                          \
    {                                                                                              \
        .name = "merge", .metavar = "KIND", .type = CLI_ENUM, .names = &cli_enum_merge,            \
        .at = (offset),                                                                            \
        .help =                                                                                    \
            "how segments are joined: most similar colours, or the smallest into its smallest "    \
            "neighbour"                                                                            \
    }
enum tsr_status cli_check_kernel(const char *text, struct tsr_error *err);

/* Options of all commands, --help among them. */
extern const struct cli_option cli_common_options[];

/* Fills call->args (after the defaults), given, operands from words [n]; `operands` [n] is the
 * storage for the latter. Sets *help, and returns at once, for --help. TSR_ERR_CONFIG for misuse.
 */
enum tsr_status cli_parse(struct cli_call *call, size_t n, const char *const *words,
                          const char **operands, bool *help);

void cli_print_help(const struct cli_command *command, FILE *to);

/* The word of words (up to NULL) that was probably meant, or NULL. */
const char *cli_nearest(const char *text, const char *const *words);

#endif
