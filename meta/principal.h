/* SPDX-License-Identifier: MIT
 *
 * A start for latent adaptations that is solved for instead of drawn.
 *
 * In the last layer w of a network the inner loss of a task is quadratic: of gradient g at w = 0
 * and curvature H = 2 scale F^T F, F the values of the units before it. With both averaged over
 * tasks, w = -H^-1 g is the best start that all tasks can share, and of all directions in which w
 * can move by D numbers, H^-1/2 times the first D principal directions of the tasks' gradients
 * H^-1/2 g leave the smallest error: principal components of the tasks, as far as the units can
 * express them. They become the basis M of the adaptation, scaled so that one inner step at the
 * start rate is a Newton step. From there the outer loop learns on, in all layers.
 */
#ifndef TSR_META_PRINCIPAL_H
#define TSR_META_PRINCIPAL_H

#include "meta/task_source.h"
#include "meta/trainer.h"

/* What the context of a task is: its query, points of it that are drawn, or something that is the
 * same for all tasks and tells of the query what it can. For the last two the rates are fitted to
 * the context, for the last the directions, too (docs/maths.md). */
enum tsr_principal_context {
    TSR_PRINCIPAL_QUERY,
    TSR_PRINCIPAL_DRAWN,
    TSR_PRINCIPAL_FIXED,
};

struct tsr_principal {
    size_t batches; /* meta-batches for the mean, and as many for the directions */
    enum tsr_principal_context context;
    const char *kernel; /* "auto", ... */
    size_t threads;     /* 0: all */
};

#ifndef TSR_NO_BLAS

/* Sets the last layer of theta, the basis and the rates of the learner, the same for all slots; the
 * other layers are those of slot 0. Meta-batches 0 .. 2 batches - 1 of the source. Without a basis
 * only theta is set. Memory: two square matrices of doubles of as many rows as the last layer has
 * parameters. The bits do not depend on the number of threads. Errors: TSR_ERR_CONFIG when the
 * units span fewer directions than the adaptation has, TSR_ERR_NUMERIC, what the source returns. */
TSR_API enum tsr_status tsr_principal_start(const struct tsr_learner *learner,
                                            struct tsr_task_source *source,
                                            const struct tsr_principal *config,
                                            struct tsr_error *err) TSR_MUST_USE;

#else

TSR_MUST_USE static inline enum tsr_status tsr_principal_start(const struct tsr_learner *learner,
                                                               struct tsr_task_source *source,
                                                               const struct tsr_principal *config,
                                                               struct tsr_error *err) {
    (void)learner, (void)source, (void)config;
    return TSR_ERROR(err, TSR_ERR_CONFIG,
                     "the principal start needs eigenvalues, and this build has no OpenBLAS");
}

#endif

#endif
