/* SPDX-License-Identifier: MIT */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/version.h"
#include "cli/context_options.h"
#include "cli/image_list.h"
#include "cli/json.h"
#include "cli/network_options.h"
#include "cli/outputs.h"
#include "cli/paths.h"
#include "cli/progress.h"
#include "cli/rule.h"
#include "cli/settings.h"
#include "cli/shown.h"
#include "cli/signals.h"
#include "cli/train_view.h"
#include "data/file.h"
#include "image/fit.h"
#include "image/reconstruct.h"

struct fit_args {
    struct cli_common common;
    const char *output, *png, *curve, *json, *init, *background, *mask;
    bool curve_regions, strict, isolate;
    struct cli_rule rule;
    struct tsr_model_config model;
    double range[2];
    size_t match_params;
    struct tsr_fit_config fit;
};

/* Iterations if nothing else bounds the run. */
#define DEFAULT_ITERATIONS 1000

static void defaults(void *args) {
    struct fit_args *a = args;
    a->background = "white";
    tsr_model_config_default(&a->model);
    tsr_fit_config_default(&a->fit);
    a->model.partition = (struct tsr_partition_rule){.rule = TSR_RULE(whole, 0)};
    a->model.network.width = 256;
    a->model.network.hidden_layers = 3;
    a->model.inner_steps = 0;
    a->model.rates = TSR_RATES_FIXED;
    a->rule.rule = a->model.partition.rule;
    a->range[0] = a->model.coords.lo;
    a->range[1] = a->model.coords.hi;
}

#define AT(member) offsetof(struct fit_args, member)

