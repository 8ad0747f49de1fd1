/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/built_in.h"
#include "cli/context_options.h"
#include "cli/image_list.h"
#include "cli/later.h"
#include "cli/optimizer_options.h"
#include "cli/outputs.h"
#include "cli/panel.h"
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
    enum tsr_preset preset;
    const char *output, *kernel;
    const char *background;
    bool png, panel, reference, strict, isolate;
    size_t inner_steps;
    double target_psnr_db;
    bool until_converged;
    struct tsr_choice optimizer;
    struct tsr_context_config context;
    const char *mask;
    struct cli_rule rule;
};

static void defaults(void *args) {
    struct adapt_args *a = args;
    a->preset = CLI_BUILT_IN_DEFAULT;
    a->kernel = "auto";
    a->background = "white";
    a->optimizer = tsr_choice_of(tsr_optimizers.object[0]);
    a->context.fraction = 1;
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
     .help = "the INR file; with several images or a folder of images, or if it is a folder, a "
             "folder that gets NAME.inr.h5 of each"},
    CLI_BUILT_IN(struct adapt_args, preset),
    {.name = "reference",
     .type = CLI_FLAG,
     .at = AT(reference),
     .help = "leave out of the INR what all images share, theta and the basis, and refer to the "
             "model by a digest of them; `tessera render --model M.h5` draws it"},
    {.name = "png",
     .type = CLI_FLAG,
     .at = AT(png),
     .help = "write the reconstruction too, as NAME.png beside the INR file"},
    {.name = "panel",
     .type = CLI_FLAG,
     .at = AT(panel),
     .help = "write the image, what is drawn after each inner step and the error too, side by "
             "side, as NAME.panel.png"},
    {.name = "strict",
     .type = CLI_FLAG,
     .at = AT(strict),
     .help = "an image that cannot be used ends the run instead of being left out"},
    {.name = "inner-steps",
     .metavar = "K",
     .type = CLI_SIZE,
     .at = AT(inner_steps),
     .max = 1000000,
     .shown = "the model's, or 200 where regions end before",
     .help = "may exceed the model's: its last rates repeat; of each region the best is stored"},
    CLI_OPTIMIZER_OPTIONS(struct adapt_args, optimizer),
    CLI_MASK(AT(mask)),
    CLI_CONTEXT_FRACTION(AT(context.fraction), NULL),
    CLI_QUERY_SCALE(AT(context.query_scale), "the model's",
                    "the image is one S times as large, reduced: cells of fixed size become S "
                    "times smaller; `tessera render --scale S` draws it enlarged"),
    CLI_KERNEL(AT(kernel)),
    CLI_BACKGROUND(AT(background)),
    CLI_ISOLATE(AT(isolate)),
    CLI_LABEL_MAP(struct adapt_args, rule),

    {.name = "partition, instead of the model's (shared slots only)", .type = CLI_HEADING},
    CLI_RULE_OPTIONS(struct adapt_args, rule, "the model's"),
    {.type = CLI_END},
};

/* What is written of an image while the next one is worked on. */
struct written {
    struct tsr_inr *inr; /* NULL: nothing is */
    struct tsr_image picture;
    char *output, *png; /* png NULL: no picture */
    char *row;          /* of the table, which tells of files that are there */
    enum tsr_status status;
    struct tsr_error err;
};

/* One call of the command. */
struct job {
    struct cli_call *call;
    struct adapt_args *args;
    struct tsr_model *model;
    struct tsr_image_as as; /* how its networks want an image */
    struct tsr_reconstruct_config config;
    struct cli_images images;
    double *psnr_db;             /* [K+1] */
    struct tsr_label_map stored; /* that was given, of the only image; or none */
    struct cli_mask mask;        /* that was given, or none */
    uint64_t shared;             /* digest of the model, with --reference */
    uint32_t *labels; /* [H, W] regions of the image at hand, for a rule that follows it */
    /* Kept from image to image while their size is the same. */
    struct tsr_reconstructor *reconstructor;
    size_t height, width;
    struct cli_later *later; /* writes, where there are several images; or NULL */
    struct written written;
    bool begun;  /* the head of the table is printed */
    size_t fell; /* images of which a further step made one worse, and what is told of the first */
    char fall[160];
    struct cli_watch watch;
};

