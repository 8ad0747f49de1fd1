/* SPDX-License-Identifier: MIT
 *
 * The exponential-increase experiments (Liu et al., arXiv 2310.14184, and its code's motivation_fit
 * and motivation2D_fit): how many steps of Adam a small SIREN needs to fit a random step function
 * of n boundaries to a fixed error.
 *
 * One run: a signal (study/step_function.h) and a network, both random. 1-D: every step takes
 * `points` fresh uniform points, the test set is a regular grid of as many on [-1, 1). 2-D: every
 * step takes all points of a grid of `points` x `points` on [-1, 1]^2, and the same grid is the
 * test set. The loss is the mean squared error, the optimiser Adam with betas 0.9 and 0.999. The
 * test error is looked at after every step: the run ends when it is below `target`, or, censored,
 * after max_steps.
 *
 * With a partition the same signal is cut into equal pieces, each with its share of the points, a
 * network of its own, whose coordinates fill -1..1, and its own end. The width of these networks is
 * the one with which all together come closest to the parameters of the single network.
 */
#ifndef TSR_STUDY_HYPOTHESIS_H
#define TSR_STUDY_HYPOTHESIS_H

#include <stdbool.h>

#include "inner/kernels/kernel.h"
#include "inner/network.h"

#define TSR_HYPOTHESIS_MAX_PARTITION 64

struct tsr_hypothesis {
    size_t dim;                  /* 1 or 2 */
    size_t width, hidden_layers; /* of the single network */
    double omega_first, omega_hidden;
    size_t points;    /* 1-D: of a step and of the test grid; 2-D: side of the grid */
    size_t max_steps; /* of each piece */
    double target;    /* mean squared error, > 0 */
    double lr;        /* of Adam, > 0 */
    size_t partition; /* pieces along each coordinate; 1: one network */
    uint64_t seed;
};

/* The protocol of the paper's code: width 32, 3 hidden layers, omega 10 (1-D) or 30 (2-D) and 30,
 * 5000 points or 256 x 256, 4000 steps, target 0.05, rate 1e-3. */
TSR_API void tsr_hypothesis_default(size_t dim, struct tsr_hypothesis *h);
TSR_API enum tsr_status tsr_hypothesis_check(const struct tsr_hypothesis *h,
                                             struct tsr_error *err) TSR_MUST_USE;

/* Pieces of the signal: partition ^ dim. */
TSR_API size_t tsr_hypothesis_pieces(const struct tsr_hypothesis *h);
/* The network of one piece. */
TSR_API void tsr_hypothesis_network(const struct tsr_hypothesis *h, struct tsr_net *net);

/* One run: n and index are given, the rest is the result. */
struct tsr_hypothesis_run {
    size_t n;     /* boundaries */
    size_t index; /* number of the run among those of the same n */
    bool done;
    size_t steps;        /* updates made, over all pieces */
    size_t censored;     /* pieces that did not reach the target in max_steps */
    size_t *piece_steps; /* [pieces]; borrowed; NULL: not wanted */
    double mse;          /* test error at the end, over all pieces; NaN if one diverged */
    double seconds;
};

/* What a caller may want to hear, on any thread: NULL where not. */
struct tsr_hypothesis_events {
    void *user;
    bool (*step)(void *user); /* after every step, of several threads at once; false: stop */
    void (*done)(void *user, const struct tsr_hypothesis_run *run); /* one at a time */
};

/* Makes the runs [n_runs], each on one of `threads` threads (0: all processors), those of most
 * boundaries first. Signal and initial weights of a run are a function of (seed, n, index), the
 * result of these and the settings; it depends on neither the threads nor the other runs.
 * TSR_ERR_INTERRUPTED if step() said so: the runs that are `done` are whole. */
TSR_API enum tsr_status tsr_hypothesis_run(const struct tsr_hypothesis *h,
                                           const struct tsr_kernel *kernel, size_t threads,
                                           struct tsr_hypothesis_run *runs, size_t n_runs,
                                           const struct tsr_hypothesis_events *events,
                                           struct tsr_error *err) TSR_MUST_USE;

#endif
