/* SPDX-License-Identifier: MIT */
#include "base/random.h"

#include <math.h>

struct block {
    uint32_t x[4];
};

static struct block philox(uint64_t key, uint64_t hi, uint64_t lo) {
    struct block c = {{(uint32_t)lo, (uint32_t)(lo >> 32), (uint32_t)hi, (uint32_t)(hi >> 32)}};
    uint32_t k0 = (uint32_t)key, k1 = (uint32_t)(key >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * c.x[0];
        uint64_t p1 = (uint64_t)0xCD9E8D57u * c.x[2];
        c = (struct block){{(uint32_t)(p1 >> 32) ^ c.x[1] ^ k0, (uint32_t)p1,
                            (uint32_t)(p0 >> 32) ^ c.x[3] ^ k1, (uint32_t)p0}};
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return c;
}

uint64_t tsr_random_u64(uint64_t seed, uint64_t stream, uint64_t index) {
    struct block b = philox(seed, stream, index);
    return (uint64_t)b.x[1] << 32 | b.x[0];
}

static double unit(uint64_t bits) {
    return (double)(bits >> 11) * 0x1p-53;
}

double tsr_random_uniform(uint64_t seed, uint64_t stream, uint64_t index) {
    return unit(tsr_random_u64(seed, stream, index));
}

double tsr_random_normal(uint64_t seed, uint64_t stream, uint64_t index) {
    struct block b = philox(seed, stream, index);
    double u = 1.0 - unit((uint64_t)b.x[1] << 32 | b.x[0]);
    double v = unit((uint64_t)b.x[3] << 32 | b.x[2]);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

uint64_t tsr_random_below(uint64_t seed, uint64_t stream, uint64_t index, uint64_t n) {
    /* The bias of the multiply-shift method is below n / 2^64. */
    return (uint64_t)((unsigned __int128)tsr_random_u64(seed, stream, index) * n >> 64);
}

void tsr_random_permutation(uint64_t seed, uint64_t stream, size_t n, uint32_t *out) {
    for (size_t i = 0; i < n; i++) {
        size_t j = (size_t)tsr_random_below(seed, stream, i, i + 1);
        out[i] = out[j];
        out[j] = (uint32_t)i;
    }
}
