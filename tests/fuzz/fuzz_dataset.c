/* SPDX-License-Identifier: MIT
 *
 * A dataset: opened, all that is small of it read.
 */
#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "data/dataset.h"
#include "data/h5.h"
#include "fuzz.h"

static const char *base(void) {
    static char path[64];
    if (*path) return path;
    (void)snprintf(path, sizeof path, "/tmp/tessera-fuzz-dataset-%ld.h5", (long)getpid());
    struct tsr_h5 *file;
    const size_t dims[4] = {6, 4, 5, 3}, n = 6;
    static uint8_t pixels[6 * 4 * 5 * 3], split[6] = {0, 0, 0, 1, 2, 2}, labels[6 * 4 * 5];
    const char *names[6] = {"a", "bc", "d/e", "f", "g", "h"};
    for (size_t i = 0; i < sizeof pixels; i++)
        pixels[i] = (uint8_t)i;
    if (tsr_h5_create(path, &file, NULL) != TSR_OK ||
        tsr_h5_create_growing(file, "/images", TSR_H5_U8, 4, dims, 0, NULL) != TSR_OK ||
        tsr_h5_append(file, "/images", TSR_H5_U8, 6, pixels, NULL) != TSR_OK ||
        tsr_h5_write(file, "/split", TSR_H5_U8, 1, &n, split, 0, NULL) != TSR_OK ||
        tsr_h5_write_strings(file, "/names", 6, names, NULL) != TSR_OK ||
        tsr_h5_write(file, "/labels", TSR_H5_U8, 3, dims, labels, 1, NULL) != TSR_OK ||
        tsr_h5_write_attr_strings(file, "/labels", "label_names", 3, names, NULL) != TSR_OK ||
        tsr_h5_write_attr_str(file, "/", "format", "tessera-dataset", NULL) != TSR_OK ||
        tsr_h5_write_attr_i64(file, "/", "format_version", 1, NULL) != TSR_OK ||
        tsr_h5_commit(file, NULL) != TSR_OK)
        abort();
    tsr_h5_close(file);
    return path;
}

static void read_some(struct tsr_dataset *d) {
    size_t area = tsr_dataset_height(d) * tsr_dataset_width(d), n = tsr_dataset_images(d);
    size_t in_values = area * tsr_dataset_channels(d), in_split;
    if (area > (size_t)1 << 20) return;
    void *image = malloc(in_values * tsr_dataset_value_size(d));
    uint8_t *bytes = malloc(in_values);
    uint16_t *labels = malloc(area * sizeof *labels);
    for (size_t i = 0; image && bytes && labels && i < n && i < 8; i++) {
        if (tsr_dataset_read(d, i, image, NULL) != TSR_OK) continue;
        if (tsr_dataset_read_bytes(d, i, bytes, NULL) != TSR_OK) abort();
        if (tsr_dataset_has_labels(d) && tsr_dataset_read_labels(d, i, labels, NULL) == TSR_OK)
            for (size_t k = 0; k < area; k++)
                if (labels[k] >= tsr_dataset_label_count(d)) abort();
        (void)strlen(tsr_dataset_name(d, n - 1 - i));
    }
    for (int s = 0; s < 4; s++) {
        const uint32_t *index = tsr_dataset_split(d, (enum tsr_split)s, &in_split);
        if (in_split && index[in_split - 1] >= n) abort();
    }
    for (size_t i = 0; i < tsr_dataset_label_count(d); i++)
        (void)strlen(tsr_dataset_label_name(d, i));
    free(image);
    free(bytes);
    free(labels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct tsr_dataset *dataset;
    struct tsr_error err;
    const char *path = fuzz_h5(base(), data, size);
    if (path && tsr_dataset_open(path, &dataset, &err) == TSR_OK) {
        read_some(dataset);
        tsr_dataset_close(dataset);
    }
    if (H5Fget_obj_count((hid_t)H5F_OBJ_ALL, H5F_OBJ_ALL) > 0) abort();
    return 0;
}
