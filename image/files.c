/* SPDX-License-Identifier: MIT
 *
 * Model, checkpoint and INR files (docs/formats.md), through the helpers of data/.
 *
 * Attributes are described once, in tables of (group, name, kind, address), which serve writing and
 * reading.
 */
#include "image/files.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/version.h"
#include "data/h5.h"
#include "image/inr.h"

#ifdef TSR_REAL_DOUBLE
#define REAL TSR_H5_F64
#else
#define REAL TSR_H5_F32
#endif

enum { FORMAT_VERSION = 1 };

/* ---- tables of attributes ---------------------------------------------------------------------
 */

typedef const char *(*name_fn)(int value);
typedef enum tsr_status (*parse_fn)(const char *text, int *out, struct tsr_error *err);

struct attribute {
    const char *group, *name;
    enum { SIZE, U64, F64, NAME } kind;
    void *value; /* size_t, uint64_t, double or (NAME) an enumeration, kept as int */
    name_fn to_name;
    parse_fn parse;
    bool optional; /* keeps its value when the file lacks it */
};

#define NAMED(PREFIX, ENUM)                                                                        \
    static const char *PREFIX##_to_name(int value) {                                               \
        return PREFIX##_name((enum ENUM)value);                                                    \
    }                                                                                              \
    static enum tsr_status PREFIX##_from_name(const char *text, int *out, struct tsr_error *err) { \
        enum ENUM value;                                                                           \
        TSR_TRY(PREFIX##_parse(text, &value, err));                                                \
        *out = (int)value;                                                                         \
        return TSR_OK;                                                                             \
    }
NAMED(tsr_slots, tsr_slots)
NAMED(tsr_sampling, tsr_sampling)
NAMED(tsr_frame, tsr_frame)
NAMED(tsr_rates, tsr_rates_kind)
NAMED(tsr_inner_loss, tsr_inner_loss)

/* Enumerations are read and written as int. */
_Static_assert(sizeof(enum tsr_slots) == sizeof(int), "enumerations have the size of int");

static enum tsr_status write_attribute(struct tsr_h5 *file, const struct attribute *a,
                                       struct tsr_error *err) {
    int named;
    switch (a->kind) {
    case SIZE:
        return tsr_h5_write_attr_i64(file, a->group, a->name, (int64_t) * (size_t *)a->value, err);
    case U64:
        return tsr_h5_write_attr_i64(file, a->group, a->name, (int64_t) * (uint64_t *)a->value,
                                     err);
    case F64:
        return tsr_h5_write_attr_f64(file, a->group, a->name, *(double *)a->value, err);
    default:
        memcpy(&named, a->value, sizeof named);
        return tsr_h5_write_attr_str(file, a->group, a->name, a->to_name(named), err);
    }
}

static enum tsr_status read_attribute(struct tsr_h5 *file, const struct attribute *a,
                                      struct tsr_error *err) {
    if (a->optional && !tsr_h5_has_attr(file, a->group, a->name)) return TSR_OK;
    int64_t integer;
    char text[64];
    int named;
    switch (a->kind) {
    case SIZE:
        TSR_TRY(tsr_h5_read_attr_i64(file, a->group, a->name, &integer, err));
        if (integer < 0)
            return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: %s of %s is %lld; it must not be negative",
                             tsr_h5_path(file), a->name, a->group, (long long)integer);
        *(size_t *)a->value = (size_t)integer;
        return TSR_OK;
    case U64:
        TSR_TRY(tsr_h5_read_attr_i64(file, a->group, a->name, &integer, err));
        *(uint64_t *)a->value = (uint64_t)integer;
        return TSR_OK;
    case F64:
        return tsr_h5_read_attr_f64(file, a->group, a->name, a->value, err);
    default:
        break;
    }
    TSR_TRY(tsr_h5_read_attr_str(file, a->group, a->name, text, sizeof text, err));
    if (a->parse(text, &named, err) != TSR_OK) {
        tsr_error_prefix(err, "%s: %s of %s", tsr_h5_path(file), a->name, a->group);
        return TSR_ERR_FORMAT;
    }
    memcpy(a->value, &named, sizeof named);
    return TSR_OK;
}

static enum tsr_status write_table(struct tsr_h5 *file, const struct attribute *table, size_t n,
                                   struct tsr_error *err) {
    for (size_t i = 0; i < n; i++)
        TSR_TRY(write_attribute(file, &table[i], err));
    return TSR_OK;
}

