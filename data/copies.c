/* SPDX-License-Identifier: MIT */
#include "data/copies.h"

#include <stdlib.h>

#include "base/memory.h"
#include "data/dataset.h"

/* What is tested is not learned: the smaller the earlier. */
static int rank(uint8_t split) {
    return split == TSR_SPLIT_TEST    ? 0
           : split == TSR_SPLIT_VAL   ? 1
           : split == TSR_SPLIT_TRAIN ? 2
                                      : 3;
}

/* ---- of one file ----------------------------------------------------------------------------- */

struct place {
    struct tsr_file_id file;
    size_t index, item; /* index: in an archive, or an array */
    int rank;
};

static bool one_file(const struct place *a, const struct place *b) {
    return a->file.device == b->file.device && a->file.inode == b->file.inode &&
           a->index == b->index;
}

#define ORDER(a, b)                                                                                \
    if ((a) != (b)) return (a) < (b) ? -1 : 1

static int by_file(const void *left, const void *right) {
    const struct place *a = left, *b = right;
    ORDER(a->file.device, b->file.device);
    ORDER(a->file.inode, b->file.inode);
    ORDER(a->index, b->index);
    ORDER(a->rank, b->rank);
    ORDER(a->item, b->item);
    return 0;
}

enum tsr_status tsr_copies_of_files(struct tsr_listing *listing, size_t *n,
                                    struct tsr_copies_example *example, struct tsr_error *err) {
    struct place *places;
    size_t kept = 0, known = 0, shown = listing->n;
    struct tsr_listed *items = listing->items;
    *n = 0;
    *example = (struct tsr_copies_example){0};
    TSR_TRY(TSR_ALLOC(&places, listing->n + 1, "list of files", err));
    for (size_t i = 0; i < listing->n; i++) {
        bool own = items[i].source == TSR_NO_SOURCE;
        struct place *p = &places[known];
        *p = (struct place){own ? items[i].file : listing->sources[items[i].source].file,
                            own ? 0 : items[i].index + 1, i, rank(items[i].split)};
        known += p->file.device != 0 || p->file.inode != 0;
    }
    qsort(places, known, sizeof *places, by_file);
    for (size_t i = 1, first = 0; i < known; i++) {
        if (!one_file(&places[i], &places[first])) {
            first = i;
            continue;
        }
        struct tsr_listed *again = &items[places[i].item];
        if (places[i].item < shown) {
            *example = (struct tsr_copies_example){again->path, items[places[first].item].path};
            shown = places[i].item;
        }
        again->path = NULL;
        ++*n;
    }
    for (size_t i = 0; i < listing->n; i++)
        if (items[i].path) items[kept++] = items[i];
    listing->n = kept;
    free(places);
    return TSR_OK;
}

/* ---- of one content -------------------------------------------------------------------------- */

/* Where the picture is, or belongs. There is room. */
static struct tsr_copies_entry *find(const struct tsr_copies *c, uint64_t digest) {
    size_t at = digest & (c->room - 1);
    while (c->entries[at].n > 0 && c->entries[at].digest != digest)
        at = (at + 1) & (c->room - 1);
    return &c->entries[at];
}

/* Half of the places stay empty. */
static enum tsr_status make_room(struct tsr_copies *c, struct tsr_error *err) {
    struct tsr_copies larger = *c;
    if (2 * (c->used + 1) <= c->room) return TSR_OK;
    larger.room = c->room ? 2 * c->room : 1024;
    TSR_TRY(TSR_ALLOC(&larger.entries, larger.room, "list of pictures", err));
    for (size_t i = 0; i < c->room; i++)
        if (c->entries[i].n > 0) *find(&larger, c->entries[i].digest) = c->entries[i];
    free(c->entries);
    *c = larger;
    return TSR_OK;
}

static enum tsr_status follow(struct tsr_copies *c, const struct tsr_listed *item, uint32_t image,
                              uint32_t n, const struct tsr_copies_entry *entry,
                              struct tsr_error *err) {
    TSR_TRY(TSR_GROW(&c->followers, c->n_followers, item->path, err));
    c->followers[c->n_followers++] = (struct tsr_copies_follower){image, n, entry->image};
    if (!c->kept.again) c->kept = (struct tsr_copies_example){item->path, entry->path};
    return TSR_OK;
}

enum tsr_status tsr_copies_add(struct tsr_copies *c, const struct tsr_listed *item, uint64_t digest,
                               uint32_t image, uint32_t n, uint8_t *splits,
                               enum tsr_copies_verdict *verdict, uint32_t *first,
                               struct tsr_error *err) {
    TSR_TRY(make_room(c, err));
    struct tsr_copies_entry *entry = find(c, digest);
    *verdict = TSR_COPIES_NEW;
    if (n == 0) return TSR_OK;
    if (entry->n == 0) {
        *entry = (struct tsr_copies_entry){digest, image, n, item->dealt, item->path};
        c->used++;
        return TSR_OK;
    }
    uint8_t *split = &splits[entry->image];
    bool together = item->dealt || entry->dealt || item->split == *split;
    *first = entry->image;
    if (!together) {
        if (!c->left_out.again) c->left_out = (struct tsr_copies_example){item->path, entry->path};
        *verdict = TSR_COPIES_LEFT_OUT;
        if (rank(item->split) >= rank(*split)) return TSR_OK;
        *verdict = TSR_COPIES_TAKES;
        entry->path = item->path;
    } else {
        *verdict = TSR_COPIES_FOLLOWS;
        TSR_TRY(follow(c, item, image, n, entry, err));
        if (item->dealt) return TSR_OK;
        entry->dealt = false;
    }
    for (uint32_t k = 0; k < entry->n; k++)
        split[k] = item->split;
    return TSR_OK;
}

void tsr_copies_settle(const struct tsr_copies *c, uint8_t *splits) {
    for (size_t i = 0; i < c->n_followers; i++)
        for (uint32_t k = 0; k < c->followers[i].n; k++)
            splits[c->followers[i].image + k] = splits[c->followers[i].first];
}

void tsr_copies_clear(struct tsr_copies *c) {
    free(c->entries);
    free(c->followers);
    *c = (struct tsr_copies){0};
}
