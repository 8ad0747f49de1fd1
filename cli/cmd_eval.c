/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/version.h"
#include "cli/built_in.h"
#include "cli/context_options.h"
#include "cli/evaluation.h"
#include "cli/findings.h"
#include "cli/optimizer_options.h"
#include "cli/options.h"
#include "cli/outputs.h"
#include "cli/paths.h"
#include "cli/report.h"
#include "cli/rule.h"
#include "cli/settings.h"
#include "cli/shown.h"
#include "cli/signals.h"
#include "cli/train_view.h"
#include "cli/view_options.h"
#include "data/file.h"
#include "image/dealing.h"
#include "image/regions.h"

struct eval_args {
    struct cli_common common;
    enum tsr_preset preset;
    enum tsr_split split;
    size_t limit;
    size_t inner_steps;
    double target_psnr_db;
    bool until_converged;
    struct tsr_choice optimizer;
    struct tsr_context_config context;
    struct cli_view view;
    struct cli_rule rule;
    const char *baseline, *kernel, *json, *csv, *image_csv, *compare, *linear_limit, *report,
        *background;
    bool by_region, strict, isolate;
    size_t transfer, reach;
};

static void defaults(void *args) {
    struct eval_args *a = args;
    a->preset = CLI_BUILT_IN_DEFAULT;
    a->split = TSR_SPLIT_TEST;
    a->optimizer = tsr_choice_of(tsr_optimizers.object[0]);
    a->kernel = "auto";
    a->background = "white";
}

static enum tsr_status check_baseline(const char *text, struct tsr_error *err) {
    if (strcmp(text, "random") == 0) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_CONFIG, "\"%s\" is not a baseline; random is", text);
}

#define AT(member) offsetof(struct eval_args, member)

static const struct cli_option options[] = {
    CLI_BUILT_IN(struct eval_args, preset),

    {.name = "images", .type = CLI_HEADING},
    {.name = "split",
     .metavar = "SPLIT",
     .type = CLI_ENUM,
     .names = &tsr_split_names,
     .at = AT(split),
     .help = "images of the dataset to evaluate on"},
    {.name = "limit",
     .metavar = "N",
     .type = CLI_SIZE,
     .at = AT(limit),
     .help = "at most N images, evenly spread over the split or the files; 0: all"},
    CLI_BACKGROUND(AT(background)),
    CLI_ISOLATE(AT(isolate)),
    {.name = "strict",
     .type = CLI_FLAG,
     .at = AT(strict),
     .help = "an image file that cannot be used ends the run instead of being left out"},
    CLI_VIEW_OPTIONS(struct eval_args, view, CLI_VIEW_IN_FILE),
    CLI_IGNORE_LABEL(struct eval_args, rule.ignored, CLI_VOID_AT_HAND),

    {.name = "inner loop", .type = CLI_HEADING},
    {.name = "inner-steps",
     .metavar = "K",
     .type = CLI_SIZE,
     .at = AT(inner_steps),
     .max = 1000000,
     .shown = "the model's, or 200 where regions end before",
     .help = "may exceed the model's: its last rates repeat"},
    CLI_OPTIMIZER_OPTIONS(struct eval_args, optimizer),
    CLI_CONTEXT_FRACTION(AT(context.fraction), "the model's"),
    CLI_QUERY_SCALE(AT(context.query_scale), "the model's",
                    "inner steps see the image at 1/S of its size, each pixel a mean of S by S; "
                    "figures are of the whole image"),

    {.name = "partition, instead of the model's (shared slots only)", .type = CLI_HEADING},
    CLI_RULE_OPTIONS(struct eval_args, rule, "the model's"),

    {.name = "comparison and output", .type = CLI_HEADING},
    {.name = "baseline",
     .metavar = "random",
     .type = CLI_STRING,
     .at = AT(baseline),
     .check = check_baseline,
     .help = "evaluate a random initialisation of the same networks too, after as many gradient "
             "steps at one fixed rate, the best of 1e-4 to 10 on other images"},
    {.name = "compare",
     .metavar = "M2.h5,...",
     .type = CLI_STRING,
     .at = AT(compare),
     .help = "evaluate these models on the same images too: their gain over M.h5, with a bootstrap "
             "interval"},
    {.name = "linear-limit",
     .metavar = "F.tsv",
     .type = CLI_STRING,
     .file = CLI_READS,
     .at = AT(linear_limit),
     .help = "gain of each region over the linear limit, which scripts/linear-limit --cells wrote"},
    {.name = "reach",
     .metavar = "N",
     .type = CLI_SIZE,
     .at = AT(reach),
     .shown = "",
     .help = "on N images, how long Adam takes to reach what the inner steps do, from "
             "random weights and from the mean image, at the best of several rates"},
    {.name = "transfer",
     .metavar = "N",
     .type = CLI_SIZE,
     .at = AT(transfer),
     .shown = "",
     .help = "on N images, PSNR of every region from the initialisation of every slot"},
    {.name = "by-region",
     .type = CLI_FLAG,
     .at = AT(by_region),
     .help = "print a line for each region: PSNR, spread, worst image"},
    {.name = "report",
     .metavar = "R.html",
     .type = CLI_STRING,
     .file = CLI_WRITES,
     .at = AT(report),
     .help = "write a page with charts, maps of the regions and pictures, for a browser"},
    {.name = "csv",
     .metavar = "F.csv",
     .type = CLI_STRING,
     .file = CLI_WRITES,
     .at = AT(csv),
     .help = "write the figures of the regions there"},
    {.name = "image-csv",
     .metavar = "F.csv",
     .type = CLI_STRING,
     .file = CLI_WRITES,
     .at = AT(image_csv),
     .help = "write the figures of the images there, by name"},
    {.name = "json",
     .metavar = "F",
     .type = CLI_STRING,
     .file = CLI_WRITES,
     .at = AT(json),
     .help = "write all figures there as JSON; -: to stdout, instead of the table"},
    CLI_KERNEL(AT(kernel)),
    {.type = CLI_END},
};

