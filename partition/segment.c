/* SPDX-License-Identifier: MIT */
#include "partition/segment.h"
#include "base/names.h"
static const char *const merge_names[] = {"color", "area"};
TSR_DEFINE_NAMES(tsr_merge, tsr_merge, merge_names, "merge rule")