static enum tsr_status read_table(struct tsr_h5 *file, const struct attribute *table, size_t n,
                                  struct tsr_error *err) {
    for (size_t i = 0; i < n; i++)
        TSR_TRY(read_attribute(file, &table[i], err));
    return TSR_OK;
}

/* Both directions of one table. */
static enum tsr_status transfer_table(bool write, struct tsr_h5 *file,
                                      const struct attribute *table, size_t n,
                                      struct tsr_error *err) {
    return write ? write_table(file, table, n, err) : read_table(file, table, n, err);
}

#define TRANSFER(write, file, table, err)                                                          \
    transfer_table((write), (file), (table), sizeof(table) / sizeof *(table), (err))

/* An object of a registry by its name, and its parameters. */
static enum tsr_status write_choice(struct tsr_h5 *file, const char *group, const char *name,
                                    const struct tsr_choice *choice, struct tsr_error *err) {
    const struct tsr_params *params = &choice->object->params;
    TSR_TRY(tsr_h5_write_attr_str(file, group, name, choice->object->name, err));
    for (size_t i = 0; i < params->n; i++) {
        const struct tsr_param *row = &params->row[i];
        double value = choice->value[i];
        if (row->type == TSR_PARAM_NUMBER)
            TSR_TRY(tsr_h5_write_attr_f64(file, group, row->name, value, err));
        else if (row->type == TSR_PARAM_COUNT)
            TSR_TRY(tsr_h5_write_attr_i64(file, group, row->name, (int64_t)value, err));
        else
            TSR_TRY(
                tsr_h5_write_attr_str(file, group, row->name, row->choices[(size_t)value], err));
    }
    return TSR_OK;
}

static enum tsr_status read_param(struct tsr_h5 *file, const char *group,
                                  const struct tsr_param *row, double *value,
                                  struct tsr_error *err) {
    int64_t integer;
    char text[64];
    if (row->optional && !tsr_h5_has_attr(file, group, row->name)) return TSR_OK;
    if (row->type == TSR_PARAM_NUMBER)
        return tsr_h5_read_attr_f64(file, group, row->name, value, err);
    if (row->type == TSR_PARAM_COUNT) {
        TSR_TRY(tsr_h5_read_attr_i64(file, group, row->name, &integer, err));
        *value = (double)integer;
        return TSR_OK;
    }
    TSR_TRY(tsr_h5_read_attr_str(file, group, row->name, text, sizeof text, err));
    if (tsr_param_parse_choice(row, text, value, err) == TSR_OK) return TSR_OK;
    tsr_error_prefix(err, "%s: %s of %s", tsr_h5_path(file), row->name, group);
    return TSR_ERR_FORMAT;
}

static enum tsr_status read_choice(struct tsr_h5 *file, const char *group, const char *name,
                                   const struct tsr_registry *registry, struct tsr_choice *choice,
                                   struct tsr_error *err) {
    const struct tsr_object *object;
    char text[64];
    TSR_TRY(tsr_h5_read_attr_str(file, group, name, text, sizeof text, err));
    if (tsr_registry_find(registry, text, &object, err) != TSR_OK) {
        tsr_error_prefix(err, "%s: %s of %s", tsr_h5_path(file), name, group);
        return TSR_ERR_FORMAT;
    }
    *choice = tsr_choice_of(object);
    for (size_t i = 0; i < object->params.n; i++)
        TSR_TRY(read_param(file, group, &object->params.row[i], &choice->value[i], err));
    return TSR_OK;
}

static enum tsr_status transfer_kind(bool write, struct tsr_h5 *file, struct tsr_network_config *n,
                                     struct tsr_error *err) {
    return write ? write_choice(file, "/network", "kind", &n->kind, err)
                 : read_choice(file, "/network", "kind", &tsr_kinds, &n->kind, err);
}

static enum tsr_status transfer_rule(bool write, struct tsr_h5 *file, struct tsr_choice *rule,
                                     struct tsr_error *err) {
    return write ? write_choice(file, "/partition", "rule", rule, err)
                 : read_choice(file, "/partition", "rule", &tsr_rules, rule, err);
}

