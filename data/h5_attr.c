/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/h5_internal.h"

/* ---- attributes: access ---------------------------------------------------------------------- */

/* "/network@width": how messages name an attribute. Cut if it is longer than any sensible name. */
struct label {
    char text[256];
};

static struct label label(const char *object, const char *name) {
    struct label l;
    (void)snprintf(l.text, sizeof l.text, "%s@%s", object, name);
    return l;
}

static bool has_attr(struct tsr_h5 *file, const char *object, const char *name) {
    return tsr_h5_find(file, object) && H5Aexists_by_name(file->id, object, name, H5P_DEFAULT) > 0;
}

bool tsr_h5_has_attr(struct tsr_h5 *file, const char *object, const char *name) {
    struct tsr_h5_mute mute = tsr_h5_mute();
    bool found = has_attr(file, object, name);
    tsr_h5_unmute(mute);
    return found;
}

struct attribute {
    hid_t id, type;
    H5T_class_t class;
    struct label label;
};

static enum tsr_status close_attribute(const struct tsr_h5 *file, const struct attribute *attribute,
                                       enum tsr_status status, struct tsr_error *err) {
    status = tsr_h5_shut(file, attribute->label.text, attribute->type, status, err);
    return tsr_h5_shut(file, attribute->label.text, attribute->id, status, err);
}

/* Opens an attribute of any shape. All to be closed whether this succeeds or not. */
static enum tsr_status open_any(struct tsr_h5 *file, const char *object, const char *name,
                                struct attribute *out, hid_t *space, size_t *n,
                                struct tsr_error *err) {
    *out = (struct attribute){H5I_INVALID_HID, H5I_INVALID_HID, H5T_NO_CLASS, label(object, name)};
    *space = H5I_INVALID_HID;
    const char *text = out->label.text;
    if (!has_attr(file, object, name))
        return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, text, "is missing");
    out->id = H5Aopen_by_name(file->id, object, name, H5P_DEFAULT, H5P_DEFAULT);
    if (out->id < 0) return TSR_H5_FAIL(err, TSR_ERR_FORMAT, file, text, "cannot be opened");
    out->type = H5Aget_type(out->id);
    *space = H5Aget_space(out->id);
    hssize_t points = *space < 0 ? -1 : H5Sget_simple_extent_npoints(*space);
    if (out->type < 0 || points < 0)
        return TSR_H5_FAIL(err, TSR_ERR_FORMAT, file, text, "cannot be opened");
    out->class = H5Tget_class(out->type);
    *n = (size_t)points;
    return TSR_OK;
}

/* Opens an attribute of one element. To be closed whether this succeeds or not. */
static enum tsr_status open_attribute(struct tsr_h5 *file, const char *object, const char *name,
                                      struct attribute *out, struct tsr_error *err) {
    size_t n = 0;
    hid_t space;
    enum tsr_status status = open_any(file, object, name, out, &space, &n, err);
    if (status == TSR_OK && n != 1)
        status = TSR_H5_BAD(err, TSR_ERR_FORMAT, file, out->label.text,
                            "has %zu values; expected one", n);
    return tsr_h5_shut(file, out->label.text, space, status, err);
}

/* ---- attributes: writing --------------------------------------------------------------------- */

static enum tsr_status ensure_object(struct tsr_h5 *file, const char *object,
                                     struct tsr_error *err) {
    if (tsr_h5_find(file, object)) return TSR_OK;
    if (*object != '/')
        return TSR_H5_BAD(err, TSR_ERR_ARGUMENT, file, object, "does not begin with /");
    hid_t links;
    enum tsr_status status = tsr_h5_link_properties(file, &links, err);
    if (status == TSR_OK) {
        hid_t group = H5Gcreate2(file->id, object, links, H5P_DEFAULT, H5P_DEFAULT);
        if (group < 0) status = TSR_H5_FAIL(err, TSR_ERR_IO, file, object, "cannot be created");
        status = tsr_h5_shut(file, object, group, status, err);
    }
    return tsr_h5_shut(file, object, links, status, err);
}

