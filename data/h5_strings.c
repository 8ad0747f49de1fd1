/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include <stdlib.h>
#include <string.h>

#include "data/h5_internal.h"

/* ---- types ----------------------------------------------------------------------------------- */

#define LONGEST_FIXED_STRING ((size_t)512 << 10)

enum tsr_status tsr_h5_string_type(const struct tsr_h5 *file, const char *object, hid_t stored,
                                   hid_t *out, struct tsr_error *err) {
    *out = H5I_INVALID_HID;
    htri_t variable = H5Tis_variable_str(stored);
    size_t size = H5Tget_size(stored);
    H5T_cset_t characters = H5Tget_cset(stored);
    if (variable < 0 || size == 0 || characters < 0)
        return TSR_H5_FAIL(err, TSR_ERR_FORMAT, file, object, "has a damaged type");
    if (!variable && size > LONGEST_FIXED_STRING)
        return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object,
                          "has strings of %zu bytes; at most %zu are read", size,
                          LONGEST_FIXED_STRING);
    *out = H5Tcopy(H5T_C_S1);
    /* HDF5 does not convert between character sets, not even from ASCII. */
    if (*out < 0 || H5Tset_size(*out, variable ? H5T_VARIABLE : size + 1) < 0 ||
        H5Tset_cset(*out, characters) < 0)
        return TSR_H5_FAIL(err, TSR_ERR_NO_MEMORY, file, object, "cannot be prepared");
    return TSR_OK;
}

enum tsr_status tsr_h5_utf8_type(const struct tsr_h5 *file, const char *object, size_t length,
                                 hid_t *out, struct tsr_error *err) {
    if (length > LONGEST_FIXED_STRING) {
        *out = H5I_INVALID_HID;
        return TSR_H5_BAD(err, TSR_ERR_UNSUPPORTED, file, object,
                          "has a string of %zu bytes; at most %zu are written", length,
                          LONGEST_FIXED_STRING);
    }
    *out = H5Tcopy(H5T_C_S1);
    if (*out < 0 || H5Tset_size(*out, length ? length : 1) < 0 ||
        H5Tset_strpad(*out, H5T_STR_NULLPAD) < 0 || H5Tset_cset(*out, H5T_CSET_UTF8) < 0)
        return TSR_H5_FAIL(err, TSR_ERR_NO_MEMORY, file, object, "cannot be prepared");
    return TSR_OK;
}

static size_t longest(size_t n, const char *const *strings) {
    size_t most = 1;
    for (size_t i = 0; i < n; i++) {
        size_t length = strlen(strings[i]);
        if (length > most) most = length;
    }
    return most;
}

/* Lays n strings out as the type of `width` bytes has them: out [n][width]. */
static void lay_out(size_t n, const char *const *strings, size_t width, char *out) {
    memset(out, 0, n * width);
    for (size_t i = 0; i < n; i++)
        memcpy(out + i * width, strings[i], strlen(strings[i]));
}

/* ---- datasets: writing ----------------------------------------------------------------------- */

/* Strings are written and read a block at a time, of so many bytes and strings at most. */
#define BLOCK_BYTES ((size_t)256 << 10)
#define BLOCK_STRINGS ((size_t)1024)

static size_t block_of(size_t width, size_t n) {
    size_t block = BLOCK_BYTES / width;
    if (block > BLOCK_STRINGS) block = BLOCK_STRINGS;
    if (block > n) block = n;
    return block ? block : 1;
}