/* /network and /partition: what models and INRs have in common. */
static enum tsr_status transfer_shape(bool write, struct tsr_h5 *file, struct tsr_network_config *n,
                                      struct tsr_partition_rule *p, struct tsr_coords *c,
                                      struct tsr_error *err) {
    const struct attribute table[] = {
        {"/network", "in_dim", SIZE, &n->in_dim, NULL, NULL, false},
        {"/network", "out_dim", SIZE, &n->out_dim, NULL, NULL, false},
        {"/network", "width", SIZE, &n->width, NULL, NULL, false},
        {"/network", "hidden_layers", SIZE, &n->hidden_layers, NULL, NULL, false},
        {"/network", "output_offset", F64, &n->output_offset, NULL, NULL, false},
        {"/network", "coord_lo", F64, &c->lo, NULL, NULL, false},
        {"/network", "coord_hi", F64, &c->hi, NULL, NULL, false},
        {"/network", "coord_sampling", NAME, &c->sampling, tsr_sampling_to_name,
         tsr_sampling_from_name, false},
        {"/network", "coord_frame", NAME, &c->frame, tsr_frame_to_name, tsr_frame_from_name, false},
        {"/partition", "overlap", SIZE, &p->overlap, NULL, NULL, true},
    };
    TSR_TRY(transfer_kind(write, file, n, err));
    TSR_TRY(transfer_rule(write, file, &p->rule, err));
    return TRANSFER(write, file, table, err);
}

/* ---- format and version -----------------------------------------------------------------------
 */

static enum tsr_status write_format(struct tsr_h5 *file, const char *format, const char *command,
                                    struct tsr_error *err) {
    TSR_TRY(tsr_h5_write_attr_str(file, "/", "format", format, err));
    TSR_TRY(tsr_h5_write_attr_i64(file, "/", "format_version", FORMAT_VERSION, err));
    if (command) TSR_TRY(tsr_h5_write_attr_str(file, "/", "command", command, err));
    return tsr_h5_write_attr_str(file, "/", "tessera_version", tsr_version(), err);
}

static enum tsr_status check_format(struct tsr_h5 *file, const char *expected,
                                    struct tsr_error *err) {
    char format[64] = "absent";
    int64_t version;
    if (tsr_h5_has_attr(file, "/", "format"))
        TSR_TRY(tsr_h5_read_attr_str(file, "/", "format", format, sizeof format, err));
    if (strcmp(format, expected) != 0)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: attribute format is \"%s\"; expected \"%s\"",
                         tsr_h5_path(file), format, expected);
    TSR_TRY(tsr_h5_read_attr_i64(file, "/", "format_version", &version, err));
    if (version < 1 || version > FORMAT_VERSION)
        return TSR_ERROR(err, TSR_ERR_VERSION,
                         "%s: format_version is %lld; this program reads 1 to %d",
                         tsr_h5_path(file), (long long)version, FORMAT_VERSION);
    return TSR_OK;
}

/* ---- parameters: vectors in memory, a weight and a bias dataset a layer in the file -------------
 */

/* One dataset [n, out, in] or [n, out] for a part of n parameter vectors. */
struct part {
    char path[96];
    size_t rank, dims[4], size, at; /* at: offset in the vector */
};

/* leading: extents before [out, in], e.g. {K, slots}. */
static struct part describe_part(const char *prefix, const char *suffix, const struct tsr_net *net,
                                 size_t layer, bool bias, const size_t *leading, size_t n_leading) {
    struct part p = {.rank = n_leading};
    for (size_t i = 0; i < n_leading; i++)
        p.dims[i] = leading[i];
    p.dims[p.rank++] = net->fan_out[layer];
    if (!bias) p.dims[p.rank++] = net->fan_in[layer];
    p.size = net->fan_out[layer] * (bias ? 1 : net->fan_in[layer]);
    p.at = bias ? net->bias_at[layer] : net->weight_at[layer];
    (void)snprintf(p.path, sizeof p.path, "%s/layer%zu/%s%s", prefix, layer,
                   bias ? "bias" : "weight", suffix);
    return p;
}

static void print_shape(size_t rank, const size_t *dims, char *out, size_t size) {
    out[0] = '\0';
    for (size_t i = 0; i < rank; i++) {
        size_t used = strlen(out);
        (void)snprintf(out + used, size - used, "%s%zu", i ? ", " : "", dims[i]);
    }
}

