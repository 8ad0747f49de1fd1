/* SPDX-License-Identifier: MIT
 *
 * Speed of the kernels and of whole outer steps, as fractions of the multiply-add peak that the
 * same cores show in the same second: each timing is paired with one of the peak, and medians are
 * over the pairs.
 */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/blas.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/quantile.h"
#include "base/random.h"
#include "base/version.h"
#include "cli/counter.h"
#include "cli/json.h"
#include "cli/options.h"
#include "cli/paths.h"
#include "cli/signals.h"
#include "data/file.h"
#include "image/geometry.h"
#include "image/reconstruct.h"
#include "inner/adam.h"
#include "meta/meta_gradient.h"

struct bench_args {
    struct cli_common common;
    const char *kernel, *json;
    size_t repeats, row;
    struct tsr_choice net;
};

static void defaults(void *args) {
    struct bench_args *a = args;
    a->kernel = "auto";
    a->net = tsr_choice_of(tsr_kinds.object[0]);
    a->repeats = 7;
}

#define OFFSET(member) offsetof(struct bench_args, member)

static const struct cli_option options[] = {
    {.name = "repeats",
     .metavar = "N",
     .type = CLI_SIZE,
     .at = OFFSET(repeats),
     .min = 1,
     .max = 1000,
     .help = "timings of each item; medians are printed"},
    {.name = "net",
     .metavar = "KIND",
     .type = CLI_OBJECT,
     .registry = &tsr_kinds,
     .at = OFFSET(net),
     .shown_param = "octaves",
     .shown = "10",
     .help = "network to measure"},
    {.name = "outer-row",
     .metavar = "N",
     .type = CLI_SIZE,
     .at = OFFSET(row),
     .min = 1,
     .max = 9,
     .shown = "all, after the kernels",
     .help = "measure only this row of the table of outer steps, with all threads"},
    {.name = "json",
     .metavar = "F",
     .type = CLI_STRING,
     .file = CLI_WRITES,
     .at = OFFSET(json),
     .shown = "",
     .help = "write all figures there as JSON; -: to stdout, instead of the tables"},
    CLI_KERNEL(OFFSET(kernel)),
    {.type = CLI_END},
};

enum { MAX_REPEATS = 1000, BENCH_OCTAVES = 10 };

/* ---- the peak -----------------------------------------------------------------------------------
 */

/* Multiply-adds per second of `threads` cores at once, in GFLOP/s: seconds of the slowest. */
static double measure_peak(const struct tsr_kernel *kernel, size_t threads) {
    enum { ROUNDS = 1 << 18 };
    double flops = 0, start = tsr_seconds();
#pragma omp parallel for num_threads((int)threads) schedule(static, 1) reduction(+ : flops)
    for (size_t i = 0; i < threads; i++)
        flops += kernel->peak(ROUNDS);
    return flops / (tsr_seconds() - start) * 1e-9;
}

static double median(double *values, size_t n) {
    tsr_sort(values, n);
    return n % 2 ? values[n / 2] : 0.5 * (values[n / 2 - 1] + values[n / 2]);
}

/* Sines with their cosines per second of one core. */
static double measure_sines(const struct tsr_kernel *kernel) {
    enum { ROUNDS = 1 << 14 };
    double start = tsr_seconds(), sines = kernel->sines(ROUNDS);
    return sines / (tsr_seconds() - start);
}

/* One measured item: speed, and speed over the peak measured just before, and over the roof: what
 * the same multiply-adds and sines take at their peaks, one after the other. */
struct sample {
    double gflops[MAX_REPEATS], fraction[MAX_REPEATS], roof[MAX_REPEATS];
    size_t n;
    double instructions; /* of a point; NaN: not known. Only of kernels */
};

/* What an item consists of. */
struct work {
    double flops, sines;
};

static void add_sample(struct sample *s, struct work work, double seconds, double peak,
                       double sines_per_second) {
    s->gflops[s->n] = work.flops / seconds * 1e-9;
    s->fraction[s->n] = s->gflops[s->n] / peak;
    s->roof[s->n] = (work.flops / peak * 1e-9 + work.sines / sines_per_second) / seconds;
    s->n++;
}

/* Sines of one point that no program can do without: those of a first layer follow from those of
 * few rows and columns. */
