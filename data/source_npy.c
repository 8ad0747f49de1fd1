/* SPDX-License-Identifier: MIT
 *
 * Arrays of numpy as sources of images: .npy, and .npz, which is a zip file of these.
 */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "data/array_item.h"
#include "data/listing.h"
#include "data/npy.h"
#include "data/source_kinds.h"
#include "data/zip.h"

struct part {
    struct tsr_npy npy;
    struct tsr_view view;
    size_t member; /* of a zip file */
    size_t first;  /* item of the source */
};

struct state {
    struct part *part; /* [n_parts] */
    size_t n_parts;
};

static void close_source(void *user) {
    struct state *s = user;
    for (size_t i = 0; i < s->n_parts; i++)
        tsr_npy_clear(&s->part[i].npy);
    free(s->part);
    free(s);
}

static bool takes_npy(const char *path, const unsigned char *bytes, size_t size) {
    (void)path;
    return tsr_npy_is(bytes, size);
}

static bool takes_npz(const char *path, const unsigned char *bytes, size_t size) {
    const char *dot = strrchr(path, '.');
    return dot && strcasecmp(dot, ".npz") == 0 && tsr_zip_is(bytes, size);
}

/* ---- the list -------------------------------------------------------------------------------- */

/* `name`: of the array. */
static enum tsr_status list_part(struct part *part, const char *path, const char *name, size_t i,
                                 struct tsr_listing *listing, size_t source,
                                 struct tsr_error *err) {
    size_t size = strlen(path) + strlen(name) + 32;
    char *text = tsr_pool_take(&listing->pool, size);
    if (!text) return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: no memory for names", path);
    (void)snprintf(text, size, "%s/%s#%zu", path, name, i);
    const struct tsr_listed item = {.path = text,
                                    .name = text + strlen(path) + 1,
                                    .split = tsr_array_split(name),
                                    .source = source,
                                    .index = part->first + i};
    return tsr_listing_add_item(listing, &item, err);
}

static enum tsr_status read_values(void *user, size_t index, void *values, struct tsr_error *err) {
    const struct part *part = user;
    return tsr_npy_values(&part->npy, &part->view, index, values, err);
}

/* Sees an open array as images, and lists them. */
static enum tsr_status see_part(struct part *part, size_t first, const char *path, const char *name,
                                struct tsr_listing *listing, size_t source, struct tsr_error *err) {
    struct tsr_source *out = &listing->sources[source];
    TSR_TRY(tsr_view_find(part->npy.name, &part->npy.array, &listing->view, &part->view, err));
    TSR_TRY(tsr_npy_prepare(&part->npy, &part->view, err));
    TSR_TRY(tsr_view_look(&part->view, part->npy.name, read_values, part, err));
    part->first = first;
    for (size_t i = 0; i < part->view.n; i++)
        TSR_TRY(list_part(part, path, name, i, listing, source, err));
    if (first > 0 && (out->height != part->view.height || out->width != part->view.width ||
                      out->channels != part->view.channels))
        out->height = out->width = out->channels = 0;
    if (first > 0) return TSR_OK;
    out->height = part->view.height;
    out->width = part->view.width;
    out->channels = part->view.channels;
    return TSR_OK;
}

static enum tsr_status open_npy(const char *path, struct tsr_listing *listing, size_t source,
                                void **state, struct tsr_error *err) {
    struct state *s;
    char name[256];
    TSR_TRY(TSR_ALLOC(&s, 1, path, err));
    *state = s;
    TSR_TRY(TSR_ALLOC(&s->part, 1, path, err));
    s->n_parts = 1;
    TSR_TRY(tsr_npy_open(path, &s->part->npy, err));
    (void)snprintf(name, sizeof name, "%s", tsr_last_component(path));
    char *dot = strrchr(name, '.');
    if (dot && dot > name) *dot = 0;
    return see_part(s->part, 0, path, name, listing, source, err);
}

/* ---- .npz ------------------------------------------------------------------------------------ */

