/* SPDX-License-Identifier: MIT
 *
 * Label maps from files, while images are packed: which files they are, what their values mean.
 * Internal to data/.
 */
#ifndef TSR_DATA_LABEL_READER_H
#define TSR_DATA_LABEL_READER_H

#include "data/label_arrays.h"
#include "data/label_files.h"
#include "data/notice.h"
#include "data/pack.h"

struct tsr_label_reader {
    const struct tsr_pack_config *config;
    struct tsr_label_rules rules;
    struct tsr_label_names parts; /* n 0: maps are not composed */
    struct tsr_label_names names; /* n 0: not known before the end */
    struct tsr_label_files files;
    bool active;                  /* there are label maps */
    bool arrays;                  /* they lie in arrays */
    const char *array;            /* called so; NULL: not said */
    struct tsr_label_sheet sheet; /* of the array */
    int32_t *meaning;             /* [65536] of a value in a file: its label; -1: none */
    size_t bound;                 /* labels are below it */
    int32_t no_class;             /* the label of pixels without a class; -1: there are none */
    bool ignores_largest;         /* the largest value that a file can hold means "no class" */
};

/* Reads the names. Before the list of images is made. To be cleared in any case. */
enum tsr_status tsr_label_reader_open(const struct tsr_pack_config *config,
                                      struct tsr_label_reader *out,
                                      struct tsr_error *err) TSR_MUST_USE;
void tsr_label_reader_clear(struct tsr_label_reader *reader);

/* Of label maps in arrays: lists them, and reads what the file says of them. Before splits are
 * made.
 */
enum tsr_status tsr_label_reader_list(struct tsr_label_reader *reader,
                                      const struct tsr_listing *images,
                                      struct tsr_error *err) TSR_MUST_USE;
/* Where nobody asks for label maps: takes those that lie beside all images as in a dataset, else
 * says what there may be. Before splits are made. */
enum tsr_status tsr_label_reader_carry(struct tsr_label_reader *reader,
                                       const struct tsr_pack_config *config,
                                       const struct tsr_listing *images,
                                       const struct tsr_notice *notice,
                                       struct tsr_error *err) TSR_MUST_USE;

/* Finds the files of the maps of `images`, and takes out those that have none: *missing, of which
 * there may be none where `strict`. */
enum tsr_status tsr_label_reader_find(struct tsr_label_reader *reader, struct tsr_listing *images,
                                      const struct tsr_notice *notice, size_t *missing,
                                      struct tsr_error *err) TSR_MUST_USE;
/* The files of the map of this image will be fetched: as tsr_source_want(). */
void tsr_label_reader_want(const struct tsr_label_reader *reader, const struct tsr_listed *image);
/* What the labels are: where pixels of no class are to be told from labels that nothing names, all
 * maps are read for it. */
enum tsr_status tsr_label_reader_count(struct tsr_label_reader *reader,
                                       const struct tsr_listing *images,
                                       struct tsr_error *err) TSR_MUST_USE;

/* As tsr_source_fetch(): the files of the map of one image, fetched [image->maps], zeroed before.
 */
enum tsr_status tsr_label_reader_fetch(const struct tsr_label_reader *reader,
                                       const struct tsr_listed *image, struct tsr_fetched *fetched,
                                       struct tsr_error *err) TSR_MUST_USE;
/* The map of an image of this size, its labels below the bound. Frees what was fetched. Any thread.
 * Errors: of tsr_label_map_read(); TSR_ERR_SHAPE: another size; TSR_ERR_FORMAT: a value that means
 * nothing. */
enum tsr_status tsr_label_reader_read(const struct tsr_label_reader *reader,
                                      const struct tsr_listed *image, struct tsr_fetched *fetched,
                                      size_t height, size_t width, struct tsr_label_map *out,
                                      struct tsr_error *err) TSR_MUST_USE;

/* The names of the labels 0..n-1, of which the maps held none above `largest`. A view. */
enum tsr_status tsr_label_reader_names(struct tsr_label_reader *reader, size_t largest,
                                       const struct tsr_label_names **out,
                                       struct tsr_error *err) TSR_MUST_USE;

#endif
