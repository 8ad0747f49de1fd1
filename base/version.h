/* SPDX-License-Identifier: MIT */
#ifndef TSR_BASE_VERSION_H
#define TSR_BASE_VERSION_H

#include "base/api.h"

/* The Makefile reads the version from this line. */
#define TSR_VERSION "0.1.0"

/* The version of the library in use, which may differ from TSR_VERSION of the headers. */
TSR_API const char *tsr_version(void);

#endif
