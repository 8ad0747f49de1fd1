/* SPDX-License-Identifier: MIT
 *
 * Images (files, folders) to one HDF5 dataset, in one streaming pass: decoding in parallel, memory
 * bounded by a few images a thread, output atomic.
 */
#ifndef TSR_DATA_PACK_H
#define TSR_DATA_PACK_H

#include <stdbool.h>

#include "base/comm.h"
#include "data/image.h"
#include "data/view.h"

struct tsr_pack_config {
    size_t height, width; /* of each stored image; 1..65535. Both 0: that of the arrays that all
                             sources are */
    enum tsr_fit fit;
    struct tsr_colour background; /* of what is transparent */
    size_t channels; /* 1 or 3; grey images become RGB and the reverse. 0: 3, or 1 where all
                        sources are grey arrays */
    struct tsr_view_options view; /* how sources that are arrays are read */
    /* Files that say which image is in which split (data/splits.h); NULL: none. Where there are
     * any, an image that they do not name is left out, and counted. */
    const char *split_file;     /* of names and splits */
    const char *split_lists[3]; /* of names: train, val, test */
    double split[3];  /* fractions of train, val, test where nothing else decides; sum 1 */
    size_t limit;     /* at most this many source files (evenly spread over the list when it is
                         longer); 0: no limit */
    bool keep_copies; /* pictures that come more than once are not looked for (tsr_pack()) */
    bool strict;      /* an image that would be skipped ends the run instead of being counted */
    int deflate;      /* 0..9 */
    uint64_t seed;    /* of the random split: whole source files, never tiles of one, change side */
    size_t threads;   /* 0: all */

    /* Label maps, stored as /labels: from files or arrays, or from a function, or (all NULL) those
     * that sources have beside their images as a dataset has, unless view.images says which images;
     * else none. */
    const char *labels; /* folder, archive or folder in an archive, of label maps
                           (tsr_label_map_read()), found by their names (data/label_files.h);
                           or a file of arrays (data/label_arrays.h) */
    /* Of label maps in arrays: the array, or "A,B", in the file `labels`, or, where that is NULL,
     * in each source. */
    const char *label_array;
    const char *label_names; /* file of names, which bound the labels; NULL: "0", "1", ... up to the
                                largest found, at most 256 */
    const char *label_suffix; /* of the names of label maps; NULL: none */
    const char *image_suffix; /* of the names of images, which is cut off before names are compared,
                                 and without which a file is no image; NULL: none */
    const char *label_parts;  /* file of names: maps are composed of one file for each label, in its
                                 order, 0 where there is none; it also names the labels. NULL: no */
    bool labels_fit;          /* a map of another size, but the same aspect, is scaled */
    const uint16_t *label_values; /* [n_label_values]: the value in the files of each label */
    size_t n_label_values;        /* 0: values are labels */
    /* Values of pixels that belong to no class; -1: the largest that a file can hold. They get a
     * label of their own, behind all others, named "void". */
    const int32_t *ignored_labels; /* [n_ignored_labels] */
    size_t n_ignored_labels;
    /* Writes the labels [height, width] of one stored image [height, width, channels]. Called from
     * several threads at once, once for each image; the result must depend on the pixels alone. An
     * error ends the run. */
    enum tsr_status (*label_image)(void *user, const uint8_t *pixels, size_t height, size_t width,
                                   size_t channels, uint16_t *labels, struct tsr_error *err);
    void *label_user;
    const char *label_rule; /* how label_image does it, say "segment 9 color" */
    size_t label_count;     /* its labels are below it; 1..65536 */

    const struct tsr_decoding *decoding; /* who decodes images and label maps; NULL: this process */
    const struct tsr_comm *comm;         /* processes that share the decoding; NULL: one */
    const char *command;                 /* stored as an attribute; NULL: none */
};
TSR_API void tsr_pack_config_default(struct tsr_pack_config *config); /* 0x0 */
TSR_API enum tsr_status tsr_pack_config_check(const struct tsr_pack_config *config,
                                              struct tsr_error *err) TSR_MUST_USE;

struct tsr_pack_report {
    size_t height, width, channels; /* of the stored images */
    size_t sources;                 /* files taken up */
    size_t images;                  /* images written */
    size_t per_split[3];
    size_t skipped;        /* unreadable, or too small for the fit */
    size_t listed_again;   /* other names of files that are packed, left out */
    size_t copies;         /* images that are equal to others, in their splits */
    size_t left_out;       /* images that are equal to others of another split */
    size_t mostly_cut;     /* of which a crop keeps less than a quarter */
    size_t not_listed;     /* not named by the split files */
    size_t missing;        /* named by the split files, but not there */
    size_t no_map;         /* images without a label map, left out */
    size_t unlisted;       /* folders that could not be listed */
    char passed_over[256]; /* files without an ending of images: ".webp 12, .gif 3"; "": none */
    size_t labels;         /* classes of the label maps; 0: no label maps */
    double seconds;
};

struct tsr_pack_callbacks {
    /* After every few images; returns nonzero to stop (TSR_ERR_INTERRUPTED, nothing is left). Of
     * several processes all call it, and only rank 0 the others. */
    int (*progress)(void *user, size_t done, size_t total);
    /* Once for each skipped file, in the order of the list. */
    void (*skipped)(void *user, const char *path, const char *why);
    /* For each file that is read though it is not as it should be (struct tsr_image), likewise. */
    void (*remark)(void *user, const char *path, const char *remark);
    /* What was found and decided, of the list before the first image is read: sentences. */
    void (*note)(void *user, const char *text);
    void *user;
};

/* `sources` [n_sources]: files, or folders that are searched recursively for files with the ending
 * of an image (tsr_image_ending()) but not for names that begin with a dot, in sorted order. The
 * split of an image is decided by the split files; else by folders (tsr_split_by_folders()); else
 * by the fractions. Names stored are paths relative to their source folder (tiles: "name#k").
 * `callbacks` may be NULL. Writes `output` atomically. Errors: no image found, nothing left after
 * skipping, bad split file (with line number), unwritable output; if strict, a folder that cannot
 * be listed (TSR_ERR_IO).
 *
 * A file that is listed under several names is packed once. Pictures of equal pixels, whatever
 * their files, get one split: copies whose splits were dealt at random that of the first; of copies
 * that were given to several splits one is packed, in the first of test, val and train.
 * config->keep_copies packs all as they come.
 *
 * Of label maps: .png .pgm .pnm below config->labels are no images, wherever they are found; an
 * image without a label map is left out, if strict TSR_ERR_NOT_FOUND; a map of another size is
 * TSR_ERR_SHAPE, a map that cannot be decoded, or with a value that is no label, TSR_ERR_FORMAT,
 * whether strict or not.
 *
 * Several processes each call this with the same arguments and see the same files; each decodes its
 * share and sends the pixels to rank 0, which alone writes. The dataset is that of one process, and
 * the report is whole on rank 0. TSR_ERR_CONFIG: one of them lists other images than rank 0. */
TSR_API enum tsr_status tsr_pack(const struct tsr_pack_config *config, const char *const *sources,
                                 size_t n_sources, const char *output,
                                 const struct tsr_pack_callbacks *callbacks,
                                 struct tsr_pack_report *report,
                                 struct tsr_error *err) TSR_MUST_USE;

#endif
