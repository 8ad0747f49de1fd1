/* SPDX-License-Identifier: MIT */
#include "inner/team.h"

#include <math.h>

/* Part of the time alone that a team must save before its barriers, and the work between passes
 * that one thread does, are paid for. */
static const double MARGIN = 0.05;

void tsr_load_add(struct tsr_load *load, size_t points, size_t pieces) {
    if (points == 0) return;
    double n = (double)points, piece = n / (double)pieces;
    load->n_tasks++;
    load->n_pieces += pieces;
    load->points += n;
    if (n > load->largest) load->largest = n;
    if (piece > load->largest_piece) load->largest_piece = piece;
}

static double rounds(double units, size_t threads) {
    return ceil(units / (double)threads - 1e-9);
}

/* Points that the busiest thread has if each has tasks of its own. Equal tasks come in rounds; of
 * unequal ones the last to be taken may be the largest. */
static double apart(const struct tsr_load *load, size_t threads) {
    double n = (double)load->n_tasks, mean = load->points * rounds(n, threads) / n;
    return mean > load->largest ? mean : load->largest;
}

/* The same if the pieces of `at_once` tasks at a time are shared. */
static double together(const struct tsr_load *load, size_t at_once, size_t threads) {
    double pieces = (double)load->n_pieces / (double)load->n_tasks; /* of a task */
    size_t times = load->n_tasks / at_once, rest = load->n_tasks % at_once;
    double all = (double)times * rounds((double)at_once * pieces, threads) +
                 rounds((double)rest * pieces, threads);
    double mean = load->points * all / (double)load->n_pieces;
    return mean > load->largest_piece ? mean : load->largest_piece;
}

struct tsr_plan tsr_plan_of(const struct tsr_load *load, size_t threads) {
    struct tsr_plan plan = {false, 1};
    if (threads < 2 || load->n_tasks == 0) return plan;
    size_t most = load->n_tasks < threads ? load->n_tasks : threads;
    double best = (double)INFINITY;
    for (size_t n = 1; n <= most; n++) {
        double points = together(load, n, threads);
        if (points < best * (1 - MARGIN)) best = points, plan.at_once = n;
    }
    plan.team = best < apart(load, threads) * (1 - MARGIN);
    if (!plan.team) plan.at_once = 1;
    return plan;
}