static double sines_of(const struct tsr_net *net) {
    bool sines = net->kind == &tsr_kind_siren || net->kind == &tsr_kind_finer;
    return sines ? (double)(net->width * (net->n_layers - 2)) : 0;
}

/* ---- kernels
 * -------------------------------------------------------------------------------------- */

enum operation { FORWARD, GRADIENT, HVP, HVP_TAPE, N_OPERATIONS };
static const char *const operation_names[] = {"forward", "gradient", "hvp", "hvp_tape"};
/* Forward passes that each is worth: a product repeats the ordinary passes unless it has a tape. */
static const double operation_passes[] = {1, 3, 8, 6};
/* ... and those of the first layer, which passes nothing down: it counts where it is wide. */
static const double first_layer_passes[] = {1, 2, 3, 2};

/* One network on one region, with everything the kernels read and write. */
struct region {
    struct tsr_net net;
    struct tsr_points points;
    tsr_real *x, *y, *phi, *v, *g, *out;
    struct tsr_tape tape;
    void *workspace;
};

static void layout_region(struct region *r, const struct tsr_kernel *k, size_t n,
                          struct tsr_arena *a) {
    r->x = tsr_arena_take(a, n * r->net.in_dim, sizeof(tsr_real));
    r->y = tsr_arena_take(a, n * r->net.out_dim, sizeof(tsr_real));
    r->out = tsr_arena_take(a, n * r->net.out_dim, sizeof(tsr_real));
    r->phi = tsr_arena_take(a, r->net.n_params, sizeof(tsr_real));
    r->v = tsr_arena_take(a, r->net.n_params, sizeof(tsr_real));
    r->g = tsr_arena_take(a, r->net.n_params, sizeof(tsr_real));
    if (k->tape_size) {
        struct tsr_tape_size size = k->tape_size(&r->net, n);
        r->tape.forward = tsr_arena_take(a, size.forward, 1);
        r->tape.backward = tsr_arena_take(a, size.backward, 1);
    }
    r->workspace = tsr_arena_take(a, k->workspace_size(&r->net), 1);
}

static void run_operation(const struct region *r, const struct tsr_kernel *k, enum operation op) {
    double scale = 1.0 / (double)(r->points.n * r->net.out_dim);
    if (op == FORWARD)
        k->forward(&r->net, r->phi, r->x, r->points.n, r->out, r->workspace);
    else if (op == GRADIENT)
        (void)k->gradient(&r->net, r->phi, &r->points, scale, r->g, NULL, NULL, r->workspace);
    else
        k->hvp(&r->net, r->phi, r->v, &r->points, scale, r->g, op == HVP_TAPE ? &r->tape : NULL,
               r->workspace);
}

static double operation_flops(const struct tsr_net *net, enum operation op) {
    double first = net->octaves ? 2 * (double)(net->fan_in[0] * net->width) : 0;
    return tsr_network_flops(net, operation_passes[op]) -
           first * (operation_passes[op] - first_layer_passes[op]);
}

static enum tsr_status make_region(struct region *r, const struct tsr_kernel *k,
                                   const struct tsr_choice *kind, size_t width, size_t n,
                                   struct tsr_arena *arena, struct tsr_error *err) {
    struct tsr_network_config config;
    tsr_network_config_default(&config);
    config.kind = *kind;
    config.width = width;
    tsr_network_layout(&config, &r->net);
    struct tsr_arena measure = {0};
    layout_region(r, k, n, &measure);
    TSR_TRY(tsr_arena_create(arena, measure.used, "bench", err));
    layout_region(r, k, n, arena);
    tsr_network_randomize(&r->net, 0, 0, r->phi);
    tsr_network_randomize(&r->net, 0, 1, r->v);
    size_t columns = (size_t)sqrt((double)n);
    for (size_t i = 0; i < n; i++) {
        r->x[2 * i] = (tsr_real)(2.0 * (double)(i / columns) / (double)columns - 1);
        r->x[2 * i + 1] = (tsr_real)(2.0 * (double)(i % columns) / (double)columns - 1);
    }
    for (size_t i = 0; i < 3 * n; i++)
        r->y[i] = (tsr_real)tsr_random_uniform(0, TSR_STREAM_USER + 1, i);
    r->points = (struct tsr_points){r->x, r->y, n};
    if (k->tape_size)
        (void)k->gradient(&r->net, r->phi, &r->points, 1, r->g, NULL, &r->tape, r->workspace);
    return TSR_OK;
}

