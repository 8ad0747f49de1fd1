/* SPDX-License-Identifier: MIT
 *
 * The settings of include/tessera.h. Internal.
 */
#ifndef TSR_IMAGE_API_SETTINGS_H
#define TSR_IMAGE_API_SETTINGS_H

#include "image/model.h"
#include "meta/outer_state.h"

struct tsr_settings {
    struct tsr_model_config model;
    struct tsr_outer_state outer; /* of which only the configuration is used */
    size_t threads;
    char kernel[32];
    bool rate_given, steps_given; /* else the defaults follow from network and time */
};

#endif
