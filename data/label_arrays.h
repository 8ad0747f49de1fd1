/* SPDX-License-Identifier: MIT
 *
 * Label maps that lie in arrays: those of images that lie in arrays, too, in their order. Internal
 * to data/.
 */
#ifndef TSR_DATA_LABEL_ARRAYS_H
#define TSR_DATA_LABEL_ARRAYS_H

#include "data/label_files.h"
#include "data/notice.h"

/* What an HDF5 file says of its label maps. */
struct tsr_label_sheet {
    struct tsr_label_names names; /* n 0: not */
    size_t count;                 /* 0: not */
    int64_t of_void;              /* -1: not */
    char rule[256];               /* "labels": not, or that */
};
void tsr_label_sheet_clear(struct tsr_label_sheet *sheet);

/* Is the path that of a file of arrays? */
bool tsr_label_arrays_at(const char *path);

/* Lists the label maps: all of the file `path`; or, NULL, those beside the images in each of their
 * sources. `array`: its name, or those of several, "A,B"; NULL: the only one that can be.
 * TSR_ERR_FORMAT: no such array; not as many maps as images; TSR_ERR_CONFIG: images that are no
 * arrays. `out` is to be cleared in any case. */
enum tsr_status tsr_label_arrays_list(const char *path, const char *array,
                                      const struct tsr_listing *images, struct tsr_label_files *out,
                                      struct tsr_error *err) TSR_MUST_USE;
/* Gives each image its map. TSR_ERR_FORMAT: their names contradict that. */
enum tsr_status tsr_label_arrays_match(struct tsr_listing *images, struct tsr_label_files *files,
                                       struct tsr_error *err) TSR_MUST_USE;

/* What the files that were listed say of the array; TSR_ERR_FORMAT: not the same. To be cleared in
 * any case. */
enum tsr_status tsr_label_arrays_sheet(const struct tsr_label_files *files, const char *array,
                                       struct tsr_label_sheet *out,
                                       struct tsr_error *err) TSR_MUST_USE;

/* Are all images arrays with label maps beside them as in a dataset? */
bool tsr_label_arrays_beside(const struct tsr_listing *images);
/* Says which arrays of the sources may be label maps, and the option that takes them. */
void tsr_label_arrays_offer(const struct tsr_listing *images, bool beside,
                            const struct tsr_notice *notice);

#endif