/* Repetitions that take about 10 ms. */
static size_t calibrate(const struct region *r, const struct tsr_kernel *k, enum operation op) {
    size_t n = 1;
    for (;; n *= 2) {
        double start = tsr_seconds();
        for (size_t i = 0; i < n; i++)
            run_operation(r, k, op);
        if (tsr_seconds() - start > 0.005) return 2 * n;
    }
}

/* Instructions for a point of the region. */
static double count_instructions(const struct region *r, const struct tsr_kernel *k,
                                 enum operation op) {
    enum { TIMES = 16 };
    struct cli_counter counter;
    cli_counter_open(&counter);
    double before = cli_counter_read(&counter);
    for (int i = 0; i < TIMES; i++)
        run_operation(r, k, op);
    double n = (cli_counter_read(&counter) - before) / TIMES;
    cli_counter_close(&counter);
    return n / (double)r->points.n;
}

/* What is measured for each width: regions as a grid of such networks on a 178x178 image would
 * have. */
static const struct {
    size_t width, points;
} kernel_rows[] = {{8, 121}, {16, 121}, {32, 484}, {64, 1980}, {128, 1980}, {256, 1980}};
enum { N_KERNEL_ROWS = sizeof kernel_rows / sizeof *kernel_rows };

static enum tsr_status bench_kernel_row(const struct bench_args *a, const struct tsr_kernel *k,
                                        const struct tsr_kernel *peak, size_t row,
                                        struct sample *samples, struct tsr_error *err) {
    struct region r = {0};
    struct tsr_arena arena;
    size_t width = kernel_rows[row].width;
    TSR_TRY(make_region(&r, k, &a->net, width, kernel_rows[row].points, &arena, err));
    for (int op = 0; op < N_OPERATIONS; op++) {
        samples[op].n = 0;
        samples[op].instructions = (double)NAN;
        if (op == HVP_TAPE && !k->tape_size) continue;
        size_t n = calibrate(&r, k, (enum operation)op);
        double points = (double)(r.points.n * n);
        const struct work work = {operation_flops(&r.net, (enum operation)op) * points,
                                  op == HVP_TAPE ? 0 : sines_of(&r.net) * points};
        for (size_t i = 0; i < a->repeats; i++) {
            double top = measure_peak(peak, 1), sines = measure_sines(peak), start = tsr_seconds();
            for (size_t j = 0; j < n; j++)
                run_operation(&r, k, (enum operation)op);
            add_sample(&samples[op], work, tsr_seconds() - start, top, sines);
        }
        samples[op].instructions = count_instructions(&r, k, (enum operation)op);
    }
    tsr_arena_free(&arena);
    return TSR_OK;
}

/* ---- outer steps
 * ------------------------------------------------------------------------------------ */

struct outer_row {
    const char *name;
    size_t side, grid, width, hidden_layers, inner_steps, images;
    const struct tsr_method *method; /* NULL: one image is adapted to, no more */
};
static const struct outer_row outer_rows[] = {
    {"256x256, one network 128 wide, 3 hidden, K=3, 1 image", 256, 1, 128, 3, 3, 1,
     &tsr_method_maml},
    {"256x256, 2x2 grid of these, K=3, 1 image", 256, 2, 128, 3, 3, 1, &tsr_method_maml},
    {"178x178, 4x4 grid, 64 wide, 3 hidden, K=3, 4 images", 178, 4, 64, 3, 3, 4, &tsr_method_maml},
    {"the same, first order", 178, 4, 64, 3, 3, 4, &tsr_method_fomaml},
    {"178x178, one network 256 wide, 3 hidden, K=2, 3 images", 178, 1, 256, 3, 2, 3,
     &tsr_method_maml},
    {"178x178, 8x8 grid, 32 wide, 2 hidden, K=3, 4 images", 178, 8, 32, 2, 3, 4, &tsr_method_maml},
    {"178x178, 16x16 grid, 16 wide, 2 hidden, K=3, 4 images", 178, 16, 16, 2, 3, 4,
     &tsr_method_maml},
    {"adapting 178x178, 16x16 grid, 16 wide, 2 hidden, K=3", 178, 16, 16, 2, 3, 1, NULL},
    {"adapting 178x178, 8x8 grid, 32 wide, 2 hidden, K=3", 178, 8, 32, 2, 3, 1, NULL},
};
enum { N_OUTER_ROWS = sizeof outer_rows / sizeof *outer_rows };

