/* SPDX-License-Identifier: MIT
 *
 * The kernel seam: loss, gradient, Hessian-vector and Gauss-Newton product of one network over a
 * set of points.
 *
 * Everything above calls the hot code through struct tsr_kernel; a new implementation is one file
 * that defines one constant of that type, its declaration in kernels.h, and one line in kernel.c.
 * Implementations work in tiles of points that stay in the cache; their results agree to rounding
 * with those of the reference, in which each formula stands once in plain C (kernel_ref.c, and
 * inner/kinds/ for what a unit computes).
 *
 * With E(phi) = sum over points p and outputs c of (f_c(x_p; phi) - y_pc)^2, a call computes
 * scale * dE/dphi or scale * d2E/dphi2 v, or the part of the latter that J = df/dphi makes,
 * 2 scale J^T J v. The mean of the loss is in `scale`, so a set of points
 * may be cut into chunks whose results are added.
 *
 * Thread use: kernels are pure functions of their arguments; a workspace belongs to one call at a
 * time.
 */
#ifndef TSR_INNER_KERNELS_KERNEL_H
#define TSR_INNER_KERNELS_KERNEL_H

#include <stdbool.h>

#include "base/status.h"
#include "inner/kernels/net.h"

/* Points of one network: inputs x [n, in_dim], targets y [n, out_dim]. Borrowed. */
struct tsr_points {
    const tsr_real *x, *y;
    size_t n; /* may be 0 */
};

/* What the ordinary passes over a set of points leave behind, in the caller's memory, aligned to
 * TSR_ALIGNMENT; each part written by one call and read by others of the same kernel, network and
 * points. */
struct tsr_tape {
    void *forward;  /* values, derivatives of units, outputs: a function of phi and x alone */
    void *backward; /* deltas: a function of `forward`, phi, y and scale */
};

/* Bytes of the two parts. */
struct tsr_tape_size {
    size_t forward, backward;
};

struct tsr_kernel {
    const char *name;

    /* Can this processor run it? */
    bool (*available)(void);

    /* Bytes of scratch that any call for this network needs; the pointer passed must be aligned to
     * TSR_ALIGNMENT. */
    size_t (*workspace_size)(const struct tsr_net *net);

    /* Size of a tape of n points; grows with n. NULL: this kernel has no tapes; then record and
     * backward are NULL too, and gradient and hvp are called without. */
    struct tsr_tape_size (*tape_size)(const struct tsr_net *net, size_t n);

    /* out [n, out_dim] = f(x), overwritten. x [n, in_dim]. */
    void (*forward)(const struct tsr_net *net, const tsr_real *phi, const tsr_real *x, size_t n,
                    tsr_real *out, void *workspace);

    /* grad [n_params] += scale * dE/dphi; returns E (not scaled). `out` [n, out_dim] gets the
     * outputs unless NULL. Both parts of `tape` are written unless it is NULL. */
    double (*gradient)(const struct tsr_net *net, const tsr_real *phi,
                       const struct tsr_points *points, double scale, tsr_real *grad, tsr_real *out,
                       const struct tsr_tape *tape, void *workspace);

    /* gradient() in two halves, to the same bits: record() writes the forward part of a tape, which
     * serves any number of calls of backward() with other targets and scales, and, if all layers
     * but the last are fixed, other last layers. These read tape->forward and write tape->backward
     * unless that is NULL. */
    void (*record)(const struct tsr_net *net, const tsr_real *phi, const tsr_real *x, size_t n,
                   void *forward, void *workspace);
    double (*backward)(const struct tsr_net *net, const tsr_real *phi,
                       const struct tsr_points *points, double scale, tsr_real *grad, tsr_real *out,
                       const struct tsr_tape *tape, void *workspace);

    /* hv [n_params] += scale * d2E/dphi2 v, exactly, by the R-operator (Pearlmutter, "Fast exact
     * multiplication by the Hessian", 1994). v [n_params]. `tape`: both parts, written for the
     * same phi, points and `scale`, or NULL to repeat the ordinary passes. */
    void (*hvp)(const struct tsr_net *net, const tsr_real *phi, const tsr_real *v,
                const struct tsr_points *points, double scale, tsr_real *hv,
                const struct tsr_tape *tape, void *workspace);

    /* gv [n_params] += 2 scale J^T J v, J [n out_dim, n_params] = df/dphi at the points x [n,
     * in_dim]: the Gauss-Newton product (Schraudolph, "Fast curvature matrix-vector products for
     * second-order gradient descent", 2002), symmetric and positive semidefinite; the Hessian's
     * where all f = y. `forward`: the forward part of a tape of the same phi and x, or NULL to
     * repeat the ordinary pass. */
    void (*gauss_newton)(const struct tsr_net *net, const tsr_real *phi, const tsr_real *v,
                         const tsr_real *x, size_t n, double scale, tsr_real *gv,
                         const void *forward, void *workspace);

    /* What a basis of parameters needs (inner/adaptations.h); its rows are directions, [n] of
     * `stride` numbers each, which are read once for `count` vectors. No workspace; a number of a
     * result depends on neither count, from and to, nor on how many terms are added in one call.
     *
     * y[t][i] += sum over d of z[t][d] rows[d][i], for t < count, i in [from, to). */
    void (*combine)(const tsr_real *rows, size_t stride, size_t n, size_t count,
                    const tsr_real *const *z, size_t from, size_t to, tsr_real *const *y);
    /* out[t][d] = sum over i < length of rows[d][i] g[t][i], for t < count, d in [from, to). */
    void (*project)(const tsr_real *rows, size_t stride, size_t from, size_t to, size_t count,
                    const tsr_real *const *g, size_t length, tsr_real *const *out);
    /* rows[d][i] += sum over j < n_terms of b[j][d] a[j][i], for d in [from, to), i < length: outer
     * products of vectors b [n_terms, n] and a [n_terms, length]. */
    void (*outer)(size_t n_terms, const tsr_real *b, size_t n, const tsr_real *a, size_t length,
                  size_t from, size_t to, tsr_real *rows);

    /* Runs `rounds` rounds of independent multiply-adds at this kernel's vector width and returns
     * how many FLOPs they were: the peak that its speed is measured against. NULL: none of its own.
     */
    double (*peak)(size_t rounds);
    /* The same of independent sines with their cosines: how many. NULL if peak is. */
    double (*sines)(size_t rounds);
};

/* Kernel by name: "auto" or NULL (the fastest that this processor runs), or one of
 * tsr_kernel_list(). Static storage. Errors: TSR_ERR_NOT_FOUND (the message lists the names),
 * TSR_ERR_UNSUPPORTED (the processor lacks the instructions). */
TSR_API enum tsr_status tsr_kernel_find(const char *name, const struct tsr_kernel **out,
                                        struct tsr_error *err) TSR_MUST_USE;

/* All kernels of this build, fastest first, NULL-terminated; also those this processor cannot run.
 */
TSR_API const struct tsr_kernel *const *tsr_kernel_list(void);

#endif
