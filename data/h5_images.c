/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "data/h5_images.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* ---- what there is --------------------------------------------------------------------------- */

static bool keep_entry(void *user, const struct tsr_h5_entry *entry) {
    struct tsr_h5_catalog *c = user;
    c->full = TSR_GROW(&c->entry, c->n, entry->path, NULL) != TSR_OK;
    if (c->full) return false;
    c->entry[c->n] = *entry;
    c->entry[c->n].path = strdup(entry->path);
    c->full = !c->entry[c->n].path;
    if (!c->full) c->n++;
    return !c->full;
}

enum tsr_status tsr_h5_catalog_make(struct tsr_h5 *file, const char *group,
                                    struct tsr_h5_catalog *out, struct tsr_error *err) {
    *out = (struct tsr_h5_catalog){0};
    TSR_TRY(tsr_h5_list(file, group, keep_entry, out, err));
    if (!out->full) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: no memory to list what there is",
                     tsr_h5_path(file));
}

void tsr_h5_catalog_clear(struct tsr_h5_catalog *catalog) {
    for (size_t i = 0; i < catalog->n; i++)
        free((void *)catalog->entry[i].path);
    free(catalog->entry);
    *catalog = (struct tsr_h5_catalog){0};
}

struct tsr_array tsr_h5_images_array(const struct tsr_h5_entry *entry) {
    struct tsr_array array = {.rank = entry->rank,
                              .floats = entry->type == TSR_H5_F32 || entry->type == TSR_H5_F64,
                              .bytes = entry->type == TSR_H5_U8,
                              .reversed = entry->reversed};
    memcpy(array.dims, entry->dims, sizeof array.dims);
    return array;
}

/* ---- offers ---------------------------------------------------------------------------------- */

enum { OFFERED = 6, OFFERS = 640 };

/* Arrays of one group, from entry `first` on. */
static size_t siblings(const struct tsr_h5_catalog *c, size_t first) {
    const char *path = c->entry[first].path;
    size_t group = (size_t)(strrchr(path, '/') - path) + 1, n = first;
    while (n < c->n && strncmp(c->entry[n].path, path, group) == 0 &&
           !strchr(c->entry[n].path + group, '/'))
        n++;
    return n - first;
}

static size_t put(char *text, size_t at, const char *piece) {
    int n = snprintf(text + at, OFFERS - at, "%s", piece);
    return at + (size_t)n < OFFERS ? at + (size_t)n : OFFERS - 1;
}

static size_t put_entry(const struct tsr_h5_entry *e, bool options, char *text, size_t at) {
    char piece[512], option[128] = "", layout[64];
    const struct tsr_array array = tsr_h5_images_array(e);
    if (options && e->kind == TSR_H5_NUMBERS && tsr_view_suggest(&array, layout, sizeof layout))
        (void)snprintf(option, sizeof option, " (--images %.40s%s%.40s)", e->path + 1,
                       *layout ? " --images-layout " : "", layout);
    if (options && e->kind == TSR_H5_BLOBS && e->rank == 1)
        (void)snprintf(option, sizeof option, " (pack --images %.60s)", e->path + 1);
    size_t used = (size_t)snprintf(piece, sizeof piece, "%.80s %s [", e->path, e->type_text);
    for (size_t i = 0; i < e->rank; i++)
        used +=
            (size_t)snprintf(piece + used, sizeof piece - used, "%s%zu", i ? "," : "", e->dims[i]);
    (void)snprintf(piece + used, sizeof piece - used, "]%s", option);
    return put(text, at, piece);
}

static size_t put_group(const struct tsr_h5_entry *e, size_t n, char *text, size_t at) {
    char piece[256];
    int length = (int)(strrchr(e->path, '/') - e->path);
    (void)snprintf(piece, sizeof piece, "%zu arrays in %.*s, such as ", n, length ? length : 1,
                   e->path);
    at = put_entry(e, false, text, put(text, at, piece));
    if (length == 0) return at;
    (void)snprintf(piece, sizeof piece, " (if each is an image: pack --images %.*s)", length - 1,
                   e->path + 1);
    return put(text, at, piece);
}

static void describe(const struct tsr_h5_catalog *c, char text[OFFERS]) {
    size_t at = put(text, 0, c->n ? "; there is " : "; there is no array in it"), offered = 0;
    for (size_t i = 0; i < c->n && offered < OFFERED; offered++) {
        size_t n = siblings(c, i);
        if (offered) at = put(text, at, ", ");
        if (n > OFFERED) {
            at = put_group(&c->entry[i], n, text, at);
            i += n;
        } else {
            at = put_entry(&c->entry[i++], true, text, at);
        }
        if (offered + 1 == OFFERED && i < c->n) (void)put(text, at, ", and more");
    }
}

enum tsr_status tsr_h5_images_offer(struct tsr_h5 *file, const char *what, struct tsr_error *err) {
    struct tsr_h5_catalog catalog;
    char text[OFFERS] = "";
    if (tsr_h5_catalog_make(file, "/", &catalog, NULL) == TSR_OK) describe(&catalog, text);
    tsr_h5_catalog_clear(&catalog);
    return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: %s%s", tsr_h5_path(file), what, text);
}

/* ---- opening --------------------------------------------------------------------------------- */

enum tsr_status tsr_h5_images_path(const char *name, char **out, struct tsr_error *err) {
    const char *text = name ? name : "/images";
    size_t size = strlen(text) + 2;
    TSR_TRY(TSR_ALLOC(out, size, "name of the images", err));
    (void)snprintf(*out, size, "%s%s", *text == '/' ? "" : "/", text);
    return TSR_OK;
}

