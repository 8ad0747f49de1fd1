/* SPDX-License-Identifier: MIT */
#include "image/model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/names.h"

static const char *const loss_names[] = {"region", "image"};
TSR_DEFINE_NAMES(tsr_inner_loss, tsr_inner_loss, loss_names, "inner loss")

double tsr_model_start_rate(const struct tsr_model_config *config) {
    double rate = tsr_adaptation_of(&config->adaptation)->inner_lr;
    return rate > 0 ? rate : tsr_kind_of(&config->network.kind)->inner_lr;
}

void tsr_model_config_default(struct tsr_model_config *config) {
    *config = (struct tsr_model_config){
        .partition = {.rule = TSR_RULE(grid, 8, 8)},
        .coords = {.lo = -1, .hi = 1, .sampling = TSR_SAMPLING_CENTER, .frame = TSR_FRAME_REGION},
        .slots = TSR_SLOTS_SHARED,
        .adaptation = tsr_choice_of(tsr_adaptations.object[0]),
        .inner_steps = 3,
        .rates = TSR_RATES_PER_PARAM_PER_STEP,
        .inner_loss = TSR_INNER_LOSS_REGION,
        .context = {.fraction = 1, .query_scale = 1},
    };
    tsr_network_config_default(&config->network);
    config->inner_lr = tsr_model_start_rate(config);
}

size_t tsr_model_regions(const struct tsr_model *model, size_t height, size_t width) {
    return tsr_partition_rule_regions(&model->config.partition, height, width);
}

size_t tsr_model_basis_count(const struct tsr_model *model) {
    return model->n_slots * model->space.n_directions * model->net.n_params;
}

size_t tsr_model_region_numbers(const struct tsr_model *model) {
    return model->space.n;
}

size_t tsr_model_config_slots(const struct tsr_model_config *config) {
    if (config->slots == TSR_SLOTS_SHARED) return 1;
    return tsr_partition_rule_regions(&config->partition, config->height, config->width);
}

bool tsr_model_has_anchors(const struct tsr_model_config *config) {
    return config->slots == TSR_SLOTS_PER_REGION && tsr_rule_finds_regions(&config->partition);
}

enum tsr_status tsr_model_shape_visit(struct tsr_model_config *config, tsr_setting_fn fn,
                                      void *user, struct tsr_error *err) {
    struct tsr_network_config *n = &config->network;
    struct tsr_coords *c = &config->coords;
    struct tsr_partition_rule *p = &config->partition;
    const struct tsr_setting table[] = {
        TSR_SETTING("network", "kind", CHOICE, &n->kind, .registry = &tsr_kinds),
        TSR_SETTING("network", "in_dim", SIZE, &n->in_dim),
        TSR_SETTING("network", "out_dim", SIZE, &n->out_dim),
        TSR_SETTING("network", "width", SIZE, &n->width),
        TSR_SETTING("network", "hidden_layers", SIZE, &n->hidden_layers),
        TSR_SETTING("network", "output_offset", REAL, &n->output_offset),
        TSR_SETTING("network", "coord_lo", REAL, &c->lo),
        TSR_SETTING("network", "coord_hi", REAL, &c->hi),
        TSR_SETTING("network", "coord_sampling", NAME, &c->sampling, .names = &tsr_sampling_names),
        TSR_SETTING("network", "coord_frame", NAME, &c->frame, .names = &tsr_frame_names),
        TSR_SETTING("partition", "rule", CHOICE, &p->rule, .registry = &tsr_rules),
        TSR_SETTING("partition", "overlap", SIZE, &p->overlap, .optional = true),
    };
    return TSR_SETTINGS_VISIT(table, fn, user, err);
}

