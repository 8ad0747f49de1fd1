/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/label_sheet.h"
#include "cli/model_sheet.h"
#include "cli/options.h"
#include "cli/outputs.h"
#include "cli/progress.h"
#include "cli/settings.h"
#include "cli/shown.h"
#include "cli/train_view.h"
#include "cli/view_options.h"
#include "data/h5_images.h"
#include "image/inr.h"
#include "meta/outer_state.h"

struct info_args {
    struct cli_common common;
    const char *label_png, *png;
    size_t image;
    struct cli_view view;
    struct cli_ignored ignored;
};

#define AT(member) offsetof(struct info_args, member)

static const struct cli_option options[] = {
    {.name = "label-png",
     .metavar = "OUT.png",
     .type = CLI_STRING,
     .file = CLI_WRITES_PNG,
     .at = AT(label_png),
     .help =
         "draws an image beside its label map (dataset), or the picture beside its regions (INR)"},
    {.name = "png",
     .metavar = "OUT.png",
     .type = CLI_STRING,
     .file = CLI_WRITES_PNG,
     .at = AT(png),
     .help = "draws what the file holds: images of a dataset; initialisations, basis and rates of "
             "a model; an INR beside its regions"},
    {.name = "image",
     .metavar = "I",
     .type = CLI_SIZE,
     .at = AT(image),
     .help = "which image of a dataset, counted from 0"},
    CLI_VIEW_OPTIONS(struct info_args, view, CLI_VIEW_IN_FILE),
    CLI_IGNORE_LABEL(struct info_args, ignored, "Their share is told apart"),
    {.type = CLI_END},
};

/* ---- what kind of file ----------------------------------------------------------------------- */

enum kind { DATASET, MODEL, INR };

/* By the attribute `format`, or, for files of others, by what they hold. */
static enum tsr_status find_kind(struct tsr_h5 *f, bool images, enum kind *kind,
                                 struct tsr_error *err) {
    char format[64] = "";
    if (tsr_h5_has_attr(f, "/", "format"))
        TSR_TRY(tsr_h5_read_attr_str(f, "/", "format", format, sizeof format, err));
    if (strcmp(format, "tessera-inr") == 0)
        *kind = INR;
    else if (strcmp(format, "tessera-model") == 0 || tsr_h5_exists(f, "/init"))
        *kind = MODEL;
    else if (images || tsr_h5_exists(f, "/images"))
        *kind = DATASET;
    else
        return tsr_h5_images_offer(
            f, "neither a dataset (no /images) nor a model nor an INR of tessera", err);
    return TSR_OK;
}

/* An attribute as text, if there is one of this name. One that is there and cannot be read is an
 * error: something is damaged. */
static enum tsr_status print_attribute(struct tsr_h5 *f, const char *object, const char *name,
                                       const char *shown, struct tsr_error *err) {
    char text[4096];
    double number;
    if (!tsr_h5_has_attr(f, object, name)) return TSR_OK;
    if (tsr_h5_read_attr_f64(f, object, name, &number, NULL) == TSR_OK) {
        (void)printf("%s: %.10g\n", shown, number);
        return TSR_OK;
    }
    TSR_TRY(tsr_h5_read_attr_str(f, object, name, text, sizeof text, err));
    (void)printf("%s: %s\n", shown, cli_shown(text));
    return TSR_OK;
}

/* Of files of others what cannot be shown is theirs. */
static enum tsr_status print_attributes(struct tsr_h5 *f, const char *object,
                                        const char *const *names, struct tsr_error *err) {
    bool ours = tsr_h5_has_attr(f, "/", "format");
    for (; *names; names++) {
        enum tsr_status status = print_attribute(f, object, *names, *names, ours ? err : NULL);
        if (ours && status != TSR_OK) return status;
    }
    return TSR_OK;
}

/* ---- label maps ------------------------------------------------------------------------------ */

#define SHARES_OF 64 /* images: enough for a look, and quick */

/* counts [label_count + 1]: pixels of each label in the first `n` images, and of void. */
static enum tsr_status count_labels(struct tsr_dataset *d, size_t n, size_t *counts,
                                    struct tsr_error *err) {
    void *memory;
    size_t area = tsr_dataset_height(d) * tsr_dataset_width(d);
    TSR_TRY(tsr_alloc(&memory, area, sizeof(uint16_t), "label map", err));
    uint16_t *labels = memory;
    enum tsr_status status = TSR_OK;
    for (size_t i = 0; i < n && status == TSR_OK; i++) {
        status = tsr_dataset_read_labels(d, i, labels, err);
        for (size_t k = 0; k < area && status == TSR_OK; k++)
            counts[labels[k] == TSR_VOID_LABEL ? tsr_dataset_label_count(d) : labels[k]]++;
    }
    free(labels);
    return status;
}

