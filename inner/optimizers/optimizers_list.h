/* SPDX-License-Identifier: MIT
 *
 * The registry of optimisers of the inner loop: one line each. An optimiser NAME is the constant
 * tsr_optimizer_NAME.
 */
#ifndef TSR_INNER_OPTIMIZERS_OPTIMIZERS_LIST_H
#define TSR_INNER_OPTIMIZERS_OPTIMIZERS_LIST_H

#define TSR_OPTIMIZERS(X)                                                                          \
    X(sgd)                                                                                         \
    X(adam)                                                                                        \
    X(accept)                                                                                      \
    X(lbfgs)                                                                                       \
    X(lm)

#endif
