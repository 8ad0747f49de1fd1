/* SPDX-License-Identifier: MIT */
#include "cli/train_view.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

#include "base/blas.h"
#include "base/clock.h"
#include "base/spread.h"
#include "cli/progress.h"
#include "cli/settings.h"
#include "cli/shown.h"
#include "cli/signals.h"
#include "inner/kernels/kernel.h"

struct cli_data cli_data_of(const struct tsr_dataset *dataset) {
    struct cli_data data = {.path = tsr_dataset_path(dataset),
                            .height = tsr_dataset_height(dataset),
                            .width = tsr_dataset_width(dataset),
                            .read_cost = tsr_dataset_read_cost(dataset),
                            .channels = tsr_dataset_channels(dataset)};
    size_t groups;
    data.together = tsr_dataset_group(dataset, &groups);
    data.together *= groups;
    const char *layout = tsr_dataset_layout(dataset);
    (void)snprintf(data.layout, sizeof data.layout, "%s", layout ? layout : "");
    for (int s = TSR_SPLIT_TRAIN; s <= TSR_SPLIT_ALL; s++)
        (void)tsr_dataset_split(dataset, (enum tsr_split)s, &data.images[s]);
    return data;
}

double cli_data_image_mb(const struct cli_data *d) {
    return (double)(d->height * d->width * d->channels) / 1e6;
}

bool cli_data_is_slow(const struct cli_data *d) {
    return (double)d->read_cost / 1e6 > 8 * cli_data_image_mb(d);
}

/* ---- the table ------------------------------------------------------------------------------- */

static void row(FILE *to, const char *name, const char *format, ...) TSR_PRINTF(3, 4);
static void row(FILE *to, const char *name, const char *format, ...) {
    va_list list;
    va_start(list, format);
    (void)fprintf(to, "  %-18s ", name);
    (void)vfprintf(to, format, list);
    (void)fputc('\n', to);
    va_end(list);
}

static void model_rows(const struct tsr_model *m, const struct cli_data *d, FILE *to) {
    size_t regions = tsr_model_regions(m, d->height, d->width);
    size_t values = d->height * d->width * d->channels, of_region = tsr_model_region_numbers(m),
           params = regions * of_region;
    cli_model_rows(&m->config, cli_table_row, to);
    row(to, "regions", "%zu, %zu slot%s", regions, m->n_slots, m->n_slots == 1 ? "" : "s");
    row(to, "parameters", "%zu per region, %zu per image: %.2f for each of its %zu values",
        of_region, params, (double)params / (double)values, values);
}

static void outer_rows(const struct tsr_trainer_config *c, const struct tsr_trainer_progress *p,
                       FILE *to) {
    char time[16], method[160];
    tsr_choice_describe(&c->method, method, sizeof method);
    row(to, "outer loop", "%s, batch of %zu images, %g of their regions", method, c->batch,
        c->region_fraction);
    row(to, "outer Adam", "rate %g to %g, rates' rate %g, warm-up %zu, beta %g %g, clip %g",
        c->outer_lr, c->outer_lr * c->final_lr, c->rates_lr, c->warmup, c->beta1, c->beta2,
        c->clip);
    if (c->outer_steps)
        row(to, "until", "%llu outer steps", (unsigned long long)c->outer_steps);
    else
        row(to, "until", "%s of training", cli_time(c->seconds, time));
    if (c->then != TSR_THEN_SAME && p->turned_at)
        row(to, "slots", "%s since outer step %llu", tsr_then_name(c->then),
            (unsigned long long)p->turned_at);
    else if (c->then != TSR_THEN_SAME)
        row(to, "slots", "%s after %g of the run", tsr_then_name(c->then), c->then_at);
    if (p->outer_step)
        row(to, "resumed at", "outer step %llu, %s", (unsigned long long)p->outer_step,
            cli_time(p->seconds, time));
    row(to, "seed", "%llu", (unsigned long long)c->seed);
}

