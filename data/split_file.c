/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/memory.h"
#include "data/splits.h"
#include "data/text.h"

#define LARGEST ((size_t)1 << 30)

/* ---- words ----------------------------------------------------------------------------------- */

static bool parse_split(const char *text, uint8_t *out) {
    if (text[0] >= '0' && text[0] <= '2' && text[1] == 0) {
        *out = (uint8_t)(text[0] - '0');
        return true;
    }
    return tsr_split_of_word(text, strlen(text), out);
}

static bool is_number(const char *text) {
    text += *text == '-' || *text == '+';
    return *text && text[strspn(text, "0123456789")] == 0;
}

/* Of lists made on other systems, or of another folder's. */
static char *tidy_name(char *name) {
    if (!strchr(name, '/'))
        for (char *c = name; *c; c++)
            if (*c == '\\') *c = '/';
    for (;;)
        if (name[0] == '/')
            name++;
        else if (name[0] == '.' && name[1] == '/')
            name += 2;
        else
            return name;
}

/* ---- tables ---------------------------------------------------------------------------------- */

#define MOST_COLUMNS 64

/* Takes the quotes off a field, in place. *next: behind it, or NULL. */
static char *cut_field(char *at, char delimiter, char **next) {
    char *to = at, *from = at;
    bool quoted = false;
    for (; *from && (quoted || *from != delimiter); from++)
        if (*from != '"')
            *to++ = *from;
        else if (quoted && from[1] == '"') /* two stand for one */
            *to++ = *from++;
        else
            quoted = !quoted;
    *next = *from ? from + 1 : NULL;
    *to = 0;
    return tsr_trim(at);
}

static size_t cut_fields(char *line, char delimiter, char *fields[MOST_COLUMNS]) {
    size_t n = 0;
    while (line && n < MOST_COLUMNS)
        fields[n++] = cut_field(line, delimiter, &line);
    return n;
}

/* What columns are called, the best name first. */
static const char *const image_columns[] = {
    "path",     "filepath", "filepaths",  "file_path", "image_path", "filename", "file_name",
    "file",     "image",    "image_name", "image_id",  "imageid",    "img",      "img_path",
    "img_name", "images",   "name",       "id",        NULL};
static const char *const split_columns[] = {"split",    "partition", "set", "subset",
                                            "data set", "dataset",   NULL};

/* The column that has the best of some names, or n. */
static size_t find_column(char *const *fields, size_t n, const char *const *names) {
    for (; *names; names++)
        for (size_t i = 0; i < n; i++)
            if (strcasecmp(fields[i], *names) == 0) return i;
    return n;
}

struct table {
    char delimiter; /* 0: lines are no rows of a table */
    size_t columns, image, split;
};

/* Is the first line the header of a table? */
static enum tsr_status find_header(const char *path, size_t number, const char *line,
                                   bool of_splits, struct table *out, struct tsr_error *err) {
    char *fields[MOST_COLUMNS];
    *out = (struct table){0};
    for (const char *d = ",;\t"; *d; d++) {
        char *copy = strdup(line);
        if (!copy) return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: no memory to read it", path);
        size_t n = cut_fields(copy, *d, fields);
        size_t image = find_column(fields, n, image_columns);
        size_t split = find_column(fields, n, split_columns);
        free(copy);
        if (image < n && split < n && image != split)
            *out = (struct table){*d, n, image, split};
        else if (image < n && !of_splits)
            *out = (struct table){*d, n, image, n};
        else if (image < n && n > 1)
            return TSR_ERROR(
                err, TSR_ERR_FORMAT,
                "%s: line %zu is \"%.200s\", a header without a column split, partition, "
                "set or subset; or without a column of images",
                path, number, line);
        if (out->delimiter) return TSR_OK;
    }
    return TSR_OK;
}

/* ---- lines ----------------------------------------------------------------------------------- */