static enum tsr_status print_labels(struct tsr_dataset *d, struct tsr_error *err) {
    void *memory;
    size_t count = tsr_dataset_label_count(d), images = tsr_dataset_images(d);
    size_t n = images < SHARES_OF ? images : SHARES_OF;
    double pixels = (double)n * (double)(tsr_dataset_height(d) * tsr_dataset_width(d));
    TSR_TRY(tsr_alloc(&memory, count + 1, sizeof(size_t), "labels", err));
    size_t *counts = memory;
    enum tsr_status status = count_labels(d, n, counts, err);
    if (status == TSR_OK)
        (void)printf("labels: %zu\nlabel rule: %s\nlabel shares: of the pixels of the first %zu "
                     "images\n",
                     count, cli_shown(tsr_dataset_label_rule(d)), n);
    for (size_t i = 0; i < count && status == TSR_OK; i++) {
        const char *name = tsr_dataset_label_name(d, i);
        if (*name == '#' && counts[i] == 0) continue; /* neither named nor seen */
        (void)printf("label %zu: %s, %.2f %%\n", i, cli_shown(name),
                     100 * (double)counts[i] / pixels);
    }
    if (status == TSR_OK && tsr_dataset_has_void(d))
        (void)printf("void: %.2f %%\n", 100 * (double)counts[count] / pixels);
    free(counts);
    return status;
}

static enum tsr_status read_for_drawing(struct tsr_dataset *d, size_t index,
                                        struct tsr_image *picture, uint32_t **labels,
                                        struct tsr_error *err) {
    void *memory;
    TSR_TRY(tsr_image_create(picture, tsr_dataset_height(d), tsr_dataset_width(d),
                             tsr_dataset_channels(d), err));
    TSR_TRY(tsr_dataset_read_bytes(d, index, picture->pixels, err));
    size_t area = picture->height * picture->width;
    TSR_TRY(tsr_alloc(&memory, area, sizeof **labels, "label map", err));
    *labels = memory;
    TSR_TRY(tsr_alloc(&memory, area, sizeof(uint16_t), "label map", err));
    const uint16_t *narrow = memory;
    enum tsr_status status = tsr_dataset_read_labels(d, index, memory, err);
    for (size_t i = 0; i < area && status == TSR_OK; i++)
        (*labels)[i] = narrow[i];
    free(memory);
    return status;
}

/* That it cannot be written is no fault of the file that it shows. */
static enum tsr_status write_sheet(struct cli_call *call, const char *path,
                                   const struct tsr_image *sheet) {
    call->phase = CLI_RUNNING;
    TSR_TRY(tsr_image_write_png(path, sheet, &call->err));
    call->phase = CLI_READING;
    return TSR_OK;
}

static enum tsr_status draw_image(struct cli_call *call, struct tsr_dataset *d,
                                  struct tsr_error *err) {
    struct info_args *a = call->args;
    enum tsr_status status;
    char caption[32];
    struct tsr_image picture = {0}, sheet = {0};
    uint32_t *labels = NULL;
    const char *path = tsr_dataset_path(d);
    if (!tsr_dataset_has_labels(d))
        return TSR_ERROR(err, TSR_ERR_NOT_FOUND, "%s: has no label maps to draw", path);
    if (a->image >= tsr_dataset_images(d))
        return TSR_ERROR(err, TSR_ERR_CONFIG, "--image is %zu; %s has the images 0..%zu", a->image,
                         path, tsr_dataset_images(d) - 1);
    (void)snprintf(caption, sizeof caption, "image %zu", a->image);
    TSR_CHECK(read_for_drawing(d, a->image, &picture, &labels, err));
    TSR_CHECK(cli_label_sheet(&picture, labels, caption, &sheet, err));
    TSR_CHECK(write_sheet(call, a->label_png, &sheet));
done:
    free(labels);
    tsr_image_clear(&picture);
    tsr_image_clear(&sheet);
    return status;
}

