/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "data/dataset.h"
#include "data/splits.h"

/* ---- names ----------------------------------------------------------------------------------- */

bool tsr_split_of_word(const char *word, size_t length, uint8_t *split) {
    static const struct {
        const char *word;
        uint8_t split;
    } words[] = {{"train", TSR_SPLIT_TRAIN}, {"training", TSR_SPLIT_TRAIN},
                 {"val", TSR_SPLIT_VAL},     {"valid", TSR_SPLIT_VAL},
                 {"dev", TSR_SPLIT_VAL},     {"validation", TSR_SPLIT_VAL},
                 {"test", TSR_SPLIT_TEST},   {"testing", TSR_SPLIT_TEST}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strlen(words[i].word) == length && strncasecmp(word, words[i].word, length) == 0) {
            *split = words[i].split;
            return true;
        }
    return false;
}

struct word { /* a part of a path */
    const char *text;
    size_t length;
};

static bool same(struct word a, struct word b) {
    return a.length == b.length && memcmp(a.text, b.text, a.length) == 0;
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

#define PATTERN_SIZE 96

/* A name with '*' for the one word of a split in it, '#' for digits, in small letters. False if
 * there is no such word or more than one, or the name is too long to be one. */
static bool find_pattern(struct word name, char pattern[PATTERN_SIZE], uint8_t *split) {
    size_t used = 0, found = 0;
    if (name.length >= PATTERN_SIZE) return false;
    for (size_t i = 0; i < name.length;) {
        size_t end = i;
        while (end < name.length && is_letter(name.text[end]))
            end++;
        if (end == i) {
            bool digit = is_digit(name.text[i]);
            if (!digit || used == 0 || pattern[used - 1] != '#')
                pattern[used++] = digit ? '#' : name.text[i];
            i++;
        } else if (tsr_split_of_word(name.text + i, end - i, split)) {
            pattern[used++] = '*';
            found++;
            i = end;
        } else {
            for (; i < end; i++)
                pattern[used++] = (char)(name.text[i] | 0x20);
        }
    }
    pattern[used] = 0;
    return found == 1;
}

/* ---- levels ---------------------------------------------------------------------------------- */

/* The folder of an image at a level: 0 is the first below the source, -1 the source itself (of a
 * file the folder it lies in), -2 the one above. */
static bool folder_at(const struct tsr_listed *item, int level, struct word *out) {
    const char *at = item->name, *end;
    for (; level < 0; level++) {
        for (end = at; end > item->path && end[-1] == '/';)
            end--;
        for (at = end; at > item->path && at[-1] != '/';)
            at--;
        if (level == -1) *out = (struct word){at, (size_t)(end - at)};
        if (level == -1) return end > at;
    }
    for (; (end = strchr(at, '/')) != NULL && level > 0; level--)
        at = end + 1;
    *out = (struct word){at, end ? (size_t)(end - at) : 0};
    return end != NULL;
}

#define HIGHEST (-8)
#define MOST_FOLDERS 32

/* The folders of one level that have the name of a split. */
struct level {
    struct split_folder {
        struct word name;
        char pattern[PATTERN_SIZE];
        uint8_t split;
    } folders[MOST_FOLDERS];
    size_t n;
    struct word other; /* a folder of another name; no text: there is none */
    bool loose;        /* there are images in no folder, or in others */
    bool any;          /* there are folders */
};

static void look_at_folder(struct level *level, struct word name) {
    struct split_folder new = {.name = name};
    for (size_t i = 0; i < level->n; i++)
        if (same(level->folders[i].name, name)) return;
    if (level->n < MOST_FOLDERS && find_pattern(name, new.pattern, &new.split))
        level->folders[level->n++] = new;
    else if (!level->other.text)
        level->other = name;
}

static void look_at_level(const struct tsr_listed *items, size_t n, int depth, struct level *out) {
    struct word last = {NULL, 0}, name;
    *out = (struct level){0};
    for (size_t i = 0; i < n; i++) {
        if (!folder_at(&items[i], depth, &name)) {
            out->loose = true;
            continue;
        }
        out->any = true;
        if (!last.text || !same(last, name)) look_at_folder(out, name);
        last = name;
    }
    out->loose = out->loose || out->other.text;
}

/* How many splits the folders of a pattern stand for. */
static int splits_of(const struct level *level, const char *pattern) {
    bool has[3] = {false};
    for (size_t i = 0; i < level->n; i++)
        if (strcmp(level->folders[i].pattern, pattern) == 0) has[level->folders[i].split] = true;
    return has[0] + has[1] + has[2];
}

/* The pattern of the folders that are splits, or NULL. */
static const char *pattern_of(const struct level *level) {
    const char *best = NULL;
    int most = 1;
    for (size_t i = 0; i < level->n; i++) {
        int splits = splits_of(level, level->folders[i].pattern);
        if (splits > most) best = level->folders[i].pattern;
        if (splits > most) most = splits;
    }
    return best;
}

/* ---- decision -------------------------------------------------------------------------------- */

static size_t decide(struct tsr_listed *items, size_t n, int depth, const struct level *level,
                     const char *pattern) {
    size_t outside = 0;
    for (size_t i = 0; i < n; i++) {
        struct word name;
        bool decided = false;
        if (folder_at(&items[i], depth, &name))
            for (size_t k = 0; k < level->n && !decided; k++)
                if (strcmp(level->folders[k].pattern, pattern) == 0 &&
                    same(level->folders[k].name, name)) {
                    items[i].split = level->folders[k].split;
                    decided = true;
                }
        outside += !decided;
    }
    return outside;
}

/* "train, valid and test" */
static void list_names(const struct level *level, const char *pattern, char *text, size_t size) {
    size_t left = 0, used = 0;
    for (size_t i = 0; i < level->n; i++)
        left += strcmp(level->folders[i].pattern, pattern) == 0;
    text[0] = 0;
    for (size_t i = 0; i < level->n && used < size; i++) {
        if (strcmp(level->folders[i].pattern, pattern) != 0) continue;
        left--;
        const char *between = left > 1 ? ", " : left == 1 ? " and " : "";
        int written =
            snprintf(text + used, size - used, "%.*s%s", (int)level->folders[i].name.length,
                     level->folders[i].name.text, between);
        used += written > 0 ? (size_t)written : 0;
    }
}

/* Of the source of an image, in its path. */
static int source_length(const struct tsr_listed *item) {
    int length = (int)(item->name - item->path);
    return length > 1 ? length - 1 : length;
}

static void say_what_was_found(const struct tsr_listed *items, size_t n, int depth,
                               const struct level *level, const char *pattern, size_t outside,
                               const struct tsr_notice *notice) {
    char names[256];
    int source = source_length(items);
    list_names(level, pattern, names, sizeof names);
    if (depth < 0)
        tsr_notice(notice, "%s are splits, by their names", names);
    else
        tsr_notice(notice, "%.*s: the folders %s are splits", source, items->path, names);
    if (outside)
        tsr_notice(notice, "%zu of %zu images lie in none of the folders %s%s%.*s%s", outside, n,
                   names, level->other.text ? " (but in " : "", (int)level->other.length,
                   level->other.text ? level->other.text : "", level->other.text ? ", say)" : "");
}

/* The one folder at this level is a split's. */
static bool is_one_split(const struct level *level) {
    return level->n == 1 && !level->loose && strcmp(level->folders[0].pattern, "*") == 0;
}

static bool has_plain_name(const struct level *level) {
    return level->n > 0 && strcmp(level->folders[0].pattern, "*") == 0;
}

/* Below one source. */
static void decide_source(struct tsr_listed *items, size_t n, const struct tsr_notice *notice) {
    struct level level, one = {0};
    int depth_of_one = -1;
    const char *pattern = NULL;
    int depth = 0;
    for (;; depth++) {
        look_at_level(items, n, depth, &level);
        pattern = pattern_of(&level);
        if (pattern || !level.any) break;
        if (depth_of_one < 0 && has_plain_name(&level)) one = level;
        if (depth_of_one < 0 && has_plain_name(&level)) depth_of_one = depth;
    }
    if (!pattern && depth_of_one >= 0 && is_one_split(&one)) {
        (void)decide(items, n, depth_of_one, &one, "*");
        tsr_notice(notice, "%.*s: all lies in the folder %.*s, and is of that split",
                   source_length(items), items->path, (int)one.folders[0].name.length,
                   one.folders[0].name.text);
    } else if (!pattern && depth_of_one >= 0) {
        tsr_notice(
            notice,
            "%.*s: the folder %.*s lies beside others%s%.*s%s and no other split: it is taken "
            "for a class, not for a split",
            source_length(items), items->path, (int)one.folders[0].name.length,
            one.folders[0].name.text, one.other.text ? " (" : "", (int)one.other.length,
            one.other.text ? one.other.text : "", one.other.text ? ")" : "");
    } else if (pattern) {
        size_t outside = decide(items, n, depth, &level, pattern);
        say_what_was_found(items, n, depth, &level, pattern, outside, notice);
    }
}

void tsr_split_by_folders(struct tsr_listing *listing, const struct tsr_notice *notice) {
    struct level level;
    struct tsr_listed *items = listing->items;
    for (int depth = -1; depth >= HIGHEST; depth--) {
        look_at_level(items, listing->n, depth, &level);
        const char *pattern = pattern_of(&level);
        if (!pattern) continue;
        size_t outside = decide(items, listing->n, depth, &level, pattern);
        say_what_was_found(items, listing->n, depth, &level, pattern, outside, notice);
        return;
    }
    for (size_t first = 0, end; first < listing->n; first = end) {
        for (end = first + 1; end < listing->n && items[end].origin == items[first].origin; end++) {
        }
        decide_source(items + first, end - first, notice);
    }
}
