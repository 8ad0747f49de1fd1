/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <string.h>

#include "cli/options.h"
#include "cli/training.h"
#include "data/h5.h"
#include "meta/inr.h"

/* ---- what kind of file ----------------------------------------------------------------------- */

enum kind { DATASET, MODEL, INR };

/* By the attribute `format`, or, for files of others, by what they hold. */
static enum tsr_status find_kind(struct tsr_h5 *f, enum kind *kind, struct tsr_error *err) {
    char format[64] = "";
    if (tsr_h5_has_attr(f, "/", "format"))
        TSR_TRY(tsr_h5_read_attr_str(f, "/", "format", format, sizeof format, err));
    if (strcmp(format, "tessera-model") == 0 || tsr_h5_exists(f, "/init"))
        *kind = MODEL;
    else if (strcmp(format, "tessera-inr") == 0)
        *kind = INR;
    else if (tsr_h5_exists(f, "/images"))
        *kind = DATASET;
    else
        return TSR_ERROR(err, TSR_ERR_FORMAT,
                         "%s: neither a dataset (no /images) nor a model nor an INR of tessera",
                         tsr_h5_path(f));
    return TSR_OK;
}

/* An attribute as text, if there is one of this name. */
static void print_attribute(struct tsr_h5 *f, const char *object, const char *name,
                            const char *shown) {
    char text[4096];
    double number;
    if (!tsr_h5_has_attr(f, object, name)) return;
    if (tsr_h5_read_attr_str(f, object, name, text, sizeof text, NULL) == TSR_OK)
        (void)printf("%s: %s\n", shown, text);
    else if (tsr_h5_read_attr_f64(f, object, name, &number, NULL) == TSR_OK)
        (void)printf("%s: %.10g\n", shown, number);
}

static void print_attributes(struct tsr_h5 *f, const char *object, const char *const *names) {
    for (; *names; names++)
        print_attribute(f, object, *names, *names);
}

/* ---- datasets -------------------------------------------------------------------------------- */

static enum tsr_status dataset_info(struct tsr_h5 *f, struct tsr_error *err) {
    static const char *const names[] = {
        "fit",     "split_fractions", "split_file", "limit",   "seed",
        "sources", "skipped",         "version",    "command", NULL};
    struct cli_data d;
    TSR_TRY(cli_data_look(tsr_h5_path(f), &d, err));
    (void)printf("kind: dataset\nimages: %zu\nheight: %zu\nwidth: %zu\nchannels: %zu\n",
                 d.images[TSR_SPLIT_ALL], d.height, d.width, d.channels);
    if (tsr_h5_exists(f, "/split"))
        (void)printf("train: %zu\nval: %zu\ntest: %zu\n", d.images[TSR_SPLIT_TRAIN],
                     d.images[TSR_SPLIT_VAL], d.images[TSR_SPLIT_TEST]);
    else
        (void)printf("split: none (all images belong to every split)\n");
    print_attributes(f, "/", names);
    return TSR_OK;
}

/* ---- networks -------------------------------------------------------------------------------- */

static void network_info(const struct tsr_network_config *n, const struct tsr_net *net,
                         const struct tsr_coords *c, const struct tsr_partition_rule *rule) {
    char text[160];
    cli_describe_network(n, text, sizeof text);
    (void)printf("network: %s\nparameters per region: %zu\n", text, net->n_params);
    (void)printf("coordinates: %g .. %g, %s, frame %s\n", c->lo, c->hi,
                 tsr_sampling_name(c->sampling), tsr_frame_name(c->frame));
    tsr_partition_rule_describe(rule, text, sizeof text);
    (void)printf("partition: %s\n", text);
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
        const tsr_real *v = r->value + tsr_rates_at(r, k, 0);
        double sum = 0, least = (double)INFINITY, most = -(double)INFINITY;
        size_t n = r->n_slots * r->n_units, negative = 0;
        for (size_t i = 0; i < n; i++) {
            sum += (double)v[i];
            least = fmin(least, (double)v[i]);
            most = fmax(most, (double)v[i]);
            negative += v[i] < 0;
        }
        if (r->n_steps > 1)
            (void)printf("rates of inner step %zu: ", k + 1);
        else
            (void)printf("rates of all inner steps: ");
        (void)printf("mean %.4g, min %.4g, max %.4g, %.1f %% negative\n", sum / (double)n, least,
                     most, 100 * (double)negative / (double)n);
    }
}

