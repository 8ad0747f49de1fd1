/* SPDX-License-Identifier: MIT */
#ifndef TSR_BASE_VERSION_H
#define TSR_BASE_VERSION_H

#include "include/tessera.h" /* TSR_VERSION, tsr_version() */

#endif
