/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/version.h"
#include "cli/evaluation.h"
#include "cli/json.h"
#include "cli/optimizer_options.h"
#include "cli/options.h"
#include "cli/paths.h"
#include "cli/rule.h"
#include "cli/settings.h"
#include "cli/signals.h"
#include "cli/train_view.h"
#include "cli/view_options.h"
#include "data/file.h"

struct eval_args {
    struct cli_common common;
    enum tsr_split split;
    size_t limit;
    size_t inner_steps;
    struct tsr_choice optimizer;
    struct cli_view view;
    struct cli_rule rule;
    const char *baseline, *kernel, *json;
};

static void defaults(void *args) {
    struct eval_args *a = args;
    a->split = TSR_SPLIT_TEST;
    a->optimizer = tsr_choice_of(tsr_optimizers.object[0]);
    a->kernel = "auto";
}

static enum tsr_status check_baseline(const char *text, struct tsr_error *err) {
    if (strcmp(text, "random") == 0) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_CONFIG, "\"%s\" is not a baseline; random is", text);
}

#define AT(member) offsetof(struct eval_args, member)

static const struct cli_option options[] = {
    {.name = "images", .type = CLI_HEADING},
    {.name = "split",
     .metavar = "SPLIT",
     .type = CLI_ENUM,
     .names = &tsr_split_names,
     .at = AT(split),
     .help = "images to evaluate on"},
    {.name = "limit",
     .metavar = "N",
     .type = CLI_SIZE,
     .at = AT(limit),
     .help = "at most N images, evenly spread over the split; 0: all"},
    CLI_VIEW_OPTIONS(struct eval_args, view, CLI_VIEW_IN_FILE),

    {.name = "inner loop", .type = CLI_HEADING},
    {.name = "inner-steps",
     .metavar = "K",
     .type = CLI_SIZE,
     .at = AT(inner_steps),
     .max = 1000000,
     .shown = "the model's",
     .help = "may exceed the model's: its last rates repeat"},
    CLI_OPTIMIZER_OPTIONS(struct eval_args, optimizer),

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
    const struct tsr_model *model; /* with the partition in use */
    const struct eval_args *args;
    const struct tsr_reconstruct_config *config;
    struct tsr_dataset *dataset;
    struct cli_data data;
    const char *model_path;
    struct tsr_evaluation result;
    struct tsr_baseline baseline; /* if asked for */
};

static double params_per_value(const struct outcome *o) {
    return o->result.params_per_image / (double)(o->data.height * o->data.width * o->data.channels);
}

