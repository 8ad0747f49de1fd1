/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/h5_internal.h"

/* ---- attributes: access ---------------------------------------------------------------------- */

struct tsr_h5_label tsr_h5_label(const char *object, const char *name) {
    struct tsr_h5_label l;
    (void)snprintf(l.text, sizeof l.text, "%s@%s", object, name);
    return l;
}

/* Where HDF5 cannot tell, for damage, there is one: that it cannot be read is then said. */
static bool has_attr(struct tsr_h5 *file, const char *object, const char *name) {
    return tsr_h5_find(file, object) &&
           H5Aexists_by_name(file->id, object, name, file->access) != 0;
}

bool tsr_h5_has_attr(struct tsr_h5 *file, const char *object, const char *name) {
    struct tsr_h5_call call = tsr_h5_enter();
    bool found = has_attr(file, object, name);
    tsr_h5_leave(call);
    return found;
}

enum tsr_status tsr_h5_close_attribute(const struct tsr_h5 *file,
                                       const struct tsr_h5_attribute *attribute,
                                       enum tsr_status status, struct tsr_error *err) {
    status = tsr_h5_close_id(file, attribute->label.text, attribute->type, status, err);
    return tsr_h5_close_id(file, attribute->label.text, attribute->id, status, err);
}

enum tsr_status tsr_h5_open_attribute(struct tsr_h5 *file, const char *object, const char *name,
                                      struct tsr_h5_attribute *out, hid_t *space, size_t *n,
                                      struct tsr_error *err) {
    *out = (struct tsr_h5_attribute){H5I_INVALID_HID, H5I_INVALID_HID, H5T_NO_CLASS,
                                     tsr_h5_label(object, name)};
    *space = H5I_INVALID_HID;
    const char *text = out->label.text;
    TSR_TRY(tsr_h5_check_path(file, object, err));
    if (!has_attr(file, object, name))
        return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, text, "is missing");
    out->id = H5Aopen_by_name(file->id, object, name, H5P_DEFAULT, file->access);
    if (out->id < 0) return TSR_H5_FAIL(err, TSR_ERR_FORMAT, file, text, "cannot be opened");
    out->type = H5Aget_type(out->id);
    *space = H5Aget_space(out->id);
    hssize_t points = *space < 0 ? -1 : H5Sget_simple_extent_npoints(*space);
    size_t size = out->type < 0 ? 0 : H5Tget_size(out->type);
    if (size == 0 || points < 0)
        return TSR_H5_FAIL(err, TSR_ERR_FORMAT, file, text, "cannot be opened");
    out->type_class = H5Tget_class(out->type);
    *n = (size_t)points;
    return tsr_h5_check_size(file, text, *n, size, err);
}

/* Opens an attribute of one element. To be closed whether this succeeds or not. */
static enum tsr_status open_attribute(struct tsr_h5 *file, const char *object, const char *name,
                                      struct tsr_h5_attribute *out, struct tsr_error *err) {
    size_t n = 0;
    hid_t space;
    enum tsr_status status = tsr_h5_open_attribute(file, object, name, out, &space, &n, err);
    if (status == TSR_OK && n != 1)
        status = TSR_H5_BAD(err, TSR_ERR_FORMAT, file, out->label.text,
                            "has %zu values; expected one", n);
    return tsr_h5_close_id(file, out->label.text, space, status, err);
}

/* ---- attributes: writing --------------------------------------------------------------------- */

static enum tsr_status ensure_object(struct tsr_h5 *file, const char *object,
                                     struct tsr_error *err) {
    if (tsr_h5_find(file, object)) return TSR_OK;
    if (*object != '/')
        return TSR_H5_BAD(err, TSR_ERR_ARGUMENT, file, object, "does not begin with /");
    return tsr_h5_make_group(file, object, err);
}

enum tsr_status tsr_h5_replace_attribute(struct tsr_h5 *file, const char *object, const char *name,
                                         hid_t stored, hid_t given, hid_t space, const void *value,
                                         struct tsr_error *err) {
    struct tsr_h5_label text = tsr_h5_label(object, name);
    hid_t attribute = H5I_INVALID_HID;
    enum tsr_status status = TSR_OK;
    TSR_TRY(tsr_h5_check_writable(file, text.text, err));
    TSR_TRY(ensure_object(file, object, err));
    if (has_attr(file, object, name) && H5Adelete_by_name(file->id, object, name, file->access) < 0)
        return TSR_H5_FAIL(err, TSR_ERR_IO, file, text.text, "cannot be replaced");
    if (space >= 0)
        attribute = H5Acreate_by_name(file->id, object, name, stored, space, H5P_DEFAULT,
                                      H5P_DEFAULT, file->access);
    if (attribute < 0 || H5Awrite(attribute, given, value) < 0)
        status = TSR_H5_FAIL(err, TSR_ERR_IO, file, text.text, "cannot be written");
    return tsr_h5_close_id(file, text.text, attribute, status, err);
}

