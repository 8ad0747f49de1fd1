/* SPDX-License-Identifier: MIT */
#include <math.h>

#include "cli/built_in.h"
#include "cli/options.h"
#include "cli/outputs.h"
#include "cli/progress.h"
#include "cli/shown.h"
#include "image/inr.h"

struct render_args {
    struct cli_common common;
    const char *output, *kernel, *model;
    double scale;
    size_t size[2];
};

static void defaults(void *args) {
    struct render_args *a = args;
    a->scale = 1;
    a->kernel = "auto";
}

#define AT(member) offsetof(struct render_args, member)

static const struct cli_option options[] = {
    {.name = "output",
     .alias = 'o',
     .metavar = "P.png",
     .type = CLI_STRING,
     .file = CLI_WRITES_PNG,
     .at = AT(output),
     .required = true,
     .help = "the picture to write, as PNG"},
    {.name = "scale",
     .metavar = "S",
     .type = CLI_DOUBLE,
     .at = AT(scale),
     .positive = true,
     .max = TSR_IMAGE_MAX_SIDE,
     .help = "size as a multiple of the image's own"},
    {.name = "size",
     .metavar = "HxW",
     .type = CLI_PAIR,
     .at = AT(size),
     .min = 1,
     .max = TSR_IMAGE_MAX_SIDE,
     .help = "size in pixels"},
    {.name = "model",
     .metavar = "M.h5",
     .type = CLI_STRING,
     .file = CLI_READS_HDF5,
     .at = AT(model),
     .shown = "a built-in one, if it is that",
     .help = "the model that the INR refers to (`adapt --reference`)"},
    CLI_KERNEL(AT(kernel)),
    {.type = CLI_END},
};

static size_t scaled(size_t side, double scale) {
    double pixels = floor((double)side * scale + 0.5);
    return pixels < 1 ? 1 : (size_t)pixels;
}

/* What an INR that refers to a model lacks. */
static enum tsr_status complete(struct cli_call *call, struct tsr_inr *inr) {
    const struct render_args *a = call->args;
    struct tsr_model *model;
    if (!inr->incomplete || (!a->model && cli_built_in_complete(inr))) return TSR_OK;
    if (!a->model)
        return TSR_ERROR(&call->err, TSR_ERR_CONFIG,
                         "%s refers to a model, whose shared numbers have the digest %016llx: name "
                         "it with --model M.h5",
                         call->operands[0], (unsigned long long)inr->shared);
    TSR_TRY(tsr_model_load(a->model, &model, &call->err));
    enum tsr_status status = tsr_inr_complete(inr, model, &call->err);
    tsr_model_free(model);
    if (status != TSR_OK)
        tsr_error_prefix(&call->err, "%s with --model %s", call->operands[0], a->model);
    return status;
}

static enum tsr_status run(struct cli_call *call) {
    const struct render_args *a = call->args;
    struct tsr_inr *inr = NULL;
    struct tsr_image picture = {0};
    struct cli_watch watch;
    enum tsr_status status;
    if (a->size[0] && cli_given(call, "scale"))
        return TSR_ERROR(&call->err, TSR_ERR_CONFIG, "--scale and --size exclude each other");
    TSR_CHECK(tsr_inr_open(call->operands[0], &inr, &call->err));
    TSR_CHECK(complete(call, inr));
    size_t height = a->size[0] ? a->size[0] : scaled(inr->partition->height, a->scale);
    size_t width = a->size[0] ? a->size[1] : scaled(inr->partition->width, a->scale);
    call->phase = CLI_RUNNING;
    cli_watch_start(&watch, a->common.quiet, a->output);
    status = tsr_inr_render(inr, height, width, a->common.threads, a->kernel, &watch.watch,
                            &picture, &call->err);
    cli_watch_end(&watch);
    if (status == TSR_ERR_CONFIG && !a->size[0] && !cli_given(call, "scale"))
        status = TSR_ERR_FORMAT; /* a size that only the file has chosen */
    TSR_CHECK(status);
    TSR_CHECK(tsr_image_write_png(a->output, &picture, &call->err));
    if (!a->common.quiet && !cli_stdout_taken(call))
        (void)printf("%s: %zux%zu\n", cli_shown(a->output), height, width);
done:
    tsr_image_clear(&picture);
    tsr_inr_free(inr);
    return status;
}

const struct cli_command cli_render = {
    .name = "render",
    .group = "images",
    .summary = "INR file to PNG, at any size",
    .operands = "F.inr.h5 -o P.png",
    .about =
        "Evaluates the networks of an INR file at the pixels of a picture of any size. At the\n"
        "size of the image this is its reconstruction.",
    .options = options,
    .args_size = sizeof(struct render_args),
    .defaults = defaults,
    .min_operands = 1,
    .max_operands = 1,
    .first_operand = CLI_READS_HDF5,
    .run = run,
};
