/* SPDX-License-Identifier: MIT */
#include "cli/options.h"

static enum tsr_status run(struct cli_call *call) {
    if (call->n_operands == 0) {
        cli_print_overview(stdout);
        return TSR_OK;
    }
    const struct cli_command *command = cli_find_command(call->operands[0]);
    if (!command)
        return TSR_ERROR(&call->err, TSR_ERR_CONFIG,
                         "unknown command \"%s\"; tessera --help lists them", call->operands[0]);
    cli_print_help(command, stdout);
    return TSR_OK;
}

const struct cli_command cli_help = {
    .name = "help",
    .group = "about",
    .summary = "explain a command",
    .operands = "[COMMAND]",
    .about = "Prints the list of commands, or the options of one.",
    .args_size = sizeof(struct cli_common),
    .max_operands = 1,
    .run = run,
};
