/* SPDX-License-Identifier: MIT */
#ifndef TSR_PARTITION_SEGMENT_H
#define TSR_PARTITION_SEGMENT_H

#include "base/status.h"

enum tsr_merge { TSR_MERGE_COLOR, TSR_MERGE_AREA };
TSR_API const char *tsr_merge_name(enum tsr_merge merge);
TSR_API enum tsr_status tsr_merge_parse(const char *text, enum tsr_merge *out,
                                        struct tsr_error *err) TSR_MUST_USE;
TSR_API enum tsr_status tsr_segment(const uint8_t *pixels, size_t height, size_t width,
                                    size_t channels, size_t n_regions, enum tsr_merge merge,
                                    uint32_t *labels, struct tsr_error *err) TSR_MUST_USE;

#endif
