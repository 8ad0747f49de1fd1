/* SPDX-License-Identifier: MIT */
#define _XOPEN_SOURCE 700
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/outputs.h"
#include "cli/page.h"
#include "cli/paths.h"
#include "cli/progress.h"
#include "cli/report_assets.h"
#include "cli/shown.h"
#include "cli/signals.h"
#include "cli/train_log.h"
#include "data/file.h"

struct watch_args {
    struct cli_common common;
    const char *html;
    bool once;
};

#define AT(member) offsetof(struct watch_args, member)

static const struct cli_option options[] = {
    {.name = "once",
     .type = CLI_FLAG,
     .at = AT(once),
     .help = "draw what there is and end; so it is where stdout is no terminal"},
    {.name = "html",
     .metavar = "F.html",
     .type = CLI_STRING,
     .file = CLI_WRITES,
     .at = AT(html),
     .help = "write it as a page for a browser too, which loads itself anew"},
    {.type = CLI_END},
};

static const size_t MOST_BYTES = (size_t)1 << 30;

struct history {
    char *bytes;               /* of the log, cut into lines */
    const char **text;         /* [n] lines of it */
    struct cli_log_line *line; /* [n] what they say */
    size_t n;
};

/* ---- reading --------------------------------------------------------------------------------- */

static void clear(struct history *h) {
    free(h->bytes);
    free(h->text);
    free(h->line);
}

/* To be cleared in any case. */
static enum tsr_status read_log(const char *path, struct history *h, struct tsr_error *err) {
    unsigned char *bytes;
    size_t size, most = 1;
    char *next;
    *h = (struct history){0};
    TSR_TRY(tsr_file_read(path, MOST_BYTES, &bytes, &size, err));
    h->bytes = (char *)bytes;
    for (size_t i = 0; i < size; i++)
        most += h->bytes[i] == '\n';
    TSR_TRY(TSR_ALLOC(&h->line, most, "lines of the log", err));
    TSR_TRY(TSR_ALLOC(&h->text, most, "lines of the log", err));
    for (char *text = h->bytes; text && *text; text = next) {
        next = strchr(text, '\n');
        if (next) *next++ = '\0';
        h->text[h->n] = text;
        h->n += cli_log_line_read(text, &h->line[h->n]);
    }
    return TSR_OK;
}

/* ---- the terminal ---------------------------------------------------------------------------- */

enum { ROWS = 16, MARGIN = 9, MOST_COLUMNS = 96 };

struct plot {
    char cell[ROWS][MOST_COLUMNS];
    size_t cols;
    double low, high, first, last;
};

static void mark(struct plot *p, double outer_step, double psnr_db, char c) {
    if (!isfinite(psnr_db)) return;
    double x = p->last > p->first ? (outer_step - p->first) / (p->last - p->first) : 1;
    double y = p->high > p->low ? (psnr_db - p->low) / (p->high - p->low) : 0.5;
    p->cell[(size_t)lround((1 - y) * (ROWS - 1))][(size_t)lround(x * (double)(p->cols - 1))] = c;
}

static void draw(const struct history *h) {
    struct plot p = {.low = (double)INFINITY, .high = -(double)INFINITY};
    p.cols = cli_text_width() - MARGIN - 1;
    p.first = (double)h->line[0].outer_step;
    p.last = (double)h->line[h->n - 1].outer_step;
    for (size_t i = 0; i < h->n; i++) {
        p.low = fmin(p.low, fmin(h->line[i].train_psnr_db, h->line[i].val_psnr_db));
        p.high = fmax(p.high, fmax(h->line[i].train_psnr_db, h->line[i].val_psnr_db));
    }
    memset(p.cell, ' ', sizeof p.cell);
    for (size_t i = 0; i < h->n; i++)
        mark(&p, (double)h->line[i].outer_step, h->line[i].train_psnr_db, '.');
    for (size_t i = 0; i < h->n; i++)
        mark(&p, (double)h->line[i].outer_step, h->line[i].val_psnr_db, 'o');
    for (size_t row = 0; row < ROWS; row++) {
        size_t end = p.cols;
        while (end > 0 && p.cell[row][end - 1] == ' ')
            end--;
        double at = p.high - (p.high - p.low) * (double)row / (ROWS - 1);
        if (row % 5 == 0 && isfinite(at))
            (void)printf("%7.2f |%.*s\n", at, (int)end, p.cell[row]);
        else
            (void)printf("        |%.*s\n", (int)end, p.cell[row]);
    }
    (void)printf("        +");
    for (size_t i = 0; i < p.cols; i++)
        (void)putchar('-');
    (void)printf("\n%*s%-12.0f%*.0f\n", MARGIN, "", p.first, (int)p.cols - 12, p.last);
}

