/* SPDX-License-Identifier: MIT
 *
 * A library to be loaded before a program (LD_PRELOAD) that makes one of its system calls or
 * allocations fail. Told by the environment:
 *
 *     FAULT_CALL   open, read, write, fsync, rename, close, truncate, alloc
 *     FAULT_FROM   who calls: program, hdf5, libc, other, or any; of files to open only
 *                  those named by a relative path count
 *     FAULT_AT     the number of the call that fails, from 1; 0: none, they are only counted
 *     FAULT_TIMES  so many calls in a row fail; 0: all from then on
 *     FAULT_ERROR  the number of the error; 0 with write: half of the bytes are written
 *     FAULT_LOG    file to which "fired" is added when a call is made to fail, and "count N" when
 *                  the program ends
 *
 * Calls go to the system directly, and allocations to the C library's own names, so that nothing
 * here depends on what it interposes. glibc on Linux.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

enum call { NONE, OPEN, READ, WRITE, FSYNC, RENAME, CLOSE, TRUNCATE, ALLOC, CALLS };
static const char *const call_names[CALLS] = {"none",   "open",  "read",     "write", "fsync",
                                              "rename", "close", "truncate", "alloc"};
enum from { PROGRAM = 1, HDF5 = 2, LIBC = 4, OTHER = 8 };

static enum call wanted;
static unsigned from;
static long at, times;
static int error;
static int log_file = -1;
static atomic_long count;
static _Thread_local bool inside;

/* ---- who calls ------------------------------------------------------------------------------- */

enum { RANGES = 256 };
static struct {
    uintptr_t begin, end;
    enum from who;
} range[RANGES];
static int n_ranges;

static int note_object(struct dl_phdr_info *info, size_t size, void *data) {
    enum from who = OTHER;
    (void)size;
    (void)data;
    if (info->dlpi_name[0] == '\0')
        who = PROGRAM;
    else if (strstr(info->dlpi_name, "hdf5"))
        who = HDF5;
    else if (strstr(info->dlpi_name, "libc.so"))
        who = LIBC;
    for (int i = 0; i < info->dlpi_phnum && n_ranges < RANGES; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];
        if (p->p_type != PT_LOAD || !(p->p_flags & PF_X)) continue;
        range[n_ranges].begin = info->dlpi_addr + p->p_vaddr;
        range[n_ranges].end = range[n_ranges].begin + p->p_memsz;
        range[n_ranges++].who = who;
    }
    return 0;
}

static enum from caller(const void *address) {
    uintptr_t a = (uintptr_t)address;
    for (int i = 0; i < n_ranges; i++)
        if (a >= range[i].begin && a < range[i].end) return range[i].who;
    return OTHER;
}

/* ---- settings and log ------------------------------------------------------------------------ */

static long number(const char *name, long otherwise) {
    const char *text = getenv(name);
    return text ? strtol(text, NULL, 10) : otherwise;
}

static void say(const char *text) {
    if (log_file >= 0) (void)!syscall(SYS_write, log_file, text, strlen(text));
}

