/* SPDX-License-Identifier: MIT
 *
 * The coordinate network of a region: configuration, layout of its parameters, random
 * initialisation.
 *
 * Two kinds, both with a linear last layer (inner/kernels/net.h has the formulas):
 *
 *     siren     a_l = sin(omega_l (W_l a_{l-1} + b_l)); Sitzmann et al., arXiv 2006.09661
 *     relu-pe   ReLU on a positional encoding of the coordinates, or on the coordinates themselves
 *
 * Parameters are one vector: W_0 [out,in] row-major, b_0 [out], W_1, b_1, ...
 */
#ifndef TSR_INNER_NETWORK_H
#define TSR_INNER_NETWORK_H

#include <stdbool.h>

#include "base/status.h"
#include "inner/kernels/net.h"

TSR_API const char *tsr_network_kind_name(enum tsr_network_kind kind);
TSR_API enum tsr_status tsr_network_kind_parse(const char *text, enum tsr_network_kind *out,
                                               struct tsr_error *err) TSR_MUST_USE;

struct tsr_network_config {
    enum tsr_network_kind kind;
    size_t in_dim, out_dim; /* of a point, 1 .. TSR_MAX_DIM */
    size_t width;           /* 1 .. TSR_MAX_WIDTH */
    size_t hidden_layers;   /* sine or ReLU layers after the first; 0 .. TSR_MAX_LAYERS - 2 */
    double omega_first;     /* siren: > 0, dimensionless */
    double omega_hidden;    /* siren: > 0 */
    size_t octaves;         /* relu-pe: of the encoding, 0 (none) .. TSR_MAX_OCTAVES */
    double pe_omega;      /* relu-pe: frequency of the first octave, > 0 .. 1e6, if there is one */
    double output_offset; /* constant added to every output */
};

/* siren, 2 -> 32, 32, 32 -> 3, omega 15 / 30, offset 0.5; for relu-pe 4 octaves from 1. */
TSR_API void tsr_network_config_default(struct tsr_network_config *config);
TSR_API enum tsr_status tsr_network_config_check(const struct tsr_network_config *config,
                                                 struct tsr_error *err) TSR_MUST_USE;

/* Fills the layout. The configuration must have passed the check. */
TSR_API void tsr_network_layout(const struct tsr_network_config *config, struct tsr_net *net);

/* Random initialisation of one network. SIREN: first layer U(-1/in, 1/in), others
 * U(-sqrt(6/in)/omega_hidden, +) (arXiv 2006.09661, section 3.2 and supplement 1.5), biases
 * U(-1/sqrt(in), +); the last layer's bias is 0. ReLU: all layers N(0, 2/in) (arXiv 1502.01852,
 * eq. 10), biases 0. phi [n_params], overwritten. A pure function of (seed, slot). */
TSR_API void tsr_network_randomize(const struct tsr_net *net, uint64_t seed, uint64_t slot,
                                   tsr_real *phi);

/* The width whose number of parameters comes nearest to `n_params`, which need not be whole (a
 * share of a total); the smaller of two that are equally near. The other settings are those of
 * `config`.
 */
TSR_API size_t tsr_network_width_for(const struct tsr_network_config *config, double n_params);

/* Weights without biases: 2 times this is the cost in FLOPs of the network at one point, the
 * encoding not counted. */
TSR_API size_t tsr_network_weights(const struct tsr_net *net);

/* Essential FLOPs per point: forward 1 x, gradient 3 x, Hessian-vector product 6 x the forward pass
 * of 2 * weights. K inner steps: 3 K. An outer step of exact second order: 9 K + 3, first order 3 K
 * + 3, Reptile 3 K. Counted for all layers alike, although the first one passes nothing down: with
 * an encoding of many inputs the figures are too high by up to a third. */
TSR_API double tsr_network_flops(const struct tsr_net *net, double forward_passes);

#endif
