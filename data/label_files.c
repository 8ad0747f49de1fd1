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

/* A label map, or a part of one: `key` is its path below the folder without ending and suffix,
 * `stem` the end of it. */
struct map {
    const char *key, *stem;
    size_t part;
    const struct tsr_listed *file;
    const struct tsr_listed *image; /* whose it is */
};

struct maps {
    const struct tsr_label_rules *rules;
    struct map *maps; /* [n], sorted by stem, then by key, then by part */
    size_t n;
    struct tsr_listing *files;
};

/* Without ending and suffix; the suffix may have the ending. NULL: it lacks the suffix. */
static bool strip(const char *name, const char *suffix, size_t *length) {
    size_t whole = strlen(name), end = suffix ? strlen(suffix) : 0;
    *length = whole - tsr_image_ending(name);
    if (!suffix) return true;
    if (tsr_image_ending(suffix)) *length = whole;
    if (*length < end || memcmp(name + *length - end, suffix, end) != 0) return false;
    *length -= end;
    return true;
}

/* "a/0007" is "a/7". */
static void drop_zeros(char *key) {
    char *stem = key + (tsr_last_component(key) - key);
    size_t zeros = strspn(stem, "0");
    if (stem[strspn(stem, "0123456789")] != 0) return;
    if (zeros && !stem[zeros]) zeros--;
    memmove(stem, stem + zeros, strlen(stem + zeros) + 1);
}

static char *make_key(struct tsr_pool *pool, const char *name, size_t length, bool numbers) {
    char *key = tsr_pool_take(pool, length + 1);
    if (!key) return NULL;
    memcpy(key, name, length);
    key[length] = 0;
    if (numbers) drop_zeros(key);
    return key;
}

/* Which part a name says, and what is left of it; false: it says none. */
static bool find_part(const struct tsr_label_names *parts, const char *name, size_t *length,
                      size_t *part) {
    for (size_t i = 0; i < parts->n; i++) {
        size_t end = strlen(parts->names[i]);
        if (*length <= end || name[*length - end - 1] != '_') continue;
        if (memcmp(name + *length - end, parts->names[i], end) != 0) continue;
        /* The longest: "l_eye" is not "eye". */
        if (*part != SIZE_MAX && strlen(parts->names[*part]) > end) continue;
        *part = i;
    }
    if (*part == SIZE_MAX) return false;
    *length -= strlen(parts->names[*part]) + 1;
    return true;
}

static int by_stem(const void *a, const void *b) {
    const struct map *x = a, *y = b;
    int order = strcmp(x->stem, y->stem);
    if (order == 0) order = strcmp(x->key, y->key);
    if (order == 0 && x->part != y->part) order = x->part < y->part ? -1 : 1;
    return order != 0 ? order : strcmp(x->file->path, y->file->path);
}

static enum tsr_status list_maps(struct maps *out, struct tsr_error *err) {
    struct stat info;
    const struct tsr_label_rules *rules = out->rules;
    const char *folder = rules->folder;
    if (stat(folder, &info) != 0 && !tsr_source_inside(folder))
        return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be opened: %s", folder, strerror(errno));
    TSR_TRY(tsr_listing_add(out->files, folder, err));
    if (!tsr_source_inside(folder) && !S_ISDIR(info.st_mode) && out->files->n_sources == 0)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: is not a folder of label maps", folder);
    TSR_TRY(TSR_ALLOC(&out->maps, out->files->n, folder, err));
    for (size_t i = 0; i < out->files->n; i++) {
        const struct tsr_listed *file = &out->files->items[i];
        struct map map = {.file = file, .part = rules->parts ? SIZE_MAX : 0};
        size_t length;
        if (!has_map_name(file->path) || !strip(file->name, rules->suffix, &length)) continue;
        if (rules->parts && !find_part(rules->parts, file->name, &length, &map.part)) continue;
        map.key = make_key(&out->files->pool, file->name, length, rules->parts);
        if (!map.key) return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: no memory to list it", folder);
        map.stem = tsr_last_component(map.key);
        out->maps[out->n++] = map;
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

static bool is_rival(const struct map *a, const struct map *b) {
    return a->part == b->part || strcmp(a->key, b->key) != 0;
}

/* The maps [*n] of an image, one for each part; none: *n is 0. */
static enum tsr_status find_maps(const struct maps *maps, const struct tsr_listed *image,
                                 const char *key, struct map **out, size_t *n,
                                 struct tsr_error *err) {
    const char *stem = tsr_last_component(key);
    const struct map *rival = NULL;
    size_t best = 0;
    *n = 0;
    for (size_t i = find_stem(maps, stem); i < maps->n && strcmp(maps->maps[i].stem, stem) == 0;
         i++) {
        struct map *map = &maps->maps[i];
        size_t near = nearness(map->key, key);
        if (*n && near < best) continue;
        if (*n && near == best && !is_rival(map, &(*out)[*n - 1])) {
            ++*n;
            continue;
        }
        rival = *n && near == best ? *out : NULL;
        *out = map;
        *n = 1;
        best = near;
    }
    if (!rival) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: has two label maps, %s and %s", image->path,
                     rival->file->path, (*out)->file->path);
}

static enum tsr_status take_map(struct tsr_label_files *files, struct tsr_listed *image,
                                struct map *map, struct tsr_error *err) {
    if (map->image && strcmp(map->image->path, image->path) != 0)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: would be the label map of two images, %s and %s",
                         map->file->path, map->image->path, image->path);
    map->image = image;
    TSR_TRY(TSR_GROW(&files->assigned, files->n, image->path, err));
    if (image->maps++ == 0) image->first_map = files->n;
    files->assigned[files->n++] = (struct tsr_label_file){map->file, map->part};
    return TSR_OK;
}