/* A model, a meta-batch of smooth random images, and what an outer step needs. */
struct outer_bench {
    struct tsr_model *model;
    struct tsr_geometry geometry;
    struct tsr_engine engine;
    struct tsr_meta_workspace *meta;
    struct tsr_reconstructor *reconstructor; /* to adapt, else NULL */
    struct tsr_reconstruction result;
    size_t n_tasks;
    struct tsr_task *tasks;
    tsr_real *y, *d_theta, *d_rates, *moments;
    double *error;
    uint8_t *pixels;
    struct tsr_arena arena;
};

static void layout_outer(struct outer_bench *b, struct tsr_arena *a) {
    size_t rates = tsr_rates_count(&b->model->rates), n = b->model->net.n_params;
    b->tasks = tsr_arena_take(a, b->n_tasks, sizeof *b->tasks);
    b->error = tsr_arena_take(a, b->n_tasks, sizeof *b->error);
    b->y = tsr_arena_take(a, b->n_tasks, b->geometry.max_context * 3 * sizeof(tsr_real));
    b->d_theta = tsr_arena_take(a, n, sizeof(tsr_real));
    b->d_rates = tsr_arena_take(a, rates, sizeof(tsr_real));
    b->moments = tsr_arena_take(a, 2 * (n + rates), sizeof(tsr_real));
    b->pixels = tsr_arena_take(a, b->geometry.n_pixels * 3, 1);
    b->result.phi = tsr_arena_take(a, b->geometry.partition->n_regions, n * sizeof *b->result.phi);
    b->result.psnr_db = tsr_arena_take(a, b->model->config.inner_steps + 1, sizeof(double));
}

static void paint(uint8_t *pixels, size_t side, size_t image) {
    double f[6];
    for (size_t i = 0; i < 6; i++)
        f[i] = 0.3 * tsr_random_normal(0, TSR_STREAM_USER + 2, image * 6 + i);
    for (size_t i = 0; i < side * side; i++)
        for (size_t c = 0; c < 3; c++) {
            double x = (double)(i / side), y = (double)(i % side);
            pixels[3 * i + c] = (uint8_t)(127.5 + 100 * sin(f[2 * c] * x + f[2 * c + 1] * y));
        }
}

static void make_tasks(struct outer_bench *b, const struct outer_row *row) {
    size_t regions = b->geometry.partition->n_regions, stride = b->geometry.max_context * 3;
    for (size_t i = 0; i < row->images; i++) {
        paint(b->pixels, row->side, i);
        for (size_t r = 0; r < regions; r++) {
            size_t t = i * regions + r;
            tsr_geometry_targets(&b->geometry, TSR_BYTES(b->pixels), r, b->y + t * stride);
            b->tasks[t] = tsr_geometry_task(&b->geometry, r, b->y + t * stride);
            b->tasks[t].qry_scale = 1.0 / (double)(row->images * b->geometry.n_pixels * 3);
        }
    }
}

/* What makes the step: of the outer loop, or inner ones of one image. */
static enum tsr_status make_step(struct outer_bench *b, const struct outer_row *row,
                                 const struct tsr_kernel *kernel, size_t threads,
                                 struct tsr_error *err) {
    if (row->method) {
        struct tsr_choice method = tsr_choice_of(&row->method->object);
        return tsr_meta_workspace_create(&b->engine, &method, NULL, row->inner_steps,
                                         &b->model->rates, 1, b->n_tasks, b->geometry.max_context,
                                         NULL, &b->meta, err);
    }
    struct tsr_reconstruct_config config;
    tsr_reconstruct_config_default(b->model, &config);
    config.kernel = kernel->name;
    config.threads = threads;
    return tsr_reconstructor_create(b->model, &config, row->side, row->side, &b->reconstructor,
                                    err);
}

