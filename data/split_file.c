/* SPDX-License-Identifier: MIT */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/dataset.h"
#include "data/file.h"
#include "data/listing.h"

#define LARGEST ((size_t)1 << 30)

static bool parse_split(const char *text, uint8_t *out) {
    enum tsr_split split;
    if (text[0] >= '0' && text[0] <= '2' && text[1] == 0) {
        *out = (uint8_t)(text[0] - '0');
        return true;
    }
    if (tsr_split_parse(text, &split, NULL) != TSR_OK || split == TSR_SPLIT_ALL) return false;
    *out = (uint8_t)split;
    return true;
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

char *tsr_trim(char *text) {
    while (is_space(*text))
        text++;
    char *end = text + strlen(text);
    while (end > text && is_space(end[-1]))
        end--;
    *end = 0;
    return text;
}

/* A line [from `text`, terminated]. The last word is the split: names may contain spaces. */
static enum tsr_status parse_line(const char *path, size_t line, char *text,
                                  struct tsr_split_file *out, struct tsr_error *err) {
    text = tsr_trim(text);
    if (*text == 0) return TSR_OK;
    char *split = text + strlen(text);
    while (split > text && !is_space(split[-1]))
        split--;
    struct tsr_split_entry entry = {.line = line};
    if (split == text || !parse_split(split, &entry.split))
        return TSR_ERROR(err, TSR_ERR_FORMAT,
                         "%s: line %zu is \"%.200s\"; expected \"name split\", split 0, 1, 2, "
                         "train, val or test",
                         path, line, text);
    split[-1] = 0;
    entry.name = tsr_trim(text);
    out->entries[out->n++] = entry;
    return TSR_OK;
}

static enum tsr_status parse(const char *path, size_t size, struct tsr_split_file *out,
                             struct tsr_error *err) {
    size_t lines = 1, line = 1;
    void *memory;
    for (size_t i = 0; i < size; i++)
        lines += out->text[i] == '\n';
    TSR_TRY(tsr_alloc(&memory, lines, sizeof *out->entries, path, err));
    out->entries = memory;
    for (char *at = out->text, *end = at + size; at < end; line++) {
        char *stop = memchr(at, '\n', (size_t)(end - at));
        if (!stop) stop = end;
        *stop = 0;
        if (strlen(at) != (size_t)(stop - at))
            return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: line %zu is not text", path, line);
        TSR_TRY(parse_line(path, line, at, out, err));
        at = stop + 1;
    }
    return TSR_OK;
}

static int by_name(const void *a, const void *b) {
    const struct tsr_split_entry *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    if (order != 0) return order;
    return x->line < y->line ? -1 : 1;
}

/* Sorts, and drops what is said twice. */
static enum tsr_status sort(const char *path, struct tsr_split_file *out, struct tsr_error *err) {
    size_t kept = 0;
    struct tsr_split_entry *e = out->entries;
    qsort(e, out->n, sizeof *e, by_name);
    for (size_t i = 0; i < out->n; i++) {
        if (kept > 0 && strcmp(e[kept - 1].name, e[i].name) == 0) {
            if (e[kept - 1].split == e[i].split) continue;
            return TSR_ERROR(err, TSR_ERR_FORMAT,
                             "%s: line %zu puts \"%.200s\" into another split than line %zu", path,
                             e[i].line, e[i].name, e[kept - 1].line);
        }
        e[kept++] = e[i];
    }
    out->n = kept;
    return TSR_OK;
}

enum tsr_status tsr_split_file_read(const char *path, struct tsr_split_file *out,
                                    struct tsr_error *err) {
    unsigned char *bytes;
    size_t size;
    *out = (struct tsr_split_file){0};
    TSR_TRY(tsr_file_read(path, LARGEST, &bytes, &size, err));
    out->text = (char *)bytes;
    enum tsr_status status = parse(path, size, out, err);
    if (status == TSR_OK) status = sort(path, out, err);
    if (status == TSR_OK && out->n == 0)
        status = TSR_ERROR(err, TSR_ERR_FORMAT, "%s: names no image; expected lines \"name split\"",
                           path);
    if (status != TSR_OK) tsr_split_file_clear(out);
    return status;
}

void tsr_split_file_clear(struct tsr_split_file *file) {
    free(file->text);
    free(file->entries);
    *file = (struct tsr_split_file){0};
}

static int compare_key(const void *key, const void *entry) {
    return strcmp(key, ((const struct tsr_split_entry *)entry)->name);
}

struct tsr_split_entry *tsr_split_file_find(const struct tsr_split_file *file, const char *name) {
    return bsearch(name, file->entries, file->n, sizeof *file->entries, compare_key);
}