/* ---- where to -------------------------------------------------------------------------------- */

static enum tsr_status no_memory(struct tsr_error *err) {
    return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "no memory for paths");
}

static enum tsr_status list_images(struct job *job) {
    struct cli_call *call = job->call;
    return cli_images_list(call->operands + 1, call->n_operands - 1, job->args->output,
                           &job->images, &call->err);
}

/* The INR file of the i-th image, or, with another ending, a picture beside it. */
static char *output_of(const struct job *job, size_t i, const char *picture) {
    char *inr = cli_images_output(&job->images, i, job->args->output, ".inr.h5");
    char *png = inr && picture ? cli_replace_suffix(inr, picture) : NULL;
    if (!picture) return inr;
    free(inr);
    return png;
}

static enum tsr_status tell_output(struct job *job, size_t i, const char *picture) {
    char *path = output_of(job, i, picture);
    if (!path) return no_memory(&job->call->err);
    enum tsr_status status =
        cli_files_writes(job->call, path, picture ? CLI_WRITES_PNG : CLI_WRITES_HDF5);
    free(path);
    return status;
}

static enum tsr_status tell_outputs(struct job *job) {
    TSR_TRY(list_images(job));
    TSR_TRY(cli_images_files(job->call, &job->images, job->args->output));
    for (size_t i = 0; i < job->images.n; i++) {
        TSR_TRY(tell_output(job, i, NULL));
        if (job->args->png) TSR_TRY(tell_output(job, i, ".png"));
        if (job->args->panel) TSR_TRY(tell_output(job, i, ".panel.png"));
    }
    return TSR_OK;
}

