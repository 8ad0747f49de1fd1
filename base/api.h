/* SPDX-License-Identifier: MIT
 *
 * Attributes of declarations, and the floating-point type of the numerical core.
 */
#ifndef TSR_BASE_API_H
#define TSR_BASE_API_H

#include <stddef.h>
#include <stdint.h>

/* TSR_API marks what other parts of tessera call: hidden in the shared library. TSR_PUBLIC, which
 * include/tessera.h defines likewise, marks what its users call. */
#define TSR_API __attribute__((visibility("hidden")))
#ifndef TSR_PUBLIC
#define TSR_PUBLIC __attribute__((visibility("default")))
#endif
#define TSR_MUST_USE __attribute__((warn_unused_result))
#define TSR_PRINTF(index, first) __attribute__((__format__(__printf__, index, first)))

/* Parameters, coordinates and activations. float in the product; double in the second build of the
 * library that the derivative checks of tests/ link against (`-DTSR_REAL_DOUBLE`). */
#ifdef TSR_REAL_DOUBLE
typedef double tsr_real;
#else
typedef float tsr_real;
#endif

#endif