static enum tsr_status check_part(struct tsr_h5 *file, const struct part *p,
                                  struct tsr_error *err) {
    size_t rank, dims[TSR_H5_MAX_RANK];
    char found[192], expected[96];
    TSR_TRY(tsr_h5_shape(file, p->path, &rank, dims, NULL, err));
    if (rank == p->rank && memcmp(dims, p->dims, rank * sizeof *dims) == 0) return TSR_OK;
    print_shape(rank, dims, found, sizeof found);
    print_shape(p->rank, p->dims, expected, sizeof expected);
    return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: %s has shape [%s]; the settings ask for [%s]",
                     tsr_h5_path(file), p->path, found, expected);
}

static enum tsr_status transfer_part(bool write, struct tsr_h5 *file, const struct part *p,
                                     size_t n_vectors, size_t n_params, tsr_real *vectors,
                                     struct tsr_error *err) {
    void *block;
    TSR_TRY(tsr_alloc(&block, n_vectors, p->size * sizeof *vectors, p->path, err));
    tsr_real *packed = block;
    enum tsr_status status = TSR_OK;
    if (!write) status = tsr_h5_read(file, p->path, REAL, p->rank, p->dims, packed, err);
    for (size_t i = 0; status == TSR_OK && i < n_vectors; i++) {
        tsr_real *vector = vectors + i * n_params + p->at, *there = packed + i * p->size;
        memcpy(write ? there : vector, write ? vector : there, p->size * sizeof *vector);
    }
    if (write) status = tsr_h5_write(file, p->path, REAL, p->rank, p->dims, packed, 0, err);
    free(block);
    return status;
}

/* vectors [leading..., n_params]; NULL when reading: only looks whether all parts are there in
 * their shapes, which a reader does before it allocates. */
static enum tsr_status transfer_params(bool write, struct tsr_h5 *file, const char *prefix,
                                       const char *suffix, const struct tsr_net *net,
                                       const size_t *leading, size_t n_leading, tsr_real *vectors,
                                       struct tsr_error *err) {
    size_t n = 1;
    for (size_t i = 0; i < n_leading; i++)
        n *= leading[i];
    for (size_t l = 0; l < net->n_layers; l++)
        for (int bias = 0; bias < 2; bias++) {
            struct part p = describe_part(prefix, suffix, net, l, bias, leading, n_leading);
            TSR_TRY(vectors ? transfer_part(write, file, &p, n, net->n_params, vectors, err)
                            : check_part(file, &p, err));
        }
    return TSR_OK;
}

/* ---- rates ------------------------------------------------------------------------------------
 */

/* Rates a parameter are laid out like the parameters: /inner/layerL/weight_rate [K, slots, out,
 * in]; others are one dataset /inner/rate: [], [K, slots] or [K, slots, n_layers]. */
static enum tsr_status transfer_rates(bool write, struct tsr_h5 *file, const struct tsr_net *net,
                                      const struct tsr_rates *rates, tsr_real *values,
                                      struct tsr_error *err) {
    size_t dims[3] = {rates->n_steps, rates->n_slots, rates->n_units};
    if (rates->n_units == net->n_params)
        return transfer_params(write, file, "/inner", "_rate", net, dims, 2, values, err);
    size_t rank = rates->kind == TSR_RATES_FIXED ? 0 : rates->kind == TSR_RATES_PER_STEP ? 2 : 3;
    if (write) return tsr_h5_write(file, "/inner/rate", REAL, rank, dims, values, 0, err);
    struct part p = {.path = "/inner/rate", .rank = rank, .dims = {dims[0], dims[1], dims[2]}};
    if (!values) return check_part(file, &p, err);
    return tsr_h5_read(file, "/inner/rate", REAL, rank, dims, values, err);
}

/* ---- models -----------------------------------------------------------------------------------
 */