/* ---- output ---------------------------------------------------------------------------------- */

struct outcome {
    const struct eval_args *args;
    struct cli_data data;
    const char *model_path;
    const char *from;             /* of image files the first that is named */
    struct cli_findings found;    /* [0] is the model, with the partition in use */
    struct tsr_baseline baseline; /* if asked for; its result is a subject's */
    double start;                 /* tsr_seconds() */
    char *compared;               /* the paths of --compare, cut apart */
};

static const struct tsr_evaluation *result_of(const struct outcome *o) {
    return &o->found.subject[0].result;
}

/* Of the random baseline, which comes right behind the model. */
static const struct tsr_evaluation *baseline_of(const struct outcome *o) {
    return &o->found.subject[1].result;
}

static double params_per_value(const struct outcome *o) {
    return result_of(o)->params_per_image / result_of(o)->values_per_image;
}

/* Are some pixels not among those that were adapted to? */
static bool has_unseen(const struct outcome *o) {
    return isfinite(result_of(o)->unseen_psnr_db[0]);
}

static void print_table(const struct outcome *o) {
    const struct tsr_evaluation *e = result_of(o), *b = baseline_of(o);
    bool baseline = o->args->baseline != NULL, unseen = has_unseen(o);
    (void)printf("#k\tpsnr_db\tpsnr_db_std\tssim\tseam%s%s\n", unseen ? "\tunseen_psnr_db" : "",
                 baseline ? "\trandom_psnr_db\trandom_ssim" : "");
    for (size_t k = 0; k <= e->inner_steps; k++) {
        (void)printf("%zu\t%.3f\t%.3f\t%.4f\t%.3f", k, e->psnr_db[k], e->psnr_db_std[k], e->ssim[k],
                     e->seam[k]);
        if (unseen) (void)printf("\t%.3f", e->unseen_psnr_db[k]);
        if (baseline) (void)printf("\t%.3f\t%.4f", b->psnr_db[k], b->ssim[k]);
        (void)printf("\n");
    }
    if (e->map_seconds_per_image > 0)
        (void)printf("map_seconds_per_image\t%.6f\n", e->map_seconds_per_image);
    if (e->images < e->of) (void)printf("images_of_split\t%zu\n", e->of);
    (void)printf("images\t%zu\nseconds_per_image\t%.6f\nparams_per_image\t%.0f\n"
                 "params_per_value\t%.4f\nflops_per_image\t%.6g\n",
                 e->images, e->seconds_per_image, e->params_per_image, params_per_value(o),
                 e->flops_per_image);
    if (e->not_finite) (void)printf("not_finite_images\t%zu\n", e->not_finite);
    if (baseline)
        (void)printf("random_rate\t%g\nrandom_rate_chosen_on\t%s\n", o->baseline.rate,
                     tsr_split_name(o->baseline.chosen_on));
}

