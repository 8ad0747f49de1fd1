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

/* Inner steps whose rates, and processes whose waiting are in a line. */
enum { MOST_STEPS = 64, MOST_RANKS = 64 };

/* Seconds between lines, at least, and as a fraction of the training so far. */
static const double EVERY_SECONDS = 1, EVERY_FRACTION = 1e-3;
static const size_t MOST_BYTES = (size_t)1 << 30; /* of a log that is gone on with */

struct cli_train_log {
    const struct tsr_training *training;
    char *path;          /* owned; NULL: none, or none any more */
    unsigned char *text; /* what the file begins with, [kept]; owned */
    size_t kept;
    int file; /* -1: nothing was written yet */
    struct cli_events *events;
    double last_time;
    uint64_t last_step;
    bool began;
    double waited[MOST_RANKS]; /* [n_waited] of processes, for the next line */
    size_t n_waited, slowest;
    double waited_most;
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
    out->data_share = number_of(text, "data_seconds") / number_of(text, "session_seconds");
    out->slowest_rank = number_of(text, "slowest_rank");
    out->waited_share = number_of(text, "waited_most_seconds") / number_of(text, "session_seconds");
    return true;
}

/* The lines of the file up to an outer step, in place: how many bytes; *n: lines of a log that
 * there were. What is no whole line, after a crash, goes. */
static size_t lines_until(char *text, uint64_t outer_step, size_t *n_lines) {
    char *to = text, *next;
    *n_lines = 0;
    for (char *line = text; *line; line = next) {
        struct cli_log_line read;
        char *end = strchr(line, '\n');
        if (!end) break;
        *end = '\0';
        next = end + 1;
        if (!cli_log_line_read(line, &read)) continue;
        ++*n_lines;
        if (read.outer_step > outer_step) continue;
        size_t n = (size_t)(end - line);
        memmove(to, line, n);
        to[n] = '\n';
        to += n + 1;
    }
    return (size_t)(to - text);
}

/* What the log before it has up to an outer step, with which the file is to begin. */
static enum tsr_status read_before(struct cli_train_log *log, const char *before,
                                   uint64_t outer_step, struct tsr_error *err) {
    size_t size = 0, lines;
    if (!before || access(before, F_OK) != 0) return TSR_OK;
    TSR_TRY(tsr_file_read(before, MOST_BYTES, &log->text, &size, err));
    log->kept = lines_until((char *)log->text, outer_step, &lines);
    if (size == 0 || lines > 0) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_CONFIG,
                     "%s is not the log of a run; --log says where else it goes", before);
}

/* ---- the log --------------------------------------------------------------------------------- */

enum tsr_status cli_train_log_path(const char *model, char **path, struct tsr_error *err) {
    char *target;
    *path = NULL;
    TSR_TRY(tsr_file_target(model, &target, err));
    *path = cli_join("", target, ".jsonl");
    free(target);
    return *path ? TSR_OK : TSR_ERROR(err, TSR_ERR_NO_MEMORY, "no memory for a path");
}

enum tsr_status cli_train_log_open(const struct cli_train_log_paths *paths,
                                   const struct tsr_training *training, struct cli_train_log **out,
                                   struct tsr_error *err) {
    uint64_t at = tsr_training_state(training)->outer_step;
    struct cli_train_log *log;
    enum tsr_status status = TSR_OK;
    *out = NULL;
    if (!paths->jsonl && !paths->tensorboard) return TSR_OK;
    TSR_TRY(TSR_ALLOC(&log, 1, "log", err));
    *log = (struct cli_train_log){.training = training, .file = -1};
    if (paths->jsonl && !(log->path = strdup(paths->jsonl)))
        TSR_CHECK(TSR_ERROR(err, TSR_ERR_NO_MEMORY, "no memory for a path"));
    if (paths->jsonl) TSR_CHECK(read_before(log, paths->before, at, err));
    if (paths->tensorboard) TSR_CHECK(cli_events_open(paths->tensorboard, at, &log->events, err));
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
    free(log->text);
    free(log);
}

struct line {
    char text[8192];
    size_t size;
};

static void add_text(struct line *l, const char *text) {
    size_t n = strlen(text);
    if (n >= sizeof l->text - l->size) return;
    memcpy(l->text + l->size, text, n);
    l->size += n;
}

static void add_number(struct line *l, const char *before, double value) {
    size_t room = sizeof l->text - l->size;
    int n = isfinite(value) ? snprintf(l->text + l->size, room, "%s%.9g", before, value)
                            : snprintf(l->text + l->size, room, "%snull", before);
    if (n > 0 && (size_t)n < room) l->size += (size_t)n;
}

static void add_rates(struct line *l, const struct tsr_rates *rates) {
    struct tsr_rates_summary of[MOST_STEPS];
    size_t n = rates->n_steps < MOST_STEPS ? rates->n_steps : MOST_STEPS;
    for (size_t k = 0; k < n; k++)
        of[k] = tsr_rates_summarize(rates, k);
    for (size_t k = 0; k < n; k++)
        add_number(l, k ? ", " : ", \"rates\": [", of[k].mean);
    for (size_t k = 0; k < n; k++)
        add_number(l, k ? ", " : "], \"rates_least\": [", of[k].least);
    for (size_t k = 0; k < n; k++)
        add_number(l, k ? ", " : "], \"rates_most\": [", of[k].most);
    add_text(l, "]");
}