void cli_training_table(const struct tsr_training *training, const struct cli_data *d, FILE *to) {
    const struct tsr_trainer_config *c = tsr_training_settings(training);
    const struct tsr_kernel *kernel = NULL;
    row(to, "dataset", "%s: %zux%zux%zu; %zu train, %zu val, %zu test", cli_shown(d->path),
        d->height, d->width, d->channels, d->images[TSR_SPLIT_TRAIN], d->images[TSR_SPLIT_VAL],
        d->images[TSR_SPLIT_TEST]);
    if (*d->layout) row(to, "", "read as %s", d->layout);
    size_t val = d->images[TSR_SPLIT_VAL], looked_at = tsr_spread_count(val, c->val_images);
    if (looked_at < val) row(to, "validation", "on %zu of the %zu, evenly spread", looked_at, val);
    if (cli_data_is_slow(d))
        row(to, "slow to read",
            "%.3g MB are read for an image of %.2g MB: its chunks hold pieces of many. `tessera "
            "pack %s -o NEW.h5` stores one in each",
            (double)d->read_cost / 1e6, cli_data_image_mb(d), cli_shown(d->path));
    if (d->together)
        row(to, "read by chunks",
            "in random order among %zu images at a time, those of a few chunks", d->together);
    model_rows(tsr_training_model(training), d, to);
    outer_rows(c, tsr_training_state(training), to);
    if (c->comm && c->comm->size > 1) {
        struct tsr_span most = tsr_comm_span(c->batch, c->comm->size - 1, c->comm->size);
        row(to, "processes", "%zu, each with %zu to %zu images of a meta-batch", c->comm->size,
            c->batch / c->comm->size, most.n);
    }
    if (tsr_kernel_find(c->kernel ? c->kernel : "auto", &kernel, NULL) == TSR_OK)
        row(to, "computing", "kernel %s, %zu threads, BLAS core %s", kernel->name,
            tsr_thread_count(c->threads), tsr_blas_core());
}

/* ---- the run --------------------------------------------------------------------------------- */

/* Images left out are named up to so many. */
enum { NAMES = 8, NAME_SIZE = 96 };

struct view {
    struct cli_progress line;
    char name[NAMES][NAME_SIZE]; /* [n_names] of images left out, each once */
    size_t n_names;
    bool more_names;
    uint64_t left_out;     /* in this session, an image as often as it was */
    double first_fraction; /* where a resumed run begins */
    double train_psnr_db;  /* smoothed */
    double best_val_psnr_db;
    uint64_t best_outer_step;
    struct cli_train_outputs outputs;
};

static double fraction_of(const struct tsr_trainer_progress *p) {
    if (p->outer_steps) return (double)p->outer_step / (double)p->outer_steps;
    return p->seconds_bound > 0 ? fmin(1, p->seconds / p->seconds_bound) : 0;
}

static void smooth(struct view *v, double psnr_db) {
    if (!isfinite(psnr_db)) return;
    if (isfinite(v->train_psnr_db))
        v->train_psnr_db += 0.03 * (psnr_db - v->train_psnr_db);
    else
        v->train_psnr_db = psnr_db;
}

/* The first batch, which every run waits for, says little. */
static const double WAIT_LEAST = 1, WAIT_SHARE = 0.05;

bool cli_waits_for_data(const struct tsr_trainer_progress *p, char *out) {
    bool waits = p->data_seconds > WAIT_LEAST && p->data_seconds > WAIT_SHARE * p->session_seconds;
    out[0] = '\0';
    if (waits)
        (void)snprintf(out, 48, "%.0f %% of the time waiting for data",
                       100 * p->data_seconds / p->session_seconds);
    return waits;
}

static void show(struct view *v, const struct tsr_trainer_progress *p, double fraction) {
    char done[48], left[16], val[64] = "", saved[48] = "", wait[48];
    double elapsed = tsr_seconds() - v->line.start, gained = fraction - v->first_fraction;
    double seconds =
        p->seconds_bound > 0 ? p->seconds_bound - p->seconds : elapsed * (1 - fraction) / gained;
    if (p->outer_steps)
        (void)snprintf(done, sizeof done, "%llu/%llu", (unsigned long long)p->outer_step,
                       (unsigned long long)p->outer_steps);
    else
        (void)snprintf(done, sizeof done, "%llu", (unsigned long long)p->outer_step);
    if (isfinite(p->val_psnr_db)) (void)snprintf(val, sizeof val, "  val %.2f dB", p->val_psnr_db);
    size_t used = strlen(val);
    if (used && p->val_left_out)
        (void)snprintf(val + used, sizeof val - used, " without %zu images", p->val_left_out);
    if (p->saved && !v->line.live)
        (void)snprintf(saved, sizeof saved, "  saved at %llu",
                       (unsigned long long)p->saved_outer_step);
    cli_progress_show(
        &v->line, fraction, "outer step %s  train %.2f dB%s  %.0f images/s%s%s  %s left%s", done,
        v->train_psnr_db, val, p->images_per_second, cli_waits_for_data(p, wait) ? "  " : "", wait,
        cli_time(fmax(0, seconds), left), saved);
}

/* A log or a picture that fails does not end the run. */
static void follow(struct view *v, const struct tsr_trainer_progress *p, bool last) {
    struct tsr_error err = {0};
    if (cli_train_log_add(v->outputs.log, p, last, &err) != TSR_OK)
        cli_progress_say(&v->line, "tessera train: %s", err.message);
    if (cli_train_pictures_failed(v->outputs.pictures, &err))
        cli_progress_say(&v->line, "tessera train: %s", err.message);
}

