/* SPDX-License-Identifier: MIT
 *
 * Shape of one coordinate network, as the kernels see it.
 *
 *     z_l = W_l a_{l-1} + b_l;  a_l = the units of the kind at (omega_l, z_l), such as
 *     sin(omega_l z_l), for l = 1 .. n_layers-1;  output = z_{n_layers} + output_offset
 *
 * a_0 = x, or, if there are octaves, a positional encoding (arXiv 2003.08934, eq. 4; order and
 * frequencies as in the code of arXiv 2310.14184):
 *
 *     a_0 = [sin e, cos e],  e = (x_0 f_0, x_0 f_1, .., x_1 f_0, ..),  f_k = pe_omega 2^k
 *
 * In the code layers count from 0: layer 0 maps a_0 to width, layer n_layers-1 maps width to
 * out_dim and is linear. The parameters of one network are one vector of n_params values: W_0
 * [out,in] row-major, b_0 [out], W_1, b_1, ... Points are coordinates x for all kinds: kernels
 * encode them.
 */
#ifndef TSR_INNER_KERNELS_NET_H
#define TSR_INNER_KERNELS_NET_H

#include <stdbool.h>

#include "base/api.h"

#define TSR_MAX_LAYERS 64
#define TSR_MAX_WIDTH 4096
#define TSR_MAX_DIM 64 /* of input and of output */
#define TSR_MAX_OCTAVES 64

struct tsr_kind; /* inner/kinds.h */

struct tsr_net {
    const struct tsr_kind *kind; /* static storage */
    size_t octaves;              /* of the encoding, 0 .. TSR_MAX_OCTAVES; 0: there is none */
    double pe_omega;             /* frequency of its first octave */
    size_t in_dim, out_dim;      /* of a point, 1 .. TSR_MAX_DIM */
    size_t width;                /* 1 .. TSR_MAX_WIDTH */
    size_t n_layers;             /* 2 .. TSR_MAX_LAYERS */
    size_t n_params;
    /* What the caller's numbers leave as it is: the first n_fixed layers, the weights of all. Of a
     * gradient or product the parts that belong to these are not read and may be left out. */
    size_t n_fixed; /* 0 .. n_layers - 1 */
    bool weights_fixed;
    double omega[TSR_MAX_LAYERS];  /* of the units of layer l; 1 if the kind has none, and of the
                                      last */
    double output_offset;          /* added to every output */
    size_t fan_in[TSR_MAX_LAYERS]; /* fan_in[0]: 2 in_dim octaves, or in_dim without */
    size_t fan_out[TSR_MAX_LAYERS];
    size_t weight_at[TSR_MAX_LAYERS]; /* offset of W_l in the parameter vector */
    size_t bias_at[TSR_MAX_LAYERS];   /* offset of b_l */
};

#endif
