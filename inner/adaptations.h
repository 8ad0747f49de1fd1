/* SPDX-License-Identifier: MIT
 *
 * Adaptations as objects: which numbers z of a network the inner loop adapts to a region, and how
 * its parameters follow from them. One file of inner/adaptations/ defines each. Only these numbers
 * have to be stored or sent for an image; all else is learned, the same for all images.
 *
 *     all        z = phi                            (MAML, arXiv 1703.03400)
 *     last       z = the last layer                 (ANIL, arXiv 1909.09157)
 *     biases     z = all biases                     (shift modulations of functa, arXiv 2201.12204)
 *     latent D   phi = theta + M z, z_0 = 0, with a learned basis M of D directions (CAVIA, arXiv
 *                1810.03642, and functa's latent modulations, generalised to all parameters)
 *
 * phi is affine in z, phi = phi_0 + B z, so that grad_z L = B^T grad_phi L and products with a
 * matrix A of the loss in phi become B^T A B. Of `all`, B is the identity.
 */
#ifndef TSR_INNER_ADAPTATIONS_H
#define TSR_INNER_ADAPTATIONS_H

#include "base/object.h"
#include "inner/adaptations/adaptations_list.h"
#include "inner/kernels/kernel.h"

/* What adapts of a network. Plain data, copied freely. */
struct tsr_space {
    struct tsr_choice choice; /* of tsr_adaptations */
    size_t n;                 /* numbers, 1 .. */
    /* Groups of them that share a rate per layer: group i ends before end[i], and is a matrix of
     * rows[i] rows: all columns but the last row by row, then the last. Of a layer: its weights,
     * then its biases. */
    size_t n_groups, end[TSR_MAX_LAYERS], rows[TSR_MAX_LAYERS];
    size_t n_directions; /* rows [n_params] of the basis that a slot learns beside theta; 0: none */
};

/* One slot's learned values and what computes with them. */
struct tsr_chart {
    const struct tsr_space *space;
    const struct tsr_net *net;
    const struct tsr_kernel *kernel;
    const tsr_real *theta; /* [n_params] */
    const tsr_real *basis; /* [n_directions, n_params]; NULL if there are none */
};

/* A map between vectors of numbers and of parameters: out[t] [from, to) of in[t], for each of
 * `count` regions of the chart, whose learned values are read once for all of them. What comes out
 * depends on neither count, from nor to. */
typedef void (*tsr_map_fn)(const struct tsr_chart *chart, size_t count, const tsr_real *const *in,
                           size_t from, size_t to, tsr_real *const *out);

struct tsr_adaptation {
    struct tsr_object object;
    double inner_lr; /* what the rates start from; 0: what the network kind says */
    bool whole;      /* z is phi itself: nothing below is called but layout */

    /* Sets all of *out but `choice`, which is set. */
    void (*layout)(const struct tsr_net *net, struct tsr_space *out);
    /* Says in n_fixed and weights_fixed what z leaves as it is. NULL: nothing. */
    void (*fix)(struct tsr_net *net);

    /* z [n] of phi = theta. */
    void (*start)(const struct tsr_chart *chart, tsr_real *z);
    tsr_map_fn expand; /* phi [n_params] of z [n] */
    tsr_map_fn push;   /* B w [n_params] of a direction w [n] in z */
    tsr_map_fn pull;   /* B^T g [n] of g [n_params] */
};

#define TSR_ADAPTATION_DECLARE(name)                                                               \
    TSR_API extern const struct tsr_adaptation tsr_adaptation_##name;
TSR_ADAPTATIONS(TSR_ADAPTATION_DECLARE)
#undef TSR_ADAPTATION_DECLARE

/* All adaptations; the first is the default. */
TSR_API extern const struct tsr_registry tsr_adaptations;

/* The adaptation that a choice of the registry names. */
static inline const struct tsr_adaptation *tsr_adaptation_of(const struct tsr_choice *choice) {
    return (const struct tsr_adaptation *)(const void *)choice->object;
}

TSR_API void tsr_space_layout(const struct tsr_choice *choice, const struct tsr_net *net,
                              struct tsr_space *out);

/* Is z phi itself? */
static inline bool tsr_space_is_whole(const struct tsr_space *space) {
    return tsr_adaptation_of(&space->choice)->whole;
}

/* A random basis [n_directions, n_params] of standard deviation 1 / sqrt(n_params). A pure function
 * of (seed, stream). */
TSR_API void tsr_space_randomize(const struct tsr_space *space, const struct tsr_net *net,
                                 uint64_t seed, uint64_t stream, tsr_real *basis);

/* Numbers of one region that the choice adapts. */
TSR_API size_t tsr_adaptation_count(const struct tsr_choice *choice, const struct tsr_net *net);

#endif
