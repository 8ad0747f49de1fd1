/* SPDX-License-Identifier: MIT */
#include "cli/network_options.h"

const char *const cli_network_options[] = {"width",           "hidden-layers", "omega-first",
                                           "omega",           "output-offset", "coords-range",
                                           "coords-sampling", "coords-frame",  NULL};