/* Names of different lengths are mostly zeros: they are compressed. */
static enum tsr_status create_strings(const struct tsr_h5 *file, const char *object, hid_t type,
                                      hid_t space, hsize_t block, hid_t *out,
                                      struct tsr_error *err) {
    *out = H5I_INVALID_HID;
    TSR_TRY(tsr_h5_make_parents(file, object, err));
    hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
    enum tsr_status status = TSR_OK;
    bool deflate = H5Zfilter_avail(H5Z_FILTER_DEFLATE) > 0;
    if (properties >= 0 && H5Pset_obj_track_times(properties, false) >= 0 &&
        H5Pset_chunk(properties, 1, &block) >= 0) {
        status = tsr_h5_set_filters(file, object, properties, deflate, err);
        if (status == TSR_OK)
            *out = H5Dcreate2(file->id, object, type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
    }
    if (*out < 0 && status == TSR_OK)
        status = TSR_H5_FAIL(err, TSR_ERR_IO, file, object, "cannot be created");
    return tsr_h5_close_id(file, object, properties, status, err);
}

static enum tsr_status write_block(const struct tsr_h5 *file, const char *object, hid_t dataset,
                                   hid_t type, hid_t space, size_t first, size_t n,
                                   const void *block, struct tsr_error *err) {
    hsize_t start = first, count = n;
    hid_t memory = H5Screate_simple(1, &count, NULL);
    enum tsr_status status = TSR_OK;
    if (memory < 0 || H5Sselect_hyperslab(space, H5S_SELECT_SET, &start, NULL, &count, NULL) < 0 ||
        H5Dwrite(dataset, type, memory, space, H5P_DEFAULT, block) < 0)
        status = TSR_H5_FAIL(err, TSR_ERR_IO, file, object, "cannot be written");
    return tsr_h5_close_id(file, object, memory, status, err);
}

static enum tsr_status write_strings(struct tsr_h5 *file, const char *object, size_t n,
                                     const char *const *strings, struct tsr_error *err) {
    enum tsr_status status;
    hsize_t extent = n;
    size_t width = longest(n, strings), block = block_of(width, n);
    char *laid_out = NULL;
    hid_t type = H5I_INVALID_HID, space = H5I_INVALID_HID, dataset = H5I_INVALID_HID;
    TSR_CHECK(tsr_h5_check_writable(file, object, err));
    TSR_CHECK(tsr_h5_utf8_type(file, object, width, &type, err));
    space = H5Screate_simple(1, &extent, NULL);
    laid_out = malloc(block * width);
    if (space < 0 || !laid_out) {
        status = TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, object, "cannot be created");
        goto done;
    }
    TSR_CHECK(create_strings(file, object, type, space, block, &dataset, err));
    for (size_t i = 0; i < n; i += block) {
        size_t now = n - i < block ? n - i : block;
        lay_out(now, strings + i, width, laid_out);
        TSR_CHECK(write_block(file, object, dataset, type, space, i, now, laid_out, err));
    }
done:
    free(laid_out);
    status = tsr_h5_close_id(file, object, dataset, status, err);
    status = tsr_h5_close_id(file, object, space, status, err);
    return tsr_h5_close_id(file, object, type, status, err);
}

enum tsr_status tsr_h5_write_strings(struct tsr_h5 *file, const char *object, size_t n,
                                     const char *const *strings, struct tsr_error *err) {
    TSR_H5_WRITING(file, err, write_strings(file, object, n, strings, err));
}

/* ---- datasets: reading ----------------------------------------------------------------------- */

struct tsr_h5_strings {
    char *name; /* of the object */
    hid_t dataset, space, type;
    struct tsr_h5_storage storage;
    bool variable;
    size_t n;     /* in the file */
    size_t width; /* of one in memory: a pointer, or its length and a terminator */
    size_t block, first, loaded;
    void *values; /* [block] char *, or [block][width]; `loaded` of them, from `first` on */
};

/* Gives back what HDF5 has allocated for strings of variable length. */
static void unload(struct tsr_h5_strings *s) {
    for (size_t i = 0; s->variable && i < s->loaded; i++) {
        char *string = ((char **)s->values)[i];
        if (string) (void)H5free_memory(string);
    }
    s->loaded = 0;
}

void tsr_h5_close_strings(struct tsr_h5_strings *s) {
    if (!s) return;
    unload(s);
    tsr_h5_storage_clear(&s->storage);
    if (s->dataset >= 0) (void)H5Idec_ref(s->dataset);
    if (s->space >= 0) (void)H5Idec_ref(s->space);
    if (s->type >= 0) (void)H5Idec_ref(s->type);
    free(s->values);
    free(s->name);
    free(s);
}

