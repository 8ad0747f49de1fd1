/* SPDX-License-Identifier: MIT
 *
 * The fused vector kernels: a template, included once or twice by kernel_avx512.c, kernel_avx2.c
 * and kernel_portable.c for vectors of LANES floats. Formulas and notation: kernel_ref.c.
 *
 * Layout. Points are worked off in tiles that stay in the cache. Everything of a tile is stored
 * [point][unit], units padded to whole vectors. All products are then of one form,
 * result[r][units..] += sum_k broadcast(a[r, k]) * b[k][units..], and no activation is ever
 * transposed:
 *     forward    u[p][o..]  = b + sum_i a[p][i] * W^T[i][o..]     b: packed W^T, times scale(omega)
 *     backward   e[p][i..]  = sum_o d[p][o] * W[o][i..]           b: packed W, times omega below
 *     weights    dW[o][i..] += sum_p d[p][o] * a[p][i..]          b: the activations themselves
 * One block of the result, `rows` x `vecs` vectors, stays in registers over the whole sum; bias,
 * units, slopes and the terms of the R-operator are applied to it there, before it is
 * stored. The R-operator adds a second sum to the same block. Packed matrices are cut into panels
 * of up to MAX_VECS vectors of columns, each contiguous, so that a block reads memory in order.
 *
 * Scaling. u = scale z is the argument that suits a kind, such as half turns (units/unit.h). With
 * the factors above, stored quantities are free of omega: value s = a, slope c = a' / omega, bend
 * n = -a'' / omega^2, and d and e are the d_l and omega_l W^T d of the reference. For a sine they
 * are sin, cos and sin again, so that its bend needs no array.
 *
 * Piecewise linear units. The sign of s is the slope, so that c, n, e and rz do not exist. Encoded
 * inputs are rows of a tile like any others.
 *
 * Ends. The weight gradient of layer 0 is accumulated transposed, [in_dim][width], so that its
 * vectors too run over units. The last layer's few outputs are stored in rows of whole NARROW
 * vectors of 4 lanes (vector_outputs.h). Padding holds the units of u = 0, and d = e = rz = 0, and
 * its s meets no weight: it stays out of all sums without masks.
 *
 * The includer defines LANES, MAX_VECS, NAME(x), MULTIPLY_ADD(a, b, c), optionally REMAINDER(u,
 * flip) for sincos.h, which are undefined at the end, and NARROW(x), the NAME(x) of vectors of 4
 * lanes. If layers have no more than LANES units, LANES is 8, and the processor has vectors twice
 * as long, it may define PAIR(x), the NAME(x) of a vector_lanes.h for those, PAIR_OF(a, b), such a
 * vector of two, and PAIR_MULTIPLY_ADD: layers are then worked off two points at a time
 * (vector_pairs.h).
 */

#include "inner/kernels/encode.h"
#include "inner/kernels/vector_job.h"

/* Templates, in this order. */
#include "inner/kernels/vector_lanes.h"

#ifdef PAIR
#include "inner/kernels/vector_pairs.h"
#endif
#include "inner/kernels/vector_product.h"

#include "inner/kernels/vector_tile.h"

#include "inner/kernels/vector_pack.h"
#include "inner/kernels/vector_plan.h"

#ifndef PAIR
#include "inner/kernels/vector_descend.h"
#endif
#include "inner/kernels/vector_lattice.h"
#include "inner/kernels/vector_outputs.h"

#include "inner/kernels/vector_passes.h"

#include "inner/kernels/vector_basis.h"

#include "inner/kernels/vector_end.h"
