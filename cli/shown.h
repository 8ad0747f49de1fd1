/* SPDX-License-Identifier: MIT
 *
 * Text from elsewhere, a file's name or a string in a file, as it may be shown on a terminal or
 * stand in a table: on one line, without tabs, and with nothing that a terminal obeys.
 */
#ifndef TSR_CLI_SHOWN_H
#define TSR_CLI_SHOWN_H

#include <stddef.h>

/* The text itself if it is harmless, else a copy with escapes: \n, \t, \r, \xHH for other control
 * characters and for bytes that are no UTF-8, \uHHHH for C1 controls, for what changes the
 * direction of writing and for line separators, and \\. A copy lasts for the next 15 calls of the
 * thread, and is cut after some thousand characters. */
const char *cli_shown(const char *text);
/* The same for a field of a table, where a backslash is always doubled: what was meant can be told.
 */
const char *cli_field(const char *text);

/* Length of the UTF-8 sequence at s; 0: it is none. */
size_t cli_utf8_length(const char *s);
unsigned cli_code_point(const char *s, size_t n); /* of a sequence of n bytes */
/* Whether the character at s, of a sequence of `n` bytes, is obeyed rather than shown. */
int cli_is_control(const char *s, size_t n);

#endif
