/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "data/file_name.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/digest.h"
#include "data/file.h"

#define MOST_LINKS 40
#define LONGEST_LINK 4096

const char *tsr_path_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *tsr_path_folder(const char *path) {
    size_t n = (size_t)(tsr_path_name(path) - path);
    return n ? strndup(path, n) : strdup("./");
}

uint64_t tsr_name_hash(const char *name) {
    return tsr_digest(TSR_DIGEST_START, name, strlen(name));
}

int tsr_path_descriptor(const char *path) {
    static const char *const names[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};
    static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};
    for (int i = 0; i < 3; i++)
        if (strcmp(path, names[i]) == 0) return i;
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(folders[i]);
        if (strncmp(path, folders[i], n) != 0) continue;
        const char *digits = path + n;
        if (*digits && strlen(digits) < 8 && strspn(digits, "0123456789") == strlen(digits))
            return (int)strtol(digits, NULL, 10);
    }
    return -1;
}

/* What the link at `path` holds, seen from where `path` is seen from; NULL with errno. */
static char *link_content(const char *path) {
    char text[LONGEST_LINK];
    ssize_t n = readlink(path, text, sizeof text);
    if (n < 0) return NULL;
    if (n == 0 || (size_t)n == sizeof text) {
        errno = n ? ENAMETOOLONG : ENOENT;
        return NULL;
    }
    size_t folder = text[0] == '/' ? 0 : (size_t)(tsr_path_name(path) - path);
    char *out = malloc(folder + (size_t)n + 1);
    if (!out) return NULL;
    memcpy(out, path, folder);
    memcpy(out + folder, text, (size_t)n);
    out[folder + (size_t)n] = '\0';
    return out;
}

enum tsr_status tsr_file_target(const char *path, char **target, struct tsr_error *err) {
    char *at = strdup(path);
    *target = NULL;
    for (int links = 0; at; links++) {
        if (links > MOST_LINKS) {
            free(at);
            return TSR_ERROR(err, TSR_ERR_IO, "%s: %s", path, strerror(ELOOP));
        }
        const char *name = tsr_path_name(at);
        if (*name == 0 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0) {
            free(at);
            return TSR_ERROR(err, TSR_ERR_IO, "\"%s\" does not name a file", path);
        }
        errno = 0;
        char *next = link_content(at);
        int failed = errno;
        if (!next && (failed == EINVAL || failed == ENOENT || failed == ENOTDIR ||
                      failed == EACCES)) { /* not a link; what else is wrong shows on opening it */
            *target = at;
            return TSR_OK;
        }
        free(at);
        if (!next && failed != ENOMEM)
            return TSR_ERROR(err, TSR_ERR_IO, "%s: %s", path, strerror(failed));
        at = next;
    }
    return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: cannot allocate its name", path);
}
