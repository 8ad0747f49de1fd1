/* SPDX-License-Identifier: MIT */
#include "inner/network.h"

#include <math.h>
#include <string.h>

#include "base/names.h"
#include "base/random.h"

static const char *const kind_names[] = {"siren", "relu-pe"};
TSR_DEFINE_NAMES(tsr_network_kind, tsr_network_kind, kind_names, "network kind")

void tsr_network_config_default(struct tsr_network_config *config) {
    *config = (struct tsr_network_config){.kind = TSR_NET_SIREN,
                                          .in_dim = 2,
                                          .out_dim = 3,
                                          .width = 32,
                                          .hidden_layers = 2,
                                          .omega_first = 15,
                                          .omega_hidden = 30,
                                          .octaves = 4,
                                          .pe_omega = 1,
                                          .output_offset = 0.5};
}

static enum tsr_status check_count(const char *name, size_t value, size_t lo, size_t hi,
                                   struct tsr_error *err) {
    if (value < lo || value > hi)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "network: %s is %zu; it must be %zu to %zu", name,
                         value, lo, hi);
    return TSR_OK;
}

static enum tsr_status check_siren(const struct tsr_network_config *config, struct tsr_error *err) {
    if (!(config->omega_first > 0 && isfinite(config->omega_first)))
        return TSR_ERROR(err, TSR_ERR_CONFIG, "network: omega_first is %g; it must be positive",
                         config->omega_first);
    if (!(config->omega_hidden > 0 && isfinite(config->omega_hidden)))
        return TSR_ERROR(err, TSR_ERR_CONFIG, "network: omega_hidden is %g; it must be positive",
                         config->omega_hidden);
    return TSR_OK;
}

static enum tsr_status check_relu_pe(const struct tsr_network_config *config,
                                     struct tsr_error *err) {
    TSR_TRY(check_count("octaves", config->octaves, 0, TSR_MAX_OCTAVES, err));
    if (config->octaves > 0 && !(config->pe_omega > 0 && config->pe_omega <= 1e6))
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "network: pe_omega is %g; it must be positive and at most 1e6",
                         config->pe_omega);
    return TSR_OK;
}

enum tsr_status tsr_network_config_check(const struct tsr_network_config *config,
                                         struct tsr_error *err) {
    TSR_TRY(check_count("in_dim", config->in_dim, 1, TSR_MAX_DIM, err));
    TSR_TRY(check_count("out_dim", config->out_dim, 1, TSR_MAX_DIM, err));
    TSR_TRY(check_count("width", config->width, 1, TSR_MAX_WIDTH, err));
    TSR_TRY(check_count("hidden_layers", config->hidden_layers, 0, TSR_MAX_LAYERS - 2, err));
    TSR_TRY((config->kind == TSR_NET_SIREN ? check_siren : check_relu_pe)(config, err));
    if (!isfinite(config->output_offset))
        return TSR_ERROR(err, TSR_ERR_CONFIG, "network: output_offset is %g; it must be finite",
                         config->output_offset);
    return TSR_OK;
}

void tsr_network_layout(const struct tsr_network_config *config, struct tsr_net *net) {
    bool siren = config->kind == TSR_NET_SIREN;
    memset(net, 0, sizeof *net);
    net->kind = config->kind;
    net->octaves = siren ? 0 : config->octaves;
    net->pe_omega = siren ? 0 : config->pe_omega;
    net->in_dim = config->in_dim;
    net->out_dim = config->out_dim;
    net->width = config->width;
    net->n_layers = config->hidden_layers + 2;
    net->output_offset = config->output_offset;
    for (size_t l = 0; l < net->n_layers; l++) {
        bool last = l + 1 == net->n_layers;
        net->fan_in[l] = l ? net->width : net->in_dim * (net->octaves ? 2 * net->octaves : 1);
        net->fan_out[l] = last ? net->out_dim : net->width;
        net->omega[l] = last || !siren ? 1 : l ? config->omega_hidden : config->omega_first;
        net->weight_at[l] = net->n_params;
        net->bias_at[l] = net->n_params + net->fan_in[l] * net->fan_out[l];
        net->n_params = net->bias_at[l] + net->fan_out[l];
    }
}

static void randomize_relu(const struct tsr_net *net, uint64_t seed, uint64_t stream,
                           tsr_real *phi) {
    for (size_t l = 0; l < net->n_layers; l++) {
        double deviation = sqrt(2 / (double)net->fan_in[l]);
        for (size_t i = net->weight_at[l]; i < net->bias_at[l]; i++)
            phi[i] = (tsr_real)(deviation * tsr_random_normal(seed, stream, i));
        memset(phi + net->bias_at[l], 0, net->fan_out[l] * sizeof *phi);
    }
}

void tsr_network_randomize(const struct tsr_net *net, uint64_t seed, uint64_t slot, tsr_real *phi) {
    uint64_t stream = slot << 32 | TSR_STREAM_INIT;
    if (net->kind == TSR_NET_RELU_PE) {
        randomize_relu(net, seed, stream, phi);
        return;
    }
    size_t last = net->n_layers - 1;
    for (size_t l = 0; l <= last; l++) {
        double in = (double)net->fan_in[l];
        double bound = l ? sqrt(6 / in) / net->omega[l == last ? l - 1 : l] : 1 / in;
        for (size_t i = net->weight_at[l]; i < net->bias_at[l]; i++)
            phi[i] = (tsr_real)(bound * (2 * tsr_random_uniform(seed, stream, i) - 1));
        for (size_t i = net->bias_at[l]; i < net->bias_at[l] + net->fan_out[l]; i++)
            phi[i] = l == last
                         ? 0
                         : (tsr_real)((2 * tsr_random_uniform(seed, stream, i) - 1) / sqrt(in));
    }
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
