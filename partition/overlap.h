/* SPDX-License-Identifier: MIT
 *
 * Margins around the regions of a label map. Internal to partition/.
 */
#ifndef TSR_PARTITION_OVERLAP_H
#define TSR_PARTITION_OVERLAP_H

#include "partition/partition.h"

/* Fills context, weight, context_first, window and n_context of a partition whose labels, pixels
 * and overlap (> 0) are set. At each pixel whose square of 2 overlap + 1 pixels holds a border, up
 * to all pixels of this square are looked at, twice: 9 at overlap 1, 16,641 at overlap 64;
 * elsewhere one. */
enum tsr_status tsr_overlap_of_labels(struct tsr_partition *partition,
                                      struct tsr_error *err) TSR_MUST_USE;

#endif
