/* SPDX-License-Identifier: MIT */
#include "image/api_checks.h"

#include <string.h>

static size_t size_of(const void *at) {
    size_t size;
    memcpy(&size, at, sizeof size);
    return size;
}

enum tsr_status tsr_sized_check(const char *what, const void *at, struct tsr_error *err) {
    /* A forgotten size is 0 or whatever was in memory; no struct of ours comes near this bound. */
    enum { MOST = 1 << 16 };
    size_t size = size_of(at);
    if (size < sizeof size || size > MOST)
        return TSR_ERROR(err, TSR_ERR_ARGUMENT,
                         "struct %s: its member size is %zu; it must be the size of the struct, "
                         "and the rest 0 or set",
                         what, size);
    return TSR_OK;
}

enum tsr_status tsr_sized_read(const char *what, const void *from, size_t size, void *to,
                               struct tsr_error *err) {
    TSR_TRY(tsr_sized_check(what, from, err));
    size_t given = size_of(from);
    const unsigned char *byte = from;
    for (size_t i = size; i < given; i++)
        if (byte[i])
            return TSR_ERROR(err, TSR_ERR_UNSUPPORTED,
                             "struct %s: it has %zu bytes and sets some beyond the %zu that this "
                             "library (version %s) knows",
                             what, given, size, tsr_version());
    memset(to, 0, size);
    memcpy(to, from, given < size ? given : size);
    memcpy(to, &size, sizeof size);
    return TSR_OK;
}

void tsr_sized_write(const void *from, size_t size, void *to) {
    size_t given = size_of(to), known = given < size ? given : size;
    memcpy((char *)to + sizeof given, (const char *)from + sizeof given, known - sizeof given);
    memset((char *)to + known, 0, given - known);
}
