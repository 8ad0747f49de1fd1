/* SPDX-License-Identifier: MIT */
#include "inner/rates.h"

#include <string.h>

#include "base/names.h"

static const char *const kind_names[] = {"fixed", "per-step", "per-layer-per-step", "per-param",
                                         "per-param-per-step"};
TSR_DEFINE_NAMES(tsr_rates, tsr_rates_kind, kind_names, "kind of rates")

void tsr_rates_layout(struct tsr_rates *rates, enum tsr_rates_kind kind, size_t inner_steps,
                      size_t slots, const struct tsr_space *space) {
    bool per_step = kind != TSR_RATES_FIXED && kind != TSR_RATES_PER_PARAM;
    bool per_param = kind == TSR_RATES_PER_PARAM || kind == TSR_RATES_PER_PARAM_PER_STEP;
    *rates = (struct tsr_rates){
        .kind = kind,
        .n_steps = per_step && inner_steps > 1 ? inner_steps : 1,
        .n_slots = kind == TSR_RATES_FIXED ? 1 : slots,
        .n_units = per_param                              ? space->n
                   : kind == TSR_RATES_PER_LAYER_PER_STEP ? space->n_groups
                                                          : 1,
        .n = space->n,
        .n_groups = space->n_groups,
    };
    memcpy(rates->end, space->end, sizeof rates->end);
}

void tsr_rates_layout_all(struct tsr_rates *rates, enum tsr_rates_kind kind, size_t inner_steps,
                          size_t slots, const struct tsr_net *net) {
    const struct tsr_choice all = tsr_choice_of(&tsr_adaptation_all.object);
    struct tsr_space space;
    tsr_space_layout(&all, net, &space);
    tsr_rates_layout(rates, kind, inner_steps, slots, &space);
}

size_t tsr_rates_count(const struct tsr_rates *rates) {
    return rates->n_steps * rates->n_slots * rates->n_units;
}

size_t tsr_rates_at(const struct tsr_rates *rates, size_t k, size_t slot) {
    size_t step = k < rates->n_steps ? k : rates->n_steps - 1;
    size_t s = rates->n_slots > 1 ? slot : 0;
    return (step * rates->n_slots + s) * rates->n_units;
}

/* The part of group i within [from, to). */
static size_t part_start(const struct tsr_rates *rates, size_t i, size_t from) {
    size_t start = i ? rates->end[i - 1] : 0;
    return start > from ? start : from;
}

static size_t part_end(const struct tsr_rates *rates, size_t i, size_t to) {
    return rates->end[i] < to ? rates->end[i] : to;
}

void tsr_rates_apply_range(const struct tsr_rates *rates, size_t k, size_t slot, size_t from,
                           size_t to, const tsr_real *g, tsr_real *out) {
    const tsr_real *alpha = rates->value + tsr_rates_at(rates, k, slot);
    if (rates->n_units == rates->n) {
        for (size_t i = from; i < to; i++)
            out[i] = alpha[i] * g[i];
        return;
    }
    for (size_t l = 0; l < rates->n_groups; l++) {
        tsr_real a = alpha[rates->n_units > 1 ? l : 0];
        for (size_t i = part_start(rates, l, from); i < part_end(rates, l, to); i++)
            out[i] = a * g[i];
    }
}

void tsr_rates_apply(const struct tsr_rates *rates, size_t k, size_t slot, const tsr_real *g,
                     tsr_real *out) {
    tsr_rates_apply_range(rates, k, slot, 0, rates->n, g, out);
}

void tsr_rates_descend(const struct tsr_rates *rates, size_t k, size_t slot, size_t from, size_t to,
                       double factor, const tsr_real *phi, const tsr_real *g, tsr_real *next) {
    const tsr_real *alpha = rates->value + tsr_rates_at(rates, k, slot);
    tsr_real f = (tsr_real)factor;
    if (rates->n_units == rates->n) {
        for (size_t i = from; i < to; i++)
            next[i] = phi[i] - alpha[i] * f * g[i];
        return;
    }
    for (size_t l = 0; l < rates->n_groups; l++) {
        tsr_real a = alpha[rates->n_units > 1 ? l : 0] * f;
        for (size_t i = part_start(rates, l, from); i < part_end(rates, l, to); i++)
            next[i] = phi[i] - a * g[i];
    }
}

void tsr_rates_reduce(const struct tsr_rates *rates, const tsr_real *full, tsr_real *units) {
    if (rates->n_units == rates->n) {
        for (size_t i = 0; i < rates->n; i++)
            units[i] += full[i];
        return;
    }
    for (size_t l = 0; l < rates->n_groups; l++) {
        double sum = 0;
        for (size_t i = part_start(rates, l, 0); i < rates->end[l]; i++)
            sum += (double)full[i];
        units[rates->n_units > 1 ? l : 0] += (tsr_real)sum;
    }
}