static enum tsr_status transfer_settings(bool write, struct tsr_h5 *file,
                                         struct tsr_model_config *c, struct tsr_error *err) {
    const struct attribute table[] = {
        {"/partition", "slots", NAME, &c->slots, tsr_slots_to_name, tsr_slots_from_name, false},
        {"/partition", "image_height", SIZE, &c->height, NULL, NULL, true},
        {"/partition", "image_width", SIZE, &c->width, NULL, NULL, true},
        {"/inner", "steps", SIZE, &c->inner_steps, NULL, NULL, false},
        {"/inner", "rates", NAME, &c->rates, tsr_rates_to_name, tsr_rates_from_name, false},
        {"/inner", "start_rate", F64, &c->inner_lr, NULL, NULL, true},
        {"/inner", "loss", NAME, &c->inner_loss, tsr_inner_loss_to_name, tsr_inner_loss_from_name,
         true},
    };
    TSR_TRY(transfer_shape(write, file, &c->network, &c->partition, &c->coords, err));
    return TRANSFER(write, file, table, err);
}

static enum tsr_status write_anchors(struct tsr_h5 *file, const struct tsr_anchors *a,
                                     struct tsr_error *err) {
    const size_t dims[2] = {a->n, TSR_REGION_FEATURES};
    if (a->n == 0) return TSR_OK;
    TSR_TRY(tsr_h5_write(file, "/partition/anchors", TSR_H5_F64, 2, dims, a->mean, 0, err));
    return tsr_h5_write(file, "/partition/anchor_weights", TSR_H5_F64, 1, dims + 1, a->weight, 0,
                        err);
}

static enum tsr_status read_anchors(struct tsr_h5 *file, struct tsr_model *m,
                                    struct tsr_error *err) {
    const size_t dims[2] = {m->n_slots, TSR_REGION_FEATURES};
    struct tsr_anchors *a = &m->anchors;
    void *mean;
    if (!tsr_model_has_anchors(&m->config)) return TSR_OK;
    TSR_TRY(tsr_alloc(&mean, dims[0], dims[1] * sizeof(double), "anchors", err));
    a->mean = mean;
    a->n = dims[0];
    TSR_TRY(tsr_h5_read(file, "/partition/anchors", TSR_H5_F64, 2, dims, a->mean, err));
    TSR_TRY(
        tsr_h5_read(file, "/partition/anchor_weights", TSR_H5_F64, 1, dims + 1, a->weight, err));
    for (size_t i = 0; i < dims[0] * dims[1]; i++)
        if (!isfinite(a->mean[i]))
            return TSR_ERROR(err, TSR_ERR_FORMAT,
                             "%s: /partition/anchors holds %g; it must be finite",
                             tsr_h5_path(file), a->mean[i]);
    for (size_t i = 0; i < dims[1]; i++)
        if (!(isfinite(a->weight[i]) && a->weight[i] >= 0))
            return TSR_ERROR(err, TSR_ERR_FORMAT,
                             "%s: /partition/anchor_weights holds %g; it must be 0 or more",
                             tsr_h5_path(file), a->weight[i]);
    return TSR_OK;
}

static enum tsr_status write_model(struct tsr_h5 *file, const struct tsr_model *m,
                                   const char *command, struct tsr_error *err) {
    struct tsr_model_config config = m->config;
    TSR_TRY(write_format(file, "tessera-model", command, err));
    TSR_TRY(transfer_settings(true, file, &config, err));
    TSR_TRY(write_anchors(file, &m->anchors, err));
    TSR_TRY(transfer_params(true, file, "/init", "", &m->net, &m->n_slots, 1, m->theta, err));
    return transfer_rates(true, file, &m->net, &m->rates, m->rates.value, err);
}

/* Is dataset `path` for as many vectors as the settings ask for? Looked at before anything is
 * allocated. */
static enum tsr_status check_extent(struct tsr_h5 *file, const char *path, size_t expected,
                                    const char *what, struct tsr_error *err) {
    size_t rank, dims[TSR_H5_MAX_RANK];
    TSR_TRY(tsr_h5_shape(file, path, &rank, dims, NULL, err));
    if (rank != 3)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: %s has rank %zu; expected [%s, out, in]",
                         tsr_h5_path(file), path, rank, what);
    if (dims[0] != expected)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: %s is for %zu %s; /partition asks for %zu",
                         tsr_h5_path(file), path, dims[0], what, expected);
    return TSR_OK;
}

