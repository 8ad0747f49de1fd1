/* SPDX-License-Identifier: MIT
 *
 * What is generated from tables of options besides the parser: --help, the section OPTIONS of man
 * pages, completion for bash and zsh.
 */
#ifndef TSR_CLI_OPTION_TEXT_H
#define TSR_CLI_OPTION_TEXT_H

#include "cli/options.h"

/* Wrapped at `width` columns. */
void cli_print_help(const struct cli_command *command, size_t width, FILE *to);

/* From .SH OPTIONS to the line before the next section. */
void cli_print_man(const struct cli_command *command, FILE *to);

/* Of all commands. `shell`: "bash" or "zsh"; TSR_ERR_NOT_FOUND for another. */
enum tsr_status cli_print_completion(const char *shell, FILE *to, struct tsr_error *err);

/* The text of --help about an option, with choices and default. args: the defaults. out [size],
 * terminated. */
void cli_option_text(const struct cli_table *table, const struct cli_option *option,
                     const void *args, char *out, size_t size);

#endif
