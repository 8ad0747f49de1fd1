/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/blas.h"
#include "base/clock.h"
#include "cli/context_options.h"
#include "cli/network_options.h"
#include "cli/outputs.h"
#include "cli/paths.h"
#include "cli/progress.h"
#include "cli/rule.h"
#include "cli/shown.h"
#include "cli/signals.h"
#include "cli/train_log.h"
#include "cli/train_view.h"
#include "cli/view_options.h"
#include "image/dealing.h"
#include "image/presets.h"
#include "inner/kernels/kernel.h"

struct train_args {
    struct cli_common common;
    const char *output, *resume, *init, *log, *tensorboard, *pictures;
    bool final;
    struct cli_view view;
    double split[3];
    enum tsr_preset preset;
    struct cli_rule rule;
    double range[2];
    struct tsr_model_config model;
    struct tsr_trainer_config trainer;
};

static void defaults(void *args) {
    struct train_args *a = args;
    tsr_model_config_default(&a->model);
    tsr_trainer_config_default(&a->trainer);
    a->rule.rule = a->model.partition.rule;
    a->range[0] = a->model.coords.lo;
    a->range[1] = a->model.coords.hi;
}

#define AT(member) offsetof(struct train_args, member)
#define NUMBER(id, meta, member, ...)                                                              \
    { .name = (id), .metavar = (meta), .type = CLI_DOUBLE, .at = AT(member), __VA_ARGS__ }
#define COUNT(id, meta, member, ...)                                                               \
    { .name = (id), .metavar = (meta), .type = CLI_SIZE, .at = AT(member), __VA_ARGS__ }
#define CHOICE(id, meta, member, of, ...)                                                          \
    {                                                                                              \
        .name = (id), .metavar = (meta), .type = CLI_ENUM, .names = &tsr_##of##_names,             \
        .at = AT(member), __VA_ARGS__                                                              \
    }
#define TEXT(id, meta, member, ...)                                                                \
    { .name = (id), .metavar = (meta), .type = CLI_STRING, .at = AT(member), __VA_ARGS__ }
#define HEADING(text)                                                                              \
    { .name = (text), .type = CLI_HEADING }

