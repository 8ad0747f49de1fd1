/* SPDX-License-Identifier: MIT
 *
 * The program `tessera`: what its commands share.
 *
 * A command is one file that defines one struct cli_command, and one line in the table of main.c.
 * Its options are a table (options.h) over a struct of arguments that begins with struct
 * cli_common. run() returns a status and leaves the message in call->err; main.c prints it and
 * turns it into the exit code.
 */
#ifndef TSR_CLI_CLI_H
#define TSR_CLI_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include "base/comm.h"
#include "base/status.h"

enum cli_exit {
    CLI_EXIT_DONE = 0,
    CLI_EXIT_FAILED = 1,
    CLI_EXIT_MISUSE = 2,
    CLI_EXIT_BAD_INPUT = 3,
    CLI_EXIT_INTERRUPTED = 130,
};

/* What a command is doing: an I/O error is a bad input file while it reads, a failed run later. */
enum cli_phase { CLI_READING, CLI_RUNNING };

#define CLI_MAX_OPTIONS 96

/* Options of all commands. */
struct cli_common {
    size_t threads;
    uint64_t seed;
    bool quiet, force;
};

/* What a path on the command line is to a command (cli/outputs.h). */
enum cli_file {
    CLI_NO_FILE, /* no path */
    CLI_READS,
    CLI_READS_HDF5,
    CLI_READS_FOLDER, /* or a file */
    CLI_WRITES,
    CLI_WRITES_PNG,
    CLI_WRITES_HDF5,
    CLI_WRITES_FOLDER, /* the command tells what it writes in it */
};

struct cli_files;
struct cli_isolate;

struct cli_option;
struct cli_table;

struct cli_call {
    const struct cli_command *command;
    void *args;                    /* command->args_size bytes */
    const struct cli_table *table; /* of its options (cli/options.h) */
    bool given[CLI_MAX_OPTIONS];   /* by index in the table */
    double param[CLI_MAX_OPTIONS]; /* values of options of type CLI_PARAM */
    const char **operands;         /* [n_operands]: what is not an option */
    size_t n_operands;
    char *built_in;   /* path of the built-in model that is the first of them, or NULL; owned */
    const char *line; /* the command line, for attributes of files */
    enum cli_phase phase;
    struct cli_files *files; /* while the command runs */
    struct cli_isolate
        *isolate; /* decodes images for it (--isolate, cli/isolate.h); NULL: nobody */
    const struct tsr_comm *comm; /* the processes that run it; of one that is not rank 0, stdout is
                                    nowhere and `quiet` is set */
    struct tsr_error err;
};

struct cli_command {
    const char *name, *group, *summary;
    const char *operands;             /* for the usage line */
    const char *about;                /* paragraphs for --help; lines of at most 80 characters */
    const struct cli_option *options; /* up to one without a type */
    size_t args_size;
    void (*defaults)(void *args); /* args is zero before */
    size_t min_operands, max_operands;
    enum cli_file first_operand, operand; /* the others */
    size_t built_in; /* offset in args of the preset whose model may stand for the first operand
                        (cli/built_in.h); 0: none */
    bool shared;     /* several processes may run it together (cli/ranks.h) */
    /* Names the files that no option names, before anything is done (cli/outputs.h); or NULL. */
    enum tsr_status (*files)(struct cli_call *call);
    enum tsr_status (*run)(struct cli_call *call);
};

extern const struct cli_command cli_pack, cli_train, cli_eval, cli_adapt, cli_fit, cli_render,
    cli_info, cli_demo, cli_hypothesis, cli_bench, cli_watch_run, cli_version, cli_help;

/* Up to one without a name, grouped. */
extern const struct cli_command *const cli_commands[];
/* NULL if there is none of this name. */
const struct cli_command *cli_find_command(const char *name);
void cli_print_overview(FILE *to);

/* Was this option on the command line? */
bool cli_given(const struct cli_call *call, const char *option);

/* "tessera train: ..." on stderr, after what stdout holds. */
void cli_complain(const struct cli_call *call, const char *format, ...) TSR_PRINTF(2, 3);

/* The exit code of a status. */
enum cli_exit cli_exit_code(enum tsr_status status, enum cli_phase phase);

#endif
