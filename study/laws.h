/* SPDX-License-Identifier: MIT
 *
 * Laws of growth: which of three functions of n describes how many steps were needed?
 *
 *     exponential   T(n) = a exp(b n)
 *     power         T(n) = a n^b
 *     linear        T(n) = a + b n
 *
 * For all three log T is normal around the logarithm of the law, with one standard deviation
 * sigma for all n; a law is thus the median of T. A trial that was ended after c steps enters with
 * the probability of needing more than c (Tobin, Econometrica 26, 1958); the others with their
 * density. The three likelihoods are of the same data with the same number of parameters: their
 * AICs (Akaike 1974) compare.
 */
#ifndef TSR_STUDY_LAWS_H
#define TSR_STUDY_LAWS_H

#include <stdbool.h>

#include "base/status.h"

enum tsr_law_kind { TSR_LAW_EXPONENTIAL, TSR_LAW_POWER, TSR_LAW_LINEAR };
#define TSR_N_LAWS 3

TSR_API const char *tsr_law_name(enum tsr_law_kind kind);
TSR_API enum tsr_status tsr_law_parse(const char *text, enum tsr_law_kind *out,
                                      struct tsr_error *err) TSR_MUST_USE;

struct tsr_trial {
    double n;      /* > 0 */
    double steps;  /* > 0 */
    bool censored; /* ended then; it would have needed more */
};

/* A fitted law. Intervals are of 95 %, and NaN where there is nothing to resample. */
struct tsr_law {
    double a, b, sigma;
    double log_likelihood; /* of log T */
    double aic;            /* 6 - 2 log_likelihood: three parameters */
    double r2;             /* see tsr_laws_fit() */
    double a_interval[2], b_interval[2];
    double chosen; /* fraction of the resamples in which this law has the smallest AIC */
};

/* Fits the laws [TSR_N_LAWS] by maximum likelihood, every law positive between the smallest and the
 * largest n. Intervals are percentiles over `resamples` bootstrap samples, each of which draws m -
 * 1 trials anew from the m of each n (Rao & Wu, JASA 83, 1988); a function of the seed.
 *
 * R2 = 1 - sum (log mean_n - log T(n) - sigma^2 / 2)^2 / sum (log mean_n - its mean)^2 over those n
 * that have no censored trial, with mean_n the mean steps at n: exp(sigma^2 / 2) T(n) is the mean
 * of the log-normal. NaN if these are fewer than 3.
 *
 * Cost: about 10 us a trial and resample at most. TSR_ERR_CONFIG: a trial that is not positive;
 * fewer than 3 different n, 4 trials that are not censored, or 2 different n among these. */
TSR_API enum tsr_status tsr_laws_fit(const struct tsr_trial *trials, size_t n_trials,
                                     size_t resamples, uint64_t seed, struct tsr_law *laws,
                                     struct tsr_error *err) TSR_MUST_USE;

/* T(n). */
TSR_API double tsr_law_steps(enum tsr_law_kind kind, const struct tsr_law *law, double n);

#endif