static enum tsr_status write_attr(struct tsr_h5 *file, const char *object, const char *name,
                                  hid_t stored, hid_t given, const void *value,
                                  struct tsr_error *err) {
    hid_t space = H5Screate(H5S_SCALAR);
    enum tsr_status status =
        tsr_h5_replace_attribute(file, object, name, stored, given, space, value, err);
    return tsr_h5_close_id(file, object, space, status, err);
}

enum tsr_status tsr_h5_write_attr_i64(struct tsr_h5 *file, const char *object, const char *name,
                                      int64_t value, struct tsr_error *err) {
    TSR_H5_WRITING(file, err,
                   write_attr(file, object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value, err));
}

enum tsr_status tsr_h5_write_attr_f64(struct tsr_h5 *file, const char *object, const char *name,
                                      double value, struct tsr_error *err) {
    TSR_H5_WRITING(file, err,
                   write_attr(file, object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &value, err));
}

static enum tsr_status write_attr_str(struct tsr_h5 *file, const char *object, const char *name,
                                      const char *value, struct tsr_error *err) {
    hid_t type;
    enum tsr_status status = tsr_h5_utf8_type(file, object, strlen(value), &type, err);
    if (status == TSR_OK) status = write_attr(file, object, name, type, type, value, err);
    return tsr_h5_close_id(file, object, type, status, err);
}

enum tsr_status tsr_h5_write_attr_str(struct tsr_h5 *file, const char *object, const char *name,
                                      const char *value, struct tsr_error *err) {
    TSR_H5_WRITING(file, err, write_attr_str(file, object, name, value, err));
}

/* ---- attributes: reading numbers ------------------------------------------------------------- */

/* The one number of an attribute, in the widest type of its kind. */
struct number {
    enum { SIGNED, UNSIGNED, FLOAT } kind;
    int64_t i;
    uint64_t u;
    double f;
};

static enum tsr_status read_number(const struct tsr_h5 *file,
                                   const struct tsr_h5_attribute *attribute, struct number *out,
                                   struct tsr_error *err) {
    const char *text = attribute->label.text;
    herr_t result;
    size_t size = H5Tget_size(attribute->type);
    *out = (struct number){.kind = FLOAT};
    if ((attribute->type_class != H5T_FLOAT && attribute->type_class != H5T_INTEGER) || size > 8)
        return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, text,
                          "is not an integer or float of at most 8 bytes");
    if (attribute->type_class == H5T_FLOAT) {
        result = H5Aread(attribute->id, H5T_NATIVE_DOUBLE, &out->f);
    } else if (H5Tget_sign(attribute->type) == H5T_SGN_NONE) {
        out->kind = UNSIGNED;
        result = H5Aread(attribute->id, H5T_NATIVE_UINT64, &out->u);
    } else {
        out->kind = SIGNED;
        result = H5Aread(attribute->id, H5T_NATIVE_INT64, &out->i);
    }
    if (result < 0) return TSR_H5_FAIL(err, tsr_h5_fault(file), file, text, "cannot be read");
    return TSR_OK;
}

static enum tsr_status to_i64(const struct tsr_h5 *file, const char *text,
                              const struct number *number, int64_t *out, struct tsr_error *err) {
    switch (number->kind) {
    case SIGNED:
        *out = number->i;
        return TSR_OK;
    case UNSIGNED:
        if (number->u > INT64_MAX)
            return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, text, "is %llu; at most 2^63-1 is read",
                              (unsigned long long)number->u);
        *out = (int64_t)number->u;
        return TSR_OK;
    case FLOAT:
        /* Python writes 64.0 where 64 was meant. NaN fails both comparisons. */
        if (number->f >= -0x1p53 && number->f <= 0x1p53 &&
            (double)(int64_t)number->f == number->f) {
            *out = (int64_t)number->f;
            return TSR_OK;
        }
        break;
    }
    return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, text, "is %g; expected an integer", number->f);
}