static enum tsr_status describe(const struct tsr_h5 *file, const char *object,
                                struct tsr_h5_strings *s, hid_t stored, struct tsr_error *err) {
    if (stored < 0 || s->space < 0)
        return TSR_H5_FAIL(err, TSR_ERR_FORMAT, file, object, "cannot be opened as a dataset");
    if (H5Tget_class(stored) != H5T_STRING)
        return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object, "does not hold strings");
    int rank = H5Sget_simple_extent_ndims(s->space);
    hssize_t n = H5Sget_simple_extent_npoints(s->space);
    if (rank != 1 || n < 0 || n > UINT32_MAX)
        return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object,
                          "has rank %d and %lld strings; expected [N] of at most 2^32-1", rank,
                          (long long)n);
    s->n = (size_t)n;
    TSR_TRY(tsr_h5_string_type(file, object, stored, &s->type, err));
    s->variable = H5Tis_variable_str(s->type) > 0;
    s->width = s->variable ? sizeof(char *) : H5Tget_size(s->type);
    s->block = block_of(s->width, s->n);
    s->values = calloc(s->block, s->width);
    s->name = strdup(object);
    if (s->values && s->name) return TSR_OK;
    return TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, object, "has %zu strings", s->n);
}

static enum tsr_status open_strings(const struct tsr_h5 *file, const char *object,
                                    struct tsr_h5_strings **out, struct tsr_error *err) {
    hid_t stored = H5I_INVALID_HID;
    struct tsr_h5_strings *s = calloc(1, sizeof *s);
    *out = NULL;
    if (!s) return TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, object, "cannot be opened");
    s->space = s->type = H5I_INVALID_HID;
    enum tsr_status status = tsr_h5_open_guarded(file, object, &s->dataset, &s->storage, err);
    if (status == TSR_OK) {
        stored = H5Dget_type(s->dataset);
        s->space = H5Dget_space(s->dataset);
        status = describe(file, object, s, stored, err);
    }
    status = tsr_h5_close_id(file, object, stored, status, err);
    if (status == TSR_OK)
        *out = s;
    else
        tsr_h5_close_strings(s);
    return status;
}

/* The block that string `index` lies in. */
static enum tsr_status load(const struct tsr_h5 *file, struct tsr_h5_strings *s, size_t index,
                            struct tsr_error *err) {
    size_t first = index / s->block * s->block;
    size_t n = s->n - first < s->block ? s->n - first : s->block;
    if (s->loaded > 0 && s->first == first) return TSR_OK;
    unload(s);
    TSR_TRY(tsr_h5_check_chunks(file, s->name, s->dataset, &s->storage, 1, &first, &n, err));
    hsize_t start = first, count = n;
    hid_t memory = H5Screate_simple(1, &count, NULL);
    enum tsr_status status = TSR_OK;
    memset(s->values, 0, s->block * s->width);
    s->first = first;
    s->loaded = n;
    if (memory < 0 ||
        H5Sselect_hyperslab(s->space, H5S_SELECT_SET, &start, NULL, &count, NULL) < 0 ||
        H5Dread(s->dataset, s->type, memory, s->space, H5P_DEFAULT, s->values) < 0) {
        status = TSR_H5_FAIL(err, tsr_h5_fault(file), file, s->name, "cannot be read");
        unload(s);
    }
    return tsr_h5_close_id(file, s->name, memory, status, err);
}

/* String `index` of the block that is loaded; of none what the file has as none. */
static const char *string_of(const struct tsr_h5_strings *s, size_t index) {
    const char *string = s->variable ? ((char **)s->values)[index - s->first]
                                     : (char *)s->values + (index - s->first) * s->width;
    return string ? string : "";
}