/* The picture of an INR beside its regions. */
static enum tsr_status draw_inr(struct cli_call *call, const char *path, const char *png,
                                struct tsr_error *err) {
    struct info_args *a = call->args;
    enum tsr_status status;
    char caption[64];
    struct tsr_image picture = {0}, sheet = {0};
    struct tsr_inr *inr = NULL;
    struct cli_watch watch;
    uint32_t *labels = NULL;
    void *memory;
    TSR_CHECK(tsr_inr_load(path, &inr, err));
    const struct tsr_partition *p = inr->partition;
    cli_watch_start(&watch, a->common.quiet, png);
    status = tsr_inr_render(inr, p->height, p->width, a->common.threads, "auto", &watch.watch,
                            &picture, err);
    cli_watch_end(&watch);
    if (status == TSR_ERR_CONFIG)
        status = TSR_ERR_FORMAT; /* a size that only the file has chosen */
    TSR_CHECK(status);
    TSR_CHECK(tsr_alloc(&memory, p->height * p->width, sizeof *labels, "label map", err));
    labels = memory;
    for (size_t i = 0; i < p->height * p->width; i++)
        labels[i] = (uint32_t)tsr_partition_region_at(p, i / p->width, i % p->width);
    tsr_partition_rule_describe(&inr->rule, caption, sizeof caption);
    TSR_CHECK(cli_label_sheet(&picture, labels, caption, &sheet, err));
    TSR_CHECK(write_sheet(call, png, &sheet));
done:
    free(labels);
    tsr_inr_free(inr);
    tsr_image_clear(&picture);
    tsr_image_clear(&sheet);
    return status;
}

static enum tsr_status open_dataset(struct info_args *a, const char *path, struct tsr_dataset **out,
                                    struct tsr_error *err) {
    const struct tsr_view_options view = cli_view_take(&a->view, &a->ignored);
    return tsr_dataset_open_as(path, &view, out, err);
}

static enum tsr_status draw(struct cli_call *call, enum kind kind, struct tsr_error *err) {
    struct info_args *a = call->args;
    const char *path = call->operands[0];
    struct tsr_dataset *d;
    if (kind == MODEL)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "--label-png draws label maps of a dataset or regions of an INR; %s is "
                         "neither",
                         path);
    if (kind == INR && cli_given(call, "image"))
        return TSR_ERROR(err, TSR_ERR_CONFIG, "--image is for datasets; %s is one image", path);
    if (kind == INR) return draw_inr(call, path, a->label_png, err);
    TSR_TRY(open_dataset(a, path, &d, err));
    enum tsr_status status = draw_image(call, d, err);
    tsr_dataset_close(d);
    return status;
}

/* What --png draws. */
static enum tsr_status draw_all(struct cli_call *call, enum kind kind, struct tsr_error *err) {
    struct info_args *a = call->args;
    const char *path = call->operands[0];
    struct tsr_image sheet = {0};
    struct tsr_dataset *dataset = NULL;
    struct tsr_model *model = NULL;
    enum tsr_status status;
    if (kind == INR) return draw_inr(call, path, a->png, err);
    if (kind == DATASET) {
        TSR_CHECK(open_dataset(a, path, &dataset, err));
        TSR_CHECK(cli_dataset_sheet(dataset, &sheet, err));
    } else {
        TSR_CHECK(tsr_model_load(path, &model, err));
        TSR_CHECK(cli_model_sheet(model, a->common.threads, &sheet, err));
    }
    TSR_CHECK(write_sheet(call, a->png, &sheet));
done:
    tsr_dataset_close(dataset);
    tsr_model_free(model);
    tsr_image_clear(&sheet);
    return status;
}

/* ---- datasets -------------------------------------------------------------------------------- */

