/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "cli/blas_core.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/blas.h"

static bool uses_blas(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "bench") == 0) return true;
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--kernel=blas") == 0 ||
            (i + 1 < argc && strcmp(argv[i], "--kernel") == 0 && strcmp(argv[i + 1], "blas") == 0))
            return true;
    return false;
}

void cli_correct_blas_core(int argc, char **argv) {
    bool avx512 = false, avx2 = false;
#if defined(__x86_64__)
    avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
    avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    if (getenv("OPENBLAS_CORETYPE") || !uses_blas(argc, argv)) return;
    const char *better = tsr_blas_better_core(tsr_blas_core(), avx512, avx2);
    if (!better || setenv("OPENBLAS_CORETYPE", better, 1) != 0) return;
    (void)fprintf(stderr,
                  "tessera: OpenBLAS takes this processor for a %s; starting again with "
                  "OPENBLAS_CORETYPE=%s\n",
                  tsr_blas_core(), better);
    (void)execv("/proc/self/exe", argv);
    /* Where that is not possible, slower kernels are no error. */
}