static enum tsr_status read_string(struct tsr_h5 *file, const char *object, size_t n, size_t index,
                                   char **out, struct tsr_error *err) {
    *out = NULL;
    if (file->strings && strcmp(file->strings->name, object) != 0) {
        tsr_h5_close_strings(file->strings);
        file->strings = NULL;
    }
    if (!file->strings) TSR_TRY(open_strings(file, object, &file->strings, err));
    struct tsr_h5_strings *s = file->strings;
    if (s->n != n)
        return TSR_H5_BAD(err, TSR_ERR_FORMAT, file, object, "has %zu strings; expected %zu", s->n,
                          n);
    if (index >= n)
        return TSR_H5_BAD(err, TSR_ERR_ARGUMENT, file, object, "has %zu strings; there is no %zu",
                          n, index);
    TSR_TRY(load(file, s, index, err));
    *out = strdup(string_of(s, index));
    if (*out) return TSR_OK;
    return TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, object, "cannot be read");
}

enum tsr_status tsr_h5_read_string(struct tsr_h5 *file, const char *object, size_t n, size_t index,
                                   char **out, struct tsr_error *err) {
    TSR_H5_READING(file, err, read_string(file, object, n, index, out, err));
}

/* ---- many strings in one block --------------------------------------------------------------- */

struct collection {
    size_t *at; /* [n] offsets into text */
    char *text;
    size_t used, capacity;
};

static enum tsr_status collect(const struct tsr_h5 *file, const char *object, struct collection *c,
                               size_t index, const char *string, struct tsr_error *err) {
    size_t size = strlen(string) + 1;
    if (size > c->capacity - c->used) {
        size_t capacity = 2 * c->capacity + size + 4096;
        char *text = realloc(c->text, capacity);
        if (!text)
            return TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, object, "needs %zu bytes", capacity);
        c->text = text;
        c->capacity = capacity;
    }
    memcpy(c->text + c->used, string, size);
    c->at[index] = c->used;
    c->used += size;
    return TSR_OK;
}

static enum tsr_status assemble(const struct tsr_h5 *file, const char *object, size_t n,
                                const struct collection *c, char ***out, struct tsr_error *err) {
    size_t table = n * sizeof(char *);
    char **all = malloc(table + c->used + 1);
    if (!all) return TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, object, "has too many strings");
    char *text = (char *)all + table;
    if (c->used) memcpy(text, c->text, c->used);
    for (size_t i = 0; i < n; i++)
        all[i] = text + c->at[i];
    *out = all;
    return TSR_OK;
}

static enum tsr_status read_strings(struct tsr_h5 *file, const char *object, size_t *n, char ***out,
                                    struct tsr_error *err) {
    enum tsr_status status;
    struct collection c = {0};
    struct tsr_h5_strings *s;
    *n = 0;
    *out = NULL;
    TSR_CHECK(open_strings(file, object, &s, err));
    c.at = calloc(s->n + 1, sizeof *c.at);
    if (!c.at) {
        status = TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, object, "has %zu strings", s->n);
        goto done;
    }
    for (size_t i = 0; i < s->n; i++) {
        TSR_CHECK(load(file, s, i, err));
        TSR_CHECK(collect(file, object, &c, i, string_of(s, i), err));
    }
    TSR_CHECK(assemble(file, object, s->n, &c, out, err));
    *n = s->n;
done:
    free(c.at);
    free(c.text);
    tsr_h5_close_strings(s);
    return status;
}

enum tsr_status tsr_h5_read_strings(struct tsr_h5 *file, const char *object, size_t *n, char ***out,
                                    struct tsr_error *err) {
    TSR_H5_READING(file, err, read_strings(file, object, n, out, err));
}

/* ---- attributes: arrays of strings ----------------------------------------------------------- */