static enum tsr_status replace_attr(struct tsr_h5 *file, const char *object, const char *name,
                                    hid_t stored, hid_t given, hid_t space, const void *value,
                                    struct tsr_error *err) {
    struct label text = label(object, name);
    hid_t attribute = H5I_INVALID_HID;
    enum tsr_status status = TSR_OK;
    TSR_TRY(tsr_h5_check_writable(file, text.text, err));
    TSR_TRY(ensure_object(file, object, err));
    if (has_attr(file, object, name) && H5Adelete_by_name(file->id, object, name, H5P_DEFAULT) < 0)
        return TSR_H5_FAIL(err, TSR_ERR_IO, file, text.text, "cannot be replaced");
    if (space >= 0)
        attribute = H5Acreate_by_name(file->id, object, name, stored, space, H5P_DEFAULT,
                                      H5P_DEFAULT, H5P_DEFAULT);
    if (attribute < 0 || H5Awrite(attribute, given, value) < 0)
        status = TSR_H5_FAIL(err, TSR_ERR_IO, file, text.text, "cannot be written");
    return tsr_h5_shut(file, text.text, attribute, status, err);
}

static enum tsr_status write_attr(struct tsr_h5 *file, const char *object, const char *name,
                                  hid_t stored, hid_t given, const void *value,
                                  struct tsr_error *err) {
    hid_t space = H5Screate(H5S_SCALAR);
    enum tsr_status status = replace_attr(file, object, name, stored, given, space, value, err);
    return tsr_h5_shut(file, object, space, status, err);
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
    enum tsr_status status = tsr_h5_utf8_type(file, object, &type, err);
    if (status == TSR_OK) status = write_attr(file, object, name, type, type, &value, err);
    return tsr_h5_shut(file, object, type, status, err);
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

static enum tsr_status read_number(const struct tsr_h5 *file, const struct attribute *attribute,
                                   struct number *out, struct tsr_error *err) {
    const char *text = attribute->label.text;
    herr_t result;
    size_t size = H5Tget_size(attribute->type);
    *out = (struct number){.kind = FLOAT};
    if ((attribute->class != H5T_FLOAT && attribute->class != H5T_INTEGER) || size > 8)
        return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, text,
                          "is not an integer or float of at most 8 bytes");
    if (attribute->class == H5T_FLOAT) {
        result = H5Aread(attribute->id, H5T_NATIVE_DOUBLE, &out->f);
    } else if (H5Tget_sign(attribute->type) == H5T_SGN_NONE) {
        out->kind = UNSIGNED;
        result = H5Aread(attribute->id, H5T_NATIVE_UINT64, &out->u);
    } else {
        out->kind = SIGNED;
        result = H5Aread(attribute->id, H5T_NATIVE_INT64, &out->i);
    }
    if (result < 0) return TSR_H5_FAIL(err, tsr_h5_blame(file), file, text, "cannot be read");
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
    struct attribute attribute;
    struct number number;
    enum tsr_status status = open_attribute(file, object, name, &attribute, err);
    if (status == TSR_OK) status = read_number(file, &attribute, &number, err);
    if (status == TSR_OK) status = to_i64(file, attribute.label.text, &number, out, err);
    return close_attribute(file, &attribute, status, err);
}

enum tsr_status tsr_h5_read_attr_i64(struct tsr_h5 *file, const char *object, const char *name,
                                     int64_t *out, struct tsr_error *err) {
    TSR_H5_QUIETLY(read_attr_i64(file, object, name, out, err));
}

static enum tsr_status read_attr_f64(struct tsr_h5 *file, const char *object, const char *name,
                                     double *out, struct tsr_error *err) {
    struct attribute attribute;
    struct number number;
    enum tsr_status status = open_attribute(file, object, name, &attribute, err);
    if (status == TSR_OK) status = read_number(file, &attribute, &number, err);
    if (status == TSR_OK)
        *out = number.kind == FLOAT    ? number.f
               : number.kind == SIGNED ? (double)number.i
                                       : (double)number.u;
    return close_attribute(file, &attribute, status, err);
}

enum tsr_status tsr_h5_read_attr_f64(struct tsr_h5 *file, const char *object, const char *name,
                                     double *out, struct tsr_error *err) {
    TSR_H5_QUIETLY(read_attr_f64(file, object, name, out, err));
}

/* ---- attributes: reading strings ------------------------------------------------------------- */

static enum tsr_status read_variable(const struct tsr_h5 *file, const struct attribute *attribute,
                                     hid_t type, char **out, struct tsr_error *err) {
    char *value = NULL;
    if (H5Aread(attribute->id, type, &value) < 0)
        return TSR_H5_FAIL(err, tsr_h5_blame(file), file, attribute->label.text, "cannot be read");
    *out = strdup(value ? value : "");
    if (value) (void)H5free_memory(value);
    if (*out) return TSR_OK;
    return TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, attribute->label.text, "cannot be read");
}