static const struct cli_option options[] = {
    {.name = "files", .type = CLI_HEADING},
    {.name = "output",
     .alias = 'o',
     .metavar = "OUT",
     .type = CLI_STRING,
     .file = CLI_WRITES_HDF5,
     .each = true,
     .at = AT(output),
     .required = true,
     .help = "the INR file to write; with several images or a folder of images a folder, as are "
             "--png, --curve and --json, that gets NAME.inr.h5 of each"},
    {.name = "png",
     .metavar = "P.png",
     .type = CLI_STRING,
     .file = CLI_WRITES_PNG,
     .each = true,
     .at = AT(png),
     .help = "write the reconstruction too"},
    {.name = "curve",
     .metavar = "F.csv",
     .type = CLI_STRING,
     .file = CLI_WRITES,
     .each = true,
     .at = AT(curve),
     .help = "write the learning curve: iteration, seconds, psnr_db, loss; to - or a pipe while it "
             "runs"},
    {.name = "curve-every",
     .metavar = "N",
     .type = CLI_U64,
     .at = AT(fit.every),
     .min = 1,
     .max = UINT32_MAX,
     .help = "iterations between curve points, where --target-psnr looks at the image too"},
    {.name = "curve-regions",
     .type = CLI_FLAG,
     .at = AT(curve_regions),
     .help = "a column with the PSNR of each region"},
    {.name = "json",
     .metavar = "F",
     .type = CLI_STRING,
     .file = CLI_WRITES,
     .each = true,
     .at = AT(json),
     .help = "write all figures there as JSON; -: to stdout, instead of the table"},
    {.name = "strict",
     .type = CLI_FLAG,
     .at = AT(strict),
     .help = "an image that cannot be used ends the run instead of being left out"},
    {.name = "init",
     .metavar = "M.h5",
     .type = CLI_STRING,
     .file = CLI_READS_HDF5,
     .at = AT(init),
     .help = "start from this meta-learned model, with its network, coordinates and partition"},

    {.name = "inner-steps",
     .metavar = "K",
     .type = CLI_SIZE,
     .at = AT(fit.inner_steps),
     .max = 1000,
     .help = "with --init: inner steps of the model before Adam begins"},

    {.name = "partition", .type = CLI_HEADING},
    CLI_RULE_OPTIONS(struct fit_args, rule, NULL),
    CLI_LABEL_MAP(struct fit_args, rule),

    {.name = "network of each region", .type = CLI_HEADING},
    CLI_NETWORK_OPTIONS(struct fit_args, model.network, model.coords, range, "omega_first",
                        "by region size"),
    {.name = "match-params",
     .metavar = "N",
     .type = CLI_SIZE,
     .at = AT(match_params),
     .min = 1,
     .shown = "",
     .help = "choose the width so that all regions together have nearly N parameters"},

    {.name = "learning", .type = CLI_HEADING},
    {.name = "adapt",
     .metavar = "KIND",
     .type = CLI_OBJECT,
     .registry = &tsr_adaptations,
     .at = AT(fit.adaptation),
     .help = "what is learned of each network, and stored"},
    {.name = "iterations",
     .metavar = "N",
     .type = CLI_U64,
     .at = AT(fit.iterations),
     .min = 1,
     .max = UINT32_MAX,
     .shown = "1000 if nothing else is given",
     .help = "stop after N iterations"},
    {.name = "time",
     .metavar = "TIME",
     .type = CLI_DURATION,
     .at = AT(fit.seconds),
     .positive = true,
     .max = 1e9,
     .shown = "",
     .help = "stop after this time of training, such as 90s, 30m or 1h30m"},
    {.name = "target-psnr",
     .metavar = "DB",
     .type = CLI_DOUBLE,
     .at = AT(fit.target_psnr_db),
     .positive = true,
     .max = 200,
     .shown = "",
     .help = "stop at this PSNR; a region that has reached it by itself stops before"},
    {.name = "lr",
     .metavar = "A",
     .type = CLI_DOUBLE,
     .at = AT(fit.lr),
     .positive = true,
     .shown = "by width",
     .help = "Adam's rate: 0.08 / width, at most 0.004; a tenth after --inner-steps"},
    {.name = "schedule",
     .metavar = "KIND",
     .type = CLI_ENUM,
     .names = &tsr_fit_schedule_names,
     .at = AT(fit.schedule),
     .shown = "cosine with a bound on iterations or time",
     .help = "of Adam's rate; cosine ends at 0"},
    {.name = "warmup",
     .metavar = "N",
     .type = CLI_U64,
     .at = AT(fit.warmup),
     .max = UINT32_MAX,
     .shown = "0; after --inner-steps 20",
     .help = "iterations over which Adam's rate rises"},
    {.name = "batch-fraction",
     .metavar = "F",
     .type = CLI_DOUBLE,
     .at = AT(fit.batch_fraction),
     .positive = true,
     .max = 1,
     .shown = "1, or 65536 pixels a region",
     .help = "random part of the pixels of each region in an iteration"},
    CLI_MASK(AT(mask)),
    CLI_CONTEXT_FRACTION(AT(fit.context_fraction), NULL),
    CLI_KERNEL(AT(fit.kernel)),
    CLI_BACKGROUND(AT(background)),
    CLI_ISOLATE(AT(isolate)),
    {.type = CLI_END},
};

/* One call of the command. */
struct table {
    struct cli_call *call;
    struct cli_images images;
    bool begun; /* the header is printed */
};

/* Learning one image. */
struct job {
    struct cli_call *call;
    size_t index;          /* of them */
    struct fit_args *args; /* its own: some depend on the image, outputs are its files */
    struct tsr_image image;
    struct tsr_label_map labels; /* of the image, or none */
    struct cli_mask mask;        /* of the image, or none */
    struct tsr_model *model;
    struct tsr_fitter *fitter;
    FILE *curve;
    struct tsr_temp *curve_temp; /* NULL: the curve goes to a pipe, a device or standard output */
    struct cli_progress line;
    double ssim;
    struct table *table;
};

static const char *image_path(const struct job *job) {
    return cli_images_path(&job->table->images, job->index);
}

static size_t n_values(const struct job *job) {
    return job->image.height * job->image.width * job->image.channels;
}

/* Numbers that are learned and stored. */
static size_t n_numbers(const struct job *job) {
    const struct tsr_inr *inr = tsr_fitter_inr(job->fitter);
    return inr->partition->n_regions * inr->space.n;
}

/* The model, with what is learned of it here. */
static struct tsr_model_config config_of(const struct job *job) {
    struct tsr_model_config config = job->model->config;
    config.adaptation = job->args->fit.adaptation;
    return config;
}

static const struct tsr_partition *partition_of(const struct job *job) {
    return tsr_fitter_inr(job->fitter)->partition;
}