static void json_config(struct cli_json *j, const void *outcome) {
    const struct outcome *o = outcome;
    const struct tsr_kernel *kernel = NULL;
    const struct cli_subject *m = &o->found.subject[0];
    cli_json_open(j, "config", '{');
    cli_json_string(j, "version", tsr_version());
    cli_json_string(j, "model", o->model_path);
    if (o->found.dataset) {
        cli_json_string(j, "dataset", o->data.path);
        cli_json_string(j, "split", tsr_split_name(o->args->split));
        cli_json_integer(j, "height", o->data.height);
        cli_json_integer(j, "width", o->data.width);
    } else {
        cli_json_string(j, "images_from", o->from);
    }
    cli_json_integer(j, "limit", o->args->limit);
    struct tsr_model_config model = m->model->config;
    model.context = m->config.context; /* as it was evaluated */
    cli_json_integer(j, "channels", m->model->net.out_dim);
    cli_json_model(j, &model);
    cli_json_choice(j, "inner_optimizer", &m->config.optimizer);
    if (tsr_kernel_find(m->config.kernel, &kernel, NULL) == TSR_OK)
        cli_json_string(j, "kernel", kernel->name);
    cli_json_integer(j, "threads", tsr_thread_count(m->config.threads));
    cli_json_integer(j, "seed", o->args->common.seed);
    cli_json_close(j, '}');
}

static void json_figures(struct cli_json *j, const struct tsr_evaluation *e) {
    cli_json_integer(j, "images", e->images);
    cli_json_integer(j, "images_of_split", e->of);
    cli_json_integer(j, "inner_steps", e->inner_steps);
    cli_json_numbers(j, "psnr_db", e->psnr_db, e->inner_steps + 1);
    cli_json_numbers(j, "psnr_db_std", e->psnr_db_std, e->inner_steps + 1);
    if (isfinite(e->unseen_psnr_db[0]))
        cli_json_numbers(j, "unseen_psnr_db", e->unseen_psnr_db, e->inner_steps + 1);
    cli_json_numbers(j, "ssim", e->ssim, e->inner_steps + 1);
    cli_json_integer(j, "not_finite_images", e->not_finite);
    cli_json_number(j, "seconds_per_image", e->seconds_per_image);
    if (e->map_seconds_per_image > 0)
        cli_json_number(j, "map_seconds_per_image", e->map_seconds_per_image);
    cli_json_numbers(j, "seam", e->seam, e->inner_steps + 1);
    cli_json_number(j, "params_per_image", e->params_per_image);
    cli_json_number(j, "flops_per_image", e->flops_per_image);
}

static void json_baseline(struct cli_json *j, const struct outcome *o) {
    const struct tsr_baseline *b = &o->baseline;
    cli_json_open(j, "baseline", '{');
    cli_json_string(j, "kind", "random");
    cli_json_number(j, "rate", b->rate);
    cli_json_string(j, "rate_chosen_on", tsr_split_name(b->chosen_on));
    cli_json_integer(j, "rate_chosen_on_images", b->chosen_on_images);
    cli_json_numbers(j, "rates_tried", tsr_baseline_rates, tsr_baseline_n_rates);
    json_figures(j, baseline_of(o));
    cli_findings_json_regions(j, &o->found, 1);
    cli_findings_json_images(j, &o->found, 1);
    cli_json_close(j, '}');
}

