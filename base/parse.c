/* SPDX-License-Identifier: MIT */
#include "base/parse.h"

#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Longest text of a number or of an object with its parameters. */
enum { LONGEST = 255 };

static enum tsr_status not_a(const char *what, const char *text, const char *rule,
                             struct tsr_error *err) {
    return TSR_ERROR(err, TSR_ERR_CONFIG, "%s: \"%s\" is not %s", what, text, rule);
}

enum tsr_status tsr_parse_number(const char *what, const char *text, double *value,
                                 struct tsr_error *err) {
    char copy[LONGEST + 1], *end;
    size_t n = strlen(text);
    /* strtod() alone would take " 1", "nan" and "0x1p3" too. */
    if (n == 0 || n > LONGEST || text[strspn(text, "0123456789.eE+-")] != 0)
        return not_a(what, text, "a number", err);
    memcpy(copy, text, n + 1);
    char *point = strchr(copy, '.');
    if (point) *point = localeconv()->decimal_point[0];
    double number = strtod(copy, &end);
    if (*end || !isfinite(number)) return not_a(what, text, "a number", err);
    *value = number;
    return TSR_OK;
}

static enum tsr_status parse_whole(const char *what, const char *text, uint64_t most,
                                   uint64_t *value, struct tsr_error *err) {
    size_t n = strlen(text);
    if (n == 0 || n > 20 || text[strspn(text, "0123456789")] != 0)
        return not_a(what, text, "a whole number", err);
    errno = 0;
    unsigned long long number = strtoull(text, NULL, 10);
    if (errno != 0 || number > most) return not_a(what, text, "a number of that size", err);
    *value = number;
    return TSR_OK;
}

enum tsr_status tsr_parse_param(const struct tsr_param *row, const char *text, double *value,
                                struct tsr_error *err) {
    if (row->type == TSR_PARAM_CHOICE) return tsr_param_parse_choice(row, text, value, err);
    return tsr_parse_number(row->name, text, value, err);
}

/* Row of the i-th parameter that is given by its position; n if there is none. */
static size_t positional(const struct tsr_params *params, size_t i) {
    size_t row = 0;
    for (; row < params->n; row++)
        if (params->row[row].positional && i-- == 0) break;
    return row;
}

/* "8x8": as many as there are. */
static enum tsr_status parse_positional(const struct tsr_object *object, char *text, size_t *given,
                                        double *value, struct tsr_error *err) {
    while (text) {
        char *end = strchr(text, 'x');
        size_t row = positional(&object->params, *given);
        if (end) *end++ = 0;
        if (row == object->params.n)
            return TSR_ERROR(err, TSR_ERR_CONFIG, "%s: \"%s\" is too much", object->name, text);
        TSR_TRY(tsr_parse_param(&object->params.row[row], text, &value[row], err));
        text = end;
        ++*given;
    }
    return TSR_OK;
}

static char *next_word(char **text) {
    char *word = *text + strspn(*text, " ,");
    size_t n = strcspn(word, " ,");
    if (n == 0) return NULL;
    *text = word + n + (word[n] != 0);
    word[n] = 0;
    return word;
}

enum tsr_status tsr_parse_choice(const struct tsr_registry *registry, const char *text,
                                 struct tsr_choice *choice, struct tsr_error *err) {
    char copy[LONGEST + 1], *rest = copy;
    const struct tsr_object *object;
    size_t n = strlen(text), given = 0;
    if (n > LONGEST) return not_a(registry->what, text, "a name with parameters", err);
    memcpy(copy, text, n + 1);
    char *word = next_word(&rest);
    TSR_TRY(tsr_registry_find(registry, word ? word : "", &object, err));
    struct tsr_choice found = tsr_choice_of(object);
    while ((word = next_word(&rest))) {
        size_t row = tsr_params_find(&object->params, word);
        if (row == object->params.n) {
            TSR_TRY(parse_positional(object, word, &given, found.value, err));
            continue;
        }
        char *value = next_word(&rest);
        TSR_TRY(
            tsr_parse_param(&object->params.row[row], value ? value : "", &found.value[row], err));
    }
    /* One extent stands for all: "grid 8" is "grid 8x8". */
    for (size_t i = 1, row; given == 1 && (row = positional(&object->params, i)) < object->params.n;
         i++)
        found.value[row] = found.value[positional(&object->params, 0)];
    /* What the data decide, the number of classes say, may still be out of range. */
    for (size_t i = 0; i < object->params.n; i++)
        if (!object->params.row[i].derived) {
            const struct tsr_params one = {&object->params.row[i], 1};
            TSR_TRY(tsr_params_check(object->name, &one, &found.value[i], err));
        }
    *choice = found;
    return TSR_OK;
}

enum tsr_status tsr_parse_setting(const struct tsr_setting *s, const char *text,
                                  struct tsr_error *err) {
    uint64_t whole;
    size_t index = 0;
    switch (s->type) {
    case TSR_SETTING_SIZE:
        TSR_TRY(parse_whole(s->name, text, SIZE_MAX, &whole, err));
        *(size_t *)s->value = (size_t)whole;
        return TSR_OK;
    case TSR_SETTING_U64:
        return parse_whole(s->name, text, UINT64_MAX, s->value, err);
    case TSR_SETTING_REAL:
        return tsr_parse_number(s->name, text, s->value, err);
    case TSR_SETTING_NAME:
        TSR_TRY(tsr_name_parse(text, s->names->name, s->names->n, s->names->what, &index, err));
        memcpy(s->value, &(int){(int)index}, sizeof(int));
        return TSR_OK;
    case TSR_SETTING_CHOICE:
        return tsr_parse_choice(s->registry, text, s->value, err);
    }
    return TSR_OK;
}
