/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "data/listing.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "data/dataset.h"

/* ---- strings --------------------------------------------------------------------------------- */

#define POOL_BLOCK ((size_t)1 << 16)

struct tsr_pool_block {
    struct tsr_pool_block *next;
    size_t used, size;
    char text[];
};

char *tsr_pool_take(struct tsr_pool *pool, size_t size) {
    struct tsr_pool_block *block = pool->blocks;
    if (!block || size > block->size - block->used) {
        size_t room = size > POOL_BLOCK ? size : POOL_BLOCK;
        if (room > SIZE_MAX / 2) return NULL;
        block = malloc(sizeof *block + room);
        if (!block) return NULL;
        *block = (struct tsr_pool_block){.next = pool->blocks, .size = room};
        pool->blocks = block;
    }
    block->used += size;
    return block->text + block->used - size;
}

void tsr_pool_free(struct tsr_pool *pool) {
    while (pool->blocks) {
        struct tsr_pool_block *next = pool->blocks->next;
        free(pool->blocks);
        pool->blocks = next;
    }
}

/* ---- folders --------------------------------------------------------------------------------- */

#define DEEPEST 64

/* The folders on the way to one, for seeing that a link leads back to one of them. */
struct trail {
    const struct trail *up;
    dev_t device;
    ino_t inode;
    int depth;
};

const char *tsr_last_component(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

static bool has_image_name(const char *name) {
    static const char *const endings[] = {".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".pnm"};
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(dot, endings[i]) == 0) return true;
    return false;
}

/* The split that the folders of a name ask for, the topmost first. */
static uint8_t split_of_folders(const char *name) {
    static const struct {
        const char *folder;
        uint8_t split;
    } rules[] = {{"train", TSR_SPLIT_TRAIN},
                 {"val", TSR_SPLIT_VAL},
                 {"validation", TSR_SPLIT_VAL},
                 {"test", TSR_SPLIT_TEST}};
    for (const char *end; (end = strchr(name, '/')) != NULL; name = end + 1)
        for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
            if (strlen(rules[i].folder) == (size_t)(end - name) &&
                strncmp(name, rules[i].folder, (size_t)(end - name)) == 0)
                return rules[i].split;
    return TSR_UNDECIDED;
}

static enum tsr_status no_memory(const char *path, struct tsr_error *err) {
    return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: no memory to list it", path);
}

enum tsr_status tsr_listing_add_item(struct tsr_listing *listing, const struct tsr_listed *item,
                                     struct tsr_error *err) {
    if (listing->n == UINT32_MAX)
        return TSR_ERROR(err, TSR_ERR_UNSUPPORTED, "%s: more than 2^32-1 images", item->path);
    if (listing->n == listing->capacity) {
        size_t capacity = 2 * listing->capacity + 256;
        struct tsr_listed *items = realloc(listing->items, capacity * sizeof *items);
        if (!items) return no_memory(item->path, err);
        listing->items = items;
        listing->capacity = capacity;
    }
    struct tsr_listed *added = &listing->items[listing->n++];
    *added = *item;
    if (added->split == TSR_UNDECIDED) added->split = split_of_folders(added->name);
    return TSR_OK;
}

static enum tsr_status add_file(struct tsr_listing *listing, const char *path, const char *name,
                                struct tsr_error *err) {
    const struct tsr_listed item = {
        .path = path, .name = name, .split = TSR_UNDECIDED, .source = TSR_NO_SOURCE};
    return tsr_listing_add_item(listing, &item, err);
}

static char *join(struct tsr_pool *pool, const char *folder, const char *name) {
    size_t a = strlen(folder), b = strlen(name);
    bool slash = a > 0 && folder[a - 1] != '/';
    char *path = tsr_pool_take(pool, a + slash + b + 1);
    if (!path) return NULL;
    memcpy(path, folder, a);
    if (slash) path[a] = '/';
    memcpy(path + a + slash, name, b + 1);
    return path;
}

static enum tsr_status walk(struct tsr_listing *listing, const char *folder, size_t source,
                            const struct trail *up, struct tsr_error *err);

/* `source`: where in the path the name relative to the source begins. */
static enum tsr_status visit(struct tsr_listing *listing, const char *folder, const char *name,
                             size_t source, const struct trail *trail, struct tsr_error *err) {
    struct stat info;
    const char *path = join(&listing->pool, folder, name);
    if (!path) return no_memory(folder, err);
    bool known = stat(path, &info) == 0;
    if (known && S_ISDIR(info.st_mode)) {
        for (const struct trail *t = trail; t; t = t->up)
            if (t->device == info.st_dev && t->inode == info.st_ino) return TSR_OK;
        struct trail here = {trail, info.st_dev, info.st_ino, trail->depth + 1};
        return walk(listing, path, source, &here, err);
    }
    /* What cannot be read, a dangling link say, is reported when it is to be decoded. */
    return has_image_name(name) ? add_file(listing, path, path + source, err) : TSR_OK;
}

static enum tsr_status walk(struct tsr_listing *listing, const char *folder, size_t source,
                            const struct trail *trail, struct tsr_error *err) {
    enum tsr_status status = TSR_OK;
    if (trail->depth > DEEPEST)
        return TSR_ERROR(err, TSR_ERR_UNSUPPORTED, "%s: folders within more than %d others", folder,
                         DEEPEST);
    DIR *dir = opendir(folder);
    if (!dir)
        return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be listed: %s", folder, strerror(errno));
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry) break;
        /* Folders of tools, and the "._" files that macOS puts beside each image. */
        if (entry->d_name[0] == '.') continue;
        TSR_CHECK(visit(listing, folder, entry->d_name, source, trail, err));
    }
    if (errno != 0)
        status = TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be listed: %s", folder, strerror(errno));
