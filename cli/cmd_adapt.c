/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/optimizer_options.h"
#include "cli/outputs.h"
#include "cli/paths.h"
#include "cli/progress.h"
#include "cli/rule.h"
#include "cli/shown.h"
#include "cli/signals.h"
#include "data/image.h"
#include "image/inr.h"
#include "image/reconstruct.h"
#include "image/regions.h"

struct adapt_args {
    struct cli_common common;
    const char *output, *kernel;
    const char *background;
    bool png;
    size_t inner_steps;
    struct tsr_choice optimizer;
    struct cli_rule rule;
};

static void defaults(void *args) {
    struct adapt_args *a = args;
    a->kernel = "auto";
    a->background = "white";
    a->optimizer = tsr_choice_of(tsr_optimizers.object[0]);
}

#define AT(member) offsetof(struct adapt_args, member)

static const struct cli_option options[] = {
    {.name = "output",
     .alias = 'o',
     .metavar = "OUT",
     .type = CLI_STRING,
     .file = CLI_WRITES_FOLDER,
     .at = AT(output),
     .required = true,
     .help = "the INR file; with several images, or if it is a folder, a folder that gets "
             "NAME.inr.h5 of each"},
    {.name = "png",
     .type = CLI_FLAG,
     .at = AT(png),
     .help = "write the reconstruction too, as NAME.png beside the INR file"},
    {.name = "inner-steps",
     .metavar = "K",
     .type = CLI_SIZE,
     .at = AT(inner_steps),
     .max = 1000000,
     .shown = "the model's",
     .help = "may exceed the model's: its last rates repeat"},
    CLI_OPTIMIZER_OPTIONS(struct adapt_args, optimizer),
    CLI_KERNEL(AT(kernel)),
    CLI_BACKGROUND(AT(background)),
    CLI_LABEL_MAP(struct adapt_args, rule),

    {.name = "partition, instead of the model's (shared slots only)", .type = CLI_HEADING},
    CLI_RULE_OPTIONS(struct adapt_args, rule, "the model's"),
    {.type = CLI_END},
};

/* One call of the command. */
struct job {
    struct cli_call *call;
    const struct adapt_args *args;
    struct tsr_model *model;
    struct tsr_image_as as; /* how its networks want an image */
    struct tsr_reconstruct_config config;
    double *psnr_db;             /* [K+1] */
    char **paths;                /* [n images] of the INR files */
    struct tsr_label_map stored; /* that was given, of the only image; or none */
    uint32_t *labels; /* [H, W] regions of the image at hand, for a rule that follows it */
    /* Kept from image to image while their size is the same. */
    struct tsr_reconstructor *reconstructor;
    size_t height, width;
    size_t rows; /* printed */
    struct cli_watch watch;
};

/* ---- where to -------------------------------------------------------------------------------- */

static enum tsr_status no_memory(struct tsr_error *err) {
    return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "no memory for paths");
}

static enum tsr_status name_outputs(struct job *job, bool folder, struct tsr_error *err) {
    size_t n = job->call->n_operands - 1;
    for (size_t i = 0; i < n; i++) {
        char *stem = folder ? cli_stem(job->call->operands[i + 1]) : NULL;
        if (folder && !stem) return no_memory(err);
        job->paths[i] = cli_join(folder ? job->args->output : "", folder ? stem : job->args->output,
                                 folder ? ".inr.h5" : "");
        free(stem);
        if (!job->paths[i]) return no_memory(err);
        for (size_t j = 0; j < i; j++)
            if (strcmp(job->paths[i], job->paths[j]) == 0)
                return TSR_ERROR(err, TSR_ERR_CONFIG, "%s and %s would both be written to %s",
                                 job->call->operands[j + 1], job->call->operands[i + 1],
                                 job->paths[i]);
    }
    return TSR_OK;
}

static bool is_folder(const struct job *job) {
    const char *output = job->args->output;
    return job->call->n_operands > 2 || output[strlen(output) - 1] == '/' || cli_is_folder(output);
}

static enum tsr_status prepare_outputs(struct job *job) {
    void *p;
    TSR_TRY(tsr_alloc(&p, job->call->n_operands - 1, sizeof *job->paths, "paths", &job->call->err));
    job->paths = p;
    return name_outputs(job, is_folder(job), &job->call->err);
}

static void free_paths(struct job *job) {
    for (size_t i = 0; job->paths && i + 1 < job->call->n_operands; i++)
        free(job->paths[i]);
    free(job->paths);
}