static enum tsr_status read_attr_i64(struct tsr_h5 *file, const char *object, const char *name,
                                     int64_t *out, struct tsr_error *err) {
    struct tsr_h5_attribute attribute;
    struct number number;
    enum tsr_status status = open_attribute(file, object, name, &attribute, err);
    if (status == TSR_OK) status = read_number(file, &attribute, &number, err);
    if (status == TSR_OK) status = to_i64(file, attribute.label.text, &number, out, err);
    return tsr_h5_close_attribute(file, &attribute, status, err);
}

enum tsr_status tsr_h5_read_attr_i64(struct tsr_h5 *file, const char *object, const char *name,
                                     int64_t *out, struct tsr_error *err) {
    TSR_H5_READING(file, err, read_attr_i64(file, object, name, out, err));
}

static enum tsr_status read_attr_f64(struct tsr_h5 *file, const char *object, const char *name,
                                     double *out, struct tsr_error *err) {
    struct tsr_h5_attribute attribute;
    struct number number;
    enum tsr_status status = open_attribute(file, object, name, &attribute, err);
    if (status == TSR_OK) status = read_number(file, &attribute, &number, err);
    if (status == TSR_OK)
        *out = number.kind == FLOAT    ? number.f
               : number.kind == SIGNED ? (double)number.i
                                       : (double)number.u;
    return tsr_h5_close_attribute(file, &attribute, status, err);
}

enum tsr_status tsr_h5_read_attr_f64(struct tsr_h5 *file, const char *object, const char *name,
                                     double *out, struct tsr_error *err) {
    TSR_H5_READING(file, err, read_attr_f64(file, object, name, out, err));
}

/* ---- attributes: reading strings ------------------------------------------------------------- */

static enum tsr_status read_variable(const struct tsr_h5 *file,
                                     const struct tsr_h5_attribute *attribute, hid_t type,
                                     char **out, struct tsr_error *err) {
    char *value = NULL;
    if (H5Aread(attribute->id, type, &value) < 0)
        return TSR_H5_FAIL(err, tsr_h5_fault(file), file, attribute->label.text, "cannot be read");
    *out = strdup(value ? value : "");
    if (value) (void)H5free_memory(value);
    if (*out) return TSR_OK;
    return TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, attribute->label.text, "cannot be read");
}

static enum tsr_status read_fixed(const struct tsr_h5 *file,
                                  const struct tsr_h5_attribute *attribute, hid_t type, char **out,
                                  struct tsr_error *err) {
    *out = calloc(1, H5Tget_size(type) + 1);
    if (!*out)
        return TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, attribute->label.text, "cannot be read");
    if (H5Aread(attribute->id, type, *out) >= 0) return TSR_OK;
    return TSR_H5_FAIL(err, tsr_h5_fault(file), file, attribute->label.text, "cannot be read");
}

static enum tsr_status read_text(const struct tsr_h5 *file,
                                 const struct tsr_h5_attribute *attribute, char **out,
                                 struct tsr_error *err) {
    hid_t type;
    if (attribute->type_class != H5T_STRING)
        return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, attribute->label.text, "is not a string");
    enum tsr_status status =
        tsr_h5_string_type(file, attribute->label.text, attribute->type, &type, err);
    if (status == TSR_OK)
        status = H5Tis_variable_str(type) > 0 ? read_variable(file, attribute, type, out, err)
                                              : read_fixed(file, attribute, type, out, err);
    return tsr_h5_close_id(file, attribute->label.text, type, status, err);
}

static enum tsr_status read_attr_str(struct tsr_h5 *file, const char *object, const char *name,
                                     char *out, size_t size, struct tsr_error *err) {
    struct tsr_h5_attribute attribute;
    char *text = NULL;
    enum tsr_status status = open_attribute(file, object, name, &attribute, err);
    if (status == TSR_OK) status = read_text(file, &attribute, &text, err);
    if (status == TSR_OK) {
        size_t length = strlen(text);
        if (length < size)
            memcpy(out, text, length + 1);
        else
            status = TSR_H5_BAD(err, TSR_ERR_FORMAT, file, attribute.label.text,
                                "has %zu characters; fewer than %zu are expected", length, size);
    }
    free(text);
    return tsr_h5_close_attribute(file, &attribute, status, err);
}

enum tsr_status tsr_h5_read_attr_str(struct tsr_h5 *file, const char *object, const char *name,
                                     char *out, size_t size, struct tsr_error *err) {
    TSR_H5_READING(file, err, read_attr_str(file, object, name, out, size, err));
}
