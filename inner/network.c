/* SPDX-License-Identifier: MIT */
#include "inner/network.h"

#include <math.h>
#include <string.h>

#include "base/random.h"

void tsr_network_config_default(struct tsr_network_config *config) {
    *config = (struct tsr_network_config){.kind = tsr_choice_of(tsr_kinds.object[0]),
                                          .in_dim = 2,
                                          .out_dim = 3,
                                          .width = 32,
                                          .hidden_layers = 2,
                                          .output_offset = 0.5};
}

static enum tsr_status check_count(const char *name, size_t value, size_t lo, size_t hi,
                                   struct tsr_error *err) {
    if (value < lo || value > hi)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "network: %s is %zu; it must be %zu to %zu", name,
                         value, lo, hi);
    return TSR_OK;
}

enum tsr_status tsr_network_config_check(const struct tsr_network_config *config,
                                         struct tsr_error *err) {
    TSR_TRY(check_count("in_dim", config->in_dim, 1, TSR_MAX_DIM, err));
    TSR_TRY(check_count("out_dim", config->out_dim, 1, TSR_MAX_DIM, err));
    TSR_TRY(check_count("width", config->width, 1, TSR_MAX_WIDTH, err));
    TSR_TRY(check_count("hidden_layers", config->hidden_layers, 0, TSR_MAX_LAYERS - 2, err));
    TSR_TRY(tsr_choice_check(&tsr_kinds, &config->kind, err));
    const struct tsr_kind *kind = tsr_kind_of(&config->kind);
    if (kind->check) TSR_TRY(kind->check(&config->kind, err));
    if (!isfinite(config->output_offset))
        return TSR_ERROR(err, TSR_ERR_CONFIG, "network: output_offset is %g; it must be finite",
                         config->output_offset);
    return TSR_OK;
}

void tsr_network_layout(const struct tsr_network_config *config, struct tsr_net *net) {
    memset(net, 0, sizeof *net);
    net->kind = tsr_kind_of(&config->kind);
    net->in_dim = config->in_dim;
    net->out_dim = config->out_dim;
    net->width = config->width;
    net->n_layers = config->hidden_layers + 2;
    net->output_offset = config->output_offset;
    for (size_t l = 0; l < net->n_layers; l++)
        net->omega[l] = 1;
    net->kind->layout(&config->kind, net);
    for (size_t l = 0; l < net->n_layers; l++) {
        net->fan_in[l] = l ? net->width : net->in_dim * (net->octaves ? 2 * net->octaves : 1);
        net->fan_out[l] = l + 1 == net->n_layers ? net->out_dim : net->width;
        net->weight_at[l] = net->n_params;
        net->bias_at[l] = net->n_params + net->fan_in[l] * net->fan_out[l];
        net->n_params = net->bias_at[l] + net->fan_out[l];
    }
}

void tsr_network_randomize(const struct tsr_net *net, uint64_t seed, uint64_t slot, tsr_real *phi) {
    net->kind->randomize(net, seed, slot << 32 | TSR_STREAM_INIT, phi);
}

static double params_at(struct tsr_network_config config, size_t width) {
    struct tsr_net net;
    config.width = width;
    tsr_network_layout(&config, &net);
    return (double)net.n_params;
}

size_t tsr_network_width_for(const struct tsr_network_config *config, double n_params) {
    size_t width = 1; /* the number grows with the width */
    while (width < TSR_MAX_WIDTH && params_at(*config, width) < n_params)
        width++;
    double above = params_at(*config, width) - n_params;
    return width > 1 && n_params - params_at(*config, width - 1) <= above ? width - 1 : width;
}

size_t tsr_network_weights(const struct tsr_net *net) {
    size_t n = 0;
    for (size_t l = 0; l < net->n_layers; l++)
        n += net->fan_in[l] * net->fan_out[l];
    return n;
}

double tsr_network_flops(const struct tsr_net *net, double forward_passes) {
    return 2 * (double)tsr_network_weights(net) * forward_passes;
}

double tsr_network_gradient_passes(const struct tsr_net *net) {
    double down = 0, weights = 0;
    for (size_t l = net->n_fixed; l < net->n_layers; l++) {
        double size = (double)(net->fan_in[l] * net->fan_out[l]);
        if (l > net->n_fixed || l == 0) down += size;
        if (!net->weights_fixed) weights += size;
    }
    return 1 + (down + weights) / (double)tsr_network_weights(net);
}