/* `key`: of the first image. */
static enum tsr_status none_matched(const struct tsr_label_rules *rules, const char *image,
                                    const char *key, size_t n, struct tsr_error *err) {
    const char *stem = tsr_last_component(key), *suffix = rules->suffix ? rules->suffix : "";
    const struct tsr_label_names *parts = rules->parts;
    const char *ending = parts || tsr_image_ending(suffix) ? "" : ".png, .pgm or .pnm";
    return TSR_ERROR(err, TSR_ERR_NOT_FOUND,
                     "%s: has no label map: no %s%s%s%s%s in %s (none of the %zu images has one)",
                     image, stem, parts ? "_" : "", parts ? parts->names[parts->n - 1] : suffix,
                     ending, parts ? ".png or of another part" : "", rules->folder, n);
}

static enum tsr_status match(struct maps *maps, struct tsr_listing *images,
                             struct tsr_label_files *out, size_t *missing, const char **first,
                             struct tsr_error *err) {
    const struct tsr_label_rules *rules = maps->rules;
    const char *first_key = NULL;
    size_t kept = 0, length, n;
    for (size_t i = 0; i < images->n; i++) {
        struct tsr_listed *image = &images->items[kept];
        struct map *map = NULL;
        *image = images->items[i];
        (void)strip(image->name, rules->image_suffix, &length);
        const char *key = make_key(&out->listing.pool, image->name, length, rules->parts);
        if (!key)
            return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: no memory to list it", rules->folder);
        TSR_TRY(find_maps(maps, image, key, &map, &n, err));
        for (size_t k = 0; k < n; k++)
            TSR_TRY(take_map(out, image, &map[k], err));
        if (n == 0 && *missing == 0) {
            *first = image->path;
            first_key = key;
        }
        *missing += n == 0;
        kept += n > 0;
    }
    if (kept == 0 && first_key) return none_matched(rules, *first, first_key, images->n, err);
    images->n = kept;
    return TSR_OK;
}

enum tsr_status tsr_label_files_match(const struct tsr_label_rules *rules,
                                      struct tsr_listing *images, struct tsr_label_files *out,
                                      size_t *missing, const char **first, struct tsr_error *err) {
    struct maps maps = {.rules = rules, .files = &out->listing};
    *missing = 0;
    enum tsr_status status = list_maps(&maps, err);
    if (status == TSR_OK) status = match(&maps, images, out, missing, first, err);
    free(maps.maps);
    return status;
}

void tsr_label_files_clear(struct tsr_label_files *files) {
    free(files->assigned);
    tsr_listing_clear(&files->listing);
    *files = (struct tsr_label_files){0};
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

/* The same of a member of an archive, whose path begins with that of the archive. */
static bool is_below(const char *path, const char *folder) {
    size_t length = strlen(folder);
    while (length > 1 && folder[length - 1] == '/')
        length--;
    return strncmp(path, folder, length) == 0 && (path[length] == '/' || path[length] == 0);
}

/* Whether files of neighbours, which lie in one folder, lie in another one: asked once for each. */
struct neighbours {
    char *real, *last;
    bool in;
};

static enum tsr_status ask(struct neighbours *n, const struct tsr_listed *item, const char *folder,
                           struct tsr_error *err) {
    size_t length = (size_t)(tsr_last_component(item->path) - item->path);
    if (n->last && strlen(n->last) == length && strncmp(n->last, item->path, length) == 0)
        return TSR_OK;
    free(n->last);
    n->last = strndup(item->path, length);
    if (!n->last) return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: no memory to list it", folder);
    n->in = item->source == TSR_NO_SOURCE ? n->real && lies_in(length ? n->last : ".", n->real)
                                          : is_below(item->path, folder);
    return TSR_OK;
}

enum tsr_status tsr_label_files_hide(const struct tsr_label_rules *rules,
                                     struct tsr_listing *images, struct tsr_error *err) {
    struct neighbours n = {.real = realpath(rules->folder, NULL)};
    size_t kept = 0, length;
    enum tsr_status status = TSR_OK;
    if (!n.real && !tsr_source_inside(rules->folder))
        return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be opened: %s", rules->folder,
                         strerror(errno));
    for (size_t i = 0; i < images->n && status == TSR_OK; i++) {
        struct tsr_listed item = images->items[i];
        status = ask(&n, &item, rules->folder, err);
        bool hidden =
            (n.in && has_map_name(item.path)) || !strip(item.name, rules->image_suffix, &length);
        if (!hidden) images->items[kept++] = item;
    }
    if (status == TSR_OK) images->n = kept;
    free(n.last);
    free(n.real);
    return status;
}
