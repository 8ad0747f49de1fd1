/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include <ctype.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/hypothesis_report.h"
#include "cli/options.h"
#include "cli/outputs.h"
#include "cli/paths.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "study/published.h"
#include "study/step_function.h"

#define MAX_VALUES 4096
#define MAX_GROUPS 16
#define CSV_SECONDS 5.0 /* between two versions of an unfinished CSV file */

struct hypothesis_args {
    struct cli_common common;
    struct tsr_hypothesis h;
    const char *boundaries, *partition;
    size_t runs, resamples;
    const char *csv, *report, *json, *kernel;
};

static void defaults(void *args) {
    struct hypothesis_args *a = args;
    tsr_hypothesis_default(1, &a->h);
    a->partition = "1";
    a->runs = 5;
    a->resamples = 1000;
    a->kernel = "auto";
}

#define AT(member) offsetof(struct hypothesis_args, member)

static const struct cli_option options[] = {
    {.name = "experiment", .type = CLI_HEADING},
    {.name = "dim",
     .metavar = "D",
     .type = CLI_SIZE,
     .at = AT(h.dim),
     .min = 1,
     .max = 2,
     .help = "1: step functions on a line; 2: checkerboards"},
    {.name = "boundaries",
     .metavar = "LIST",
     .type = CLI_STRING,
     .at = AT(boundaries),
     .shown = "1:59:2 in 1-D, 25 values of 27 to 535 in 2-D",
     .help = "numbers of boundaries: N, A:B or A:B:STEP, with commas between them; in 2-D a range "
             "leaves out numbers that no checkerboard has"},
    {.name = "runs",
     .metavar = "N",
     .type = CLI_SIZE,
     .at = AT(runs),
     .min = 1,
     .max = 1000,
     .help = "runs at each number of boundaries"},
    {.name = "partition",
     .metavar = "LIST",
     .type = CLI_STRING,
     .at = AT(partition),
     .help = "pieces along each coordinate, each with a smaller network of its own; such as 1,4: "
             "first one network, then pieces"},
    {.name = "points",
     .metavar = "N",
     .type = CLI_SIZE,
     .at = AT(h.points),
     .shown = "5000 in 1-D, 256 in 2-D",
     .help = "1-D: fresh points of a step, points of the test grid; 2-D: side of the grid"},
    {.name = "target",
     .metavar = "MSE",
     .type = CLI_DOUBLE,
     .at = AT(h.target),
     .positive = true,
     .help = "a run ends when its test error is below this"},
    {.name = "max-steps",
     .metavar = "N",
     .type = CLI_SIZE,
     .at = AT(h.max_steps),
     .min = 1,
     .max = 1e9,
     .help = "or, censored, after so many steps"},
    {.name = "lr",
     .metavar = "LR",
     .type = CLI_DOUBLE,
     .at = AT(h.lr),
     .positive = true,
     .help = "rate of Adam"},
    {.name = "network", .type = CLI_HEADING},
    {.name = "width",
     .metavar = "N",
     .type = CLI_SIZE,
     .at = AT(h.width),
     .min = 1,
     .max = TSR_MAX_WIDTH,
     .help = "units of a layer of the single network"},
    {.name = "hidden-layers",
     .metavar = "N",
     .type = CLI_SIZE,
     .at = AT(h.hidden_layers),
     .max = TSR_MAX_LAYERS - 2,
     .help = "sine layers after the first"},
    {.name = "omega-first",
     .metavar = "W",
     .type = CLI_DOUBLE,
     .at = AT(h.omega_first),
     .positive = true,
     .shown = "10 in 1-D, 30 in 2-D",
     .help = "frequency of the first layer"},
    {.name = "omega",
     .metavar = "W",
     .type = CLI_DOUBLE,
     .at = AT(h.omega_hidden),
     .positive = true,
     .help = "frequency of the other layers"},
    {.name = "results", .type = CLI_HEADING},
    {.name = "csv",
     .metavar = "F.csv",
     .type = CLI_STRING,
     .file = CLI_WRITES,
     .at = AT(csv),
     .help = "write one line for each run"},
    {.name = "report",
     .metavar = "R.html",
     .type = CLI_STRING,
     .file = CLI_WRITES,
     .at = AT(report),
     .help = "write a page with steps over boundaries, and the laws, for a browser"},
    {.name = "json",
     .metavar = "F.json",
     .type = CLI_STRING,
     .file = CLI_WRITES,
     .at = AT(json),
     .help = "write settings, means and laws"},
    {.name = "resamples",
     .metavar = "N",
     .type = CLI_SIZE,
     .at = AT(resamples),
     .max = 100000,
     .help = "bootstrap samples for the intervals of the laws"},
    CLI_KERNEL(AT(kernel)),
    {.type = CLI_END},
};