static enum tsr_status add_entry(struct tsr_split_file *file, const struct tsr_split_entry *entry,
                                 struct tsr_error *err) {
    TSR_TRY(TSR_GROW(&file->entries, file->n, entry->path, err));
    file->entries[file->n++] = *entry;
    return TSR_OK;
}

static enum tsr_status bad_line(const struct tsr_split_entry *e, const char *line,
                                struct tsr_error *err) {
    return TSR_ERROR(err, TSR_ERR_FORMAT,
                     "%s: line %zu is \"%.200s\"; expected \"name split\", split 0, 1, 2, train, "
                     "val or test",
                     e->path, e->line, line);
}

/* The last word is the split: names may contain spaces. */
static char *find_split(char *line, uint8_t *split) {
    for (const char *separator = " \t,;"; *separator; separator++) {
        char *at = strrchr(line, *separator);
        if (!at || !parse_split(at + 1, split)) continue;
        while (at > line && strchr(" \t,;", at[-1]))
            at--;
        *at = 0;
        return line;
    }
    return NULL;
}

static enum tsr_status parse_row(const struct table *table, struct tsr_split_entry *entry,
                                 char *line, bool of_splits, struct tsr_error *err) {
    char *fields[MOST_COLUMNS];
    size_t n = cut_fields(line, table->delimiter, fields);
    size_t needed = of_splits && table->split > table->image ? table->split : table->image;
    if (n <= needed || !*fields[table->image])
        return TSR_ERROR(err, TSR_ERR_FORMAT,
                         "%s: line %zu has %zu columns, or an empty name; its header has %zu",
                         entry->path, entry->line, n, table->columns);
    if (of_splits && !parse_split(fields[table->split], &entry->split))
        return TSR_ERROR(err, TSR_ERR_FORMAT,
                         "%s: line %zu has the split \"%.100s\"; it is 0, 1, 2, train, val or test",
                         entry->path, entry->line, fields[table->split]);
    entry->name = tidy_name(fields[table->image]);
    return TSR_OK;
}

/* What follows the name of an image, or a number behind any name, is passed over: the path of a
 * label map, whether a class is there. */
static char *cut_name(char *line) {
    char *blank = line + strcspn(line, " \t"), *last = strrchr(line, ' ');
    if (!*blank) return line;
    char kept = *blank;
    *blank = 0;
    if (tsr_image_ending(line)) return line;
    *blank = kept;
    if (last && is_number(last + 1)) *last = 0;
    return tsr_trim(line);
}

static enum tsr_status parse_line(const struct table *table, struct tsr_split_entry *entry,
                                  char *line, bool of_splits, struct tsr_error *err) {
    if (table->delimiter) return parse_row(table, entry, line, of_splits, err);
    if (!of_splits) {
        entry->name = tidy_name(cut_name(line));
        return TSR_OK;
    }
    char *name = find_split(line, &entry->split);
    if (!name || !*name) return bad_line(entry, line, err);
    entry->name = tidy_name(name);
    return TSR_OK;
}

static enum tsr_status add_file(struct tsr_split_file *file, const char *path, bool of_splits,
                                uint8_t split, struct tsr_error *err) {
    char *line;
    size_t size, number = 0, before = file->n;
    bool is_text, first = true;
    struct table table = {0};
    if (file->n_texts == sizeof file->texts / sizeof *file->texts)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "%s: one list too many for three splits", path);
    TSR_TRY(tsr_text_read(path, LARGEST, &file->texts[file->n_texts], &size, err));
    char *at = file->texts[file->n_texts++], *end = at + size;
    while ((line = tsr_next_line(&at, end, &is_text)) != NULL) {
        struct tsr_split_entry entry = {.path = path, .line = ++number, .split = split};
        if (!is_text)
            return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: line %zu is not text", path, number);
        if (!*line) continue;
        if (first) TSR_TRY(find_header(path, number, line, of_splits, &table, err));
        if (!first || !table.delimiter) {
            TSR_TRY(parse_line(&table, &entry, line, of_splits, err));
            TSR_TRY(add_entry(file, &entry, err));
        }
        first = false;
    }
    if (file->n > before) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: names no image; expected lines \"name%s\"", path,
                     of_splits ? " split" : "");
}

