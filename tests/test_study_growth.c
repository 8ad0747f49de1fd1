/* SPDX-License-Identifier: MIT
 *
 * Means of runs, the work of a piece, the law that describes the runs, and what is published.
 */
#include "tests/check.h"

#include "study/growth.h"
#include "study/published.h"
#include "study/step_function.h"

enum { VALUES = 12, REPEATS = 5, MAX_PIECES = 16 };

/* One group with all its runs. */
struct case_ {
    struct tsr_growth growth;
    struct tsr_growth_group group;
    struct tsr_hypothesis_run runs[VALUES * REPEATS];
    size_t steps[VALUES * REPEATS * MAX_PIECES];
};

/* Runs of 1, 4, 7, .. boundaries, none done. */
static struct case_ *new_case(size_t dim, size_t partition) {
    struct case_ *c = make(1, sizeof *c);
    tsr_hypothesis_default(dim, &c->group.h);
    c->group.h.partition = partition;
    tsr_hypothesis_network(&c->group.h, &c->group.net);
    c->group.runs = c->runs;
    c->growth = (struct tsr_growth){&c->group, 1, VALUES, REPEATS};
    for (size_t i = 0; i < VALUES * REPEATS; i++) {
        c->runs[i].n = 1 + 3 * (i / REPEATS);
        c->runs[i].index = i % REPEATS;
        c->runs[i].piece_steps = c->steps + i * MAX_PIECES;
    }
    return c;
}

static void means_are_of_the_runs_that_are_done(void **state) {
    (void)state;
    for (int round = 0; round < 20; round++) {
        struct case_ *c = new_case(2, draw_size(1, 4));
        size_t pieces = tsr_hypothesis_pieces(&c->group.h), value = draw_size(0, VALUES - 1);
        struct tsr_hypothesis_run *runs = c->runs + value * REPEATS;
        size_t n = 0, censored = 0, total = 0, slowest = 0, least = SIZE_MAX, most = 0;
        for (size_t i = 0; i < REPEATS; i++) {
            size_t longest = 0;
            runs[i].done = i == 2 || draw(0, 1) < 0.6;
            runs[i].censored = draw_size(0, 2);
            for (size_t p = 0; p < pieces; p++) {
                runs[i].steps += runs[i].piece_steps[p] = draw_size(1, 4000);
                longest = runs[i].piece_steps[p] > longest ? runs[i].piece_steps[p] : longest;
            }
            if (!runs[i].done) continue;
            n++, total += runs[i].steps, slowest += longest, censored += runs[i].censored > 0;
            least = runs[i].steps < least ? runs[i].steps : least;
            most = runs[i].steps > most ? runs[i].steps : most;
        }
        struct tsr_growth_summary s = tsr_growth_summarise(&c->growth, &c->group, value);
        assert_int_equal(s.n, 1 + 3 * value);
        assert_int_equal(s.runs, n);
        assert_int_equal(s.censored, censored);
        assert_int_equal(s.min, least);
        assert_int_equal(s.max, most);
        assert_true(fabs(s.mean * (double)n - (double)total) < 1e-6);
        assert_true(fabs(s.longest * (double)n - (double)slowest) < 1e-6);
        assert_true(s.longest <= s.mean && s.mean <= s.longest * (double)pieces + 1e-6);
        free(c);
    }
    struct case_ *none = new_case(1, 1);
    assert_int_equal(tsr_growth_summarise(&none->growth, &none->group, 3).runs, 0);
    free(none);
}

/* p pieces have 1/p of the points and about 1/p of the weights each. */
static void work_of_a_piece(void **state) {
    (void)state;
    for (size_t dim = 1; dim <= 2; dim++)
        for (size_t partition = 1; partition <= 4; partition++) {
            struct case_ *c = new_case(dim, partition);
            double pieces = (double)tsr_hypothesis_pieces(&c->group.h);
            double work = tsr_growth_step_work(&c->group);
            if (partition == 1)
                assert_true(work == 1);
            else /* the width is a whole number */
                assert_true(work * pieces * pieces > 0.5 && work * pieces * pieces < 1.5);
            c->runs->done = true;
            c->runs->steps = 100;
            struct tsr_growth_summary s = tsr_growth_summarise(&c->growth, &c->group, 0);
            assert_true(fabs(s.work - 100 * work) < 1e-9);
            free(c);
        }
}