static void print_table(const struct outcome *o) {
    const struct tsr_evaluation *e = &o->result, *b = &o->baseline.result;
    bool baseline = o->args->baseline != NULL;
    (void)printf("#k\tpsnr_db\tpsnr_db_std\tssim\tseam%s\n",
                 baseline ? "\trandom_psnr_db\trandom_ssim" : "");
    for (size_t k = 0; k <= e->inner_steps; k++) {
        (void)printf("%zu\t%.3f\t%.3f\t%.4f\t%.3f", k, e->psnr_db[k], e->psnr_db_std[k], e->ssim[k],
                     e->seam[k]);
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

static void json_config(struct cli_json *j, const struct outcome *o) {
    const struct tsr_kernel *kernel = NULL;
    cli_json_open(j, "config", '{');
    cli_json_string(j, "version", tsr_version());
    cli_json_string(j, "model", o->model_path);
    cli_json_string(j, "dataset", o->data.path);
    cli_json_string(j, "split", tsr_split_name(o->args->split));
    cli_json_integer(j, "limit", o->args->limit);
    cli_json_integer(j, "height", o->data.height);
    cli_json_integer(j, "width", o->data.width);
    cli_json_integer(j, "channels", o->data.channels);
    cli_json_model(j, &o->model->config);
    cli_json_choice(j, "inner_optimizer", &o->config->optimizer);
    if (tsr_kernel_find(o->config->kernel, &kernel, NULL) == TSR_OK)
        cli_json_string(j, "kernel", kernel->name);
    cli_json_integer(j, "threads", tsr_thread_count(o->config->threads));
    cli_json_integer(j, "seed", o->args->common.seed);
    cli_json_close(j, '}');
}

static void json_regions(struct cli_json *j, const struct outcome *o) {
    const struct tsr_evaluation *e = &o->result;
    bool classes = tsr_partition_rule_is(&o->model->config.partition, &tsr_rule_labels);
    cli_json_open(j, "regions", '[');
    for (size_t r = 0; r < e->n_regions; r++) {
        cli_json_open(j, NULL, '{');
        cli_json_integer(j, "region", r);
        cli_json_integer(j, "slot", e->region_slot[r]);
        if (classes && r < tsr_dataset_label_count(o->dataset))
            cli_json_string(j, "class", tsr_dataset_label_name(o->dataset, r));
        cli_json_integer(j, "images", e->region_images[r]);
        cli_json_number(j, "pixels", e->region_pixels[r]);
        cli_json_numbers(j, "psnr_db", e->region_psnr_db + r * (e->inner_steps + 1),
                         e->inner_steps + 1);
        cli_json_close(j, '}');
    }
    cli_json_close(j, ']');
}

static void json_figures(struct cli_json *j, const struct tsr_evaluation *e) {
    cli_json_integer(j, "images", e->images);
    cli_json_integer(j, "images_of_split", e->of);
    cli_json_integer(j, "inner_steps", e->inner_steps);
    cli_json_numbers(j, "psnr_db", e->psnr_db, e->inner_steps + 1);
    cli_json_numbers(j, "psnr_db_std", e->psnr_db_std, e->inner_steps + 1);
    cli_json_numbers(j, "ssim", e->ssim, e->inner_steps + 1);
    cli_json_integer(j, "not_finite_images", e->not_finite);
    cli_json_number(j, "seconds_per_image", e->seconds_per_image);
    if (e->map_seconds_per_image > 0)
        cli_json_number(j, "map_seconds_per_image", e->map_seconds_per_image);
    cli_json_numbers(j, "seam", e->seam, e->inner_steps + 1);
    cli_json_number(j, "params_per_image", e->params_per_image);
    cli_json_number(j, "flops_per_image", e->flops_per_image);
}

static void json_baseline(struct cli_json *j, const struct tsr_baseline *b) {
    cli_json_open(j, "baseline", '{');
    cli_json_string(j, "kind", "random");
    cli_json_number(j, "rate", b->rate);
    cli_json_string(j, "rate_chosen_on", tsr_split_name(b->chosen_on));
    cli_json_integer(j, "rate_chosen_on_images", b->chosen_on_images);
    cli_json_numbers(j, "rates_tried", tsr_baseline_rates, tsr_baseline_n_rates);
    json_figures(j, &b->result);
    cli_json_close(j, '}');
}

static enum tsr_status write_json(const struct outcome *o, struct tsr_error *err) {
    struct cli_json j = {0};
    cli_json_open(&j, NULL, '{');
    json_figures(&j, &o->result);
    cli_json_number(&j, "params_per_value", params_per_value(o));
    json_regions(&j, o);
    json_config(&j, o);
    if (o->args->baseline) json_baseline(&j, &o->baseline);
    cli_json_close(&j, '}');
    return cli_json_write(&j, o->args->json, err);
}

/* ---- the command ----------------------------------------------------------------------------- */

static enum tsr_status configure(struct cli_call *call, struct tsr_dataset *dataset,
                                 struct tsr_model *model, struct tsr_reconstruct_config *config) {
    const struct eval_args *a = call->args;
    tsr_reconstruct_config_default(model, config);
    if (cli_given(call, "inner-steps")) config->inner_steps = a->inner_steps;
    cli_optimizer_apply(call, &a->optimizer, model, config->inner_steps, &config->optimizer);
    config->ssim = config->seam = true;
    config->threads = a->common.threads;
    config->kernel = a->kernel;
    config->watch.cancelled = cli_cancelled;
    size_t classes = tsr_dataset_has_labels(dataset) ? tsr_dataset_label_count(dataset) : 1;
    TSR_TRY(cli_rule_override(call, &a->rule, classes, model, &call->err));
    return tsr_reconstruct_config_check(config, &call->err);
}

static enum tsr_status evaluate(struct cli_call *call, struct tsr_dataset *dataset,
                                struct outcome *o) {
    const struct eval_args *a = call->args;
    const struct cli_evaluation e = {.model = o->model,
                                     .dataset = dataset,
                                     .split = a->split,
                                     .limit = a->limit,
                                     .config = o->config,
                                     .quiet = a->common.quiet};
    TSR_TRY(cli_evaluate(&e, &o->result, &call->err));
    if (!a->baseline) return TSR_OK;
    return cli_evaluate_baseline(&e, a->common.seed, &o->baseline, &call->err);
}

static enum tsr_status run(struct cli_call *call) {
    struct eval_args *a = call->args;
    struct tsr_model *model = NULL;
    struct tsr_dataset *dataset = NULL;
    struct tsr_reconstruct_config config;
    struct outcome o = {.args = a, .config = &config, .model_path = call->operands[0]};
    enum tsr_status status;
    bool to_file = a->json && !cli_is_stdout(a->json);
    const struct tsr_view_options view = cli_view_take(&a->view);
    TSR_CHECK(tsr_model_load(call->operands[0], &model, &call->err));
    TSR_CHECK(tsr_dataset_open_as(call->operands[1], &view, &dataset, &call->err));
    o.data = cli_data_of(dataset);
    TSR_CHECK(configure(call, dataset, model, &config));
    o.model = model;
    o.dataset = dataset;
    cli_signals_catch();
    TSR_CHECK(evaluate(call, dataset, &o));
    call->phase = CLI_RUNNING;
    if (!a->json || to_file) print_table(&o);
    if (a->json) TSR_CHECK(write_json(&o, &call->err));
done:
    tsr_evaluation_clear(&o.result);
    tsr_evaluation_clear(&o.baseline.result);
    tsr_dataset_close(dataset);
    tsr_model_free(model);
    return status;
}

const struct cli_command cli_eval = {
    .name = "eval",
    .group = "models",
    .summary = "PSNR and SSIM of a model after every inner step",
    .operands = "M.h5 D.h5",
    .about =
        "Adapts the model to each image of a split and prints, for k = 0 to K inner steps,\n"
        "the means over the images of PSNR (dB, peak 1, from the unclipped output), SSIM (of the\n"
        "8-bit image) and the seam metric (mean jump of the error across borders of regions,\n"
        "divided by that inside regions: 1 is no seam), tab-separated, then sizes and times.",
    .options = options,
    .args_size = sizeof(struct eval_args),
    .defaults = defaults,
    .min_operands = 2,
    .max_operands = 2,
    .first_operand = CLI_READS_HDF5,
    .operand = CLI_READS_HDF5,
    .run = run,
};
