/* SPDX-License-Identifier: MIT */
#include "image/attributes.h"

#include <stdio.h>
#include <string.h>

#include "base/version.h"

enum { FORMAT_VERSION = 1 };

/* Room for "/network" and the like. */
struct path {
    char text[64];
};

static struct path group_of(const struct tsr_setting *s) {
    struct path path;
    (void)snprintf(path.text, sizeof path.text, "/%s", s->group);
    return path;
}

/* ---- writing --------------------------------------------------------------------------------- */

static enum tsr_status write_choice(struct tsr_h5 *file, const char *group, const char *name,
                                    const struct tsr_choice *choice, struct tsr_error *err) {
    const struct tsr_params *params = &choice->object->params;
    TSR_TRY(tsr_h5_write_attr_str(file, group, name, choice->object->name, err));
    for (size_t i = 0; i < params->n; i++) {
        const struct tsr_param *row = &params->row[i];
        double value = choice->value[i];
        if (row->type == TSR_PARAM_NUMBER)
            TSR_TRY(tsr_h5_write_attr_f64(file, group, row->name, value, err));
        else if (row->type == TSR_PARAM_COUNT)
            TSR_TRY(tsr_h5_write_attr_i64(file, group, row->name, (int64_t)value, err));
        else
            TSR_TRY(
                tsr_h5_write_attr_str(file, group, row->name, row->choices[(size_t)value], err));
    }
    return TSR_OK;
}

enum tsr_status tsr_attribute_write(void *user, const struct tsr_setting *s,
                                    struct tsr_error *err) {
    struct tsr_h5 *file = user;
    struct path group = group_of(s);
    const char *g = group.text;
    switch (s->type) {
    case TSR_SETTING_SIZE:
        return tsr_h5_write_attr_i64(file, g, s->name, (int64_t) * (const size_t *)s->value, err);
    case TSR_SETTING_U64:
        return tsr_h5_write_attr_i64(file, g, s->name, (int64_t) * (const uint64_t *)s->value, err);
    case TSR_SETTING_REAL:
        return tsr_h5_write_attr_f64(file, g, s->name, *(const double *)s->value, err);
    case TSR_SETTING_NAME:
        return tsr_h5_write_attr_str(file, g, s->name, s->names->name[tsr_setting_number(s)], err);
    case TSR_SETTING_CHOICE:
        break;
    }
    return write_choice(file, g, s->name, s->value, err);
}

/* ---- reading --------------------------------------------------------------------------------- */

static enum tsr_status foreign(struct tsr_h5 *file, const char *group, const char *name,
                               struct tsr_error *err) {
    tsr_error_prefix(err, "%s: %s of %s", tsr_h5_path(file), name, group);
    return TSR_ERR_FORMAT;
}

static enum tsr_status read_size(struct tsr_h5 *file, const char *group, const char *name,
                                 int64_t *out, struct tsr_error *err) {
    TSR_TRY(tsr_h5_read_attr_i64(file, group, name, out, err));
    if (*out >= 0) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: %s of %s is %lld; it must not be negative",
                     tsr_h5_path(file), name, group, (long long)*out);
}

static enum tsr_status read_name(struct tsr_h5 *file, const char *group,
                                 const struct tsr_setting *s, struct tsr_error *err) {
    char text[64];
    size_t index = 0;
    TSR_TRY(tsr_h5_read_attr_str(file, group, s->name, text, sizeof text, err));
    if (tsr_name_parse(text, s->names->name, s->names->n, s->names->what, &index, err) != TSR_OK)
        return foreign(file, group, s->name, err);
    int number = (int)index;
    memcpy(s->value, &number, sizeof number);
    return TSR_OK;
}

