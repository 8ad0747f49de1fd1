/* SPDX-License-Identifier: MIT */
#define _XOPEN_SOURCE 700
#include "cli/train_log.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/event_file.h"
#include "cli/paths.h"
#include "data/file.h"

static const double EVERY_SECONDS = 1;
static const size_t MOST_BYTES = (size_t)1 << 30; /* of a log that is gone on with */

struct cli_train_log {
    const struct tsr_training *training;
    char *path; /* owned; NULL: none */
    int file;   /* -1: none */
    struct cli_events *events;
    double last_time;
    uint64_t last_step;
    bool began;
};

/* ---- lines ----------------------------------------------------------------------------------- */

static double number_of(const char *text, const char *key) {
    char quoted[40];
    char *end;
    (void)snprintf(quoted, sizeof quoted, "\"%s\": ", key);
    const char *at = strstr(text, quoted);
    if (!at) return (double)NAN;
    at += strlen(quoted);
    double value = strtod(at, &end);
    return end == at ? (double)NAN : value; /* null */
}

bool cli_log_line_read(const char *text, struct cli_log_line *out) {
    static const char head[] = "{\"outer_step\": ";
    size_t n = strlen(text);
    char *end;
    if (n < sizeof head || text[n - 1] != '}' || strncmp(text, head, sizeof head - 1) != 0)
        return false;
    out->outer_step = strtoull(text + sizeof head - 1, &end, 10);
    if (end == text + sizeof head - 1) return false;
    out->seconds = number_of(text, "seconds");
    out->train_psnr_db = number_of(text, "train_psnr_db");
    out->val_psnr_db = number_of(text, "val_psnr_db");
    out->outer_lr = number_of(text, "outer_lr");
    out->gradient_norm = number_of(text, "gradient_norm");
    out->images_per_second = number_of(text, "images_per_second");
    return true;
}

/* The lines of the file up to an outer step, in place: how many bytes. What is no whole line, after
 * a crash, goes. */
static size_t lines_until(char *text, uint64_t outer_step) {
    char *to = text, *next;
    for (char *line = text; *line; line = next) {
        struct cli_log_line read;
        char *end = strchr(line, '\n');
        if (!end) break;
        *end = '\0';
        next = end + 1;
        if (!cli_log_line_read(line, &read) || read.outer_step > outer_step) continue;
        size_t n = (size_t)(end - line);
        memmove(to, line, n);
        to[n] = '\n';
        to += n + 1;
    }
    return (size_t)(to - text);
}

static enum tsr_status cut(const char *path, uint64_t outer_step, struct tsr_error *err) {
    unsigned char *text;
    size_t size;
    if (access(path, F_OK) != 0) return TSR_OK;
    TSR_TRY(tsr_file_read(path, MOST_BYTES, &text, &size, err));
    enum tsr_status status =
        tsr_file_replace(path, text, lines_until((char *)text, outer_step), err);
    free(text);
    return status;
}

/* ---- the log --------------------------------------------------------------------------------- */

