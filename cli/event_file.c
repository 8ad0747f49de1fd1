/* SPDX-License-Identifier: MIT */
#define _XOPEN_SOURCE 700
#include "cli/event_file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/paths.h"
#include "data/file.h"

struct cli_events {
    int file;
    char *path;
};

uint32_t cli_crc32c(const void *bytes, size_t n) {
    const unsigned char *b = bytes;
    uint32_t crc = 0xFFFFFFFFU;
    for (size_t i = 0; i < n; i++) {
        crc ^= b[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78U : 0);
    }
    return ~crc;
}

static uint32_t masked(const void *bytes, size_t n) {
    uint32_t crc = cli_crc32c(bytes, n);
    return (crc >> 15 | crc << 17) + 0xA282EAD8U;
}

/* ---- protocol buffers ------------------------------------------------------------------------ */

struct message {
    unsigned char bytes[4096];
    size_t size;
};

static void put_fixed(struct message *m, uint64_t value, size_t n) {
    for (size_t i = 0; i < n; i++)
        m->bytes[m->size++] = (unsigned char)(value >> 8 * i);
}

static void put_varint(struct message *m, uint64_t value) {
    for (; value >= 128; value >>= 7)
        m->bytes[m->size++] = (unsigned char)(value | 128);
    m->bytes[m->size++] = (unsigned char)value;
}

static void put_bytes(struct message *m, unsigned field, const void *bytes, size_t n) {
    put_varint(m, field << 3 | 2);
    put_varint(m, n);
    memcpy(m->bytes + m->size, bytes, n);
    m->size += n;
}

/* Event: wall_time = 1 (double), step = 2 (int64). */
static void begin_event(struct message *m, uint64_t step) {
    struct timespec now = {0};
    uint64_t bits;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    double seconds = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
    memcpy(&bits, &seconds, sizeof bits);
    m->size = 0;
    put_varint(m, 1 << 3 | 1);
    put_fixed(m, bits, 8);
    put_varint(m, 2 << 3);
    put_varint(m, step);
}

/* Summary.Value: tag = 1, simple_value = 2 (float); Summary: value = 1; Event: summary = 5. */
static void put_scalar(struct message *summary, const struct cli_scalar *s) {
    struct message value = {.size = 0};
    float single = (float)s->value;
    uint32_t bits;
    memcpy(&bits, &single, sizeof bits);
    put_bytes(&value, 1, s->tag, strlen(s->tag));
    put_varint(&value, 2 << 3 | 5);
    put_fixed(&value, bits, 4);
    put_bytes(summary, 1, value.bytes, value.size);
}

static enum tsr_status write_record(const struct cli_events *e, const struct message *event,
                                    struct tsr_error *err) {
    struct message record = {.size = 0};
    put_fixed(&record, event->size, 8);
    put_fixed(&record, masked(record.bytes, 8), 4);
    memcpy(record.bytes + record.size, event->bytes, event->size);
    record.size += event->size;
    put_fixed(&record, masked(event->bytes, event->size), 4);
    int reason = tsr_file_write(e->file, record.bytes, record.size);
    if (!reason) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_IO, "%s: %s; nothing more is logged there", e->path,
                     strerror(reason));
}

/* ---- files ----------------------------------------------------------------------------------- */

/* A name that no file of the folder has. */
static enum tsr_status create(const char *folder, struct cli_events *e, struct tsr_error *err) {
    e->file = -1;
    for (unsigned i = 0; i < 1000 && e->file < 0; i++) {
        char name[96];
        free(e->path);
        (void)snprintf(name, sizeof name, "events.out.tfevents.%lld.tessera.%ld.%u",
                       (long long)time(NULL), (long)getpid(), i);
        e->path = cli_join(folder, name, "");
        if (!e->path) return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "no memory for paths");
        e->file = open(e->path, O_WRONLY | O_APPEND | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (e->file < 0 && errno != EEXIST) break;
    }
    if (e->file >= 0) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be written: %s", e->path, strerror(errno));
}

enum tsr_status cli_events_open(const char *folder, uint64_t step, struct cli_events **out,
                                struct tsr_error *err) {
    static const char version[] = "brain.Event:2";
    static const unsigned char start[] = {1 << 3, 1}; /* SessionLog: status = 1, START */
    struct message event;
    struct cli_events *e;
    enum tsr_status status;
    TSR_TRY(cli_make_folder(folder, err));
    TSR_TRY(TSR_ALLOC(&e, 1, "event file", err));
    e->file = -1;
    TSR_CHECK(create(folder, e, err));
    begin_event(&event, 0);
    put_bytes(&event, 3, version, sizeof version - 1); /* file_version = 3 */
    TSR_CHECK(write_record(e, &event, err));
    begin_event(&event, step + 1);
    put_bytes(&event, 7, start, sizeof start); /* session_log = 7 */
    TSR_CHECK(write_record(e, &event, err));
done:
    if (status == TSR_OK)
        *out = e;
    else
        cli_events_close(e);
    return status;
}

enum tsr_status cli_events_add(struct cli_events *events, uint64_t step,
                               const struct cli_scalar *scalars, size_t n, struct tsr_error *err) {
    struct message event, summary = {.size = 0};
    for (size_t i = 0; i < n; i++)
        if (isfinite(scalars[i].value)) put_scalar(&summary, &scalars[i]);
    begin_event(&event, step);
    put_bytes(&event, 5, summary.bytes, summary.size);
    return write_record(events, &event, err);
}

void cli_events_close(struct cli_events *events) {
    if (!events) return;
    if (events->file >= 0) (void)close(events->file);
    free(events->path);
    free(events);
}