static enum tsr_status training_info(struct tsr_h5 *f, struct tsr_error *err) {
    static const char *const names[] = {
        "method", "batch",      "region_fraction", "outer_lr",      "rates_lr",    "beta1",
        "beta2",  "warmup",     "final_lr",        "clip",          "outer_steps", "seconds_bound",
        "seed",   "outer_step", "seconds",         "train_psnr_db", "val_psnr_db", "skipped",
        NULL};
    size_t rank, dims[TSR_H5_MAX_RANK];
    if (!tsr_h5_exists(f, "/outer")) {
        (void)printf("training state: none (can be used, not resumed)\n");
        return TSR_OK;
    }
    (void)printf("training state: saved (can be resumed)\n");
    print_attributes(f, "/outer", names);
    if (!tsr_h5_exists(f, "/outer/history")) return TSR_OK;
    TSR_TRY(tsr_h5_shape(f, "/outer/history", &rank, dims, NULL, err));
    if (rank > 0) (void)printf("validations: %zu\n", dims[0]);
    return TSR_OK;
}

static enum tsr_status model_info(struct tsr_h5 *f, struct tsr_error *err) {
    struct tsr_model *m;
    TSR_TRY(tsr_model_load(tsr_h5_path(f), &m, err));
    const struct tsr_model_config *c = &m->config;
    (void)printf("kind: model\n");
    network_info(&c->network, &m->net, &c->coords, &c->partition);
    (void)printf("slots: %zu, %s\n", m->n_slots, tsr_slots_name(c->slots));
    if (c->height && c->width)
        sizes_info(tsr_model_regions(m, c->height, c->width), m->net.n_params, c->height, c->width,
                   c->network.out_dim);
    (void)printf("inner steps: %zu\ninner loss: %s\n", c->inner_steps,
                 tsr_inner_loss_name(c->inner_loss));
    rates_info(&m->rates);
    tsr_model_free(m);
    TSR_TRY(training_info(f, err));
    print_attribute(f, "/", "tessera_version", "version");
    print_attribute(f, "/", "command", "command");
    return TSR_OK;
}

/* ---- INRs ------------------------------------------------------------------------------------ */

static enum tsr_status inr_info(struct tsr_h5 *f, struct tsr_error *err) {
    struct tsr_inr *inr;
    TSR_TRY(tsr_inr_load(tsr_h5_path(f), &inr, err));
    (void)printf("kind: INR\n");
    network_info(&inr->network, &inr->net, &inr->coords, &inr->rule);
    sizes_info(inr->partition->n_regions, inr->net.n_params, inr->partition->height,
               inr->partition->width, inr->net.out_dim);
    print_attribute(f, "/", "tessera_version", "version");
    tsr_inr_free(inr);
    return TSR_OK;
}

static enum tsr_status run(struct cli_call *call) {
    struct tsr_h5 *f = NULL;
    enum kind kind = DATASET;
    enum tsr_status status;
    TSR_CHECK(tsr_h5_open(call->operands[0], &f, &call->err));
    TSR_CHECK(find_kind(f, &kind, &call->err));
    (void)printf("file: %s\n", call->operands[0]);
    if (kind == DATASET) TSR_CHECK(dataset_info(f, &call->err));
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
    .args_size = sizeof(struct cli_common),
    .min_operands = 1,
    .max_operands = 1,
    .run = run,
};