static enum tsr_status read_param(struct tsr_h5 *file, const char *group,
                                  const struct tsr_param *row, double *value,
                                  struct tsr_error *err) {
    int64_t integer;
    char text[64];
    if (row->optional && !tsr_h5_has_attr(file, group, row->name)) return TSR_OK;
    if (row->type == TSR_PARAM_NUMBER)
        return tsr_h5_read_attr_f64(file, group, row->name, value, err);
    if (row->type == TSR_PARAM_COUNT) {
        TSR_TRY(read_size(file, group, row->name, &integer, err));
        *value = (double)integer;
        return TSR_OK;
    }
    TSR_TRY(tsr_h5_read_attr_str(file, group, row->name, text, sizeof text, err));
    if (tsr_param_parse_choice(row, text, value, err) == TSR_OK) return TSR_OK;
    return foreign(file, group, row->name, err);
}

static enum tsr_status read_choice(struct tsr_h5 *file, const char *group,
                                   const struct tsr_setting *s, struct tsr_error *err) {
    const struct tsr_object *object;
    struct tsr_choice *choice = s->value;
    char text[64];
    TSR_TRY(tsr_h5_read_attr_str(file, group, s->name, text, sizeof text, err));
    if (tsr_registry_find(s->registry, text, &object, err) != TSR_OK)
        return foreign(file, group, s->name, err);
    *choice = tsr_choice_of(object);
    for (size_t i = 0; i < object->params.n; i++)
        TSR_TRY(read_param(file, group, &object->params.row[i], &choice->value[i], err));
    return TSR_OK;
}

enum tsr_status tsr_attribute_read(void *user, const struct tsr_setting *s, struct tsr_error *err) {
    struct tsr_h5 *file = user;
    struct path group = group_of(s);
    const char *g = group.text;
    int64_t integer;
    if (s->optional && !tsr_h5_has_attr(file, g, s->name)) return TSR_OK;
    switch (s->type) {
    case TSR_SETTING_SIZE:
        TSR_TRY(read_size(file, g, s->name, &integer, err));
        *(size_t *)s->value = (size_t)integer;
        return TSR_OK;
    case TSR_SETTING_U64:
        TSR_TRY(tsr_h5_read_attr_i64(file, g, s->name, &integer, err));
        *(uint64_t *)s->value = (uint64_t)integer;
        return TSR_OK;
    case TSR_SETTING_REAL:
        return tsr_h5_read_attr_f64(file, g, s->name, s->value, err);
    case TSR_SETTING_NAME:
        return read_name(file, g, s, err);
    case TSR_SETTING_CHOICE:
        break;
    }
    return read_choice(file, g, s, err);
}

/* ---- format and version ---------------------------------------------------------------------- */

enum tsr_status tsr_format_write(struct tsr_h5 *file, const char *format, const char *command,
                                 struct tsr_error *err) {
    TSR_TRY(tsr_h5_write_attr_str(file, "/", "format", format, err));
    TSR_TRY(tsr_h5_write_attr_i64(file, "/", "format_version", FORMAT_VERSION, err));
    if (command) TSR_TRY(tsr_h5_write_attr_str(file, "/", "command", command, err));
    return tsr_h5_write_attr_str(file, "/", "tessera_version", tsr_version(), err);
}

enum tsr_status tsr_format_check(struct tsr_h5 *file, const char *expected, struct tsr_error *err) {
    char format[64] = "absent";
    int64_t version;
    if (tsr_h5_has_attr(file, "/", "format"))
        TSR_TRY(tsr_h5_read_attr_str(file, "/", "format", format, sizeof format, err));
    if (strcmp(format, expected) != 0)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: attribute format is \"%s\"; expected \"%s\"",
                         tsr_h5_path(file), format, expected);
    TSR_TRY(tsr_h5_read_attr_i64(file, "/", "format_version", &version, err));
    if (version < 1 || version > FORMAT_VERSION)
        return TSR_ERROR(err, TSR_ERR_VERSION,
                         "%s: format_version is %lld; this program reads 1 to %d",
                         tsr_h5_path(file), (long long)version, FORMAT_VERSION);
    return TSR_OK;
}
