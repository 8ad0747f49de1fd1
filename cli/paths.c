/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "cli/paths.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/file_name.h"

enum tsr_status cli_check_input(const char *path, struct tsr_error *err) {
    if (access(path, R_OK) == 0) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_IO, "%s: %s", path, strerror(errno));
}

bool cli_is_stdout(const char *path) {
    return path && (strcmp(path, "-") == 0 || tsr_path_descriptor(path) == STDOUT_FILENO);
}

bool cli_is_same_file(const char *a, const char *b) {
    struct stat s, t;
    return stat(a, &s) == 0 && stat(b, &t) == 0 && s.st_dev == t.st_dev && s.st_ino == t.st_ino;
}

bool cli_is_folder(const char *path) {
    struct stat s;
    return stat(path, &s) == 0 && S_ISDIR(s.st_mode);
}

enum tsr_status cli_make_folder(const char *path, struct tsr_error *err) {
    if (mkdir(path, 0777) == 0 || (errno == EEXIST && cli_is_folder(path))) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_IO, "%s: the folder cannot be made: %s", path, strerror(errno));
}

static const char *file_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *cli_stem(const char *path) {
    const char *name = file_name(path), *dot = strrchr(name, '.');
    return strndup(name, dot && dot != name ? (size_t)(dot - name) : strlen(name));
}

char *cli_join(const char *folder, const char *name, const char *suffix) {
    size_t n = strlen(folder), size = n + strlen(name) + strlen(suffix) + 2;
    char *path = malloc(size);
    if (path)
        (void)snprintf(path, size, "%s%s%s%s", folder, n && folder[n - 1] != '/' ? "/" : "", name,
                       suffix);
    return path;
}

char *cli_installed(const char *name) {
    static const char *const places[] = {"../share/tessera", "."};
    char program[4096];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 1);
    if (n <= 0) return NULL;
    program[n] = '\0';
    program[file_name(program) - program] = '\0';
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        char *folder = cli_join(program, places[i], "");
        char *path = folder ? cli_join(folder, name, "") : NULL;
        free(folder);
        if (path && access(path, R_OK) == 0) return path;
        free(path);
    }
    return NULL;
}

char *cli_replace_suffix(const char *path, const char *suffix) {
    const char *name = file_name(path), *end = strrchr(name, '.');
    size_t length = strlen(path);
    if (length > 7 && strcmp(path + length - 7, ".inr.h5") == 0) end = path + length - 7;
    size_t keep = end && end != name ? (size_t)(end - path) : length;
    char *out = malloc(keep + strlen(suffix) + 1);
    if (!out) return NULL;
    memcpy(out, path, keep);
    strcpy(out + keep, suffix);
    return out;
}