static enum tsr_status read_model(struct tsr_h5 *file, struct tsr_model **out,
                                  struct tsr_error *err) {
    struct tsr_model_config config;
    tsr_model_config_default(&config);
    config.partition = (struct tsr_partition_rule){0};
    TSR_TRY(check_format(file, "tessera-model", err));
    TSR_TRY(transfer_settings(false, file, &config, err));
    enum tsr_status status = tsr_model_config_check(&config, err);
    if (status != TSR_OK) {
        tsr_error_prefix(err, "%s", tsr_h5_path(file));
        return TSR_ERR_FORMAT;
    }
    size_t slots = tsr_model_config_slots(&config);
    struct tsr_net net;
    struct tsr_rates rates;
    tsr_network_layout(&config.network, &net);
    tsr_rates_layout(&rates, config.rates, config.inner_steps, slots, &net);
    TSR_TRY(check_extent(file, "/init/layer0/weight", slots, "slots", err));
    TSR_TRY(transfer_params(false, file, "/init", "", &net, &slots, 1, NULL, err));
    TSR_TRY(transfer_rates(false, file, &net, &rates, NULL, err));
    TSR_TRY(tsr_model_create(&config, 0, out, err));
    struct tsr_model *m = *out;
    TSR_CHECK(read_anchors(file, m, err));
    TSR_CHECK(transfer_params(false, file, "/init", "", &m->net, &m->n_slots, 1, m->theta, err));
    TSR_CHECK(transfer_rates(false, file, &m->net, &m->rates, m->rates.value, err));
done:
    if (status == TSR_OK) return TSR_OK;
    tsr_model_free(*out);
    *out = NULL;
    return status;
}

enum tsr_status tsr_model_load(const char *path, struct tsr_model **out, struct tsr_error *err) {
    struct tsr_h5 *file;
    *out = NULL;
    TSR_TRY(tsr_h5_open(path, &file, err));
    enum tsr_status status = read_model(file, out, err);
    tsr_h5_close(file);
    return status;
}

enum tsr_status tsr_model_save(const struct tsr_model *model, const char *path,
                               struct tsr_error *err) {
    return tsr_checkpoint_save(model, NULL, path, err);
}

/* ---- checkpoints: /outer ------------------------------------------------------------------------
 */

static enum tsr_status transfer_outer_settings(bool write, struct tsr_h5 *file,
                                               struct tsr_outer_state *s, struct tsr_error *err) {
    struct tsr_trainer_config *c = &s->config;
    struct tsr_trainer_progress *p = &s->progress;
    const struct attribute table[] = {
        {"/outer", "batch", SIZE, &c->batch, NULL, NULL, false},
        {"/outer", "region_fraction", F64, &c->region_fraction, NULL, NULL, false},
        {"/outer", "outer_lr", F64, &c->outer_lr, NULL, NULL, false},
        {"/outer", "rates_lr", F64, &c->rates_lr, NULL, NULL, false},
        {"/outer", "beta1", F64, &c->beta1, NULL, NULL, false},
        {"/outer", "beta2", F64, &c->beta2, NULL, NULL, false},
        {"/outer", "warmup", SIZE, &c->warmup, NULL, NULL, false},
        {"/outer", "final_lr", F64, &c->final_lr, NULL, NULL, false},
        {"/outer", "clip", F64, &c->clip, NULL, NULL, false},
        {"/outer", "outer_steps", U64, &c->outer_steps, NULL, NULL, false},
        {"/outer", "seconds_bound", F64, &c->seconds, NULL, NULL, false},
        {"/outer", "val_every", SIZE, &c->val_every, NULL, NULL, false},
        {"/outer", "val_images", SIZE, &c->val_images, NULL, NULL, false},
        {"/outer", "seed", U64, &c->seed, NULL, NULL, false},
        {"/outer", "outer_step", U64, &p->outer_step, NULL, NULL, false},
        {"/outer", "seconds", F64, &p->seconds, NULL, NULL, false},
        {"/outer", "skipped", U64, &p->skipped, NULL, NULL, false},
        {"/outer", "last_outer_lr", F64, &p->outer_lr, NULL, NULL, true},
        {"/outer", "bad_share", F64, &p->bad_share, NULL, NULL, true},
        {"/outer", "train_psnr_db", F64, &p->train_psnr_db, NULL, NULL, false},
        {"/outer", "val_psnr_db", F64, &p->val_psnr_db, NULL, NULL, false},
    };
    TSR_TRY(write ? write_choice(file, "/outer", "method", &c->method, err)
                  : read_choice(file, "/outer", "method", &tsr_methods, &c->method, err));
    return TRANSFER(write, file, table, err);
}

