/* SPDX-License-Identifier: MIT
 *
 * Which file holds the label map of which image, and how the labels are called. Internal to data/.
 */
#ifndef TSR_DATA_LABEL_FILES_H
#define TSR_DATA_LABEL_FILES_H

#include "data/listing.h"

/* A file of names: line i (from 0) the name of label i; or, if each line begins with a number,
 * "i name", "i: name", "i,name" or "i. name" in any order, where a number that is passed over is
 * its own name. Lines with a number and lines without are not mixed. Empty lines only at the end.
 */
struct tsr_label_names {
    char **names; /* [n], one block */
    size_t n;
    char **kept; /* another block that names lie in, or NULL */
};
/* TSR_ERR_FORMAT: the message gives the number of the line. */
enum tsr_status tsr_label_names_read(const char *path, struct tsr_label_names *out,
                                     struct tsr_error *err) TSR_MUST_USE;
/* "0", "1", ... "n-1". */
enum tsr_status tsr_label_names_number(size_t n, struct tsr_label_names *out,
                                       struct tsr_error *err) TSR_MUST_USE;
void tsr_label_names_clear(struct tsr_label_names *names);

/* Which of the files below a folder, or in an archive, are label maps, and how they are called. */
struct tsr_label_rules {
    const char *folder;       /* folder, archive, or folder in an archive */
    const char *suffix;       /* of the names of label maps, "_gtFine_labelIds.png"; NULL: none */
    const char *image_suffix; /* of the names of images, "_leftImg8bit.png"; NULL: none */
    /* A map is composed of files, one for each label: their stems end with "_" and the name of the
     * label. NULL: it is one file. */
    const struct tsr_label_names *parts;
};

/* A file of a label map, of label `part` alone where maps are composed. */
struct tsr_label_file {
    const struct tsr_listed *file;
    size_t part;
};
struct tsr_label_files {
    struct tsr_listing listing;
    struct tsr_label_file
        *assigned; /* [n]: items[i].maps lie at items[i].first_map, by their part */
    size_t n;
};

/* Gives each image its label map: of the files .png, .pgm and .pnm anywhere in the folder those of
 * the image's stem (its file name without ending and suffix; of composed maps, numbers are equal
 * with and without leading zeros). Of several, it is the one of the same folders (an image
 * sub/a.jpg below its source, folder/sub/a.png), else the one that has most of its leading folders
 * in common with the image. Images that have none are taken out of the list, *missing of them;
 * *first, a path that lives as long as the list, is that of the first.
 *
 * TSR_ERR_NOT_FOUND: no image has one. TSR_ERR_FORMAT: one that has two of equal right, or a map
 * that two images would share; no folder. TSR_ERR_IO: it cannot be listed. To be cleared in any
 * case. */
enum tsr_status tsr_label_files_match(const struct tsr_label_rules *rules,
                                      struct tsr_listing *images, struct tsr_label_files *out,
                                      size_t *missing, const char **first,
                                      struct tsr_error *err) TSR_MUST_USE;
void tsr_label_files_clear(struct tsr_label_files *files);

/* Takes the label maps themselves out of a list of images, where the folder lies in what was
 * searched, or around it; and, where images have a suffix, what lacks it. */
enum tsr_status tsr_label_files_hide(const struct tsr_label_rules *rules,
                                     struct tsr_listing *images,
                                     struct tsr_error *err) TSR_MUST_USE;

#endif
