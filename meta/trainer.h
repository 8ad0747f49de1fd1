/* SPDX-License-Identifier: MIT
 *
 * The outer loop.
 *
 * One outer step: a meta-batch of images; of each a random fraction of its regions; their
 * meta-gradient; Adam on initialisations and rates with warm-up, cosine decay and a clipped norm.
 * An image whose loss or gradient is not finite is left out of its outer step and counted; when
 * that persists the run ends with TSR_ERR_NUMERIC. With a bound on outer steps a run is a function
 * of its configuration and seed: the bits do not depend on the number of threads, and a resumed run
 * equals an uninterrupted one. With a bound on time the schedule follows the clock, and it does
 * not.
 */
#ifndef TSR_META_TRAINER_H
#define TSR_META_TRAINER_H

#include "meta/outer_state.h"

struct tsr_trainer_callbacks {
    /* After every outer step. Nonzero ends the run: a checkpoint is written, TSR_ERR_INTERRUPTED
     * returned. */
    int (*progress)(void *user, const struct tsr_trainer_progress *progress);
    void *user;
};

#endif