/* ---- lists ----------------------------------------------------------------------------------- */

/* Digits at *text, which then points behind them. */
static bool read_number(const char **text, size_t *out) {
    char *end;
    if (!isdigit((unsigned char)**text)) return false;
    errno = 0;
    unsigned long value = strtoul(*text, &end, 10);
    *out = value;
    *text = end;
    return errno == 0;
}

/* N, A:B or A:B:STEP. */
static bool read_range(const char **text, size_t *from, size_t *to, size_t *step) {
    *step = 1;
    if (!read_number(text, from)) return false;
    *to = *from;
    if (**text != ':') return true;
    ++*text;
    if (!read_number(text, to)) return false;
    if (**text != ':') return true;
    ++*text;
    return read_number(text, step) && *step > 0;
}

/* Numbers of a list, of at most `max`, ascending ones in out [*n]; `dim` 2: those that
 * checkerboards have. */
static enum tsr_status read_list(const char *text, size_t dim, size_t max, size_t room, size_t *out,
                                 size_t *n, struct tsr_error *err) {
    const char *rest = text;
    *n = 0;
    do {
        size_t from, to, step, lines[2];
        if (!read_range(&rest, &from, &to, &step) || (*rest && *rest != ','))
            return TSR_ERROR(err, TSR_ERR_CONFIG,
                             "\"%s\" is not a list of numbers or ranges, such as 1,5,10:20:2",
                             text);
        if (from < 1 || to > max || from > to)
            return TSR_ERROR(err, TSR_ERR_CONFIG, "\"%s\": numbers must ascend from 1 to %zu", text,
                             max);
        if (step > max) step = max; /* the sum below must not wrap */
        for (size_t v = from; v <= to; v += step) {
            bool there = tsr_step_lines(dim, v, lines);
            if (!there && from == to)
                return TSR_ERROR(err, TSR_ERR_CONFIG,
                                 "no checkerboard has %zu boundaries: %zu is a prime", v,
                                 2 * v + 1);
            if (!there) continue;
            if (*n && out[*n - 1] >= v)
                return TSR_ERROR(err, TSR_ERR_CONFIG, "\"%s\": %zu does not ascend", text, v);
            if (*n == room)
                return TSR_ERROR(err, TSR_ERR_CONFIG, "\"%s\" is more than %zu numbers", text,
                                 room);
            out[(*n)++] = v;
        }
    } while (*rest++ == ',');
    if (*n == 0)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "\"%s\" holds no number that a checkerboard has",
                         text);
    return TSR_OK;
}

/* The numbers of boundaries to run, values [MAX_VALUES]: those asked for, else the paper's. */
static enum tsr_status boundaries(const struct hypothesis_args *a, size_t *values, size_t *n,
                                  struct tsr_error *err) {
    if (!a->boundaries) {
        const size_t *published = tsr_published_boundaries(a->h.dim, n);
        memcpy(values, published, *n * sizeof *values);
        return TSR_OK;
    }
    enum tsr_status status =
        read_list(a->boundaries, a->h.dim, TSR_STEP_MAX_BOUNDARIES, MAX_VALUES, values, n, err);
    if (status != TSR_OK) tsr_error_prefix(err, "--boundaries");
    return status;
}

/* ---- runs ------------------------------------------------------------------------------------ */

