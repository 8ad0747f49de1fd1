/* SPDX-License-Identifier: MIT
 *
 * An array of numbers in an HDF5 file, seen as images (data/view.h). Internal to data/.
 */
#ifndef TSR_DATA_H5_IMAGES_H
#define TSR_DATA_H5_IMAGES_H

#include "data/h5.h"
#include "data/view.h"

struct tsr_h5_images {
    struct tsr_h5 *file; /* the caller's; NULL: not open */
    char *object;        /* "/images" */
    char *name;          /* "faces.h5: /images", for messages */
    struct tsr_view view;
    size_t rank, dims[TSR_H5_MAX_RANK];
    struct tsr_h5_chunks chunks;
};

/* `object` is an absolute path. Where values have to be within a range, those of a few images are
 * looked at. TSR_ERR_FORMAT: it is missing or not fit; the message tells what there is in the file,
 * and which options would read it. To be closed in any case. */
enum tsr_status tsr_h5_images_open(struct tsr_h5 *file, const char *object,
                                   const struct tsr_view_options *options,
                                   struct tsr_h5_images *out, struct tsr_error *err) TSR_MUST_USE;
/* The values of an image as they lie in the array, for tsr_view_image(). */
enum tsr_status tsr_h5_images_values(struct tsr_h5_images *images, size_t index, void *values,
                                     struct tsr_error *err) TSR_MUST_USE;
/* Pixels [H,W,C], bytes or floats (images->view.floats). Several threads may read at once: what is
 * slow about it is done outside HDF5. */
enum tsr_status tsr_h5_images_read(struct tsr_h5_images *images, size_t index, void *pixels,
                                   struct tsr_error *err) TSR_MUST_USE;
/* Images that lie in the same chunks, where *groups such groups stay in memory, so that they are
 * best read together; 0: each may be read by itself. */
size_t tsr_h5_images_group(const struct tsr_h5_images *images, size_t *groups);
/* Bytes of values that reading one image reads, and inflates: those of all chunks that it lies in,
 * of groups the image's share. */
size_t tsr_h5_images_cost(const struct tsr_h5_images *images);
void tsr_h5_images_close(struct tsr_h5_images *images);

/* The absolute path of an array that is called `name`, NULL: "/images"; free with free(). */
enum tsr_status tsr_h5_images_path(const char *name, char **out,
                                   struct tsr_error *err) TSR_MUST_USE;
/* What the view of an array needs of its entry. */
struct tsr_array tsr_h5_images_array(const struct tsr_h5_entry *entry);

/* All arrays of a file, owned. */
struct tsr_h5_catalog {
    struct tsr_h5_entry *entry; /* [n] */
    size_t n;
    bool full; /* memory ran out */
};
enum tsr_status tsr_h5_catalog_make(struct tsr_h5 *file, const char *group,
                                    struct tsr_h5_catalog *out, struct tsr_error *err) TSR_MUST_USE;
void tsr_h5_catalog_clear(struct tsr_h5_catalog *catalog);

/* Sets TSR_ERR_FORMAT: "`what`; there are /x uint8 [60000,28,28] (--images x), ...". */
enum tsr_status tsr_h5_images_offer(struct tsr_h5 *file, const char *what, struct tsr_error *err);

#endif