/* The member is the array of this name: "x_train.npy" is x_train. */
static bool is_called(const struct tsr_zip_member *member, const char *name, size_t length) {
    return strncmp(member->name, name, length) == 0 &&
           (member->name[length] == 0 || strcmp(member->name + length, ".npy") == 0);
}

static bool was_asked_for(const struct tsr_zip_member *member, const char *names) {
    for (const char *rest; names; names = rest) {
        size_t length = tsr_array_next_name(names, &rest);
        if (is_called(member, names, length)) return true;
    }
    return false;
}

/* Adds a member as a part. */
static enum tsr_status open_member(struct state *s, const struct tsr_zip *zip, size_t i,
                                   const char *path, struct tsr_error *err) {
    size_t n, size;
    unsigned char *bytes;
    char name[512];
    const struct tsr_zip_member *member = &tsr_zip_members(zip, &n)[i];
    TSR_TRY(TSR_GROW(&s->part, s->n_parts, path, err));
    TSR_TRY(tsr_zip_read(zip, i, SIZE_MAX / 4, &bytes, &size, err));
    (void)snprintf(name, sizeof name, "%.300s: %.200s", path, member->name);
    struct part *part = &s->part[s->n_parts++];
    *part = (struct part){.member = i};
    return tsr_npy_take(name, bytes, size, &part->npy, err);
}

/* Members that are named like label maps and were not taken for images. */
static void note_label_maps(const struct state *s, const struct tsr_zip_member *member, size_t n,
                            struct tsr_source *out) {
    for (size_t i = 0; i < n; i++) {
        char name[64];
        bool taken = false;
        for (size_t p = 0; p < s->n_parts; p++)
            taken = taken || s->part[p].member == i;
        if (taken || !tsr_array_named_labels(member[i].name)) continue;
        (void)snprintf(name, sizeof name, "%s", member[i].name);
        char *dot = strrchr(name, '.');
        if (dot) *dot = 0;
        tsr_array_note(out, name);
    }
}

static enum tsr_status open_asked(struct state *s, const struct tsr_zip *zip, const char *path,
                                  const char *names, struct tsr_error *err) {
    size_t n;
    const struct tsr_zip_member *member = tsr_zip_members(zip, &n);
    for (size_t i = 0; i < n; i++)
        if (was_asked_for(&member[i], names)) TSR_TRY(open_member(s, zip, i, path, err));
    if (s->n_parts > 0) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: has no array %s", path, names);
}

static bool can_be_images(const struct part *part, const struct tsr_view_options *options) {
    struct tsr_view view;
    return part->npy.array.rank >= 3 &&
           tsr_view_find("", &part->npy.array, options, &view, NULL) == TSR_OK;
}

/* Keeps the parts that are named by a split. */
static void keep_named(struct state *s, const struct tsr_zip_member *member) {
    size_t kept = 0;
    for (size_t i = 0; i < s->n_parts; i++)
        if (tsr_array_split(member[s->part[i].member].name) != TSR_UNDECIDED)
            s->part[kept++] = s->part[i];
        else
            tsr_npy_clear(&s->part[i].npy);
    s->n_parts = kept;
}

