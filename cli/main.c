/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/version.h"
#include "cli/blas_core.h"
#include "cli/cli.h"
#include "cli/option_text.h"
#include "cli/progress.h"

const struct cli_command *const cli_commands[] = {
    &cli_pack, &cli_train,      &cli_eval,  &cli_adapt,   &cli_fit,  &cli_render, &cli_info,
    &cli_demo, &cli_hypothesis, &cli_bench, &cli_version, &cli_help, NULL,
};

const struct cli_command *cli_find_command(const char *name) {
    for (const struct cli_command *const *c = cli_commands; *c; c++)
        if (strcmp((*c)->name, name) == 0) return *c;
    return NULL;
}

void cli_print_overview(FILE *to) {
    const char *group = "";
    (void)fprintf(to, "usage: tessera COMMAND [options] ...\n\n"
                      "Meta-learned piecewise implicit neural representations: learns, over a "
                      "dataset of\nimages, the initial weights of many small networks, one for "
                      "each region of an\nimage; a few gradient steps from these reconstruct an "
                      "image never seen before.\n");
    for (const struct cli_command *const *c = cli_commands; *c; c++) {
        if (strcmp(group, (*c)->group) != 0) (void)fprintf(to, "\n%s\n", (*c)->group);
        group = (*c)->group;
        (void)fprintf(to, "  %-10s %s\n", (*c)->name, (*c)->summary);
    }
    (void)fprintf(to, "\ntessera COMMAND --help explains a command.\n"
                      "exit codes: 0 done, 1 run failed, 2 misuse, 3 bad input file, 130 "
                      "interrupted\n");
}

void cli_complain(const struct cli_call *call, const char *format, ...) {
    va_list list;
    (void)fflush(stdout);
    (void)fprintf(stderr, "tessera %s: ", call->command->name);
    va_start(list, format);
    (void)vfprintf(stderr, format, list);
    va_end(list);
    (void)fputc('\n', stderr);
}

enum cli_exit cli_exit_code(enum tsr_status status, enum cli_phase phase) {
    switch (status) {
    case TSR_OK:
        return CLI_EXIT_DONE;
    case TSR_ERR_CONFIG:
        return CLI_EXIT_MISUSE;
    case TSR_ERR_FORMAT:
    case TSR_ERR_VERSION:
    case TSR_ERR_SHAPE:
    case TSR_ERR_NOT_FOUND:
        return CLI_EXIT_BAD_INPUT;
    case TSR_ERR_IO:
    case TSR_ERR_UNSUPPORTED:
        return phase == CLI_READING ? CLI_EXIT_BAD_INPUT : CLI_EXIT_FAILED;
    case TSR_ERR_INTERRUPTED:
        return CLI_EXIT_INTERRUPTED;
    case TSR_ERR_ARGUMENT:
    case TSR_ERR_NO_MEMORY:
    case TSR_ERR_NUMERIC:
        break;
    }
    return CLI_EXIT_FAILED;
}

/* The command line as one string a shell would take; NULL: no memory. */
static char *join_words(int argc, char **argv) {
    size_t size = 1;
    for (int i = 0; i < argc; i++)
        size += 4 * strlen(argv[i]) + 3;
    char *line = malloc(size), *p = line;
    for (int i = 0; line && i < argc; i++) {
        bool plain = argv[i][0] && !argv[i][strcspn(argv[i], " \t\n\"'\\$&|;<>()*?[]#~`!{}")];
        if (i > 0) *p++ = ' ';
        if (!plain) *p++ = '\'';
        for (const char *c = argv[i]; *c; c++) {
            if (*c == '\'') {
                memcpy(p, "'\\''", 4);
                p += 4;
            } else {
                *p++ = *c;
            }
        }
        if (!plain) *p++ = '\'';
    }
    if (line) *p = '\0';
    return line;
}

static enum cli_exit finish(const struct cli_call *call, enum tsr_status status) {
    enum cli_exit code = cli_exit_code(status, call->phase);
    if (status != TSR_OK) cli_complain(call, "%s", call->err.message);
    return code;
}

static enum cli_exit run_command(const struct cli_command *command, int argc, char **argv) {
    bool help = false;
    enum cli_exit code = CLI_EXIT_FAILED;
    struct cli_call call = {.command = command};
    char *line = join_words(argc, argv);
    const char **operands = calloc((size_t)argc, sizeof *operands);
    struct cli_table *table = cli_table_create(command);
    call.args = calloc(1, command->args_size);
    if (line && operands && table && call.args) {
        call.table = table;
        call.line = line;
        if (command->defaults) command->defaults(call.args);
        enum tsr_status status =
            cli_parse(&call, (size_t)argc - 2, (const char *const *)argv + 2, operands, &help);
        if (help)
            cli_print_help(command, cli_text_width(), stdout);
        else if (status == TSR_OK)
            status = command->run(&call);
        code = finish(&call, status);
    } else {
        cli_complain(&call, "no memory");
    }
    free(line);
    free(operands);
    free(table);
    free(call.args);
    return code;
}

static enum cli_exit no_command(const char *name) {
    const char *names[32];
    size_t n = 0;
    for (; cli_commands[n]; n++)
        names[n] = cli_commands[n]->name;
    names[n] = NULL;
    const char *nearest = cli_nearest(name, names);
    (void)fprintf(stderr, "tessera: unknown command \"%s\"; ", name);
    if (nearest)
        (void)fprintf(stderr, "did you mean %s?\n", nearest);
    else
        (void)fprintf(stderr, "tessera --help lists them\n");
    return CLI_EXIT_MISUSE;
}

static enum cli_exit dispatch(int argc, char **argv) {
    if (argc < 2) {
        cli_print_overview(stderr);
        return CLI_EXIT_MISUSE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        cli_print_overview(stdout);
        return CLI_EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        (void)printf("tessera %s\n", tsr_version());
        return CLI_EXIT_DONE;
    }
    const struct cli_command *command = cli_find_command(argv[1]);
    return command ? run_command(command, argc, argv) : no_command(argv[1]);
}

int main(int argc, char **argv) {
    cli_correct_blas_core(argc, argv);
    tsr_blas_single_thread();
    enum cli_exit code = dispatch(argc, argv);
    errno = 0;
    if (ferror(stdout) || fclose(stdout) != 0) {
        (void)fprintf(stderr, "tessera: standard output cannot be written%s%s\n", errno ? ": " : "",
                      errno ? strerror(errno) : "");
        if (code == CLI_EXIT_DONE) code = CLI_EXIT_FAILED;
    }
    return (int)code;
}
