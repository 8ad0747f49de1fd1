/* SPDX-License-Identifier: MIT
 *
 * Writes JSON text into memory, indented. Commas and escapes are its business; nesting is the
 * caller's. Running out of memory is remembered and told at the end.
 */
#ifndef TSR_CLI_JSON_H
#define TSR_CLI_JSON_H

#include <stdbool.h>

#include "base/setting.h"

struct cli_json {
    char *text; /* owned */
    size_t size, capacity;
    size_t depth;
    bool comma;   /* something stands before the next item */
    bool inlined; /* inside an array of numbers: no line breaks */
    bool failed;
};

/* `key` is NULL for the outermost value and in arrays. */
void cli_json_open(struct cli_json *j, const char *key, char bracket);
void cli_json_close(struct cli_json *j, char bracket);
void cli_json_string(struct cli_json *j, const char *key, const char *value); /* NULL: null */
void cli_json_number(struct cli_json *j, const char *key, double value); /* NaN, infinity: null */
void cli_json_integer(struct cli_json *j, const char *key, uint64_t value);
void cli_json_text(struct cli_json *j, const char *key, const char *json); /* as it stands */
void cli_json_numbers(struct cli_json *j, const char *key, const double *values, size_t n);

/* The object's name under `key`, then each of its parameters under its own name. */
void cli_json_choice(struct cli_json *j, const char *key, const struct tsr_choice *choice);

/* Settings by their visitor (base/setting.h), one object for each group: the fn cli_json_setting()
 * with a struct cli_json_settings as user, then the end. A choice is as cli_json_choice()
 * has it. */
struct cli_json_settings {
    struct cli_json *json;
    char group[40]; /* that is open; "" at first */
};
enum tsr_status cli_json_setting(void *settings, const struct tsr_setting *setting,
                                 struct tsr_error *err);
void cli_json_settings_end(struct cli_json_settings *settings);

/* Ends the text with a line break. */
enum tsr_status cli_json_finish(struct cli_json *j, struct tsr_error *err);
/* Ends the text, writes it to `path` (cli_is_stdout(): to stdout) and clears it. */
enum tsr_status cli_json_write(struct cli_json *j, const char *path, struct tsr_error *err);
void cli_json_clear(struct cli_json *j);

#endif
