/* SPDX-License-Identifier: MIT
 *
 * The other side of cli/isolate.h: the process that starts decoders, and the decoders; and what is
 * said between them. Nothing in a message is a pointer that the receiver follows.
 */
#ifndef TSR_CLI_ISOLATE_WORKER_H
#define TSR_CLI_ISOLATE_WORKER_H

#include <stdbool.h>
#include <sys/types.h>

#include "data/image.h"

/* To the process that starts them. */
struct isolate_order {
    pid_t ended; /* a decoder whose end is asked for; 0: another one is to be started */
};
/* And back; a decoder that was started comes with its socket. */
struct isolate_notice {
    pid_t started; /* -1: errno is `number` */
    int number;
    int end; /* as wait() has it */
};

/* What a decoder says first. */
#define ISOLATE_READY "shut"
#define ISOLATE_OPEN "open" /* the kernel would not have it */

/* To a decoder; the name and the bytes follow. */
struct isolate_task {
    bool label_map;
    struct tsr_image_as as;
    size_t name, bytes; /* lengths */
};
/* And back; the pixels, or the labels, follow. */
struct isolate_result {
    enum tsr_status status;
    char message[TSR_ERROR_SIZE], remark[64];
    size_t height, width, channels;
    uint16_t most;
};

/* All bytes, whatever the pieces; false: the other side is gone. */
bool isolate_send(int socket, const void *bytes, size_t n);
bool isolate_receive(int socket, void *bytes, size_t n);

/* The life of the process that starts decoders: does not return. */
void isolate_serve(int socket, const struct tsr_decoding *work);

#endif
