/* SPDX-License-Identifier: MIT */
#define _GNU_SOURCE
#include "cli/isolate.h"

static enum tsr_status image(void *user, const char *name, const unsigned char *bytes, size_t size,
                             const struct tsr_image_as *as, struct tsr_image *out,
                             struct tsr_error *err) {
    (void)user;
    return tsr_image_decode(name, bytes, size, as, out, err);
}

static enum tsr_status label_map(void *user, const char *name, unsigned char *bytes, size_t size,
                                 struct tsr_label_map *out, struct tsr_error *err) {
    (void)user;
    return tsr_label_map_decode(name, bytes, size, NULL, out, err);
}

const struct tsr_decoding cli_decoders = {image, label_map, NULL};

#ifdef __linux__

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/isolate_worker.h"

struct decoder {
    pid_t process;
    int socket;
    struct decoder *next;
};

struct cli_isolate {
    struct tsr_decoding decoding; /* what cli_isolate_decoding() gives: `user` is this */
    pid_t process;                /* which starts decoders */
    int socket;
    pthread_mutex_t lock;  /* of what is said to it, and of */
    struct decoder *ready; /* decoders that have nothing to do */
};

static enum tsr_status unsupported(const char *why, struct tsr_error *err) {
    return TSR_ERROR(err, TSR_ERR_UNSUPPORTED, "--isolate: images cannot be decoded apart here: %s",
                     why);
}

/* ---- the process that starts them ------------------------------------------------------------ */

/* What it answers, and the socket that comes with it (or -1). */
static bool ask(const struct cli_isolate *s, pid_t ended, struct isolate_notice *out, int *socket) {
    const struct isolate_order order = {ended};
    struct iovec part = {out, sizeof *out};
    union {
        struct cmsghdr header;
        char room[CMSG_SPACE(sizeof(int))];
    } control;
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.room,
                             .msg_controllen = sizeof control.room};
    ssize_t got = -1;
    *socket = -1;
    if (!isolate_send(s->socket, &order, sizeof order)) return false;
    while ((got = recvmsg(s->socket, &message, MSG_WAITALL | MSG_CMSG_CLOEXEC)) < 0 &&
           errno == EINTR) {
    }
    const struct cmsghdr *sent = CMSG_FIRSTHDR(&message);
    if (sent && sent->cmsg_type == SCM_RIGHTS) memcpy(socket, CMSG_DATA(sent), sizeof *socket);
    return got == (ssize_t)sizeof *out;
}

static void end_decoder(struct decoder *d) {
    (void)close(d->socket);
    free(d);
}

/* Another decoder, which has said that it can do nothing else. */
static enum tsr_status start_decoder(const struct cli_isolate *s, struct decoder **out,
                                     struct tsr_error *err) {
    struct isolate_notice notice = {.started = -1};
    char word[sizeof ISOLATE_READY] = "";
    struct decoder *d;
    TSR_TRY(TSR_ALLOC(&d, 1, "a decoder", err));
    bool asked = ask(s, 0, &notice, &d->socket);
    d->process = notice.started;
    if (!asked || d->socket < 0) {
        int number = asked ? notice.number : EPIPE;
        free(d);
        return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "no process to decode images in: %s",
                         strerror(number));
    }
    if (isolate_receive(d->socket, word, sizeof word) && strcmp(word, ISOLATE_READY) == 0) {
        *out = d;
        return TSR_OK;
    }
    end_decoder(d);
    return unsupported("the kernel does not shut a process off (seccomp)", err);
}

static enum tsr_status take(struct cli_isolate *s, struct decoder **out, struct tsr_error *err) {
    enum tsr_status status = TSR_OK;
    (void)pthread_mutex_lock(&s->lock);
    *out = s->ready;
    if (*out)
        s->ready = (*out)->next;
    else
        status = start_decoder(s, out, err);
    (void)pthread_mutex_unlock(&s->lock);
    return status;
}