static enum tsr_status print_dataset(struct tsr_h5 *f, struct tsr_dataset *dataset,
                                     struct tsr_error *err) {
    static const char *const names[] = {
        "fit",     "split_fractions", "split_file",       "limit",   "seed",    "sources",
        "skipped", "label_folder",    "label_names_file", "version", "command", NULL};
    const struct cli_data d = cli_data_of(dataset);
    (void)printf("kind: dataset\nimages: %zu\nheight: %zu\nwidth: %zu\nchannels: %zu\n",
                 d.images[TSR_SPLIT_ALL], d.height, d.width, d.channels);
    if (tsr_h5_exists(f, "/split"))
        (void)printf("train: %zu\nval: %zu\ntest: %zu\n", d.images[TSR_SPLIT_TRAIN],
                     d.images[TSR_SPLIT_VAL], d.images[TSR_SPLIT_TEST]);
    else
        (void)printf("split: none (all images belong to every split)\n");
    if (*d.layout) (void)printf("read as: %s\n", d.layout);
    if (cli_data_is_slow(&d))
        (void)printf(
            "read for an image: %.3g MB, of which it has %.2g (pack stores one in a chunk)\n",
            (double)d.read_cost / 1e6, cli_data_image_mb(&d));
    TSR_TRY(print_attributes(f, "/", names, err));
    return tsr_dataset_has_labels(dataset) ? print_labels(dataset, err) : TSR_OK;
}

static enum tsr_status dataset_info(struct tsr_h5 *f, struct info_args *a, struct tsr_error *err) {
    struct tsr_dataset *d;
    TSR_TRY(open_dataset(a, tsr_h5_path(f), &d, err));
    enum tsr_status status = print_dataset(f, d, err);
    tsr_dataset_close(d);
    return status;
}

/* ---- networks -------------------------------------------------------------------------------- */

static void print_row(void *user, const char *name, const char *text) {
    (void)user;
    (void)printf("%s: %s\n", name, text);
}

static void sizes_info(size_t regions, size_t params, size_t height, size_t width,
                       size_t channels) {
    size_t values = height * width * channels;
    (void)printf("image size: %zux%zux%zu\nregions: %zu\nparameters per image: %zu\n"
                 "parameters per value: %.4f\n",
                 height, width, channels, regions, regions * params,
                 (double)(regions * params) / (double)values);
}

/* ---- models ---------------------------------------------------------------------------------- */

static void rates_info(const struct tsr_rates *r) {
    (void)printf("rates: %s, %zu numbers\n", tsr_rates_name(r->kind), tsr_rates_count(r));
    for (size_t k = 0; k < r->n_steps; k++) {
        const struct tsr_rates_summary s = tsr_rates_summarize(r, k);
        if (r->n_steps > 1)
            (void)printf("rates of inner step %zu: ", k + 1);
        else
            (void)printf("rates of all inner steps: ");
        (void)printf("%smean %.4g, min %.4g, max %.4g, %.1f %% negative\n",
                     tsr_rates_couple(r) ? "diagonal " : "", s.mean, s.least, s.most,
                     100 * s.negative);
    }
}

/* A setting of a run as the file has it. */
static enum tsr_status print_run_setting(void *user, const struct tsr_setting *s,
                                         struct tsr_error *err) {
    struct tsr_h5 *f = user;
    TSR_TRY(print_attribute(f, "/outer", s->name, s->name, err));
    if (s->type != TSR_SETTING_CHOICE) return TSR_OK;
    for (size_t i = 0; i < s->registry->n; i++) { /* only the chosen object's are in the file */
        const struct tsr_params *params = &s->registry->object[i]->params;
        for (size_t k = 0; k < params->n; k++)
            if (tsr_h5_has_attr(f, "/outer", params->row[k].name))
                TSR_TRY(
                    print_attribute(f, "/outer", params->row[k].name, params->row[k].name, err));
    }
    return TSR_OK;
}

static enum tsr_status training_info(struct tsr_h5 *f, struct tsr_error *err) {
    struct tsr_outer_state state = {0};
    size_t rank, dims[TSR_H5_MAX_RANK];
    if (!tsr_h5_exists(f, "/outer")) {
        (void)printf("training state: none (can be used, not resumed)\n");
        return TSR_OK;
    }
    (void)printf("training state: saved (can be resumed)\n");
    TSR_TRY(tsr_outer_state_visit(&state, print_run_setting, f, err));
    if (!tsr_h5_exists(f, "/outer/history")) return TSR_OK;
    TSR_TRY(tsr_h5_shape(f, "/outer/history", &rank, dims, NULL, err));
    if (rank > 0) (void)printf("validations: %zu\n", dims[0]);
    return TSR_OK;
}

/* What is stored of a region, and what all images share, where not all parameters adapt. */
static void adaptation_info(const struct tsr_space *space, size_t slots,
                            const struct tsr_net *net) {
    if (tsr_space_is_whole(space)) return;
    (void)printf("numbers per region: %zu\nshared numbers: %zu\n", space->n,
                 slots * (1 + space->n_directions) * net->n_params);
}