static enum tsr_status read_fixed(const struct tsr_h5 *file, const struct attribute *attribute,
                                  hid_t type, char **out, struct tsr_error *err) {
    *out = calloc(1, H5Tget_size(type) + 1);
    if (!*out)
        return TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, attribute->label.text, "cannot be read");
    if (H5Aread(attribute->id, type, *out) >= 0) return TSR_OK;
    return TSR_H5_FAIL(err, tsr_h5_blame(file), file, attribute->label.text, "cannot be read");
}

static enum tsr_status read_text(const struct tsr_h5 *file, const struct attribute *attribute,
                                 char **out, struct tsr_error *err) {
    hid_t type;
    if (attribute->class != H5T_STRING)
        return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, attribute->label.text, "is not a string");
    enum tsr_status status =
        tsr_h5_string_type(file, attribute->label.text, attribute->type, &type, err);
    if (status == TSR_OK)
        status = H5Tis_variable_str(type) > 0 ? read_variable(file, attribute, type, out, err)
                                              : read_fixed(file, attribute, type, out, err);
    return tsr_h5_shut(file, attribute->label.text, type, status, err);
}

static enum tsr_status read_attr_str(struct tsr_h5 *file, const char *object, const char *name,
                                     char *out, size_t size, struct tsr_error *err) {
    struct attribute attribute;
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
    return close_attribute(file, &attribute, status, err);
}

enum tsr_status tsr_h5_read_attr_str(struct tsr_h5 *file, const char *object, const char *name,
                                     char *out, size_t size, struct tsr_error *err) {
    TSR_H5_QUIETLY(read_attr_str(file, object, name, out, size, err));
}

/* ---- datasets of strings --------------------------------------------------------------------- */

static enum tsr_status write_strings(struct tsr_h5 *file, const char *object, size_t n,
                                     const char *const *strings, struct tsr_error *err) {
    enum tsr_status status;
    hsize_t extent = n;
    hid_t type = H5I_INVALID_HID, space = H5I_INVALID_HID, links = H5I_INVALID_HID;
    hid_t properties = H5I_INVALID_HID, dataset = H5I_INVALID_HID;
    TSR_CHECK(tsr_h5_check_writable(file, object, err));
    TSR_CHECK(tsr_h5_utf8_type(file, object, &type, err));
    TSR_CHECK(tsr_h5_link_properties(file, &links, err));
    space = H5Screate_simple(1, &extent, NULL);
    properties = H5Pcreate(H5P_DATASET_CREATE);
    if (properties >= 0 && H5Pset_obj_track_times(properties, false) >= 0 && space >= 0)
        dataset = H5Dcreate2(file->id, object, type, space, links, properties, H5P_DEFAULT);
    if (dataset < 0) {
        status = TSR_H5_FAIL(err, TSR_ERR_IO, file, object, "cannot be created");
        goto done;
    }
    if (n > 0 && H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, strings) < 0)
        status = TSR_H5_FAIL(err, TSR_ERR_IO, file, object, "cannot be written");
done:
    status = tsr_h5_shut(file, object, dataset, status, err);
    status = tsr_h5_shut(file, object, properties, status, err);
    status = tsr_h5_shut(file, object, links, status, err);
    status = tsr_h5_shut(file, object, space, status, err);
    return tsr_h5_shut(file, object, type, status, err);
}

enum tsr_status tsr_h5_write_strings(struct tsr_h5 *file, const char *object, size_t n,
                                     const char *const *strings, struct tsr_error *err) {
    TSR_H5_WRITING(file, err, write_strings(file, object, n, strings, err));
}

/* Strings are read a block at a time: HDF5 allocates each one by itself. */
#define BLOCK 1024

struct strings {
    hid_t dataset, space, type;
    bool variable;
    size_t n;     /* in the file */
    size_t width; /* of a string of fixed length, terminator included */
    size_t *at;   /* [n] offsets into text */
    char *text;
    size_t used, capacity;
    void *block; /* char *[BLOCK], or char [BLOCK][width] */
};

static enum tsr_status open_strings(struct tsr_h5 *file, const char *object, struct strings *s,
                                    struct tsr_error *err) {
    hid_t stored = H5I_INVALID_HID;
    enum tsr_status status = TSR_OK;
    if (!tsr_h5_find(file, object))
        return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object, "is missing");
    s->dataset = H5Dopen2(file->id, object, H5P_DEFAULT);
    if (s->dataset >= 0) {
        stored = H5Dget_type(s->dataset);
        s->space = H5Dget_space(s->dataset);
    }
    if (stored < 0 || s->space < 0) {
        status = TSR_H5_FAIL(err, TSR_ERR_FORMAT, file, object, "cannot be opened as a dataset");
        goto done;
    }
    if (H5Tget_class(stored) != H5T_STRING) {
        status = TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object, "does not hold strings");
        goto done;
    }
    int rank = H5Sget_simple_extent_ndims(s->space);
    hssize_t n = H5Sget_simple_extent_npoints(s->space);
    if (rank != 1 || n < 0 || n > UINT32_MAX) {
        status = TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object,
                            "has rank %d and %lld strings; expected [N] of at most 2^32-1", rank,
                            (long long)n);
        goto done;
    }
    s->n = (size_t)n;
    TSR_CHECK(tsr_h5_string_type(file, object, stored, &s->type, err));
    s->variable = H5Tis_variable_str(s->type) > 0;
    s->width = s->variable ? sizeof(char *) : H5Tget_size(s->type);