static double region_psnr_db(const struct job *job, const struct tsr_fit_state *s, size_t region) {
    return tsr_psnr_db(s->region_error[region],
                       partition_of(job)->regions[region].n_pixels * job->image.channels);
}

/* ---- options --------------------------------------------------------------------------------- */

static enum tsr_status check(struct cli_call *call, struct fit_args *a) {
    struct tsr_error *err = &call->err;
    a->model.coords.lo = a->range[0];
    a->model.coords.hi = a->range[1];
    a->fit.seed = a->common.seed;
    a->fit.threads = tsr_thread_count(a->common.threads);
    a->fit.random = !a->init;
    const char *given = a->init ? cli_network_given(call) : NULL;
    if (given)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "--%s does not go with --init: the model has it",
                         given);
    if (a->fit.inner_steps && !a->init)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "--inner-steps are those of a model: --init M.h5");
    if (a->match_params && (a->init || cli_given(call, "width")))
        return TSR_ERROR(err, TSR_ERR_CONFIG, "--match-params chooses the width: it excludes %s",
                         a->init ? "--init" : "--width");
    if ((a->curve_regions || cli_given(call, "curve-every")) && !a->curve &&
        !(a->fit.target_psnr_db > 0))
        return TSR_ERROR(err, TSR_ERR_CONFIG, "--curve-%s needs --curve F.csv",
                         a->curve_regions ? "regions" : "every");
    if (!a->fit.iterations && !(a->fit.seconds > 0) && !(a->fit.target_psnr_db > 0))
        a->fit.iterations = DEFAULT_ITERATIONS;
    return tsr_coords_check(&a->model.coords, err);
}

/* ---- defaults that depend on the image ------------------------------------------------------- */

/* What suits the image, unless it is given, and how often a run that asks for no curve pays for
 * measuring all pixels. */
static void settle_learning(struct job *job) {
    struct tsr_fit_config *c = &job->args->fit, best = *c;
    const struct cli_call *call = job->call;
    tsr_fit_config_for(job->model, job->image.height, job->image.width, &best);
    if (!cli_given(call, "lr")) c->lr = best.lr;
    if (!cli_given(call, "schedule")) c->schedule = best.schedule;
    if (!cli_given(call, "warmup")) c->warmup = best.warmup;
    if (!cli_given(call, "batch-fraction")) c->batch_fraction = best.batch_fraction;
    if (c->batch_fraction < 1 && !job->args->curve && !(c->target_psnr_db > 0)) c->every = 100;
}

/* What the image and its partition decide: width and frequency. */
static enum tsr_status settle(struct job *job) {
    struct fit_args *a = job->args;
    struct tsr_model_config *m = &a->model;
    size_t regions = tsr_partition_rule_regions(&m->partition, job->image.height, job->image.width);
    m->network.out_dim = job->image.channels;
    m->adaptation = a->fit.adaptation;
    m->height = job->image.height;
    m->width = job->image.width;
    if (a->match_params)
        m->network.width =
            tsr_network_width_for(&m->network, (double)a->match_params / (double)regions);
    if (!cli_given(job->call, "omega-first"))
        (void)tsr_choice_set(&m->network.kind, "omega_first",
                             tsr_fit_omega_first(m, job->image.height, job->image.width));
    return TSR_OK;
}

/* The image's label map, if there is one. */
static enum tsr_status read_labels(struct job *job, struct cli_classes *classes) {
    const char *path = job->args->rule.label_map;
    *classes = (struct cli_classes){.n = 1};
    if (!path) return TSR_OK;
    TSR_TRY(
        cli_label_map_read(job->call, &job->args->rule, &job->labels, classes, &job->call->err));
    TSR_TRY(cli_label_map_check(path, &job->labels, job->image.height, job->image.width,
                                &job->call->err));
    job->args->fit.labels = job->labels.labels;
    return TSR_OK;
}

/* `channels`: 0 are those of the image. */
static enum tsr_status read_image(struct job *job, size_t channels) {
    struct tsr_image_as as = {.channels = channels};
    TSR_TRY(tsr_colour_parse(job->args->background, &as.background, &job->call->err));
    return cli_images_read(job->call, &job->table->images, job->index, &as, &job->image);
}

