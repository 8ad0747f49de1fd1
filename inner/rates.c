/* SPDX-License-Identifier: MIT */
#include "inner/rates.h"

#include "base/names.h"

static const char *const kind_names[] = {"fixed", "per-step", "per-layer-per-step", "per-param",
                                         "per-param-per-step"};
TSR_DEFINE_NAMES(tsr_rates, tsr_rates_kind, kind_names, "kind of rates")

void tsr_rates_layout(struct tsr_rates *rates, enum tsr_rates_kind kind, size_t inner_steps,
                      size_t slots, const struct tsr_net *net) {
    bool per_step = kind != TSR_RATES_FIXED && kind != TSR_RATES_PER_PARAM;
    bool per_param = kind == TSR_RATES_PER_PARAM || kind == TSR_RATES_PER_PARAM_PER_STEP;
    *rates = (struct tsr_rates){
        .kind = kind,
        .n_steps = per_step && inner_steps > 1 ? inner_steps : 1,
        .n_slots = kind == TSR_RATES_FIXED ? 1 : slots,
        .n_units = per_param                              ? net->n_params
                   : kind == TSR_RATES_PER_LAYER_PER_STEP ? net->n_layers
                                                          : 1,
    };
}

size_t tsr_rates_count(const struct tsr_rates *rates) {
    return rates->n_steps * rates->n_slots * rates->n_units;
}

size_t tsr_rates_at(const struct tsr_rates *rates, size_t k, size_t slot) {
    size_t step = k < rates->n_steps ? k : rates->n_steps - 1;
    size_t s = rates->n_slots > 1 ? slot : 0;
    return (step * rates->n_slots + s) * rates->n_units;
}

/* End of layer l in the parameter vector. */
static size_t layer_end(const struct tsr_net *net, size_t l) {
    return net->bias_at[l] + net->fan_out[l];
}

/* The part of layer l within [from, to). */
static size_t part_start(const struct tsr_net *net, size_t l, size_t from) {
    return net->weight_at[l] > from ? net->weight_at[l] : from;
}

static size_t part_end(const struct tsr_net *net, size_t l, size_t to) {
    return layer_end(net, l) < to ? layer_end(net, l) : to;
}

void tsr_rates_apply_range(const struct tsr_rates *rates, const struct tsr_net *net, size_t k,
                           size_t slot, size_t from, size_t to, const tsr_real *g, tsr_real *out) {
    const tsr_real *alpha = rates->value + tsr_rates_at(rates, k, slot);
    if (rates->n_units == net->n_params) {
        for (size_t i = from; i < to; i++)
            out[i] = alpha[i] * g[i];
        return;
    }
    for (size_t l = 0; l < net->n_layers; l++) {
        tsr_real a = alpha[rates->n_units > 1 ? l : 0];
        for (size_t i = part_start(net, l, from); i < part_end(net, l, to); i++)
            out[i] = a * g[i];
    }
}

void tsr_rates_apply(const struct tsr_rates *rates, const struct tsr_net *net, size_t k,
                     size_t slot, const tsr_real *g, tsr_real *out) {
    tsr_rates_apply_range(rates, net, k, slot, 0, net->n_params, g, out);
}

void tsr_rates_descend(const struct tsr_rates *rates, const struct tsr_net *net, size_t k,
                       size_t slot, size_t from, size_t to, double factor, const tsr_real *phi,
                       const tsr_real *g, tsr_real *next) {
    const tsr_real *alpha = rates->value + tsr_rates_at(rates, k, slot);
    tsr_real f = (tsr_real)factor;
    if (rates->n_units == net->n_params) {
        for (size_t i = from; i < to; i++)
            next[i] = phi[i] - alpha[i] * f * g[i];
        return;
    }
    for (size_t l = 0; l < net->n_layers; l++) {
        tsr_real a = alpha[rates->n_units > 1 ? l : 0] * f;
        for (size_t i = part_start(net, l, from); i < part_end(net, l, to); i++)
            next[i] = phi[i] - a * g[i];
    }
}

void tsr_rates_reduce(const struct tsr_rates *rates, const struct tsr_net *net,
                      const tsr_real *full, tsr_real *units) {
    if (rates->n_units == net->n_params) {
        for (size_t i = 0; i < net->n_params; i++)
            units[i] += full[i];
        return;
    }
    for (size_t l = 0; l < net->n_layers; l++) {
        double sum = 0;
        for (size_t i = net->weight_at[l]; i < layer_end(net, l); i++)
            sum += (double)full[i];
        units[rates->n_units > 1 ? l : 0] += (tsr_real)sum;
    }
}
