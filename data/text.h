/* SPDX-License-Identifier: MIT
 *
 * Text files that people write: lists of names, in whatever form their editor saved them. Internal
 * to data/.
 */
#ifndef TSR_DATA_TEXT_H
#define TSR_DATA_TEXT_H

#include <stdbool.h>

#include "base/status.h"

/* Reads a text of at most `limit` bytes as lines of UTF-8 that end with '\n': a byte order mark
 * goes, UTF-16 of either byte order (with a mark, or seen by the zero of its first character) is
 * converted, and where all lines end with '\r' alone these become '\n'. The result has a
 * terminating zero that is not counted; free with free(). Errors of tsr_source_read_file(),
 * of which it is also the path: a member of an archive, too. */
enum tsr_status tsr_text_read(const char *path, size_t limit, char **text, size_t *size,
                              struct tsr_error *err) TSR_MUST_USE;

/* The next line of a text [up to `end`], cut off in place and trimmed; *at moves behind it. NULL at
 * the end. *is_text: there is no zero byte in it. */
char *tsr_next_line(char **at, char *end, bool *is_text);

/* Cuts blanks (also '\r') from both ends of a line, in place. */
char *tsr_trim(char *text);

#endif
