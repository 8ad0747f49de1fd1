/* SPDX-License-Identifier: MIT
 *
 * Margins around the regions of a label map. Internal to partition/.
 */
#ifndef TSR_PARTITION_OVERLAP_H
#define TSR_PARTITION_OVERLAP_H

#include "partition/partition.h"

/* Fills context, weight, context_first, window and n_context of a partition whose labels, pixels
 * and overlap (> 0) are set. */
enum tsr_status tsr_overlap_of_labels(struct tsr_partition *partition,
                                      struct tsr_error *err) TSR_MUST_USE;

#endif
