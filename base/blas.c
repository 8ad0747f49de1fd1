/* SPDX-License-Identifier: MIT */
#include "base/blas.h"

#include <cblas.h>
#include <pthread.h>
#include <string.h>

#ifdef TSR_REAL_DOUBLE
#define GEMM cblas_dgemm
#else
#define GEMM cblas_sgemm
#endif

static CBLAS_TRANSPOSE op(bool transposed) {
    return transposed ? CblasTrans : CblasNoTrans;
}

static void one_thread(void) {
    openblas_set_num_threads(1);
}

void tsr_blas_single_thread(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, one_thread);
}

void tsr_blas_gemm(bool ta, bool tb, size_t m, size_t n, size_t k, tsr_real alpha,
                   const tsr_real *a, size_t lda, const tsr_real *b, size_t ldb, tsr_real beta,
                   tsr_real *c, size_t ldc) {
    tsr_blas_single_thread();
    GEMM(CblasRowMajor, op(ta), op(tb), (blasint)m, (blasint)n, (blasint)k, alpha, a, (blasint)lda,
         b, (blasint)ldb, beta, c, (blasint)ldc);
}

const char *tsr_blas_core(void) {
    return openblas_get_corename();
}

const char *tsr_blas_better_core(const char *chosen, bool avx512, bool avx2) {
    static const char *const old[] = {
        "Prescott", "Core2",  "Penryn",     "Dunnington",   "Nehalem",   "Sandybridge",
        "Atom",     "Athlon", "Opteron",    "Opteron_SSE3", "Barcelona", "Bobcat",
        "Nano",     "Katmai", "Coppermine", "Northwood",    "Banias",    "Generic"};
    static const char *const avx2_only[] = {"Haswell", "Zen", "Excavator"};
    for (size_t i = 0; i < sizeof old / sizeof *old; i++)
        if (avx2 && strcmp(chosen, old[i]) == 0) return avx512 ? "SkylakeX" : "Haswell";
    for (size_t i = 0; i < sizeof avx2_only / sizeof *avx2_only; i++)
        if (avx512 && strcmp(chosen, avx2_only[i]) == 0) return "SkylakeX";
    return NULL;
}

const char *tsr_blas_config(void) {
    return openblas_get_config();
}
