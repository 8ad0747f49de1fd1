/* SPDX-License-Identifier: MIT
 *
 * Shape of one coordinate network, as the kernels see it.
 *
 *     a_0 = x;  z_l = W_l a_{l-1} + b_l;  a_l = sin(omega_l z_l)  for l = 1 .. n_layers-1;
 *     output = z_{n_layers} + output_offset
 *
 * (SIREN, arXiv 2006.09661, eq. 5). In the code layers count from 0: layer 0 maps in_dim to width,
 * layer n_layers-1 maps width to out_dim and is linear. The parameters of one network are one
 * vector of n_params values: W_0 [out,in] row-major, b_0 [out], W_1, b_1, ...
 */
#ifndef TSR_INNER_KERNELS_NET_H
#define TSR_INNER_KERNELS_NET_H

#include "base/api.h"

#define TSR_MAX_LAYERS 64
#define TSR_MAX_WIDTH 4096
#define TSR_MAX_DIM 64 /* of input and of output */

struct tsr_net {
    size_t in_dim, out_dim; /* 1 .. TSR_MAX_DIM */
    size_t width;           /* 1 .. TSR_MAX_WIDTH */
    size_t n_layers;        /* 2 .. TSR_MAX_LAYERS */
    size_t n_params;
    double omega[TSR_MAX_LAYERS]; /* omega[l] of sine layer l; 1 for the last, linear layer */
    double output_offset;         /* added to every output */
    size_t fan_in[TSR_MAX_LAYERS], fan_out[TSR_MAX_LAYERS];
    size_t weight_at[TSR_MAX_LAYERS]; /* offset of W_l in the parameter vector */
    size_t bias_at[TSR_MAX_LAYERS];   /* offset of b_l */
};

#endif
