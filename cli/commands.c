/* SPDX-License-Identifier: MIT
 *
 * The table of commands, and what all of them share.
 */
#include <stdarg.h>
#include <string.h>

#include "cli/cli.h"

const struct cli_command *const cli_commands[] = {
    &cli_pack, &cli_train, &cli_watch_run,  &cli_eval,  &cli_adapt,   &cli_fit,  &cli_render,
    &cli_info, &cli_demo,  &cli_hypothesis, &cli_bench, &cli_version, &cli_help, NULL,
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
                      "exit codes: 0 done, 1 run failed, 2 misuse, 3 bad input file; "
                      "interrupted, it\nends by the signal (130 in a shell for Ctrl-C)\n");
}

void cli_complain(const struct cli_call *call, const char *format, ...) {
    va_list list;
    if (call->comm && call->comm->rank > 0) return; /* rank 0 says it */
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
