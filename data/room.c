/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "data/room.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>

#include "data/file_name.h"

/* "51 MB", "1.3 GB" */
struct amount {
    char text[24];
};

static struct amount amount_of(double bytes) {
    struct amount a;
    if (bytes < 1e9)
        (void)snprintf(a.text, sizeof a.text, "%.0f MB", bytes / 1e6);
    else
        (void)snprintf(a.text, sizeof a.text, "%.1f GB", bytes / 1e9);
    return a;
}

uint64_t tsr_room_for(const char *path) {
    struct statvfs system;
    char *folder = tsr_path_folder(path);
    bool known = folder && statvfs(folder, &system) == 0;
    free(folder);
    return known ? (uint64_t)system.f_bavail * system.f_frsize : 0;
}

/* Where it leaves more than this, deflating is not worth the time. */
static const double WORTH_DEFLATING = 0.9;

enum tsr_status tsr_room_check(const char *path, const struct tsr_room_need *need,
                               const struct tsr_notice *notice, struct tsr_error *err) {
    char advice[64] = "";
    uint64_t room = tsr_room_for(path);
    if (need->bytes < TSR_ROOM_WORTH_A_WORD || room == 0) return TSR_OK;
    if (need->deflated > 0 && need->deflated < WORTH_DEFLATING)
        (void)snprintf(advice, sizeof advice, "; --deflate 1 stores them in about %s",
                       amount_of(need->bytes * need->deflated).text);
    if (need->bytes > (double)room && need->exact)
        return TSR_ERROR(err, TSR_ERR_IO,
                         "%s: %s take %s, and %s are free there%s; a smaller --size or "
                         "--limit takes less",
                         path, need->what, amount_of(need->bytes).text,
                         amount_of((double)room).text, advice);
    tsr_notice(notice, "%s take %s%s; %s are free%s", need->what, need->exact ? "" : "about ",
               amount_of(need->bytes).text, amount_of((double)room).text, advice);
    return TSR_OK;
}
