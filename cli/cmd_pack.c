/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "cli/isolate.h"
#include "cli/options.h"
#include "cli/outputs.h"
#include "cli/paths.h"
#include "cli/progress.h"
#include "cli/shown.h"
#include "cli/signals.h"
#include "cli/view_options.h"
#include "data/dataset.h"
#include "data/listing.h"
#include "data/pack.h"
#include "image/regions.h"

struct pack_args {
    struct cli_common common;
    const char *output, *background;
    size_t size[2], deflate;
    struct cli_view view;
    struct tsr_partition_rule rule; /* that finds the label maps to store */
    char rule_text[64];
    const char *split_list, *label_values;
    uint16_t values[256];
    struct cli_ignored ignored;
    char split_lists[8192]; /* a copy, cut into its paths */
    bool isolate;
    struct tsr_pack_config config;
};

static void defaults(void *args) {
    struct pack_args *a = args;
    tsr_pack_config_default(&a->config);
    a->deflate = (size_t)a->config.deflate;
    a->background = "white";
}

#define AT(member) offsetof(struct pack_args, member)

/* Rules that find the regions in the pixels. */
static bool finds_regions(const struct tsr_object *object) {
    const struct tsr_partition_rule rule = {.rule = tsr_choice_of(object)};
    return tsr_rule_finds_regions(&rule);
}

static const struct cli_option options[] = {
    {.name = "output",
     .alias = 'o',
     .metavar = "D.h5",
     .type = CLI_STRING,
     .file = CLI_WRITES_HDF5,
     .at = AT(output),
     .required = true,
     .help = "the dataset to write"},
    {.name = "size",
     .metavar = "HxW",
     .type = CLI_PAIR,
     .at = AT(size),
     .min = 1,
     .max = TSR_IMAGE_MAX_SIDE,
     .shown = "of arrays theirs",
     .help = "height and width of the stored images; needed unless all sources are arrays"},
    {.name = "fit",
     .metavar = "HOW",
     .type = CLI_ENUM,
     .names = &tsr_fit_names,
     .at = AT(config.fit),
     .help =
         "centre crop; scale the shorter side, then crop; scale both sides; cut disjoint tiles"},
    {.name = "channels",
     .metavar = "1|3",
     .type = CLI_SIZE,
     .at = AT(config.channels),
     .min = 1,
     .max = 3,
     .shown = "3, of grey arrays 1",
     .help = "grey or RGB"},
    CLI_BACKGROUND(AT(background)),
    CLI_ISOLATE(AT(isolate)),
    CLI_VIEW_OPTIONS(struct pack_args, view,
                     "of HDF5 and .npz files, the arrays or groups of arrays that hold the images, "
                     "as A or A,B,...; without it images, or the only ones that can be, or those "
                     "that are named by splits, such as x_train and x_test"),
    {.name = "split-file",
     .metavar = "F",
     .type = CLI_STRING,
     .file = CLI_READS,
     .at = AT(config.split_file),
     .help = "lines \"name split\", split 0/1/2 or train/val/test, such as CelebA's "
             "list_eval_partition.txt, or a CSV table with a column of images and one of splits; "
             "files that it does not name are left out"},
    {.name = "split-list",
     .metavar = "SPLIT=F,...",
     .type = CLI_STRING,
     .at = AT(split_list),
     .help = "files of names, one a line, with or without ending: train=F,val=F,test=F, or some of "
             "these; files that they do not name are left out"},
    {.name = "split",
     .metavar = "T,V,E",
     .type = CLI_DOUBLES,
     .list = 3,
     .at = AT(config.split),
     .max = 1,
     .help = "fractions of train, val and test where neither folders nor a split file decide"},
    {.name = "labels",
     .metavar = "DIR",
     .type = CLI_STRING,
     .file = CLI_READS_FOLDER,
     .at = AT(config.labels),
     .help =
         "label maps of the images: grey or palette PNG, or PGM, of the image's size and file "
         "name (its ending apart), anywhere below DIR; of images in arrays a .npy, .npz or HDF5 "
         "file with label maps in the same order"},
    {.name = "label-array",
     .metavar = "NAME",
     .type = CLI_STRING,
     .at = AT(config.label_array),
     .help = "the array of the label maps (or A,B for --images A,B), of whole numbers: in the "
             "sources beside the images, or in the file that --labels names"},
    {.name = "label-names",
     .metavar = "F",
     .type = CLI_STRING,
     .file = CLI_READS,
     .at = AT(config.label_names),
     .help =
         "the names of the labels: line i, from 0, that of label i, or lines \"i name\"; without "
         "it \"0\", \"1\", ... up to the largest found"},
    {.name = "label-values",
     .metavar = "V,...",
     .type = CLI_STRING,
     .at = AT(label_values),
     .help = "the values in the label maps that stand for labels 0, 1, ...: 0,255 for a mask"},
    CLI_IGNORE_LABEL(struct pack_args, ignored, "Such pixels are void: learned, but no class"),
    {.name = "label-suffix",
     .metavar = "S",
     .type = CLI_STRING,
     .at = AT(config.label_suffix),
     .help =
         "label maps are the files whose names end so, _gtFine_labelIds.png say; what is before "
         "it is the image's name"},
    {.name = "image-suffix",
     .metavar = "S",
     .type = CLI_STRING,
     .at = AT(config.image_suffix),
     .help = "images are the files whose names end so, _leftImg8bit.png say"},
    {.name = "label-parts",
     .metavar = "F",
     .type = CLI_STRING,
     .file = CLI_READS,
     .at = AT(config.label_parts),
     .help =
         "a label map is composed of one mask for each label, called after the image, \"_\" and "
         "the label: names of labels as in --label-names, later ones lie above"},
    {.name = "labels-fit",
     .type = CLI_FLAG,
     .at = AT(config.labels_fit),
     .help = "label maps of another size than their image are scaled to it, to the nearest pixel"},
    {.type = CLI_NAMED_OBJECT,
     .registry = &tsr_rules,
     .offers = finds_regions,
     .at = AT(rule.rule),
     .help =
         "stored as label maps, so that `train` with the same need not find them again at every "
         "outer step"},
    {.name = "limit",
     .metavar = "N",
     .type = CLI_SIZE,
     .at = AT(config.limit),
     .help = "take at most N files, evenly spread over the list; 0: all"},
    {.name = "keep-copies",
     .type = CLI_FLAG,
     .at = AT(config.keep_copies),
     .help = "files that are listed under several names, and pictures that are given to several "
             "splits, are packed as they come"},
    {.name = "strict",
     .type = CLI_FLAG,
     .at = AT(config.strict),
     .help = "a file that cannot be used ends the run instead of being skipped"},
    {.name = "deflate",
     .metavar = "L",
     .type = CLI_SIZE,
     .at = AT(deflate),
     .max = 9,
     .help = "compression level, 0 to 9; 0: none"},
    {.type = CLI_END},
};

