/* SPDX-License-Identifier: MIT
 *
 * HDF5 files as sources of images: arrays of numbers, arrays of image files (strings of bytes), and
 * groups with an array for each image.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "data/array_item.h"
#include "data/dataset.h"
#include "data/h5_images.h"
#include "data/listing.h"
#include "data/source_kinds.h"

struct part {
    char *object;
    size_t first, n;              /* items of the source */
    enum tsr_h5_kind kind;        /* OTHER: a group */
    struct tsr_h5_images images;  /* of numbers */
    struct tsr_h5_catalog arrays; /* of a group */
};

struct state {
    struct tsr_h5 *file;
    struct tsr_view_options options;
    struct part *part; /* [n_parts] */
    size_t n_parts;
};

static void close_source(void *user) {
    struct state *s = user;
    for (size_t i = 0; i < s->n_parts; i++) {
        tsr_h5_images_close(&s->part[i].images);
        tsr_h5_catalog_clear(&s->part[i].arrays);
        free(s->part[i].object);
    }
    tsr_h5_close(s->file);
    free(s->part);
    free(s);
}

/* By the signature of HDF5 (behind what MATLAB puts before it, too), or the ending. */
static bool takes(const char *path, const unsigned char *bytes, size_t size) {
    static const char *const endings[] = {".h5", ".hdf5", ".hdf", ".he5", ".h5df", ".mat"};
    static const char signature[] = "\x89HDF\r\n\x1a\n", matlab[] = "MATLAB 7.3";
    const char *dot = strrchr(path, '.');
    if ((size >= 8 && memcmp(bytes, signature, 8) == 0) ||
        (size >= 10 && memcmp(bytes, matlab, 10) == 0))
        return true;
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(dot, endings[i]) == 0) return true;
    return false;
}

/* ---- which arrays ---------------------------------------------------------------------------- */

static enum tsr_status add_part(struct state *s, const char *object, struct tsr_error *err) {
    TSR_TRY(TSR_GROW(&s->part, s->n_parts, tsr_h5_path(s->file), err));
    struct part *part = &s->part[s->n_parts];
    *part = (struct part){0};
    TSR_TRY(tsr_h5_images_path(object, &part->object, err));
    s->n_parts++;
    return TSR_OK;
}

static enum tsr_status add_parts(struct state *s, const char *names, struct tsr_error *err) {
    for (const char *rest; names; names = rest) {
        char name[512];
        size_t length = tsr_array_next_name(names, &rest);
        (void)snprintf(name, sizeof name, "%.*s", length < 512 ? (int)length : 511, names);
        TSR_TRY(add_part(s, name, err));
    }
    return TSR_OK;
}

static bool fits(const struct tsr_h5_entry *e, const struct tsr_view_options *options) {
    struct tsr_view view;
    const struct tsr_array array = tsr_h5_images_array(e);
    return e->kind == TSR_H5_NUMBERS && e->rank >= 3 && !array.floats &&
           tsr_view_find("", &array, options, &view, NULL) == TSR_OK;
}

/* Maps of labels have the shape of grey images. */
static bool may_be_images(const struct state *s, const struct tsr_h5_entry *e) {
    char layout[TSR_VIEW_LAYOUT_SIZE];
    if (s->options.labels) return fits(e, &s->options);
    if (tsr_array_named_labels(e->path)) return false;
    if (e->kind == TSR_H5_BLOBS) return e->rank == 1;
    const struct tsr_array array = tsr_h5_images_array(e);
    return e->kind == TSR_H5_NUMBERS && e->rank >= 3 &&
           tsr_view_suggest(&array, layout, sizeof layout) && !*layout;
}

/* The only array that can be images, or all of them if their names tell splits: x_train, x_test. */
static enum tsr_status find_parts(struct state *s, struct tsr_error *err) {
    struct tsr_h5_catalog all;
    enum tsr_status status;
    size_t n = 0, named = 0;
    TSR_CHECK(tsr_h5_catalog_make(s->file, "/", &all, err));
    for (size_t i = 0; i < all.n; i++)
        if (may_be_images(s, &all.entry[i])) {
            n++;
            named += tsr_array_split(all.entry[i].path) != TSR_UNDECIDED;
        }
    for (size_t i = 0; i < all.n && (n == 1 || named > 0); i++)
        if (may_be_images(s, &all.entry[i]) &&
            (n == 1 || tsr_array_split(all.entry[i].path) != TSR_UNDECIDED))
            TSR_CHECK(add_part(s, all.entry[i].path, err));
    if (s->n_parts == 0)
        status = tsr_h5_images_offer(
            s->file,
            s->options.labels ? "which array holds the label maps is to be said (--label-array)"
            : n               ? "several arrays could be the images"
                              : "/images is missing, and no other array is surely images",
            err);
done:
    tsr_h5_catalog_clear(&all);
    return status;
}

