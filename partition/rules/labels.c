/* SPDX-License-Identifier: MIT */
#include "partition/rules.h"

/* A class that an image lacks is a region without pixels. */
static const struct tsr_param params[] = {
    {.name = "n_regions",
     .type = TSR_PARAM_COUNT,
     .fallback = 0, /* until the label maps tell */
     .lo = 1,
     .hi = TSR_MAX_LABELS,
     .derived = true,
     .help = "number of classes"},
};

const struct tsr_rule tsr_rule_labels = {
    .object = {.name = "labels",
               .about = "one region for each semantic class, by the image's label map",
               .params = TSR_PARAMS(params)},
};
