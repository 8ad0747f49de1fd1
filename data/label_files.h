/* SPDX-License-Identifier: MIT
 *
 * Which file holds the label map of which image, and how the labels are called. Internal to data/.
 */
#ifndef TSR_DATA_LABEL_FILES_H
#define TSR_DATA_LABEL_FILES_H

#include "data/listing.h"

/* Gives each image the path of its label map: of the files .png, .pgm and .pnm anywhere in `folder`
 * those of the image's stem (its file name without ending). Of several, it is the one of the same
 * folders (an image sub/a.jpg below its source, folder/sub/a.png), else the one that has most of
 * its leading folders in common with the image. The paths live as long as the listing.
 *
 * TSR_ERR_NOT_FOUND: an image has none. TSR_ERR_FORMAT: one that has two of equal right, or a map
 * that two images would share; no folder. TSR_ERR_IO: it cannot be listed. */
enum tsr_status tsr_label_files_match(const char *folder, struct tsr_listing *images,
                                      struct tsr_error *err) TSR_MUST_USE;

/* Takes the label maps themselves out of a list of images, where `folder` lies in what was
 * searched, or around it. */
enum tsr_status tsr_label_files_hide(const char *folder, struct tsr_listing *images,
                                     struct tsr_error *err) TSR_MUST_USE;

/* A file of names: line i (from 0) the name of label i; or, if each line begins with a number,
 * "i name", "i: name", "i,name" or "i. name" in any order, where a number that is passed over is
 * its own name. Lines with a number and lines without are not mixed. Empty lines only at the end.
 */
struct tsr_label_names {
    char **names; /* [n], one block */
    size_t n;
};
/* TSR_ERR_FORMAT: the message gives the number of the line. */
enum tsr_status tsr_label_names_read(const char *path, struct tsr_label_names *out,
                                     struct tsr_error *err) TSR_MUST_USE;
/* "0", "1", ... "n-1". */
enum tsr_status tsr_label_names_number(size_t n, struct tsr_label_names *out,
                                       struct tsr_error *err) TSR_MUST_USE;
void tsr_label_names_clear(struct tsr_label_names *names);

#endif
