/* SPDX-License-Identifier: MIT
 *
 * The registry of outer methods: one line each. A method NAME is the constant tsr_method_NAME.
 */
#ifndef TSR_META_METHODS_METHODS_LIST_H
#define TSR_META_METHODS_METHODS_LIST_H

#define TSR_METHODS(X)                                                                             \
    X(maml)                                                                                        \
    X(fomaml)                                                                                      \
    X(reptile)                                                                                     \
    X(multi_step)

#endif
