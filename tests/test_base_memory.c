/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_are_aligned_and_zero),
        cmocka_unit_test(overflow_is_an_error),
        cmocka_unit_test(arena_measures_then_carves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
