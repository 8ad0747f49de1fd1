/* SPDX-License-Identifier: MIT
 *
 * INR files (docs/formats.md).
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "image/attributes.h"
#include "image/inr_file.h"
#include "image/layer_arrays.h"

/* What an INR has of a model's settings. */
static enum tsr_status visit(struct tsr_model_config *c, tsr_setting_fn fn, void *user,
                             struct tsr_error *err) {
    const struct tsr_setting size[] = {
        TSR_SETTING("partition", "image_height", SIZE, &c->height),
        TSR_SETTING("partition", "image_width", SIZE, &c->width),
    };
    TSR_TRY(tsr_model_shape_visit(c, fn, user, err));
    return TSR_SETTINGS_VISIT(size, fn, user, err);
}

/* What not all parameters adapted to: of an INR of which all did, neither is there. */
static enum tsr_status visit_adaptation(struct tsr_model_config *c, tsr_setting_fn fn, void *user,
                                        struct tsr_error *err) {
    const struct tsr_setting table[] = {
        TSR_SETTING("inner", "adapt", CHOICE, &c->adaptation, .registry = &tsr_adaptations,
                    .optional = true),
        TSR_SETTING("partition", "slots", NAME, &c->slots, .names = &tsr_slots_names,
                    .optional = true),
    };
    return TSR_SETTINGS_VISIT(table, fn, user, err);
}

/* The digest that stands for theta and basis: 16 hexadecimal digits. */
#define REFERENCE "reference"

static enum tsr_status write_reference(struct tsr_h5 *file, const struct tsr_inr *inr,
                                       struct tsr_error *err) {
    char text[32];
    if (!inr->refers) return TSR_OK;
    (void)snprintf(text, sizeof text, "%016" PRIx64, inr->shared);
    return tsr_h5_write_attr_str(file, "/", REFERENCE, text, err);
}

static enum tsr_status read_reference(struct tsr_h5 *file, struct tsr_inr *inr,
                                      struct tsr_error *err) {
    char text[32];
    TSR_TRY(tsr_h5_read_attr_str(file, "/", REFERENCE, text, sizeof text, err));
    if (strlen(text) != 16 || strspn(text, "0123456789abcdef") != 16)
        return TSR_ERROR(err, TSR_ERR_FORMAT,
                         "%s: attribute " REFERENCE " is \"%s\"; it must be 16 hexadecimal digits",
                         tsr_h5_path(file), text);
    inr->shared = strtoull(text, NULL, 16);
    inr->refers = inr->incomplete = true;
    return TSR_OK;
}

/* /regions/numbers [n_regions, n], and theta and basis, which all images share. With inr NULL it
 * only checks the shapes. */
static enum tsr_status transfer_numbers(bool write, struct tsr_h5 *file, size_t regions,
                                        const struct tsr_space *space, const struct tsr_net *net,
                                        size_t slots, struct tsr_inr *inr, struct tsr_error *err) {
    const size_t dims[2] = {regions, space->n};
    const char *path = "/regions/numbers";
    bool refers = write && inr ? inr->refers : tsr_h5_has_attr(file, "/", REFERENCE);
    if (!refers) {
        TSR_TRY(tsr_layer_arrays(write, file, "/init", "", net, &slots, 1, inr ? inr->theta : NULL,
                                 err));
        TSR_TRY(
            tsr_basis_transfer(write, file, slots, space, net, inr ? inr->basis : NULL, 0, err));
    }
    if (!inr) return tsr_array_check(file, path, 2, dims, err);
    if (write) return tsr_h5_write(file, path, TSR_H5_REAL, 2, dims, inr->numbers, 0, err);
    TSR_TRY(tsr_h5_read(file, path, TSR_H5_REAL, 2, dims, inr->numbers, err));
    return refers ? read_reference(file, inr, err) : tsr_inr_expand(inr, err);
}

