/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "tests/resident.h"

static bool aligned(const void *p) {
    return (uintptr_t)p % TSR_ALIGNMENT == 0;
}

static void blocks_are_aligned_and_zero(void **state) {
    (void)state;
    struct tsr_error err = {0};
    for (size_t n = 0; n < 300; n++) {
        void *p = NULL;
        assert_int_equal(tsr_alloc(&p, n, 3, "test", &err), TSR_OK);
        assert_non_null(p);
        assert_true(aligned(p));
        for (size_t i = 0; i < 3 * n; i++)
            assert_int_equal(((unsigned char *)p)[i], 0);
        free(p);
    }
}

static void overflow_is_an_error(void **state) {
    (void)state;
    struct tsr_error err = {0};
    void *p = &err;
    assert_int_equal(tsr_alloc(&p, SIZE_MAX / 2, 3, "weights", &err), TSR_ERR_NO_MEMORY);
    assert_null(p);
    assert_non_null(strstr(err.message, "weights"));
    assert_int_equal(tsr_alloc(&p, SIZE_MAX, 1, "weights", &err), TSR_ERR_NO_MEMORY);
}

struct scratch {
    float *a;
    unsigned char *b;
    double *c;
};

static void layout(struct scratch *s, struct tsr_arena *arena) {
    s->a = tsr_arena_take(arena, 5, sizeof *s->a);
    s->b = tsr_arena_take(arena, 65, sizeof *s->b);
    s->c = tsr_arena_take(arena, 0, sizeof *s->c);
}

static void arena_measures_then_carves(void **state) {
    (void)state;
    struct tsr_error err = {0};
    struct scratch s;
    struct tsr_arena arena = {0};
    layout(&s, &arena);
    assert_null(s.a);
    assert_int_equal(arena.used, 64 + 128);
    assert_int_equal(tsr_arena_create(&arena, arena.used, "scratch", &err), TSR_OK);
    assert_int_equal(arena.used, 0);
    layout(&s, &arena);
    assert_true(aligned(s.a) && aligned(s.b) && aligned(s.c));
    assert_ptr_equal((unsigned char *)s.a + 64, s.b);
    memset(s.b, 1, 65);
    tsr_arena_free(&arena);
    assert_null(arena.base);
    tsr_arena_free(&arena);
}

static void typed_allocation(void **state) {
    (void)state;
    struct tsr_error err = {0};
    double *numbers = NULL;
    assert_int_equal(TSR_ALLOC(&numbers, 7, "numbers", &err), TSR_OK);
    assert_true(aligned(numbers));
    assert_true(numbers[6] == 0);
    free(numbers);
    assert_int_equal(TSR_ALLOC(&numbers, SIZE_MAX / 4, "numbers", &err), TSR_ERR_NO_MEMORY);
    assert_null(numbers);
    assert_int_equal(TSR_ALLOC(&numbers, SIZE_MAX / 4, "numbers", NULL), TSR_ERR_NO_MEMORY);
}

/* Whatever the sizes and whatever stood there before. */
static void large_blocks_are_zero(void **state) {
    (void)state;
    for (size_t i = 0; i < 60; i++) {
        size_t bytes = ((size_t)200 << 10) + i * 7919 * (i % 5 + 1);
        unsigned char *p = NULL;
        assert_int_equal(TSR_ALLOC(&p, bytes, "block", NULL), TSR_OK);
        assert_true(aligned(p));
        for (size_t k = 0; k < bytes; k++)
            if (p[k] != 0) fail_msg("byte %zu of %zu is %d", k, bytes, p[k]);
        memset(p, 0xA5, bytes);
        free(p);
    }
}

