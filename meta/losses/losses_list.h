/* SPDX-License-Identifier: MIT
 *
 * The registry of outer losses: one line each. A loss NAME is the constant tsr_loss_NAME.
 */
#ifndef TSR_META_LOSSES_LOSSES_LIST_H
#define TSR_META_LOSSES_LOSSES_LIST_H

#define TSR_LOSSES(X)                                                                              \
    X(mse)                                                                                         \
    X(log_mse)                                                                                     \
    X(huber)

#endif
