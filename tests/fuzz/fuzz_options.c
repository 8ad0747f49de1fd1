/* SPDX-License-Identifier: MIT
 *
 * The words of a command line, a line each; the first byte chooses the command. Nothing is run.
 */
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/options.h"
#include "cli/shown.h"
#include "fuzz.h"

enum { MOST = 64 };

static void parse(const struct cli_command *command, size_t n, const char *const *words) {
    bool help = false;
    struct cli_call call = {.command = command};
    struct cli_table *table = cli_table_create(command);
    const char *operands[MOST + 1];
    call.args = calloc(1, command->args_size ? command->args_size : 1);
    if (!table || !call.args) abort();
    call.table = table;
    call.line = "";
    if (command->defaults) command->defaults(call.args);
    if (cli_parse(&call, n, words, operands, &help) != TSR_OK)
        (void)cli_shown(call.err.message);
    else if (!help && call.n_operands > n)
        abort();
    free(call.args);
    free(table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const char *words[MOST];
    size_t n = 0, commands = 0;
    if (size < 1) return 0;
    char *text = malloc(size);
    if (!text) return 0;
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    for (char *at = text; at && n < MOST;) {
        words[n++] = at;
        at = strchr(at, '\n');
        if (at) *at++ = '\0';
    }
    while (cli_commands[commands])
        commands++;
    parse(cli_commands[data[0] % commands], n, words);
    free(text);
    return 0;
}
