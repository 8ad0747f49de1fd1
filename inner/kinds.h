/* SPDX-License-Identifier: MIT
 *
 * Network kinds as objects: what the units of a coordinate network compute, and all that follows
 * from it. One file of inner/kinds/ defines each.
 */
#ifndef TSR_INNER_KINDS_H
#define TSR_INNER_KINDS_H

#include "base/object.h"
#include "inner/kernels/net.h"
#include "inner/kinds/kinds_list.h"

struct tsr_kind {
    struct tsr_object object;

    /* What the inner rates start from, and the outer rate of a network of this width. For siren and
     * relu-pe measured on CelebA, cells of 178x178 images as an 8x8 grid; for gaussian and finer
     * those of siren, not yet measured, as are their omegas. */
    double inner_lr;
    double (*outer_lr)(size_t width);

    /* Rules beyond the table of parameters; NULL: there are none. */
    enum tsr_status (*check)(const struct tsr_choice *choice, struct tsr_error *err);

    /* Sets what the kind adds to a layout whose dimensions and number of layers are known: octaves
     * and pe_omega (0 before), omega of all layers (1 before). */
    void (*layout)(const struct tsr_choice *choice, struct tsr_net *net);

    /* A random network: phi [n_params], overwritten. A pure function of (seed, stream). */
    void (*randomize)(const struct tsr_net *net, uint64_t seed, uint64_t stream, tsr_real *phi);

    /* Sets the first layer of phi to the waves of a Fourier series over coordinates of range lo ..
     * hi, cosine and sine of each, the longest first. NULL: the kind's units are no waves. */
    void (*waves)(const struct tsr_net *net, double lo, double hi, tsr_real *phi);

    /* n units of a layer of this omega: value a(z), slope da/dz, curvature d2a/dz2 at z [n]. The
     * arrays do not overlap; curvature may be NULL. NaN stays NaN. Error: that of sincos.h. */
    void (*units)(size_t n, double omega, const tsr_real *__restrict z, tsr_real *__restrict value,
                  tsr_real *__restrict slope, tsr_real *__restrict curvature);
};

#define TSR_KIND_DECLARE(name) TSR_API extern const struct tsr_kind tsr_kind_##name;
TSR_KINDS(TSR_KIND_DECLARE)
#undef TSR_KIND_DECLARE

/* All kinds; the first is the default. */
TSR_API extern const struct tsr_registry tsr_kinds;

/* The kind that a choice of the registry names. */
static inline const struct tsr_kind *tsr_kind_of(const struct tsr_choice *choice) {
    return (const struct tsr_kind *)(const void *)choice->object;
}

/* For the files of inner/kinds/: the rows of a parameter table for units with a frequency, and
 * their defaults. */
#define TSR_KIND_OMEGAS(first, hidden)                                                             \
    {.name = "omega_first",                                                                        \
     .metavar = "W",                                                                               \
     .fallback = (first),                                                                          \
     .lo = 1e-9,                                                                                   \
     .hi = 1e9,                                                                                    \
     .help = "frequency of the first layer"},                                                      \
    {                                                                                              \
        .name = "omega_hidden", .option = "omega", .metavar = "W", .fallback = (hidden),           \
        .lo = 1e-9, .hi = 1e9, .help = "frequency of the hidden layers"                            \
    }

/* Their layout: omega_first in the first layer, omega_hidden in the others but the
 * last, which is linear. */
void tsr_kind_layout_omegas(const struct tsr_choice *choice, struct tsr_net *net);

/* Outer rate of networks of sine layers and the like: 3e-3 up to width 16, 1.5e-3 up to 32, 1e-3
 * above. At width 32 twice as much is better for runs of a minute, and over ten minutes drifts
 * down from 37.6 to 33 dB without a NaN. */
double tsr_kind_outer_lr_by_width(size_t width);

#endif
