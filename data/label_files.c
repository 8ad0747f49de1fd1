/* SPDX-License-Identifier: MIT */
#define _XOPEN_SOURCE 700
#include "data/label_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/memory.h"

/* ---- files ----------------------------------------------------------------------------------- */

static bool has_map_name(const char *path) {
    static const char *const endings[] = {".png", ".pgm", ".pnm"};
    const char *dot = strrchr(path, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(dot, endings[i]) == 0) return true;
    return false;
}

/* A label map: `key` is its path below the folder without the ending, `stem` the end of it. */
struct map {
    const char *key, *stem, *path;
    const struct tsr_listed *image; /* whose it is */
};

struct maps {
    struct map *maps; /* [n], sorted by stem, then by key */
    size_t n;
    struct tsr_listing files;
};

static char *without_ending(struct tsr_pool *pool, const char *name) {
    const char *dot = strrchr(tsr_last_component(name), '.');
    size_t length = dot ? (size_t)(dot - name) : strlen(name);
    char *key = tsr_pool_take(pool, length + 1);
    if (!key) return NULL;
    memcpy(key, name, length);
    key[length] = 0;
    return key;
}

static int by_stem(const void *a, const void *b) {
    const struct map *x = a, *y = b;
    int order = strcmp(x->stem, y->stem);
    if (order == 0) order = strcmp(x->key, y->key);
    return order != 0 ? order : strcmp(x->path, y->path);
}

static enum tsr_status list_maps(const char *folder, struct maps *out, struct tsr_error *err) {
    struct stat info;
    void *memory;
    if (stat(folder, &info) != 0)
        return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be opened: %s", folder, strerror(errno));
    if (!S_ISDIR(info.st_mode))
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: is not a folder of label maps", folder);
    TSR_TRY(tsr_listing_add(&out->files, folder, err));
    TSR_TRY(tsr_alloc(&memory, out->files.n, sizeof *out->maps, folder, err));
    out->maps = memory;
    for (size_t i = 0; i < out->files.n; i++) {
        const struct tsr_listed *file = &out->files.items[i];
        if (!has_map_name(file->path)) continue;
        const char *key = without_ending(&out->files.pool, file->name);
        if (!key) return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: no memory to list it", folder);
        out->maps[out->n++] =
            (struct map){.key = key, .stem = tsr_last_component(key), .path = file->path};
    }
    qsort(out->maps, out->n, sizeof *out->maps, by_stem);
    return TSR_OK;
}

/* ---- matching -------------------------------------------------------------------------------- */

/* How many leading folders two paths have in common; of equal paths, more than of any others. */
static size_t nearness(const char *a, const char *b) {
    size_t folders = 0, i = 0;
    for (; a[i] && a[i] == b[i]; i++)
        folders += a[i] == '/';
    return a[i] == b[i] ? SIZE_MAX : folders;
}

/* The first map of this stem, or of a later one. */
static size_t find_stem(const struct maps *maps, const char *stem) {
    size_t low = 0, high = maps->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (strcmp(maps->maps[middle].stem, stem) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The map of an image, or NULL if there is none. */
static enum tsr_status find_map(const struct maps *maps, const struct tsr_listed *image,
                                const char *key, struct map **out, struct tsr_error *err) {
    const char *stem = tsr_last_component(key);
    const struct map *rival = NULL;
    size_t best = 0;
    *out = NULL;
    for (size_t i = find_stem(maps, stem); i < maps->n && strcmp(maps->maps[i].stem, stem) == 0;
         i++) {
        struct map *map = &maps->maps[i];
        size_t near = nearness(map->key, key);
        if (*out && near < best) continue;
        rival = *out && near == best ? *out : NULL;
        *out = map;
        best = near;
    }
    if (!rival) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: has two label maps, %s and %s", image->path,
                     rival->path, (*out)->path);
}

static enum tsr_status take_map(struct tsr_listing *images, struct tsr_listed *image,
                                struct map *map, struct tsr_error *err) {
    if (map->image && strcmp(map->image->path, image->path) != 0)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: would be the label map of two images, %s and %s",
                         map->path, map->image->path, image->path);
    map->image = image;
    size_t size = strlen(map->path) + 1;
    char *path = tsr_pool_take(&images->pool, size);
    if (!path) return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: no memory for its path", map->path);
    memcpy(path, map->path, size);
    image->labels = path;
    return TSR_OK;
}

static enum tsr_status match(const char *folder, struct tsr_listing *images, struct maps *maps,
                             struct tsr_error *err) {
    size_t missing = 0, first = 0;
    for (size_t i = 0; i < images->n; i++) {
        struct tsr_listed *image = &images->items[i];
        struct map *map;
        const char *key = without_ending(&maps->files.pool, image->name);
        if (!key) return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: no memory to list it", folder);
        TSR_TRY(find_map(maps, image, key, &map, err));
        if (map) TSR_TRY(take_map(images, image, map, err));
        if (!map && missing++ == 0) first = i;
    }
    if (missing == 0) return TSR_OK;
    const struct tsr_listed *image = &images->items[first];
    const char *stem = tsr_last_component(without_ending(&maps->files.pool, image->name));
    return TSR_ERROR(err, TSR_ERR_NOT_FOUND,
                     "%s: has no label map: no %s.png, .pgm or .pnm in %s (%zu of %zu images have "
                     "none)",
                     image->path, stem, folder, missing, images->n);
}

enum tsr_status tsr_label_files_match(const char *folder, struct tsr_listing *images,
                                      struct tsr_error *err) {
    struct maps maps = {0};
    enum tsr_status status = list_maps(folder, &maps, err);
    if (status == TSR_OK) status = match(folder, images, &maps, err);
    free(maps.maps);
    tsr_listing_clear(&maps.files);
    return status;
}

/* ---- hiding ---------------------------------------------------------------------------------- */

/* Is what `path` is in the folder `folder` (which is resolved) or below it? */
static bool lies_in(const char *path, const char *folder) {
    size_t length = strlen(folder);
    char *real = realpath(path, NULL);
    bool in = real && strncmp(real, folder, length) == 0 &&
              (real[length] == '/' || real[length] == 0 || folder[length - 1] == '/');
    free(real);
    return in;
}

/* The folders of neighbours are the same one, and resolved once. */
enum tsr_status tsr_label_files_hide(const char *folder, struct tsr_listing *images,
                                     struct tsr_error *err) {
    char *real = realpath(folder, NULL), *last = NULL;
    bool in = false;
    size_t kept = 0;
    enum tsr_status status = TSR_OK;
    if (!real)
        return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be opened: %s", folder, strerror(errno));
    for (size_t i = 0; i < images->n; i++) {
        struct tsr_listed item = images->items[i];
        size_t length = (size_t)(tsr_last_component(item.path) - item.path);
        if (!last || strlen(last) != length || strncmp(last, item.path, length) != 0) {
            free(last);
            last = strndup(item.path, length);
            if (!last) {
                status = TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: no memory to list it", folder);
                break;
            }
            in = lies_in(length ? last : ".", real);
        }
        if (!in || !has_map_name(item.path)) images->items[kept++] = item;
    }
    if (status == TSR_OK) images->n = kept;
    free(last);
    free(real);
    return status;
}
