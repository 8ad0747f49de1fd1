/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "data/listing.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/memory.h"

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

/* ---- items ----------------------------------------------------------------------------------- */

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

static const char *const image_endings[] = {".jpg",   ".jpeg", ".jpe", ".jfif", ".jif",
                                            ".pjpeg", ".pjp",  ".png", ".bmp",  ".dib",
                                            ".ppm",   ".pgm",  ".pnm"};

size_t tsr_image_ending(const char *name) {
    const char *dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof image_endings / sizeof *image_endings; i++)
        if (strcasecmp(dot, image_endings[i]) == 0) return strlen(dot);
    return 0;
}

static enum tsr_status no_memory(const char *path, struct tsr_error *err) {
    return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: no memory to list it", path);
}

enum tsr_status tsr_listing_add_item(struct tsr_listing *listing, const struct tsr_listed *item,
                                     struct tsr_error *err) {
    if (listing->n == UINT32_MAX)
        return TSR_ERROR(err, TSR_ERR_UNSUPPORTED, "%s: more than 2^32-1 images", item->path);
    TSR_TRY(TSR_GROW(&listing->items, listing->n, item->path, err));
    struct tsr_listed *added = &listing->items[listing->n++];
    *added = *item;
    added->origin = listing->n_origins;
    return TSR_OK;
}

static struct tsr_file_id file_id(const struct stat *info) {
    return (struct tsr_file_id){(uint64_t)info->st_dev, (uint64_t)info->st_ino};
}

/* `info` NULL: it cannot be found. */
static enum tsr_status add_file(struct tsr_listing *listing, const char *path, const char *name,
                                const struct stat *info, struct tsr_error *err) {
    const struct tsr_listed item = {.path = path,
                                    .name = name,
                                    .split = TSR_UNDECIDED,
                                    .source = TSR_NO_SOURCE,
                                    .file = info ? file_id(info) : (struct tsr_file_id){0, 0}};
    return tsr_listing_add_item(listing, &item, err);
}

/* ---- what is left out ------------------------------------------------------------------------ */

enum tsr_status tsr_listing_pass_over(struct tsr_listing *listing, const char *name,
                                      struct tsr_error *err) {
    const char *dot = strrchr(tsr_last_component(name), '.');
    char ending[TSR_ENDING_SIZE] = "";
    for (size_t i = 0; dot && dot[i] && i + 1 < sizeof ending; i++)
        ending[i] = (char)(dot[i] >= 'A' && dot[i] <= 'Z' ? dot[i] + 32 : dot[i]);
    size_t n = listing->n_passed_over, i = 0;
    while (i < n && strcmp(listing->passed_over[i].ending, ending) != 0)
        i++;
    if (i == n && n < TSR_MOST_ENDINGS) {
        TSR_TRY(TSR_GROW(&listing->passed_over, n, name, err));
        struct tsr_passed_over *added = &listing->passed_over[listing->n_passed_over++];
        added->n = 0;
        memcpy(added->ending, ending, sizeof ending);
    }
    /* Behind so many kinds of endings it is the last that counts the rest. */
    listing->passed_over[i < TSR_MOST_ENDINGS ? i : TSR_MOST_ENDINGS - 1].n++;
    return TSR_OK;
}

static int most_first(const void *a, const void *b) {
    const struct tsr_passed_over *x = a, *y = b;
    if (x->n != y->n) return x->n < y->n ? 1 : -1;
    return strcmp(x->ending, y->ending);
}

void tsr_listing_passed_over(const struct tsr_listing *listing, char *text, size_t size) {
    enum { SHOWN = 8 };
    size_t used = 0, others = 0;
    text[0] = 0;
    if (listing->n_passed_over == 0) return;
    qsort(listing->passed_over, listing->n_passed_over, sizeof *listing->passed_over, most_first);
    for (size_t i = 0; i < listing->n_passed_over && used < size; i++) {
        const struct tsr_passed_over *kind = &listing->passed_over[i];
        if (i >= SHOWN) others += kind->n;
        if (i >= SHOWN) continue;
        int written = snprintf(text + used, size - used, "%s%s %zu", i ? ", " : "",
                               kind->ending[0] ? kind->ending : "without ending", kind->n);
        used += written > 0 ? (size_t)written : 0;
    }
    if (others && used < size) (void)snprintf(text + used, size - used, ", others %zu", others);
}

/* A folder that cannot be listed ends nothing but itself. */
static enum tsr_status leave_folder(struct tsr_listing *listing, const char *folder, int number,
                                    struct tsr_error *err) {
    TSR_TRY(TSR_GROW(&listing->unlisted, listing->n_unlisted, folder, err));
    listing->unlisted[listing->n_unlisted++] = (struct tsr_unlisted){folder, number};
    return TSR_OK;
}

/* ---- folders --------------------------------------------------------------------------------- */

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
    return tsr_image_ending(name)
               ? add_file(listing, path, path + source, known ? &info : NULL, err)
               : tsr_listing_pass_over(listing, name, err);
}

