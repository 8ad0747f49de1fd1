/* SPDX-License-Identifier: MIT
 *
 * The kernel seam: loss, gradient and Hessian-vector product of one network over a set of points.
 *
 * Everything above calls the hot code through struct tsr_kernel; a new implementation is one file
 * that defines one constant of that type and one line in kernel.c. Implementations work in tiles of
 * points that stay in the cache; their results agree to rounding with those of the reference, in
 * which each formula stands once in plain C (kernel_ref.c).
 *
 * With E(phi) = sum over points p and outputs c of (f_c(x_p; phi) - y_pc)^2, a call computes
 * scale * dE/dphi or scale * d2E/dphi2 v. The mean of the loss is in `scale`, so a set of points
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

struct tsr_kernel {
    const char *name;

    /* Can this processor run it? */
    bool (*available)(void);

    /* Bytes of scratch that any call for this network needs; the pointer passed must be aligned to
     * TSR_ALIGNMENT. */
    size_t (*workspace_size)(const struct tsr_net *net);

    /* Bytes of a tape of n points: what gradient() leaves for hvp() so that the latter need not
     * repeat the ordinary forward and backward passes. 0: this kernel has no tape. */
    size_t (*tape_size)(const struct tsr_net *net, size_t n);

    /* out [n, out_dim] = f(x), overwritten. x [n, in_dim]. */
    void (*forward)(const struct tsr_net *net, const tsr_real *phi, const tsr_real *x, size_t n,
                    tsr_real *out, void *workspace);

    /* grad [n_params] += scale * dE/dphi; returns E (not scaled). `out` [n, out_dim] gets the
     * outputs unless NULL. `tape` (tape_size(net, n) bytes, aligned) is written unless NULL. */
    double (*gradient)(const struct tsr_net *net, const tsr_real *phi,
                       const struct tsr_points *points, double scale, tsr_real *grad, tsr_real *out,
                       void *tape, void *workspace);

    /* hv [n_params] += scale * d2E/dphi2 v, exactly, by the R-operator (Pearlmutter, "Fast exact
     * multiplication by the Hessian", 1994). v [n_params]. `tape`: what gradient() wrote for the
     * same phi, points and `scale`, or NULL to recompute it. */
    void (*hvp)(const struct tsr_net *net, const tsr_real *phi, const tsr_real *v,
                const struct tsr_points *points, double scale, tsr_real *hv, const void *tape,
                void *workspace);

    /* Runs `rounds` rounds of independent multiply-adds at this kernel's vector width and returns
     * how many FLOPs they were: the peak that its speed is measured against. NULL: none of its own.
     */
    double (*peak)(size_t rounds);
};

/* Kernel by name: "auto" (the fastest that this processor runs), or one of tsr_kernel_list().
 * Static storage. Errors: TSR_ERR_NOT_FOUND (the message lists the names), TSR_ERR_UNSUPPORTED (the
 * processor lacks the instructions). */
TSR_API enum tsr_status tsr_kernel_find(const char *name, const struct tsr_kernel **out,
                                        struct tsr_error *err) TSR_MUST_USE;

/* All kernels of this build, fastest first, NULL-terminated; also those this processor cannot run.
 */
TSR_API const struct tsr_kernel *const *tsr_kernel_list(void);

#endif
