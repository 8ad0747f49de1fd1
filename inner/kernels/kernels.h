/* SPDX-License-Identifier: MIT
 *
 * The implementations behind the seam; only kernel.c and they themselves include this.
 */
#ifndef TSR_INNER_KERNELS_KERNELS_H
#define TSR_INNER_KERNELS_KERNELS_H

#include "inner/kernels/kernel.h"
#include "inner/kinds.h"

extern const struct tsr_kernel tsr_kernel_reference;
extern const struct tsr_kernel tsr_kernel_blas;

/* The fused vector kernels are for float only. */
#ifndef TSR_REAL_DOUBLE
extern const struct tsr_kernel tsr_kernel_portable;
#ifdef __x86_64__
extern const struct tsr_kernel tsr_kernel_avx2;
extern const struct tsr_kernel tsr_kernel_avx512;
#endif
#endif

#endif
