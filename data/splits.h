/* SPDX-License-Identifier: MIT
 *
 * Which split an image of a list belongs to: by the names of folders, by files that say so, or else
 * dealt at random. Internal to data/.
 */
#ifndef TSR_DATA_SPLITS_H
#define TSR_DATA_SPLITS_H

#include "data/listing.h"
#include "data/notice.h"

/* "train", "Training", "val", "valid", "validation", "dev", "test", "testing", in any case. */
bool tsr_split_of_word(const char *word, size_t length, uint8_t *split);

/* ---- folders --------------------------------------------------------------------------------- */

/* Finds the level of folders that are splits: the first of the sources themselves (of a file, the
 * folder it lies in), those above them in their paths, and then for each source those in it, those
 * in these, and so on, at which the names of two or more folders are equal but for the word of the
 * split and for digits (train and valid; train2017 and val2017; set_train_small and
 * set_test_small). What lies in these is of their split; what lies beside them is undecided, as are
 * folders at all other levels, so that a class may be called train. Where no level has two splits,
 * a level at which there is only one folder, named just train, val or test, decides. Notes say what
 * was found. */
void tsr_split_by_folders(struct tsr_listing *listing, const struct tsr_notice *notice);

/* ---- files ----------------------------------------------------------------------------------- */

struct tsr_split_entry {
    const char *name; /* below some folder, or alone; with or without ending */
    const char *path; /* of the file that says so */
    size_t line;
    uint8_t split;
    bool by_ending; /* an image has just this name */
    size_t uses;    /* how many images it stands for */
};
struct tsr_split_file {
    char *texts[4]; /* the files; names are views of them */
    size_t n_texts;
    struct tsr_split_entry *entries; /* [n], sorted by their last component without ending */
    size_t n;
};

/* Adds what a split file says: lines "name split" (blank or comma between them; split 0, 1, 2 or
 * one of the words above), or a table with a header (comma, semicolon or tab between columns,
 * quotes as in CSV) that has a column of images and one of splits. TSR_ERR_FORMAT: the message
 * gives the number of the line. To be cleared in any case. */
enum tsr_status tsr_split_file_add(struct tsr_split_file *file, const char *path,
                                   struct tsr_error *err) TSR_MUST_USE;
/* Adds the names of one split: one a line (what follows a name with the ending of an image, or a
 * number behind any name, is passed over), or a table whose header has a column of images. */
enum tsr_status tsr_split_list_add(struct tsr_split_file *file, const char *path, uint8_t split,
                                   struct tsr_error *err) TSR_MUST_USE;
/* Sorts what was added, and drops what is said twice. TSR_ERR_FORMAT: something is said in two
 * ways. Before tsr_split_file_find(). */
enum tsr_status tsr_split_file_sort(struct tsr_split_file *file,
                                    struct tsr_error *err) TSR_MUST_USE;
void tsr_split_file_clear(struct tsr_split_file *file);

/* The entry of an image: one of the two names is the end of the other, component by component,
 * their endings apart. Of several it is that with most components in common, and of these one with
 * the image's ending or none; *rival is set where two are of equal right but of different splits,
 * else NULL. NULL if there is none. */
struct tsr_split_entry *tsr_split_file_find(const struct tsr_split_file *file, const char *image,
                                            const struct tsr_split_entry **rival);

/* Gives the images their splits, and leaves out those that the files do not name: *left_out of
 * them; *missing entries name no image. An entry that names an image with its ending stands for no
 * image with another one. TSR_ERR_NOT_FOUND: no image is left. TSR_ERR_FORMAT: an image has two
 * splits. */
enum tsr_status tsr_split_by_files(struct tsr_split_file *file, struct tsr_listing *listing,
                                   const struct tsr_notice *notice, size_t *left_out,
                                   size_t *missing, struct tsr_error *err) TSR_MUST_USE;

/* ---- at random ------------------------------------------------------------------------------- */

/* Deals n things out in random order, so that the counts are exact: split [n]. A pure function of
 * its arguments. */
enum tsr_status tsr_split_deal(const double fractions[3], uint64_t seed, size_t n, uint8_t *split,
                               struct tsr_error *err) TSR_MUST_USE;
/* The same of what nothing else has decided. */
enum tsr_status tsr_split_at_random(const double fractions[3], uint64_t seed,
                                    struct tsr_listing *listing,
                                    struct tsr_error *err) TSR_MUST_USE;

#endif