static enum tsr_status transfer_moments(bool write, struct tsr_h5 *file, const struct tsr_model *m,
                                        struct tsr_outer_state *s, struct tsr_error *err) {
    const size_t theta[2] = {m->n_slots, m->net.n_params};
    const size_t rates[3] = {m->rates.n_steps, m->rates.n_slots, m->rates.n_units};
    const struct {
        const char *path;
        size_t rank;
        const size_t *dims;
        tsr_real *data;
    } table[] = {{"/outer/theta_m", 2, theta, s->m_theta},
                 {"/outer/theta_v", 2, theta, s->v_theta},
                 {"/outer/rates_m", 3, rates, s->m_rates},
                 {"/outer/rates_v", 3, rates, s->v_rates}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        TSR_TRY(write ? tsr_h5_write(file, table[i].path, REAL, table[i].rank, table[i].dims,
                                     table[i].data, 0, err)
                      : tsr_h5_read(file, table[i].path, REAL, table[i].rank, table[i].dims,
                                    table[i].data, err));
    return TSR_OK;
}

static enum tsr_status write_history(struct tsr_h5 *file, const struct tsr_outer_state *s,
                                     struct tsr_error *err) {
    const size_t dims[2] = {s->n_history, TSR_HISTORY_COLUMNS};
    if (s->n_history == 0) return TSR_OK;
    TSR_TRY(tsr_h5_write(file, "/outer/history", TSR_H5_F64, 2, dims, s->history, 0, err));
    return tsr_h5_write_attr_str(file, "/outer/history", "columns",
                                 "outer_step seconds train_psnr_db val_psnr_db outer_lr", err);
}

static enum tsr_status read_history(struct tsr_h5 *file, struct tsr_outer_state *s,
                                    struct tsr_error *err) {
    size_t rank, dims[TSR_H5_MAX_RANK];
    if (!tsr_h5_exists(file, "/outer/history")) return TSR_OK;
    TSR_TRY(tsr_h5_shape(file, "/outer/history", &rank, dims, NULL, err));
    if (rank != 2 || dims[1] != TSR_HISTORY_COLUMNS)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: /outer/history must be [lines, %d]",
                         tsr_h5_path(file), TSR_HISTORY_COLUMNS);
    if (dims[0] > s->progress.outer_step)
        return TSR_ERROR(
            err, TSR_ERR_FORMAT,
            "%s: /outer/history has %zu lines after %llu outer steps; at most one each",
            tsr_h5_path(file), dims[0], (unsigned long long)s->progress.outer_step);
    void *p;
    TSR_TRY(tsr_alloc(&p, dims[0], sizeof *s->history, "history", err));
    s->history = p;
    s->n_history = s->max_history = dims[0];
    return tsr_h5_read(file, "/outer/history", TSR_H5_F64, 2, dims, s->history, err);
}

enum tsr_status tsr_checkpoint_save(const struct tsr_model *model,
                                    const struct tsr_outer_state *state, const char *path,
                                    struct tsr_error *err) {
    struct tsr_h5 *file = NULL;
    enum tsr_status status;
    TSR_CHECK(tsr_h5_create(path, &file, err));
    TSR_CHECK(write_model(file, model, state ? state->config.command : NULL, err));
    if (state) {
        struct tsr_outer_state copy =
            *state; /* the tables hold pointers to what may be read into */
        TSR_CHECK(transfer_outer_settings(true, file, &copy, err));
        TSR_CHECK(transfer_moments(true, file, model, &copy, err));
        TSR_CHECK(write_history(file, state, err));
    }
    TSR_CHECK(tsr_h5_commit(file, err));
done:
    tsr_h5_close(file);
    return status;
}

enum tsr_status tsr_checkpoint_load(const char *path, struct tsr_model **model,
                                    struct tsr_outer_state *state, struct tsr_error *err) {
    struct tsr_h5 *file = NULL;
    enum tsr_status status;
    *model = NULL;
    *state = (struct tsr_outer_state){0};
    TSR_CHECK(tsr_h5_open(path, &file, err));
    TSR_CHECK(read_model(file, model, err));
    if (!tsr_h5_exists(file, "/outer")) {
        status = TSR_ERROR(
            err, TSR_ERR_FORMAT,
            "%s: there is no /outer; this model cannot be resumed, only used to start from", path);
        goto done;
    }
    size_t n_theta = (*model)->n_slots * (*model)->net.n_params;
    TSR_CHECK(tsr_outer_state_create(n_theta, tsr_rates_count(&(*model)->rates), state, err));
    TSR_CHECK(transfer_outer_settings(false, file, state, err));
    TSR_CHECK(transfer_moments(false, file, *model, state, err));
    TSR_CHECK(read_history(file, state, err));
done:
    tsr_h5_close(file);
    if (status != TSR_OK) {
        tsr_model_free(*model);
        *model = NULL;
        tsr_outer_state_clear(state);
    }
    return status;
}

