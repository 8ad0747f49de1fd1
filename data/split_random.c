/* SPDX-License-Identifier: MIT */
#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/random.h"
#include "data/dataset.h"
#include "data/splits.h"

enum tsr_status tsr_split_deal(const double fractions[3], uint64_t seed, size_t n, uint8_t *split,
                               struct tsr_error *err) {
    uint32_t *order;
    TSR_TRY(TSR_ALLOC(&order, n, "random split", err));
    tsr_random_permutation(seed, TSR_STREAM_SPLIT, n, order);
    double train = floor((double)n * fractions[0] + 0.5);
    double val = floor((double)n * (fractions[0] + fractions[1]) + 0.5);
    for (size_t i = 0; i < n; i++)
        split[i] = order[i] < train ? TSR_SPLIT_TRAIN
                   : order[i] < val ? TSR_SPLIT_VAL
                                    : TSR_SPLIT_TEST;
    free(order);
    return TSR_OK;
}

enum tsr_status tsr_split_at_random(const double fractions[3], uint64_t seed,
                                    struct tsr_listing *listing, struct tsr_error *err) {
    enum tsr_status status;
    size_t n = 0, rank = 0;
    uint8_t *split;
    for (size_t i = 0; i < listing->n; i++)
        n += listing->items[i].split == TSR_UNDECIDED;
    if (n == 0) return TSR_OK;
    TSR_TRY(TSR_ALLOC(&split, n, "random split", err));
    TSR_CHECK(tsr_split_deal(fractions, seed, n, split, err));
    for (size_t i = 0; i < listing->n; i++)
        if (listing->items[i].split == TSR_UNDECIDED) {
            listing->items[i].split = split[rank++];
            listing->items[i].dealt = true;
        }
done:
    free(split);
    return status;
}
