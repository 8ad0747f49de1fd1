/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/evaluation.h"
#include "cli/options.h"
#include "cli/outputs.h"
#include "cli/panel.h"
#include "cli/paths.h"
#include "cli/progress.h"
#include "cli/signals.h"
#include "cli/train_view.h"
#include "data/h5.h"
#include "data/pack.h"
#include "image/inr.h"

#define CELL 22 /* pixels; the tiles are 8 cells high and wide */
#define TILE (8 * CELL)
#define MAX_PHOTOS 8
#define THUMB_HEIGHT 240
#define THUMB_WIDTH 320

struct demo_args {
    struct cli_common common;
    const char *output, *samples;
    double seconds;
};

static void defaults(void *args) {
    struct demo_args *a = args;
    a->output = "demo";
    a->seconds = 75;
}

#define AT(member) offsetof(struct demo_args, member)

static const struct cli_option options[] = {
    {.name = "output",
     .alias = 'o',
     .metavar = "DIR",
     .type = CLI_STRING,
     .file = CLI_WRITES_FOLDER,
     .at = AT(output),
     .help = "folder for dataset, model and pictures"},
    {.name = "samples",
     .metavar = "DIR",
     .type = CLI_STRING,
     .file = CLI_READS_FOLDER,
     .at = AT(samples),
     .shown = "data/sample, else what is installed",
     .help = "folder with photos in train, val and test"},
    {.name = "time",
     .metavar = "TIME",
     .type = CLI_DURATION,
     .at = AT(seconds),
     .positive = true,
     .max = 1e9,
     .help = "how long to train"},
    {.type = CLI_END},
};

struct demo {
    struct cli_call *call;
    const struct demo_args *args;
    char *samples, *dataset, *model_path, *sheet_path, *test_folder; /* owned */
    struct tsr_model *model;
    char *photos[MAX_PHOTOS]; /* owned paths */
    size_t n_photos;
    struct cli_sheet sheet;
};

static void say(const struct demo *d, const char *text) {
    (void)fflush(stdout);
    if (!d->args->common.quiet) (void)fprintf(stderr, "\n== %s\n", text);
}

/* ---- the dataset ----------------------------------------------------------------------------- */

static int pack_progress(void *user, size_t done, size_t total) {
    (void)user, (void)done, (void)total;
    return cli_interrupted();
}

static enum tsr_status pack(struct demo *d) {
    struct tsr_pack_config config;
    struct tsr_pack_report r;
    const struct tsr_pack_callbacks callbacks = {.progress = pack_progress};
    tsr_pack_config_default(&config);
    config.height = config.width = TILE;
    config.fit = TSR_FIT_TILE;
    config.seed = d->args->common.seed;
    config.threads = d->args->common.threads;
    config.command = d->call->line;
    say(d, "pack: the sample photos, cut into tiles");
    TSR_TRY(tsr_pack(&config, (const char *const *)&d->samples, 1, d->dataset, &callbacks, &r,
                     &d->call->err));
    (void)printf("%s: %zu tiles of %dx%d (%zu train, %zu val, %zu test) from %zu photos\n",
                 d->dataset, r.images, TILE, TILE, r.per_split[0], r.per_split[1], r.per_split[2],
                 r.sources - r.skipped);
    return TSR_OK;
}

/* ---- the model ------------------------------------------------------------------------------- */

static enum tsr_status train_on(struct demo *d, struct tsr_dataset *dataset) {
    struct tsr_model_config model;
    struct tsr_trainer_config config;
    struct tsr_training *training;
    struct cli_data data = cli_data_of(dataset);
    struct tsr_error *err = &d->call->err;
    tsr_model_config_default(&model);
    tsr_trainer_config_default(&config);
    model.partition = (struct tsr_partition_rule){.rule = TSR_RULE(cell, CELL, CELL)};
    config.outer_lr = 3e-3; /* a run of a minute bears more than the defaults */
    config.rates_lr = 0.05;
    config.seconds = d->args->seconds;
    config.seed = d->args->common.seed;
    config.threads = d->args->common.threads;
    config.output = d->model_path;
    config.command = d->call->line;
    TSR_TRY(tsr_training_create(&model, &config, dataset, NULL, &training, err));
    if (!d->args->common.quiet) cli_training_table(training, &data, stderr);
    const struct cli_train_outputs none = {NULL, NULL};
    enum tsr_status status = cli_training_run(training, d->args->common.quiet, &none, err);
    const struct tsr_trainer_progress *p = tsr_training_state(training);
    if (status == TSR_OK)
        (void)printf("%s: %llu outer steps in %.0f s\n", d->model_path,
                     (unsigned long long)p->outer_step, p->seconds);
    tsr_training_free(training);
    return status;
}

