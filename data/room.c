/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "data/room.h"

#include <stdlib.h>
#include <sys/statvfs.h>

#include "data/file_name.h"

/* Below this, in bytes, nobody asks. */
static const double WORTH_A_WORD = 1e8;
static const double GB = 1e9;

uint64_t tsr_room_for(const char *path) {
    struct statvfs system;
    char *folder = tsr_path_folder(path);
    bool known = folder && statvfs(folder, &system) == 0;
    free(folder);
    return known ? (uint64_t)system.f_bavail * system.f_frsize : 0;
}

enum tsr_status tsr_room_check(const char *path, const char *what, double bytes, bool at_most,
                               const struct tsr_notice *notice, struct tsr_error *err) {
    uint64_t room = tsr_room_for(path);
    if (bytes < WORTH_A_WORD || room == 0) return TSR_OK;
    if (bytes > (double)room && !at_most)
        return TSR_ERROR(
            err, TSR_ERR_IO,
            "%s: %s take %.1f GB, and %.1f GB are free there; --deflate stores them in "
            "less, as do a smaller --size and --limit",
            path, what, bytes / GB, (double)room / GB);
    tsr_notice(notice, "%s take %s%.1f GB; %.1f GB are free%s", what, at_most ? "at most " : "",
               bytes / GB, (double)room / GB, at_most ? "" : " (--deflate 1 stores them in less)");
    return TSR_OK;
}