static void json_models(struct cli_json *j, const struct outcome *o) {
    cli_json_open(j, "models", '[');
    for (size_t s = o->args->baseline ? 2 : 1; s < o->found.n; s++) {
        cli_json_open(j, NULL, '{');
        cli_json_string(j, "name", o->found.subject[s].name);
        json_figures(j, &o->found.subject[s].result);
        cli_findings_json_regions(j, &o->found, s);
        cli_findings_json_images(j, &o->found, s);
        cli_json_open(j, "config", '{');
        cli_json_model(j, &o->found.subject[s].model->config);
        cli_json_close(j, '}');
        cli_json_close(j, '}');
    }
    cli_json_close(j, ']');
}

static enum tsr_status write_json(const struct outcome *o, struct tsr_error *err) {
    struct cli_json j = {0};
    cli_json_open(&j, NULL, '{');
    json_figures(&j, result_of(o));
    cli_json_number(&j, "params_per_value", params_per_value(o));
    cli_findings_json_regions(&j, &o->found, 0);
    if (o->found.subject[0].survey) cli_findings_json_images(&j, &o->found, 0);
    json_config(&j, o);
    if (o->args->baseline) json_baseline(&j, o);
    if (o->args->compare) json_models(&j, o);
    enum tsr_status status = cli_findings_json_rest(&j, &o->found, err);
    cli_json_close(&j, '}');
    if (status == TSR_OK) return cli_json_write(&j, o->args->json, err);
    cli_json_clear(&j);
    return status;
}

/* ---- the command ----------------------------------------------------------------------------- */

static enum tsr_status configure(struct cli_call *call, struct tsr_model *model,
                                 struct tsr_reconstruct_config *config) {
    const struct eval_args *a = call->args;
    tsr_reconstruct_config_default(model, config);
    config->target_psnr_db = a->target_psnr_db;
    config->until_converged = a->until_converged;
    config->inner_steps = cli_inner_steps(call, a->inner_steps, config);
    cli_optimizer_apply(call, &a->optimizer, model, config->inner_steps, &config->optimizer);
    cli_context_apply(call, &a->context, &config->context);
    config->seed = a->common.seed;
    config->ssim = config->seam = true;
    config->threads = a->common.threads;
    config->kernel = a->kernel;
    config->watch.cancelled = cli_cancelled;
    return tsr_reconstruct_config_check(config, &call->err);
}

/* Ends the first path of a list at its comma; returns what follows, or NULL. */
static char *cut(char *list) {
    char *comma = strchr(list, ',');
    if (!comma) return NULL;
    *comma = '\0';
    return comma + 1;
}

static enum tsr_status copy_list(const char *list, char **out, struct tsr_error *err) {
    size_t size = strlen(list) + 1;
    TSR_TRY(TSR_ALLOC(out, size, "list of models", err));
    memcpy(*out, list, size);
    return TSR_OK;
}

static enum tsr_status load_compared(struct cli_call *call, struct outcome *o) {
    const struct eval_args *a = call->args;
    if (!a->compare) return TSR_OK;
    TSR_TRY(copy_list(a->compare, &o->compared, &call->err));
    char *next = o->compared;
    do {
        struct cli_subject *s = &o->found.subject[o->found.n];
        if (o->found.n == CLI_MOST_SUBJECTS)
            return TSR_ERROR(&call->err, TSR_ERR_CONFIG, "--compare takes at most %d models",
                             CLI_MOST_SUBJECTS - 1 - (a->baseline != NULL));
        s->name = next;
        next = cut(next);
        TSR_TRY(tsr_model_load(s->name, &s->model, &call->err));
        if (tsr_dataset_has_void(o->found.dataset)) (void)tsr_regions_admit_void(s->model);
        o->found.n++;
        enum tsr_status status = configure(call, s->model, &s->config);
        if (status != TSR_OK) tsr_error_prefix(&call->err, "%s", s->name);
        TSR_TRY(status);
    } while (next);
    return TSR_OK;
}

/* Splits that the dataset does not have are those that the model was trained with; else they are
 * all images, which is worth a word. */
