/* SPDX-License-Identifier: MIT
 *
 * Values of options: from text, and as text.
 */
#ifndef TSR_CLI_OPTION_VALUES_H
#define TSR_CLI_OPTION_VALUES_H

#include "cli/options.h"

/* Sets what stands at `at` (of the type of the option). TSR_ERR_CONFIG names option, text and rule.
 * CLI_PARAM: a double; its range is that of an object and checked when that is known. */
enum tsr_status cli_set_value(const struct cli_option *option, const char *text, void *at,
                              struct tsr_error *err);
/* The same for an option CLI_NAME: `at` is a struct tsr_choice. */
enum tsr_status cli_set_named(const struct cli_option *option, const char *text,
                              struct tsr_choice *at, struct tsr_error *err);

/* Positional parameters of an object: those that the value of --NAME gives. */
size_t cli_positionals(const struct tsr_object *object);

/* The value at `at` as --help shows it, "" if there is nothing to say. out [size], terminated. */
void cli_print_value(const struct cli_option *option, const void *at, char *out, size_t size);

#endif