static void add_waited(struct line *l, const struct cli_train_log *log) {
    if (log->n_waited == 0) return;
    add_number(l, ", \"slowest_rank\": ", (double)log->slowest);
    add_number(l, ", \"waited_most_seconds\": ", log->waited_most);
    for (size_t r = 0; r < log->n_waited; r++)
        add_number(l, r ? ", " : ", \"waited_seconds\": [", log->waited[r]);
    add_text(l, "]");
}

static void make_line(const struct cli_train_log *log, const struct tsr_trainer_progress *p,
                      struct line *l) {
    l->size = 0;
    add_number(l, "{\"outer_step\": ", (double)p->outer_step);
    add_number(l, ", \"seconds\": ", p->seconds);
    add_number(l, ", \"train_psnr_db\": ", p->train_psnr_db);
    add_number(l, ", \"train_mse\": ", p->train_mse);
    add_number(l, ", \"val_psnr_db\": ", p->validated ? p->val_psnr_db : (double)NAN);
    add_number(l, ", \"outer_lr\": ", p->outer_lr);
    add_number(l, ", \"gradient_norm\": ", p->gradient_norm);
    add_number(l, ", \"images_per_second\": ", p->images_per_second);
    add_number(l, ", \"skipped\": ", (double)p->skipped);
    add_number(l, ", \"rollbacks\": ", (double)p->rollbacks);
    add_number(l, ", \"slots\": ", (double)tsr_training_model(log->training)->n_slots);
    add_number(l, ", \"session_seconds\": ", p->session_seconds);
    add_number(l, ", \"data_seconds\": ", p->data_seconds);
    add_waited(l, log);
    add_rates(l, &tsr_training_model(log->training)->rates);
    add_text(l, "}\n");
}

/* Nothing of a file that is there is touched before there is something to write. */
static enum tsr_status begin(struct cli_train_log *log, struct tsr_error *err) {
    enum tsr_status status =
        tsr_file_replace(log->path, log->kept ? (const void *)log->text : "", log->kept, err);
    free(log->text);
    log->text = NULL;
    TSR_TRY(status);
    log->file = open(log->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    if (log->file >= 0) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be written: %s", log->path, strerror(errno));
}

static enum tsr_status append(struct cli_train_log *log, const struct tsr_trainer_progress *p,
                              struct tsr_error *err) {
    struct line l;
    if (log->file < 0) TSR_TRY(begin(log, err));
    make_line(log, p, &l);
    int reason = tsr_file_write(log->file, l.text, l.size);
    if (!reason) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_IO, "%s: %s", log->path, strerror(reason));
}

static enum tsr_status write_line(struct cli_train_log *log, const struct tsr_trainer_progress *p,
                                  struct tsr_error *err) {
    if (!log->path) return TSR_OK;
    enum tsr_status status = append(log, p, err);
    if (status == TSR_OK) return TSR_OK;
    tsr_error_prefix(err, "nothing more is logged");
    if (log->file >= 0) (void)close(log->file);
    log->file = -1;
    free(log->path);
    log->path = NULL;
    return status;
}

static enum tsr_status write_events(struct cli_train_log *log, const struct tsr_trainer_progress *p,
                                    struct tsr_error *err) {
    const struct cli_scalar scalars[] = {
        {"psnr_db/train", p->train_psnr_db},
        {"psnr_db/validation", p->validated ? p->val_psnr_db : (double)NAN},
        {"mse/train", p->train_mse},
        {"outer/lr", p->outer_lr},
        {"outer/gradient_norm", p->gradient_norm},
        {"images_per_second", p->images_per_second},
        {"data_seconds", p->data_seconds},
    };
    if (!log->events) return TSR_OK;
    enum tsr_status status =
        cli_events_add(log->events, p->outer_step, scalars, sizeof scalars / sizeof *scalars, err);
    if (status == TSR_OK) return TSR_OK;
    cli_events_close(log->events);
    log->events = NULL;
    return status;
}

void cli_train_log_waited(struct cli_train_log *log, const double *seconds, size_t n) {
    if (!log) return;
    log->n_waited = n < MOST_RANKS ? n : MOST_RANKS;
    memcpy(log->waited, seconds, log->n_waited * sizeof *seconds);
    log->slowest = 0;
    log->waited_most = 0;
    for (size_t r = 0; r < n; r++) {
        if (seconds[r] < seconds[log->slowest]) log->slowest = r;
        log->waited_most = fmax(log->waited_most, seconds[r]);
    }
}

enum tsr_status cli_train_log_add(struct cli_train_log *log, const struct tsr_trainer_progress *p,
                                  bool last, struct tsr_error *err) {
    if (!log || (log->began && log->last_step == p->outer_step)) return TSR_OK;
    double now = tsr_seconds(), every = fmax(EVERY_SECONDS, EVERY_FRACTION * p->seconds);
    if (log->began && !last && !p->validated && now - log->last_time < every) return TSR_OK;
    log->began = true;
    log->last_time = now;
    log->last_step = p->outer_step;
    TSR_TRY(write_line(log, p, err));
    log->n_waited = 0;
    return write_events(log, p, err);
}