static enum tsr_status open_part(struct state *s, struct part *part, struct tsr_error *err) {
    struct tsr_h5_entry entry;
    tsr_h5_look(s->file, part->object, &entry);
    part->kind = entry.kind;
    if (entry.kind == TSR_H5_OTHER && strcmp(entry.type_text, "group") == 0) {
        TSR_TRY(tsr_h5_catalog_make(s->file, part->object, &part->arrays, err));
        part->n = part->arrays.n;
    } else if (entry.kind == TSR_H5_BLOBS && entry.rank == 1) {
        part->n = entry.dims[0];
    } else {
        part->kind = TSR_H5_NUMBERS;
        TSR_TRY(tsr_h5_images_open(s->file, part->object, &s->options, &part->images, err));
        part->n = part->images.view.n;
    }
    if (part->n > 0) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: %s holds no images", tsr_h5_path(s->file),
                     part->object);
}

/* ---- the list -------------------------------------------------------------------------------- */

static const char *pool_text(struct tsr_pool *pool, const char *a, const char *b, size_t index) {
    char number[24] = "";
    if (index != SIZE_MAX) (void)snprintf(number, sizeof number, "#%zu", index);
    size_t size = strlen(a) + strlen(b) + strlen(number) + 1;
    char *text = tsr_pool_take(pool, size);
    if (text) (void)snprintf(text, size, "%s%s%s", a, b, number);
    return text;
}

/* What the file says of the images of /images besides their pixels. */
struct sheet {
    uint8_t *split; /* NULL: it does not say */
    bool names;     /* there are as many */
};

static enum tsr_status read_sheet(struct state *s, const struct part *part, struct sheet *out,
                                  struct tsr_error *err) {
    char *name = NULL;
    *out = (struct sheet){0};
    if (strcmp(part->object, "/images") != 0) return TSR_OK;
    if (tsr_h5_read_string(s->file, "/names", part->n, 0, &name, NULL) == TSR_OK) out->names = true;
    free(name);
    if (!tsr_h5_exists(s->file, "/split")) return TSR_OK;
    TSR_TRY(TSR_ALLOC(&out->split, part->n, "/split", err));
    enum tsr_status status =
        tsr_h5_read(s->file, "/split", TSR_H5_U8, 1, &part->n, out->split, err);
    for (size_t i = 0; i < part->n && status == TSR_OK; i++)
        if (out->split[i] > TSR_SPLIT_TEST)
            status = TSR_ERROR(err, TSR_ERR_FORMAT,
                               "%s: /split is %d for image %zu; expected 0 (train), 1 (val) or 2 "
                               "(test)",
                               tsr_h5_path(s->file), out->split[i], i);
    return status;
}

static enum tsr_status add_item(struct state *s, const struct part *part, const struct sheet *sheet,
                                size_t source, size_t i, struct tsr_listing *listing,
                                struct tsr_error *err) {
    const char *object = part->kind == TSR_H5_OTHER ? part->arrays.entry[i].path : part->object;
    size_t index = part->kind == TSR_H5_OTHER ? SIZE_MAX : i;
    char *given = NULL;
    if (sheet->names) TSR_TRY(tsr_h5_read_string(s->file, "/names", part->n, i, &given, err));
    struct tsr_listed item = {
        .path = pool_text(&listing->pool, tsr_h5_path(s->file), object, index),
        .name = given ? pool_text(&listing->pool, given, "", SIZE_MAX)
                      : pool_text(&listing->pool, object + 1, "", index),
        .split = sheet->split ? sheet->split[i] : tsr_array_split(part->object),
        .source = source,
        .index = part->first + i};
    free(given);
    if (!item.path || !item.name)
        return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: no memory for names", tsr_h5_path(s->file));
    return tsr_listing_add_item(listing, &item, err);
}

static enum tsr_status list_part(struct state *s, const struct part *part, size_t source,
                                 struct tsr_listing *listing, struct tsr_error *err) {
    struct sheet sheet;
    enum tsr_status status = read_sheet(s, part, &sheet, err);
    for (size_t i = 0; i < part->n && status == TSR_OK; i++)
        status = add_item(s, part, &sheet, source, i, listing, err);
    free(sheet.split);
    return status;
}

/* What all parts agree on. */
static void set_size(const struct state *s, struct tsr_source *out) {
    const struct tsr_view *view = &s->part[0].images.view; /* zeros, but of numbers */
    bool same = true;
    for (size_t i = 1; i < s->n_parts; i++) {
        const struct tsr_view *other = &s->part[i].images.view;
        same = same && other->height == view->height && other->width == view->width &&
               other->channels == view->channels;
    }
    if (!same) return;
    out->height = view->height;
    out->width = view->width;
    out->channels = view->channels;
}

static bool is_part(const struct state *s, const char *object) {
    for (size_t i = 0; i < s->n_parts; i++)
        if (strcmp(s->part[i].object, object) == 0) return true;
    return false;
}