/* ---- INRs ---------------------------------------------------------------------------------------
 */

static enum tsr_status transfer_image_size(bool write, struct tsr_h5 *file, size_t *height,
                                           size_t *width, struct tsr_error *err) {
    const struct attribute table[] = {
        {"/partition", "image_height", SIZE, height, NULL, NULL, false},
        {"/partition", "image_width", SIZE, width, NULL, NULL, false},
    };
    return TRANSFER(write, file, table, err);
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
    const struct part p = {.path = "/partition/labels", .rank = 2, .dims = {c->height, c->width}};
    if (!tsr_rule_follows_image(&c->partition)) return TSR_OK;
    return check_part(file, &p, err);
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

static enum tsr_status write_inr(struct tsr_h5 *file, const struct tsr_inr *inr,
                                 struct tsr_error *err) {
    struct tsr_inr copy = *inr;
    size_t height = inr->partition->height, width = inr->partition->width;
    TSR_TRY(write_format(file, "tessera-inr", NULL, err));
    TSR_TRY(transfer_shape(true, file, &copy.network, &copy.rule, &copy.coords, err));
    TSR_TRY(transfer_image_size(true, file, &height, &width, err));
    TSR_TRY(write_label_map(file, inr->partition, err));
    return transfer_params(true, file, "/regions", "", &inr->net, &inr->partition->n_regions, 1,
                           inr->phi, err);
}

enum tsr_status tsr_inr_save(const struct tsr_inr *inr, const char *path, struct tsr_error *err) {
    struct tsr_h5 *file = NULL;
    enum tsr_status status;
    TSR_CHECK(tsr_h5_create(path, &file, err));
    TSR_CHECK(write_inr(file, inr, err));
    TSR_CHECK(tsr_h5_commit(file, err));
done:
    tsr_h5_close(file);
    return status;
}

static enum tsr_status read_inr(struct tsr_h5 *file, struct tsr_inr **out, struct tsr_error *err) {
    struct tsr_model model;
    struct tsr_model_config *c = &model.config;
    tsr_model_config_default(c);
    c->partition = (struct tsr_partition_rule){0};
    TSR_TRY(check_format(file, "tessera-inr", err));
    TSR_TRY(transfer_shape(false, file, &c->network, &c->partition, &c->coords, err));
    TSR_TRY(transfer_image_size(false, file, &c->height, &c->width, err));
    if (tsr_model_config_check(c, err) != TSR_OK) {
        tsr_error_prefix(err, "%s", tsr_h5_path(file));
        return TSR_ERR_FORMAT;
    }
    size_t regions = tsr_partition_rule_regions(&c->partition, c->height, c->width);
    TSR_TRY(check_extent(file, "/regions/layer0/weight", regions, "regions", err));
    tsr_network_layout(&c->network, &model.net);
    TSR_TRY(transfer_params(false, file, "/regions", "", &model.net, &regions, 1, NULL, err));
    TSR_TRY(check_label_map(file, c, err));
    TSR_TRY(tsr_inr_create(&model, c->height, c->width, out, err));
    TSR_TRY(read_label_map(file, *out, err));
    return transfer_params(false, file, "/regions", "", &(*out)->net, &(*out)->partition->n_regions,
                           1, (*out)->phi, err);
}

enum tsr_status tsr_inr_load(const char *path, struct tsr_inr **out, struct tsr_error *err) {
    struct tsr_h5 *file;
    *out = NULL;
    TSR_TRY(tsr_h5_open(path, &file, err));
    enum tsr_status status = read_inr(file, out, err);
    tsr_h5_close(file);
    if (status != TSR_OK) {
        tsr_inr_free(*out);
        *out = NULL;
    }
    return status;
}