static enum tsr_status deal(struct cli_call *call, struct tsr_dataset *dataset) {
    const struct eval_args *a = call->args;
    enum tsr_dealing dealing;
    TSR_TRY(tsr_deal_again(call->operands[0], dataset, &dealing, &call->err));
    if (a->common.quiet || a->split == TSR_SPLIT_ALL || dealing == TSR_DEALING_OWN) return TSR_OK;
    const char *path = cli_shown(tsr_dataset_path(dataset));
    if (dealing == TSR_DEALING_AGAIN)
        (void)fprintf(stderr, "tessera eval: the splits of %s are those that %s was trained with\n",
                      path, cli_shown(call->operands[0]));
    else
        (void)fprintf(stderr,
                      "tessera eval: warning: %s has no splits: its %s images are all of them, "
                      "also those that a model was trained on (train --split T,V,E)\n",
                      path, tsr_split_name(a->split));
    return TSR_OK;
}

/* The subjects: the model, its baseline, other models. */
static enum tsr_status load(struct cli_call *call, struct outcome *o) {
    struct eval_args *a = call->args;
    struct cli_subject *m = &o->found.subject[0];
    const struct tsr_view_options view = cli_view_take(&a->view, &a->rule.ignored);
    TSR_TRY(tsr_dataset_open_as(call->operands[1], &view, &o->found.dataset, &call->err));
    TSR_TRY(deal(call, o->found.dataset));
    o->data = cli_data_of(o->found.dataset);
    TSR_TRY(configure(call, m->model, &m->config));
    TSR_TRY(
        cli_rule_override(call, &a->rule, cli_classes_of(o->found.dataset), m->model, &call->err));
    if (a->linear_limit)
        TSR_TRY(cli_findings_linear_limit(
            a->linear_limit, m->model, tsr_model_regions(m->model, o->data.height, o->data.width),
            &o->found.linear_limit_db, &o->found.linear_limit_image_db, &call->err));
    o->found.seed = a->common.seed;
    o->found.n = 1;
    if (a->baseline) {
        o->found.subject[1].name = a->baseline;
        o->found.subject[1].config = m->config;
        o->found.n = 2;
    }
    return load_compared(call, o);
}

/* Is anything wanted that is known of single images? */
static bool wants_survey(const struct eval_args *a) {
    return a->json || a->report || a->csv || a->image_csv || a->compare || a->by_region ||
           a->linear_limit;
}

static enum tsr_status evaluate_subject(struct cli_call *call, struct outcome *o, size_t i) {
    const struct eval_args *a = call->args;
    struct cli_subject *s = &o->found.subject[i];
    struct cli_evaluation e = {.model = s->model ? s->model : o->found.subject[0].model,
                               .dataset = o->found.dataset,
                               .split = a->split,
                               .limit = a->limit,
                               .config = &s->config,
                               .quiet = a->common.quiet,
                               .comm = call->comm};
    if (wants_survey(a)) {
        TSR_TRY(tsr_survey_create(e.model, e.dataset, a->split, a->limit, &s->config,
                                  call->comm->size > 1, &s->survey, &call->err));
        e.observer = tsr_survey_observer(s->survey);
    }
    if (s->model) return cli_evaluate(&e, &s->result, &call->err);
    TSR_TRY(cli_evaluate_baseline(&e, a->common.seed, &o->baseline, &call->err));
    s->result = o->baseline.result;
    return TSR_OK;
}

static enum tsr_status evaluate(struct cli_call *call, struct outcome *o) {
    const struct eval_args *a = call->args;
    const struct cli_subject *m = &o->found.subject[0];
    struct cli_evaluation e = {.model = m->model,
                               .dataset = o->found.dataset,
                               .split = a->split,
                               .config = &m->config,
                               .quiet = a->common.quiet};
    for (size_t i = 0; i < o->found.n; i++) {
        enum tsr_status status = evaluate_subject(call, o, i);
        if (status != TSR_OK && i > 0 && m[i].model) tsr_error_prefix(&call->err, "%s", m[i].name);
        TSR_TRY(status);
    }
    e.limit = a->transfer;
    if (e.limit) TSR_TRY(cli_evaluate_transfer(&e, &o->found.transfer, &call->err));
    e.limit = a->reach;
    if (e.limit) TSR_TRY(cli_evaluate_reach(&e, a->common.seed, &o->found.reach, &call->err));
    return TSR_OK;
}

