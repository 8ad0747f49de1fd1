/* SPDX-License-Identifier: MIT
 *
 * The coordinate network of a region: configuration, layout of its parameters, random
 * initialisation.
 *
 * What the units compute is the network's kind (inner/kinds.h); the last layer is linear whatever
 * the kind (inner/kernels/net.h has the formulas).
 *
 * Parameters are one vector: W_0 [out,in] row-major, b_0 [out], W_1, b_1, ...
 */
#ifndef TSR_INNER_NETWORK_H
#define TSR_INNER_NETWORK_H

#include <stdbool.h>

#include "inner/kinds.h"

struct tsr_network_config {
    struct tsr_choice kind; /* of tsr_kinds */
    size_t in_dim, out_dim; /* of a point, 1 .. TSR_MAX_DIM */
    size_t width;           /* 1 .. TSR_MAX_WIDTH */
    size_t hidden_layers;   /* layers of units after the first; 0 .. TSR_MAX_LAYERS - 2 */
    double output_offset;   /* constant added to every output */
};

/* The first kind with its defaults, 2 -> 32, 32, 32 -> 3, offset 0.5. */
TSR_API void tsr_network_config_default(struct tsr_network_config *config);
/* TSR_ERR_CONFIG names what is out of range; a kind that is not set is. */
TSR_API enum tsr_status tsr_network_config_check(const struct tsr_network_config *config,
                                                 struct tsr_error *err) TSR_MUST_USE;

/* Fills the layout. The configuration must have passed the check. */
TSR_API void tsr_network_layout(const struct tsr_network_config *config, struct tsr_net *net);

/* Random initialisation of one network, as its kind has it (inner/kinds/). phi [n_params],
 * overwritten. A pure function of (seed, slot). */
TSR_API void tsr_network_randomize(const struct tsr_net *net, uint64_t seed, uint64_t slot,
                                   tsr_real *phi);

/* The width whose number of parameters comes nearest to `n_params`, which need not be whole (a
 * share of a total); the smaller of two that are equally near. The other settings are those of
 * `config`. */
TSR_API size_t tsr_network_width_for(const struct tsr_network_config *config, double n_params);

/* Weights without biases: 2 times this is the cost in FLOPs of the network at one point, the
 * encoding not counted. */
TSR_API size_t tsr_network_weights(const struct tsr_net *net);

/* Essential FLOPs per point: forward 1 x, gradient 3 x, Hessian-vector product 6 x the forward pass
 * of 2 * weights. K inner steps: 3 K. An outer step of exact second order: 9 K + 3, first order 3 K
 * + 3, Reptile 3 K. Counted for all layers alike, although the first one passes nothing down: with
 * an encoding of many inputs the figures are too high by up to a third. */
TSR_API double tsr_network_flops(const struct tsr_net *net, double forward_passes);

/* Forward passes that a gradient is worth: 3, or fewer where layers or weights are fixed. */
TSR_API double tsr_network_gradient_passes(const struct tsr_net *net);

#endif