static const struct cli_option options[] = {
    HEADING("files"),
    TEXT("output", "M.h5", output, .alias = 'o', .file = CLI_WRITES_HDF5,
         .help = "the model to write; with --resume, that file unless given"),
    TEXT("resume", "M.h5", resume, .file = CLI_READS_HDF5,
         .help = "go on with the run saved there, as it was configured; --outer-steps or --time "
                 "set a new bound"),
    TEXT("init", "M0.h5", init, .file = CLI_READS_HDF5,
         .help = "start from this model, with its network and coordinates; a shared slot expands "
                 "into as many as are needed"),

    {.name = "final",
     .type = CLI_FLAG,
     .at = AT(final),
     .help = "in the end leave out what only --resume needs: a third of the file or less"},
    TEXT("log", "FILE", log, .shown = "M.h5.jsonl",
         .help = "write a line of JSON about once a second here, for `tessera watch` and others; "
                 "none: nowhere"),
    TEXT("tensorboard", "DIR", tensorboard,
         .help = "write the same as an event file for TensorBoard into this folder"),
    TEXT("pictures", "DIR", pictures, .file = CLI_WRITES_FOLDER,
         .help = "draw at every validation how some of its images are reconstructed, into this "
                 "folder"),

    HEADING("datasets that others wrote"),
    CLI_VIEW_OPTIONS(struct train_args, view, CLI_VIEW_IN_FILE),
    CLI_IGNORE_LABEL(struct train_args, rule.ignored,
                     "With --labels such pixels are a region of their own"),
    {.name = "split",
     .metavar = "T,V,E",
     .type = CLI_DOUBLES,
     .list = 3,
     .at = AT(split),
     .max = 1,
     .shown = "",
     .help = "fractions of train, val and test of a dataset that has no splits; dealt by --seed, "
             "and kept in the model, so that eval takes the same"},

    CHOICE("preset", "SIZE", preset, preset,
           .help = "cells, network, adaptation and training time that are best for at most so many "
                   "numbers an image of 178x178 pixels; other options still say otherwise"),
    CHOICE("start", "KIND", trainer.start, start,
           .help = "what a new run starts from: random numbers, or, for latent:D, the waves of a "
                   "Fourier series and the principal directions of the train split in the last "
                   "layer: best with --hidden-layers 0 and a large --width"),

    HEADING("partition"),
    CLI_RULE_OPTIONS(struct train_args, rule, NULL),
    CHOICE("slots", "KIND", model.slots, slots,
           .help = "one initialisation for all regions, one for each, or one for each class"),

    CHOICE("then", "SLOTS", trainer.then, then,
           .help = "what a shared slot becomes in the course of the run, in as many copies as are "
                   "needed"),
    NUMBER("then-at", "F", trainer.then_at, .min = 0.001, .max = 0.999,
           .help = "after which part of the run; the outer rates begin again there"),

    HEADING("network"),
    CLI_NETWORK_OPTIONS(struct train_args, model.network, model.coords, range, NULL, NULL),

    HEADING("inner loop"),
    {.name = "adapt",
     .metavar = "KIND",
     .type = CLI_OBJECT,
     .registry = &tsr_adaptations,
     .at = AT(model.adaptation),
     .help = "what adapts to a region, and is stored of it"},
    COUNT("inner-steps", "K", model.inner_steps, .max = 1000, .help = "gradient steps to an image"),
    CHOICE("rates", "KIND", model.rates, rates, .help = "inner learning rates"),
    NUMBER("inner-lr", "A", model.inner_lr, .positive = true,
           .shown = "0.03, relu-pe: 0.2, latent: 0.1", .help = "what the rates start from"),
    CHOICE("inner-loss", "KIND", model.inner_loss, inner_loss,
           .help = "whose pixels the squared error of a region is divided by"),
    CLI_CONTEXT_FRACTION(AT(model.context.fraction), NULL),
    CLI_QUERY_SCALE(AT(model.context.query_scale), NULL,
                    "inner steps see the image at 1/S of its size, each pixel a mean of S by S, "
                    "and learn to give the whole image: super-resolution"),

    HEADING("outer loop"),
    {.name = "method",
     .metavar = "KIND",
     .type = CLI_OBJECT,
     .registry = &tsr_methods,
     .at = AT(trainer.method),
     .help = "how the meta-gradient is taken"},
    {.name = "outer-loss",
     .metavar = "KIND",
     .type = CLI_OBJECT,
     .registry = &tsr_losses,
     .at = AT(trainer.outer_loss),
     .help = "what the outer steps lower, of the errors after the last inner step"},
    {.name = "outer-steps",
     .metavar = "N",
     .type = CLI_U64,
     .at = AT(trainer.outer_steps),
     .min = 1,
     .max = UINT32_MAX,
     .shown = "",
     .help = "stop after N outer steps in all (this or --time)"},
    {.name = "time",
     .metavar = "TIME",
     .type = CLI_DURATION,
     .at = AT(trainer.seconds),
     .positive = true,
     .max = 1e9,
     .help = "stop after this time of training in all, such as 90s, 30m or 1h30m"},
    COUNT("batch", "N", trainer.batch, .min = 1, .max = 65536, .help = "images of a meta-batch"),
    NUMBER("region-fraction", "F", trainer.region_fraction, .positive = true, .max = 1,
           .help = "regions of each image in an outer step, as a fraction"),
    NUMBER("outer-lr", "B", trainer.outer_lr, .positive = true, .shown = "by network",
           .help = "Adam's rate on the initialisations: 0.003 up to width 16, 0.0015 up to 32, "
                   "0.001 above, relu-pe 0.005. Runs of a minute or two bear twice as much"),
    NUMBER("rates-lr", "B", trainer.rates_lr, .max = 100,
           .help = "Adam's rate on the inner rates, as a fraction of --inner-lr"),
    COUNT("warmup", "N", trainer.warmup, .help = "outer steps of linear warm-up"),
    NUMBER("final-lr", "F", trainer.final_lr, .max = 1,
           .help = "end of the cosine decay, as a fraction of --outer-lr"),
    NUMBER("beta1", "X", trainer.beta1, .max = 0.999999, .help = "Adam's first moment"),
    NUMBER("beta2", "X", trainer.beta2, .max = 0.999999, .help = "Adam's second moment"),
    NUMBER("clip", "X", trainer.clip, .help = "bound on the norm of the meta-gradient; 0: none"),
    COUNT("val-every", "N", trainer.val_every, .shown = "a tenth of the run",
          .help = "outer steps between validations"),
    COUNT("val-images", "N", trainer.val_images,
          .help = "images to validate on, evenly spread over val; 0: all"),
    COUNT("max-rollbacks", "N", trainer.max_rollbacks, .max = TSR_MAX_ROLLBACKS,
          .help =
              "times that a run which diverges goes back to its last good state, each time with "
              "half the outer rate"),
    COUNT("patience", "N", trainer.patience,
          .help = "validations in a row without a new best after which the outer rates are halved; "
                  "0: never"),
    NUMBER("ema", "F", trainer.ema, .max = 0.9999999,
           .help = "learn a running mean of the outer steps, whose weights fall by this factor at "
                   "each; 0: the last one"),
    {.name = "checkpoint-every",
     .metavar = "TIME",
     .type = CLI_DURATION,
     .at = AT(trainer.checkpoint_seconds),
     .help = "time between checkpoints; 0: only at the end"},
    {.name = "force",
     .type = CLI_FLAG,
     .at = AT(common.force),
     .help = "replace a model that exists; resume also with a dataset that is not the one the run "
             "began with"},
    CLI_KERNEL(AT(trainer.kernel)),
    {.type = CLI_END},
};

