/* SPDX-License-Identifier: MIT */
#include "tests/check.h"

#include "base/blas.h"

static void check_better_core(void **state) {
    (void)state;
    assert_string_equal(tsr_blas_better_core("Prescott", true, true), "SkylakeX");
    assert_string_equal(tsr_blas_better_core("Prescott", false, true), "Haswell");
    assert_string_equal(tsr_blas_better_core("Zen", true, true), "SkylakeX");
    assert_null(tsr_blas_better_core("Zen", false, true));
    assert_null(tsr_blas_better_core("Prescott", false, false));
    assert_null(tsr_blas_better_core("Cooperlake", true, true));
    assert_null(tsr_blas_better_core("a core of the future", true, true));
}

/* c = alpha op(a) op(b) + beta c by its definition, for all transpositions. */
static void check_gemm(void **state) {
    (void)state;
    enum { M = 3, N = 4, K = 5 };
    tsr_real a[M * K], b[K * N], c[M * N];
    for (int trans = 0; trans < 4; trans++) {
        bool ta = trans & 1, tb = trans & 2;
        for (size_t i = 0; i < M * K; i++)
            a[i] = (tsr_real)(0.25 * (double)i - 1);
        for (size_t i = 0; i < K * N; i++)
            b[i] = (tsr_real)(2 - 0.125 * (double)i);
        for (size_t i = 0; i < M * N; i++)
            c[i] = (tsr_real)i;
        double want[M * N];
        for (size_t i = 0; i < M; i++)
            for (size_t j = 0; j < N; j++) {
                want[i * N + j] = 0.5 * (double)(i * N + j);
                for (size_t k = 0; k < K; k++)
                    want[i * N + j] += 2 * (double)a[ta ? k * M + i : i * K + k] *
                                       (double)b[tb ? j * K + k : k * N + j];
            }
        tsr_blas_gemm(ta, tb, M, N, K, 2, a, ta ? M : K, b, tb ? K : N, (tsr_real)0.5, c, N);
        ASSERT_CLOSE("gemm", c, want, M * N, 1e-6);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check_better_core),
        cmocka_unit_test(check_gemm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