__attribute__((constructor)) static void begin(void) {
    const char *call = getenv("FAULT_CALL"), *who = getenv("FAULT_FROM"),
               *log = getenv("FAULT_LOG");
    if (!call) return;
    inside = true;
    (void)dl_iterate_phdr(note_object, NULL);
    from = ~0u;
    if (who && strcmp(who, "program") == 0) from = PROGRAM;
    if (who && strcmp(who, "hdf5") == 0) from = HDF5;
    if (who && strcmp(who, "libc") == 0) from = LIBC;
    if (who && strcmp(who, "other") == 0) from = OTHER;
    at = number("FAULT_AT", 0);
    times = number("FAULT_TIMES", 1);
    error = (int)number("FAULT_ERROR", EIO);
    if (log)
        log_file = (int)syscall(SYS_openat, AT_FDCWD, log,
                                O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    for (int i = 0; i < CALLS; i++)
        if (strcmp(call, call_names[i]) == 0) wanted = (enum call)i;
    inside = false;
}

__attribute__((destructor)) static void end(void) {
    char line[64];
    enum call was = wanted;
    if (was == NONE) return;
    wanted = NONE; /* what the C library does from here on is not the program's */
    (void)snprintf(line, sizeof line, "count %ld\n", atomic_load(&count));
    say(line);
}

/* Is this the call that fails? errno is then set. */
static bool fails(enum call call, const void *address) {
    if (call != wanted || inside || !(caller(address) & from)) return false;
    long n = atomic_fetch_add(&count, 1) + 1;
    if (at == 0 || n < at || (times > 0 && n >= at + times)) return false;
    inside = true;
    if (n == at) say("fired\n");
    inside = false;
    errno = error;
    return true;
}
#define FAILS(call) fails((call), __builtin_return_address(0))

/* ---- files ----------------------------------------------------------------------------------- */

/* Files of the system, such as those that tell the number of processors, are not the program's. */
static bool ours(const char *path) {
    return path[0] != '/';
}

/* `more`: flags beside those of the caller. */
#define OPEN_BODY(folder, path, flags, more)                                                       \
    mode_t mode = 0;                                                                               \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {                                                       \
        va_list list;                                                                              \
        va_start(list, flags);                                                                     \
        mode = va_arg(list, mode_t);                                                               \
        va_end(list);                                                                              \
    }                                                                                              \
    if (ours(path) && FAILS(OPEN)) return -1;                                                      \
    return (int)syscall(SYS_openat, (folder), (path), (flags) | (more), mode)

int open(const char *path, int flags, ...) {
    OPEN_BODY(AT_FDCWD, path, flags, 0);
}
int open64(const char *path, int flags, ...) {
    OPEN_BODY(AT_FDCWD, path, flags, O_LARGEFILE);
}
int openat(int folder, const char *path, int flags, ...) {
    OPEN_BODY(folder, path, flags, 0);
}

ssize_t read(int fd, void *buffer, size_t size) {
    if (FAILS(READ)) return -1;
    return syscall(SYS_read, fd, buffer, size);
}
ssize_t pread(int fd, void *buffer, size_t size, off_t offset) {
    if (FAILS(READ)) return -1;
    return syscall(SYS_pread64, fd, buffer, size, offset);
}
ssize_t pread64(int fd, void *buffer, size_t size, off_t offset) {
    if (FAILS(READ)) return -1;
    return syscall(SYS_pread64, fd, buffer, size, offset);
}

/* A write of half of the bytes is no error: who writes must go on. */
#define WRITE_BODY(name, ...)                                                                      \
    if (FAILS(WRITE)) {                                                                            \
        if (error) return -1;                                                                      \
        if (size > 1) size /= 2;                                                                   \
    }                                                                                              \
    return syscall(SYS_##name, __VA_ARGS__)

ssize_t write(int fd, const void *buffer, size_t size) {
    WRITE_BODY(write, fd, buffer, size);
}
ssize_t pwrite(int fd, const void *buffer, size_t size, off_t offset) {
    WRITE_BODY(pwrite64, fd, buffer, size, offset);
}
ssize_t pwrite64(int fd, const void *buffer, size_t size, off_t offset) {
    WRITE_BODY(pwrite64, fd, buffer, size, offset);
}

int fsync(int fd) {
    return FAILS(FSYNC) ? -1 : (int)syscall(SYS_fsync, fd);
}
int fdatasync(int fd) {
    return FAILS(FSYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int rename(const char *old, const char *new) {
    return FAILS(RENAME) ? -1 : (int)syscall(SYS_renameat, AT_FDCWD, old, AT_FDCWD, new);
}
int renameat(int a, const char *old, int b, const char *new) {
    return FAILS(RENAME) ? -1 : (int)syscall(SYS_renameat, a, old, b, new);
}
int link(const char *old, const char *new) {
    return FAILS(RENAME) ? -1 : (int)syscall(SYS_linkat, AT_FDCWD, old, AT_FDCWD, new, 0);
}

/* The file is closed all the same, as Linux does it. */
int close(int fd) {
    bool failed = FAILS(CLOSE);
    int reason = errno, result = (int)syscall(SYS_close, fd);
    if (!failed) return result;
    errno = reason;
    return -1;
}

int ftruncate(int fd, off_t size) {
    return FAILS(TRUNCATE) ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}
int ftruncate64(int fd, off_t size) {
    return FAILS(TRUNCATE) ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

/* ---- allocations ----------------------------------------------------------------------------- */

void *malloc(size_t size) {
    return FAILS(ALLOC) ? NULL : __libc_malloc(size);
}
void *calloc(size_t n, size_t size) {
    return FAILS(ALLOC) ? NULL : __libc_calloc(n, size);
}
void *realloc(void *block, size_t size) {
    return FAILS(ALLOC) ? NULL : __libc_realloc(block, size);
}
void *aligned_alloc(size_t alignment, size_t size) {
    return FAILS(ALLOC) ? NULL : __libc_memalign(alignment, size);
}
int posix_memalign(void **block, size_t alignment, size_t size) {
    if (FAILS(ALLOC)) return ENOMEM;
    *block = __libc_memalign(alignment, size);
    return *block ? 0 : ENOMEM;
}
