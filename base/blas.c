/* SPDX-License-Identifier: MIT */
#include "base/blas.h"

#include <cblas.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

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

void tsr_blas_gemm_double(bool ta, bool tb, size_t m, size_t n, size_t k, const double *a,
                          size_t lda, const double *b, size_t ldb, double beta, double *c,
                          size_t ldc) {
    tsr_blas_single_thread();
    cblas_dgemm(CblasRowMajor, op(ta), op(tb), (blasint)m, (blasint)n, (blasint)k, 1, a,
                (blasint)lda, b, (blasint)ldb, beta, c, (blasint)ldc);
}

/* LAPACK, which OpenBLAS contains; it has no header that all distributions install. */
void dsyevd_(const char *jobz, const char *uplo, const blasint *n, double *a, const blasint *lda,
             double *w, double *work, const blasint *lwork, blasint *iwork, const blasint *liwork,
             blasint *info);

enum tsr_status tsr_blas_eigen(size_t n, double *a, double *values, struct tsr_error *err) {
    blasint size = (blasint)n, info = 0, n_whole = -1, n_work = -1, whole_wanted;
    double work_wanted;
    for (size_t i = 0; i < n * n; i++)
        if (!isfinite(a[i]))
            return TSR_ERROR(err, TSR_ERR_NUMERIC,
                             "eigenvalues of a matrix that holds %g; it must be finite", a[i]);
    tsr_blas_single_thread();
    /* What it wants to work in. Its columns are our rows: the eigenvectors. */
    dsyevd_("V", "L", &size, a, &size, values, &work_wanted, &n_work, &whole_wanted, &n_whole,
            &info);
    n_work = (blasint)work_wanted, n_whole = whole_wanted;
    double *work = NULL;
    blasint *whole = NULL;
    enum tsr_status status = TSR_ALLOC(&work, (size_t)n_work, "room for eigenvalues", err);
    if (status == TSR_OK) status = TSR_ALLOC(&whole, (size_t)n_whole, "room for eigenvalues", err);
    if (status == TSR_OK)
        dsyevd_("V", "L", &size, a, &size, values, work, &n_work, whole, &n_whole, &info);
    free(work);
    free(whole);
    if (status == TSR_OK && info != 0)
        return TSR_ERROR(err, TSR_ERR_NUMERIC, "LAPACK's dsyevd found no eigenvalues (info %d)",
                         (int)info);
    return status;
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
