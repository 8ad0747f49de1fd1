/* SPDX-License-Identifier: MIT */
#include "cli/settings.h"

#include <stdio.h>
#include <string.h>

void cli_json_model(struct cli_json *j, const struct tsr_model_config *config) {
    struct tsr_model_config copy = *config; /* a visitor may write */
    struct cli_json_settings settings = {.json = j};
    (void)tsr_model_config_visit(&copy, cli_json_setting, &settings, NULL);
    cli_json_settings_end(&settings);
}

struct rows {
    cli_row_fn row;
    void *user;
    char group[40], text[512];
};

static void flush(struct rows *r) {
    if (r->text[0]) r->row(r->user, r->group, r->text);
    r->group[0] = r->text[0] = '\0';
}

static bool says_nothing(const struct tsr_setting *s) {
    if (s->one_is_none)
        return s->type == TSR_SETTING_SIZE ? *(const size_t *)s->value == 1
                                           : *(const double *)s->value == 1;
    return s->optional && s->type == TSR_SETTING_SIZE && *(const size_t *)s->value == 0;
}

static enum tsr_status add_setting(void *user, const struct tsr_setting *s, struct tsr_error *err) {
    struct rows *r = user;
    char value[256];
    (void)err;
    if (strcmp(r->group, s->group) != 0) flush(r);
    (void)snprintf(r->group, sizeof r->group, "%s", s->group);
    if (says_nothing(s)) return TSR_OK;
    tsr_setting_print(s, value, sizeof value);
    size_t used = strlen(r->text);
    bool named = s->type != TSR_SETTING_CHOICE; /* an object says what it is */
    (void)snprintf(r->text + used, sizeof r->text - used, "%s%s%s%s", used ? ", " : "",
                   named ? s->name : "", named ? " " : "", value);
    return TSR_OK;
}

void cli_model_rows(const struct tsr_model_config *config, cli_row_fn row, void *user) {
    struct tsr_model_config copy = *config;
    struct rows rows = {.row = row, .user = user};
    (void)tsr_model_config_visit(&copy, add_setting, &rows, NULL);
    flush(&rows);
}

void cli_shape_rows(const struct tsr_model_config *config, cli_row_fn row, void *user) {
    struct tsr_model_config copy = *config;
    struct rows rows = {.row = row, .user = user};
    (void)tsr_model_shape_visit(&copy, add_setting, &rows, NULL);
    flush(&rows);
}

void cli_table_row(void *to, const char *name, const char *text) {
    (void)fprintf(to, "  %-18s %s\n", name, text);
}