static int on_progress(void *user, size_t done, size_t total) {
    struct cli_progress *p = user;
    double fraction = total ? (double)done / (double)total : 1;
    char left[16];
    if (cli_progress_due(p, fraction))
        cli_progress_show(p, fraction, "%zu of %zu files, %s left", done, total,
                          cli_time(cli_time_left(p, fraction), left));
    return cli_interrupted();
}

static void on_skipped(void *user, const char *path, const char *why) {
    cli_progress_say(user, "tessera pack: skipped %s: %s", cli_shown(path), cli_shown(why));
}

static void on_remark(void *user, const char *path, const char *remark) {
    cli_progress_say(user, "tessera pack: %s: %s", cli_shown(path), remark);
}

static void on_note(void *user, const char *text) {
    cli_progress_say(user, "tessera pack: %s", cli_shown(text));
}

static void report(const struct pack_args *a, const struct tsr_pack_report *r) {
    (void)printf("%s: %zu images of %zux%zux%zu (%zu train, %zu val, %zu test) from %zu files",
                 cli_shown(a->output), r->images, r->height, r->width, r->channels, r->per_split[0],
                 r->per_split[1], r->per_split[2], r->sources - r->skipped);
    if (r->labels) (void)printf(", label maps of %zu labels", r->labels);
    if (r->skipped) (void)printf(", %zu skipped", r->skipped);
    if (r->listed_again) (void)printf(", %zu listed again", r->listed_again);
    if (r->copies) (void)printf(", %zu %s", r->copies, r->copies == 1 ? "copy" : "copies");
    if (r->left_out) (void)printf(", %zu left out that are in another split", r->left_out);
    if (r->no_map) (void)printf(", %zu without a label map", r->no_map);
    if (r->not_listed) (void)printf(", %zu not in the split file", r->not_listed);
    if (r->missing) (void)printf(", %zu of the split file missing", r->missing);
    if (r->unlisted) (void)printf(", %zu folders that cannot be listed", r->unlisted);
    if (r->passed_over[0]) (void)printf(", passed over: %s", cli_shown(r->passed_over));
    (void)printf("\n");
}

