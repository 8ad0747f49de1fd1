/* SPDX-License-Identifier: MIT
 *
 * The registry of network kinds: one line each. A kind NAME is the constant tsr_kind_NAME, and has
 * its part in the vector kernels: inner/kernels/units/NAME.h, included by unit.h there.
 */
#ifndef TSR_INNER_KINDS_KINDS_LIST_H
#define TSR_INNER_KINDS_KINDS_LIST_H

#define TSR_KINDS(X)                                                                               \
    X(siren)                                                                                       \
    X(relu_pe)                                                                                     \
    X(gaussian)                                                                                    \
    X(finer)

#endif
