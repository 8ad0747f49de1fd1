/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "data/label_signs.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"

/* ---- words ----------------------------------------------------------------------------------- */

static const char *const suffixes[] = {"_mask",  "-mask", "_masks",        "_label", "_labels",
                                       "-label", "_seg",  "_segmentation", "_gt",    "_annotation"};

static bool is_word_of_maps(const char *name, size_t length) {
    static const char *const parts[] = {"mask",    "label",       "annot",
                                        "segment", "groundtruth", "ground_truth"};
    static const char *const words[] = {"gt", "gts", "seg"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (length == strlen(words[i]) && strncasecmp(name, words[i], length) == 0) return true;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        for (size_t at = 0; at + strlen(parts[i]) <= length; at++)
            if (strncasecmp(name + at, parts[i], strlen(parts[i])) == 0) return true;
    return false;
}

struct stem {
    const char *text;
    size_t length;
};

static struct stem stem_of(const char *name) {
    const char *last = tsr_last_component(name);
    return (struct stem){last, strlen(last) - tsr_image_ending(last)};
}

/* Length of the suffix of label maps that a stem ends with; 0: it has none. */
static size_t suffix_of(struct stem s) {
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
        size_t length = strlen(suffixes[i]);
        if (s.length > length && strncasecmp(s.text + s.length - length, suffixes[i], length) == 0)
            return length;
    }
    return 0;
}

/* Where the first folder of a name ends that is called like one of label maps; 0: none is. */
static size_t folder_of(const char *name) {
    size_t at = 0;
    for (const char *slash; (slash = strchr(name + at, '/')) != NULL;) {
        size_t end = (size_t)(slash - name);
        if (is_word_of_maps(name + at, end - at)) return end;
        at = end + 1;
    }
    return 0;
}

/* Label maps keep every value. */
static bool may_be_map(const char *name) {
    const char *ending = name + strlen(name) - tsr_image_ending(name);
    return strcasecmp(ending, ".png") == 0 || strcasecmp(ending, ".pgm") == 0 ||
           strcasecmp(ending, ".pnm") == 0;
}

/* ---- pairs ----------------------------------------------------------------------------------- */

/* Names of what is called like an image, sorted. */
struct stems {
    struct stem *item;
    size_t n;
};

static int compare(const void *a, const void *b) {
    const struct stem *x = a, *y = b;
    size_t shorter = x->length < y->length ? x->length : y->length;
    int order = memcmp(x->text, y->text, shorter);
    return order ? order : (x->length > y->length) - (x->length < y->length);
}

static bool has(const struct stems *stems, struct stem s) {
    return stems->n > 0 && bsearch(&s, stems->item, stems->n, sizeof s, compare);
}

static bool is_called_like_map(const struct tsr_listed *item) {
    return may_be_map(item->name) && (folder_of(item->name) > 0 || suffix_of(stem_of(item->name)));
}

static enum tsr_status collect(const struct tsr_listing *images, struct stems *out,
                               struct tsr_error *err) {
    *out = (struct stems){0};
    TSR_TRY(TSR_ALLOC(&out->item, images->n, "names of images", err));
    for (size_t i = 0; i < images->n; i++)
        if (images->items[i].source == TSR_NO_SOURCE && !is_called_like_map(&images->items[i]))
            out->item[out->n++] = stem_of(images->items[i].name);
    if (out->n > 0) qsort(out->item, out->n, sizeof *out->item, compare);
    return TSR_OK;
}

/* Those that go by the same rule. */
struct found {
    size_t n;
    const struct tsr_listed *first;
    size_t suffix; /* of the first */
};

/* Counts an item if an image is called like it. */
static void count(const struct stems *stems, const struct tsr_listed *item, struct found *found) {
    struct stem s = stem_of(item->name), cut = s;
    size_t suffix = suffix_of(s);
    cut.length -= suffix;
    bool whole = has(stems, s);
    if (!whole && !(suffix && has(stems, cut))) return;
    if (found->n++ > 0) return;
    found->first = item;
    found->suffix = whole ? 0 : suffix;
}

