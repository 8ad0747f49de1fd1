/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/blas.h"
#include "base/version.h"
#include "cli/blas_core.h"
#include "cli/cli.h"
#include "cli/isolate.h"
#include "cli/likely.h"
#include "cli/option_text.h"
#include "cli/outputs.h"
#include "cli/progress.h"
#include "cli/ranks.h"
#include "cli/shown.h"
#include "cli/signals.h"
#include "data/file.h"
#include "data/h5.h"

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
    if (status != TSR_OK) cli_complain(call, "%s", cli_shown(call->err.message));
    return code;
}

/* What fails on one process fails on all of them. */
static enum tsr_status run_guarded(struct cli_call *call) {
    enum tsr_status status = TSR_OK;
    if (cli_given(call, "isolate"))
        status = cli_isolate_start(&cli_decoders, &call->isolate, &call->err);
    if (status == TSR_OK) status = cli_files_take(call);
    status = tsr_comm_agree(call->comm, status, &call->err);
    if (status == TSR_OK) status = tsr_comm_agree(call->comm, call->command->run(call), &call->err);
    cli_files_release(call);
    cli_isolate_end(call->isolate);
    return status;
}

static enum tsr_status check_alone(const struct cli_call *call, struct tsr_error *err) {
    size_t launched = cli_ranks_launched();
    if (call->comm->size > 1 && !call->command->shared)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "is for one process, and %zu were started; train, eval and pack "
                         "share their work among several",
                         call->comm->size);
    if (call->comm->size == 1 && launched > 1 && call->command->shared)
        (void)fprintf(stderr,
                      "tessera %s: warning: this is one of %zu processes, and tessera was built "
                      "without MPI: each does all of the work (make MPI=1)\n",
                      call->command->name, launched);
    return TSR_OK;
}

/* Several processes have one voice, that of rank 0. */
static enum tsr_status meet(struct cli_call *call) {
    enum tsr_status status = cli_ranks_start(&call->comm, &call->err);
    if (status == TSR_OK && call->comm->rank > 0 && !freopen("/dev/null", "w", stdout))
        status = TSR_ERROR(&call->err, TSR_ERR_IO, "/dev/null cannot be written");
    return status;
}

static enum tsr_status parse(struct cli_call *call, int argc, char **argv, bool *help) {
    struct cli_common *common = call->args;
    TSR_TRY(meet(call));
    TSR_TRY(cli_parse(call, (size_t)argc - 2, (const char *const *)argv + 2, call->operands, help));
    if (call->comm->rank > 0) common->quiet = true;
    return *help ? TSR_OK : check_alone(call, &call->err);
}

static enum cli_exit run_command(const struct cli_command *command, int argc, char **argv) {
    bool help = false;
    enum cli_exit code = CLI_EXIT_FAILED;
    struct cli_call call = {.command = command, .comm = &tsr_comm_alone};
    char *line = join_words(argc, argv);
    const char **operands = calloc((size_t)argc, sizeof *operands);
    struct cli_table *table = cli_table_create(command);
    call.args = calloc(1, command->args_size);
    if (line && operands && table && call.args) {
        call.table = table;
        call.line = line;
        if (command->defaults) command->defaults(call.args);
        call.operands = operands;
        enum tsr_status status = parse(&call, argc, argv, &help);
        if (help)
            cli_print_help(command, cli_text_width(), stdout);
        else if (status == TSR_OK)
            status = run_guarded(&call);
        code = finish(&call, status);
        cli_ranks_end((int)code);
    } else {
        cli_complain(&call, "no memory");
    }
    free(line);
    free(call.built_in);
    free(operands);
    free(table);
    free(call.args);
    return code;
}

static enum cli_exit no_command(const char *name) {
    struct tsr_error err;
    (void)cli_unknown_command(name, &err);
    (void)fprintf(stderr, "tessera: %s\n", cli_shown(err.message));
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
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
        (void)printf("tessera %s\n", tsr_version());
        return CLI_EXIT_DONE;
    }
    const struct cli_command *command = cli_find_command(argv[1]);
    return command ? run_command(command, argc, argv) : no_command(argv[1]);
}

/* Where standard input, output or error is closed, the next file that is opened would be it, and
 * what is printed would go there. One that cannot be used as it is meant takes its place. */
static void keep_descriptors(void) {
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

static bool finished;

/* HDF5 ends the process by itself where it has no memory for a handle. */
static void ended_by_others(void) {
    static const char text[] = "tessera: ended by a library, most likely for want of memory; files "
                               "that were being written are left as they were\n";
    if (finished) return;
    tsr_temp_abandon();
    (void)!write(STDERR_FILENO, text, sizeof text - 1);
    _exit(CLI_EXIT_FAILED);
}

int main(int argc, char **argv) {
    keep_descriptors();
    cli_signals_start();
    (void)atexit(ended_by_others);
    cli_correct_blas_core(argc, argv);
    tsr_blas_single_thread();
    tsr_h5_end_quietly();
    enum cli_exit code = dispatch(argc, argv);
    errno = 0;
    if (ferror(stdout) || fclose(stdout) != 0) {
        if (cli_interrupted() == SIGPIPE) cli_signals_end(); /* nobody is left to hear of it */
        (void)fprintf(stderr, "tessera: standard output cannot be written%s%s\n", errno ? ": " : "",
                      errno ? strerror(errno) : "");
        if (code == CLI_EXIT_DONE) code = CLI_EXIT_FAILED;
    }
    if (code == CLI_EXIT_INTERRUPTED) cli_signals_end();
    finished = true;
    return (int)code;
}
