/* SPDX-License-Identifier: MIT */
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *tsr_status_name(enum tsr_status status) {
    static const char *const names[] = {
        [TSR_OK] = "ok",
        [TSR_ERR_ARGUMENT] = "bad argument",
        [TSR_ERR_CONFIG] = "bad configuration",
        [TSR_ERR_NO_MEMORY] = "out of memory",
        [TSR_ERR_IO] = "input/output error",
        [TSR_ERR_FORMAT] = "bad file",
        [TSR_ERR_VERSION] = "newer file format",
        [TSR_ERR_SHAPE] = "mismatch",
        [TSR_ERR_NOT_FOUND] = "not found",
        [TSR_ERR_NUMERIC] = "numerical failure",
        [TSR_ERR_INTERRUPTED] = "interrupted",
        [TSR_ERR_UNSUPPORTED] = "unsupported",
    };
    size_t i = (size_t)status;
    return i < sizeof names / sizeof *names ? names[i] : "unknown status";
}

enum tsr_status tsr_error_set(struct tsr_error *err, enum tsr_status status, const char *file,
                              int line, const char *format, ...) {
    if (!err) return status;
    err->status = status;
    err->file = file;
    err->line = line;
    va_list args;
    va_start(args, format);
    (void)vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    return status;
}

/* Cuts `text` to at most `limit` bytes, "..." included, between characters (UTF-8). */
static void cut(char *text, size_t limit) {
    if (strlen(text) <= limit) return;
    size_t n = limit - 3;
    while (n > 0 && ((unsigned char)text[n] & 0xC0) == 0x80)
        n--;
    memcpy(text + n, "...", 4);
}

void tsr_error_prefix(struct tsr_error *err, const char *format, ...) {
    if (!err) return;
    char prefix[TSR_ERROR_SIZE], old[TSR_ERROR_SIZE];
    memcpy(old, err->message, sizeof old);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(prefix, sizeof prefix, format, args);
    va_end(args);
    if (n < 0) return;
    size_t length = strlen(old), room = sizeof err->message - 3; /* ": " and the final 0 */
    size_t limit = length < room / 2 ? room - length : room / 2;
    cut(prefix, limit);
    size_t used = strlen(prefix);
    if (length > room - used) length = room - used;
    memcpy(err->message, prefix, used);
    memcpy(err->message + used, ": ", 2);
    memcpy(err->message + used + 2, old, length);
    err->message[used + 2 + length] = '\0';
}

void tsr_error_copy(struct tsr_error *to, const struct tsr_error *from) {
    if (to && from) *to = *from;
}