static void a_large_block_costs_what_is_written(void **state) {
    (void)state;
    struct tsr_error err = {0};
    size_t bytes = (size_t)1 << 30, before = resident_kib();
    if (before == 0) skip();
    unsigned char *p = NULL;
    assert_int_equal(TSR_ALLOC(&p, bytes, "block", &err), TSR_OK);
    assert_true(resident_kib() < before + (32 << 10));
    size_t sum = 0;
    for (size_t k = 0; k < bytes; k += (size_t)1 << 24)
        sum += p[k];
    assert_int_equal(sum, 0);
    memset(p + (bytes >> 1), 1, (size_t)64 << 20); /* the control: what is written is seen */
    assert_true(resident_kib() > before + (60 << 10));
    free(p);
}
static void rounding_up(void **state) {
    (void)state;
    assert_int_equal(tsr_align_up(0), 0);
    assert_int_equal(tsr_align_up(1), 64);
    assert_int_equal(tsr_align_up(64), 64);
    assert_int_equal(tsr_align_up(65), 128);
    assert_true(tsr_align_up(SIZE_MAX - 62) == SIZE_MAX);
    assert_true(tsr_align_up(SIZE_MAX) == SIZE_MAX);
}

/* A measure that wraps would carve pieces on top of one another. */
static void arena_saturates(void **state) {
    (void)state;
    struct tsr_error err = {0};
    struct tsr_arena arena = {0};
    assert_null(tsr_arena_take(&arena, SIZE_MAX / 2, 3));
    assert_true(arena.used == SIZE_MAX);
    (void)tsr_arena_take(&arena, 100, 1);
    assert_true(arena.used == SIZE_MAX);
    arena.used = 0;
    (void)tsr_arena_take(&arena, SIZE_MAX / 2, 1);
    (void)tsr_arena_take(&arena, SIZE_MAX / 2, 1);
    (void)tsr_arena_take(&arena, 200, 1);
    assert_true(arena.used == SIZE_MAX);
    assert_int_equal(tsr_arena_create(&arena, arena.used, "tapes", &err), TSR_ERR_NO_MEMORY);
    assert_null(arena.base);
    assert_non_null(strstr(err.message, "tapes"));
}

static void arena_gives_no_more_than_was_measured(void **state) {
    (void)state;
    struct tsr_arena arena = {0};
    assert_int_equal(tsr_arena_create(&arena, 128, "scratch", NULL), TSR_OK);
    assert_non_null(tsr_arena_take(&arena, 64, 1));
    assert_non_null(tsr_arena_take(&arena, 64, 1));
    assert_null(tsr_arena_take(&arena, 1, 1));
    assert_null(tsr_arena_take(&arena, SIZE_MAX, 8));
    assert_null(tsr_arena_take(&arena, 1, 1));
    tsr_arena_free(&arena);
}

/* What was put in stays, also where the array was cut between. */
static void grows(void **state) {
    (void)state;
    struct tsr_error e;
    size_t *items = NULL, n = 0;
    for (size_t i = 0; i < 3000; i++) {
        assert_int_equal(TSR_GROW(&items, n, "numbers", &e), TSR_OK);
        items[n] = n;
        n++;
        if (i % 700 == 699) n = n / 3 + 1;
    }
    for (size_t i = 0; i < n; i++)
        assert_int_equal(items[i], i);
    const size_t *before = items;
    assert_int_equal(tsr_grow_to(&items, (size_t)1 << 40, SIZE_MAX >> 30, "numbers", &e),
                     TSR_ERR_NO_MEMORY);
    assert_ptr_equal(items, before);
    free(items);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grows),
        cmocka_unit_test(blocks_are_aligned_and_zero),
        cmocka_unit_test(overflow_is_an_error),
        cmocka_unit_test(arena_measures_then_carves),
        cmocka_unit_test(typed_allocation),
        cmocka_unit_test(large_blocks_are_zero),
        cmocka_unit_test(a_large_block_costs_what_is_written),
        cmocka_unit_test(rounding_up),
        cmocka_unit_test(arena_saturates),
        cmocka_unit_test(arena_gives_no_more_than_was_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
