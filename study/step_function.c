/* SPDX-License-Identifier: MIT */
#include "study/step_function.h"

#include <stdlib.h>

#include "base/memory.h"
#include "base/quantile.h"
#include "base/random.h"

bool tsr_step_lines(size_t dim, size_t n, size_t lines[2]) {
    size_t product = 2 * n + 1, small = 0;
    lines[0] = n;
    lines[1] = 0;
    if (dim == 1) return true;
    for (size_t d = 3; d <= product / d; d += 2)
        if (product % d == 0) small = d;
    if (!small) return false;
    lines[0] = (small - 1) / 2;
    lines[1] = (product / small - 1) / 2;
    return true;
}

enum tsr_status tsr_step_function_create(size_t dim, size_t n, uint64_t seed,
                                         struct tsr_step_function *out, struct tsr_error *err) {
    *out = (struct tsr_step_function){.dim = dim};
    if (n < 1 || n > TSR_STEP_MAX_BOUNDARIES)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "%zu boundaries; there must be 1 to %d", n,
                         TSR_STEP_MAX_BOUNDARIES);
    if (!tsr_step_lines(dim, n, out->lines))
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "no checkerboard has %zu boundaries: they are 2 r c + r + c for r and c "
                         "lines, and %zu is a prime",
                         n, 2 * n + 1);
    TSR_TRY(TSR_ALLOC(&out->at[0], out->lines[0] + out->lines[1], "boundaries", err));
    out->at[1] = out->at[0] + out->lines[0];
    for (size_t c = 0; c < dim; c++) {
        for (size_t i = 0; i < out->lines[c]; i++)
            out->at[c][i] =
                2 * tsr_random_uniform(seed, (uint64_t)c << 32 | TSR_STREAM_SIGNAL, i) - 1;
        tsr_sort(out->at[c], out->lines[c]);
    }
    return TSR_OK;
}

void tsr_step_function_clear(struct tsr_step_function *f) {
    free(f->at[0]);
    *f = (struct tsr_step_function){0};
}

int tsr_step_sign(const struct tsr_step_function *f, size_t coordinate, double x) {
    const double *at = f->at[coordinate];
    size_t below = 0; /* lines known to be at x or below */
    for (size_t n = f->lines[coordinate], half; n > 0; n -= half) {
        half = n > 1 ? n / 2 : 1;
        below += at[below + half - 1] <= x ? half : 0; /* no branch: x is random */
    }
    return (f->lines[coordinate] - below) % 2 ? -1 : 1;
}
