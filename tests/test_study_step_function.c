/* SPDX-License-Identifier: MIT
 *
 * Random step functions: values, number of boundaries, checkerboards.
 */
#include "tests/check.h"

#include "study/step_function.h"

/* By definition: the parity of the lines above x. */
static int sign_by_counting(const struct tsr_step_function *f, size_t coordinate, double x) {
    size_t above = 0;
    for (size_t i = 0; i < f->lines[coordinate]; i++)
        above += f->at[coordinate][i] > x;
    return above % 2 ? -1 : 1;
}

static void one_dimension(void **state) {
    (void)state;
    for (size_t n = 1; n <= 70; n++) {
        struct tsr_step_function f;
        MUST(tsr_step_function_create(1, n, n * 7919, &f, err));
        assert_true(f.lines[0] == n && f.lines[1] == 0);
        for (size_t i = 0; i < n; i++) {
            assert_true(f.at[0][i] >= -1 && f.at[0][i] < 1);
            assert_true(i == 0 || f.at[0][i] > f.at[0][i - 1]);
            /* the sign changes at each boundary, to the right of it */
            int here = tsr_step_sign(&f, 0, f.at[0][i]);
            int before = tsr_step_sign(&f, 0, nextafter(f.at[0][i], -2));
            assert_true(here == -before && here * here == 1);
        }
        assert_true(tsr_step_sign(&f, 0, 1) == 1);
        for (int i = 0; i < 500; i++) {
            double x = draw(-1.2, 1.2);
            assert_true(tsr_step_sign(&f, 0, x) == sign_by_counting(&f, 0, x));
        }
        tsr_step_function_clear(&f);
    }
}

/* Fields of a checkerboard differ from all neighbours; their shared sides are the boundaries. */
static void checkerboards(void **state) {
    (void)state;
    static const size_t counts[] = {4, 7, 27, 49, 115, 241, 535};
    for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
        struct tsr_step_function f;
        MUST(tsr_step_function_create(2, counts[k], 3, &f, err));
        size_t rows = f.lines[0] + 1, cols = f.lines[1] + 1, sides = 0;
        int *field = make(rows * cols, sizeof *field);
        for (size_t r = 0; r < rows; r++)
            for (size_t c = 0; c < cols; c++) {
                double y = r ? f.at[0][r - 1] : -1, x = c ? f.at[1][c - 1] : -1;
                field[r * cols + c] = tsr_step_sign(&f, 0, y) * tsr_step_sign(&f, 1, x);
                assert_true(tsr_step_sign(&f, 0, y) == sign_by_counting(&f, 0, y));
                if (r > 0) sides += field[r * cols + c] != field[(r - 1) * cols + c];
                if (c > 0) sides += field[r * cols + c] != field[r * cols + c - 1];
            }
        assert_int_equal(sides, counts[k]);
        free(field);
        tsr_step_function_clear(&f);
    }
}

/* The paper's code takes r c = 10, 20 .. 250 lines, r the largest factor up to floor(sqrt) + 1. */
static void lines_of_the_paper(void **state) {
    (void)state;
    for (size_t product = 10; product <= 250; product += 10) {
        size_t lines[2], r = (size_t)sqrt((double)product) + 1;
        while (product % r)
            r--;
        size_t c = product / r, n = 2 * r * c + r + c;
        assert_true(tsr_step_lines(2, n, lines));
        assert_int_equal(lines[0], r < c ? r : c);
        assert_int_equal(lines[1], r < c ? c : r);
    }
}

/* The most square checkerboard of all there are, or none. */
static void lines_by_search(void **state) {
    (void)state;
    for (size_t n = 1; n <= 600; n++) {
        size_t lines[2], best = 0;
        for (size_t r = 1; r <= n; r++)
            for (size_t c = r; 2 * r * c + r + c <= n; c++)
                if (2 * r * c + r + c == n) best = r;
        assert_true(tsr_step_lines(2, n, lines) == (best > 0));
        if (best) assert_int_equal(lines[0], best);
        if (best) assert_int_equal(2 * lines[0] * lines[1] + lines[0] + lines[1], n);
    }
}

static void refused(void **state) {
    (void)state;
    struct tsr_step_function f;
    MUST_FAIL(tsr_step_function_create(1, 0, 0, &f, err), TSR_ERR_CONFIG, "0 boundaries");
    MUST_FAIL(tsr_step_function_create(1, TSR_STEP_MAX_BOUNDARIES + 1, 0, &f, err), TSR_ERR_CONFIG,
              "1000001 boundaries");
    MUST_FAIL(tsr_step_function_create(2, 14, 0, &f, err), TSR_ERR_CONFIG, "29 is a prime");
}

static void functions_of_the_seed(void **state) {
    (void)state;
    struct tsr_step_function a, b, other;
    MUST(tsr_step_function_create(2, 49, 5, &a, err));
    MUST(tsr_step_function_create(2, 49, 5, &b, err));
    MUST(tsr_step_function_create(2, 49, 6, &other, err));
    ASSERT_SAME_BITS("lines", a.at[0], b.at[0], a.lines[0] + a.lines[1]);
    assert_true(a.at[0][0] != other.at[0][0] && a.at[1][0] != a.at[0][0]);
    tsr_step_function_clear(&a);
    tsr_step_function_clear(&b);
    tsr_step_function_clear(&other);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_dimension),
        cmocka_unit_test(checkerboards),
        cmocka_unit_test(lines_of_the_paper),
        cmocka_unit_test(lines_by_search),
        cmocka_unit_test(refused),
        cmocka_unit_test(functions_of_the_seed),
    };
    return cmocka_run_group_tests_name("step functions", tests, NULL, NULL);
}