static enum tsr_status files(struct cli_call *call) {
    struct job job = {.call = call, .args = call->args};
    enum tsr_status status = tell_outputs(&job);
    cli_images_clear(&job.images);
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
    TSR_TRY(tsr_reconstructor_create(job->model, &job->config, height, width, &job->reconstructor,
                                     &job->call->err));
    if (job->mask.known) tsr_reconstructor_mask(job->reconstructor, job->mask.known);
    return TSR_OK;
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

static enum tsr_status draw_picture(struct job *job, struct written *w, struct tsr_error *err) {
    size_t height = w->inr->partition->height, width = w->inr->partition->width;
    cli_watch_start(&job->watch, job->args->common.quiet, w->png);
    enum tsr_status status =
        tsr_inr_render(w->inr, height, width, job->config.threads, job->config.kernel,
                       &job->watch.watch, &w->picture, err);
    cli_watch_end(&job->watch);
    return status;
}

/* Of what a panel shows all states are kept. */
static const size_t MOST_PICTURES = (size_t)1 << 30;

static enum tsr_status take_pictures(struct job *job, const struct tsr_image *image,
                                     uint8_t **out) {
    size_t states = job->config.inner_steps + 1;
    size_t values = image->height * image->width * image->channels;
    if (values > MOST_PICTURES / states)
        return TSR_ERROR(&job->call->err, TSR_ERR_CONFIG,
                         "--panel keeps %zu pictures of %zux%zu pixels, which take more than 1 "
                         "GiB; ask for fewer --inner-steps",
                         states, image->height, image->width);
    return tsr_alloc_to(out, states, values, "pictures", &job->call->err);
}

static enum tsr_status write_panel(struct job *job, size_t i, const struct tsr_image *image,
                                   const uint8_t *pictures) {
    struct tsr_error *err = &job->call->err;
    const struct cli_panel panel = {.image = image,
                                    .inner_steps = job->config.inner_steps,
                                    .pictures = pictures,
                                    .psnr_db = job->psnr_db};
    char *path = output_of(job, i, ".panel.png"),
         *name = cli_stem(cli_images_path(&job->images, i));
    enum tsr_status status =
        path && name ? cli_panel_write(path, name, &panel, err) : no_memory(err);
    free(path);
    free(name);
    return status;
}

/* Is some of each image not known? */
static bool is_apart(const struct job *job) {
    return job->config.masked || job->config.context.fraction < 1;
}

static void print_head(const struct job *job) {
    (void)printf("#image\theight\twidth");
    for (size_t k = 0; k <= job->config.inner_steps; k++)
        (void)printf("\tpsnr_db_%zu", k);
    (void)printf("\tstored_psnr_db%s\tseconds\n", is_apart(job) ? "\tstored_unseen_psnr_db" : "");
}

/* A row of the table; free with free(). */
static char *row_of(const struct job *job, const char *path, const struct tsr_reconstruction *r) {
    char *row = NULL;
    size_t size;
    FILE *f = open_memstream(&row, &size);
    if (!f) return NULL;
    (void)fprintf(f, "%s\t%zu\t%zu", cli_field(path), job->height, job->width);
    for (size_t k = 0; k <= job->config.inner_steps; k++)
        (void)fprintf(f, "\t%.3f", job->psnr_db[k]);
    (void)fprintf(f, "\t%.3f", r->best_psnr_db);
    if (is_apart(job)) (void)fprintf(f, "\t%.3f", r->best_unseen_psnr_db);
    (void)fprintf(f, "\t%.4f\n", r->seconds);
    if (fclose(f) == 0) return row;
    free(row);
    return NULL;
}

/* Steps that make an image worse. What rounding does is none. */
#define FALL_DB 0.005

static void notice_fall(struct job *job, const struct tsr_reconstruction *r) {
    size_t last = job->config.inner_steps, best = 0;
    for (size_t k = 1; k <= last; k++)
        if (!(job->psnr_db[k] <= job->psnr_db[best])) best = k;
    if (job->psnr_db[last] >= job->psnr_db[best] - FALL_DB) return;
    if (job->fell++ == 0)
        (void)snprintf(job->fall, sizeof job->fall,
                       "%.2f dB after inner step %zu, %.2f dB after %zu; stored is the best step "
                       "of each region, %.2f dB",
                       job->psnr_db[best], best, job->psnr_db[last], last, r->best_psnr_db);
}

static void tell_falls(const struct job *job) {
    if (job->fell == 0 || job->args->common.quiet) return;
    if (job->images.n == 1)
        cli_complain(job->call, "PSNR falls: %s", job->fall);
    else
        cli_complain(job->call, "PSNR falls in %zu of %zu images, in the first of them from %s",
                     job->fell, job->images.n, job->fall);
}

/* ---- what is written --------------------------------------------------------------------------
 */

static void write_files(void *user) {
    struct written *w = user;
    w->status = tsr_inr_save(w->inr, w->output, &w->err);
    if (w->status == TSR_OK && w->png)
        w->status = tsr_image_write_png(w->png, &w->picture, &w->err);
}

/* Waits for what is being written, and tells of it. */
static enum tsr_status settle(struct job *job) {
    struct written *w = &job->written;
    if (!w->inr) return TSR_OK;
    if (job->later) cli_later_wait(job->later);
    enum tsr_status status = w->status;
    if (status != TSR_OK) tsr_error_copy(&job->call->err, &w->err);
    if (status == TSR_OK) {
        if (!job->begun) print_head(job);
        job->begun = true;
        (void)fputs(w->row, stdout);
        (void)fflush(stdout);
    }
    tsr_inr_free(w->inr);
    tsr_image_clear(&w->picture);
    free(w->output);
    free(w->png);
    free(w->row);
    *w = (struct written){0};
    return status;
}

/* Hands the files of the i-th image over, with the INR, which is taken. */
static enum tsr_status write_later(struct job *job, size_t i, struct tsr_inr **inr,
                                   const struct tsr_reconstruction *result) {
    struct tsr_error *err = &job->call->err;
    struct written next = {.inr = *inr, .output = output_of(job, i, NULL)};
    enum tsr_status status;
    *inr = NULL;
    if (job->args->png) next.png = output_of(job, i, ".png");
    next.row = row_of(job, cli_images_path(&job->images, i), result);
    status = next.output && next.row && (next.png || !job->args->png) ? TSR_OK : no_memory(err);
    if (status == TSR_OK && next.png) status = draw_picture(job, &next, err);
    /* what comes first is told first */
    struct tsr_error of_this = *err;
    enum tsr_status before = settle(job);
    job->written = next;
    if (before != TSR_OK || status != TSR_OK) {
        if (before == TSR_OK) *err = of_this;
        job->written.status = before != TSR_OK ? before : status;
        job->written.err = *err;
        return job->written.status;
    }
    if (job->later)
        cli_later_do(job->later, write_files, &job->written);
    else
        write_files(&job->written);
    return TSR_OK;
}

/* What the image needs before its networks adapt. */
static enum tsr_status prepare_image(struct job *job, const struct tsr_image *image,
                                     struct tsr_inr **inr) {
    struct tsr_error *err = &job->call->err;
    if (job->stored.labels)
        TSR_TRY(cli_label_map_check(job->args->rule.label_map, &job->stored, image->height,
                                    image->width, err));
    TSR_TRY(cli_mask_check(job->args->mask, &job->mask, image->height, image->width, err));
    TSR_TRY(fit_reconstructor(job, image->height, image->width));
    TSR_TRY(tsr_inr_create(&job->model->config, image->height, image->width, inr, err));
    TSR_TRY(find_regions(job, image, *inr, err));
    tsr_reconstructor_draw(job->reconstructor, 0); /* the same whatever other images there are */
    return TSR_OK;
}

static enum tsr_status reconstruct(struct job *job, size_t i, const struct tsr_image *image,
                                   struct tsr_inr **inr) {
    const char *path = cli_images_path(&job->images, i);
    struct tsr_reconstruction result = {
        .psnr_db = job->psnr_db, .phi = (*inr)->phi, .numbers = (*inr)->numbers};
    struct tsr_error *err = &job->call->err;
    tsr_inr_share(*inr, job->model);
    (*inr)->refers = job->args->reference;
    (*inr)->shared = job->shared;
    if (job->args->panel) TSR_TRY(take_pictures(job, image, &result.pictures));
    cli_watch_start(&job->watch, job->args->common.quiet, path);
    enum tsr_status status =
        tsr_reconstruct(job->reconstructor, TSR_BYTES(image->pixels), &result, err);
    cli_watch_end(&job->watch);
    if (status == TSR_OK && job->args->panel) status = write_panel(job, i, image, result.pictures);
    free(result.pictures);
    TSR_TRY(status);
    TSR_TRY(write_later(job, i, inr, &result));
    notice_fall(job, &result);
    return TSR_OK;
}

static enum tsr_status adapt(void *user, size_t i) {
    struct job *job = user;
    struct tsr_image image = {0};
    struct tsr_inr *inr = NULL;
    enum tsr_status status;
    TSR_CHECK(cli_images_read(job->call, &job->images, i, &job->as, &image));
    status = prepare_image(job, &image, &inr);
    if (status != TSR_OK) tsr_error_prefix(&job->call->err, "%s", cli_images_path(&job->images, i));
    TSR_CHECK(status);
    job->call->phase = CLI_RUNNING;
    TSR_CHECK(reconstruct(job, i, &image, &inr));
done:
    tsr_inr_free(inr);
    tsr_image_clear(&image);
    return status;
}

/* ---- the command ----------------------------------------------------------------------------- */

static enum tsr_status take_rule(struct job *job, struct tsr_error *err) {
    struct cli_rule *rule = &job->args->rule;
    struct cli_classes classes = {.n = 1};
    if (rule->label_map && job->images.n != 1)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "--label-map is the map of one image; %zu images are given",
                         job->images.n);
    if (rule->label_map) TSR_TRY(cli_label_map_read(job->call, rule, &job->stored, &classes, err));
    TSR_TRY(cli_rule_override(job->call, rule, classes, job->model, err));
    if (tsr_partition_rule_is(&job->model->config.partition, &tsr_rule_labels) &&
        !job->stored.labels)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "rule labels: the image has no label map (--label-map F.png)");
    return TSR_OK;
}

