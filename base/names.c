/* SPDX-License-Identifier: MIT */
#include "base/names.h"

#include <stdio.h>
#include <string.h>

/* Levenshtein distance, for words of fewer than 32 characters. */
static size_t distance(const char *a, const char *b) {
    size_t row[33], n = strlen(a), m = strlen(b);
    if (n > 32 || m > 32) return SIZE_MAX;
    for (size_t j = 0; j <= m; j++)
        row[j] = j;
    for (size_t i = 1; i <= n; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            if (row[j] + 1 < best) best = row[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[m];
}

const char *tsr_name_nearest(const char *text, const char *const *names, size_t n) {
    const char *nearest = NULL;
    size_t best = 1 + strlen(text) / 3;
    for (size_t i = 0; i < n; i++) {
        size_t d = distance(text, names[i]);
        if (d > best || d >= strlen(names[i]) || (d == best && nearest)) continue;
        best = d;
        nearest = names[i];
    }
    return nearest;
}

enum tsr_status tsr_name_parse(const char *text, const char *const *names, size_t n,
                               const char *what, size_t *index, struct tsr_error *err) {
    char list[512] = "";
    for (size_t i = 0; i < n; i++) {
        if (strcmp(text, names[i]) == 0) {
            *index = i;
            return TSR_OK;
        }
        size_t used = strlen(list);
        (void)snprintf(list + used, sizeof list - used, "%s%s", i ? ", " : "", names[i]);
    }
    const char *nearest = tsr_name_nearest(text, names, n);
    return TSR_ERROR(err, TSR_ERR_NOT_FOUND, "%s \"%s\" is unknown; known are %s%s%s%s", what, text,
                     list, nearest ? "; did you mean " : "", nearest ? nearest : "",
                     nearest ? "?" : "");
}