/* Arrays of whole numbers of the number and the size of the images. */
static enum tsr_status note_label_maps(const struct state *s, struct tsr_source *out,
                                       struct tsr_error *err) {
    const struct tsr_view_options as_labels = {
        .labels = true, .of_n = s->part[0].n, .of_height = out->height, .of_width = out->width};
    struct tsr_h5_catalog all;
    if (s->options.labels || s->n_parts > 1 || s->part[0].kind != TSR_H5_NUMBERS) return TSR_OK;
    enum tsr_status status = tsr_h5_catalog_make(s->file, "/", &all, err);
    for (size_t i = 0; i < all.n && status == TSR_OK; i++) {
        const struct tsr_h5_entry *e = &all.entry[i];
        if (is_part(s, e->path) || !fits(e, &as_labels)) continue;
        if (strcmp(e->path, "/labels") == 0 && e->rank == 3 && is_part(s, "/images"))
            out->has_label_maps = true;
        else
            tsr_array_note(out, e->path + 1);
    }
    tsr_h5_catalog_clear(&all);
    return status;
}

static enum tsr_status open_source(const char *path, struct tsr_listing *listing, size_t source,
                                   void **state, struct tsr_error *err) {
    struct state *s;
    size_t first = 0;
    TSR_TRY(TSR_ALLOC(&s, 1, path, err));
    *state = s;
    s->options = listing->view;
    TSR_TRY(tsr_h5_open(path, &s->file, err));
    const char *usual = listing->view.labels ? "/labels" : "/images";
    if (listing->view.images || tsr_h5_exists(s->file, usual))
        TSR_TRY(add_parts(s, listing->view.images ? listing->view.images : usual, err));
    else
        TSR_TRY(find_parts(s, err));
    for (size_t i = 0; i < s->n_parts; i++) {
        struct part *part = &s->part[i];
        part->first = first;
        TSR_TRY(open_part(s, part, err));
        TSR_TRY(list_part(s, part, source, listing, err));
        first += part->n;
    }
    set_size(s, &listing->sources[source]);
    return note_label_maps(s, &listing->sources[source], err);
}

/* ---- one image ------------------------------------------------------------------------------- */

static enum tsr_status fetch_values(struct tsr_h5_images *images, size_t index, const char *name,
                                    struct tsr_fetched *out, struct tsr_error *err) {
    void *values;
    TSR_TRY(tsr_array_item_create(&images->view, 0, name, out, &values, err));
    return tsr_h5_images_values(images, index, values, err);
}

static enum tsr_status fetch_blob(struct state *s, const struct part *part, size_t index,
                                  const char *name, struct tsr_fetched *out,
                                  struct tsr_error *err) {
    unsigned char *bytes;
    void *values;
    size_t size;
    TSR_TRY(tsr_h5_read_blob(s->file, part->object, index, &bytes, &size, err));
    enum tsr_status status = tsr_array_item_create(NULL, size, name, out, &values, err);
    if (status == TSR_OK && size > 0) memcpy(values, bytes, size);
    free(bytes);
    return status;
}

/* An array of its own: an image, or the bytes of an image file. */
static enum tsr_status fetch_array(struct state *s, const struct tsr_h5_entry *entry,
                                   const char *name, struct tsr_fetched *out,
                                   struct tsr_error *err) {
    struct tsr_h5_images images;
    struct tsr_view_options options = s->options;
    size_t size = entry->dims[0];
    void *values;
    if (entry->rank == 1 && entry->kind == TSR_H5_NUMBERS) {
        TSR_TRY(tsr_array_item_create(NULL, size, name, out, &values, err));
        return tsr_h5_read(s->file, entry->path, TSR_H5_U8, 1, &size, values, err);
    }
    const size_t *d = entry->dims;
    bool first = entry->rank == 3 && d[2] != 1 && d[2] != 3 && d[2] != 4;
    if (!options.layout)
        options.layout = entry->rank == 2  ? (entry->reversed ? "WH" : "HW")
                         : entry->reversed ? "CWH"
                         : first           ? "CHW"
                                           : "HWC";
    enum tsr_status status = tsr_h5_images_open(s->file, entry->path, &options, &images, err);
    if (status == TSR_OK) status = fetch_values(&images, 0, name, out, err);
    tsr_h5_images_close(&images);
    return status;
}

static enum tsr_status fetch(void *user, const struct tsr_listed *item, struct tsr_fetched *out,
                             struct tsr_error *err) {
    struct state *s = user;
    struct part *part = s->part;
    while (item->index - part->first >= part->n)
        part++;
    size_t i = item->index - part->first;
    enum tsr_status status =
        part->kind == TSR_H5_OTHER   ? fetch_array(s, &part->arrays.entry[i], item->path, out, err)
        : part->kind == TSR_H5_BLOBS ? fetch_blob(s, part, i, item->path, out, err)
                                     : fetch_values(&part->images, i, item->path, out, err);
    if (status == TSR_OK) return TSR_OK;
    free(out->bytes);
    *out = (struct tsr_fetched){0};
    return status;
}

const struct tsr_source_kind tsr_h5_source = {.takes = takes,
                                              .open = open_source,
                                              .fetch = fetch,
                                              .decode = tsr_array_item_decode,
                                              .close = close_source};
