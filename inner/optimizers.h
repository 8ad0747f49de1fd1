/* SPDX-License-Identifier: MIT
 *
 * Optimisers of the inner loop as objects: how phi_{k+1} comes from phi_k. One file of
 * inner/optimizers/ defines each.
 *
 * An optimiser does not call the network: it asks, and the driver (inner/inner_loop.h) answers. So
 * one driver serves many regions at once, by one thread or by all, and whatever they ask for. An
 * inner step begins with the loss and its gradient at phi_k, which every optimiser needs and which
 * are measured anyway; next() then says what else it wants, is called again with the answer, and
 * so on until it accepts:
 *
 *     sgd, adam            accept at once
 *     step acceptance      LOSS at a trial point in the state; if it did not fall, a smaller one
 *     L-BFGS               pairs (s, y) in the state from this gradient and the last; LOSS and,
 *                          where the strong Wolfe conditions want it, GRADIENT along the line
 *     Newton, Gauss-Newton with damping (Levenberg-Marquardt)
 *                          conjugate gradients in the state: a HESSIAN or GAUSS_NEWTON product per
 *                          iteration, then LOSS at the trial point, which sets the damping
 */
#ifndef TSR_INNER_OPTIMIZERS_H
#define TSR_INNER_OPTIMIZERS_H

#include "base/object.h"
#include "inner/optimizers/optimizers_list.h"
#include "inner/rates.h"

/* All at the point `at`, of the loss of the step's task. */
enum tsr_want {
    TSR_WANT_NOTHING,      /* phi_{k+1} is written: the inner step is done */
    TSR_WANT_LOSS,         /* the loss; only for optimisers with asks_loss */
    TSR_WANT_GRADIENT,     /* the loss, and its gradient to `result` */
    TSR_WANT_HESSIAN,      /* H v to `result` */
    TSR_WANT_GAUSS_NEWTON, /* G v to `result`: H without the curvature of the network */
};

struct tsr_request {
    enum tsr_want want;
    const tsr_real *at, *v; /* [n]; v of the products */
    tsr_real *result;       /* [n], overwritten; in the state */
    double loss;            /* the answer to LOSS and GRADIENT */
};

/* Where a region stands in inner step k. */
struct tsr_inner_state {
    const struct tsr_choice *choice; /* this optimiser and its parameters */
    const struct tsr_rates *rates;   /* the model's; NULL: it has none */
    size_t
        n; /* numbers that adapt: the parameters phi, or z of inner/adaptations.h in their place */
    size_t slot, k;
    size_t from, to;     /* the numbers at hand: all of them, or a part (elementwise) */
    double factor;       /* of all rates, by a schedule; 1: none */
    double loss;         /* at phi_k */
    const tsr_real *phi; /* [n] phi_k */
    const tsr_real *g;   /* [n] the gradient there */
    tsr_real *next;      /* [n] phi_{k+1}; may be the array `phi` */
    void *state;         /* [state_size] bytes, zeros before the first inner step */
};

struct tsr_optimizer {
    struct tsr_object object;
    bool asks_loss;
    /* Accepts at once and treats every number by itself: next() may be called for parts [from, to)
     * of the numbers, by several threads at the same time. */
    bool elementwise;

    /* Bytes that it keeps of one region from one inner step to the next; NULL: none. They may be
     * moved between inner steps: no pointers into themselves. */
    size_t (*state_size)(size_t n);

    /* request->want is NOTHING at the first call of an inner step, later the request that has been
     * answered; it is set to the next one. Must not ask for ever. Pure but for `state` and
     * `next`. */
    void (*next)(const struct tsr_inner_state *s, struct tsr_request *request);
};

#define TSR_OPTIMIZER_DECLARE(name) TSR_API extern const struct tsr_optimizer tsr_optimizer_##name;
TSR_OPTIMIZERS(TSR_OPTIMIZER_DECLARE)
#undef TSR_OPTIMIZER_DECLARE

/* All optimisers; the first is the default. */
TSR_API extern const struct tsr_registry tsr_optimizers;

/* The optimiser that a choice of the registry names. */
static inline const struct tsr_optimizer *tsr_optimizer_of(const struct tsr_choice *choice) {
    return (const struct tsr_optimizer *)(const void *)choice->object;
}

/* Bytes of state_size(), 0 if it keeps nothing. */
static inline size_t tsr_optimizer_state(const struct tsr_choice *choice, size_t n) {
    const struct tsr_optimizer *o = tsr_optimizer_of(choice);
    return o->state_size ? o->state_size(n) : 0;
}

#endif
