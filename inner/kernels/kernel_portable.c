/* SPDX-License-Identifier: MIT
 *
 * kernel_vector.h with 4 lanes and whatever instructions the compiler was told to use: SSE2 on
 * x86-64, NEON on Arm, scalars elsewhere.
 */
#include "inner/kernels/kernels.h"

#ifndef TSR_REAL_DOUBLE
#include <math.h>
#include <string.h>

#include "base/memory.h"

#if defined(__ARM_NEON) && defined(__ARM_FEATURE_FMA)
#include <arm_neon.h>
#define MULTIPLY_ADD(a, b, c) ((VEC)vfmaq_f32((float32x4_t)(c), (float32x4_t)(a), (float32x4_t)(b)))
#else
#define MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#endif

static bool available(void) {
    return true;
}

#define NARROW(x) vector_##x
#define LANES 4
#define MAX_VECS 2
#define NAME(x) vector_##x
#include "inner/kernels/kernel_vector.h"

#define PEAK_LANES 4
#define PEAK_MULTIPLY_ADD(a, b, c) ((a) * (b) + (c))
#define PEAK_SINCOS(u, s, c) vector_sincos(u, s, c)
#include "inner/kernels/kernel_peak.h"

const struct tsr_kernel tsr_kernel_portable = {
    .name = "portable",
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
