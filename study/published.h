/* SPDX-License-Identifier: MIT
 *
 * What Liu et al. (arXiv 2310.14184) and its code publish about the exponential-increase
 * experiments.
 */
#ifndef TSR_STUDY_PUBLISHED_H
#define TSR_STUDY_PUBLISHED_H

#include "study/hypothesis.h"

/* Mean steps of five runs of n boundaries, in the arrays that the code ships. 0: not known, as for
 * all settings but those of tsr_hypothesis_default(); the seed does not matter. */
TSR_API double tsr_published_steps(const struct tsr_hypothesis *h, size_t n);

/* The numbers of boundaries [*n] that the code runs, ascending; dim 1 or 2. 1-D: 1, 3 .. 59. 2-D:
 * checkerboards of r x c lines with r c = 10, 20 .. 250 and r the largest factor of that product
 * up to floor(sqrt(r c)) + 1. */
TSR_API const size_t *tsr_published_boundaries(size_t dim, size_t *n);

#endif