static enum tsr_status train(struct demo *d) {
    struct tsr_dataset *dataset;
    say(d, "train: initial weights of one small network for all cells");
    TSR_TRY(tsr_dataset_open(d->dataset, &dataset, &d->call->err));
    enum tsr_status status = train_on(d, dataset);
    tsr_dataset_close(dataset);
    return status;
}

static void print_comparison(const struct tsr_evaluation *learned, const struct tsr_baseline *b) {
    (void)printf("#k\tlearned_psnr_db\trandom_psnr_db\n");
    for (size_t k = 0; k <= learned->inner_steps; k++)
        (void)printf("%zu\t%.2f\t%.2f\n", k, learned->psnr_db[k], b->result.psnr_db[k]);
    size_t last = learned->inner_steps;
    (void)printf("%zu tiles of photos never seen, %zu inner steps, %.2f parameters for each pixel "
                 "value:\n%.2f dB from learned initial weights, %.2f dB from random ones at their "
                 "best rate (%g, chosen on %s)\n",
                 learned->images, last, (double)learned->params_per_image / (TILE * TILE * 3),
                 learned->psnr_db[last], b->result.psnr_db[last], b->rate,
                 tsr_split_name(b->chosen_on));
}

static enum tsr_status evaluate(struct demo *d) {
    struct tsr_dataset *dataset = NULL;
    struct tsr_evaluation learned = {0};
    struct tsr_baseline baseline = {0};
    struct tsr_reconstruct_config config;
    struct tsr_error *err = &d->call->err;
    enum tsr_status status;
    say(d, "eval: held-out tiles, against random initial weights");
    TSR_CHECK(tsr_model_load(d->model_path, &d->model, err));
    TSR_CHECK(tsr_dataset_open(d->dataset, &dataset, err));
    tsr_reconstruct_config_default(d->model, &config);
    config.threads = d->args->common.threads;
    const struct cli_evaluation e = {.model = d->model,
                                     .dataset = dataset,
                                     .split = TSR_SPLIT_TEST,
                                     .config = &config,
                                     .quiet = d->args->common.quiet};
    TSR_CHECK(cli_evaluate(&e, &learned, err));
    TSR_CHECK(cli_evaluate_baseline(&e, d->args->common.seed, &baseline, err));
    print_comparison(&learned, &baseline);
done:
    tsr_evaluation_clear(&learned);
    tsr_evaluation_clear(&baseline.result);
    tsr_dataset_close(dataset);
    return status;
}

/* ---- the pictures ---------------------------------------------------------------------------- */

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The images of the folder test, sorted by name. */
static enum tsr_status find_photos(struct demo *d) {
    struct tsr_image image;
    DIR *folder = opendir(d->test_folder);
    if (!folder)
        return TSR_ERROR(&d->call->err, TSR_ERR_IO, "%s: %s", d->test_folder, strerror(errno));
    for (struct dirent *entry; d->n_photos < MAX_PHOTOS && (entry = readdir(folder));) {
        char *path = entry->d_name[0] == '.' ? NULL : cli_join(d->test_folder, entry->d_name, "");
        if (path && tsr_image_probe(path, &image, NULL) == TSR_OK && image.height >= CELL &&
            image.width >= CELL)
            d->photos[d->n_photos++] = path;
        else
            free(path);
    }
    (void)closedir(folder);
    qsort(d->photos, d->n_photos, sizeof *d->photos, by_name);
    return TSR_OK;
}

/* A photo and its reconstructions. */
struct showing {
    struct tsr_image photo;
    struct tsr_inr *inr;
    struct tsr_reconstructor *reconstructor;
    double *psnr_db;   /* [K+1] */
    uint8_t *pictures; /* [K+1, H, W, C] */
    double seconds;
};

static void clear_showing(struct showing *s) {
    tsr_image_clear(&s->photo);
    tsr_inr_free(s->inr);
    tsr_reconstructor_free(s->reconstructor);
    free(s->psnr_db);
    free(s->pictures);
}

