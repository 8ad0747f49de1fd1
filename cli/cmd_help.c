/* SPDX-License-Identifier: MIT */
#include "cli/likely.h"
#include "cli/option_text.h"
#include "cli/progress.h"

struct help_args {
    struct cli_common common;
    bool man;
    const char *completion;
};

static const struct cli_option options[] = {
    {.name = "man",
     .type = CLI_FLAG,
     .at = offsetof(struct help_args, man),
     .hidden = true,
     .help = "the section OPTIONS of the man page of a command"},
    {.name = "completion",
     .metavar = "SHELL",
     .type = CLI_STRING,
     .at = offsetof(struct help_args, completion),
     .help = "completion of the command line, for bash or zsh"},
    {.type = CLI_END},
};

static enum tsr_status run(struct cli_call *call) {
    const struct help_args *a = call->args;
    if (a->completion) {
        enum tsr_status status = cli_print_completion(a->completion, stdout, &call->err);
        return status == TSR_ERR_NOT_FOUND ? TSR_ERR_CONFIG : status;
    }
    if (call->n_operands == 0) {
        cli_print_overview(stdout);
        return TSR_OK;
    }
    const struct cli_command *command = cli_find_command(call->operands[0]);
    if (!command) return cli_unknown_command(call->operands[0], &call->err);
    if (a->man)
        cli_print_man(command, stdout);
    else
        cli_print_help(command, cli_text_width(), stdout);
    return TSR_OK;
}

const struct cli_command cli_help = {
    .name = "help",
    .group = "about",
    .summary = "explain a command",
    .operands = "[COMMAND]",
    .about = "Prints the list of commands, or the options of one.",
    .options = options,
    .args_size = sizeof(struct help_args),
    .max_operands = 1,
    .run = run,
};