/* The model that says how the image is cut and what its networks look like. */
static enum tsr_status make_model(struct job *job) {
    struct fit_args *a = job->args;
    struct tsr_error *err = &job->call->err;
    struct cli_classes classes;
    bool given;
    if (a->init) {
        TSR_TRY(tsr_model_load(a->init, &job->model, err));
        size_t outputs = job->model->net.out_dim;
        if (outputs != 1 && outputs != 3)
            return TSR_ERROR(err, TSR_ERR_SHAPE, "%s: its networks have %zu outputs, not 1 or 3",
                             a->init, outputs);
        TSR_TRY(read_image(job, outputs));
        TSR_TRY(read_labels(job, &classes));
        TSR_TRY(cli_rule_override(job->call, &a->rule, classes, job->model, err));
    } else {
        TSR_TRY(read_image(job, 0));
        TSR_TRY(read_labels(job, &classes));
        TSR_TRY(cli_rule_take(job->call, &a->rule, &a->model.partition, &given, err));
        if (tsr_partition_rule_is(&a->model.partition, &tsr_rule_labels))
            tsr_partition_rule_set_classes(&a->model.partition, classes.n, classes.has_void);
        TSR_TRY(settle(job));
        TSR_TRY(tsr_model_create(&a->model, a->common.seed, &job->model, err));
    }
    settle_learning(job);
    TSR_TRY(cli_mask_read(job->call, a->mask, &job->mask, err));
    TSR_TRY(cli_mask_check(a->mask, &job->mask, job->image.height, job->image.width, err));
    a->fit.mask = job->mask.known;
    return TSR_OK;
}

/* ---- the curve ------------------------------------------------------------------------------- */

static enum tsr_status curve_failed(struct job *job, struct tsr_error *err) {
    return TSR_ERROR(err, TSR_ERR_IO, "%s: the curve cannot be written: %s", job->args->curve,
                     strerror(errno));
}

static enum tsr_status open_curve(struct job *job) {
    if (!job->args->curve) return TSR_OK;
    const char *path = job->args->curve;
    bool to_stdout = cli_is_stdout(path);
    if (!to_stdout && !tsr_file_is_stream(path)) {
        TSR_TRY(tsr_temp_create(path, &job->curve_temp, &job->call->err));
        path = tsr_temp_path(job->curve_temp);
    }
    job->curve = to_stdout ? stdout : fopen(path, "w");
    if (!job->curve) return curve_failed(job, &job->call->err);
    (void)fprintf(job->curve, "iteration,seconds,psnr_db,loss");
    for (size_t r = 0; job->args->curve_regions && r < partition_of(job)->n_regions; r++)
        (void)fprintf(job->curve, ",psnr_db_%zu", r);
    (void)fputc('\n', job->curve);
    return fflush(job->curve) == 0 ? TSR_OK : curve_failed(job, &job->call->err);
}

static enum tsr_status on_point(void *user, const struct tsr_fit_state *s, struct tsr_error *err) {
    struct job *job = user;
    if (!job->curve) return TSR_OK;
    (void)fprintf(job->curve, "%llu,%.6f,%.4f,%.8g", (unsigned long long)s->iteration, s->seconds,
                  s->psnr_db, s->loss);
    for (size_t r = 0; job->args->curve_regions && r < s->n_regions; r++)
        (void)fprintf(job->curve, ",%.4f", region_psnr_db(job, s, r));
    (void)fputc('\n', job->curve);
    return fflush(job->curve) == 0 ? TSR_OK : curve_failed(job, err);
}

/* That of an interrupted run is kept, as its other results are; after a failure the file is what it
 * was before. */
static enum tsr_status close_curve(struct job *job, enum tsr_status status) {
    struct tsr_error *err = status == TSR_OK ? &job->call->err : NULL;
    enum tsr_status closed = TSR_OK;
    if (job->curve && job->curve != stdout && fclose(job->curve) != 0)
        closed = curve_failed(job, err);
    if (job->curve_temp && closed == TSR_OK && (status == TSR_OK || status == TSR_ERR_INTERRUPTED))
        closed = tsr_temp_commit(job->curve_temp, err);
    tsr_temp_discard(job->curve_temp);
    return status == TSR_OK ? closed : status;
}