enum tsr_status tsr_model_config_visit(struct tsr_model_config *c, tsr_setting_fn fn, void *user,
                                       struct tsr_error *err) {
    const struct tsr_setting table[] = {
        TSR_SETTING("partition", "slots", NAME, &c->slots, .names = &tsr_slots_names),
        TSR_SETTING("partition", "image_height", SIZE, &c->height, .optional = true),
        TSR_SETTING("partition", "image_width", SIZE, &c->width, .optional = true),
        TSR_SETTING("inner", "adapt", CHOICE, &c->adaptation, .registry = &tsr_adaptations,
                    .optional = true),
        TSR_SETTING("inner", "steps", SIZE, &c->inner_steps),
        TSR_SETTING("inner", "rates", NAME, &c->rates, .names = &tsr_rates_names),
        TSR_SETTING("inner", "start_rate", REAL, &c->inner_lr, .optional = true),
        TSR_SETTING("inner", "loss", NAME, &c->inner_loss, .names = &tsr_inner_loss_names,
                    .optional = true),
        TSR_SETTING("context", "fraction", REAL, &c->context.fraction, .optional = true,
                    .one_is_none = true),
        TSR_SETTING("context", "query_scale", SIZE, &c->context.query_scale, .optional = true,
                    .one_is_none = true),
    };
    TSR_TRY(tsr_model_shape_visit(c, fn, user, err));
    return TSR_SETTINGS_VISIT(table, fn, user, err);
}

bool tsr_context_differs(const struct tsr_context_config *context) {
    return context->fraction < 1 || context->query_scale > 1;
}

enum tsr_status tsr_context_config_check(const struct tsr_context_config *c,
                                         struct tsr_error *err) {
    if (!(c->fraction > 0 && c->fraction <= 1))
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "the context fraction is %g; it must be above 0, up to 1", c->fraction);
    if (c->query_scale < 1 || c->query_scale > TSR_MAX_QUERY_SCALE)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "the query scale is %zu; it must be 1 to %d",
                         c->query_scale, TSR_MAX_QUERY_SCALE);
    return TSR_OK;
}

enum tsr_status tsr_model_config_reduce(struct tsr_model_config *config, size_t scale,
                                        struct tsr_error *err) {
    config->context = (struct tsr_context_config){.fraction = 1, .query_scale = 1};
    if (scale == 1) return TSR_OK;
    if (config->coords.sampling != TSR_SAMPLING_CENTER)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "a query scale of %zu needs coordinates sampled at centers, not %s: "
                         "pixels of both sizes have those",
                         scale, tsr_sampling_name(config->coords.sampling));
    TSR_TRY(tsr_partition_rule_reduce(&config->partition, scale, err));
    if (config->height % scale || config->width % scale)
        return TSR_ERROR(err, TSR_ERR_SHAPE,
                         "images of %zux%zu pixels cannot be reduced to 1/%zu: the sides must be "
                         "multiples",
                         config->height, config->width, scale);
    config->height /= scale;
    config->width /= scale;
    return TSR_OK;
}

static enum tsr_status check_slots(const struct tsr_model_config *config, struct tsr_error *err) {
    bool classes = tsr_partition_rule_is(&config->partition, &tsr_rule_labels);
    if (config->slots == TSR_SLOTS_PER_REGION && classes)
        return TSR_ERROR(
            err, TSR_ERR_CONFIG,
            "slots per-region with the rule labels: its slots are per-class or shared");
    if (config->slots == TSR_SLOTS_PER_CLASS && !classes)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "slots per-class need the rule labels, not %s",
                         config->partition.rule.object->name);
    if (config->slots == TSR_SLOTS_PER_REGION && !tsr_rule_count_is_fixed(&config->partition) &&
        (config->height == 0 || config->width == 0))
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "per-region slots with cells of fixed size need the size of the images");
    return TSR_OK;
}

enum tsr_status tsr_model_config_check(const struct tsr_model_config *config,
                                       struct tsr_error *err) {
    struct tsr_model_config copy = *config;
    TSR_TRY(tsr_model_config_visit(&copy, tsr_setting_check, NULL, err));
    TSR_TRY(tsr_network_config_check(&config->network, err));
    TSR_TRY(tsr_partition_rule_check(&config->partition, err));
    TSR_TRY(tsr_coords_check(&config->coords, err));
    TSR_TRY(tsr_context_config_check(&config->context, err));
    copy.height = copy.width = 0; /* images show theirs */
    TSR_TRY(tsr_model_config_reduce(&copy, config->context.query_scale, err));
    if (config->network.in_dim != 2)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "network: in_dim is %zu; images have 2 coordinates",
                         config->network.in_dim);
    if (config->inner_steps > 1000)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "inner_steps is %zu; it must be 0 to 1000",
                         config->inner_steps);
    if (!(config->inner_lr > 0 && isfinite(config->inner_lr)))
        return TSR_ERROR(err, TSR_ERR_CONFIG, "inner_lr is %g; it must be positive",
                         config->inner_lr);
    if (config->height > UINT16_MAX || config->width > UINT16_MAX)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "images of %zux%zu pixels: sides must be below 65536",
                         config->height, config->width);
    struct tsr_net net;
    struct tsr_space space;
    tsr_network_layout(&config->network, &net);
    tsr_space_layout(&config->adaptation, &net, &space);
    TSR_TRY(tsr_rates_check(config->rates, &space, err));
    return check_slots(config, err);
}

