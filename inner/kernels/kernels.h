/* SPDX-License-Identifier: MIT
 *
 * The implementations behind the seam; only kernel.c and they themselves include this.
 */
#ifndef TSR_INNER_KERNELS_KERNELS_H
#define TSR_INNER_KERNELS_KERNELS_H

#include "inner/kernels/kernel.h"

extern const struct tsr_kernel tsr_kernel_reference;
extern const struct tsr_kernel tsr_kernel_blas;

#endif