struct watch {
    struct cli_progress progress;
    struct hypothesis_report *report;
    const char *csv;
    double csv_written;           /* seconds */
    atomic_flag showing;          /* one thread has the terminal */
    atomic_size_t steps, runs;    /* made so far */
    atomic_size_t work, all_work; /* guessed: the square of the boundaries of each run */
    size_t n_runs;
};

static bool on_step(void *user) {
    struct watch *w = user;
    (void)atomic_fetch_add(&w->steps, 1);
    if (!atomic_flag_test_and_set(&w->showing)) {
        double fraction = (double)atomic_load(&w->work) / (double)atomic_load(&w->all_work);
        if (cli_progress_due(&w->progress, fraction))
            cli_progress_show(&w->progress, fraction, "%zu of %zu runs, %zu steps",
                              atomic_load(&w->runs), w->n_runs, atomic_load(&w->steps));
        atomic_flag_clear(&w->showing);
    }
    return !cli_interrupted();
}

/* The file grows while the runs go on; that it cannot be written is told at the end. */
static void on_done(void *user, const struct tsr_hypothesis_run *run) {
    struct watch *w = user;
    (void)atomic_fetch_add(&w->runs, 1);
    (void)atomic_fetch_add(&w->work, run->n * run->n);
    if (!w->csv || cli_is_stdout(w->csv) || tsr_seconds() - w->csv_written < CSV_SECONDS) return;
    if (hypothesis_write_csv(w->report, w->csv, NULL) == TSR_OK) w->csv_written = tsr_seconds();
}

static enum tsr_status run_groups(const struct hypothesis_args *a, const struct tsr_kernel *kernel,
                                  struct hypothesis_report *report, struct tsr_error *err) {
    struct tsr_growth *r = &report->growth;
    size_t n_runs = r->n_values * r->n_repeats;
    struct watch watch = {.report = report, .csv = a->csv, .n_runs = r->n_groups * n_runs};
    struct tsr_hypothesis_events events = {.user = &watch, .step = on_step, .done = on_done};
    enum tsr_status status = TSR_OK;
    atomic_flag_clear(&watch.showing);
    for (size_t i = 0; i < n_runs; i++)
        watch.all_work += r->n_groups * r->groups->runs[i].n * r->groups->runs[i].n;
    watch.csv_written = tsr_seconds();
    cli_signals_catch();
    cli_progress_start(&watch.progress, a->common.quiet);
    for (size_t k = 0; k < r->n_groups && status == TSR_OK; k++)
        status = tsr_hypothesis_run(&r->groups[k].h, kernel, a->common.threads, r->groups[k].runs,
                                    n_runs, &events, err);
    cli_progress_end(&watch.progress);
    if (status == TSR_ERR_INTERRUPTED)
        return TSR_ERROR(err, status, "interrupted after %zu of %zu runs%s%s",
                         atomic_load(&watch.runs), watch.n_runs, a->csv ? "; they are in " : "",
                         a->csv ? a->csv : "");
    return status;
}

/* ---- the command ----------------------------------------------------------------------------- */

struct storage {
    struct tsr_arena arena;
    struct tsr_growth_group *groups;
};

static void layout(struct storage *s, struct tsr_growth *r, const size_t *pieces,
                   struct tsr_arena *arena) {
    size_t n_runs = r->n_values * r->n_repeats;
    s->groups = tsr_arena_take(arena, r->n_groups, sizeof *s->groups);
    for (size_t k = 0; k < r->n_groups; k++) {
        struct tsr_hypothesis_run *runs = tsr_arena_take(arena, n_runs, sizeof *runs);
        size_t *steps = tsr_arena_take(arena, n_runs * pieces[k], sizeof *steps);
        if (!s->groups) continue;
        s->groups[k].runs = runs;
        for (size_t i = 0; i < n_runs; i++)
            runs[i].piece_steps = steps + i * pieces[k];
    }
}

