/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/xattr.h>
#endif

#include "base/memory.h"
#include "data/file.h"
#include "data/file_name.h"

#define CANDIDATES 1000 /* names that a temporary file of one target may have */
#define SWEPT 4         /* of these are looked at for what a killed process left */

struct tsr_temp {
    char *shown, *target, *name; /* as given; what that leads to; the temporary file */
    int fd;                      /* holds the lock */
    bool named;                  /* `name` is on the disk */
};

/* ---- what a signal handler removes ----------------------------------------------------------- */

static struct {
    atomic_flag busy;
    const char *name[64];
} living = {.busy = ATOMIC_FLAG_INIT};

static void pause_shortly(void) {
    (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* The table, with no handler in this thread that would wait for it. */
static void take_table(sigset_t *mask) {
    sigset_t all;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_BLOCK, &all, mask);
    while (atomic_flag_test_and_set(&living.busy))
        pause_shortly();
}

static void give_table(const sigset_t *mask) {
    atomic_flag_clear(&living.busy);
    (void)pthread_sigmask(SIG_SETMASK, mask, NULL);
}

/* Puts `to` where `from` stands, in the table that is taken. With more of them at once than there
 * are places, the next writer of the target removes what a handler leaves. */
static void register_name(const char *from, const char *to) {
    for (size_t i = 0; i < sizeof living.name / sizeof *living.name; i++) {
        if (living.name[i] != from) continue;
        living.name[i] = to;
        break;
    }
}

static void strike(const char *name) {
    sigset_t mask;
    take_table(&mask);
    register_name(name, NULL);
    give_table(&mask);
}

/* The table stays taken, which ends the making of files. */
void tsr_temp_abandon(void) {
    for (int i = 0; atomic_flag_test_and_set(&living.busy); i++) {
        if (i == 100) return;
        pause_shortly();
    }
    for (size_t i = 0; i < sizeof living.name / sizeof *living.name; i++)
        if (living.name[i]) (void)unlink(living.name[i]);
}

/* ---- names ----------------------------------------------------------------------------------- */

/* ".NAME.tessera-HASH-I.tmp": NAME for people, cut where it is long (not within a UTF-8 character),
 * HASH for the rest of it. */
static void write_name(const struct tsr_temp *t, unsigned i, char *out, size_t size) {
    const char *name = tsr_path_name(t->target);
    int folder = (int)(name - t->target), shown = (int)strnlen(name, 80);
    while (shown > 0 && ((unsigned char)name[shown] & 0xC0) == 0x80)
        shown--;
    (void)snprintf(out, size, "%.*s.%.*s.tessera-%016llx-%u.tmp", folder, t->target, shown, name,
                   (unsigned long long)tsr_name_hash(name), i);
}

static bool is_at(int fd, const char *name) {
    struct stat open_one, named;
    return fstat(fd, &open_one) == 0 && lstat(name, &named) == 0 &&
           open_one.st_dev == named.st_dev && open_one.st_ino == named.st_ino;
}

/* Removes the file if nobody has it: then its lock can be taken. */
static void sweep(const char *name) {
    int fd = open(name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0 && is_at(fd, name)) (void)unlink(name);
    (void)close(fd);
}

/* Opens and locks a new file; false with errno. */
static bool claim(struct tsr_temp *t, mode_t mode) {
    t->fd = open(t->name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (t->fd < 0) return false;
    /* Between the two calls another process may have taken it for an orphan. A file system without
     * locks has no orphans removed. */
    bool busy = flock(t->fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    if (!busy && is_at(t->fd, t->name)) return true;
    (void)close(t->fd);
    t->fd = -1;
    errno = EEXIST;
    return false;
}

/* A file that is in the table as soon as it is there; errno of the last try. */
static int make_one(struct tsr_temp *t, size_t size, mode_t mode) {
    sigset_t mask;
    int number = 0;
    take_table(&mask);
    for (unsigned i = 0; i < CANDIDATES && !t->named; i++) {
        write_name(t, i, t->name, size);
        t->named = claim(t, mode);
        number = errno;
        if (!t->named && number != EEXIST) break;
    }
    if (t->named) register_name(NULL, t->name);
    give_table(&mask);
    return number;
}

static enum tsr_status claim_any(struct tsr_temp *t, struct tsr_error *err) {
    struct stat info;
    size_t size = strlen(t->target) + 160;
    void *memory;
    TSR_TRY(tsr_alloc(&memory, size, 1, "temporary file name", err));
    t->name = memory;
    for (unsigned i = 0; i < SWEPT; i++) {
        write_name(t, i, t->name, size);
        sweep(t->name);
    }
    /* Nobody may read the new content of a private file while it grows. */
    mode_t mode = stat(t->target, &info) == 0 ? 0600 : 0666;
    int number = make_one(t, size, mode);
    if (!t->named)
        return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot create a file there: %s", t->shown,
                         strerror(number));
    return TSR_OK;
}

/* ---- making and removing --------------------------------------------------------------------- */

static enum tsr_status check_target(const struct tsr_temp *t, struct tsr_error *err) {
    struct stat info;
    if (stat(t->target, &info) == 0 && !S_ISREG(info.st_mode))
        return TSR_ERROR(err, TSR_ERR_IO, "%s: exists and is not a regular file", t->shown);
    return TSR_OK;
}

enum tsr_status tsr_temp_create(const char *target, struct tsr_temp **temp, struct tsr_error *err) {
    void *memory;
    *temp = NULL;
    TSR_TRY(tsr_alloc(&memory, 1, sizeof **temp, "temporary file", err));
    struct tsr_temp *t = memory;
    t->fd = -1;
    t->shown = strdup(target);
    enum tsr_status status =
        t->shown ? tsr_file_target(target, &t->target, err)
                 : TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: cannot allocate its name", target);
    if (status == TSR_OK) status = check_target(t, err);
    if (status == TSR_OK) status = claim_any(t, err);
    if (status == TSR_OK)
        *temp = t;
    else
        tsr_temp_discard(t);
    return status;
}

const char *tsr_temp_path(const struct tsr_temp *temp) {
    return temp->name;
}

void tsr_temp_discard(struct tsr_temp *temp) {
    if (!temp) return;
    if (temp->named) {
        (void)unlink(temp->name);
        strike(temp->name);
    }
    if (temp->fd >= 0) (void)close(temp->fd);
    free(temp->shown);
    free(temp->target);
    free(temp->name);
    free(temp);
}

/* ---- putting in place ------------------------------------------------------------------------ */

#ifdef __linux__
/* Access list and user attributes of the file at `path`. */
static void hand_down_attributes(const char *path, int fd) {
    char names[4096], value[4096];
    ssize_t size = listxattr(path, names, sizeof names);
    for (ssize_t at = 0; at < size; at += (ssize_t)strlen(names + at) + 1) {
        const char *name = names + at;
        if (strncmp(name, "user.", 5) != 0 && strcmp(name, "system.posix_acl_access") != 0)
            continue;
        ssize_t n = getxattr(path, name, value, sizeof value);
        if (n >= 0) (void)fsetxattr(fd, name, value, (size_t)n, 0);
    }
}
#else
static void hand_down_attributes(const char *path, int fd) {
    (void)path;
    (void)fd;
}
#endif

/* What the file that is replaced had. Where its group cannot be kept, another group gets no more
 * than everybody has. */
static void hand_down(const struct tsr_temp *t) {
    struct stat old, new;
    if (stat(t->target, &old) != 0 || fstat(t->fd, &new) != 0) return;
    mode_t mode = old.st_mode & 0777;
    if (new.st_uid != old.st_uid || new.st_gid != old.st_gid) {
        bool kept = fchown(t->fd, old.st_uid, old.st_gid) == 0 ||
                    fchown(t->fd, (uid_t)-1, old.st_gid) == 0 || new.st_gid == old.st_gid;
        if (!kept) mode &= (mode_t)~070 | (mode & 07) << 3;
    }
    hand_down_attributes(t->target, t->fd);
    (void)fchmod(t->fd, mode);
}

/* Makes a rename in the folder of `path` durable. Not every file system can; the file is complete
 * under its name already. */
static void sync_folder(const char *path) {
    char *folder = tsr_path_folder(path);
    int fd = folder ? open(folder, O_RDONLY | O_CLOEXEC) : -1;
    free(folder);
    if (fd < 0) return;
    (void)fsync(fd);
    (void)close(fd);
}

enum tsr_status tsr_temp_commit(struct tsr_temp *temp, struct tsr_error *err) {
    if (!is_at(temp->fd, temp->name))
        return TSR_ERROR(err, TSR_ERR_IO, "%s: its temporary file %s is gone", temp->shown,
                         temp->name);
    hand_down(temp);
    if (fsync(temp->fd) != 0)
        return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be flushed to the disk: %s", temp->shown,
                         strerror(errno));
    if (rename(temp->name, temp->target) != 0)
        return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be put in place: %s", temp->shown,
                         strerror(errno));
    temp->named = false;
    strike(temp->name);
    sync_folder(temp->target);
    return TSR_OK;
}