static enum tsr_status write_report(const struct cli_call *call, const struct outcome *o,
                                    struct tsr_error *err) {
    const struct cli_report about = {.command = call->line,
                                     .model_path = o->model_path,
                                     .split = o->args->split,
                                     .seconds = tsr_seconds() - o->start,
                                     .config = json_config,
                                     .figures = json_figures,
                                     .user = o,
                                     .params_per_value = params_per_value(o)};
    return cli_report_write(&o->found, &about, o->args->report, err);
}

static enum tsr_status write_all(struct cli_call *call, const struct outcome *o) {
    const struct eval_args *a = o->args;
    struct tsr_error *err = &call->err;
    if (call->comm->rank > 0) return TSR_OK;
    if (!a->json || !cli_is_stdout(a->json)) {
        print_table(o);
        if (a->by_region) cli_findings_print(&o->found);
        TSR_TRY(cli_findings_print_rest(&o->found, err));
    }
    if (a->json) TSR_TRY(write_json(o, err));
    if (a->csv) TSR_TRY(cli_findings_csv_regions(&o->found, a->csv, err));
    if (a->image_csv) TSR_TRY(cli_findings_csv_images(&o->found, a->image_csv, err));
    if (a->report) TSR_TRY(write_report(call, o, err));
    return TSR_OK;
}

static enum tsr_status files(struct cli_call *call) {
    const struct eval_args *a = call->args;
    char *list;
    enum tsr_status status = TSR_OK;
    if (!a->compare) return TSR_OK;
    TSR_TRY(copy_list(a->compare, &list, &call->err));
    for (char *path = list, *next; path && status == TSR_OK; path = next) {
        next = cut(path);
        status =
            *path ? cli_files_reads(call, path)
                  : TSR_ERROR(&call->err, TSR_ERR_CONFIG,
                              "--compare \"%s\": a path between two commas is empty", a->compare);
    }
    free(list);
    return status;
}

/* Options that a dataset, or image files, have no use for. */
static enum tsr_status check_options(const struct cli_call *call, bool image_files,
                                     struct tsr_error *err) {
    static const char *const of_datasets[] = {
        "split",     "images",  "images-layout", "images-range", "ignore-label",
        "baseline",  "compare", "linear-limit",  "reach",        "transfer",
        "by-region", "report",  "csv",           "image-csv",    NULL};
    static const char *const of_files[] = {"background", "strict", "isolate", NULL};
    for (const char *const *name = image_files ? of_datasets : of_files; *name; name++)
        if (cli_given(call, *name))
            return TSR_ERROR(err, TSR_ERR_CONFIG, "--%s is for %s, and %s", *name,
                             image_files ? "a dataset" : "image files",
                             image_files ? "image files are given: `tessera pack` makes it of them"
                                         : "a dataset is given");
    return TSR_OK;
}

/* What several processes do not do together. */
static enum tsr_status check_shared(const struct cli_call *call, bool image_files,
                                    struct tsr_error *err) {
    static const char *const alone[] = {"report", "reach", "transfer", NULL};
    if (call->comm->size == 1) return TSR_OK;
    if (image_files)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "image files are for one process, and %zu were started; a dataset is "
                         "shared among several",
                         call->comm->size);
    for (const char *const *name = alone; *name; name++)
        if (cli_given(call, *name))
            return TSR_ERROR(err, TSR_ERR_CONFIG, "--%s is for one process, and %zu were started",
                             *name, call->comm->size);
    return TSR_OK;
}

static enum tsr_status run_dataset(struct cli_call *call, struct outcome *o) {
    TSR_TRY(check_options(call, false, &call->err));
    TSR_TRY(tsr_comm_agree(call->comm, load(call, o), &call->err));
    cli_signals_catch();
    TSR_TRY(evaluate(call, o));
    call->phase = CLI_RUNNING;
    return write_all(call, o);
}

static enum tsr_status write_file_figures(const struct outcome *o, struct tsr_error *err) {
    const char *json = o->args->json;
    if (!json || !cli_is_stdout(json)) print_table(o);
    return json ? write_json(o, err) : TSR_OK;
}

