/* SPDX-License-Identifier: MIT
 *
 * The registry of adaptations: one line each. An adaptation NAME is the constant
 * tsr_adaptation_NAME.
 */
#ifndef TSR_INNER_ADAPTATIONS_ADAPTATIONS_LIST_H
#define TSR_INNER_ADAPTATIONS_ADAPTATIONS_LIST_H

#define TSR_ADAPTATIONS(X) X(all) X(last) X(biases) X(latent)

#endif
