/* SPDX-License-Identifier: MIT */
#include "partition/rules.h"

static struct tsr_lattice lattice(const double *value, size_t height, size_t width) {
    (void)value, (void)height, (void)width;
    return (struct tsr_lattice){.rows = 1, .cols = 1};
}

const struct tsr_rule tsr_rule_whole = {
    .object = {.name = "whole", .about = "one region: the whole image"},
    .lattice = lattice,
};
