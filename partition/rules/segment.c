/* SPDX-License-Identifier: MIT */
#include "partition/rules.h"
#include "partition/segmentation.h"

/* The PoS rule of arXiv 2310.14184: partition/segmentation.h. */
static enum tsr_status label(const double *value, const struct tsr_picture *p, uint32_t *labels,
                             struct tsr_error *err) {
    return tsr_segment(p->pixels, p->height, p->width, p->channels, (size_t)value[0],
                       (enum tsr_merge)value[1], labels, err);
}

static const char *const merges[] = {"color", "area", NULL}; /* as in enum tsr_merge */

static const struct tsr_param params[] = {
    {.name = "n_regions",
     .metavar = "N",
     .type = TSR_PARAM_COUNT,
     .fallback = 9,
     .lo = 1,
     .hi = TSR_MAX_LABELS,
     .positional = true,
     .help = "regions of each image"},
    {.name = "merge",
     .type = TSR_PARAM_CHOICE,
     .fallback = TSR_MERGE_COLOR,
     .choices = merges,
     .optional = true,
     .help = "how superpixels are joined: those of like colour, or the smallest with its smallest "
             "neighbour (the paper's rule)"},
};

const struct tsr_rule tsr_rule_segment = {
    .object = {.name = "segment",
               .about = "N connected regions that follow the image, found without supervision",
               .params = TSR_PARAMS(params)},
    .label = label,
};