static enum tsr_status make_outer(struct outer_bench *b, const struct outer_row *row,
                                  const struct tsr_choice *kind, const struct tsr_kernel *kernel,
                                  size_t threads, struct tsr_error *err) {
    struct tsr_model_config config;
    tsr_model_config_default(&config);
    config.partition.rule = (struct tsr_choice)TSR_RULE(grid, (double)row->grid, (double)row->grid);
    config.network.kind = *kind;
    config.network.width = row->width;
    config.network.hidden_layers = row->hidden_layers;
    config.inner_steps = row->inner_steps;
    config.inner_lr = 1e-3;
    TSR_TRY(tsr_model_create(&config, 0, &b->model, err));
    TSR_TRY(tsr_geometry_create(b->model, row->side, row->side, &b->geometry, err));
    TSR_TRY(tsr_engine_create(&b->model->net, kernel, threads, &b->engine, err));
    b->n_tasks = row->images * b->geometry.partition->n_regions;
    TSR_TRY(make_step(b, row, kernel, threads, err));
    struct tsr_arena measure = {0};
    layout_outer(b, &measure);
    TSR_TRY(tsr_arena_create(&b->arena, measure.used, "bench", err));
    layout_outer(b, &b->arena);
    make_tasks(b, row);
    return TSR_OK;
}

static void clear_outer(struct outer_bench *b) {
    tsr_meta_workspace_free(b->meta);
    tsr_reconstructor_free(b->reconstructor);
    tsr_engine_clear(&b->engine);
    tsr_geometry_clear(&b->geometry);
    tsr_model_free(b->model);
    tsr_arena_free(&b->arena);
}

/* Adapting to one image, which is soon over: the mean of some. */
static double time_adapting(struct outer_bench *b) {
    enum { TIMES = 16 };
    double start = tsr_seconds();
    for (int i = 0; i < TIMES; i++) /* rates are far too small to leave the range of numbers */
        (void)!tsr_reconstruct(b->reconstructor, TSR_BYTES(b->pixels), &b->result, NULL);
    return (tsr_seconds() - start) / TIMES;
}

/* One outer step, with rates so small that the parameters stay where they are. */
static double time_outer_step(struct outer_bench *b) {
    if (b->reconstructor) return time_adapting(b);
    size_t n = b->model->net.n_params, rates = tsr_rates_count(&b->model->rates);
    struct tsr_adam adam = {1e-12, 0.9, 0.99, 1};
    double start = tsr_seconds();
    const struct tsr_meta_point at = {b->model->theta, NULL, &b->model->rates, 0};
    /* cannot fail: there are as many tasks as there is room for */
    (void)!tsr_meta_gradient(b->meta, &at, b->tasks, b->n_tasks, b->d_theta, NULL, b->d_rates,
                             b->error, NULL);
    tsr_adam_update(&adam, 1, n, b->d_theta, b->model->theta, b->moments, b->moments + n);
    tsr_adam_update(&adam, 1, rates, b->d_rates, b->model->rates.value, b->moments + 2 * n,
                    b->moments + 2 * n + rates);
    return tsr_seconds() - start;
}

/* Peak resident memory in MiB since the last reset; 0 where the system does not tell. */
static double peak_memory(void) {
    char line[256];
    double kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "VmHWM:", 6) == 0) kib = strtod(line + 6, NULL);
    if (f) (void)fclose(f);
    return kib / 1024;
}

static void reset_peak_memory(void) {
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (!f) return;
    (void)fputs("5", f);
    (void)fclose(f);
}

struct outer_result {
    double seconds, gflops, fraction, roof, memory;
};

static enum tsr_status bench_outer(const struct bench_args *a, const struct outer_row *row,
                                   const struct tsr_kernel *kernel, const struct tsr_kernel *peak,
                                   size_t threads, struct outer_result *out,
                                   struct tsr_error *err) {
    size_t repeats = a->repeats;
    static struct sample s;
    struct outer_bench b = {0};
    double seconds[MAX_REPEATS];
    reset_peak_memory();
    enum tsr_status status = make_outer(&b, row, &a->net, kernel, threads, err);
    if (status == TSR_OK) {
        double passes =
            row->method ? row->method->passes(row->inner_steps) : 3 * (double)row->inner_steps + 1;
        double pixels = (double)(b.geometry.n_pixels * row->images);
        const struct work work = {tsr_network_flops(&b.model->net, passes) * pixels,
                                  sines_of(&b.model->net) * (double)(row->inner_steps + 1) *
                                      pixels};
        s.n = 0;
        (void)time_outer_step(&b); /* first touch */
        for (size_t i = 0; i < repeats; i++) {
            double top = measure_peak(peak, threads);
            double sines = (double)threads * measure_sines(peak);
            seconds[i] = time_outer_step(&b);
            add_sample(&s, work, seconds[i], top, sines);
        }
        *out = (struct outer_result){median(seconds, repeats), median(s.gflops, repeats),
                                     median(s.fraction, repeats), median(s.roof, repeats),
                                     peak_memory()};
    }
    clear_outer(&b);
    return status;
}

