/* SPDX-License-Identifier: MIT
 *
 * Outer methods as objects: what a task contributes to the meta-gradient once its inner loop is
 * done. One file of meta/methods/ defines each.
 *
 * A method works on tasks that are carried together (struct tsr_carried), whose trajectories phi_0
 * .. phi_K and gradients g_k = grad L_ctx(phi_k) are kept. It leaves in v [n_params] of each task
 * its part of the gradient with respect to theta, and in place of g_k that with respect to one rate
 * per parameter of inner step k, or, where rates couple parameters, what follows from g_k and v.
 * The functions below do so for all tasks carried, by the threads that carry them.
 */
#ifndef TSR_META_METHODS_H
#define TSR_META_METHODS_H

#include "base/object.h"
#include "meta/methods/methods_list.h"

struct tsr_carried;

struct tsr_method {
    struct tsr_object object;
    bool learns_rates;  /* leaves gradients for the rates; otherwise they keep their start values */
    bool second_order;  /* asks for products with the Hessian, so that tapes serve it */
    bool mean_of_tasks; /* the direction of a slot is the mean over its tasks, not the sum */
    bool wants_outputs; /* asks for tsr_carried_query_error(); has no outer loss but its error */
    bool many_losses;   /* takes the outer loss at other inner steps than the last one, too */

    /* Forward passes (of 2 * weights FLOPs per point) that an outer step of K inner steps is worth.
     */
    double (*passes)(size_t inner_steps);

    /* The way back. `choice` holds the method's parameters, `progress` is how far the run is, 0 to
     * 1. */
    void (*finish)(const struct tsr_choice *choice, double progress, struct tsr_carried *carried);
};

#define TSR_METHOD_DECLARE(name) TSR_API extern const struct tsr_method tsr_method_##name;
TSR_METHODS(TSR_METHOD_DECLARE)
#undef TSR_METHOD_DECLARE

/* All methods; the first is the default. */
TSR_API extern const struct tsr_registry tsr_methods;

/* The method that a choice of the registry names. */
static inline const struct tsr_method *tsr_method_of(const struct tsr_choice *choice) {
    return (const struct tsr_method *)(const void *)choice->object;
}

/* ---- what a method can ask for ------------------------------------------------------------------
 */

/* K. */
size_t tsr_carried_steps(const struct tsr_carried *carried);

/* v = weight * gradient of the outer loss at phi_K; the squared error there becomes the task's. */
void tsr_carried_query(struct tsr_carried *carried, double weight);

/* Only the squared error over the query points at phi_K. */
void tsr_carried_query_error(struct tsr_carried *carried);

/* d/dalpha_k = -v * g_k, in place of g_k. */
void tsr_carried_rates(struct tsr_carried *carried, size_t k);

/* The same, and v <- v - H(phi_k) (alpha_k * v) + weight * gradient of the outer loss at phi_k. */
void tsr_carried_back(struct tsr_carried *carried, size_t k, double weight);

/* v = theta - phi_K. */
void tsr_carried_displacement(struct tsr_carried *carried);

#endif
