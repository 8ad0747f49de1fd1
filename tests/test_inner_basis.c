/* SPDX-License-Identifier: MIT
 *
 * Rows of a basis: every kernel against plain sums, and with the same bits however the work is cut.
 */
#include "tests/check.h"

#include "inner/kernels/kernel.h"

#ifdef TSR_REAL_DOUBLE
#define CLOSE 1e-12
#else
#define CLOSE 1e-5
#endif

enum { N = 141, LENGTH = 1101, COUNT = 13, TERMS = 150 }; /* more than the kernels cut into */

struct vectors {
    tsr_real *number; /* [COUNT, size] */
    const tsr_real *in[COUNT];
    tsr_real *out[COUNT];
};

static struct vectors make_vectors(size_t size) {
    struct vectors v = {.number = make(COUNT * size, sizeof *v.number)};
    draw_all(v.number, COUNT * size, -1, 1);
    for (size_t t = 0; t < COUNT; t++)
        v.in[t] = v.out[t] = v.number + t * size;
    return v;
}

/* All vectors at once and cut as one may; then against plain sums. */
static void check_combine(const struct tsr_kernel *k, const tsr_real *rows) {
    struct vectors z = make_vectors(N), y = make_vectors(LENGTH), cut = make_vectors(LENGTH);
    double *want = make(COUNT * LENGTH, sizeof *want);
    memcpy(cut.number, y.number, COUNT * LENGTH * sizeof *cut.number);
    for (size_t i = 0; i < COUNT * LENGTH; i++) {
        want[i] = (double)y.number[i];
        for (size_t d = 0; d < N; d++)
            want[i] += (double)z.in[i / LENGTH][d] * (double)rows[d * LENGTH + i % LENGTH];
    }
    k->combine(rows, LENGTH, N, COUNT, z.in, 0, LENGTH, y.out);
    for (size_t t = 0, many = 1; t < COUNT; t += many, many = t + many < COUNT ? many + 1 : 1) {
        k->combine(rows, LENGTH, N, many, z.in + t, 0, 64, cut.out + t);
        k->combine(rows, LENGTH, N, many, z.in + t, 64, LENGTH, cut.out + t);
    }
    ASSERT_SAME_BITS("combine in parts", cut.number, y.number, COUNT * LENGTH);
    ASSERT_CLOSE("combine", y.number, want, COUNT * LENGTH, CLOSE);
    free(want), free(z.number), free(y.number), free(cut.number);
}

static void check_project(const struct tsr_kernel *k, const tsr_real *rows) {
    struct vectors g = make_vectors(LENGTH), out = make_vectors(N), cut = make_vectors(N);
    double *want = make(COUNT * N, sizeof *want);
    for (size_t d = 0; d < COUNT * N; d++)
        for (size_t i = 0; i < LENGTH; i++)
            want[d] += (double)rows[d % N * LENGTH + i] * (double)g.in[d / N][i];
    k->project(rows, LENGTH, 0, N, COUNT, g.in, LENGTH, out.out);
    for (size_t t = 0; t < COUNT; t++) {
        k->project(rows, LENGTH, 0, 7, 1, g.in + t, LENGTH, cut.out + t);
        k->project(rows, LENGTH, 7, N, 1, g.in + t, LENGTH, cut.out + t);
    }
    ASSERT_SAME_BITS("project in parts", cut.number, out.number, COUNT * N);
    ASSERT_CLOSE("project", out.number, want, COUNT * N, CLOSE);
    free(want), free(g.number), free(out.number), free(cut.number);
}

static void check_outer(const struct tsr_kernel *k) {
    tsr_real *a = make(TERMS * LENGTH, sizeof *a), *b = make(TERMS * N, sizeof *b);
    tsr_real *made = make(N * LENGTH, sizeof *made), *cut = make(N * LENGTH, sizeof *cut);
    double *want = make(N * LENGTH, sizeof *want);
    draw_all(a, TERMS * LENGTH, -1, 1);
    draw_all(b, TERMS * N, -1, 1);
    draw_all(made, N * LENGTH, -1, 1);
    memcpy(cut, made, N * LENGTH * sizeof *cut);
    for (size_t i = 0; i < N * LENGTH; i++) {
        want[i] = (double)made[i];
        for (size_t j = 0; j < TERMS; j++)
            want[i] += (double)b[j * N + i / LENGTH] * (double)a[j * LENGTH + i % LENGTH];
    }
    k->outer(TERMS, b, N, a, LENGTH, 0, N, made);
    k->outer(9, b, N, a, LENGTH, 0, N, cut);
    k->outer(TERMS - 9, b + 9 * N, N, a + 9 * LENGTH, LENGTH, 0, 5, cut);
    k->outer(TERMS - 9, b + 9 * N, N, a + 9 * LENGTH, LENGTH, 5, N, cut);
    ASSERT_SAME_BITS("outer in parts", cut, made, N * LENGTH);
    ASSERT_CLOSE("outer", made, want, N * LENGTH, CLOSE);
    free(a), free(b), free(made), free(cut), free(want);
}

static void kernels(void **state) {
    (void)state;
    tsr_real *rows = make(N * LENGTH, sizeof *rows);
    draw_all(rows, N * LENGTH, -1, 1);
    for (const struct tsr_kernel *const *k = tsr_kernel_list(); *k; k++) {
        if (!(*k)->available()) continue;
        check_combine(*k, rows);
        check_project(*k, rows);
        check_outer(*k);
    }
    free(rows);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(kernels)};
    return cmocka_run_group_tests_name("rows of a basis", tests, NULL, NULL);
}