static enum tsr_status model_info(struct tsr_h5 *f, struct tsr_error *err) {
    struct tsr_model *m;
    TSR_TRY(tsr_model_load(tsr_h5_path(f), &m, err));
    const struct tsr_model_config *c = &m->config;
    (void)printf("kind: model\n");
    cli_model_rows(c, print_row, NULL);
    (void)printf("parameters per region: %zu\nslots: %zu\n", m->net.n_params, m->n_slots);
    adaptation_info(&m->space, m->n_slots, &m->net);
    if (m->anchors.n)
        (void)printf("anchors: %zu, which the segments of an image are matched to\n", m->anchors.n);
    if (c->height && c->width)
        sizes_info(tsr_model_regions(m, c->height, c->width), tsr_model_region_numbers(m),
                   c->height, c->width, c->network.out_dim);
    rates_info(&m->rates);
    tsr_model_free(m);
    TSR_TRY(training_info(f, err));
    TSR_TRY(print_attribute(f, "/", "tessera_version", "version", err));
    return print_attribute(f, "/", "command", "command", err);
}

/* ---- INRs ------------------------------------------------------------------------------------ */

/* What the sizes of the regions are, where they differ, and how many pixels they share. */
static void regions_info(const struct tsr_partition *p) {
    size_t least = SIZE_MAX, most = 0, context = 0, absent = 0;
    for (size_t r = 0; r < p->n_regions; r++) {
        size_t n = p->regions[r].n_pixels;
        context += p->regions[r].n_context;
        absent += n == 0;
        if (n > 0 && n < least) least = n;
        if (n > most) most = n;
    }
    (void)printf("pixels of a region: %zu to %zu\n", least, most);
    if (absent) (void)printf("regions without pixels: %zu\n", absent);
    if (p->overlap)
        (void)printf("overlap: %zu pixels\ncontext pixels: %.2f for each of the image\n",
                     p->overlap, (double)context / (double)(p->height * p->width));
}

static enum tsr_status inr_info(struct tsr_h5 *f, struct tsr_error *err) {
    struct tsr_inr *inr;
    TSR_TRY(tsr_inr_open(tsr_h5_path(f), &inr, err));
    (void)printf("kind: INR\n");
    const struct tsr_model_config shape = {
        .network = inr->network, .partition = inr->rule, .coords = inr->coords};
    cli_shape_rows(&shape, print_row, NULL);
    (void)printf("parameters per region: %zu\n", inr->net.n_params);
    adaptation_info(&inr->space, inr->n_slots, &inr->net);
    if (inr->refers)
        (void)printf("reference: %016llx, the digest of the shared numbers of a model\n",
                     (unsigned long long)inr->shared);
    sizes_info(inr->partition->n_regions, inr->space.n, inr->partition->height,
               inr->partition->width, inr->net.out_dim);
    regions_info(inr->partition);
    tsr_inr_free(inr);
    return print_attribute(f, "/", "tessera_version", "version", err);
}

static enum tsr_status run(struct cli_call *call) {
    struct info_args *a = call->args;
    struct tsr_h5 *f = NULL;
    enum kind kind = DATASET;
    enum tsr_status status;
    TSR_CHECK(tsr_h5_open(call->operands[0], &f, &call->err));
    TSR_CHECK(find_kind(f, a->view.images != NULL, &kind, &call->err));
    if (a->label_png) TSR_CHECK(draw(call, kind, &call->err));
    if (a->png) TSR_CHECK(draw_all(call, kind, &call->err));
    if (cli_stdout_taken(call)) goto done;
    (void)printf("file: %s\n", cli_shown(call->operands[0]));
    if (kind == DATASET) TSR_CHECK(dataset_info(f, a, &call->err));
    if (kind == MODEL) TSR_CHECK(model_info(f, &call->err));
    if (kind == INR) TSR_CHECK(inr_info(f, &call->err));
done:
    tsr_h5_close(f);
    return status;
}

const struct cli_command cli_info = {
    .name = "info",
    .group = "about",
    .summary = "what a dataset, model or INR file holds",
    .operands = "FILE",
    .about = "Prints what a dataset, a model or an INR file holds, as lines \"key: value\".",
    .options = options,
    .args_size = sizeof(struct info_args),
    .min_operands = 1,
    .max_operands = 1,
    .first_operand = CLI_READS_HDF5,
    .run = run,
};