/* What a resumed run can still change. */
static const char *const resumable[] = {
    "output",       "resume", "outer-steps", "time",     "kernel", "checkpoint-every",
    "threads",      "seed",   "quiet",       "force",    "images", "images-layout",
    "images-range", "log",    "tensorboard", "pictures", "final",  NULL};

static enum tsr_status check_resume(const struct cli_call *call, struct tsr_error *err) {
    const struct cli_option *o = call->table->option;
    for (size_t i = 0; o[i].type != CLI_END; i++) {
        const char *const *name = resumable;
        while (call->given[i] && *name && strcmp(*name, o[i].name) != 0)
            name++;
        if (call->given[i] && !*name)
            return TSR_ERROR(err, TSR_ERR_CONFIG,
                             "--%s cannot be changed by --resume; the saved run has it", o[i].name);
    }
    return TSR_OK;
}

/* What the preset says, where no option says otherwise. */
static void apply_preset(const struct cli_call *call, struct train_args *a) {
    const struct train_args asked = *a;
    if (a->preset == TSR_PRESET_NONE) return;
    tsr_preset_apply(a->preset, &a->model, &a->trainer);
    if (cli_given(call, "width")) a->model.network.width = asked.model.network.width;
    if (cli_given(call, "hidden-layers"))
        a->model.network.hidden_layers = asked.model.network.hidden_layers;
    if (cli_given(call, "adapt")) a->model.adaptation = asked.model.adaptation;
    if (cli_given(call, "start")) a->trainer.start = asked.trainer.start;
    if (cli_given(call, "outer-lr")) a->trainer.outer_lr = asked.trainer.outer_lr;
    if (cli_given(call, "outer-steps") || cli_given(call, "time")) {
        a->trainer.outer_steps = asked.trainer.outer_steps;
        a->trainer.seconds = asked.trainer.seconds;
    }
}

static enum tsr_status check(struct cli_call *call, struct train_args *a) {
    struct tsr_error *err = &call->err;
    bool given;
    a->model.coords.lo = a->range[0];
    a->model.coords.hi = a->range[1];
    a->trainer.seed = a->common.seed;
    a->trainer.force = a->common.force;
    a->trainer.threads = tsr_thread_count(a->common.threads);
    a->trainer.command = call->line;
    a->trainer.comm = call->comm;
    if (cli_given(call, "then-at") && a->trainer.then == TSR_THEN_SAME)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "--then-at says when --then SLOTS is to be");
    if (a->preset != TSR_PRESET_NONE && a->init)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "--preset and --init exclude each other");
    apply_preset(call, a);
    TSR_TRY(cli_rule_take(call, &a->rule, &a->model.partition, &given, err));
    if (a->trainer.outer_steps && a->trainer.seconds > 0)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "--outer-steps and --time exclude each other");
    if (a->resume) {
        TSR_TRY(check_resume(call, err));
        if (!cli_given(call, "max-rollbacks")) a->trainer.max_rollbacks = 0; /* as saved */
    } else {
        if (!a->trainer.outer_steps && !(a->trainer.seconds > 0))
            return TSR_ERROR(err, TSR_ERR_CONFIG, "--outer-steps N or --time TIME is missing");
        if (!a->output) return TSR_ERROR(err, TSR_ERR_CONFIG, "--output M.h5 is missing");
        TSR_TRY(tsr_trainer_config_check(&a->trainer, err));
        TSR_TRY(tsr_coords_check(&a->model.coords, err));
    }
    a->trainer.output = a->output;
    return TSR_OK;
}