static enum tsr_status walk(struct tsr_listing *listing, const char *folder, size_t source,
                            const struct trail *trail, struct tsr_error *err) {
    enum tsr_status status = TSR_OK;
    if (trail->depth > DEEPEST)
        return TSR_ERROR(err, TSR_ERR_UNSUPPORTED, "%s: folders within more than %d others", folder,
                         DEEPEST);
    DIR *dir = opendir(folder);
    if (!dir && trail->up) return leave_folder(listing, folder, errno, err);
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
    if (errno != 0 && trail->up)
        status = leave_folder(listing, folder, errno, err);
    else if (errno != 0)
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
    TSR_TRY(TSR_GROW(&listing->sources, listing->n_sources, path, err));
    struct tsr_source *source = &listing->sources[listing->n_sources];
    struct stat info;
    char *copy = tsr_pool_take(&listing->pool, strlen(path) + 1);
    if (!copy) return no_memory(path, err);
    strcpy(copy, path);
    *source = (struct tsr_source){.kind = kind, .path = copy};
    if (stat(path, &info) == 0) source->file = file_id(&info);
    size_t before = listing->n;
    TSR_TRY(kind->open(path, listing, listing->n_sources++, &source->state, err));
    source->n = listing->n - before;
    return TSR_OK;
}

/* Of an archive what lies below a folder in it, or the one member that it names. */
static enum tsr_status add_inside(struct tsr_listing *listing, const char *source,
                                  const char *inside, struct tsr_error *err) {
    size_t first = listing->n, kept = first, length = strlen(source);
    const struct tsr_source_kind *kind;
    char *archive = tsr_pool_take(&listing->pool, length + 1);
    if (!archive) return no_memory(source, err);
    memcpy(archive, source, length + 1);
    archive[inside - source - 1] = 0;
    while (source[length - 1] == '/')
        length--;
    TSR_TRY(tsr_source_find_archive(archive, &kind, err));
    TSR_TRY(add_source(listing, kind, archive, err));
    for (size_t i = first; i < listing->n; i++) {
        struct tsr_listed item = listing->items[i];
        if (strncmp(item.path, source, length) != 0) continue;
        if (item.path[length] != '/' && item.path[length] != 0) continue;
        item.name = item.path[length] ? item.path + length + 1 : tsr_last_component(item.path);
        listing->items[kept++] = item;
    }
    listing->n = kept;
    if (kept > first) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_NOT_FOUND, "%s: there is no image in %s there", source, archive);
}

enum tsr_status tsr_listing_add(struct tsr_listing *listing, const char *source,
                                struct tsr_error *err) {
    struct stat info;
    const char *inside = tsr_source_inside(source);
    listing->n_origins++;
    if (inside) return add_inside(listing, source, inside, err);
    if (stat(source, &info) != 0)
        return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be opened: %s", source, strerror(errno));
    const struct tsr_source_kind *kind = NULL;
    /* An image that cannot be read is one of many. */
    if (S_ISREG(info.st_mode) && tsr_source_find(source, &kind, err) != TSR_OK &&
        !tsr_image_ending(source))
        return TSR_ERR_IO;
    if (kind) return add_source(listing, kind, source, err);
    if (!S_ISDIR(info.st_mode)) {
        const char *path = join(&listing->pool, "", source);
        if (!path) return no_memory(source, err);
        return add_file(listing, path, tsr_last_component(path), &info, err);
    }
    size_t first = listing->n, length = strlen(source);
    struct trail trail = {NULL, info.st_dev, info.st_ino, 0};
    TSR_TRY(walk(listing, source, length + (source[length - 1] != '/'), &trail, err));
    tsr_listing_sort(listing, first);
    return TSR_OK;
}

/* A path without "", "." and ".." components, so that it leads nowhere else. */
static char *tidy_path(struct tsr_pool *pool, const char *archive, const char *member) {
    size_t a = strlen(archive);
    char *path = tsr_pool_take(pool, a + strlen(member) + 2), *to = path;
    if (!path) return NULL;
    memcpy(path, archive, a);
    to += a;
    while (*member) {
        size_t length = strcspn(member, "/\\");
        bool counts = length > 2 || strncmp(member, "..", length) != 0;
        if (counts) {
            *to++ = '/';
            memcpy(to, member, length);
            to += length;
        }
        member += length + (member[length] != 0);
    }
    *to = 0;
    return path;
}

enum tsr_status tsr_listing_add_member(struct tsr_listing *listing, const char *archive,
                                       const char *member, size_t source, size_t index,
                                       struct tsr_error *err) {
    size_t length = strlen(member);
    if (length == 0 || member[length - 1] == '/') return TSR_OK; /* a folder */
    char *path = tidy_path(&listing->pool, archive, member);
    if (!path) return no_memory(archive, err);
    const char *name = path + strlen(archive);
    if (*name != '/' || strstr(name, "/.")) return TSR_OK;
    if (!tsr_image_ending(name)) return tsr_listing_pass_over(listing, name, err);
    const struct tsr_listed item = {
        .path = path, .name = name + 1, .split = TSR_UNDECIDED, .source = source, .index = index};
    return tsr_listing_add_item(listing, &item, err);
}

void tsr_listing_sort(struct tsr_listing *listing, size_t first) {
    if (listing->n > first)
        qsort(listing->items + first, listing->n - first, sizeof *listing->items, by_name);
}

void tsr_listing_clear(struct tsr_listing *listing) {
    for (size_t i = 0; i < listing->n_sources; i++)
        if (listing->sources[i].state) listing->sources[i].kind->close(listing->sources[i].state);
    free(listing->sources);
    free(listing->items);
    free(listing->passed_over);
    free(listing->unlisted);
    tsr_pool_free(&listing->pool);
    *listing = (struct tsr_listing){0};
}