static enum tsr_status copy_names(struct tsr_h5 *file, const char *object,
                                  struct tsr_h5_images *out, struct tsr_error *err) {
    size_t size = strlen(tsr_h5_path(file)) + strlen(object) + 3;
    out->object = strdup(object);
    out->name = malloc(size);
    if (!out->object || !out->name)
        return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: no memory to open it", tsr_h5_path(file));
    (void)snprintf(out->name, size, "%s: %s", tsr_h5_path(file), object);
    return TSR_OK;
}

/* What is no array of numbers, or cannot be read. */
static enum tsr_status check_entry(struct tsr_h5 *file, const struct tsr_h5_entry *entry,
                                   struct tsr_error *err) {
    char what[256];
    if (entry->kind == TSR_H5_NUMBERS || entry->kind == TSR_H5_UNREADABLE) return TSR_OK;
    if (entry->kind == TSR_H5_ABSENT)
        (void)snprintf(what, sizeof what, "%.200s is missing", entry->path);
    else if (strcmp(entry->type_text, "group") == 0)
        (void)snprintf(what, sizeof what,
                       "%.160s is a group of arrays, which only pack reads (--images)",
                       entry->path);
    else if (entry->kind == TSR_H5_BLOBS)
        return TSR_ERROR(err, TSR_ERR_FORMAT,
                         "%s: %s holds image files; `tessera pack %s --images %s --size HxW -o "
                         "D.h5` makes a dataset of them",
                         tsr_h5_path(file), entry->path, tsr_h5_path(file), entry->path + 1);
    else
        (void)snprintf(what, sizeof what, "%.160s holds %s; expected integers or floats",
                       entry->path, entry->type_text);
    return tsr_h5_images_offer(file, what, err);
}

static enum tsr_status read_values(void *user, size_t index, void *values, struct tsr_error *err) {
    return tsr_h5_images_values(user, index, values, err);
}

enum tsr_status tsr_h5_images_open(struct tsr_h5 *file, const char *object,
                                   const struct tsr_view_options *options,
                                   struct tsr_h5_images *out, struct tsr_error *err) {
    struct tsr_h5_entry entry;
    *out = (struct tsr_h5_images){.file = file};
    TSR_TRY(copy_names(file, object, out, err));
    tsr_h5_look(file, object, &entry);
    TSR_TRY(check_entry(file, &entry, err));
    TSR_TRY(tsr_h5_shape(file, object, &out->rank, out->dims, &entry.type, err));
    const struct tsr_array array = tsr_h5_images_array(&entry);
    TSR_TRY(tsr_view_find(out->name, &array, options, &out->view, err));
    TSR_TRY(tsr_h5_chunks(file, object, &out->chunks, err));
    return tsr_view_look(&out->view, out->name, read_values, out, err);
}

void tsr_h5_images_close(struct tsr_h5_images *images) {
    free(images->object);
    free(images->name);
    *images = (struct tsr_h5_images){0};
}

enum tsr_status tsr_h5_images_values(struct tsr_h5_images *m, size_t index, void *values,
                                     struct tsr_error *err) {
    const struct tsr_view *v = &m->view;
    size_t start[TSR_H5_MAX_RANK] = {0}, count[TSR_H5_MAX_RANK];
    enum tsr_h5_type type = v->narrow ? TSR_H5_U8 : TSR_H5_F32;
    if (index >= v->n)
        return TSR_ERROR(err, TSR_ERR_ARGUMENT, "%s has %zu images; there is no %zu", m->name, v->n,
                         index);
    memcpy(count, m->dims, sizeof count);
    if (v->axis >= 0) {
        start[v->axis] = index;
        count[v->axis] = 1;
    }
    enum tsr_status status =
        tsr_h5_read_box(m->file, m->object, type, m->rank, start, count, values, err);
    if (status != TSR_OK) tsr_error_prefix(err, "item %zu", index);
    return status;
}

enum tsr_status tsr_h5_images_read(struct tsr_h5_images *m, size_t index, void *pixels,
                                   struct tsr_error *err) {
    const struct tsr_view *v = &m->view;
    void *values;
    if (v->as_it_lies) return tsr_h5_images_values(m, index, pixels, err);
    TSR_TRY(tsr_alloc(&values, tsr_view_values(v), v->narrow ? 1 : sizeof(float),
                      "values of an image", err));
    enum tsr_status status = tsr_h5_images_values(m, index, values, err);
    if (status == TSR_OK) status = tsr_view_image(v, m->name, index, values, pixels, err);
    free(values);
    return status;
}

size_t tsr_h5_images_group(const struct tsr_h5_images *m, size_t *groups) {
    *groups = m->chunks.rows;
    return m->view.axis == 0 && m->chunks.rows > 0 && !m->chunks.cached ? m->chunks.extent[0] : 0;
}

size_t tsr_h5_images_cost(const struct tsr_h5_images *m) {
    size_t bytes = m->chunks.bytes, groups;
    if (bytes == 0 || m->chunks.cached || tsr_h5_images_group(m, &groups) > 0)
        return tsr_view_values(&m->view) * (m->view.narrow ? 1 : sizeof(float));
    for (size_t i = 0; i < m->rank; i++)
        if ((int)i != m->view.axis)
            bytes *= (m->dims[i] + m->chunks.extent[i] - 1) / m->chunks.extent[i];
    return bytes;
}