static int on_progress(void *user, const struct tsr_trainer_progress *p) {
    struct view *v = user;
    double fraction = fraction_of(p);
    smooth(v, p->train_psnr_db);
    if (p->validated && !(p->val_psnr_db <= v->best_val_psnr_db)) {
        v->best_val_psnr_db = p->val_psnr_db;
        v->best_outer_step = p->outer_step;
    }
    follow(v, p, false);
    if (cli_progress_due(&v->line, fraction) || (p->validated && !v->line.live))
        show(v, p, fraction);
    return cli_interrupted();
}

static int on_stop(void *user) {
    (void)user;
    return cli_interrupted();
}

static void on_save_failed(void *user, const struct tsr_error *error) {
    struct view *v = user;
    cli_progress_say(&v->line, "tessera train: %s; the run goes on and will try again",
                     error->message);
}

static void on_rolled_back(void *user, const char *what) {
    struct view *v = user;
    cli_progress_say(&v->line, "tessera train: %s", what);
}

static void on_turned(void *user, const char *what) {
    struct view *v = user;
    cli_progress_say(&v->line, "%s", what);
}

/* The first images are named when it happens, all others are counted. */
static void on_left_out(void *user, const char *name) {
    struct view *v = user;
    v->left_out++;
    for (size_t i = 0; i < v->n_names; i++)
        if (strncmp(v->name[i], name, NAME_SIZE - 1) == 0) return;
    if (v->n_names == NAMES) {
        v->more_names = true;
        return;
    }
    (void)snprintf(v->name[v->n_names++], NAME_SIZE, "%s", name);
    cli_progress_say(&v->line,
                     "tessera train: image %s left out: its loss or gradient is not finite", name);
}

/* The slowest process waits least. */
static void on_waited(void *user, const double *seconds, size_t n) {
    struct view *v = user;
    size_t least = 0, most = 0;
    cli_train_log_waited(v->outputs.log, seconds, n);
    for (size_t r = 1; r < n; r++) {
        if (seconds[r] < seconds[least]) least = r;
        if (seconds[r] > seconds[most]) most = r;
    }
    cli_progress_say(&v->line,
                     "waited for other processes so far: rank %zu least, %.2f s; rank %zu most, "
                     "%.2f s, of %.2f s",
                     least, seconds[least], most, seconds[most], tsr_seconds() - v->line.start);
}

static void list_left_out(const struct view *v, const struct tsr_trainer_progress *p) {
    double share = p->items ? 100 * (double)v->left_out / (double)p->items : 0;
    if (v->left_out == 0) return;
    (void)fprintf(stderr,
                  "tessera train: %llu of %llu images were left out because something was not "
                  "finite (%.2g %%):",
                  (unsigned long long)v->left_out, (unsigned long long)p->items, share);
    for (size_t i = 0; i < v->n_names; i++)
        (void)fprintf(stderr, "%s %s", i ? "," : "", v->name[i]);
    (void)fprintf(stderr, "%s\n", v->more_names ? " and others" : "");
}

/* Too high an outer rate diverges without a NaN. */
static void warn_of_decline(const struct view *v, const struct tsr_trainer_progress *p) {
    const double tolerated = 0.5; /* dB */
    if (p->val_psnr_db < v->best_val_psnr_db - tolerated)
        (void)fprintf(stderr,
                      "tessera train: validation PSNR fell from %.2f dB (outer step %llu) to "
                      "%.2f dB; a smaller --outer-lr or --rates-lr may serve this run better\n",
                      v->best_val_psnr_db, (unsigned long long)v->best_outer_step, p->val_psnr_db);
}

enum tsr_status cli_training_run(struct tsr_training *training, bool quiet,
                                 const struct cli_train_outputs *outputs, struct tsr_error *err) {
    struct view view = {
        .outputs = *outputs, .train_psnr_db = (double)NAN, .best_val_psnr_db = (double)NAN};
    const struct tsr_trainer_callbacks callbacks = {.progress = on_progress,
                                                    .user = &view,
                                                    .stop = on_stop,
                                                    .save_failed = on_save_failed,
                                                    .rolled_back = on_rolled_back,
                                                    .turned = on_turned,
                                                    .left_out = on_left_out,
                                                    .waited = on_waited};
    const struct tsr_trainer_config *c = tsr_training_settings(training);
    struct tsr_trainer_progress start = *tsr_training_state(training);
    start.outer_steps = c->outer_steps;
    start.seconds_bound = c->seconds;
    view.first_fraction = fraction_of(&start);
    cli_signals_catch();
    cli_progress_start(&view.line, quiet);
    enum tsr_status status = tsr_training_run(training, &callbacks, err);
    if (tsr_training_state(training)->outer_step > start.outer_step)
        follow(&view, tsr_training_state(training), true);
    cli_progress_end(&view.line);
    if (!quiet) list_left_out(&view, tsr_training_state(training));
    if (!quiet) warn_of_decline(&view, tsr_training_state(training));
    return status;
}
