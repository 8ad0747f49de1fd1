/* SPDX-License-Identifier: MIT
 *
 * Settings by name: whatever the visitors of a model's and a run's configuration show, under the
 * names of the program's options.
 */
#include "image/api_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/names.h"
#include "base/parse.h"
#include "image/api_checks.h"
#include "inner/kernels/kernel.h"

/* Where an option is not called as the attribute of the file. */
static const struct {
    const char *option, *setting;
} aliases[] = {
    {"net", "kind"},
    {"inner_steps", "steps"},
    {"inner_lr", "start_rate"},
    {"inner_loss", "loss"},
    {"time", "seconds_bound"},
    {"coords_sampling", "coord_sampling"},
    {"coords_frame", "coord_frame"},
};
/* What the dataset decides. */
static const char *const derived[] = {"in_dim", "out_dim", "image_height", "image_width"};

static const char *public_name(const char *setting) {
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++)
        if (strcmp(aliases[i].setting, setting) == 0) return aliases[i].option;
    return setting;
}

static bool is_derived(const char *setting) {
    for (size_t i = 0; i < sizeof derived / sizeof *derived; i++)
        if (strcmp(derived[i], setting) == 0) return true;
    return false;
}

/* '-' and '_' are one. */
static bool same(const char *a, const char *b) {
    for (; *a && *b; a++, b++)
        if (*a != *b && !((*a == '-' || *a == '_') && (*b == '-' || *b == '_'))) return false;
    return *a == *b;
}

/* What is looked for in the settings, and what is done with it. */
struct search {
    const char *name;
    size_t number;     /* if `name` is NULL: of the setting */
    const char *value; /* to set, or NULL */
    char *out;         /* to print into, or NULL */
    size_t size;
    bool found;
    const char *found_name;
};

static bool matches(struct search *s, const char *name) {
    if (s->name ? !same(s->name, name) : s->number-- != 0) return false;
    s->found = true;
    s->found_name = name;
    return true;
}

static enum tsr_status visit_param(struct search *s, const struct tsr_param *row, double *value,
                                   struct tsr_error *err) {
    double parsed;
    if (row->derived || !matches(s, row->name)) return TSR_OK;
    if (s->out) tsr_param_print(row, *value, s->out, s->size);
    if (!s->value) return TSR_OK;
    const struct tsr_params one = {row, 1};
    TSR_TRY(tsr_parse_param(row, s->value, &parsed, err));
    TSR_TRY(tsr_params_check("setting", &one, &parsed, err));
    *value = parsed;
    return TSR_OK;
}

static enum tsr_status visit(void *user, const struct tsr_setting *setting, struct tsr_error *err) {
    struct search *s = user;
    if (s->found || is_derived(setting->name)) return TSR_OK;
    if (matches(s, public_name(setting->name))) {
        if (s->out) tsr_setting_print(setting, s->out, s->size);
        return s->value ? tsr_parse_setting(setting, s->value, err) : TSR_OK;
    }
    if (setting->type != TSR_SETTING_CHOICE) return TSR_OK;
    struct tsr_choice *choice = setting->value;
    for (size_t i = 0; i < choice->object->params.n && !s->found; i++)
        TSR_TRY(visit_param(s, &choice->object->params.row[i], &choice->value[i], err));
    return TSR_OK;
}

static enum tsr_status visit_own(struct search *s, struct tsr_settings *t, struct tsr_error *err) {
    const struct tsr_kernel *kernel;
    const struct tsr_setting threads = TSR_SETTING("run", "threads", SIZE, &t->threads);
    TSR_TRY(visit(s, &threads, err));
    if (s->found || !matches(s, "kernel")) return TSR_OK;
    if (s->out) (void)snprintf(s->out, s->size, "%s", t->kernel);
    if (!s->value) return TSR_OK;
    TSR_TRY(tsr_kernel_find(s->value, &kernel, err));
    (void)snprintf(t->kernel, sizeof t->kernel, "%s", s->value);
    return TSR_OK;
}

/* The setting that was probably meant by a name that none has; NULL: none. */
static const char *nearest_setting(const struct tsr_settings *settings, const char *name) {
    enum { MOST = 128 };
    const char *names[MOST], *next;
    size_t n = 0;
    while (n < MOST && (next = tsr_settings_name(settings, n)))
        names[n++] = next;
    return tsr_name_nearest(name, names, n);
}

static enum tsr_status search(struct tsr_settings *t, struct search *s, struct tsr_error *err) {
    TSR_TRY(tsr_model_config_visit(&t->model, visit, s, err));
    if (!s->found) TSR_TRY(tsr_trainer_config_visit(&t->outer.config, visit, s, err));
    if (!s->found) TSR_TRY(visit_own(s, t, err));
    if (s->found || !s->name) return TSR_OK;
    const char *nearest = nearest_setting(t, s->name);
    return TSR_ERROR(err, TSR_ERR_NOT_FOUND,
                     "there is no setting \"%s\", or none with the present choices%s%s%s", s->name,
                     nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
}

enum tsr_status tsr_settings_create(struct tsr_settings **out, struct tsr_error *err) {
    TSR_NEED(out, err);
    *out = NULL;
    struct tsr_settings *t;
    TSR_TRY(TSR_ALLOC(&t, 1, "settings", err));
    tsr_model_config_default(&t->model);
    tsr_trainer_config_default(&t->outer.config);
    t->outer.config.outer_steps = 1000;
    t->outer.config.seconds = 0;
    (void)snprintf(t->kernel, sizeof t->kernel, "auto");
    *out = t;
    return TSR_OK;
}

void tsr_settings_free(struct tsr_settings *settings) {
    free(settings);
}

enum tsr_status tsr_settings_set(struct tsr_settings *settings, const char *name, const char *value,
                                 struct tsr_error *err) {
    TSR_NEED(settings, err);
    TSR_NEED(name, err);
    TSR_NEED(value, err);
    struct search s = {.name = name, .value = value};
    TSR_TRY(search(settings, &s, err));
    settings->rate_given |= same(name, "inner_lr");
    settings->steps_given |= same(name, "outer_steps");
    return TSR_OK;
}

enum tsr_status tsr_settings_get(const struct tsr_settings *settings, const char *name, char *out,
                                 size_t size, struct tsr_error *err) {
    char text[256] = "";
    TSR_NEED(settings, err);
    TSR_NEED(name, err);
    TSR_NEED(out, err);
    struct tsr_settings copy = *settings; /* a visitor could write */
    struct search s = {.name = name, .out = text, .size = sizeof text};
    TSR_TRY(search(&copy, &s, err));
    if (strlen(text) >= size)
        return TSR_ERROR(err, TSR_ERR_SHAPE, "%s: \"%s\" does not fit in %zu bytes", name, text,
                         size);
    memcpy(out, text, strlen(text) + 1);
    return TSR_OK;
}

const char *tsr_settings_name(const struct tsr_settings *settings, size_t i) {
    if (!settings) return NULL;
    struct tsr_settings copy = *settings;
    struct search s = {.number = i};
    return search(&copy, &s, NULL) == TSR_OK && s.found ? s.found_name : NULL;
}