/* Behind "train=" and the like; NULL: something else stands there. */
static char *split_prefix(char *text, enum tsr_split *split) {
    for (int i = 0; i < 3; i++) {
        const char *name = tsr_split_name((enum tsr_split)i);
        size_t length = strlen(name);
        if (strncmp(text, name, length) != 0 || text[length] != '=') continue;
        *split = (enum tsr_split)i;
        return text + length + 1;
    }
    return NULL;
}

/* Cuts "train=F,val=F" where a comma is followed by the name of a split and '=': paths may have
 * commas. */
static enum tsr_status cut_split_list(struct cli_call *call, struct pack_args *a) {
    if (!a->split_list) return TSR_OK;
    char *at = a->split_lists;
    if (strlen(a->split_list) >= sizeof a->split_lists)
        return TSR_ERROR(&call->err, TSR_ERR_CONFIG, "--split-list has more than %zu characters",
                         sizeof a->split_lists - 1);
    strcpy(a->split_lists, a->split_list);
    while (at) {
        enum tsr_split split = TSR_SPLIT_ALL;
        char *path = split_prefix(at, &split), *end = path;
        if (!path || !*path || a->config.split_lists[split])
            return TSR_ERROR(&call->err, TSR_ERR_CONFIG,
                             "--split-list is \"%s\"; it is train=F,val=F,test=F, or some of these",
                             a->split_list);
        a->config.split_lists[split] = path;
        while (end && (end == path || !split_prefix(end + 1, &split)))
            end = strchr(end + 1, ',');
        if (end) *end++ = 0;
        at = end;
        TSR_TRY(cli_files_reads(call, path));
    }
    return TSR_OK;
}

static enum tsr_status configure_labels(struct cli_call *call, struct pack_args *a) {
    const size_t room = sizeof a->values / sizeof *a->values;
    size_t n = 0;
    for (const char *text = a->label_values; text;) {
        char *end;
        long number = strtol(text, &end, 10);
        if (end == text || (*end && *end != ',') || number < 0 || number > UINT16_MAX || n == room)
            return TSR_ERROR(&call->err, TSR_ERR_CONFIG,
                             "--label-values: expected up to %zu numbers 0..%d with commas between "
                             "them at \"%.40s\"",
                             room, UINT16_MAX, text);
        a->values[n++] = (uint16_t)number;
        text = *end ? end + 1 : NULL;
    }
    a->config.label_values = a->values;
    a->config.n_label_values = n;
    a->config.ignored_labels = a->ignored.value;
    a->config.n_ignored_labels = a->ignored.n;
    return TSR_OK;
}

static void warn(const struct cli_call *call, const struct tsr_pack_report *r) {
    if (r->mostly_cut)
        cli_complain(
            call,
            "the crop keeps less than a quarter of %zu of %zu pictures; --fit cover scales "
            "them before",
            r->mostly_cut, r->sources - r->skipped);
}

static enum tsr_status configure_segments(struct cli_call *call, struct pack_args *a) {
    if (!a->rule.rule.object) return TSR_OK;
    if (a->config.labels || a->config.label_array)
        return TSR_ERROR(&call->err, TSR_ERR_CONFIG, "--label%s and --%s exclude each other",
                         a->config.labels ? "s" : "-array", a->rule.rule.object->name);
    tsr_partition_rule_describe(&a->rule, a->rule_text, sizeof a->rule_text);
    if (a->size[0] == 0)
        return TSR_ERROR(&call->err, TSR_ERR_CONFIG, "--%s needs --size HxW",
                         a->rule.rule.object->name);
    a->config.label_image = tsr_regions_for_pack;
    a->config.label_user = &a->rule;
    a->config.label_rule = a->rule_text;
    a->config.label_count = tsr_partition_rule_regions(&a->rule, a->size[0], a->size[1]);
    return TSR_OK;
}

static enum tsr_status reads_archive(struct cli_call *call, const char *path, size_t length) {
    char *archive = malloc(length + 1);
    if (!archive) return TSR_ERROR(&call->err, TSR_ERR_NO_MEMORY, "%s: no memory", path);
    memcpy(archive, path, length);
    archive[length] = 0;
    enum tsr_status status = cli_files_reads(call, archive);
    free(archive);
    return status;
}

