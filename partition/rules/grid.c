/* SPDX-License-Identifier: MIT */
#include "partition/rules.h"

/* The PoG rule of arXiv 2310.14184, with balanced cells. */
static struct tsr_lattice lattice(const double *value, size_t height, size_t width) {
    (void)height, (void)width;
    return (struct tsr_lattice){.rows = (size_t)value[0], .cols = (size_t)value[1]};
}

static const struct tsr_param params[] = {
    {.name = "rows",
     .metavar = "R",
     .type = TSR_PARAM_COUNT,
     .fallback = 8,
     .lo = 1,
     .hi = 65535,
     .positional = true,
     .help = "rows of cells"},
    {.name = "cols",
     .metavar = "C",
     .type = TSR_PARAM_COUNT,
     .fallback = 8,
     .lo = 1,
     .hi = 65535,
     .positional = true,
     .help = "columns of cells"},
};

const struct tsr_rule tsr_rule_grid = {
    .object = {.name = "grid",
               .about = "R rows and C columns of balanced cells",
               .params = TSR_PARAMS(params)},
    .lattice = lattice,
};