static enum tsr_status allocate(struct tsr_model *m, struct tsr_error *err) {
    TSR_TRY(tsr_alloc_to(&m->theta, m->n_slots, m->net.n_params * sizeof *m->theta,
                         "initialisations", err));
    if (m->space.n_directions)
        TSR_TRY(tsr_alloc_to(&m->basis, m->n_slots * m->space.n_directions,
                             m->net.n_params * sizeof *m->basis, "basis of the adaptation", err));
    tsr_rates_layout(&m->rates, m->config.rates, m->config.inner_steps, m->n_slots, &m->space);
    TSR_TRY(TSR_ALLOC(&m->rates.value, tsr_rates_count(&m->rates), "rates", err));
    return TSR_OK;
}

/* Basis of a slot, [n_directions, n_params]. */
static tsr_real *basis_of(const struct tsr_model *m, size_t slot) {
    return m->basis + slot * m->space.n_directions * m->net.n_params;
}

enum tsr_status tsr_model_create(const struct tsr_model_config *config, uint64_t seed,
                                 struct tsr_model **out, struct tsr_error *err) {
    *out = NULL;
    TSR_TRY(tsr_model_config_check(config, err));
    struct tsr_model *m;
    TSR_TRY(TSR_ALLOC(&m, 1, "model", err));
    m->config = *config;
    tsr_network_layout(&config->network, &m->net);
    tsr_space_layout(&config->adaptation, &m->net, &m->space);
    m->n_slots = tsr_model_config_slots(config);
    enum tsr_status status = allocate(m, err);
    if (status != TSR_OK) {
        tsr_model_free(m);
        return status;
    }
    for (size_t s = 0; s < m->n_slots; s++) {
        tsr_network_randomize(&m->net, seed, s, m->theta + s * m->net.n_params);
        if (m->basis) tsr_space_randomize(&m->space, &m->net, seed, s, basis_of(m, s));
    }
    tsr_rates_start(&m->rates, config->inner_lr);
    *out = m;
    return TSR_OK;
}

void tsr_model_free(struct tsr_model *model) {
    if (!model) return;
    free(model->theta);
    free(model->basis);
    free(model->rates.value);
    tsr_anchors_clear(&model->anchors);
    free(model);
}

/* Two configurations, walked side by side. */
struct pair {
    struct tsr_model_config from, to;
};

/* Of two choices of one object: the parameter that differs. */
static enum tsr_status unlike_param(const struct tsr_choice *a, const struct tsr_choice *b,
                                    struct tsr_error *err) {
    const struct tsr_params *params = &a->object->params;
    char is[64], wanted[64];
    size_t i = 0;
    while (i + 1 < params->n && a->value[i] == b->value[i])
        i++;
    tsr_param_print(&params->row[i], a->value[i], is, sizeof is);
    tsr_param_print(&params->row[i], b->value[i], wanted, sizeof wanted);
    return TSR_ERROR(err, TSR_ERR_SHAPE, "initial model: %s of its network is %s, not %s",
                     params->row[i].name, is, wanted);
}

/* Fails for a setting of the networks in which the two differ. The visitor walks pair->from. */
static enum tsr_status same_setting(void *user, const struct tsr_setting *s,
                                    struct tsr_error *err) {
    struct pair *pair = user;
    struct tsr_setting other = *s;
    char is[64], wanted[64];
    if (strcmp(s->group, "network") != 0) return TSR_OK;
    other.value = (char *)&pair->to + ((char *)s->value - (char *)&pair->from);
    if (tsr_setting_equal(s, &other)) return TSR_OK;
    if (s->type == TSR_SETTING_CHOICE) {
        const struct tsr_choice *a = s->value, *b = other.value;
        if (a->object == b->object) return unlike_param(a, b, err);
        return TSR_ERROR(err, TSR_ERR_SHAPE, "initial model: its network is %s, not %s",
                         a->object->name, b->object->name);
    }
    tsr_setting_print(s, is, sizeof is);
    tsr_setting_print(&other, wanted, sizeof wanted);
    return TSR_ERROR(err, TSR_ERR_SHAPE, "initial model: %s of its network is %s, not %s", s->name,
                     is, wanted);
}