/* ---- while it runs --------------------------------------------------------------------------- */

/* Part of the run that is done, as far as its bounds tell. */
static double fraction_done(const struct tsr_fit_config *c, const struct tsr_fit_state *s) {
    double by_iterations = c->iterations ? (double)s->iteration / (double)c->iterations : 0;
    double by_time = c->seconds > 0 ? s->seconds / c->seconds : 0;
    return by_iterations > by_time ? by_iterations : by_time;
}

static int on_progress(void *user, const struct tsr_fit_state *s) {
    struct job *job = user;
    double fraction = fraction_done(&job->args->fit, s);
    char left[16], frozen[64] = "", remaining[32] = "";
    if (cli_progress_due(&job->line, fraction)) {
        if (s->active < s->n_regions)
            (void)snprintf(frozen, sizeof frozen, ", %zu of %zu regions done",
                           s->n_regions - s->active, s->n_regions);
        if (fraction > 0) /* a run that only a PSNR bounds ends nobody knows when */
            (void)snprintf(remaining, sizeof remaining, ", %s left",
                           cli_time(cli_time_left(&job->line, fraction), left));
        cli_progress_show(&job->line, fraction, "iteration %llu, PSNR %.2f dB%s%s",
                          (unsigned long long)s->iteration, s->psnr_db, frozen, remaining);
    }
    return cli_interrupted();
}

/* What is about to run, on stderr. */
static void describe(const struct job *job) {
    const struct tsr_model_config m = config_of(job);
    const struct tsr_fit_config *c = &job->args->fit;
    size_t regions = partition_of(job)->n_regions, params = n_numbers(job);
    char asked[64] = "", time[16];
    if (job->args->common.quiet) return;
    if (job->args->match_params)
        (void)snprintf(asked, sizeof asked, " (asked for %zu)", job->args->match_params);
    (void)fprintf(stderr, "  %-18s %s: %zux%zux%zu\n", "image", cli_shown(image_path(job)),
                  job->image.height, job->image.width, job->image.channels);
    cli_model_rows(&m, cli_table_row, stderr);
    (void)fprintf(stderr, "  %-18s %zu\n", "regions", regions);
    (void)fprintf(stderr, "  %-18s %zu per region, %zu in all%s: %.3f for each of %zu values\n",
                  tsr_fitter_inr(job->fitter)->numbers ? "numbers" : "parameters", params / regions,
                  params, asked, (double)params / (double)n_values(job), n_values(job));
    (void)fprintf(stderr, "  %-18s %s, Adam at %g, %s, warm-up %llu, %g of the pixels\n",
                  "learning", job->args->init ? job->args->init : "random initialisation", c->lr,
                  tsr_fit_schedule_name(c->schedule), (unsigned long long)c->warmup,
                  c->batch_fraction);
    (void)fprintf(stderr, "  %-18s", "until");
    if (c->iterations) (void)fprintf(stderr, " %llu iterations", (unsigned long long)c->iterations);
    if (c->seconds > 0)
        (void)fprintf(stderr, "%s %s of training", c->iterations ? " or" : "",
                      cli_time(c->seconds, time));
    if (c->target_psnr_db > 0)
        (void)fprintf(stderr, "%s %g dB", c->iterations || c->seconds > 0 ? " or" : "",
                      c->target_psnr_db);
    (void)fputc('\n', stderr);
}

/* ---- results --------------------------------------------------------------------------------- */

/* The picture, its SSIM, and where it was asked for the PNG. */
static enum tsr_status finish_picture(struct job *job) {
    struct tsr_error *err = &job->call->err;
    struct tsr_image picture = {0};
    enum tsr_status status;
    void *scratch = NULL;
    struct cli_watch watch;
    cli_watch_start(&watch, job->args->common.quiet, "drawing");
    watch.watch.cancelled = NULL; /* an interrupted run has its picture, too */
    status =
        tsr_inr_render(tsr_fitter_inr(job->fitter), job->image.height, job->image.width,
                       job->args->fit.threads, job->args->fit.kernel, &watch.watch, &picture, err);
    cli_watch_end(&watch);
    TSR_CHECK(status);
    TSR_CHECK(tsr_alloc(&scratch, tsr_ssim_scratch(job->image.width, job->image.channels),
                        sizeof(float), "SSIM", err));
    job->ssim = tsr_ssim(job->image.pixels, picture.pixels, job->image.height, job->image.width,
                         job->image.channels, scratch);
    if (job->args->png) TSR_CHECK(tsr_image_write_png(job->args->png, &picture, err));
done:
    free(scratch);
    tsr_image_clear(&picture);
    return status;
}

