/* SPDX-License-Identifier: MIT
 *
 * Alone or team: what the plan says where the answer is plain, and that it never leaves more
 * threads idle than the other way would.
 */
#include <stdint.h>

#include "check.h"
#include "inner/pass.h"
#include "inner/team.h"

static struct tsr_plan plan(size_t n_tasks, size_t points, size_t threads) {
    struct tsr_load load = {0};
    for (size_t i = 0; i < n_tasks; i++)
        tsr_load_add(&load, points, tsr_pass_pieces(points));
    return tsr_plan_of(&load, threads);
}

static void one_thread_works_alone(void **state) {
    (void)state;
    for (size_t n = 0; n < 40; n++)
        for (size_t points = 1; points < 2000000; points *= 7)
            assert_false(plan(n, points, 1).team);
}

/* A region of one piece cannot be shared: a team would be alone with barriers. */
static void whole_pieces_are_not_shared(void **state) {
    (void)state;
    for (size_t threads = 1; threads <= 64; threads++)
        for (size_t n = 0; n < 200; n++) {
            assert_false(plan(n, 484, threads).team);
            assert_false(plan(n, 6143, threads).team);
        }
}

static void large_regions_are_shared(void **state) {
    (void)state;
    for (size_t threads = 2; threads <= 64; threads++) {
        assert_true(plan(1, 1500 * 1500, threads).team);
        assert_int_equal(plan(1, 1500 * 1500, threads).at_once, 1);
        /* one more than threads: the last would run by itself */
        if (threads <= 16) assert_true(plan(threads + 1, 1500 * 1500, threads).team);
        /* as many as there are threads, or many more: nobody waits anyway */
        assert_false(plan(threads, 1500 * 1500, threads).team);
        assert_false(plan(64 * threads, 1500 * 1500, threads).team);
    }
}

/* Four regions of four pieces keep sixteen threads at work only if all four run at once. */
static void a_team_takes_several(void **state) {
    (void)state;
    struct tsr_plan p = plan(4, 4 * 4096, 16);
    assert_true(p.team);
    assert_int_equal(p.at_once, 4);
    p = plan(2, 8 * 4096, 4);
    assert_true(p.team);
    assert_int_equal(p.at_once, 1);
}

/* Points that the busiest thread has, counted out. */
static double counted(const struct tsr_plan *p, size_t n_tasks, size_t points, size_t threads) {
    size_t pieces = tsr_pass_pieces(points);
    if (!p->team) return (double)points * (double)((n_tasks + threads - 1) / threads);
    double sum = 0;
    for (size_t first = 0; first < n_tasks; first += p->at_once) {
        size_t n = n_tasks - first < p->at_once ? n_tasks - first : p->at_once;
        sum += (double)((n * pieces + threads - 1) / threads) * (double)points / (double)pieces;
    }
    return sum;
}

static void never_much_worse_than_the_other_way(void **state) {
    (void)state;
    const struct tsr_plan alone = {false, 1}, in_turn = {true, 1};
    for (size_t threads = 2; threads <= 64; threads += 1 + threads / 8)
        for (size_t n = 1; n < 150; n++)
            for (size_t points = 1000; points < 400000; points = points * 3 / 2) {
                struct tsr_plan p = plan(n, points, threads);
                double cost = counted(&p, n, points, threads);
                assert_in_range(p.at_once, 1, n);
                assert_true(cost <= 1.25 * counted(&alone, n, points, threads));
                assert_true(cost <= 1.25 * counted(&in_turn, n, points, threads));
            }
}

/* The last task to be taken may be the largest: many small ones do not hide it. */
static void one_large_among_small(void **state) {
    (void)state;
    struct tsr_load load = {0};
    for (size_t i = 0; i < 100; i++)
        tsr_load_add(&load, 500, 1);
    tsr_load_add(&load, 0, 1);
    assert_int_equal(load.n_tasks, 100);
    assert_false(tsr_plan_of(&load, 4).team);
    tsr_load_add(&load, 1000000, 16);
    assert_true(tsr_plan_of(&load, 4).team);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_thread_works_alone),
        cmocka_unit_test(whole_pieces_are_not_shared),
        cmocka_unit_test(large_regions_are_shared),
        cmocka_unit_test(a_team_takes_several),
        cmocka_unit_test(never_much_worse_than_the_other_way),
        cmocka_unit_test(one_large_among_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