/* ---- tables and JSON
 * --------------------------------------------------------------------------------- */

static void print_kernel_row(const char *name, size_t row, struct sample *samples,
                             struct cli_json *json, bool table) {
    cli_json_open(json, NULL, '{');
    cli_json_string(json, "kernel", name);
    cli_json_integer(json, "width", kernel_rows[row].width);
    cli_json_integer(json, "points", kernel_rows[row].points);
    if (table) (void)printf("%s\t%zu\t%zu", name, kernel_rows[row].width, kernel_rows[row].points);
    for (int op = 0; op < N_OPERATIONS; op++) {
        struct sample *s = &samples[op];
        double gflops = s->n ? median(s->gflops, s->n) : (double)NAN;
        double fraction = s->n ? median(s->fraction, s->n) : (double)NAN;
        double roof = s->n ? median(s->roof, s->n) : (double)NAN;
        cli_json_open(json, operation_names[op], '{');
        cli_json_number(json, "gflops", gflops);
        cli_json_number(json, "fraction_of_peak", fraction);
        cli_json_number(json, "fraction_of_roof", roof);
        cli_json_number(json, "instructions_per_point", s->instructions);
        cli_json_close(json, '}');
        if (!table) continue;
        if (s->n)
            (void)printf("\t%.1f\t%.0f%%\t%.0f%%", gflops, 100 * fraction, 100 * roof);
        else
            (void)printf("\t-\t-\t-");
        if (isfinite(s->instructions))
            (void)printf("\t%.0f", s->instructions);
        else
            (void)printf("\t-");
    }
    if (table) (void)printf("\n");
    cli_json_close(json, '}');
}

static enum tsr_status interrupted(struct tsr_error *err) {
    return TSR_ERROR(err, TSR_ERR_INTERRUPTED, "interrupted");
}

static enum tsr_status bench_kernels(const struct bench_args *a, const struct tsr_kernel *peak,
                                     struct cli_json *json, bool table, struct tsr_error *err) {
    static struct sample samples[N_OPERATIONS];
    if (table)
        (void)printf(
            "#kernel\twidth\tpoints\tforward_gflops\t%%peak\t%%roof\tinstr/point\tgradient_gflops\t"
            "%%peak\t%%roof\tinstr/point\thvp_gflops\t%%peak\t%%roof\tinstr/point\t"
            "hvp_tape_gflops\t%%peak\t%%roof\tinstr/point\n");
    cli_json_open(json, "kernels", '[');
    for (const struct tsr_kernel *const *k = tsr_kernel_list(); *k; k++) {
        bool chosen = strcmp(a->kernel, "auto") == 0 ? (*k)->peak || strcmp((*k)->name, "blas") == 0
                                                     : strcmp(a->kernel, (*k)->name) == 0;
        if (!chosen || !(*k)->available()) continue;
        for (size_t row = 0; row < N_KERNEL_ROWS; row++) {
            if (cli_interrupted()) return interrupted(err);
            TSR_TRY(bench_kernel_row(a, *k, (*k)->peak ? *k : peak, row, samples, err));
            print_kernel_row((*k)->name, row, samples, json, table);
            (void)fflush(stdout);
        }
    }
    cli_json_close(json, ']');
    return TSR_OK;
}

/* `one`: seconds with one thread, or 0 if that was not measured. */
static void print_outer_row(const struct outer_row *row, size_t threads, double one,
                            const struct outer_result *r, struct cli_json *json, bool table) {
    cli_json_open(json, NULL, '{');
    cli_json_string(json, "work", row->name);
    cli_json_string(json, "method", row->method ? row->method->object.name : "adapting");
    cli_json_integer(json, "threads", threads);
    cli_json_number(json, "seconds", r->seconds);
    cli_json_number(json, "gflops", r->gflops);
    cli_json_number(json, "fraction_of_peak", r->fraction);
    cli_json_number(json, "fraction_of_roof", r->roof);
    if (one > 0) cli_json_number(json, "speedup", one / r->seconds);
    cli_json_number(json, "peak_memory_mib", r->memory);
    cli_json_close(json, '}');
    if (table) {
        (void)printf("%s\t%zu\t%.4f\t%.1f\t%.0f%%\t%.0f%%", row->name, threads, r->seconds,
                     r->gflops, 100 * r->fraction, 100 * r->roof);
        if (one > 0)
            (void)printf("\t%.2f", one / r->seconds);
        else
            (void)printf("\t-");
        (void)printf("\t%.0f\n", r->memory);
    }
    (void)fflush(stdout);
}