/* The files of a folder are inputs, too. */
static enum tsr_status reads(struct cli_call *call, const char *source) {
    struct tsr_listing listing = {0};
    enum tsr_status status = TSR_OK;
    const char *inside = tsr_source_inside(source);
    if (inside) return reads_archive(call, source, (size_t)(inside - source) - 1);
    /* What cannot be listed is told when it is packed. */
    if (tsr_listing_add(&listing, source, NULL) == TSR_OK)
        for (size_t i = 0; i < listing.n && status == TSR_OK; i++)
            if (listing.items[i].source == TSR_NO_SOURCE)
                status = cli_files_reads(call, listing.items[i].path);
    tsr_listing_clear(&listing);
    return status;
}

static enum tsr_status files(struct cli_call *call) {
    struct pack_args *a = call->args;
    TSR_TRY(cut_split_list(call, a));
    /* Without --force, or where nothing is, nothing can be lost. */
    if (!a->common.force || cli_check_input(a->output, NULL) != TSR_OK) return TSR_OK;
    for (size_t i = 0; i < call->n_operands; i++)
        TSR_TRY(reads(call, call->operands[i]));
    return a->config.labels ? reads(call, a->config.labels) : TSR_OK;
}

/* A path into an archive is looked at when that is read. */
static enum tsr_status check_input(struct cli_call *call, const char *path) {
    return !path || tsr_source_inside(path) ? TSR_OK : cli_check_input(path, &call->err);
}

static enum tsr_status check_inputs(struct cli_call *call) {
    const struct pack_args *a = call->args;
    for (size_t i = 0; i < call->n_operands; i++)
        TSR_TRY(check_input(call, call->operands[i]));
    TSR_TRY(check_input(call, a->config.split_file));
    for (int i = 0; i < 3; i++)
        TSR_TRY(check_input(call, a->config.split_lists[i]));
    TSR_TRY(check_input(call, a->config.labels));
    TSR_TRY(check_input(call, a->config.label_parts));
    return check_input(call, a->config.label_names);
}

static enum tsr_status run(struct cli_call *call) {
    struct pack_args *a = call->args;
    struct cli_progress progress;
    struct tsr_pack_report result;
    const struct tsr_pack_callbacks callbacks = {on_progress, on_skipped, on_remark, on_note,
                                                 &progress};
    a->config.height = a->size[0];
    a->config.width = a->size[1];
    a->config.view = cli_view_take(&a->view, &a->ignored);
    a->config.deflate = (int)a->deflate;
    a->config.threads = a->common.threads;
    a->config.seed = a->common.seed;
    a->config.command = call->line;
    a->config.comm = call->comm;
    a->config.decoding = cli_isolate_decoding(call->isolate);
    TSR_TRY(tsr_colour_parse(a->background, &a->config.background, &call->err));
    TSR_TRY(configure_labels(call, a));
    TSR_TRY(configure_segments(call, a));
    TSR_TRY(tsr_pack_config_check(&a->config, &call->err));
    TSR_TRY(check_inputs(call));
    call->phase = CLI_RUNNING;
    cli_progress_start(&progress, a->common.quiet);
    enum tsr_status status = tsr_pack(&a->config, call->operands, call->n_operands, a->output,
                                      &callbacks, &result, &call->err);
    cli_progress_end(&progress);
    if (status == TSR_OK) report(a, &result);
    if (status == TSR_OK) warn(call, &result);
    return status;
}

const struct cli_command cli_pack = {
    .name = "pack",
    .group = "datasets",
    .summary = "images to an HDF5 dataset",
    .operands = "SRC... -o D.h5 [--size HxW]",
    .about = "Packs images (files, folders and archives searched for JPEG, PNG, BMP and PNM, and\n"
             "arrays in .h5, .npy and .npz files) into one HDF5 dataset. Folders or sources whose\n"
             "names differ only in train, val or test (or training, valid, validation, dev,\n"
             "testing) are splits. Files below --labels are label maps; the fit cuts and scales\n"
             "them as the images, to the nearest pixel.",
    .options = options,
    .args_size = sizeof(struct pack_args),
    .defaults = defaults,
    .min_operands = 1,
    .max_operands = SIZE_MAX,
    .first_operand = CLI_READS_FOLDER,
    .operand = CLI_READS_FOLDER,
    .shared = true,
    .files = files,
    .run = run,
};
