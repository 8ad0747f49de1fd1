/* SPDX-License-Identifier: MIT */
#include "base/names.h"

#include <stdio.h>
#include <string.h>

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
    return TSR_ERROR(err, TSR_ERR_NOT_FOUND, "%s \"%s\" is unknown; known are %s", what, text,
                     list);
}