/* The image is what the context is in training, and the networks are those of the image that it was
 * reduced from. */
static enum tsr_status take_context(struct job *job, struct tsr_error *err) {
    struct tsr_context_config context = job->model->config.context;
    cli_context_apply(job->call, &job->args->context, &context);
    TSR_TRY(cli_mask_read(job->call, job->args->mask, &job->mask, err));
    return tsr_model_config_reduce(&job->model->config, context.query_scale, err);
}

static enum tsr_status prepare(struct job *job) {
    struct cli_call *call = job->call;
    void *p;
    TSR_TRY(tsr_model_load(call->operands[0], &job->model, &call->err));
    TSR_TRY(list_images(job));
    if (job->model->net.out_dim != 1 && job->model->net.out_dim != 3)
        return TSR_ERROR(&call->err, TSR_ERR_SHAPE, "%s: its networks have %zu outputs, not 1 or 3",
                         call->operands[0], job->model->net.out_dim);
    job->as.channels = job->model->net.out_dim;
    if (job->args->reference && tsr_space_is_whole(&job->model->space))
        return TSR_ERROR(&call->err, TSR_ERR_CONFIG,
                         "--reference leaves out what all images share, but %s adapts all "
                         "parameters: there is nothing to leave out",
                         call->operands[0]);
    if (job->args->reference) job->shared = tsr_model_shared_digest(job->model);
    TSR_TRY(tsr_colour_parse(job->args->background, &job->as.background, &call->err));
    TSR_TRY(take_rule(job, &call->err));
    TSR_TRY(take_context(job, &call->err));
    tsr_reconstruct_config_default(job->model, &job->config);
    job->config.context.fraction = job->args->context.fraction;
    job->config.masked = job->mask.known != NULL;
    job->config.seed = job->args->common.seed;
    job->config.target_psnr_db = job->args->target_psnr_db;
    job->config.until_converged = job->args->until_converged;
    job->config.inner_steps = cli_inner_steps(call, job->args->inner_steps, &job->config);
    job->config.threads = job->args->common.threads;
    job->config.kernel = job->args->kernel;
    cli_watch_start(&job->watch, job->args->common.quiet, "");
    job->config.watch = job->watch.watch;
    cli_optimizer_apply(call, &job->args->optimizer, job->model, job->config.inner_steps,
                        &job->config.optimizer);
    TSR_TRY(tsr_alloc(&p, job->config.inner_steps + 1, sizeof(double), "PSNR", &call->err));
    job->psnr_db = p;
    return TSR_OK;
}