static enum tsr_status reconstruct(struct demo *d, const char *path, struct showing *s) {
    struct tsr_reconstruct_config config;
    struct tsr_error *err = &d->call->err;
    void *p;
    tsr_reconstruct_config_default(d->model, &config);
    config.threads = d->args->common.threads;
    config.watch.cancelled = cli_cancelled;
    const struct tsr_image_as as = {.channels = d->model->net.out_dim, .background = TSR_WHITE};
    TSR_TRY(tsr_image_read(path, &as, &s->photo, err));
    size_t height = s->photo.height, width = s->photo.width, states = config.inner_steps + 1;
    TSR_TRY(tsr_reconstructor_create(d->model, &config, height, width, &s->reconstructor, err));
    TSR_TRY(tsr_inr_create(&d->model->config, height, width, &s->inr, err));
    tsr_inr_share(s->inr, d->model);
    TSR_TRY(tsr_alloc(&p, states, sizeof(double), "PSNR", err));
    s->psnr_db = p;
    TSR_TRY(tsr_alloc(&p, states, height * width * s->photo.channels, "pictures", err));
    s->pictures = p;
    struct tsr_reconstruction result = {.psnr_db = s->psnr_db,
                                        .phi = s->inr->phi,
                                        .numbers = s->inr->numbers,
                                        .pictures = s->pictures};
    TSR_TRY(tsr_reconstruct(s->reconstructor, TSR_BYTES(s->photo.pixels), &result, err));
    s->seconds = result.seconds;
    return TSR_OK;
}

static struct cli_panel panel_of(const struct demo *d, const struct showing *s) {
    return (struct cli_panel){.image = &s->photo,
                              .inner_steps = d->model->config.inner_steps,
                              .pictures = s->pictures,
                              .psnr_db = s->psnr_db};
}

static enum tsr_status write_photo(struct demo *d, const char *name, const struct showing *s) {
    struct tsr_error *err = &d->call->err;
    const struct cli_panel panel = panel_of(d, s);
    enum tsr_status status = TSR_OK;
    char *inr = cli_join(d->args->output, name, ".inr.h5");
    char *png = cli_join(d->args->output, name, ".png");
    if (!inr || !png) status = TSR_ERROR(err, TSR_ERR_NO_MEMORY, "no memory for paths");
    TSR_CHECK(status);
    TSR_CHECK(tsr_inr_save(s->inr, inr, err));
    TSR_CHECK(cli_panel_write(png, name, &panel, err));
done:
    free(inr);
    free(png);
    return status;
}

static enum tsr_status show_photo(struct demo *d, size_t i) {
    struct showing s = {0};
    size_t last = d->model->config.inner_steps;
    enum tsr_status status;
    char *name = cli_stem(d->photos[i]);
    if (!name) return TSR_ERROR(&d->call->err, TSR_ERR_NO_MEMORY, "no memory for a name");
    TSR_CHECK(reconstruct(d, d->photos[i], &s));
    TSR_CHECK(write_photo(d, name, &s));
    const struct cli_panel panel = panel_of(d, &s);
    TSR_CHECK(cli_panel_put(&d->sheet, i * d->sheet.cols, name, &panel, &d->call->err));
    (void)printf("%s/%s.png: %zux%zu, %.2f dB after %zu inner steps, %.0f ms\n", d->args->output,
                 name, s.photo.height, s.photo.width, s.psnr_db[last], last, 1e3 * s.seconds);
done:
    clear_showing(&s);
    free(name);
    return status;
}

static enum tsr_status show(struct demo *d) {
    struct tsr_error *err = &d->call->err;
    say(d, "adapt: photos never seen, in three inner steps");
    TSR_TRY(find_photos(d));
    if (d->n_photos == 0) return TSR_OK;
    TSR_TRY(cli_sheet_create(&d->sheet, d->n_photos, cli_panel_places(d->model->config.inner_steps),
                             THUMB_HEIGHT, THUMB_WIDTH, err));
    for (size_t i = 0; i < d->n_photos; i++) {
        TSR_TRY(show_photo(d, i));
        if (cli_interrupted()) return TSR_ERROR(err, TSR_ERR_INTERRUPTED, "interrupted");
    }
    TSR_TRY(tsr_image_write_png(d->sheet_path, &d->sheet.canvas, err));
    (void)printf("%s: all of them, with the error after the last step\n", d->sheet_path);
    return TSR_OK;
}

/* ---- the command ----------------------------------------------------------------------------- */