enum tsr_status tsr_split_file_add(struct tsr_split_file *file, const char *path,
                                   struct tsr_error *err) {
    return add_file(file, path, true, TSR_UNDECIDED, err);
}

enum tsr_status tsr_split_list_add(struct tsr_split_file *file, const char *path, uint8_t split,
                                   struct tsr_error *err) {
    return add_file(file, path, false, split, err);
}

/* ---- finding --------------------------------------------------------------------------------- */

/* The last component without the ending of an image. */
static const char *stem_of(const char *name, size_t *length) {
    const char *stem = tsr_last_component(name);
    *length = strlen(stem) - tsr_image_ending(stem);
    return stem;
}

static int compare_stems(const char *a, const char *b) {
    size_t x, y;
    const char *p = stem_of(a, &x), *q = stem_of(b, &y);
    int order = memcmp(p, q, x < y ? x : y);
    return order != 0 ? order : x < y ? -1 : x > y;
}

static int by_stem(const void *a, const void *b) {
    const struct tsr_split_entry *x = a, *y = b;
    int order = compare_stems(x->name, y->name);
    if (order == 0) order = strcmp(x->name, y->name);
    if (order == 0) order = strcmp(x->path, y->path);
    return order != 0 ? order : x->line < y->line ? -1 : 1;
}

enum tsr_status tsr_split_file_sort(struct tsr_split_file *file, struct tsr_error *err) {
    size_t kept = 0;
    struct tsr_split_entry *e = file->entries;
    qsort(e, file->n, sizeof *e, by_stem);
    for (size_t i = 0; i < file->n; i++) {
        if (kept > 0 && strcmp(e[kept - 1].name, e[i].name) == 0) {
            if (e[kept - 1].split == e[i].split) continue;
            bool other = strcmp(e[kept - 1].path, e[i].path) != 0;
            return TSR_ERROR(err, TSR_ERR_FORMAT,
                             "%s: line %zu puts \"%.200s\" into another split than line %zu%s%s",
                             e[i].path, e[i].line, e[i].name, e[kept - 1].line, other ? " of " : "",
                             other ? e[kept - 1].path : "");
        }
        e[kept++] = e[i];
    }
    file->n = kept;
    return TSR_OK;
}

void tsr_split_file_clear(struct tsr_split_file *file) {
    for (size_t i = 0; i < file->n_texts; i++)
        free(file->texts[i]);
    free(file->entries);
    *file = (struct tsr_split_file){0};
}

/* Folders that the ends of two names have in common, plus one; 0 unless one name is the end of the
 * other. Their last components are equal but for the ending. */
static size_t common_end(const char *a, const char *b) {
    const char *x = tsr_last_component(a), *y = tsr_last_component(b);
    size_t common = 1;
    while (x > a && y > b) {
        const char *p = --x, *q = --y; /* on the slashes */
        while (x > a && x[-1] != '/')
            x--;
        while (y > b && y[-1] != '/')
            y--;
        if (p - x != q - y || memcmp(x, y, (size_t)(p - x)) != 0) return 0;
        common++;
    }
    return common;
}

struct tsr_split_entry *tsr_split_file_find(const struct tsr_split_file *file, const char *image,
                                            const struct tsr_split_entry **rival) {
    size_t low = 0, high = file->n, best = 0;
    struct tsr_split_entry *found = NULL;
    const char *last = tsr_last_component(image);
    *rival = NULL;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_stems(file->entries[middle].name, image) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < file->n && compare_stems(file->entries[low].name, image) == 0; low++) {
        struct tsr_split_entry *entry = &file->entries[low];
        size_t right = 2 * common_end(entry->name, image);
        if (right == 0) continue;
        right += tsr_image_ending(entry->name) == 0 ||
                 strcmp(tsr_last_component(entry->name), last) == 0;
        if (right == best && found && entry->split != found->split) *rival = entry;
        if (right <= best) continue;
        best = right;
        found = entry;
        *rival = NULL;
    }
    return found;
}

