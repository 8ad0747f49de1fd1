/* SPDX-License-Identifier: MIT
 *
 * Lists of image files: what lies in folders. Internal to data/, and for who has to know which
 * files a folder stands for.
 */
#ifndef TSR_DATA_LISTING_H
#define TSR_DATA_LISTING_H

#include <stdbool.h>

#include "base/status.h"
#include "data/source.h"
#include "data/view.h"

/* Strings that live until all of them are freed. */
struct tsr_pool_block;
struct tsr_pool {
    struct tsr_pool_block *blocks;
};
/* Room for `size` characters; NULL: no memory. */
char *tsr_pool_take(struct tsr_pool *pool, size_t size);
void tsr_pool_free(struct tsr_pool *pool);

#define TSR_UNDECIDED 3

#define TSR_NO_SOURCE SIZE_MAX

struct tsr_listed {
    const char *path;        /* to open it, or to name it: "photos.zip/a.jpg" */
    const char *name;        /* relative to its source: the end of `path` */
    uint8_t split;           /* enum tsr_split, or TSR_UNDECIDED (data/splits.h decides) */
    bool dealt;              /* its split came about at random */
    size_t first_map, maps;  /* files of its label map: struct tsr_label_files */
    size_t source;           /* of listing.sources; TSR_NO_SOURCE: a file of its own */
    size_t index;            /* what its source calls it */
    size_t origin;           /* which call of tsr_listing_add() listed it, from 1 */
    struct tsr_file_id file; /* of a file of its own */
};

/* Files of an ending that images do not have. */
#define TSR_ENDING_SIZE 16
#define TSR_MOST_ENDINGS 1024
struct tsr_passed_over {
    char ending[TSR_ENDING_SIZE]; /* in small letters, with its dot; "": without */
    size_t n;
};

/* A folder that could not be listed. */
struct tsr_unlisted {
    const char *path;
    int number; /* errno */
};

struct tsr_listing {
    struct tsr_listed *items;
    size_t n;
    struct tsr_source *sources; /* [n_sources], owned */
    size_t n_sources, n_origins;
    struct tsr_passed_over *passed_over; /* [n_passed_over], owned */
    size_t n_passed_over;
    struct tsr_unlisted *unlisted; /* [n_unlisted], owned */
    size_t n_unlisted;
    const char *unended;          /* an archive that ends between two members; NULL: none */
    struct tsr_view_options view; /* how sources that are arrays are read; set before the first */
    struct tsr_pool pool;
};

/* Lists files as they are, the images of what is a source of many (data/source.h; also those in a
 * folder of an archive, "photos.zip/a"), and folders recursively, sorted by name; names that begin
 * with a dot are passed over, files that have no ending of an image counted, folders below a source
 * that cannot be listed kept in mind. TSR_ERR_IO: a source is missing, or is a folder that cannot
 * be listed. To be cleared in any case.
 */
enum tsr_status tsr_listing_add(struct tsr_listing *listing, const char *source,
                                struct tsr_error *err) TSR_MUST_USE;
void tsr_listing_clear(struct tsr_listing *listing);

/* For kinds of sources: adds an image. `item` is copied; its strings live as long as the listing
 * (tsr_pool_take()). */
enum tsr_status tsr_listing_add_item(struct tsr_listing *listing, const struct tsr_listed *item,
                                     struct tsr_error *err) TSR_MUST_USE;

/* The last component of a path. */
const char *tsr_last_component(const char *path);

/* For archives: adds a member as the file that it would be in a folder. Folders and names that
 * begin with a dot are passed over, other endings counted; of its name, which only ever is a name,
 * "." and ".." go. `index` as in struct tsr_listed. */
enum tsr_status tsr_listing_add_member(struct tsr_listing *listing, const char *archive,
                                       const char *member, size_t source, size_t index,
                                       struct tsr_error *err) TSR_MUST_USE;
/* Sorts the items from `first` on by name, as those of a folder are. */
void tsr_listing_sort(struct tsr_listing *listing, size_t first);

/* Length of the ending of a name, its dot included, if it is one that images have (.jpg .jpeg .jpe
 * .jfif .jif .pjpeg .pjp .png .bmp .dib .ppm .pgm .pnm, in any case); else 0. */
size_t tsr_image_ending(const char *name);

/* Counts a file that is passed over. */
enum tsr_status tsr_listing_pass_over(struct tsr_listing *listing, const char *name,
                                      struct tsr_error *err) TSR_MUST_USE;
/* ".webp 12, .gif 3": the commonest first. Empty where nothing was passed over. */
void tsr_listing_passed_over(const struct tsr_listing *listing, char *text, size_t size);

#endif
