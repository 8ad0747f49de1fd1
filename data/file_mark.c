/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "data/file_mark.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static int look(const char *path, struct tsr_file_mark *out) {
    struct stat info;
    if (stat(path, &info) != 0) return errno;
    *out = (struct tsr_file_mark){.device = (uint64_t)info.st_dev,
                                  .inode = (uint64_t)info.st_ino,
                                  .size = (uint64_t)info.st_size,
                                  .seconds = (int64_t)info.st_mtim.tv_sec,
                                  .nanoseconds = (int64_t)info.st_mtim.tv_nsec};
    return 0;
}

enum tsr_status tsr_file_mark_take(const char *path, struct tsr_file_mark *out,
                                   struct tsr_error *err) {
    int failed = look(path, out);
    if (failed == 0) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be opened: %s", path, strerror(failed));
}

enum tsr_status tsr_file_mark_check(const char *path, const struct tsr_file_mark *mark,
                                    struct tsr_error *err) {
    struct tsr_file_mark now = {0};
    int failed = look(path, &now);
    if (failed)
        return TSR_ERROR(err, TSR_ERR_IO, "%s: is gone while it is being read: %s", path,
                         strerror(failed));
    if (now.device != mark->device || now.inode != mark->inode)
        return TSR_ERROR(err, TSR_ERR_IO, "%s: was replaced by another file while it is being read",
                         path);
    if (now.size != mark->size)
        return TSR_ERROR(err, TSR_ERR_IO,
                         "%s: was changed while it is being read: it had %llu bytes, now it has "
                         "%llu",
                         path, (unsigned long long)mark->size, (unsigned long long)now.size);
    if (now.seconds != mark->seconds || now.nanoseconds != mark->nanoseconds)
        return TSR_ERROR(err, TSR_ERR_IO,
                         "%s: was written to while it is being read, %lld s after the last time",
                         path, (long long)(now.seconds - mark->seconds));
    return TSR_OK;
}