static void print_table(const struct job *job) {
    const struct tsr_fit_state *s = tsr_fitter_state(job->fitter);
    size_t params = n_numbers(job);
    (void)printf("regions\t%zu\nwidth\t%zu\nparams\t%zu\nparams_per_value\t%.4f\n"
                 "iterations\t%llu\nseconds\t%.3f\nflops\t%.6g\npsnr_db\t%.3f\nssim\t%.4f\n",
                 s->n_regions, job->model->net.width, params,
                 (double)params / (double)n_values(job), (unsigned long long)s->iteration,
                 s->seconds, s->flops, s->psnr_db, job->ssim);
    if (isfinite(s->unseen_psnr_db)) (void)printf("unseen_psnr_db\t%.3f\n", s->unseen_psnr_db);
    if (s->active < s->n_regions)
        (void)printf("regions_at_target\t%zu\n", s->n_regions - s->active);
}

/* A line of the table of several images. */
static void print_row(const struct job *job) {
    const struct tsr_fit_state *s = tsr_fitter_state(job->fitter);
    bool unseen = job->args->mask || job->args->fit.context_fraction < 1;
    if (!job->table->begun)
        (void)printf("#image\theight\twidth\tregions\twidth_of_network\tparams\t"
                     "params_per_value\titerations\tseconds\tpsnr_db\tssim%s\n",
                     unseen ? "\tunseen_psnr_db" : "");
    job->table->begun = true;
    size_t params = n_numbers(job);
    (void)printf("%s\t%zu\t%zu\t%zu\t%zu\t%zu\t%.4f\t%llu\t%.3f\t%.3f\t%.4f",
                 cli_field(image_path(job)), job->image.height, job->image.width, s->n_regions,
                 job->model->net.width, params, (double)params / (double)n_values(job),
                 (unsigned long long)s->iteration, s->seconds, s->psnr_db, job->ssim);
    if (unseen) (void)printf("\t%.3f", s->unseen_psnr_db);
    (void)printf("\n");
    (void)fflush(stdout);
}

static void json_config(struct cli_json *j, const struct job *job) {
    const struct fit_args *a = job->args;
    const struct tsr_kernel *kernel = NULL;
    cli_json_open(j, "config", '{');
    cli_json_string(j, "version", tsr_version());
    cli_json_string(j, "image", image_path(job));
    cli_json_string(j, "init", a->init);
    cli_json_integer(j, "inner_steps", a->fit.inner_steps);
    cli_json_integer(j, "height", job->image.height);
    cli_json_integer(j, "width", job->image.width);
    cli_json_integer(j, "channels", job->image.channels);
    const struct tsr_model_config config = config_of(job);
    cli_json_model(j, &config);
    cli_json_number(j, "lr", a->fit.lr);
    cli_json_string(j, "schedule", tsr_fit_schedule_name(a->fit.schedule));
    cli_json_integer(j, "warmup", a->fit.warmup);
    cli_json_number(j, "batch_fraction", a->fit.batch_fraction);
    cli_json_number(j, "context_fraction", a->fit.context_fraction);
    cli_json_string(j, "mask", a->mask);
    cli_json_number(j, "target_psnr_db", a->fit.target_psnr_db > 0 ? a->fit.target_psnr_db : NAN);
    if (tsr_kernel_find(a->fit.kernel, &kernel, NULL) == TSR_OK)
        cli_json_string(j, "kernel", kernel->name);
    cli_json_integer(j, "threads", a->fit.threads);
    cli_json_integer(j, "seed", a->common.seed);
    cli_json_close(j, '}');
}

