/* SPDX-License-Identifier: MIT
 *
 * What the tests of evaluations share: toy datasets that are open, reconstruction by the reference.
 */
#ifndef TSR_TEST_IMAGE_HELPER_H
#define TSR_TEST_IMAGE_HELPER_H

#include "tests/test_meta_helper.h"

#include "data/dataset.h"
#include "image/reconstruct.h"

/* toy_dataset(), open; the caller closes it. */
HELPER struct tsr_dataset *toy_data(const char *name, size_t n, size_t height, size_t width,
                                    size_t channels) {
    struct tsr_dataset *data;
    MUST(tsr_dataset_open(toy_dataset(name, n, height, width, channels), &data, err));
    return data;
}

/* As the model has it, by the reference kernel on one thread. */
HELPER struct tsr_reconstruct_config plain(const struct tsr_model *model) {
    struct tsr_reconstruct_config config;
    tsr_reconstruct_config_default(model, &config);
    config.threads = 1;
    config.kernel = "reference";
    return config;
}

#endif
