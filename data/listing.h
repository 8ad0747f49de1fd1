/* SPDX-License-Identifier: MIT
 *
 * Lists of image files: what lies in folders, and what a split file says of it. Internal to data/,
 * and for who has to know which files a folder stands for.
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
    const char *path;   /* to open it, or to name it: "photos.zip/a.jpg" */
    const char *name;   /* relative to its source: the end of `path` */
    uint8_t split;      /* enum tsr_split by a folder's name, or TSR_UNDECIDED */
    const char *labels; /* path of its label map; NULL: not looked for */
    size_t source;      /* of listing.sources; TSR_NO_SOURCE: a file of its own */
    size_t index;       /* what its source calls it */
};

struct tsr_listing {
    struct tsr_listed *items;
    size_t n, capacity;
    struct tsr_source *sources; /* [n_sources], owned */
    size_t n_sources;
    struct tsr_view_options view; /* how sources that are arrays are read; set before the first */
    struct tsr_pool pool;
};

/* Lists files as they are, the images of what is a source of many (data/source.h), and folders
 * recursively, sorted by name; names that begin with a dot are passed over. TSR_ERR_IO: a source is
 * missing, a folder unreadable. To be cleared in any case. */
enum tsr_status tsr_listing_add(struct tsr_listing *listing, const char *source,
                                struct tsr_error *err) TSR_MUST_USE;
void tsr_listing_clear(struct tsr_listing *listing);

/* For kinds of sources: adds an image. `item` is copied; its strings live as long as the listing
 * (tsr_pool_take()). The split is decided by folders in the name where it is TSR_UNDECIDED. */
enum tsr_status tsr_listing_add_item(struct tsr_listing *listing, const struct tsr_listed *item,
                                     struct tsr_error *err) TSR_MUST_USE;

/* Cuts blanks from both ends of a line, in place. */
char *tsr_trim(char *text);

/* The last component of a path. */
const char *tsr_last_component(const char *path);

/* A split file: "name split" a line, split 0/1/2 or train/val/test. */
struct tsr_split_entry {
    const char *name;
    size_t line;
    uint8_t split;
    bool used;
};
struct tsr_split_file {
    char *text;                      /* the whole file; names are views of it */
    struct tsr_split_entry *entries; /* [n], sorted by name */
    size_t n;
};
/* TSR_ERR_FORMAT: the message gives the number of the line. */
enum tsr_status tsr_split_file_read(const char *path, struct tsr_split_file *out,
                                    struct tsr_error *err) TSR_MUST_USE;
void tsr_split_file_clear(struct tsr_split_file *file);
/* NULL if there is none of this name. */
struct tsr_split_entry *tsr_split_file_find(const struct tsr_split_file *file, const char *name);

#endif