static void json_regions(struct cli_json *j, const struct job *job) {
    const struct tsr_fit_state *s = tsr_fitter_state(job->fitter);
    cli_json_open(j, "regions", '[');
    for (size_t r = 0; r < s->n_regions; r++) {
        cli_json_open(j, NULL, '{');
        cli_json_integer(j, "region", r);
        cli_json_integer(j, "pixels", partition_of(job)->regions[r].n_pixels);
        cli_json_integer(j, "iterations", s->region_iteration[r]);
        cli_json_number(j, "psnr_db", region_psnr_db(job, s, r));
        cli_json_close(j, '}');
    }
    cli_json_close(j, ']');
}

static enum tsr_status write_json(const struct job *job, struct tsr_error *err) {
    const struct tsr_fit_state *s = tsr_fitter_state(job->fitter);
    size_t params = n_numbers(job);
    struct cli_json j = {0};
    cli_json_open(&j, NULL, '{');
    cli_json_integer(&j, "iterations", s->iteration);
    cli_json_number(&j, "seconds", s->seconds);
    if (s->map_seconds > 0) cli_json_number(&j, "map_seconds", s->map_seconds);
    cli_json_number(&j, "flops", s->flops);
    cli_json_number(&j, "psnr_db", s->psnr_db);
    if (isfinite(s->unseen_psnr_db)) cli_json_number(&j, "unseen_psnr_db", s->unseen_psnr_db);
    cli_json_number(&j, "loss", s->loss);
    cli_json_number(&j, "ssim", job->ssim);
    cli_json_integer(&j, "params", params);
    cli_json_number(&j, "params_per_value", (double)params / (double)n_values(job));
    cli_json_integer(&j, "regions_at_target", s->n_regions - s->active);
    json_regions(&j, job);
    json_config(&j, job);
    cli_json_close(&j, '}');
    return cli_json_write(&j, job->args->json, err);
}

static enum tsr_status write_results(struct job *job) {
    const struct fit_args *a = job->args;
    struct tsr_error *err = &job->call->err;
    TSR_TRY(tsr_inr_save(tsr_fitter_inr(job->fitter), a->output, err));
    TSR_TRY(finish_picture(job));
    if (!job->table->images.one)
        print_row(job);
    else if (!cli_stdout_taken(job->call))
        print_table(job);
    return a->json ? write_json(job, err) : TSR_OK;
}

/* ---- the command ----------------------------------------------------------------------------- */

/* Outputs of the i-th image; those that are asked for. */
struct outputs {
    char *path[4];
};
static const struct {
    size_t at; /* in struct fit_args */
    enum cli_file kind;
    const char *suffix;
} written[] = {{AT(output), CLI_WRITES_HDF5, ".inr.h5"},
               {AT(png), CLI_WRITES_PNG, ".png"},
               {AT(curve), CLI_WRITES, ".csv"},
               {AT(json), CLI_WRITES, ".json"}};

static const char **option_at(struct fit_args *a, size_t i) {
    return (const char **)(void *)((char *)a + written[i].at);
}

static void clear_outputs(struct outputs *o) {
    for (size_t i = 0; i < sizeof written / sizeof *written; i++)
        free(o->path[i]);
}

static enum tsr_status name_outputs(const struct cli_images *images, size_t index,
                                    struct fit_args *a, struct outputs *out,
                                    struct tsr_error *err) {
    *out = (struct outputs){0};
    for (size_t i = 0; i < sizeof written / sizeof *written; i++) {
        const char *option = *option_at(a, i);
        if (!option) continue;
        out->path[i] = cli_images_output(images, index, option, written[i].suffix);
        if (!out->path[i]) return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "no memory for paths");
    }
    return TSR_OK;
}

static enum tsr_status tell_outputs(struct cli_call *call, const struct cli_images *images,
                                    size_t index) {
    struct outputs o;
    enum tsr_status status = name_outputs(images, index, call->args, &o, &call->err);
    for (size_t i = 0; i < sizeof written / sizeof *written && status == TSR_OK; i++)
        if (o.path[i] && !cli_is_stdout(o.path[i]))
            status = cli_files_writes(call, o.path[i], written[i].kind);
    clear_outputs(&o);
    return status;
}

static enum tsr_status list_images(struct cli_call *call, struct cli_images *images) {
    const struct fit_args *a = call->args;
    return cli_images_list(call->operands, call->n_operands, a->output, images, &call->err);
}