static enum tsr_status tell_outputs(struct job *job) {
    struct cli_call *call = job->call;
    TSR_TRY(prepare_outputs(job));
    if (is_folder(job)) TSR_TRY(cli_files_folder(call, job->args->output));
    for (size_t i = 0; i + 1 < call->n_operands; i++) {
        TSR_TRY(cli_files_writes(call, job->paths[i], CLI_WRITES_HDF5));
        char *png = job->args->png ? cli_replace_suffix(job->paths[i], ".png") : NULL;
        if (job->args->png && !png) return no_memory(&call->err);
        enum tsr_status status = png ? cli_files_writes(call, png, CLI_WRITES_PNG) : TSR_OK;
        free(png);
        TSR_TRY(status);
    }
    return TSR_OK;
}

static enum tsr_status files(struct cli_call *call) {
    struct job job = {.call = call, .args = call->args};
    enum tsr_status status = tell_outputs(&job);
    free_paths(&job);
    return status;
}

/* ---- one image ------------------------------------------------------------------------------- */

static enum tsr_status fit_reconstructor(struct job *job, size_t height, size_t width) {
    if (job->reconstructor && job->height == height && job->width == width) return TSR_OK;
    void *labels;
    tsr_reconstructor_free(job->reconstructor);
    free(job->labels);
    job->reconstructor = NULL;
    job->labels = NULL;
    job->height = height;
    job->width = width;
    TSR_TRY(tsr_alloc(&labels, height * width, sizeof *job->labels, "label map", &job->call->err));
    job->labels = labels;
    return tsr_reconstructor_create(job->model, &job->config, height, width, &job->reconstructor,
                                    &job->call->err);
}

/* The regions of an image, under a rule that follows it. */
static enum tsr_status find_regions(struct job *job, const struct tsr_image *image,
                                    struct tsr_inr *inr, struct tsr_error *err) {
    if (!tsr_rule_follows_image(&job->model->config.partition)) return TSR_OK;
    TSR_TRY(tsr_regions_of_image(job->model, TSR_BYTES(image->pixels), image->height, image->width,
                                 job->stored.labels, job->labels, err));
    TSR_TRY(tsr_reconstructor_follow(job->reconstructor, job->labels, err));
    return tsr_inr_follow(inr, job->labels, err);
}

static enum tsr_status write_picture(struct job *job, const struct tsr_inr *inr, const char *path,
                                     struct tsr_error *err) {
    struct tsr_image picture = {0};
    char *png = cli_replace_suffix(path, ".png");
    if (!png) return no_memory(err);
    cli_watch_start(&job->watch, job->args->common.quiet, png);
    enum tsr_status status =
        tsr_inr_render(inr, inr->partition->height, inr->partition->width, job->config.threads,
                       job->config.kernel, &job->watch.watch, &picture, err);
    cli_watch_end(&job->watch);
    if (status == TSR_OK) status = tsr_image_write_png(png, &picture, err);
    tsr_image_clear(&picture);
    free(png);
    return status;
}

static void print_head(const struct job *job) {
    (void)printf("#image\theight\twidth");
    for (size_t k = 0; k <= job->config.inner_steps; k++)
        (void)printf("\tpsnr_db_%zu", k);
    (void)printf("\tseconds\n");
}

static void print_row(struct job *job, const char *path, double seconds) {
    if (job->rows++ == 0) print_head(job);
    (void)printf("%s\t%zu\t%zu", cli_field(path), job->height, job->width);
    for (size_t k = 0; k <= job->config.inner_steps; k++)
        (void)printf("\t%.3f", job->psnr_db[k]);
    (void)printf("\t%.4f\n", seconds);
    (void)fflush(stdout);
}

static enum tsr_status adapt(struct job *job, const char *path, const char *output) {
    struct tsr_image image = {0};
    struct tsr_inr *inr = NULL;
    struct tsr_error *err = &job->call->err;
    enum tsr_status status;
    struct tsr_reconstruction result = {.psnr_db = job->psnr_db};
    job->call->phase = CLI_READING;
    TSR_CHECK(tsr_image_read(path, &job->as, &image, err));
    if (image.remark) cli_complain(job->call, "%s: %s", cli_shown(path), image.remark);
    if (job->stored.labels)
        TSR_CHECK(cli_label_map_check(job->args->rule.label_map, &job->stored, image.height,
                                      image.width, err));
    status = fit_reconstructor(job, image.height, image.width);
    if (status == TSR_OK)
        status = tsr_inr_create(&job->model->config, image.height, image.width, &inr, err);
    if (status == TSR_OK) status = find_regions(job, &image, inr, err);
    if (status != TSR_OK) tsr_error_prefix(err, "%s", path);
    TSR_CHECK(status);
    job->call->phase = CLI_RUNNING;
    result.phi = inr->phi;
    result.numbers = inr->numbers;
    tsr_inr_share(inr, job->model);
    cli_watch_start(&job->watch, job->args->common.quiet, path);
    status = tsr_reconstruct(job->reconstructor, TSR_BYTES(image.pixels), &result, err);
    cli_watch_end(&job->watch);
    TSR_CHECK(status);
    TSR_CHECK(tsr_inr_save(inr, output, err));
    if (job->args->png) TSR_CHECK(write_picture(job, inr, output, err));
    print_row(job, path, result.seconds);
done:
    tsr_inr_free(inr);
    tsr_image_clear(&image);
    return status;
}

