/* SPDX-License-Identifier: MIT
 *
 * kernel_vector.h for AVX2 with fused multiply-add: 8 lanes. The instructions are enabled for this
 * file's functions only, after available().
 */
#include "inner/kernels/kernels.h"

#if defined(__x86_64__) && !defined(TSR_REAL_DOUBLE)
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"

static bool available(void) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx2,fma")
#endif

static inline __m256 remainder_of(__m256 u, __m256i *flip) {
    *flip = _mm256_slli_epi32(_mm256_cvtps_epi32(u), 31);
    return u - _mm256_round_ps(u, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* The outputs. */
#define NARROW(x) narrow_##x
#define LANES 4
#define NAME(x) NARROW(x)
#define MULTIPLY_ADD(a, b, c) ((VEC)_mm_fmadd_ps(a, b, c))
#include "inner/kernels/vector_lanes.h"

#include "inner/kernels/vector_tile.h"

#include "inner/kernels/vector_end.h"

#define LANES 8
#define MAX_VECS 2
#define NAME(x) vector_##x
#define MULTIPLY_ADD(a, b, c) ((VEC)_mm256_fmadd_ps(a, b, c))
#define REMAINDER(u, flip) remainder_of(u, (__m256i *)(flip))
#include "inner/kernels/kernel_vector.h"

#define PEAK_LANES 8
#define PEAK_MULTIPLY_ADD(a, b, c) _mm256_fmadd_ps(a, b, c)
#define PEAK_SINCOS(u, s, c) vector_sincos(u, s, c)
#include "inner/kernels/kernel_peak.h"

#ifdef __clang__
#pragma clang attribute pop
#endif

const struct tsr_kernel tsr_kernel_avx2 = {
    .name = "avx2",
    .available = available,
    .workspace_size = vector_workspace_size,
    .tape_size = vector_tape_size,
    .forward = vector_forward,
    .gradient = vector_gradient,
    .record = vector_record,
    .backward = vector_from_record,
    .hvp = vector_hvp,
    .gauss_newton = vector_gauss_newton,
    .combine = vector_combine,
    .project = vector_project,
    .outer = vector_outer,
    .peak = peak,
    .sines = sines,
};
#endif
