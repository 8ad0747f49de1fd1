/* SPDX-License-Identifier: MIT
 *
 * Arrays of others as images: which axis is which, and which values are black and white.
 *
 * A layout names the axes of an array in their order, as h5py and numpy show it: N images, H rows,
 * W columns, C channels. Any order of these letters is one; without C it is grey, without N a
 * single image. "flat:HxWxC" (or "flat:HxW") says that the array is [N,H*W*C]; where the first of
 * the three numbers is the channels (1, 3 or 4, and the last is not), the channels lie one after
 * the other.
 *
 * Values: integers are 0..255 and stay bytes; floats are 0..1 and stay floats. With a range, its
 * two ends become 0 and 1, and the images are floats. Of four channels the last is opacity: such
 * images are composed on white. Internal to data/, but for the options. Any thread.
 *
 * Label maps of such images are arrays of the same sort: [N,H,W], [N,H,W,1], [N,1,H,W] and their
 * like, of whole numbers 0..65535, or -1.
 */
#ifndef TSR_DATA_VIEW_H
#define TSR_DATA_VIEW_H

#include <stdbool.h>

#include "base/status.h"

#define TSR_ARRAY_MAX_RANK 8

/* How an array is to be read. Zeros: /images, as its shape and its type tell. */
struct tsr_view_options {
    const char *images; /* the array in the file */
    const char *layout;
    double range[2]; /* black, white; equal: by type */
    /* Of label maps that lie beside the images: values of pixels that belong to no class; -1: that,
     * or the largest value that the array can hold. */
    const int32_t *ignored_labels; /* [n_ignored_labels] */
    size_t n_ignored_labels;
    /* The array holds the label maps of images: so many of about this size; zeros: of any. */
    bool labels;
    size_t of_n, of_height, of_width;
};

/* TSR_ERR_CONFIG unless `layout` is one, for some array. */
TSR_API enum tsr_status tsr_view_check_layout(const char *layout,
                                              struct tsr_error *err) TSR_MUST_USE;

/* An array of numbers, wherever it lies. */
struct tsr_array {
    size_t rank, dims[TSR_ARRAY_MAX_RANK];
    bool floats;   /* else integers */
    bool bytes;    /* of these, unsigned ones of 8 bits */
    bool reversed; /* MATLAB's, whose axes are stored in reverse */
};

enum { TSR_VIEW_LAYOUT_SIZE = 48 };

struct tsr_view {
    size_t n, height, width, channels; /* of the images it gives: 1 or 3 channels */
    bool floats;                       /* else bytes */
    char layout[TSR_VIEW_LAYOUT_SIZE]; /* as it would be typed */

    /* How an image lies in the array: all of it, but for one index of the axis of images. */
    int axis;        /* of images; -1: the array is one image */
    bool as_it_lies; /* the values of an image, in the array's order, are [H,W,C] bytes */
    bool narrow;     /* values are given as bytes, else as float32 */
    size_t stored;   /* channels, with opacity */
    size_t step[3];  /* from one row, column, channel to the next, in values of an image */
    double black, scale;
    bool labels; /* values are labels */
};

/* TSR_ERR_FORMAT: no images, or there are several ways to see it as images; the message, which
 * begins with `name`, tells the options that say how. */
enum tsr_status tsr_view_find(const char *name, const struct tsr_array *array,
                              const struct tsr_view_options *options, struct tsr_view *out,
                              struct tsr_error *err) TSR_MUST_USE;

/* The layout that would have to be given for an array to be read as images: "" if none is needed.
 * False: it is none of images, as far as its shape tells. */
bool tsr_view_suggest(const struct tsr_array *array, char *layout, size_t size);

/* Values of an image as they lie in the array (bytes or float32, view->narrow) to pixels [H,W,C]
 * (bytes or floats, view->floats). TSR_ERR_FORMAT: a value out of range, with the range that would
 * take those of this image. */
enum tsr_status tsr_view_image(const struct tsr_view *view, const char *name, size_t index,
                               const void *values, void *pixels,
                               struct tsr_error *err) TSR_MUST_USE;

/* Values of a label map as they lie in the array to labels [H,W]; -1 is UINT16_MAX. *negative:
 * there is one. TSR_ERR_FORMAT: another number. */
enum tsr_status tsr_view_label_map(const struct tsr_view *view, const char *name,
                                   const void *values, uint16_t *labels, bool *negative,
                                   struct tsr_error *err) TSR_MUST_USE;

/* Looks at the values of a few images, spread over all, where values have to be within a range: so
 * that it is told before the work begins. `read` gives those of one image. */
typedef enum tsr_status (*tsr_view_read_fn)(void *user, size_t index, void *values,
                                            struct tsr_error *err);
enum tsr_status tsr_view_look(const struct tsr_view *view, const char *name, tsr_view_read_fn read,
                              void *user, struct tsr_error *err) TSR_MUST_USE;

/* How many values an image has in the array. */
size_t tsr_view_values(const struct tsr_view *view);

#endif