done:
    return tsr_h5_shut(file, object, stored, status, err);
}

static enum tsr_status keep_string(const struct tsr_h5 *file, const char *object, struct strings *s,
                                   size_t index, const char *string, struct tsr_error *err) {
    size_t size = strlen(string) + 1;
    if (size > s->capacity - s->used) {
        size_t capacity = 2 * s->capacity + size + 4096;
        char *text = realloc(s->text, capacity);
        if (!text)
            return TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, object, "needs %zu bytes", capacity);
        s->text = text;
        s->capacity = capacity;
    }
    memcpy(s->text + s->used, string, size);
    s->at[index] = s->used;
    s->used += size;
    return TSR_OK;
}

static enum tsr_status read_block(const struct tsr_h5 *file, const char *object, struct strings *s,
                                  size_t first, size_t n, struct tsr_error *err) {
    hsize_t start = first, count = n;
    hid_t memory = H5Screate_simple(1, &count, NULL);
    enum tsr_status status = TSR_OK;
    memset(s->block, 0, BLOCK * s->width);
    if (memory < 0 ||
        H5Sselect_hyperslab(s->space, H5S_SELECT_SET, &start, NULL, &count, NULL) < 0 ||
        H5Dread(s->dataset, s->type, memory, s->space, H5P_DEFAULT, s->block) < 0) {
        status = TSR_H5_FAIL(err, tsr_h5_blame(file), file, object, "cannot be read");
        goto done;
    }
    for (size_t i = 0; i < n && status == TSR_OK; i++) {
        const char *string = s->variable ? ((char **)s->block)[i] : (char *)s->block + i * s->width;
        status = keep_string(file, object, s, first + i, string ? string : "", err);
    }
    if (s->variable && H5Dvlen_reclaim(s->type, memory, H5P_DEFAULT, s->block) < 0 &&
        status == TSR_OK)
        status = TSR_H5_FAIL(err, tsr_h5_blame(file), file, object, "cannot be read");
done:
    return tsr_h5_shut(file, object, memory, status, err);
}

static enum tsr_status assemble(const struct tsr_h5 *file, const char *object,
                                const struct strings *s, char ***out, struct tsr_error *err) {
    size_t table = s->n * sizeof(char *);
    char **all = malloc(table + s->used + 1);
    if (!all) return TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, object, "has too many strings");
    char *text = (char *)all + table;
    if (s->used) memcpy(text, s->text, s->used);
    for (size_t i = 0; i < s->n; i++)
        all[i] = text + s->at[i];
    *out = all;
    return TSR_OK;
}

static enum tsr_status read_strings(struct tsr_h5 *file, const char *object, size_t *n, char ***out,
                                    struct tsr_error *err) {
    enum tsr_status status;
    struct strings s = {
        .dataset = H5I_INVALID_HID, .space = H5I_INVALID_HID, .type = H5I_INVALID_HID};
    *n = 0;
    *out = NULL;
    TSR_CHECK(open_strings(file, object, &s, err));
    s.at = calloc(s.n + 1, sizeof *s.at);
    s.block = calloc(BLOCK, s.width);
    if (!s.at || !s.block) {
        status = TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, object, "has %zu strings", s.n);
        goto done;
    }
    for (size_t i = 0; i < s.n; i += BLOCK)
        TSR_CHECK(read_block(file, object, &s, i, s.n - i < BLOCK ? s.n - i : BLOCK, err));
    TSR_CHECK(assemble(file, object, &s, out, err));
    *n = s.n;
done:
    free(s.at);
    free(s.text);
    free(s.block);
    status = tsr_h5_shut(file, object, s.space, status, err);
    status = tsr_h5_shut(file, object, s.type, status, err);
    status = tsr_h5_shut(file, object, s.dataset, status, err);
    if (status != TSR_OK) {
        free(*out);
        *out = NULL;
    }
    return status;
}