static void put(char *text, size_t size, const char *name, const struct tsr_npy *npy) {
    size_t at = strlen(text);
    const struct tsr_array *a = &npy->array;
    at += (size_t)snprintf(text + at, size - at, "%s%.80s %c%zu [", at ? ", " : "", name, npy->kind,
                           8 * npy->width);
    for (size_t i = 0; i < a->rank && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%zu", i ? "," : "", a->dims[i]);
    if (at < size) (void)snprintf(text + at, size - at, "]");
}

/* Opens the only array that can be images, or all of them that are named by a split. Arrays that
 * cannot be read are passed over. */
static enum tsr_status open_images(struct state *s, const struct tsr_zip *zip, const char *path,
                                   const struct tsr_view_options *options, struct tsr_error *err) {
    size_t n, found = 0;
    const struct tsr_zip_member *member = tsr_zip_members(zip, &n);
    char text[600] = "";
    for (size_t i = 0; i < n; i++) {
        struct tsr_error why;
        size_t before = s->n_parts;
        bool images = false;
        enum tsr_status status = open_member(s, zip, i, path, &why);
        if (status == TSR_OK) {
            images = can_be_images(&s->part[before], options) &&
                     (options->labels || !tsr_array_named_labels(member[i].name));
            put(text, sizeof text, member[i].name, &s->part[before].npy);
        } else if (status != TSR_ERR_FORMAT) {
            tsr_error_copy(err, &why);
            return status;
        }
        if (!images && s->n_parts > before) tsr_npy_clear(&s->part[--s->n_parts].npy);
        found += images;
        if (found > 1) keep_named(s, member);
    }
    if (s->n_parts > 0) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_FORMAT,
                     "%s: which arrays are the %s is to be said (--%s NAME or A,B,...); "
                     "there is %s",
                     path, options->labels ? "label maps" : "images",
                     options->labels ? "label-array" : "images",
                     *text ? text : "none that can be read");
}

static enum tsr_status see_parts(struct state *s, const struct tsr_zip *zip, const char *path,
                                 struct tsr_listing *listing, size_t source,
                                 struct tsr_error *err) {
    size_t n, first = 0;
    const struct tsr_zip_member *member = tsr_zip_members(zip, &n);
    for (size_t i = 0; i < s->n_parts; i++) {
        char name[256];
        const char *called = member[s->part[i].member].name;
        size_t length = strlen(called);
        if (length > 4 && strcmp(called + length - 4, ".npy") == 0) length -= 4;
        (void)snprintf(name, sizeof name, "%.*s", length < 255 ? (int)length : 255, called);
        TSR_TRY(see_part(&s->part[i], first, path, name, listing, source, err));
        first += s->part[i].view.n;
    }
    return TSR_OK;
}

static enum tsr_status open_npz(const char *path, struct tsr_listing *listing, size_t source,
                                void **state, struct tsr_error *err) {
    enum tsr_status status;
    struct state *s;
    struct tsr_zip *zip = NULL;
    const char *names = listing->view.images;
    TSR_TRY(TSR_ALLOC(&s, 1, path, err));
    *state = s;
    TSR_CHECK(tsr_zip_open(path, &zip, err));
    TSR_CHECK(names ? open_asked(s, zip, path, names, err)
                    : open_images(s, zip, path, &listing->view, err));
    TSR_CHECK(see_parts(s, zip, path, listing, source, err));
    size_t n;
    const struct tsr_zip_member *member = tsr_zip_members(zip, &n);
    if (!listing->view.labels) note_label_maps(s, member, n, &listing->sources[source]);
done:
    tsr_zip_close(zip);
    return status;
}

/* ---- one image ------------------------------------------------------------------------------- */

static enum tsr_status fetch(void *user, const struct tsr_listed *item, struct tsr_fetched *out,
                             struct tsr_error *err) {
    const struct state *s = user;
    const struct part *part = s->part;
    void *values;
    while (item->index - part->first >= part->view.n)
        part++;
    TSR_TRY(tsr_array_item_create(&part->view, 0, item->path, out, &values, err));
    enum tsr_status status =
        tsr_npy_values(&part->npy, &part->view, item->index - part->first, values, err);
    if (status == TSR_OK) return TSR_OK;
    free(out->bytes);
    *out = (struct tsr_fetched){0};
    return status;
}

const struct tsr_source_kind tsr_npy_source = {.takes = takes_npy,
                                               .open = open_npy,
                                               .fetch = fetch,
                                               .decode = tsr_array_item_decode,
                                               .close = close_source};
const struct tsr_source_kind tsr_npz_source = {.takes = takes_npz,
                                               .open = open_npz,
                                               .fetch = fetch,
                                               .decode = tsr_array_item_decode,
                                               .close = close_source};
