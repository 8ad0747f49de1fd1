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