/* /partition/labels uint16 [H, W], for a rule that follows the image. */
static enum tsr_status write_label_map(struct tsr_h5 *file, const struct tsr_partition *p,
                                       struct tsr_error *err) {
    const size_t dims[2] = {p->height, p->width};
    void *block;
    if (!p->labels) return TSR_OK;
    TSR_TRY(tsr_alloc(&block, p->height * p->width, sizeof(uint16_t), "label map", err));
    uint16_t *labels = block;
    for (size_t i = 0; i < p->height * p->width; i++)
        labels[i] = (uint16_t)p->labels[i];
    enum tsr_status status =
        tsr_h5_write(file, "/partition/labels", TSR_H5_U16, 2, dims, labels, 4, err);
    free(labels);
    return status;
}

/* Before anything is allocated. */
static enum tsr_status check_label_map(struct tsr_h5 *file, const struct tsr_model_config *c,
                                       struct tsr_error *err) {
    const size_t dims[2] = {c->height, c->width};
    if (!tsr_rule_follows_image(&c->partition)) return TSR_OK;
    return tsr_array_check(file, "/partition/labels", 2, dims, err);
}

static enum tsr_status check_labels(struct tsr_h5 *file, const struct tsr_partition *p,
                                    const uint32_t *labels, struct tsr_error *err) {
    for (size_t i = 0; i < p->height * p->width; i++)
        if (labels[i] >= p->n_regions)
            return TSR_ERROR(err, TSR_ERR_FORMAT,
                             "%s: /partition/labels has label %u at (%zu, %zu); labels must be "
                             "below %zu",
                             tsr_h5_path(file), labels[i], i / p->width, i % p->width,
                             p->n_regions);
    return TSR_OK;
}

static enum tsr_status read_label_map(struct tsr_h5 *file, struct tsr_inr *inr,
                                      struct tsr_error *err) {
    const struct tsr_partition *p = inr->partition;
    const size_t dims[2] = {p->height, p->width};
    void *labels;
    if (!p->labels) return TSR_OK;
    TSR_TRY(tsr_alloc(&labels, p->height * p->width, sizeof(uint32_t), "label map", err));
    enum tsr_status status =
        tsr_h5_read(file, "/partition/labels", TSR_H5_U32, 2, dims, labels, err);
    if (status == TSR_OK) status = check_labels(file, p, labels, err);
    if (status == TSR_OK) status = tsr_inr_follow(inr, labels, err);
    free(labels);
    return status;
}

enum tsr_status tsr_inr_write(struct tsr_h5 *file, const struct tsr_inr *inr,
                              struct tsr_error *err) {
    struct tsr_model_config config = {.network = inr->network,
                                      .partition = inr->rule,
                                      .coords = inr->coords,
                                      .adaptation = inr->adaptation,
                                      .slots = inr->slots,
                                      .height = inr->partition->height,
                                      .width = inr->partition->width};
    TSR_TRY(tsr_format_write(file, "tessera-inr", NULL, err));
    TSR_TRY(visit(&config, tsr_attribute_write, file, err));
    TSR_TRY(write_label_map(file, inr->partition, err));
    if (!tsr_space_is_whole(&inr->space)) {
        struct tsr_inr copy = *inr; /* what transfers may read into */
        TSR_TRY(visit_adaptation(&config, tsr_attribute_write, file, err));
        TSR_TRY(write_reference(file, inr, err));
        return transfer_numbers(true, file, inr->partition->n_regions, &inr->space, &inr->net,
                                inr->n_slots, &copy, err);
    }
    return tsr_layer_arrays(true, file, "/regions", "", &inr->net, &inr->partition->n_regions, 1,
                            inr->phi, err);
}

enum tsr_status tsr_inr_save(const struct tsr_inr *inr, const char *path, struct tsr_error *err) {
    struct tsr_h5 *file = NULL;
    enum tsr_status status;
    TSR_CHECK(tsr_h5_create(path, &file, err));
    TSR_CHECK(tsr_inr_write(file, inr, err));
    TSR_CHECK(tsr_h5_commit(file, err));
done:
    tsr_h5_close(file);
    return status;
}

