/* SPDX-License-Identifier: MIT */
#include "partition/rules.h"

static const char *const last_names[] = {"class", "void", NULL};

/* A class that an image lacks is a region without pixels. */
static const struct tsr_param params[] = {
    {.name = "n_regions",
     .type = TSR_PARAM_COUNT,
     .fallback = 0, /* until the label maps tell */
     .lo = 1,
     .hi = TSR_MAX_LABELS,
     .derived = true,
     .help = "number of classes, and of void"},
    {.name = "last_region",
     .type = TSR_PARAM_CHOICE,
     .choices = last_names,
     .fallback = 0,
     .optional = true,
     .derived = true,
     .help = "whether the last region is a class like the others, or the pixels of no class"},
};

const struct tsr_rule tsr_rule_labels = {
    .object = {.name = "labels",
               .about = "one region for each semantic class, by the image's label map",
               .params = TSR_PARAMS(params)},
};
