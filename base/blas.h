/* SPDX-License-Identifier: MIT
 *
 * The OpenBLAS seam: the only place that knows cblas.h. All matrices are row-major. A build without
 * OpenBLAS (TSR_NO_BLAS) has no products, and names the library "none".
 */
#ifndef TSR_BASE_BLAS_H
#define TSR_BASE_BLAS_H

#include <stdbool.h>

#include "base/status.h"

#ifndef TSR_NO_BLAS

/* c [m,n] (row stride ldc) = alpha * op(a) op(b) + beta * c, where op(a) is [m,k] and op(b) [k,n];
 * `ta`, `tb` transpose what is stored. Overwrites c. Runs on the calling thread: the first call
 * does what tsr_blas_single_thread() does. */
TSR_API void tsr_blas_gemm(bool ta, bool tb, size_t m, size_t n, size_t k, tsr_real alpha,
                           const tsr_real *a, size_t lda, const tsr_real *b, size_t ldb,
                           tsr_real beta, tsr_real *c, size_t ldc);

/* The same in double, with alpha = 1. */
TSR_API void tsr_blas_gemm_double(bool ta, bool tb, size_t m, size_t n, size_t k, const double *a,
                                  size_t lda, const double *b, size_t ldb, double beta, double *c,
                                  size_t ldc);

/* Eigenvalues [n], ascending, of a symmetric matrix a [n,n], and in its place the eigenvectors, of
 * length 1, one a row. TSR_ERR_NO_MEMORY; TSR_ERR_NUMERIC: a is not finite, or LAPACK gave up. */
TSR_API enum tsr_status tsr_blas_eigen(size_t n, double *a, double *values,
                                       struct tsr_error *err) TSR_MUST_USE;

/* Makes BLAS use one thread from now on, in the whole process: tessera's own threads lie above it.
 * What it does, it does once, whoever calls it and how often. */
TSR_API void tsr_blas_single_thread(void);

/* Name of the processor type whose kernels OpenBLAS chose, e.g. "SkylakeX". Static storage. */
TSR_API const char *tsr_blas_core(void);

/* OpenBLAS picks its kernels by the model of the processor, and takes those of an ancient one
 * (Prescott, four to six times slower) for a model it does not know. The core type (a value for the
 * environment variable OPENBLAS_CORETYPE, read when the process starts) that would serve a
 * processor with these instructions better than `chosen`; NULL if `chosen` is fine. Static storage.
 */
TSR_API const char *tsr_blas_better_core(const char *chosen, bool avx512, bool avx2);

/* Version and build of the BLAS library, one line. Static storage. */
TSR_API const char *tsr_blas_config(void);

#else

static inline void tsr_blas_single_thread(void) {}
static inline const char *tsr_blas_core(void) {
    return "none";
}
static inline const char *tsr_blas_better_core(const char *chosen, bool avx512, bool avx2) {
    (void)chosen;
    (void)avx512;
    (void)avx2;
    return NULL;
}
static inline const char *tsr_blas_config(void) {
    return "none";
}

#endif

#endif