static enum tsr_status tell_files(struct cli_call *call, struct cli_images *images) {
    struct fit_args *a = call->args;
    TSR_TRY(list_images(call, images));
    for (size_t i = 0; i < sizeof written / sizeof *written; i++) {
        const char *option = *option_at(a, i);
        if (option && !images->one && cli_is_stdout(option))
            return TSR_ERROR(&call->err, TSR_ERR_CONFIG,
                             "-: several images have files of their own; name a folder");
        if (option) TSR_TRY(cli_images_files(call, images, option));
    }
    for (size_t i = 0; i < images->n; i++)
        TSR_TRY(tell_outputs(call, images, i));
    return TSR_OK;
}

static enum tsr_status files(struct cli_call *call) {
    struct cli_images images = {0};
    enum tsr_status status = tell_files(call, &images);
    cli_images_clear(&images);
    return status;
}

static enum tsr_status learn(struct job *job) {
    struct cli_call *call = job->call;
    const struct tsr_fit_callbacks callbacks = {on_point, on_progress, job};
    struct tsr_error interruption = {0};
    TSR_TRY(tsr_fitter_create(job->model, &job->args->fit, &job->image, &job->fitter, &call->err));
    call->phase = CLI_RUNNING;
    describe(job);
    TSR_TRY(open_curve(job));
    cli_signals_catch();
    cli_progress_start(&job->line, job->args->common.quiet);
    enum tsr_status status = tsr_fitter_run(job->fitter, &callbacks, &interruption);
    cli_progress_end(&job->line);
    bool learned = tsr_fitter_state(job->fitter)->iteration > 0;
    if (status == TSR_OK || (status == TSR_ERR_INTERRUPTED && learned)) TSR_TRY(write_results(job));
    if (status != TSR_OK) call->err = interruption;
    return status;
}

static void close_job(struct job *job, enum tsr_status *status) {
    *status = close_curve(job, *status);
    tsr_fitter_free(job->fitter);
    tsr_model_free(job->model);
    tsr_label_map_clear(&job->labels);
    free(job->mask.known);
    tsr_image_clear(&job->image);
}

static enum tsr_status fit(void *user, size_t i) {
    struct table *table = user;
    struct fit_args args = *(const struct fit_args *)table->call->args;
    struct job job = {.call = table->call, .index = i, .args = &args, .table = table};
    struct outputs outputs;
    enum tsr_status status;
    TSR_CHECK(name_outputs(&table->images, i, &args, &outputs, &job.call->err));
    for (size_t k = 0; k < sizeof written / sizeof *written; k++)
        *option_at(&args, k) = outputs.path[k];
    TSR_CHECK(make_model(&job));
    TSR_CHECK(learn(&job));
done:
    close_job(&job, &status);
    clear_outputs(&outputs);
    return status;
}

static enum tsr_status run(struct cli_call *call) {
    struct fit_args *a = call->args;
    struct table table = {.call = call};
    enum tsr_status status;
    TSR_CHECK(check(call, a));
    TSR_CHECK(list_images(call, &table.images));
    if (a->rule.label_map && table.images.n != 1) {
        status =
            TSR_ERROR(&call->err, TSR_ERR_CONFIG,
                      "--label-map is the map of one image; %zu images are given", table.images.n);
        goto done;
    }
    TSR_CHECK(cli_images_each(call, &table.images, a->strict, fit, &table));
done:
    cli_images_clear(&table.images);
    return status;
}

const struct cli_command cli_fit = {
    .name = "fit",
    .group = "images",
    .summary = "learn each image with Adam: image to INR file, with learning curve",
    .operands = "IMAGE|FOLDER... -o OUT",
    .about = "Ordinary learning: Adam on the network of each region, from a random or a\n"
             "meta-learned initialisation, for many iterations. Prints regions, parameters,\n"
             "iterations, seconds of training, PSNR (dB, peak 1, from the unclipped output) and\n"
             "SSIM, tab-separated. Ctrl-C writes what was learned so far.",
    .options = options,
    .args_size = sizeof(struct fit_args),
    .defaults = defaults,
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .first_operand = CLI_READS,
    .operand = CLI_READS,
    .files = files,
    .run = run,
};