enum tsr_status cli_train_log_open(const char *jsonl, const char *tensorboard,
                                   const struct tsr_training *training, struct cli_train_log **out,
                                   struct tsr_error *err) {
    uint64_t at = tsr_training_state(training)->outer_step;
    struct cli_train_log *log;
    enum tsr_status status = TSR_OK;
    *out = NULL;
    if (!jsonl && !tensorboard) return TSR_OK;
    TSR_TRY(TSR_ALLOC(&log, 1, "log", err));
    *log = (struct cli_train_log){.training = training, .file = -1};
    if (jsonl && !(log->path = strdup(jsonl)))
        TSR_CHECK(TSR_ERROR(err, TSR_ERR_NO_MEMORY, "no memory for a path"));
    if (jsonl) TSR_CHECK(cut(jsonl, at, err));
    if (jsonl) log->file = open(jsonl, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (jsonl && log->file < 0)
        TSR_CHECK(TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be written: %s", jsonl, strerror(errno)));
    if (tensorboard) TSR_CHECK(cli_events_open(tensorboard, at, &log->events, err));
done:
    if (status == TSR_OK)
        *out = log;
    else
        cli_train_log_close(log);
    return status;
}

void cli_train_log_close(struct cli_train_log *log) {
    if (!log) return;
    if (log->file >= 0) (void)close(log->file);
    cli_events_close(log->events);
    free(log->path);
    free(log);
}

/* Text of a line, or of a part of one. */
struct line {
    char text[4096];
    size_t size;
};

static void add_number(struct line *l, const char *before, double value) {
    size_t room = sizeof l->text - l->size;
    int n = isfinite(value) ? snprintf(l->text + l->size, room, "%s%.9g", before, value)
                            : snprintf(l->text + l->size, room, "%snull", before);
    if (n > 0 && (size_t)n < room) l->size += (size_t)n;
}

static double mean_rate(const struct tsr_rates *r, size_t k) {
    const tsr_real *v = r->value + tsr_rates_at(r, k, 0);
    double sum = 0;
    for (size_t i = 0; i < r->n_slots * r->n_units; i++)
        sum += (double)v[i];
    return sum / (double)(r->n_slots * r->n_units);
}

static void make_line(const struct cli_train_log *log, const struct tsr_trainer_progress *p,
                      struct line *l) {
    const struct tsr_rates *rates = &tsr_training_model(log->training)->rates;
    l->size = 0;
    add_number(l, "{\"outer_step\": ", (double)p->outer_step);
    add_number(l, ", \"seconds\": ", p->seconds);
    add_number(l, ", \"train_psnr_db\": ", p->train_psnr_db);
    add_number(l, ", \"val_psnr_db\": ", p->validated ? p->val_psnr_db : (double)NAN);
    add_number(l, ", \"outer_lr\": ", p->outer_lr);
    add_number(l, ", \"gradient_norm\": ", p->gradient_norm);
    add_number(l, ", \"images_per_second\": ", p->images_per_second);
    add_number(l, ", \"skipped\": ", (double)p->skipped);
    add_number(l, ", \"rollbacks\": ", (double)p->rollbacks);
    for (size_t k = 0; k < rates->n_steps && k < 64; k++)
        add_number(l, k ? ", " : ", \"rates\": [", mean_rate(rates, k));
    memcpy(l->text + l->size, "]}\n", 3);
    l->size += 3;
}

static enum tsr_status write_line(struct cli_train_log *log, const struct tsr_trainer_progress *p,
                                  struct tsr_error *err) {
    struct line l;
    if (log->file < 0) return TSR_OK;
    make_line(log, p, &l);
    ssize_t n = write(log->file, l.text, l.size);
    if (n == (ssize_t)l.size) return TSR_OK;
    int reason = n < 0 ? errno : ENOSPC;
    (void)close(log->file);
    log->file = -1;
    return TSR_ERROR(err, TSR_ERR_IO, "%s: %s; nothing more is logged there", log->path,
                     strerror(reason));
}

static enum tsr_status write_events(struct cli_train_log *log, const struct tsr_trainer_progress *p,
                                    struct tsr_error *err) {
    const struct cli_scalar scalars[] = {
        {"psnr_db/train", p->train_psnr_db},
        {"psnr_db/validation", p->validated ? p->val_psnr_db : (double)NAN},
        {"outer/lr", p->outer_lr},
        {"outer/gradient_norm", p->gradient_norm},
        {"images_per_second", p->images_per_second},
    };
    if (!log->events) return TSR_OK;
    enum tsr_status status =
        cli_events_add(log->events, p->outer_step, scalars, sizeof scalars / sizeof *scalars, err);
    if (status == TSR_OK) return TSR_OK;
    cli_events_close(log->events);
    log->events = NULL;
    return status;
}

enum tsr_status cli_train_log_add(struct cli_train_log *log, const struct tsr_trainer_progress *p,
                                  bool last, struct tsr_error *err) {
    if (!log || (log->began && log->last_step == p->outer_step)) return TSR_OK;
    double now = tsr_seconds();
    if (log->began && !last && !p->validated && now - log->last_time < EVERY_SECONDS) return TSR_OK;
    log->began = true;
    log->last_time = now;
    log->last_step = p->outer_step;
    TSR_TRY(write_line(log, p, err));
    return write_events(log, p, err);
}