/* The last image is told of behind whatever ended the run, whose error is the one to report. */
static enum tsr_status settle_last(struct job *job, enum tsr_status status) {
    struct tsr_error err = job->call->err;
    enum tsr_status last = settle(job);
    if (status == TSR_OK) return last;
    job->call->err = err;
    return status;
}

static enum tsr_status run(struct cli_call *call) {
    struct job job = {.call = call, .args = call->args};
    enum tsr_status status = prepare(&job);
    if (status == TSR_OK && job.images.n > 1) status = cli_later_start(&job.later, &call->err);
    if (status == TSR_OK)
        status = cli_images_each(call, &job.images, job.args->strict, adapt, &job);
    status = settle_last(&job, status);
    cli_later_end(job.later);
    tell_falls(&job);
    cli_images_clear(&job.images);
    free(job.psnr_db);
    tsr_label_map_clear(&job.stored);
    free(job.mask.known);
    free(job.labels);
    tsr_reconstructor_free(job.reconstructor);
    tsr_model_free(job.model);
    return status;
}

const struct cli_command cli_adapt = {
    .name = "adapt",
    .group = "images",
    .summary = "reconstruct images in a few steps: image to INR file",
    .operands = "[M.h5] IMAGE|FOLDER... -o OUT",
    .about =
        "Adapts the model to each image, which keeps its size, and writes the adapted weights\n"
        "as an INR file that `tessera render` turns into a picture of any size. Without M.h5 a\n"
        "built-in model is taken (--preset). Of each region the best inner step is stored.\n"
        "Folders are searched as by `tessera pack`, and their tree is kept. Prints PSNR (dB)\n"
        "after every inner step and of what is stored, tab-separated.",
    .options = options,
    .args_size = sizeof(struct adapt_args),
    .defaults = defaults,
    .min_operands = 2,
    .max_operands = SIZE_MAX,
    .first_operand = CLI_READS_HDF5,
    .built_in = AT(preset),
    .operand = CLI_READS,
    .files = files,
    .run = run,
};
