/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "data/splits.h"

enum tsr_status tsr_split_at_random(const double fractions[3], uint64_t seed,
                                    struct tsr_listing *listing, struct tsr_error *err) {
    size_t n = 0, rank = 0;
    uint32_t *order;
    for (size_t i = 0; i < listing->n; i++)
        n += listing->items[i].split == TSR_UNDECIDED;
    if (n == 0) return TSR_OK;
    TSR_TRY(TSR_ALLOC(&order, n, "random split", err));
    tsr_random_permutation(seed, TSR_STREAM_SPLIT, n, order);
    double train = floor((double)n * fractions[0] + 0.5);
    double val = floor((double)n * (fractions[0] + fractions[1]) + 0.5);
    for (size_t i = 0; i < listing->n; i++) {
        if (listing->items[i].split != TSR_UNDECIDED) continue;
        uint32_t place = order[rank++];
        listing->items[i].split = place < train ? 0 : place < val ? 1 : 2;
    }
    free(order);
    return TSR_OK;
}
