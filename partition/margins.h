/* SPDX-License-Identifier: MIT
 *
 * Where regions overlap: the margins around those of a label map, and how their weights fall.
 * Internal to partition/.
 */
#ifndef TSR_PARTITION_MARGINS_H
#define TSR_PARTITION_MARGINS_H

#include "partition/partition.h"

/* 1 at distance 0 from a region, falling smoothly to 0 at overlap + 1. */
double tsr_margin_fade(size_t distance, size_t overlap);

/* Fills context, weight, context_first, window and n_context of a partition whose labels, pixels
 * and overlap (> 0) are set. At each pixel whose square of 2 overlap + 1 pixels holds a border, up
 * to all pixels of this square are looked at, twice: 9 at overlap 1, 16,641 at overlap 64;
 * elsewhere one. */
enum tsr_status tsr_margins_of_labels(struct tsr_partition *partition,
                                      struct tsr_error *err) TSR_MUST_USE;

#endif
