/* SPDX-License-Identifier: MIT
 *
 * How the steps of the exponential-increase experiments grow with the number of boundaries: runs
 * of several partitions (groups), their means, and the laws that describe them.
 */
#ifndef TSR_STUDY_GROWTH_H
#define TSR_STUDY_GROWTH_H

#include "study/hypothesis.h"
#include "study/laws.h"

/* The runs of one partition. */
struct tsr_growth_group {
    struct tsr_hypothesis h;
    struct tsr_net net;              /* of one piece */
    struct tsr_hypothesis_run *runs; /* [n_values, n_repeats]; not all need be done; borrowed */
    bool fitted;                     /* else there was too little to fit */
    struct tsr_law laws[TSR_N_LAWS];
};

struct tsr_growth {
    struct tsr_growth_group *groups; /* [n_groups], borrowed */
    size_t n_groups;
    size_t n_values, n_repeats; /* numbers of boundaries, runs of each */
};

/* What the runs that are done say about one number of boundaries. */
struct tsr_growth_summary {
    size_t n, runs, censored; /* boundaries; runs done; those of them with a censored piece */
    double mean, longest;     /* steps of all pieces, of the slowest piece; means over the runs */
    double work;              /* mean, in steps of the single network over all points */
    size_t min, max;          /* steps of all pieces */
};

/* Of the n_repeats runs of number `value` of the boundaries. Without a run that is done only n and
 * runs mean anything. */
TSR_API struct tsr_growth_summary tsr_growth_summarise(const struct tsr_growth *growth,
                                                       const struct tsr_growth_group *group,
                                                       size_t value);

/* A step of one piece in steps of the single network: it has a part of the points, and of the
 * weights. */
TSR_API double tsr_growth_step_work(const struct tsr_growth_group *group);

/* Fits the laws of every group to its runs that are done (study/laws.h), with the group's seed. A
 * group that has too few is left not fitted, which is no error. */
TSR_API enum tsr_status tsr_growth_fit(struct tsr_growth *growth, size_t resamples,
                                       struct tsr_error *err) TSR_MUST_USE;

/* The law of the smallest AIC of a fitted group. */
TSR_API enum tsr_law_kind tsr_growth_best(const struct tsr_growth_group *group);

#endif