static enum tsr_status create(struct cli_call *call, const struct train_args *a,
                              struct tsr_dataset *dataset, struct tsr_training **training) {
    struct tsr_model *init = NULL;
    struct tsr_model_config model = a->model;
    if (a->resume)
        return tsr_training_resume(a->resume, &a->trainer, dataset, training, &call->err);
    if (a->preset != TSR_PRESET_NONE && !cli_given(call, "adapt"))
        (void)tsr_choice_set(&model.adaptation, "numbers",
                             (double)tsr_preset_numbers(a->preset, tsr_dataset_channels(dataset)));
    if (a->init) TSR_TRY(tsr_model_load(a->init, &init, &call->err));
    if (init) cli_network_keep(call, &init->config, &model);
    if (!cli_given(call, "inner-lr")) model.inner_lr = tsr_model_start_rate(&model);
    enum tsr_status status =
        tsr_training_create(&model, &a->trainer, dataset, init, training, &call->err);
    tsr_model_free(init);
    return status;
}

static void summary(const struct cli_call *call, const struct train_args *a,
                    const struct tsr_training *training, enum tsr_status status) {
    const struct tsr_trainer_progress *p = tsr_training_state(training);
    char time[16], wait[48];
    if (a->common.quiet) return;
    if (status != TSR_OK && p->saved) {
        (void)fprintf(stderr,
                      "%s holds %llu of the %llu outer steps done; go on with\n"
                      "  tessera train %s --resume %s\n",
                      cli_shown(a->output), (unsigned long long)p->saved_outer_step,
                      (unsigned long long)p->outer_step, cli_shown(call->operands[0]),
                      cli_shown(a->output));
    } else if (status == TSR_OK) {
        (void)printf("%s: %llu outer steps in %s", cli_shown(a->output),
                     (unsigned long long)p->outer_step, cli_time(p->seconds, time));
        if (isfinite(p->val_psnr_db)) (void)printf(", validation PSNR %.2f dB", p->val_psnr_db);
        if (p->rollbacks)
            (void)printf(", rollbacks: %llu, outer steps lost by them: %llu",
                         (unsigned long long)p->rollbacks, (unsigned long long)p->lost);
        if (cli_waits_for_data(p, wait)) (void)printf(", %s", wait);
        (void)printf("\n");
    }
}

static bool logs(const struct train_args *a) {
    return !a->log || strcmp(a->log, "none") != 0;
}

/* The log of a model, which is beside it unless --log says otherwise; free with free(). */
static enum tsr_status log_of(const struct train_args *a, const char *model, char **path,
                              struct tsr_error *err) {
    if (!a->log) return cli_train_log_path(model, path, err);
    *path = strdup(a->log);
    return *path ? TSR_OK : TSR_ERROR(err, TSR_ERR_NO_MEMORY, "no memory for a path");
}

/* Whether the log is that of the run at hand. One whose model is not there is nobody's: what a run
 * left that ended before its first checkpoint. */
static bool log_goes_on(const struct train_args *a) {
    if (a->resume) return a->log || cli_is_same_file(a->output, a->resume);
    return !a->log && !a->common.force && access(a->output, F_OK) != 0;
}

static enum tsr_status open_log(const struct train_args *a, const struct tsr_training *training,
                                struct cli_train_log **log, struct tsr_error *err) {
    char *path = NULL, *before = NULL;
    enum tsr_status status = TSR_OK;
    if (logs(a)) TSR_CHECK(log_of(a, a->output, &path, err));
    if (logs(a) && (a->resume || log_goes_on(a)))
        TSR_CHECK(log_of(a, a->resume ? a->resume : a->output, &before, err));
    const struct cli_train_log_paths paths = {path, before, a->tensorboard};
    status = cli_train_log_open(&paths, training, log, err);
done:
    free(path);
    free(before);
    return status;
}

static enum tsr_status open_outputs(const struct train_args *a, struct tsr_dataset *dataset,
                                    struct tsr_training *training, struct cli_train_outputs *out,
                                    struct tsr_error *err) {
    TSR_TRY(open_log(a, training, &out->log, err));
    if (!a->pictures) return TSR_OK;
    return cli_train_pictures_open(a->pictures, training, dataset, &out->pictures, err);
}

static enum tsr_status run_shown(struct cli_call *call, const struct train_args *a,
                                 struct tsr_dataset *dataset, struct tsr_training *training) {
    struct cli_train_outputs outputs = {NULL, NULL};
    enum tsr_status status = TSR_OK;
    if (call->comm->rank == 0) status = open_outputs(a, dataset, training, &outputs, &call->err);
    status = tsr_comm_agree(call->comm, status, &call->err);
    if (status == TSR_OK) {
        status = cli_training_run(training, a->common.quiet, &outputs, &call->err);
        if (status == TSR_OK && a->final) status = tsr_training_finish(training, &call->err);
        summary(call, a, training, status);
    }
    cli_train_log_close(outputs.log);
    cli_train_pictures_close(outputs.pictures);
    return status;
}

