/* SPDX-License-Identifier: MIT
 *
 * Writes JSON text into memory, indented. Commas and escapes are its business; nesting is the
 * caller's. Running out of memory is remembered and told at the end.
 */
#ifndef TSR_CLI_JSON_H
#define TSR_CLI_JSON_H

#include <stdbool.h>

#include "base/object.h"

struct json {
    char *text; /* owned */
    size_t size, capacity;
    size_t depth;
    bool comma;   /* something stands before the next item */
    bool inlined; /* inside an array of numbers: no line breaks */
    bool failed;
};

/* `key` is NULL for the outermost value and in arrays. */
void json_open(struct json *j, const char *key, char bracket);
void json_close(struct json *j, char bracket);
void json_string(struct json *j, const char *key, const char *value); /* NULL: null */
void json_number(struct json *j, const char *key, double value);      /* NaN, infinity: null */
void json_integer(struct json *j, const char *key, uint64_t value);
/* The object's name under `key`, then each of its parameters under its own name. */
void json_choice(struct json *j, const char *key, const struct tsr_choice *choice);
void json_numbers(struct json *j, const char *key, const double *values, size_t n);

/* Ends the text with a line break. */
enum tsr_status json_finish(struct json *j, struct tsr_error *err);
void json_clear(struct json *j);

#endif