static enum tsr_status prepare(const struct hypothesis_args *a, struct storage *s,
                               struct tsr_growth *r, struct tsr_error *err) {
    size_t values[MAX_VALUES], partition[MAX_GROUPS], pieces[MAX_GROUPS];
    struct tsr_arena measure = {0};
    TSR_TRY(boundaries(a, values, &r->n_values, err));
    if (read_list(a->partition, 1, TSR_HYPOTHESIS_MAX_PARTITION, MAX_GROUPS, partition,
                  &r->n_groups, err)) {
        tsr_error_prefix(err, "--partition");
        return TSR_ERR_CONFIG;
    }
    struct tsr_hypothesis h = a->h;
    for (size_t k = 0; k < r->n_groups; k++) {
        h.partition = partition[k];
        TSR_TRY(tsr_hypothesis_check(&h, err));
        pieces[k] = tsr_hypothesis_pieces(&h);
    }
    r->n_repeats = a->runs;
    layout(s, r, pieces, &measure);
    TSR_TRY(tsr_arena_create(&s->arena, measure.used, "runs", err));
    layout(s, r, pieces, &s->arena);
    r->groups = s->groups;
    for (size_t k = 0; k < r->n_groups; k++) {
        r->groups[k].h = h;
        r->groups[k].h.partition = partition[k];
        tsr_hypothesis_network(&r->groups[k].h, &r->groups[k].net);
        for (size_t i = 0; i < r->n_values * a->runs; i++) {
            r->groups[k].runs[i].n = values[i / a->runs];
            r->groups[k].runs[i].index = i % a->runs;
        }
    }
    return TSR_OK;
}

static enum tsr_status report(const struct hypothesis_args *a, struct hypothesis_report *r,
                              bool table, struct tsr_error *err) {
    TSR_TRY(tsr_growth_fit(&r->growth, a->resamples, err));
    if (table) hypothesis_print(r, stdout);
    if (a->csv) TSR_TRY(hypothesis_write_csv(r, a->csv, err));
    if (a->json) TSR_TRY(hypothesis_write_json(r, a->json, err));
    if (a->report) TSR_TRY(hypothesis_write_page(r, a->report, err));
    return TSR_OK;
}

static enum tsr_status run(struct cli_call *call) {
    struct hypothesis_args *a = call->args;
    struct hypothesis_report results = {0};
    struct storage storage = {0};
    struct tsr_hypothesis protocol;
    const struct tsr_kernel *kernel;
    enum tsr_status status;
    tsr_hypothesis_default(a->h.dim, &protocol);
    if (!cli_given(call, "points")) a->h.points = protocol.points;
    if (!cli_given(call, "omega-first")) a->h.omega_first = protocol.omega_first;
    a->h.seed = a->common.seed;
    call->phase = CLI_RUNNING;
    TSR_CHECK(prepare(a, &storage, &results.growth, &call->err));
    TSR_CHECK(tsr_kernel_find(a->kernel, &kernel, &call->err));
    results.kernel = kernel->name;
    TSR_CHECK(run_groups(a, kernel, &results, &call->err));
    TSR_CHECK(report(a, &results, !cli_stdout_taken(call), &call->err));
done:
    if (status == TSR_ERR_INTERRUPTED) {
        struct tsr_error err = {0};
        enum tsr_status late = report(a, &results, !cli_stdout_taken(call), &err);
        if (late != TSR_OK) {
            status = late;
            call->err = err;
        }
    }
    tsr_arena_free(&storage.arena);
    return status;
}

const struct cli_command cli_hypothesis = {
    .name = "hypothesis",
    .group = "about",
    .summary = "steps to fit n boundaries: the exponential-increase experiments",
    .operands = "",
    .about =
        "Fits random step functions of n boundaries with a small network and counts the steps\n"
        "of Adam until the test error is below a target: the experiments of Liu et al.\n"
        "(arXiv 2310.14184), 1-D and 2-D, with their settings as defaults. Then fits an\n"
        "exponential, a power and a linear law to these counts. With --partition the signal\n"
        "is cut into equal pieces, each with its own network; all networks together have\n"
        "about as many parameters as the single one. The results do not depend on --threads.",
    .options = options,
    .args_size = sizeof(struct hypothesis_args),
    .defaults = defaults,
    .min_operands = 0,
    .max_operands = 0,
    .run = run,
};