/* ---- a list of images ------------------------------------------------------------------------ */

static bool has_ending_of(const struct tsr_split_entry *entry, const struct tsr_listed *item) {
    return strcmp(tsr_last_component(entry->name), tsr_last_component(item->name)) == 0;
}

static enum tsr_status find_exact(struct tsr_split_file *file, const struct tsr_listing *listing,
                                  struct tsr_error *err) {
    const struct tsr_split_entry *rival;
    for (size_t i = 0; i < listing->n; i++) {
        struct tsr_split_entry *e = tsr_split_file_find(file, listing->items[i].name, &rival);
        if (rival)
            return TSR_ERROR(err, TSR_ERR_FORMAT,
                             "%s: has two splits: line %zu of %s (\"%.100s\") and line %zu of %s "
                             "(\"%.100s\")",
                             listing->items[i].path, e->line, e->path, e->name, rival->line,
                             rival->path, rival->name);
        if (e && has_ending_of(e, &listing->items[i])) e->by_ending = true;
    }
    return TSR_OK;
}

/* "F: names 3 images that are not there" and the like, with the first of each. */
static size_t say_missing(const struct tsr_split_file *file, const struct tsr_notice *notice) {
    const struct tsr_split_entry *first = NULL, *shared = NULL;
    size_t missing = 0, many = 0, splits[3] = {0};
    for (size_t i = 0; i < file->n; i++) {
        const struct tsr_split_entry *e = &file->entries[i];
        splits[e->split]++;
        missing += e->uses == 0;
        many += e->uses > 1;
        if (e->uses == 0 && (!first || e->line < first->line)) first = e;
        if (e->uses > 1 && !shared) shared = e;
    }
    if (missing)
        tsr_notice(notice,
                   "%s: %zu of its %zu names are those of no image; the first is \"%.200s\", "
                   "line %zu",
                   first->path, missing, file->n, first->name, first->line);
    if (many)
        tsr_notice(notice, "%s: %zu of its names stand for several images each, \"%.200s\" for %zu",
                   shared->path, many, shared->name, shared->uses);
    if (splits[0] == 0) tsr_notice(notice, "%s: names no image for training", file->entries->path);
    return missing;
}

enum tsr_status tsr_split_by_files(struct tsr_split_file *file, struct tsr_listing *listing,
                                   const struct tsr_notice *notice, size_t *left_out,
                                   size_t *missing, struct tsr_error *err) {
    size_t kept = 0, listed = listing->n;
    struct tsr_listed out = {0};
    const struct tsr_split_entry *rival;
    TSR_TRY(find_exact(file, listing, err));
    for (size_t i = 0; i < listed; i++) {
        struct tsr_listed item = listing->items[i];
        struct tsr_split_entry *e = tsr_split_file_find(file, item.name, &rival);
        if (e && e->by_ending && !has_ending_of(e, &item)) e = NULL;
        if (!e && !out.name) out = item;
        if (!e) continue;
        e->uses++;
        item.split = e->split;
        listing->items[kept++] = item;
    }
    listing->n = kept;
    *left_out = listed - kept;
    if (kept == 0)
        return TSR_ERROR(err, TSR_ERR_NOT_FOUND,
                         "%s: names none of the %zu images found: it has \"%.150s\", there is "
                         "\"%.150s\"",
                         file->entries->path, listed, file->entries->name, out.name);
    *missing = say_missing(file, notice);
    if (*left_out)
        tsr_notice(notice, "%s: %zu images that it does not name are left out; the first is %s",
                   file->entries->path, *left_out, out.path);
    return TSR_OK;
}