static double law(enum tsr_law_kind kind, double n) {
    if (kind == TSR_LAW_EXPONENTIAL) return 40 * exp(0.12 * n);
    return kind == TSR_LAW_POWER ? 20 * pow(n, 1.7) : 200 + 35 * n;
}

static void the_law_of_the_runs_is_found(void **state) {
    (void)state;
    for (int kind = 0; kind < TSR_N_LAWS; kind++) {
        struct case_ *c = new_case(1, 1);
        for (size_t i = 0; i < VALUES * REPEATS; i++) {
            struct tsr_hypothesis_run *run = &c->runs[i];
            double noise = exp(draw(-0.05, 0.05));
            run->done = i % 7 != 3; /* the others hold what must not count */
            run->steps = run->done ? (size_t)(law((enum tsr_law_kind)kind, (double)run->n) * noise)
                                   : draw_size(1, 4000);
        }
        MUST(tsr_growth_fit(&c->growth, 0, err));
        assert_true(c->group.fitted);
        assert_int_equal(tsr_growth_best(&c->group), kind);
        for (double n = 1; n <= 34; n += 11) {
            double found = tsr_law_steps((enum tsr_law_kind)kind, &c->group.laws[kind], n);
            assert_true(fabs(log(found / law((enum tsr_law_kind)kind, n))) < 0.1);
        }
        free(c);
    }
}

static void too_few_runs_are_no_failure(void **state) {
    (void)state;
    struct case_ *c = new_case(1, 1);
    for (size_t i = 0; i < REPEATS; i++) {
        c->runs[i].done = true;
        c->runs[i].steps = 10 + i;
    }
    c->group.fitted = true;
    MUST(tsr_growth_fit(&c->growth, 10, err));
    assert_false(c->group.fitted);
    free(c);
}

static void published_steps_are_of_the_protocol(void **state) {
    (void)state;
    for (size_t dim = 1; dim <= 2; dim++) {
        struct tsr_hypothesis h, other;
        double last = 0;
        size_t known = 0;
        tsr_hypothesis_default(dim, &h);
        h.seed = 77;
        for (size_t n = 1; n < 600; n++) {
            double steps = tsr_published_steps(&h, n);
            if (steps == 0) continue;
            assert_true(steps > last && steps < (double)h.max_steps);
            last = steps;
            known++;
#define UNKNOWN_WITH(change)                                                                       \
    do {                                                                                           \
        other = h;                                                                                 \
        other.change;                                                                              \
        assert_true(tsr_published_steps(&other, n) == 0);                                          \
    } while (0)
            UNKNOWN_WITH(width++);
            UNKNOWN_WITH(hidden_layers++);
            UNKNOWN_WITH(omega_first += 1);
            UNKNOWN_WITH(omega_hidden += 1);
            UNKNOWN_WITH(points++);
            UNKNOWN_WITH(max_steps++);
            UNKNOWN_WITH(target *= 2);
            UNKNOWN_WITH(lr *= 2);
            UNKNOWN_WITH(partition = 2);
        }
        assert_int_equal(known, 5);
    }
}

static void published_boundaries_follow_their_rule(void **state) {
    (void)state;
    size_t n, lines[2];
    const size_t *value = tsr_published_boundaries(1, &n);
    assert_int_equal(n, 30);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(value[i], 2 * i + 1);
    value = tsr_published_boundaries(2, &n);
    assert_int_equal(n, 25);
    for (size_t i = 0; i < n; i++) {
        size_t product = 10 * (i + 1), rows = 1;
        for (size_t r = 1; r <= (size_t)sqrt((double)product) + 1; r++)
            if (product % r == 0) rows = r;
        size_t columns = product / rows;
        /* edges of cells that a checkerboard of so many lines has */
        assert_int_equal(value[i], 2 * rows * columns + rows + columns);
        assert_true(tsr_step_lines(2, value[i], lines));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(means_are_of_the_runs_that_are_done),
        cmocka_unit_test(work_of_a_piece),
        cmocka_unit_test(the_law_of_the_runs_is_found),
        cmocka_unit_test(too_few_runs_are_no_failure),
        cmocka_unit_test(published_steps_are_of_the_protocol),
        cmocka_unit_test(published_boundaries_follow_their_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