/* Are all arrays there in their shapes? */
static enum tsr_status check_arrays(struct tsr_h5 *file, const struct tsr_model_config *c,
                                    struct tsr_error *err) {
    size_t regions = tsr_partition_rule_regions(&c->partition, c->height, c->width);
    struct tsr_net net;
    struct tsr_space space;
    tsr_network_layout(&c->network, &net);
    tsr_space_layout(&c->adaptation, &net, &space);
    TSR_TRY(check_label_map(file, c, err));
    if (!tsr_space_is_whole(&space))
        return transfer_numbers(false, file, regions, &space, &net, tsr_model_config_slots(c), NULL,
                                err);
    TSR_TRY(tsr_array_check_extent(file, "/regions/layer0/weight", regions, "regions", err));
    return tsr_layer_arrays(false, file, "/regions", "", &net, &regions, 1, NULL, err);
}

static enum tsr_status read_inr(struct tsr_h5 *file, struct tsr_inr **out, struct tsr_error *err) {
    struct tsr_model_config config, *c = &config;
    tsr_model_config_default(c);
    c->partition = (struct tsr_partition_rule){0};
    TSR_TRY(tsr_format_check(file, "tessera-inr", err));
    TSR_TRY(visit(c, tsr_attribute_read, file, err));
    TSR_TRY(visit_adaptation(c, tsr_attribute_read, file, err));
    if (tsr_model_config_check(c, err) != TSR_OK) {
        tsr_error_prefix(err, "%s", tsr_h5_path(file));
        return TSR_ERR_FORMAT;
    }
    TSR_TRY(check_arrays(file, c, err));
    TSR_TRY(tsr_inr_create(c, c->height, c->width, out, err));
    struct tsr_inr *inr = *out;
    TSR_TRY(read_label_map(file, inr, err));
    if (!tsr_space_is_whole(&inr->space))
        return transfer_numbers(false, file, inr->partition->n_regions, &inr->space, &inr->net,
                                inr->n_slots, inr, err);
    return tsr_layer_arrays(false, file, "/regions", "", &inr->net, &inr->partition->n_regions, 1,
                            inr->phi, err);
}

enum tsr_status tsr_inr_read(struct tsr_h5 *file, struct tsr_inr **out, struct tsr_error *err) {
    *out = NULL;
    enum tsr_status status = read_inr(file, out, err);
    if (status == TSR_OK) return TSR_OK;
    tsr_inr_free(*out);
    *out = NULL;
    return status == TSR_ERR_CONFIG ? TSR_ERR_FORMAT : status; /* settings of the file's own */
}

enum tsr_status tsr_inr_open(const char *path, struct tsr_inr **out, struct tsr_error *err) {
    struct tsr_h5 *file;
    *out = NULL;
    TSR_TRY(tsr_h5_open(path, &file, err));
    enum tsr_status status = tsr_inr_read(file, out, err);
    tsr_h5_close(file);
    return status;
}

enum tsr_status tsr_inr_need_complete(const char *name, struct tsr_inr **inr,
                                      struct tsr_error *err) {
    if (!(*inr)->incomplete) return TSR_OK;
    uint64_t digest = (*inr)->shared;
    tsr_inr_free(*inr);
    *inr = NULL;
    return TSR_ERROR(err, TSR_ERR_UNSUPPORTED,
                     "%s refers to a model, whose initialisations and basis have the digest "
                     "%016" PRIx64 ": without them there is nothing to draw",
                     name, digest);
}

enum tsr_status tsr_inr_load(const char *path, struct tsr_inr **out, struct tsr_error *err) {
    TSR_TRY(tsr_inr_open(path, out, err));
    return tsr_inr_need_complete(path, out, err);
}
