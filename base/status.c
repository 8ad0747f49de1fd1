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

void tsr_error_prefix(struct tsr_error *err, const char *format, ...) {
    if (!err) return;
    char old[TSR_ERROR_SIZE];
    memcpy(old, err->message, sizeof old);
    va_list args;
    va_start(args, format);
    int n = vsnprintf(err->message, sizeof err->message, format, args);
    va_end(args);
    if (n < 0 || (size_t)n + 2 >= sizeof err->message) return;
    char *at = err->message + n;
    size_t room = sizeof err->message - (size_t)n - 3, length = strlen(old);
    if (length > room) length = room;
    memcpy(at, ": ", 2);
    memcpy(at + 2, old, length);
    at[2 + length] = '\0';
}