static enum tsr_status bench_outer_steps(const struct bench_args *a,
                                         const struct tsr_kernel *kernel,
                                         const struct tsr_kernel *peak, struct cli_json *json,
                                         bool table, struct tsr_error *err) {
    size_t all = tsr_thread_count(a->common.threads);
    if (table)
        (void)printf(
            "#outer_step\tthreads\tseconds\tgflops\t%%peak\t%%roof\tspeedup\tpeak_memory_mib\n");
    cli_json_open(json, "outer_steps", '[');
    for (size_t row = 0; row < N_OUTER_ROWS; row++) {
        double one = 0;
        if (a->row && a->row != row + 1) continue;
        /* 1, 2, 4, ... and all threads */
        for (size_t threads = a->row ? all : 1;; threads = 2 * threads < all ? 2 * threads : all) {
            if (cli_interrupted()) return interrupted(err);
            struct outer_result r;
            TSR_TRY(bench_outer(a, &outer_rows[row], kernel, peak, threads, &r, err));
            if (threads == 1) one = r.seconds;
            print_outer_row(&outer_rows[row], threads, one, &r, json, table);
            if (threads >= all) break;
        }
    }
    cli_json_close(json, ']');
    return TSR_OK;
}

static enum tsr_status run(struct cli_call *call) {
    const struct bench_args *a = call->args;
    const struct tsr_kernel *kernel, *peak;
    struct cli_json json = {0};
    bool table = !cli_is_stdout(a->json);
    enum tsr_status status;
    call->phase = CLI_RUNNING;
    TSR_CHECK(tsr_kernel_find(a->kernel, &kernel, &call->err));
    TSR_CHECK(tsr_kernel_find("auto", &peak, &call->err));
    cli_signals_catch();
    if (kernel->peak) peak = kernel; /* else that of the fastest kernel this processor runs */
    cli_json_open(&json, NULL, '{');
    cli_json_string(&json, "version", tsr_version());
    cli_json_string(&json, "network", a->net.object->name);
    cli_json_string(&json, "kernel", kernel->name);
    cli_json_string(&json, "blas_core", tsr_blas_core());
    double top = measure_peak(peak, 1);
    cli_json_number(&json, "peak_gflops_one_core", top);
    if (table)
        (void)printf("# tessera %s, kernel %s, multiply-add peak of one core %.0f GFLOP/s now\n",
                     tsr_version(), kernel->name, top);
    if (!a->row) TSR_CHECK(bench_kernels(a, peak, &json, table, &call->err));
    TSR_CHECK(bench_outer_steps(a, kernel, peak, &json, table, &call->err));
    cli_json_close(&json, '}');
    if (a->json) TSR_CHECK(cli_json_write(&json, a->json, &call->err));
done:
    cli_json_clear(&json);
    return status;
}

const struct cli_command cli_bench = {
    .name = "bench",
    .group = "about",
    .summary = "speed of kernels and outer steps against this machine's peak",
    .operands = "",
    .about =
        "Measures the kernels (widths 8 to 256, one core) and whole outer steps and adapting\n"
        "to one image (1 to all threads), each timing paired with one of the multiply-add peak\n"
        "of the same cores.\n"
        "FLOPs are the essential ones: 2 x weights x pixels for a forward pass, 3 times\n"
        "that for a gradient, 8 for a Hessian-vector product that repeats the ordinary\n"
        "passes, 6 for one that remembers them and within an outer step. The roof is what\n"
        "these multiply-adds and the sines of all layers but the first take at their peaks.",
    .options = options,
    .args_size = sizeof(struct bench_args),
    .defaults = defaults,
    .min_operands = 0,
    .max_operands = 0,
    .run = run,
};
