/* SPDX-License-Identifier: MIT */
#ifdef __linux__
#define _GNU_SOURCE
#include "cli/isolate_worker.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Where the socket of each of these processes is, and no other descriptor. */
enum { SOCKET = 3 };

/* ---- bytes ----------------------------------------------------------------------------------- */

/* read() and write() are all that a decoder may call; nobody is ended by SIGPIPE, which all of them
 * ignore. */
bool isolate_send(int socket, const void *bytes, size_t n) {
    const char *at = bytes;
    while (n > 0) {
        ssize_t done = write(socket, at, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return false;
        at += done;
        n -= (size_t)done;
    }
    return true;
}

bool isolate_receive(int socket, void *bytes, size_t n) {
    char *at = bytes;
    while (n > 0) {
        ssize_t done = read(socket, at, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return false;
        at += done;
        n -= (size_t)done;
    }
    return true;
}

/* ---- the lock -------------------------------------------------------------------------------- */

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

#ifdef ARCHITECTURE
#define LOAD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
/* The low half of an argument: both machines have it first. */
#define LOAD_ARGUMENT(i)                                                                           \
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + sizeof(uint64_t) * (i))
#define KILL BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)
#define ALLOW BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)
#define ALLOW_CALL(number) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), ALLOW

/* Memory, the end, and bytes through the socket; memory that is run as a program is none. */
static struct sock_filter filter[] = {
    LOAD(arch),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0),
    KILL,
    LOAD(nr),
    ALLOW_CALL(SYS_brk),
    ALLOW_CALL(SYS_munmap),
    ALLOW_CALL(SYS_mremap),
    ALLOW_CALL(SYS_madvise),
    ALLOW_CALL(SYS_futex),
    ALLOW_CALL(SYS_rt_sigreturn),
    ALLOW_CALL(SYS_exit),
    ALLOW_CALL(SYS_exit_group),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_read, 6, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 5, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 6),
    LOAD_ARGUMENT(2),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, PROT_EXEC, 4, 0),
    LOAD_ARGUMENT(3),
    BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, MAP_ANONYMOUS, 3, 2),
    LOAD_ARGUMENT(0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SOCKET, 1, 0),
    KILL,
    ALLOW,
};

static bool lock(void) {
    const struct sock_fprog program = {sizeof filter / sizeof *filter, filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}
#else
static bool lock(void) {
    return false;
}
#endif

/* ---- a decoder ------------------------------------------------------------------------------- */

static void answer(const struct isolate_result *result, const void *pixels, size_t bytes) {
    if (!isolate_send(SOCKET, result, sizeof *result) || !isolate_send(SOCKET, pixels, bytes))
        _exit(0);
}

static void decode_image(const struct tsr_decoding *work, const struct isolate_task *task,
                         const char *name, const unsigned char *bytes,
                         struct isolate_result *result) {
    struct tsr_image image = {0};
    struct tsr_error err = {0};
    result->status = work->image(work->user, name, bytes, task->bytes, &task->as, &image, &err);
    memcpy(result->message, err.message, sizeof err.message);
    memcpy(result->remark, image.remark, sizeof image.remark);
    result->height = image.height;
    result->width = image.width;
    result->channels = image.channels;
    answer(result, image.pixels, image.height * image.width * image.channels);
    tsr_image_clear(&image);
}

static void decode_label_map(const struct tsr_decoding *work, const struct isolate_task *task,
                             const char *name, unsigned char *bytes,
                             struct isolate_result *result) {
    struct tsr_label_map map = {0};
    struct tsr_error err = {0};
    result->status = work->label_map(work->user, name, bytes, task->bytes, &map, &err);
    memcpy(result->message, err.message, sizeof err.message);
    result->height = map.height;
    result->width = map.width;
    result->most = map.most;
    answer(result, map.labels, map.height * map.width * sizeof *map.labels);
    tsr_label_map_clear(&map);
}

/* One file after the other, until nobody asks any more. */
static void decode_all(const struct tsr_decoding *work) {
    struct isolate_task task;
    while (isolate_receive(SOCKET, &task, sizeof task)) {
        struct isolate_result result = {.status = TSR_ERR_NO_MEMORY,
                                        .message = "no memory for the file"};
        char *name = calloc(1, task.name + 1);
        unsigned char *bytes = malloc(task.bytes + 1);
        if (!name || !bytes) {
            answer(&result, NULL, 0);
            _exit(0);
        }
        if (!isolate_receive(SOCKET, name, task.name) ||
            !isolate_receive(SOCKET, bytes, task.bytes))
            break;
        result = (struct isolate_result){0};
        if (task.label_map)
            decode_label_map(work, &task, name, bytes, &result);
        else
            decode_image(work, &task, name, bytes, &result);
        free(name);
        free(bytes);
    }
    _exit(0);
}

/* No descriptor but the socket; none can be opened, nothing is dumped where it ends. */
static void keep_only(int socket) {
    const struct rlimit none = {0, 0};
    (void)dup2(socket, SOCKET);
    (void)syscall(SYS_close_range, SOCKET + 1, ~0U, 0);
    for (int fd = 0; fd < SOCKET; fd++)
        (void)close(fd);
    (void)setrlimit(RLIMIT_CORE, &none);
}

static void be_decoder(int socket, const struct tsr_decoding *work) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    keep_only(socket);
    bool locked = lock();
    if (isolate_send(SOCKET, locked ? ISOLATE_READY : ISOLATE_OPEN, sizeof ISOLATE_READY) && locked)
        decode_all(work);
    _exit(0);
}

/* ---- who starts them ------------------------------------------------------------------------- */

/* A notice, and with it a descriptor (or -1). */
static bool notify(const struct isolate_notice *notice, int socket) {
    struct isolate_notice copy = *notice;
    struct iovec part = {&copy, sizeof copy};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.room = {0}};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (socket >= 0) {
        message.msg_control = control.room;
        message.msg_controllen = sizeof control.room;
        control.header = (struct cmsghdr){
            .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))};
        memcpy(CMSG_DATA(&control.header), &socket, sizeof socket);
    }
    return sendmsg(SOCKET, &message, 0) == (ssize_t)sizeof copy;
}

static bool start_decoder(const struct tsr_decoding *work) {
    int pair[2] = {-1, -1};
    struct isolate_notice notice = {.started = -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0) notice.started = fork();
    if (notice.started == 0) be_decoder(pair[1], work);
    notice.number = errno;
    bool told = notify(&notice, notice.started > 0 ? pair[0] : -1);
    for (int i = 0; i < 2; i++)
        if (pair[i] >= 0) (void)close(pair[i]);
    return told;
}

static bool await(pid_t decoder) {
    struct isolate_notice notice = {.started = decoder};
    (void)kill(decoder, SIGKILL); /* it has closed its socket, and is not needed whatever it does */
    while (waitpid(decoder, &notice.end, 0) < 0 && errno == EINTR) {
    }
    return notify(&notice, -1);
}

void isolate_serve(int socket, const struct tsr_decoding *work) {
    static const int ignored[] = {SIGINT, SIGHUP, SIGTERM, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2};
    static const int deadly[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
    struct isolate_order order;
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        (void)signal(ignored[i], SIG_IGN);
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++)
        (void)signal(deadly[i], SIG_DFL);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    keep_only(socket);
    while (isolate_receive(SOCKET, &order, sizeof order))
        if (order.ended ? !await(order.ended) : !start_decoder(work)) break;
    _exit(0);
}

#endif