static enum tsr_status write_attr_strings(struct tsr_h5 *file, const char *object, const char *name,
                                          size_t n, const char *const *strings,
                                          struct tsr_error *err) {
    hsize_t extent = n;
    hid_t type, space = H5I_INVALID_HID;
    if (n < 1 || n > TSR_H5_MAX_ATTR_STRINGS)
        return TSR_H5_BAD(err, TSR_ERR_UNSUPPORTED, file, tsr_h5_label(object, name).text,
                          "has %zu strings; an attribute stores 1 to %d", n,
                          TSR_H5_MAX_ATTR_STRINGS);
    size_t width = longest(n, strings);
    enum tsr_status status = tsr_h5_utf8_type(file, object, width, &type, err);
    char *laid_out = status == TSR_OK ? malloc(n * width) : NULL;
    if (status == TSR_OK) space = H5Screate_simple(1, &extent, NULL);
    if (status == TSR_OK && (!laid_out || space < 0))
        status = TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, object, "cannot be written");
    if (status == TSR_OK) {
        lay_out(n, strings, width, laid_out);
        status = tsr_h5_replace_attribute(file, object, name, type, type, space, laid_out, err);
    }
    free(laid_out);
    status = tsr_h5_close_id(file, object, space, status, err);
    return tsr_h5_close_id(file, object, type, status, err);
}

enum tsr_status tsr_h5_write_attr_strings(struct tsr_h5 *file, const char *object, const char *name,
                                          size_t n, const char *const *strings,
                                          struct tsr_error *err) {
    TSR_H5_WRITING(file, err, write_attr_strings(file, object, name, n, strings, err));
}

/* Reads all strings of an attribute at once, which the file can hold. */
static enum tsr_status collect_all(const struct tsr_h5 *file,
                                   const struct tsr_h5_attribute *attribute, hid_t space,
                                   hid_t type, size_t n, struct collection *c,
                                   struct tsr_error *err) {
    const char *text = attribute->label.text;
    enum tsr_status status = TSR_OK;
    bool variable = H5Tis_variable_str(type) > 0;
    size_t width = variable ? sizeof(char *) : H5Tget_size(type);
    c->at = calloc(n, sizeof *c->at);
    char *values = calloc(n, width);
    if (!c->at || !values)
        status = TSR_H5_BAD(err, TSR_ERR_NO_MEMORY, file, text, "has %zu strings", n);
    else if (H5Aread(attribute->id, type, values) < 0)
        status = TSR_H5_FAIL(err, tsr_h5_fault(file), file, text, "cannot be read");
    for (size_t i = 0; i < n && status == TSR_OK; i++) {
        const char *string = variable ? ((char **)(void *)values)[i] : values + i * width;
        status = collect(file, text, c, i, string ? string : "", err);
    }
    if (variable && values) (void)H5Dvlen_reclaim(type, space, H5P_DEFAULT, values);
    free(values);
    return status;
}

static enum tsr_status read_attr_strings(struct tsr_h5 *file, const char *object, const char *name,
                                         size_t *n, char ***out, struct tsr_error *err) {
    enum tsr_status status;
    struct tsr_h5_attribute attribute;
    struct collection c = {0};
    hid_t space, type = H5I_INVALID_HID;
    size_t found = 0;
    *n = 0;
    *out = NULL;
    TSR_CHECK(tsr_h5_open_attribute(file, object, name, &attribute, &space, &found, err));
    const char *text = attribute.label.text;
    if (attribute.type_class != H5T_STRING || H5Sget_simple_extent_ndims(space) > 1 || found < 1 ||
        found > UINT16_MAX + 1u) {
        status =
            TSR_H5_BAD(err, TSR_ERR_FORMAT, file, text, "is not an array of 1 to 65536 strings");
        goto done;
    }
    TSR_CHECK(tsr_h5_string_type(file, text, attribute.type, &type, err));
    TSR_CHECK(collect_all(file, &attribute, space, type, found, &c, err));
    TSR_CHECK(assemble(file, text, found, &c, out, err));
    *n = found;
done:
    free(c.at);
    free(c.text);
    status = tsr_h5_close_id(file, attribute.label.text, type, status, err);
    status = tsr_h5_close_id(file, attribute.label.text, space, status, err);
    status = tsr_h5_close_attribute(file, &attribute, status, err);
    if (status != TSR_OK) {
        free(*out);
        *out = NULL;
    }
    return status;
}

enum tsr_status tsr_h5_read_attr_strings(struct tsr_h5 *file, const char *object, const char *name,
                                         size_t *n, char ***out, struct tsr_error *err) {
    TSR_H5_READING(file, err, read_attr_strings(file, object, name, n, out, err));
}
