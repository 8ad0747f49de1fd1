/* SPDX-License-Identifier: MIT
 *
 * Outer losses as objects: what the mean over the items is taken of. One file of meta/losses/
 * defines each. With the errors r of an item's query values,
 *
 *     outer loss = mean over items of f(mean over values of rho(r))
 *
 * A loss has a rho of its own or an f of its own, or neither: rho(r) = r^2 and f(x) = x.
 */
#ifndef TSR_META_LOSSES_H
#define TSR_META_LOSSES_H

#include "base/object.h"
#include "meta/losses/losses_list.h"

struct tsr_loss {
    struct tsr_object object;
    /* rho'(r) / 2, the error that the squared one would need for the same slope; NULL: r. */
    double (*slope)(const struct tsr_choice *choice, double r);
    /* f'(x) at the mean squared error x > 0 of an item; NULL: 1. */
    double (*weight)(const struct tsr_choice *choice, double x);
};

#define TSR_LOSS_DECLARE(name) TSR_API extern const struct tsr_loss tsr_loss_##name;
TSR_LOSSES(TSR_LOSS_DECLARE)
#undef TSR_LOSS_DECLARE

struct tsr_method;

/* A choice of the registry with values in range, which the method can take. */
TSR_API enum tsr_status tsr_loss_check(const struct tsr_choice *choice,
                                       const struct tsr_method *method,
                                       struct tsr_error *err) TSR_MUST_USE;

/* All losses; the first is the default. */
TSR_API extern const struct tsr_registry tsr_losses;

/* The loss that a choice of the registry names. */
static inline const struct tsr_loss *tsr_loss_of(const struct tsr_choice *choice) {
    return (const struct tsr_loss *)(const void *)choice->object;
}

#endif
