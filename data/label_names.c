/* SPDX-License-Identifier: MIT */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/h5.h"
#include "data/label_files.h"
#include "data/text.h"

#define LARGEST ((size_t)1 << 24)
#define NUMBER_SIZE 8 /* of "65535" */

/* ---- lines ----------------------------------------------------------------------------------- */

/* Cuts the text into trimmed lines, without the empty ones at the end. */
static enum tsr_status cut_lines(const char *path, char *text, size_t size, char ***out, size_t *n,
                                 struct tsr_error *err) {
    size_t lines = 1, used = 0;
    bool is_text;
    *n = 0;
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    TSR_TRY(TSR_ALLOC(out, lines, path, err));
    for (char *at = text, *line; (line = tsr_next_line(&at, text + size, &is_text)) != NULL;) {
        if (!is_text)
            return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: line %zu is not text", path, used + 1);
        (*out)[used++] = line;
        if (*line) *n = used;
    }
    for (size_t i = 0; i < *n; i++)
        if (!*(*out)[i])
            return TSR_ERROR(err, TSR_ERR_FORMAT,
                             "%s: line %zu is empty; it is the name of label %zu", path, i + 1, i);
    if (*n == 0) return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: names no label", path);
    return TSR_OK;
}

/* "12 name", "12: name", "12,name", "12. name": the number, and where the name begins. */
static bool split_number(char *line, size_t *number, char **name) {
    size_t digits = strspn(line, "0123456789"), at = digits;
    if (digits == 0 || digits > 5 || !line[digits] || !strchr(" \t:,;.", line[digits]))
        return false;
    *number = strtoul(line, NULL, 10);
    while (line[at] == ' ' || line[at] == '\t')
        at++;
    if (line[at] && strchr(":,;.", line[at])) at++;
    *name = tsr_trim(line + at);
    return **name != 0;
}

/* ---- names ----------------------------------------------------------------------------------- */

static enum tsr_status allocate(size_t n, size_t text, struct tsr_label_names *out,
                                struct tsr_error *err) {
    void *memory;
    TSR_TRY(tsr_alloc(&memory, n * (sizeof(char *) + NUMBER_SIZE) + text, 1, "label names", err));
    *out = (struct tsr_label_names){.names = memory, .n = n};
    char *at = (char *)memory + n * sizeof(char *);
    for (size_t i = 0; i < n; i++, at += NUMBER_SIZE) {
        out->names[i] = at;
        (void)snprintf(at, NUMBER_SIZE, "%u", (unsigned)(uint16_t)i);
    }
    return TSR_OK;
}

enum tsr_status tsr_label_names_number(size_t n, struct tsr_label_names *out,
                                       struct tsr_error *err) {
    return allocate(n, 0, out, err);
}

/* Lines of both kinds could be read in two ways. */
static enum tsr_status find_numbers(const char *path, char *const *lines, size_t n, bool *numbered,
                                    struct tsr_error *err) {
    size_t number, with = 0, first[2] = {0};
    char *name;
    for (size_t i = n; i-- > 0;) {
        bool has = split_number(lines[i], &number, &name);
        with += has;
        first[has] = i;
    }
    *numbered = with == n;
    if (with == 0 || with == n) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_FORMAT,
                     "%s: line %zu is \"%.100s\", with a number, and line %zu \"%.100s\", without: "
                     "either each line is \"number name\" or none is",
                     path, first[1] + 1, lines[first[1]], first[0] + 1, lines[first[0]]);
}

static size_t count_labels(char *const *lines, size_t n, bool numbered) {
    size_t count = numbered ? 0 : n, number;
    char *name;
    for (size_t i = 0; i < n && numbered; i++)
        if (split_number(lines[i], &number, &name) && number >= count) count = number + 1;
    return count;
}

/* At first each name is its number: what lies elsewhere was named before. `text`: characters of all
 * lines, terminators included. */
static enum tsr_status name_labels(const char *path, char *const *lines, size_t n, size_t text,
                                   struct tsr_label_names *out, struct tsr_error *err) {
    bool numbered;
    TSR_TRY(find_numbers(path, lines, n, &numbered, err));
    size_t count = count_labels(lines, n, numbered);
    if (count > TSR_H5_MAX_ATTR_STRINGS)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: names %zu labels; at most %d can be named", path,
                         count, TSR_H5_MAX_ATTR_STRINGS);
    TSR_TRY(allocate(count, text, out, err));
    char *numbers = (char *)(out->names + count), *at = numbers + count * NUMBER_SIZE;
    for (size_t i = 0; i < n; i++) {
        size_t number = i;
        char *name = lines[i];
        if (numbered) (void)split_number(lines[i], &number, &name);
        if (out->names[number] != numbers + number * NUMBER_SIZE)
            return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: line %zu names label %zu once more", path,
                             i + 1, number);
        size_t size = strlen(name) + 1;
        memcpy(at, name, size);
        out->names[number] = at;
        at += size;
    }
    return TSR_OK;
}

enum tsr_status tsr_label_names_read(const char *path, struct tsr_label_names *out,
                                     struct tsr_error *err) {
    char *text, **lines = NULL;
    size_t size, n;
    *out = (struct tsr_label_names){0};
    TSR_TRY(tsr_text_read(path, LARGEST, &text, &size, err));
    enum tsr_status status = cut_lines(path, text, size, &lines, &n, err);
    if (status == TSR_OK) status = name_labels(path, lines, n, size + 1, out, err);
    free(lines);
    free(text);
    if (status != TSR_OK) tsr_label_names_clear(out);
    return status;
}

void tsr_label_names_clear(struct tsr_label_names *names) {
    free(names->names);
    free(names->kept);
    *names = (struct tsr_label_names){0};
}