/* What was left out is told by the status, figures are of the others. */
static enum tsr_status evaluate_files(struct cli_call *call, struct outcome *o,
                                      struct cli_images *images) {
    const struct eval_args *a = o->args;
    struct cli_subject *m = &o->found.subject[0];
    struct cli_files_evaluation e = {.model = m->model,
                                     .config = &m->config,
                                     .images = images,
                                     .as.channels = m->model->net.out_dim,
                                     .strict = a->strict,
                                     .quiet = a->common.quiet};
    TSR_TRY(tsr_colour_parse(a->background, &e.as.background, &call->err));
    TSR_TRY(cli_images_list(call->operands + 1, call->n_operands - 1, NULL, images, &call->err));
    size_t all = images->n;
    cli_images_limit(images, a->limit);
    enum tsr_status status = cli_evaluate_files(call, &e, &m->result);
    if (m->result.images == 0) return status;
    m->result.of = all;
    struct tsr_error err = {0};
    enum tsr_status written = write_file_figures(o, &err);
    if (written != TSR_OK) call->err = err;
    return written == TSR_OK ? status : written;
}

static enum tsr_status run_files(struct cli_call *call, struct outcome *o) {
    struct cli_images images = {0};
    struct cli_subject *m = &o->found.subject[0];
    TSR_TRY(check_options(call, true, &call->err));
    TSR_TRY(configure(call, m->model, &m->config));
    TSR_TRY(cli_rule_override(call, &o->args->rule, (struct cli_classes){.n = 1}, m->model,
                              &call->err));
    if (tsr_partition_rule_is(&m->model->config.partition, &tsr_rule_labels))
        return TSR_ERROR(&call->err, TSR_ERR_CONFIG,
                         "rule labels: image files have no label maps; pack them with --labels");
    if (m->model->net.out_dim != 1 && m->model->net.out_dim != 3)
        return TSR_ERROR(&call->err, TSR_ERR_SHAPE, "%s: its networks have %zu outputs, not 1 or 3",
                         o->model_path, m->model->net.out_dim);
    o->from = call->operands[1];
    o->found.n = 1;
    cli_signals_catch();
    enum tsr_status status = evaluate_files(call, o, &images);
    cli_images_clear(&images);
    return status;
}

static enum tsr_status run(struct cli_call *call) {
    struct outcome o = {
        .args = call->args, .model_path = call->operands[0], .start = tsr_seconds()};
    struct tsr_model *model = NULL;
    bool image_files = call->n_operands > 2 || cli_holds_images(call->operands[1]);
    enum tsr_status status;
    TSR_CHECK(check_shared(call, image_files, &call->err));
    TSR_CHECK(tsr_comm_agree(call->comm, tsr_model_load(call->operands[0], &model, &call->err),
                             &call->err));
    o.found.subject[0] = (struct cli_subject){.name = "model", .model = model};
    TSR_CHECK(image_files ? run_files(call, &o) : run_dataset(call, &o));
done:
    tsr_dataset_close(o.found.dataset);
    cli_findings_clear(&o.found);
    free(o.compared);
    tsr_model_free(model);
    return status;
}

const struct cli_command cli_eval = {
    .name = "eval",
    .group = "models",
    .summary = "PSNR and SSIM of a model after every inner step",
    .operands = "[M.h5] D.h5|FOLDER|IMAGE...",
    .about =
        "Adapts the model to each image of a split, or to image files at their own sizes\n"
        "(folders are searched as by `tessera pack`), and prints, for k = 0 to K inner steps,\n"
        "the means over the images of PSNR (dB, peak 1, from the unclipped output), SSIM (of the\n"
        "8-bit image) and the seam metric (mean jump of the error across borders of regions,\n"
        "divided by that inside regions: 1 is no seam), tab-separated, then sizes and times.",
    .options = options,
    .args_size = sizeof(struct eval_args),
    .defaults = defaults,
    .min_operands = 2,
    .max_operands = SIZE_MAX,
    .first_operand = CLI_READS_HDF5,
    .operand = CLI_READS_HDF5,
    .built_in = AT(preset),
    .shared = true,
    .files = files,
    .run = run,
};
