/* SPDX-License-Identifier: MIT */
#include "partition/rules.h"

static struct tsr_lattice lattice(const double *value, size_t height, size_t width) {
    size_t cell_height = (size_t)value[0], cell_width = (size_t)value[1];
    return (struct tsr_lattice){.rows = (height + cell_height - 1) / cell_height,
                                .cols = (width + cell_width - 1) / cell_width,
                                .cell_height = cell_height,
                                .cell_width = cell_width};
}

static bool reduce(double *value, size_t scale) {
    if ((size_t)value[0] % scale || (size_t)value[1] % scale) return false;
    value[0] /= (double)scale;
    value[1] /= (double)scale;
    return true;
}

static const struct tsr_param params[] = {
    {.name = "cell_height",
     .metavar = "P",
     .type = TSR_PARAM_COUNT,
     .fallback = 22,
     .lo = 1,
     .hi = 65535,
     .positional = true,
     .help = "height of a cell in pixels; those at the lower edge may be less high"},
    {.name = "cell_width",
     .metavar = "Q",
     .type = TSR_PARAM_COUNT,
     .fallback = 22,
     .lo = 1,
     .hi = 65535,
     .positional = true,
     .help = "width of a cell in pixels; those at the right edge may be less wide"},
};

const struct tsr_rule tsr_rule_cell = {
    .object = {.name = "cell",
               .about = "cells of P by Q pixels: one model for images of any size",
               .params = TSR_PARAMS(params)},
    .lattice = lattice,
    .reduce = reduce,
};