static void print(const char *path, const struct history *h) {
    char time[16];
    double val = (double)NAN;
    if (h->n == 0) {
        (void)printf("%s: nothing yet\n", cli_shown(path));
        return;
    }
    const struct cli_log_line *last = &h->line[h->n - 1], *ranks = NULL;
    for (size_t i = 0; i < h->n; i++) {
        if (isfinite(h->line[i].val_psnr_db)) val = h->line[i].val_psnr_db;
        if (isfinite(h->line[i].slowest_rank)) ranks = &h->line[i];
    }
    (void)printf("PSNR, dB, over outer steps: . train, o validation\n");
    draw(h);
    (void)printf("outer step %llu  %s  train %.2f dB", last->outer_step,
                 cli_time(last->seconds, time), last->train_psnr_db);
    if (isfinite(val)) (void)printf("  validation %.2f dB", val);
    (void)printf("\nouter rate %.3g  gradient %.3g  %.0f images/s", last->outer_lr,
                 last->gradient_norm, last->images_per_second);
    if (isfinite(last->data_share))
        (void)printf("  waiting for data %.0f %%", 100 * last->data_share);
    if (ranks)
        (void)printf("\nslowest rank %.0f: others waited for it up to %.0f %% of the time",
                     ranks->slowest_rank, 100 * ranks->waited_share);
    (void)printf("\n");
}

/* ---- the page -------------------------------------------------------------------------------- */

static enum tsr_status write_page(const char *path, const char *model, const struct history *h,
                                  struct tsr_error *err) {
    struct cli_json j = {0};
    cli_json_open(&j, NULL, '{');
    cli_json_string(&j, "model", model);
    cli_json_open(&j, "lines", '[');
    for (size_t i = 0; i < h->n; i++)
        cli_json_text(&j, NULL, h->text[i]);
    cli_json_close(&j, ']');
    cli_json_close(&j, '}');
    enum tsr_status status = cli_json_finish(&j, err);
    if (status == TSR_OK) status = cli_page_write(path, cli_asset_watch_html, j.text, err);
    cli_json_clear(&j);
    return status;
}

/* ---- the command ----------------------------------------------------------------------------- */

static enum tsr_status show(struct cli_call *call, const char *path, bool live) {
    const struct watch_args *a = call->args;
    struct history h;
    call->phase = CLI_READING;
    enum tsr_status status = read_log(path, &h, &call->err);
    call->phase = CLI_RUNNING;
    if (status == TSR_OK && live) (void)printf("\033[H\033[2J");
    if (status == TSR_OK && !cli_stdout_taken(call)) print(path, &h);
    (void)fflush(stdout);
    if (status == TSR_OK && a->html)
        status = write_page(a->html, call->operands[0], &h, &call->err);
    clear(&h);
    return status;
}

/* Is this a log itself, not the model that it belongs to? */
static bool is_log(const char *path) {
    FILE *f = fopen(path, "rb");
    int first = f ? fgetc(f) : EOF;
    if (f) (void)fclose(f);
    return first == '{';
}

static enum tsr_status find_log(const char *operand, char **path, struct tsr_error *err) {
    if (!is_log(operand)) return cli_train_log_path(operand, path, err);
    *path = strdup(operand);
    return *path ? TSR_OK : TSR_ERROR(err, TSR_ERR_NO_MEMORY, "no memory for a path");
}

/* The model need not be there any more, nor be finished. */
static enum tsr_status files(struct cli_call *call) {
    char *log;
    TSR_TRY(find_log(call->operands[0], &log, &call->err));
    enum tsr_status status = TSR_OK;
    if (access(call->operands[0], F_OK) == 0) status = cli_files_reads(call, call->operands[0]);
    if (status == TSR_OK && access(log, F_OK) == 0) status = cli_files_reads(call, log);
    free(log);
    return status;
}

static enum tsr_status run(struct cli_call *call) {
    const struct watch_args *a = call->args;
    const struct timespec second = {.tv_sec = 1};
    bool live = !a->once && isatty(STDOUT_FILENO) == 1;
    char *path;
    TSR_TRY(find_log(call->operands[0], &path, &call->err));
    cli_signals_catch();
    enum tsr_status status = cli_check_input(path, &call->err);
    if (status != TSR_OK)
        status = TSR_ERROR(
            &call->err, TSR_ERR_IO,
            "%s: there is no log; tessera train writes one there unless --log says otherwise; "
            "of a log elsewhere give the file itself",
            path);
    do {
        if (status == TSR_OK) status = show(call, path, live);
        if (status == TSR_OK && live) (void)nanosleep(&second, NULL);
    } while (live && status == TSR_OK && !cli_interrupted());
    free(path);
    if (status == TSR_OK && live) return TSR_ERROR(&call->err, TSR_ERR_INTERRUPTED, "interrupted");
    return status;
}

const struct cli_command cli_watch_run = {
    .name = "watch",
    .group = "models",
    .summary = "draw how a training run goes, in the terminal or as a page",
    .operands = "M.h5|LOG",
    .about = "Draws PSNR over outer steps from the log that `tessera train` writes beside the\n"
             "model, or from a log that it was told to write elsewhere (--log), again and again\n"
             "until Ctrl-C.",
    .options = options,
    .args_size = sizeof(struct watch_args),
    .min_operands = 1,
    .max_operands = 1,
    .first_operand = CLI_NO_FILE,
    .files = files,
    .run = run,
};