static enum tsr_status name_files(struct demo *d) {
    static const char *const here = "data/sample";
    const char *given = d->args->samples ? d->args->samples : cli_is_folder(here) ? here : NULL;
    d->samples = given ? cli_join("", given, "") : cli_installed("sample");
    if (!d->samples)
        return TSR_ERROR(&d->call->err, TSR_ERR_IO,
                         "the sample photos are neither in %s nor where they are installed; name "
                         "their folder with --samples",
                         here);
    d->dataset = cli_join(d->args->output, "photos", ".h5");
    d->model_path = cli_join(d->args->output, "model", ".h5");
    d->sheet_path = cli_join(d->args->output, "demo", ".png");
    d->test_folder = cli_join(d->samples, "test", "");
    if (!d->dataset || !d->model_path || !d->sheet_path || !d->test_folder)
        return TSR_ERROR(&d->call->err, TSR_ERR_NO_MEMORY, "no memory for paths");
    return TSR_OK;
}

/* Is the file there, and did a demo make it? */
static bool is_demo(const char *path) {
    char command[4096] = "";
    struct tsr_h5 *f;
    if (tsr_h5_open(path, &f, NULL) != TSR_OK) return false;
    bool known = tsr_h5_has_attr(f, "/", "command") &&
                 tsr_h5_read_attr_str(f, "/", "command", command, sizeof command, NULL) == TSR_OK;
    tsr_h5_close(f);
    return known && (strstr(command, "tessera demo") || strstr(command, "tessera' demo"));
}

static enum tsr_status tell_pictures(struct demo *d, const char *photo) {
    char *stem = cli_stem(photo);
    char *inr = stem ? cli_join(d->args->output, stem, ".inr.h5") : NULL;
    char *png = stem ? cli_join(d->args->output, stem, ".png") : NULL;
    enum tsr_status status =
        inr && png ? cli_files_writes(d->call, inr, CLI_WRITES_HDF5)
                   : TSR_ERROR(&d->call->err, TSR_ERR_NO_MEMORY, "no memory for paths");
    if (status == TSR_OK) status = cli_files_writes(d->call, png, CLI_WRITES_PNG);
    free(stem);
    free(inr);
    free(png);
    return status;
}

static enum tsr_status tell_files(struct demo *d) {
    struct cli_call *call = d->call;
    call->phase = CLI_READING;
    TSR_TRY(name_files(d));
    TSR_TRY(cli_check_input(d->samples, &call->err));
    TSR_TRY(find_photos(d));
    call->phase = CLI_RUNNING;
    TSR_TRY(cli_files_folder(call, d->args->output));
    TSR_TRY(cli_files_writes(call, d->dataset, CLI_WRITES_HDF5));
    TSR_TRY(cli_files_writes(call, d->model_path, CLI_WRITES_HDF5));
    TSR_TRY(cli_files_writes(call, d->sheet_path, CLI_WRITES_PNG));
    for (size_t i = 0; i < d->n_photos; i++)
        TSR_TRY(tell_pictures(d, d->photos[i]));
    /* A demo may be run again where one was. */
    if (is_demo(d->dataset) &&
        (is_demo(d->model_path) || cli_check_input(d->model_path, NULL) != TSR_OK))
        cli_files_replaces(call);
    return TSR_OK;
}

static enum tsr_status run_all(struct demo *d) {
    d->call->phase = CLI_RUNNING;
    TSR_TRY(name_files(d));
    TSR_TRY(pack(d));
    TSR_TRY(train(d));
    TSR_TRY(evaluate(d));
    return show(d);
}

static void clear_demo(struct demo *d) {
    cli_sheet_clear(&d->sheet);
    tsr_model_free(d->model);
    for (size_t i = 0; i < d->n_photos; i++)
        free(d->photos[i]);
    free(d->samples);
    free(d->dataset);
    free(d->model_path);
    free(d->sheet_path);
    free(d->test_folder);
}

static enum tsr_status files(struct cli_call *call) {
    struct demo d = {.call = call, .args = call->args};
    enum tsr_status status = tell_files(&d);
    clear_demo(&d);
    return status;
}

static enum tsr_status run(struct cli_call *call) {
    struct demo d = {.call = call, .args = call->args};
    enum tsr_status status = run_all(&d);
    clear_demo(&d);
    return status;
}

const struct cli_command cli_demo = {
    .name = "demo",
    .group = "about",
    .summary = "the whole chain on the sample photos, with pictures",
    .operands = "",
    .about = "Packs the sample photos, meta-trains for a minute or so, compares with random\n"
             "initial weights on photos never seen, and writes pictures of their\n"
             "reconstructions: DIR/demo.png shows all.",
    .options = options,
    .args_size = sizeof(struct demo_args),
    .defaults = defaults,
    .files = files,
    .run = run,
};