done:
    (void)closedir(dir);
    return status;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct tsr_listed *)a)->name, ((const struct tsr_listed *)b)->name);
}

static enum tsr_status add_source(struct tsr_listing *listing, const struct tsr_source_kind *kind,
                                  const char *path, struct tsr_error *err) {
    struct tsr_source *sources =
        realloc(listing->sources, (listing->n_sources + 1) * sizeof *sources);
    if (!sources) return no_memory(path, err);
    listing->sources = sources;
    struct tsr_source *source = &sources[listing->n_sources];
    *source = (struct tsr_source){.kind = kind};
    return kind->open(path, listing, listing->n_sources++, &source->state, err);
}

enum tsr_status tsr_listing_add(struct tsr_listing *listing, const char *source,
                                struct tsr_error *err) {
    struct stat info;
    if (stat(source, &info) != 0)
        return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be opened: %s", source, strerror(errno));
    const struct tsr_source_kind *kind = S_ISREG(info.st_mode) ? tsr_source_kind_of(source) : NULL;
    if (kind) return add_source(listing, kind, source, err);
    if (!S_ISDIR(info.st_mode)) {
        const char *path = join(&listing->pool, "", source);
        if (!path) return no_memory(source, err);
        return add_file(listing, path, tsr_last_component(path), err);
    }
    size_t first = listing->n, length = strlen(source);
    struct trail trail = {NULL, info.st_dev, info.st_ino, 0};
    TSR_TRY(walk(listing, source, length + (source[length - 1] != '/'), &trail, err));
    if (listing->n > first)
        qsort(listing->items + first, listing->n - first, sizeof *listing->items, by_name);
    return TSR_OK;
}

void tsr_listing_clear(struct tsr_listing *listing) {
    for (size_t i = 0; i < listing->n_sources; i++)
        if (listing->sources[i].state) listing->sources[i].kind->close(listing->sources[i].state);
    free(listing->sources);
    free(listing->items);
    tsr_pool_free(&listing->pool);
    *listing = (struct tsr_listing){0};
}
