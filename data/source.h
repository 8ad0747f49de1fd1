/* SPDX-License-Identifier: MIT
 *
 * Where images come from that are no files of their own: an archive, an array. A kind of source is
 * an object: one file that defines one constant, and one line in the registry (source.c).
 *
 * A source is opened when the list of images is made (tsr_listing_add()), and adds an item for each
 * of its images: a name, the split if it knows one, and a number of its own. Only the items that
 * are left when splits and limits have been applied are fetched, once each, in the order of the
 * list, by one thread at a time; what was fetched becomes pixels in any thread. Internal to data/.
 */
#ifndef TSR_DATA_SOURCE_H
#define TSR_DATA_SOURCE_H

#include <stdbool.h>

#include "data/file_id.h"
#include "data/image.h"

struct tsr_listing;
struct tsr_listed;

/* An item on its way from its source to pixels. What is set is owned. */
struct tsr_fetched {
    unsigned char
        *bytes; /* [size] as the source stores it: an image file, or what decode() takes */
    size_t size;
};

void tsr_fetched_clear(struct tsr_fetched *fetched);

struct tsr_source_kind {
    /* Whether a file is of this kind: by its path, and its first bytes [size]. */
    bool (*takes)(const char *path, const unsigned char *bytes, size_t size);
    /* Opens, and adds an item for each image with tsr_listing_add_item(). *state is closed by
     * close() if it is not NULL, also after an error. */
    enum tsr_status (*open)(const char *path, struct tsr_listing *listing, size_t source,
                            void **state, struct tsr_error *err);
    /* Item `index` will be fetched: called for all that will, before the first. NULL: not needed.
     */
    void (*want)(void *state, size_t index);
    /* One thread at a time, in the order of the list. After an error nothing is left to free. */
    enum tsr_status (*fetch)(void *state, const struct tsr_listed *item, struct tsr_fetched *out,
                             struct tsr_error *err);
    /* Any thread, several at once. NULL: the bytes are an image file. `as` as of
     * tsr_image_read(), never NULL. The bytes may be changed. */
    enum tsr_status (*decode)(const void *state, const struct tsr_listed *item,
                              struct tsr_fetched *fetched, const struct tsr_image_as *as,
                              struct tsr_image *out, struct tsr_error *err);
    void (*close)(void *state);
    /* Of archives: reads a member of any kind by its name, at most `limit` bytes; free with free().
     * TSR_ERR_NOT_FOUND: there is none. NULL: it is no archive of files. */
    enum tsr_status (*read_member)(const char *path, const char *member, size_t limit,
                                   unsigned char **bytes, size_t *size, struct tsr_error *err);
};

/* An open source, owned by its listing. */
struct tsr_source {
    const struct tsr_source_kind *kind;
    void *state;
    struct tsr_file_id file;
    size_t height, width, channels; /* of all of its images; 0: not known, or not the same */
    const char *path;               /* lives as long as the listing */
    size_t n;                       /* items that it has added */
    bool has_label_maps;            /* beside the images, as in a dataset: /labels [N,H,W] */
    char label_arrays[128];         /* other arrays that may be label maps, "masks, parts" */
};

/* The kind that takes the file at `path`; NULL: none, it is an image. Error: TSR_ERR_IO. */
enum tsr_status tsr_source_find(const char *path, const struct tsr_source_kind **out,
                                struct tsr_error *err) TSR_MUST_USE;
/* The same of what is to have files as members; TSR_ERR_FORMAT: it has none. */
enum tsr_status tsr_source_find_archive(const char *path, const struct tsr_source_kind **out,
                                        struct tsr_error *err) TSR_MUST_USE;

/* Where in a path the name inside of an archive begins: behind "photos.zip/" of "photos.zip/a/b";
 * NULL if the path does not lead into one. Of a path to what is there it is NULL. */
TSR_API const char *tsr_source_inside(const char *path);
/* tsr_file_read(), of a file or of a member of an archive. */
enum tsr_status tsr_source_read_file(const char *path, size_t limit, unsigned char **bytes,
                                     size_t *size, struct tsr_error *err) TSR_MUST_USE;

/* Name and version of the library that reads archives other than zip; "none". */
TSR_API const char *tsr_archive_library(void);

/* The item will be fetched: called for all that will, before the first. */
void tsr_source_want(const struct tsr_listing *listing, const struct tsr_listed *item);

/* The two halves of getting the pixels of an item, which may be a file of its own (there is nothing
 * to fetch). `fetched` is zeroed by the first and freed by the second. */
enum tsr_status tsr_source_fetch(const struct tsr_listing *listing, const struct tsr_listed *item,
                                 struct tsr_fetched *fetched, struct tsr_error *err) TSR_MUST_USE;
enum tsr_status tsr_source_decode(const struct tsr_listing *listing, const struct tsr_listed *item,
                                  struct tsr_fetched *fetched, const struct tsr_image_as *as,
                                  struct tsr_image *out, struct tsr_error *err) TSR_MUST_USE;

#endif
