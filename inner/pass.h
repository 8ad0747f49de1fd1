/* SPDX-License-Identifier: MIT
 *
 * Passes over regions: outputs, gradient, Hessian-vector or Gauss-Newton product of whole regions,
 * cut into fixed pieces of points.
 *
 * The pieces of a region depend on its number of points alone, and their results are added in their
 * order: the bits do not depend on the number of threads, nor on which of two ways the work runs:
 *
 *   alone   one thread takes the passes given to it, piece after piece: for many small regions, of
 *           which each thread carries its own through the whole inner loop, without barriers
 *   team    all threads share the pieces of all passes given: for few large regions
 */
#ifndef TSR_INNER_PASS_H
#define TSR_INNER_PASS_H

#include "base/memory.h"
#include "inner/adaptations.h"

/* Who watches passes over large regions. */
struct tsr_pass_watch {
    /* A thread (0: the one that called tsr_pass_run(), where it called with 0 or TSR_TEAM) is about
     * to take so many points of a large piece. True: the pass ends here, and what it leaves means
     * nothing. May be called by several threads at a time; NULL: nobody watches. */
    bool (*turn)(void *user, size_t thread, size_t points);
    void *user;
};

/* What runs passes: a kernel, the network's layout and what of it adapts, and scratch for each
 * thread. */
struct tsr_engine {
    struct tsr_net net;
    struct tsr_space space;          /* all, unless tsr_engine_adapt() says otherwise */
    const struct tsr_kernel *kernel; /* static storage */
    size_t threads;
    size_t workspace_size; /* bytes of each thread's workspace */
    struct tsr_arena arena;
    struct tsr_pass_watch watch;
};

/* `threads` 0: all processors. */
TSR_API enum tsr_status tsr_engine_create(const struct tsr_net *net,
                                          const struct tsr_kernel *kernel, size_t threads,
                                          struct tsr_engine *out,
                                          struct tsr_error *err) TSR_MUST_USE;
/* Sets what the inner loop adapts, a checked choice of tsr_adaptations. */
TSR_API void tsr_engine_adapt(struct tsr_engine *engine, const struct tsr_choice *adaptation);
/* For who asks only for what the inner loop adapts, and learns nothing else from it: leaves out the
 * parts of gradients and products that belong to other parameters. */
TSR_API void tsr_engine_fix(struct tsr_engine *engine);
TSR_API void tsr_engine_clear(struct tsr_engine *engine);

/* A region is cut into at most this many pieces. */
#define TSR_PASS_MAX_PIECES 16
/* Points of a piece that are taken at a time. A piece of more is watched; its sums are sums of
 * those of its turns. */
#define TSR_PASS_TURN ((size_t)1 << 16)

enum tsr_pass_kind {
    TSR_PASS_FORWARD,
    TSR_PASS_GRADIENT,
    TSR_PASS_HVP,
    TSR_PASS_GAUSS_NEWTON, /* of a tape it reads the forward part */
    TSR_PASS_RECORD,       /* this and the next: the halves of GRADIENT, for regions of one piece */
    TSR_PASS_BACKWARD,
};

struct tsr_pass {
    enum tsr_pass_kind kind;
    const struct tsr_points *points; /* y may be NULL for FORWARD: then error is not computed; not
                                        read by RECORD and GAUSS_NEWTON */
    double scale;                    /* factor of the squared error in the loss */
    const tsr_real *phi;             /* [n_params] */
    const tsr_real *v;               /* [n_params], HVP and GAUSS_NEWTON */
    tsr_real *result; /* [n_params]: gradient of scale * E, or product with v; overwritten. Not of
                         FORWARD and RECORD */
    tsr_real *out;    /* [n, out_dim] outputs; NULL: not wanted (FORWARD wants them) */
    struct tsr_tape tape; /* {NULL, NULL}: none. Only regions of one piece */
    tsr_real *partial;    /* scratch of tsr_pass_partial() values; NULL if that is 0 */
    double error;         /* result: E = sum of squared errors; FORWARD, GRADIENT, BACKWARD */
    double piece_error[TSR_PASS_MAX_PIECES]; /* its parts */
};

/* Number of pieces that n points are cut into; at least 1. */
TSR_API size_t tsr_pass_pieces(size_t n);
/* Values of scratch that a GRADIENT, HVP or GAUSS_NEWTON pass over n points needs. */
TSR_API size_t tsr_pass_partial(const struct tsr_engine *engine, size_t n, bool team);

/* `thread` argument of tsr_pass_run(): all threads together. */
#define TSR_TEAM SIZE_MAX

/* Runs passes [n_passes]: on the calling thread with the workspace of `thread` (0 .. threads-1),
 * or, with TSR_TEAM, on all threads (not from inside a parallel region). */
TSR_API void tsr_pass_run(const struct tsr_engine *engine, size_t thread, struct tsr_pass *passes,
                          size_t n_passes);

#endif
