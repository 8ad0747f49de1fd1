/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/random.h"

/* The vectors of Random123 (kat_vectors, philox4x32 with 10 rounds): counter words 0 and 1 are the
 * index, 2 and 3 the stream, the key is the seed; the result is words 0 and 1. */
static void known_answers(void **state) {
    (void)state;
    assert_true(tsr_random_u64(0, 0, 0) == 0xe169c58d6627e8d5u);
    assert_true(tsr_random_u64(UINT64_MAX, UINT64_MAX, UINT64_MAX) == 0x41c83b0e408f276du);
    assert_true(tsr_random_u64(0x299f31d0a4093822u, 0x0370734413198a2eu, 0x85a308d3243f6a88u) ==
                0x94fdccebd16cfe09u);
}

static void uniform_is_uniform(void **state) {
    (void)state;
    const int n = 100000;
    double sum = 0, squares = 0;
    int low = 0;
    for (int i = 0; i < n; i++) {
        double u = tsr_random_uniform(7, TSR_STREAM_USER, (uint64_t)i);
        assert_true(u >= 0 && u < 1);
        sum += u;
        squares += u * u;
        low += u < 0.25;
    }
    assert_true(fabs(sum / n - 0.5) < 0.004);
    assert_true(fabs(squares / n - 1.0 / 3) < 0.004);
    assert_true(abs(low - n / 4) < 600);
}

static void normal_is_normal(void **state) {
    (void)state;
    const int n = 100000;
    double m1 = 0, m2 = 0, m3 = 0, m4 = 0;
    for (int i = 0; i < n; i++) {
        double x = tsr_random_normal(7, TSR_STREAM_USER, (uint64_t)i);
        assert_true(isfinite(x));
        m1 += x / n;
        m2 += x * x / n;
        m3 += x * x * x / n;
        m4 += x * x * x * x / n;
    }
    assert_true(fabs(m1) < 0.015);
    assert_true(fabs(m2 - 1) < 0.02);
    assert_true(fabs(m3) < 0.04);
    assert_true(fabs(m4 - 3) < 0.15);
}

static void below_covers_its_range(void **state) {
    (void)state;
    int counts[7] = {0};
    for (uint64_t i = 0; i < 70000; i++) {
        uint64_t x = tsr_random_below(3, TSR_STREAM_USER, i, 7);
        assert_true(x < 7);
        counts[x]++;
    }
    for (int k = 0; k < 7; k++)
        assert_true(abs(counts[k] - 10000) < 500);
    assert_true(tsr_random_below(3, TSR_STREAM_USER, 0, 1) == 0);
}

static void assert_permutation(const uint32_t *p, size_t n) {
    unsigned char *seen = calloc(n + 1, 1);
    assert_non_null(seen);
    for (size_t i = 0; i < n; i++) {
        assert_true(p[i] < n);
        assert_int_equal(seen[p[i]], 0);
        seen[p[i]] = 1;
    }
    free(seen);
}

static void permutations(void **state) {
    (void)state;
    static uint32_t p[1000];
    for (size_t n = 0; n <= 1000; n = n < 10 ? n + 1 : 10 * n) {
        tsr_random_permutation(5, TSR_STREAM_SHUFFLE, n, p);
        assert_permutation(p, n);
    }
}

/* All 24 orders of four items, equally often: 24 bins of 1000, standard deviation 31. */
static void permutations_are_unbiased(void **state) {
    (void)state;
    int counts[256] = {0}, orders = 0;
    for (uint64_t epoch = 0; epoch < 24000; epoch++) {
        uint32_t p[4];
        tsr_random_permutation(5, TSR_STREAM_SHUFFLE | epoch << 32, 4, p);
        counts[p[0] | p[1] << 2 | p[2] << 4 | p[3] << 6]++;
    }
    for (int k = 0; k < 256; k++)
        if (counts[k] > 0) {
            orders++;
            assert_true(abs(counts[k] - 1000) < 160);
        }
    assert_int_equal(orders, 24);
}

static void streams_and_seeds_differ(void **state) {
    (void)state;
    uint64_t a = tsr_random_u64(1, 1, 0);
    assert_true(a != tsr_random_u64(2, 1, 0));
    assert_true(a != tsr_random_u64(1, 2, 0));
    assert_true(a != tsr_random_u64(1, 1 | (uint64_t)1 << 32, 0));
    assert_true(a != tsr_random_u64(1, 1, 1));
    assert_true(a == tsr_random_u64(1, 1, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_answers),
        cmocka_unit_test(uniform_is_uniform),
        cmocka_unit_test(normal_is_normal),
        cmocka_unit_test(below_covers_its_range),
        cmocka_unit_test(permutations),
        cmocka_unit_test(permutations_are_unbiased),
        cmocka_unit_test(streams_and_seeds_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
