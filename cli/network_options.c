/* SPDX-License-Identifier: MIT */
#include "cli/network_options.h"

const char *cli_network_given(const struct cli_call *call) {
    static const char *const names[] = {"width",        "hidden-layers",   "output-offset",
                                        "coords-range", "coords-sampling", "coords-frame"};
    const char *kind = cli_given_of(call, &tsr_kinds);
    for (size_t i = 0; !kind && i < sizeof names / sizeof *names; i++)
        if (cli_given(call, names[i])) kind = names[i];
    return kind;
}

void cli_network_keep(const struct cli_call *call, const struct tsr_model_config *model,
                      struct tsr_model_config *config) {
    const struct tsr_network_config *from = &model->network;
    struct tsr_network_config *to = &config->network;
    const struct tsr_coords *coords = &model->coords;
    if (!cli_chosen(call, &tsr_kinds) || to->kind.object == from->kind.object) {
        to->kind = from->kind;
        cli_params_given(call, &tsr_kinds, &to->kind);
    }
    if (!cli_given(call, "width")) to->width = from->width;
    if (!cli_given(call, "hidden-layers")) to->hidden_layers = from->hidden_layers;
    if (!cli_given(call, "output-offset")) to->output_offset = from->output_offset;
    if (!cli_given(call, "coords-range")) {
        config->coords.lo = coords->lo;
        config->coords.hi = coords->hi;
    }
    if (!cli_given(call, "coords-sampling")) config->coords.sampling = coords->sampling;
    if (!cli_given(call, "coords-frame")) config->coords.frame = coords->frame;
}
