/* SPDX-License-Identifier: MIT
 *
 * A writer of NAME holds a lock on one byte of the folder, the byte that NAME and the number of its
 * process choose. Only a shared lock can be had of a folder; so a writer first takes its own, then
 * looks for others among the bytes of NAME. Two that begin at once may both see each other and give
 * way; each tries again after a while of its own.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "data/file.h"
#include "data/file_name.h"

#define PROCESSES ((int64_t)1 << 23) /* bytes of a name; process numbers are below 2^22 */
#define ATTEMPTS 5

struct tsr_file_lock {
    int fd; /* -1: there are no such locks here */
};

#ifdef F_OFD_SETLK

/* The number of a process that holds one of the bytes from..from + n - 1; 0: none does, -1: it
 * cannot be asked. */
static int64_t holder(int fd, int64_t base, int64_t from, int64_t n) {
    struct flock ask = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)from};
    ask.l_len = (off_t)n;
    if (fcntl(fd, F_OFD_GETLK, &ask) != 0) return -1;
    return ask.l_type == F_UNLCK ? 0 : (int64_t)ask.l_start - base;
}

/* 0: taken; above 0: the number of another process that has it; -1: no such locks here. */
static int64_t take(int fd, const char *name) {
    int64_t own = (int64_t)getpid() % PROCESSES;
    int64_t base = (int64_t)(tsr_name_hash(name) & 0x7fffffffffu) * PROCESSES, other = 0;
    struct flock mine = {.l_whence = SEEK_SET, .l_start = (off_t)(base + own), .l_len = 1};
    for (int i = 0; i < ATTEMPTS; i++) {
        mine.l_type = F_RDLCK;
        if (fcntl(fd, F_OFD_SETLK, &mine) != 0) return -1;
        other = own ? holder(fd, base, base, own) : 0;
        if (other == 0) other = holder(fd, base, base + own + 1, PROCESSES - own - 1);
        if (other <= 0) return other;
        mine.l_type = F_UNLCK;
        (void)fcntl(fd, F_OFD_SETLK, &mine);
        if (i + 1 < ATTEMPTS)
            (void)nanosleep(&(struct timespec){.tv_nsec = 1000000 * (1 + own % 13)}, NULL);
    }
    return other;
}

/* The folder is opened anew: the lock belongs to the open file. */
static int open_folder(const char *target) {
    char *folder = tsr_path_folder(target);
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    free(folder);
    return fd;
}

#else

static int64_t take(int fd, const char *name) {
    (void)fd;
    (void)name;
    return -1;
}

static int open_folder(const char *target) {
    (void)target;
    return -1;
}

#endif

enum tsr_status tsr_file_lock(const char *path, struct tsr_file_lock **lock,
                              struct tsr_error *err) {
    char *target;
    *lock = NULL;
    TSR_TRY(tsr_file_target(path, &target, err));
    struct tsr_file_lock *out = malloc(sizeof *out);
    if (!out) {
        free(target);
        return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: cannot allocate its lock", path);
    }
    out->fd = open_folder(target);
    int64_t other = out->fd >= 0 ? take(out->fd, tsr_path_name(target)) : -1;
    free(target);
    if (other > 0) {
        tsr_file_unlock(out);
        return TSR_ERROR(err, TSR_ERR_IO, "%s is being written by process %lld", path,
                         (long long)other);
    }
    *lock = out;
    return TSR_OK;
}

void tsr_file_unlock(struct tsr_file_lock *lock) {
    if (!lock) return;
    if (lock->fd >= 0) (void)close(lock->fd);
    free(lock);
}