static void give_back(struct cli_isolate *s, struct decoder *d) {
    (void)pthread_mutex_lock(&s->lock);
    d->next = s->ready;
    s->ready = d;
    (void)pthread_mutex_unlock(&s->lock);
}

/* A decoder that no longer answers, or not what can be, is ended, and what ended it told. */
static enum tsr_status report_end(struct cli_isolate *s, struct decoder *d, const char *name,
                                  bool nonsense, struct tsr_error *err) {
    struct isolate_notice notice = {0};
    int none;
    pid_t process = d->process;
    end_decoder(d);
    (void)pthread_mutex_lock(&s->lock);
    bool told = ask(s, process, &notice, &none);
    (void)pthread_mutex_unlock(&s->lock);
    if (nonsense)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: its decoder answered what cannot be", name);
    if (!told || !WIFSIGNALED(notice.end))
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: its decoder ended", name);
    int number = WTERMSIG(notice.end);
    return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: its decoder was ended by SIG%s%s", name,
                     sigabbrev_np(number) ? sigabbrev_np(number) : "?",
                     number == SIGSYS ? " (it asked for more than decoding needs)" : "");
}

/* ---- a file ---------------------------------------------------------------------------------- */

static bool put(const struct decoder *d, struct isolate_task task, const char *name,
                const unsigned char *bytes) {
    task.as.by = NULL;
    return isolate_send(d->socket, &task, sizeof task) &&
           isolate_send(d->socket, name, task.name) && isolate_send(d->socket, bytes, task.bytes);
}

/* What is said in words, where it makes sense: an image, or an error of one. */
static bool is_sane(struct isolate_result *r, const struct isolate_task *task) {
    r->message[sizeof r->message - 1] = 0;
    r->remark[sizeof r->remark - 1] = 0;
    if (r->status == TSR_ERR_FORMAT || r->status == TSR_ERR_NO_MEMORY ||
        r->status == TSR_ERR_ARGUMENT)
        return r->message[0] != 0;
    return r->status == TSR_OK && r->height >= 1 && r->width >= 1 &&
           r->height <= TSR_IMAGE_MAX_SIDE && r->width <= TSR_IMAGE_MAX_SIDE &&
           r->height <= TSR_IMAGE_MAX_PIXELS / r->width &&
           (task->label_map || ((r->channels == 1 || r->channels == 3) &&
                                (task->as.channels == 0 || task->as.channels == r->channels)));
}

/* The file through a decoder, up to the words of the result; *out is NULL after an error, and else
 * to be given back when the pixels are read. */
static enum tsr_status decode(struct cli_isolate *s, const struct isolate_task *task,
                              const char *name, const unsigned char *bytes,
                              struct isolate_result *result, struct decoder **out,
                              struct tsr_error *err) {
    struct decoder *d = NULL;
    *out = NULL;
    TSR_TRY(take(s, &d, err));
    bool answered =
        put(d, *task, name, bytes) && isolate_receive(d->socket, result, sizeof *result);
    if (!answered || !is_sane(result, task)) return report_end(s, d, name, answered, err);
    if (result->status != TSR_OK) {
        give_back(s, d);
        return TSR_ERROR(err, result->status, "%s", result->message);
    }
    *out = d;
    return TSR_OK;
}

static enum tsr_status read_pixels(struct cli_isolate *s, struct decoder *d, const char *name,
                                   void *pixels, size_t bytes, struct tsr_error *err) {
    if (!isolate_receive(d->socket, pixels, bytes)) return report_end(s, d, name, false, err);
    give_back(s, d);
    return TSR_OK;
}

/* Of what is not read to its end, the rest would be taken for the next answer. */
static enum tsr_status no_room(struct cli_isolate *s, struct decoder *d, const char *name,
                               enum tsr_status status) {
    (void)report_end(s, d, name, false, NULL);
    return status;
}