/* ---- the command ----------------------------------------------------------------------------- */

static enum tsr_status take_rule(struct job *job, struct tsr_error *err) {
    const struct cli_rule *rule = &job->args->rule;
    size_t classes = 1;
    if (rule->label_map && job->call->n_operands != 2)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "--label-map is the map of one image; %zu images are given",
                         job->call->n_operands - 1);
    if (rule->label_map) TSR_TRY(cli_label_map_read(rule->label_map, &job->stored, &classes, err));
    TSR_TRY(cli_rule_override(job->call, rule, classes, job->model, err));
    if (tsr_partition_rule_is(&job->model->config.partition, &tsr_rule_labels) &&
        !job->stored.labels)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "rule labels: the image has no label map (--label-map F.png)");
    return TSR_OK;
}

static enum tsr_status prepare(struct job *job) {
    struct cli_call *call = job->call;
    void *p;
    TSR_TRY(tsr_model_load(call->operands[0], &job->model, &call->err));
    if (job->model->net.out_dim != 1 && job->model->net.out_dim != 3)
        return TSR_ERROR(&call->err, TSR_ERR_SHAPE, "%s: its networks have %zu outputs, not 1 or 3",
                         call->operands[0], job->model->net.out_dim);
    job->as.channels = job->model->net.out_dim;
    TSR_TRY(tsr_colour_parse(job->args->background, &job->as.background, &call->err));
    TSR_TRY(take_rule(job, &call->err));
    tsr_reconstruct_config_default(job->model, &job->config);
    if (cli_given(call, "inner-steps")) job->config.inner_steps = job->args->inner_steps;
    job->config.threads = job->args->common.threads;
    job->config.kernel = job->args->kernel;
    cli_watch_start(&job->watch, job->args->common.quiet, "");
    job->config.watch = job->watch.watch;
    cli_optimizer_apply(call, &job->args->optimizer, job->model, job->config.inner_steps,
                        &job->config.optimizer);
    TSR_TRY(tsr_alloc(&p, job->config.inner_steps + 1, sizeof(double), "PSNR", &call->err));
    job->psnr_db = p;
    return prepare_outputs(job);
}

static enum tsr_status adapt_all(struct job *job) {
    struct cli_call *call = job->call;
    size_t n = call->n_operands - 1, bad = 0;
    enum tsr_status first = TSR_OK;
    for (size_t i = 0; i < n; i++) {
        enum tsr_status status = adapt(job, call->operands[i + 1], job->paths[i]);
        if (status == TSR_ERR_INTERRUPTED || (status == TSR_OK && cli_interrupted() && i + 1 < n))
            return TSR_ERROR(&call->err, TSR_ERR_INTERRUPTED, "interrupted after %zu of %zu images",
                             i + (status == TSR_OK), n);
        bool is_image = call->phase == CLI_READING && status != TSR_ERR_NO_MEMORY;
        if (status == TSR_OK) continue;
        if (n == 1 || !is_image) return status;
        cli_complain(call, "%s; left out", call->err.message);
        if (bad++ == 0) first = status;
    }
    if (bad == 0) return TSR_OK;
    call->phase = CLI_READING;
    return TSR_ERROR(&call->err, first, "%zu of %zu images were left out", bad, n);
}

static enum tsr_status run(struct cli_call *call) {
    struct job job = {.call = call, .args = call->args};
    enum tsr_status status = prepare(&job);
    if (status == TSR_OK) status = adapt_all(&job);
    free_paths(&job);
    free(job.psnr_db);
    tsr_label_map_clear(&job.stored);
    free(job.labels);
    tsr_reconstructor_free(job.reconstructor);
    tsr_model_free(job.model);
    return status;
}

const struct cli_command cli_adapt = {
    .name = "adapt",
    .group = "images",
    .summary = "reconstruct images in a few steps: image to INR file",
    .operands = "M.h5 IMAGE... -o OUT",
    .about =
        "Adapts the model to each image, which keeps its size, and writes the adapted weights\n"
        "as an INR file that `tessera render` turns into a picture of any size. Prints PSNR\n"
        "(dB) after every inner step, tab-separated.",
    .options = options,
    .args_size = sizeof(struct adapt_args),
    .defaults = defaults,
    .min_operands = 2,
    .max_operands = SIZE_MAX,
    .first_operand = CLI_READS_HDF5,
    .operand = CLI_READS,
    .files = files,
    .run = run,
};
