/* SPDX-License-Identifier: MIT */
#include "cli/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/paths.h"
#include "cli/shown.h"
#include "data/file.h"

static void put(struct cli_json *j, const char *text, size_t n) {
    if (j->failed) return;
    if (j->capacity - j->size < n + 1) {
        size_t capacity = 2 * j->capacity + n + 4096;
        char *grown = realloc(j->text, capacity);
        j->failed = !grown;
        if (!grown) return;
        j->text = grown;
        j->capacity = capacity;
    }
    memcpy(j->text + j->size, text, n);
    j->size += n;
    j->text[j->size] = '\0';
}

static void puts_json(struct cli_json *j, const char *text) {
    put(j, text, strlen(text));
}

static void new_line(struct cli_json *j) {
    put(j, "\n", 1);
    for (size_t i = 0; i < j->depth; i++)
        put(j, "  ", 2);
}

static void put_quoted(struct cli_json *j, const char *text) {
    char code[8];
    put(j, "\"", 1);
    for (const char *s = text; *s;) {
        size_t n = cli_utf8_length(s);
        if (*s == '"' || *s == '\\') {
            code[0] = '\\', code[1] = *s;
            put(j, code, 2);
        } else if (n == 0) {
            put(j, "\\ufffd", 6);
        } else if (cli_is_control(s, n)) {
            (void)snprintf(code, sizeof code, "\\u%04x", cli_code_point(s, n) & 0xFFFF);
            put(j, code, 6);
        } else {
            put(j, s, n);
        }
        s += n ? n : 1;
    }
    put(j, "\"", 1);
}

static void begin(struct cli_json *j, const char *key) {
    if (j->comma) put(j, ",", 1);
    if (j->inlined) {
        if (j->comma) put(j, " ", 1);
    } else if (j->depth > 0) {
        new_line(j);
    }
    if (key) {
        put_quoted(j, key);
        put(j, ": ", 2);
    }
    j->comma = true;
}

void cli_json_open(struct cli_json *j, const char *key, char bracket) {
    begin(j, key);
    put(j, &bracket, 1);
    j->depth++;
    j->comma = false;
}

void cli_json_close(struct cli_json *j, char bracket) {
    j->depth--;
    if (j->comma) new_line(j);
    put(j, &bracket, 1);
    j->comma = true;
}

void cli_json_string(struct cli_json *j, const char *key, const char *value) {
    begin(j, key);
    if (value)
        put_quoted(j, value);
    else
        puts_json(j, "null");
}

void cli_json_number(struct cli_json *j, const char *key, double value) {
    char text[32] = "null";
    begin(j, key);
    if (isfinite(value)) (void)snprintf(text, sizeof text, "%.9g", value);
    puts_json(j, text);
}

void cli_json_integer(struct cli_json *j, const char *key, uint64_t value) {
    char text[32];
    begin(j, key);
    (void)snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    puts_json(j, text);
}

void cli_json_text(struct cli_json *j, const char *key, const char *json) {
    begin(j, key);
    puts_json(j, json);
}

void cli_json_numbers(struct cli_json *j, const char *key, const double *values, size_t n) {
    begin(j, key);
    put(j, "[", 1);
    j->comma = false;
    j->inlined = true;
    for (size_t i = 0; i < n; i++)
        cli_json_number(j, NULL, values[i]);
    j->inlined = false;
    put(j, "]", 1);
    j->comma = true;
}

enum tsr_status cli_json_finish(struct cli_json *j, struct tsr_error *err) {
    put(j, "\n", 1);
    if (j->failed) return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "no memory for the JSON text");
    return TSR_OK;
}

enum tsr_status cli_json_write(struct cli_json *j, const char *path, struct tsr_error *err) {
    enum tsr_status status = cli_json_finish(j, err);
    if (status == TSR_OK && cli_is_stdout(path))
        (void)fwrite(j->text, 1, j->size, stdout); /* main() checks stdout */
    else if (status == TSR_OK)
        status = tsr_file_replace(path, j->text, j->size, err);
    cli_json_clear(j);
    return status;
}

void cli_json_clear(struct cli_json *j) {
    free(j->text);
    *j = (struct cli_json){0};
}

/* ---- settings -------------------------------------------------------------------------------- */

void cli_json_choice(struct cli_json *j, const char *key, const struct tsr_choice *choice) {
    const struct tsr_params *params = &choice->object->params;
    cli_json_string(j, key, choice->object->name);
    for (size_t i = 0; i < params->n; i++) {
        const struct tsr_param *row = &params->row[i];
        if (row->type == TSR_PARAM_CHOICE)
            cli_json_string(j, row->name, row->choices[(size_t)choice->value[i]]);
        else
            cli_json_number(j, row->name, choice->value[i]);
    }
}

enum tsr_status cli_json_setting(void *user, const struct tsr_setting *setting,
                                 struct tsr_error *err) {
    struct cli_json_settings *s = user;
    struct cli_json *j = s->json;
    char text[64];
    (void)err;
    if (strcmp(s->group, setting->group) != 0) {
        cli_json_settings_end(s);
        (void)snprintf(s->group, sizeof s->group, "%s", setting->group);
        cli_json_open(j, setting->group, '{');
    }
    switch (setting->type) {
    case TSR_SETTING_SIZE:
        cli_json_integer(j, setting->name, *(const size_t *)setting->value);
        break;
    case TSR_SETTING_U64:
        cli_json_integer(j, setting->name, *(const uint64_t *)setting->value);
        break;
    case TSR_SETTING_REAL:
        cli_json_number(j, setting->name, *(const double *)setting->value);
        break;
    case TSR_SETTING_NAME:
        tsr_setting_print(setting, text, sizeof text);
        cli_json_string(j, setting->name, text);
        break;
    case TSR_SETTING_CHOICE:
        cli_json_choice(j, setting->name, setting->value);
        break;
    }
    return TSR_OK;
}

void cli_json_settings_end(struct cli_json_settings *s) {
    if (s->group[0]) cli_json_close(s->json, '}');
    s->group[0] = '\0';
}
