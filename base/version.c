/* SPDX-License-Identifier: MIT */
#include "base/version.h"

const char *tsr_version(void) {
    return TSR_VERSION;
}