enum tsr_status tsr_h5_read_strings(struct tsr_h5 *file, const char *object, size_t *n, char ***out,
                                    struct tsr_error *err) {
    TSR_H5_QUIETLY(read_strings(file, object, n, out, err));
}

/* ---- attributes: arrays of strings ----------------------------------------------------------- */

static enum tsr_status write_attr_strings(struct tsr_h5 *file, const char *object, const char *name,
                                          size_t n, const char *const *strings,
                                          struct tsr_error *err) {
    hsize_t extent = n;
    hid_t type, space = H5I_INVALID_HID;
    if (n < 1 || n > TSR_H5_MAX_ATTR_STRINGS)
        return TSR_H5_BAD(err, TSR_ERR_UNSUPPORTED, file, label(object, name).text,
                          "has %zu strings; an attribute stores 1 to %d", n,
                          TSR_H5_MAX_ATTR_STRINGS);
    enum tsr_status status = tsr_h5_utf8_type(file, object, &type, err);
    if (status == TSR_OK) space = H5Screate_simple(1, &extent, NULL);
    if (status == TSR_OK)
        status = replace_attr(file, object, name, type, type, space, strings, err);
    status = tsr_h5_shut(file, object, space, status, err);
    return tsr_h5_shut(file, object, type, status, err);
}

enum tsr_status tsr_h5_write_attr_strings(struct tsr_h5 *file, const char *object, const char *name,
                                          size_t n, const char *const *strings,
                                          struct tsr_error *err) {
    TSR_H5_WRITING(file, err, write_attr_strings(file, object, name, n, strings, err));
}

/* Reads all strings of an attribute at once: it is small. */
static enum tsr_status read_all(const struct tsr_h5 *file, const struct attribute *attribute,
                                hid_t space, struct strings *s, struct tsr_error *err) {
    const char *text = attribute->label.text;
    enum tsr_status status = TSR_OK;
    s->variable = H5Tis_variable_str(s->type) > 0;
    s->width = s->variable ? sizeof(char *) : H5Tget_size(s->type);
    s->at = calloc(s->n, sizeof *s->at);
    s->block = calloc(s->n, s->width);
    if (!s->at || !s->block)
        return TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, text, "has %zu strings", s->n);
    if (H5Aread(attribute->id, s->type, s->block) < 0)
        return TSR_H5_FAIL(err, tsr_h5_blame(file), file, text, "cannot be read");
    for (size_t i = 0; i < s->n && status == TSR_OK; i++) {
        const char *string = s->variable ? ((char **)s->block)[i] : (char *)s->block + i * s->width;
        status = keep_string(file, text, s, i, string ? string : "", err);
    }
    if (s->variable && H5Dvlen_reclaim(s->type, space, H5P_DEFAULT, s->block) < 0 &&
        status == TSR_OK)
        status = TSR_H5_FAIL(err, tsr_h5_blame(file), file, text, "cannot be read");
    return status;
}

static enum tsr_status read_attr_strings(struct tsr_h5 *file, const char *object, const char *name,
                                         size_t *n, char ***out, struct tsr_error *err) {
    enum tsr_status status;
    struct attribute attribute;
    struct strings s = {
        .dataset = H5I_INVALID_HID, .space = H5I_INVALID_HID, .type = H5I_INVALID_HID};
    *n = 0;
    *out = NULL;
    TSR_CHECK(open_any(file, object, name, &attribute, &s.space, &s.n, err));
    const char *text = attribute.label.text;
    if (attribute.class != H5T_STRING || H5Sget_simple_extent_ndims(s.space) > 1 || s.n < 1 ||
        s.n > UINT16_MAX + 1u) {
        status =
            TSR_H5_BAD(err, TSR_ERR_FORMAT, file, text, "is not an array of 1 to 65536 strings");
        goto done;
    }
    TSR_CHECK(tsr_h5_string_type(file, text, attribute.type, &s.type, err));
    TSR_CHECK(read_all(file, &attribute, s.space, &s, err));
    TSR_CHECK(assemble(file, text, &s, out, err));
    *n = s.n;
done:
    free(s.at);
    free(s.text);
    free(s.block);
    status = tsr_h5_shut(file, object, s.type, status, err);
    status = tsr_h5_shut(file, object, s.space, status, err);
    status = close_attribute(file, &attribute, status, err);
    if (status != TSR_OK) {
        free(*out);
        *out = NULL;
    }
    return status;
}

enum tsr_status tsr_h5_read_attr_strings(struct tsr_h5 *file, const char *object, const char *name,
                                         size_t *n, char ***out, struct tsr_error *err) {
    TSR_H5_QUIETLY(read_attr_strings(file, object, name, n, out, err));
}