static enum tsr_status decode_image(void *user, const char *name, const unsigned char *bytes,
                                    size_t size, const struct tsr_image_as *as,
                                    struct tsr_image *out, struct tsr_error *err) {
    struct cli_isolate *s = user;
    const struct isolate_task task = {false, *as, strlen(name), size};
    struct isolate_result r = {0};
    struct decoder *d = NULL;
    *out = (struct tsr_image){0};
    TSR_TRY(decode(s, &task, name, bytes, &r, &d, err));
    enum tsr_status status = tsr_image_create(out, r.height, r.width, r.channels, err);
    if (status != TSR_OK) return no_room(s, d, name, status);
    memcpy(out->remark, r.remark, sizeof out->remark);
    status = read_pixels(s, d, name, out->pixels, r.height * r.width * r.channels, err);
    if (status != TSR_OK) tsr_image_clear(out);
    return status;
}

static enum tsr_status decode_label_map(void *user, const char *name, unsigned char *bytes,
                                        size_t size, struct tsr_label_map *out,
                                        struct tsr_error *err) {
    struct cli_isolate *s = user;
    const struct isolate_task task = {.label_map = true, .name = strlen(name), .bytes = size};
    struct isolate_result r = {0};
    struct decoder *d = NULL;
    void *labels;
    *out = (struct tsr_label_map){0};
    TSR_TRY(decode(s, &task, name, bytes, &r, &d, err));
    enum tsr_status status = tsr_alloc(&labels, r.height * r.width, sizeof *out->labels, name, err);
    if (status != TSR_OK) return no_room(s, d, name, status);
    *out = (struct tsr_label_map){
        .height = r.height, .width = r.width, .labels = labels, .most = r.most};
    status = read_pixels(s, d, name, labels, r.height * r.width * sizeof *out->labels, err);
    if (status != TSR_OK) tsr_label_map_clear(out);
    return status;
}

/* ---- start and end --------------------------------------------------------------------------- */

static enum tsr_status start_server(struct cli_isolate *s, const struct tsr_decoding *work,
                                    struct tsr_error *err) {
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return unsupported(strerror(errno), err);
    s->socket = pair[0];
    s->process = fork();
    if (s->process == 0) isolate_serve(pair[1], work);
    (void)close(pair[1]);
    return s->process > 0 ? TSR_OK : unsupported(strerror(errno), err);
}

enum tsr_status cli_isolate_start(const struct tsr_decoding *work, struct cli_isolate **out,
                                  struct tsr_error *err) {
    struct decoder *first;
    TSR_TRY(TSR_ALLOC(out, 1, "decoders", err));
    struct cli_isolate *s = *out;
    *s = (struct cli_isolate){.decoding = {decode_image, decode_label_map, s}, .socket = -1};
    (void)pthread_mutex_init(&s->lock, NULL);
    TSR_TRY(start_server(s, work, err));
    TSR_TRY(take(s, &first, err));
    give_back(s, first);
    return TSR_OK;
}

const struct tsr_decoding *cli_isolate_decoding(const struct cli_isolate *isolate) {
    return isolate ? &isolate->decoding : NULL;
}

void cli_isolate_end(struct cli_isolate *s) {
    if (!s) return;
    for (struct decoder *d = s->ready, *next; d; d = next) {
        next = d->next;
        end_decoder(d);
    }
    if (s->socket >= 0) (void)close(s->socket);
    while (s->process > 0 && waitpid(s->process, NULL, 0) < 0 && errno == EINTR) {
    }
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

#else

enum tsr_status cli_isolate_start(const struct tsr_decoding *work, struct cli_isolate **out,
                                  struct tsr_error *err) {
    (void)work;
    *out = NULL;
    return TSR_ERROR(err, TSR_ERR_UNSUPPORTED,
                     "--isolate: images cannot be decoded apart here: this is not Linux");
}

const struct tsr_decoding *cli_isolate_decoding(const struct cli_isolate *isolate) {
    (void)isolate;
    return NULL;
}

void cli_isolate_end(struct cli_isolate *isolate) {
    (void)isolate;
}

#endif