static enum tsr_status train(struct cli_call *call, const struct train_args *a,
                             struct tsr_dataset *dataset) {
    struct tsr_training *training = NULL;
    struct cli_data data = cli_data_of(dataset);
    enum tsr_status status = create(call, a, dataset, &training);
    status = tsr_comm_agree(call->comm, status, &call->err);
    if (status != TSR_OK) {
        tsr_training_free(training);
        return status;
    }
    call->phase = CLI_RUNNING;
    if (!a->common.quiet) cli_training_table(training, &data, stderr);
    for (size_t i = 0; call->comm->rank == 0 && tsr_training_remark(training, i); i++)
        (void)fprintf(stderr, "tessera train: warning: %s\n", tsr_training_remark(training, i));
    status = run_shown(call, a, dataset, training);
    tsr_training_free(training);
    return status;
}

/* Whether what is measured can be trusted. */
static void warn_of_splits(const struct train_args *a, const struct tsr_dataset *dataset) {
    if (tsr_dataset_has_split(dataset) || tsr_deal_is(tsr_dataset_dealt(dataset)) ||
        a->common.quiet)
        return;
    (void)fprintf(stderr,
                  "tessera train: warning: %s has no splits: all its images are trained on, and "
                  "those of val and test are the same ones; --split 0.8,0.1,0.1 deals them\n",
                  cli_shown(tsr_dataset_path(dataset)));
}

/* Splits that the dataset does not have. */
static enum tsr_status deal(struct cli_call *call, const struct train_args *a,
                            struct tsr_dataset *dataset) {
    enum tsr_dealing dealing;
    struct tsr_deal deal = {.seed = a->common.seed};
    memcpy(deal.fraction, a->split, sizeof deal.fraction);
    if (cli_given(call, "split")) TSR_TRY(tsr_dataset_deal(dataset, &deal, &call->err));
    /* That it is another dataset is found when the run is resumed. */
    if (a->resume) TSR_TRY(tsr_deal_again(a->resume, dataset, &dealing, &call->err));
    warn_of_splits(a, dataset);
    return TSR_OK;
}

static enum tsr_status tell_resumed(struct cli_call *call, struct train_args *a) {
    if (!a->resume) return TSR_OK;
    TSR_TRY(cli_files_resumes(call, a->resume));
    if (a->output) return TSR_OK;
    a->output = a->resume;
    return cli_files_writes(call, a->output, CLI_WRITES_HDF5);
}

/* A log that is gone on with is not in the way, and no other output may replace it. */
static enum tsr_status files(struct cli_call *call) {
    struct train_args *a = call->args;
    TSR_TRY(tell_resumed(call, a));
    if (a->pictures) TSR_TRY(cli_train_pictures_guard(call, a->pictures, a->resume));
    if (!logs(a) || !a->output) return TSR_OK;
    char *path;
    TSR_TRY(log_of(a, a->output, &path, &call->err));
    enum tsr_status status =
        cli_is_stdout(path)
            ? TSR_ERROR(&call->err, TSR_ERR_CONFIG, "--log: a log is gone on with; name a file")
        : log_goes_on(a) ? cli_files_reads(call, path)
                         : cli_files_writes(call, path, CLI_WRITES);
    free(path);
    return status;
}

static enum tsr_status run(struct cli_call *call) {
    struct train_args *a = call->args;
    struct tsr_dataset *dataset = NULL;
    TSR_TRY(check(call, a));
    const struct tsr_view_options view = cli_view_take(&a->view, &a->rule.ignored);
    enum tsr_status status = tsr_dataset_open_as(call->operands[0], &view, &dataset, &call->err);
    if (status == TSR_OK) status = deal(call, a, dataset);
    status = tsr_comm_agree(call->comm, status, &call->err);
    if (status == TSR_OK) status = train(call, a, dataset);
    tsr_dataset_close(dataset);
    return status;
}

const struct cli_command cli_train = {
    .name = "train",
    .group = "models",
    .summary = "meta-train a model on a dataset",
    .operands = "D.h5 -o M.h5 {--outer-steps N | --time TIME}",
    .about = "Meta-trains the initial weights of a network for each slot, and its inner learning\n"
             "rates, on the train split, so that K gradient steps reconstruct a new image. The\n"
             "model is written at intervals and at the end; Ctrl-C writes it too, and --resume\n"
             "goes on from there.",
    .options = options,
    .args_size = sizeof(struct train_args),
    .defaults = defaults,
    .min_operands = 1,
    .max_operands = 1,
    .first_operand = CLI_READS_HDF5,
    .shared = true,
    .files = files,
    .run = run,
};
