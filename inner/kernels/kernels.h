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

/* combine, project and outer of the reference, for kernels without their own. */
void tsr_ref_combine(const tsr_real *rows, size_t stride, size_t n, size_t count,
                     const tsr_real *const *z, size_t from, size_t to, tsr_real *const *y);
void tsr_ref_project(const tsr_real *rows, size_t stride, size_t from, size_t to, size_t count,
                     const tsr_real *const *g, size_t length, tsr_real *const *out);
void tsr_ref_outer(size_t n_terms, const tsr_real *b, size_t n, const tsr_real *a, size_t length,
                   size_t from, size_t to, tsr_real *rows);

/* The fused vector kernels are for float only. */
#ifndef TSR_REAL_DOUBLE
extern const struct tsr_kernel tsr_kernel_portable;
#ifdef __x86_64__
extern const struct tsr_kernel tsr_kernel_avx2;
extern const struct tsr_kernel tsr_kernel_avx512;
#endif
#endif

#endif
