/* SPDX-License-Identifier: MIT
 *
 * The images of a dataset's train split as tasks: a task source for the trainer. An item is an
 * image, a task one of its regions; of each image a random fraction of the regions takes part.
 */
#ifndef TSR_IMAGE_IMAGE_TASKS_H
#define TSR_IMAGE_IMAGE_TASKS_H

#include "base/comm.h"
#include "data/dataset.h"
#include "image/model.h"
#include "meta/task_source.h"

struct tsr_image_tasks_config {
    size_t batch;                      /* images of a meta-batch */
    double region_fraction;            /* of each image's regions, (0, 1]; at least one */
    struct tsr_context_config context; /* what of each image is context; query are all pixels */
    uint64_t seed;               /* of the order of images, the choice of regions, the context */
    uint64_t first_step;         /* outer step to begin with */
    const struct tsr_comm *comm; /* processes that share each meta-batch; NULL: one */
    size_t threads;              /* as in tsr_thread_count() */
};

/* Reads ahead in the dataset: until `close` nobody else may use it. Model and dataset are kept; of
 * the model only the configuration, the anchors and the shape of the networks matter. What follows
 * from an outer step is a pure function of the seed and its number. Errors: TSR_ERR_CONFIG for an
 * empty train split or label maps that are missing, TSR_ERR_SHAPE for images that do not fit. */
TSR_API enum tsr_status tsr_image_tasks_create(const struct tsr_model *model,
                                               struct tsr_dataset *dataset,
                                               const struct tsr_image_tasks_config *config,
                                               struct tsr_task_source *out,
                                               struct tsr_error *err) TSR_MUST_USE;

#endif