/* " --label-suffix _mask.png", or nothing. */
static const char *suffix_option(const struct found *found, char text[96]) {
    const char *last = tsr_last_component(found->first->name);
    struct stem s = stem_of(last);
    text[0] = 0;
    if (found->suffix)
        (void)snprintf(text, 96, " --label-suffix %.64s", last + s.length - found->suffix);
    return text;
}

/* ---- what is told ---------------------------------------------------------------------------- */

static void tell_packed(const struct found *found, size_t of, const struct tsr_notice *notice) {
    char option[96];
    const struct tsr_listed *item = found->first;
    if (found->n == 0) return;
    size_t root = strlen(item->path) - strlen(item->name), folder = folder_of(item->name);
    size_t end = folder ? root + folder : root > 1 ? root - 1 : root;
    tsr_notice(notice,
               "warning: %zu of %zu files are called like label maps of others (the first is %s) "
               "and are packed as images; --labels %.*s%s takes them for label maps",
               found->n, of, item->path, end ? (int)end : 1, end ? item->path : ".",
               suffix_option(found, option));
}

static enum tsr_status look_into(const char *folder, const struct stems *stems,
                                 const struct tsr_notice *notice, struct tsr_error *err) {
    struct tsr_listing maps = {0};
    struct found found = {0};
    char option[96];
    enum tsr_status status = tsr_listing_add(&maps, folder, err);
    for (size_t i = 0; i < maps.n && status == TSR_OK; i++)
        if (may_be_map(maps.items[i].name)) count(stems, &maps.items[i], &found);
    if (found.n > 0)
        tsr_notice(notice,
                   "%zu files in %s are called like the images; --labels %s%s takes them "
                   "for label maps",
                   found.n, folder, folder, suffix_option(&found, option));
    tsr_listing_clear(&maps);
    return status == TSR_ERR_NO_MEMORY ? status : TSR_OK; /* else there is nothing to tell */
}

/* In the folder that holds the first source. */
static enum tsr_status look_beside(const struct tsr_listing *images, const struct stems *stems,
                                   const struct tsr_notice *notice, struct tsr_error *err) {
    const struct tsr_listed *item = images->items;
    size_t length = strlen(item->path) - strlen(item->name);
    while (length > 0 && item->path[length - 1] == '/')
        length--;
    size_t own = length;
    while (length > 0 && item->path[length - 1] != '/')
        length--;
    if (own == length || is_word_of_maps(item->path + length, own - length)) return TSR_OK;
    char parent[4096], path[4096 + 256];
    if (length >= sizeof parent) return TSR_OK;
    (void)snprintf(parent, sizeof parent, "%.*s", (int)length, item->path);
    DIR *dir = opendir(length ? parent : ".");
    enum tsr_status status = TSR_OK;
    for (const struct dirent *e; dir && status == TSR_OK && (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.' || !is_word_of_maps(e->d_name, strlen(e->d_name))) continue;
        (void)snprintf(path, sizeof path, "%s%.255s", parent, e->d_name);
        status = look_into(path, stems, notice, err);
    }
    if (dir) (void)closedir(dir);
    return status;
}

enum tsr_status tsr_label_signs_tell(const struct tsr_listing *images,
                                     const struct tsr_notice *notice, struct tsr_error *err) {
    struct stems stems;
    struct found found = {0};
    if (images->n == 0 || images->items[0].source != TSR_NO_SOURCE) return TSR_OK;
    TSR_TRY(collect(images, &stems, err));
    for (size_t i = 0; i < images->n; i++)
        if (images->items[i].source == TSR_NO_SOURCE && is_called_like_map(&images->items[i]))
            count(&stems, &images->items[i], &found);
    tell_packed(&found, images->n, notice);
    enum tsr_status status = look_beside(images, &stems, notice, err);
    free(stems.item);
    return status;
}
