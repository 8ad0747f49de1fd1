/* SPDX-License-Identifier: MIT
 *
 * kernel_vector.h for AVX-512: 16 lanes, and 8 for networks of up to 8 units. The instructions are
 * enabled for this file's functions only, after available().
 */
#include "inner/kernels/kernels.h"

#if defined(__x86_64__) && !defined(TSR_REAL_DOUBLE)
#include <immintrin.h>
#include <math.h>
#include <string.h>

#include "base/memory.h"

static bool available(void) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("fma");
}

#ifdef __clang__
#pragma clang attribute push(                                                                      \
    __attribute__((target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma,prefer-vector-width=512")
#endif

static inline __m256 remainder_8_lanes(__m256 u, __m256i *flip) {
    *flip = _mm256_slli_epi32(_mm256_cvtps_epi32(u), 31);
    return u - _mm256_round_ps(u, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static inline __m512 remainder_16_lanes(__m512 u, __m512i *flip) {
    *flip = _mm512_slli_epi32(_mm512_cvtps_epi32(u), 31);
    return u - _mm512_roundscale_ps(u, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

/* The outputs. */
#define NARROW(x) x##_4
#define LANES 4
#define NAME(x) NARROW(x)
#define MULTIPLY_ADD(a, b, c) ((VEC)_mm_fmadd_ps(a, b, c))
#include "inner/kernels/vector_lanes.h"

#include "inner/kernels/vector_tile.h"

#include "inner/kernels/vector_end.h"

/* The units of 16 lanes come first: 8 lanes use them for two points at once. */
#define LANES 16
#define NAME(x) x##_16
#define MULTIPLY_ADD(a, b, c) ((VEC)_mm512_fmadd_ps(a, b, c))
#define REMAINDER(u, flip) remainder_16_lanes(u, (__m512i *)(flip))
#include "inner/kernels/vector_lanes.h"

#include "inner/kernels/vector_end.h"

#define LANES 8
#define MAX_VECS 1
#define PAIR(x) x##_16
#define PAIR_MULTIPLY_ADD(a, b, c) ((vec_16)_mm512_fmadd_ps(a, b, c))
#define PAIR_OF(a, b) ((vec_16)_mm512_insertf32x8(_mm512_castps256_ps512(a), b, 1))
#define NAME(x) x##_8
#define MULTIPLY_ADD(a, b, c) ((VEC)_mm256_fmadd_ps(a, b, c))
#define REMAINDER(u, flip) remainder_8_lanes(u, (__m256i *)(flip))
#include "inner/kernels/kernel_vector.h"

#define LANES 16
#define LANES_DEFINED
#define MAX_VECS 4
#define NAME(x) x##_16
#define MULTIPLY_ADD(a, b, c) ((VEC)_mm512_fmadd_ps(a, b, c))
#define REMAINDER(u, flip) remainder_16_lanes(u, (__m512i *)(flip))
#include "inner/kernels/kernel_vector.h"

static bool narrow(const struct tsr_net *net) {
    return net->width <= 8;
}

static size_t workspace_size(const struct tsr_net *net) {
    return narrow(net) ? workspace_size_8(net) : workspace_size_16(net);
}

static struct tsr_tape_size tape_size(const struct tsr_net *net, size_t n) {
    return narrow(net) ? tape_size_8(net, n) : tape_size_16(net, n);
}

static void forward(const struct tsr_net *net, const float *phi, const float *x, size_t n,
                    float *out, void *workspace) {
    (narrow(net) ? forward_8 : forward_16)(net, phi, x, n, out, workspace);
}

static double gradient(const struct tsr_net *net, const float *phi, const struct tsr_points *points,
                       double scale, float *grad, float *out, const struct tsr_tape *tape,
                       void *workspace) {
    return (narrow(net) ? gradient_8 : gradient_16)(net, phi, points, scale, grad, out, tape,
                                                    workspace);
}

static void record(const struct tsr_net *net, const float *phi, const float *x, size_t n, void *to,
                   void *workspace) {
    (narrow(net) ? record_8 : record_16)(net, phi, x, n, to, workspace);
}

static double backward(const struct tsr_net *net, const float *phi, const struct tsr_points *points,
                       double scale, float *grad, float *out, const struct tsr_tape *tape,
                       void *workspace) {
    return (narrow(net) ? from_record_8 : from_record_16)(net, phi, points, scale, grad, out, tape,
                                                          workspace);
}

static void hvp(const struct tsr_net *net, const float *phi, const float *v,
                const struct tsr_points *points, double scale, float *hv,
                const struct tsr_tape *tape, void *workspace) {
    (narrow(net) ? hvp_8 : hvp_16)(net, phi, v, points, scale, hv, tape, workspace);
}

static void gauss_newton(const struct tsr_net *net, const float *phi, const float *v,
                         const float *x, size_t n, double scale, float *gv, const void *record,
                         void *workspace) {
    (narrow(net) ? gauss_newton_8 : gauss_newton_16)(net, phi, v, x, n, scale, gv, record,
                                                     workspace);
}

#define PEAK_LANES 16
#define PEAK_MULTIPLY_ADD(a, b, c) _mm512_fmadd_ps(a, b, c)
#define PEAK_SINCOS(u, s, c) sincos_16(u, s, c)
#include "inner/kernels/kernel_peak.h"

#ifdef __clang__
#pragma clang attribute pop
#endif

const struct tsr_kernel tsr_kernel_avx512 = {
    .name = "avx512",
    .available = available,
    .workspace_size = workspace_size,
    .tape_size = tape_size,
    .forward = forward,
    .gradient = gradient,
    .record = record,
    .backward = backward,
    .peak = peak,
    .sines = sines,
    .hvp = hvp,
    .gauss_newton = gauss_newton,
    .combine = combine_16,
    .project = project_16,
    .outer = outer_16,
};
#endif