static enum tsr_status copy_anchors(const struct tsr_anchors *from, struct tsr_anchors *to,
                                    struct tsr_error *err) {
    void *mean;
    size_t size = TSR_REGION_FEATURES * sizeof *from->mean;
    TSR_TRY(tsr_alloc(&mean, from->n, size, "anchors", err));
    memcpy(mean, from->mean, from->n * size);
    tsr_anchors_clear(to);
    *to = *from;
    to->mean = mean;
    return TSR_OK;
}

static void copy_theta(struct tsr_model *model, size_t to, const struct tsr_model *source,
                       size_t from) {
    size_t n = model->net.n_params;
    memcpy(model->theta + to * n, source->theta + from * n, n * sizeof *model->theta);
}

static void copy_basis(struct tsr_model *model, size_t to, const struct tsr_model *source,
                       size_t from) {
    if (model->basis)
        memcpy(basis_of(model, to), basis_of(source, from),
               model->space.n_directions * model->net.n_params * sizeof *model->basis);
}

static void copy_rates(struct tsr_model *model, size_t to, const struct tsr_model *source,
                       size_t from) {
    struct tsr_rates *r = &model->rates;
    for (size_t k = 0; k < r->n_steps; k++)
        memcpy(r->value + tsr_rates_at(r, k, to),
               source->rates.value + tsr_rates_at(&source->rates, k, from),
               r->n_units * sizeof *r->value);
}

void tsr_model_copy_slot(struct tsr_model *model, size_t to, const struct tsr_model *source,
                         size_t from) {
    copy_theta(model, to, source, from);
    copy_basis(model, to, source, from);
    copy_rates(model, to, source, from);
}

enum tsr_status tsr_model_init_from(struct tsr_model *model, const struct tsr_model *from,
                                    struct tsr_error *err) {
    struct pair pair = {from->config, model->config};
    TSR_TRY(tsr_model_config_visit(&pair.from, same_setting, &pair, err));
    if (from->n_slots != 1 && from->n_slots != model->n_slots)
        return TSR_ERROR(err, TSR_ERR_SHAPE,
                         "initial model: it has %zu slots; %zu or 1 (shared) are needed",
                         from->n_slots, model->n_slots);
    bool same = tsr_choice_equal(&from->config.adaptation, &model->config.adaptation);
    bool rates = same && from->rates.kind == model->rates.kind &&
                 from->rates.n_steps == model->rates.n_steps;
    for (size_t s = 0; s < model->n_slots; s++) {
        size_t source = from->n_slots == 1 ? 0 : s;
        copy_theta(model, s, from, source);
        if (same) copy_basis(model, s, from, source);
        if (rates) copy_rates(model, s, from, source);
    }
    if (tsr_model_has_anchors(&model->config) && from->anchors.n == model->n_slots)
        return copy_anchors(&from->anchors, &model->anchors, err);
    return TSR_OK;
}

enum tsr_status tsr_model_check_image(const struct tsr_model *model, size_t height, size_t width,
                                      size_t channels, struct tsr_error *err) {
    if (channels != model->net.out_dim)
        return TSR_ERROR(err, TSR_ERR_SHAPE,
                         "the images have %zu channels, the model's networks %zu outputs", channels,
                         model->net.out_dim);
    const struct tsr_model_config *c = &model->config;
    size_t regions = tsr_model_regions(model, height, width);
    if (c->slots == TSR_SLOTS_SHARED) return TSR_OK;
    if (regions != model->n_slots)
        return TSR_ERROR(err, TSR_ERR_SHAPE,
                         "images of %zux%zu pixels have %zu regions; the model has %zu %s slots",
                         height, width, regions, model->n_slots, tsr_slots_name(c->slots));
    if (!tsr_partition_rule_same_places(&c->partition, c->height, c->width, height, width))
        return TSR_ERROR(err, TSR_ERR_SHAPE,
                         "images of %zux%zu pixels have their regions in other places than the "
                         "%zux%zu that the model's %s slots were learned on",
                         height, width, c->height, c->width, tsr_slots_name(c->slots));
    return TSR_OK;
}
