/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "data/npy.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "data/file.h"

/* ---- bytes ----------------------------------------------------------------------------------- */

static enum tsr_status read_at(const struct tsr_npy *npy, size_t at, size_t size, void *out,
                               struct tsr_error *err) {
    if (npy->fd >= 0) return tsr_file_read_at(npy->fd, npy->name, at, out, size, err);
    memcpy(out, npy->bytes + at, size);
    return TSR_OK;
}

/* ---- the header ------------------------------------------------------------------------------ */

#define LONGEST_HEADER ((size_t)1 << 20)

bool tsr_npy_is(const unsigned char *bytes, size_t size) {
    return size >= 10 && memcmp(bytes, "\x93NUMPY", 6) == 0;
}

static enum tsr_status damaged(const struct tsr_npy *npy, const char *what, struct tsr_error *err) {
    return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: is not an array of numpy that can be read: %s",
                     npy->name, what);
}

/* What follows 'key': in the text of a Python dictionary; NULL: there is none. */
static const char *value_of(const char *header, const char *key) {
    const char *at = strstr(header, key);
    if (!at) return NULL;
    at += strlen(key);
    at += strspn(at, " ");
    if (*at++ != ':') return NULL;
    return at + strspn(at, " ");
}

static bool parse_type(const char *text, struct tsr_npy *out) {
    const uint16_t one = 1;
    bool little = *(const unsigned char *)&one == 1;
    if (!text || strnlen(text, 5) < 5) return false;
    if ((*text != '\'' && *text != '"') || !strchr("<>|=", text[1])) return false;
    out->kind = text[2];
    out->width = text[3] >= '1' && text[3] <= '8' ? (size_t)(text[3] - '0') : 0;
    bool known = out->kind == 'b'   ? out->width == 1
                 : out->kind == 'f' ? out->width == 2 || out->width == 4 || out->width == 8
                 : out->kind == 'u' || out->kind == 'i'
                     ? out->width && (out->width & (out->width - 1)) == 0
                     : false;
    out->swapped = out->width > 1 && text[1] != '=' && (text[1] == '<') != little;
    return known && text[4] == text[0];
}

static bool parse_shape(const char *text, struct tsr_array *out) {
    if (!text || *text++ != '(') return false;
    for (text += strspn(text, " "); *text != ')'; text += strspn(text, ", ")) {
        char *end;
        if (*text < '0' || *text > '9' || out->rank == TSR_ARRAY_MAX_RANK) return false;
        errno = 0;
        unsigned long long extent = strtoull(text, &end, 10);
        if (errno != 0 || extent > SIZE_MAX || (*end != ',' && *end != ')')) return false;
        out->dims[out->rank++] = (size_t)extent;
        text = end;
    }
    return true;
}

/* False: there are more numbers than can be counted. */
static bool set_steps(struct tsr_npy *npy, bool fortran, size_t *bytes) {
    size_t step = 1, rank = npy->array.rank;
    for (size_t k = 0; k < rank; k++) {
        size_t i = fortran ? k : rank - 1 - k;
        npy->step[i] = step;
        if (__builtin_mul_overflow(step, npy->array.dims[i], &step)) return false;
    }
    return !__builtin_mul_overflow(step, npy->width, bytes);
}

static enum tsr_status parse_header(struct tsr_npy *npy, const char *header,
                                    struct tsr_error *err) {
    size_t bytes;
    const char *fortran = value_of(header, "'fortran_order'");
    if (!parse_type(value_of(header, "'descr'"), npy))
        return damaged(npy, "it holds no integers, floats (of 16, 32 or 64 bits) or bools", err);
    if (!parse_shape(value_of(header, "'shape'"), &npy->array))
        return damaged(npy, "its shape is damaged, or of more than 8 axes", err);
    if (!fortran || (strncmp(fortran, "True", 4) != 0 && strncmp(fortran, "False", 5) != 0))
        return damaged(npy, "it does not say the order of its numbers", err);
    if (!set_steps(npy, *fortran == 'T', &bytes) || bytes > npy->size - npy->at)
        return damaged(npy, "it is shorter than its shape says", err);
    npy->array.floats = npy->kind == 'f';
    npy->array.bytes = npy->kind == 'b' || (npy->kind == 'u' && npy->width == 1);
    return TSR_OK;
}

static enum tsr_status read_header(struct tsr_npy *npy, struct tsr_error *err) {
    unsigned char start[12] = {0};
    enum tsr_status status;
    void *header;
    TSR_TRY(read_at(npy, 0, npy->size < 12 ? npy->size : 12, start, err));
    if (!tsr_npy_is(start, npy->size)) return damaged(npy, "it does not begin like one", err);
    bool first = start[6] == 1;
    if (start[6] < 1 || start[6] > 3) return damaged(npy, "it is of an unknown version", err);
    size_t length = (size_t)start[8] | (size_t)start[9] << 8;
    if (!first) length |= (size_t)start[10] << 16 | (size_t)start[11] << 24;
    size_t from = first ? 10 : 12;
    if (length > LONGEST_HEADER || from > npy->size || length > npy->size - from)
        return damaged(npy, "its header is cut off", err);
    npy->at = from + length;
    TSR_TRY(tsr_alloc(&header, length + 1, 1, npy->name, err)); /* a zero at the end */
    status = read_at(npy, from, length, header, err);
    if (status == TSR_OK) status = parse_header(npy, header, err);
    free(header);
    return status;
}

enum tsr_status tsr_npy_open(const char *path, struct tsr_npy *out, struct tsr_error *err) {
    struct stat info;
    *out = (struct tsr_npy){.name = strdup(path), .fd = open(path, O_RDONLY | O_CLOEXEC)};
    if (!out->name) return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: no memory to open it", path);
    if (out->fd < 0 || fstat(out->fd, &info) != 0)
        return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    out->size = (size_t)info.st_size;
    return read_header(out, err);
}

enum tsr_status tsr_npy_take(const char *name, unsigned char *bytes, size_t size,
                             struct tsr_npy *out, struct tsr_error *err) {
    *out = (struct tsr_npy){.name = strdup(name), .fd = -1, .bytes = bytes, .size = size};
    if (!out->name) return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: no memory to open it", name);
    return read_header(out, err);
}

void tsr_npy_clear(struct tsr_npy *npy) {
    if (npy->name && npy->fd >= 0) (void)close(npy->fd);
    free(npy->bytes);
    free(npy->name);
    *npy = (struct tsr_npy){.fd = -1};
}

/* ---- numbers --------------------------------------------------------------------------------- */

static float half(uint16_t bits) {
    int exponent = bits >> 10 & 31;
    float fraction = (float)(bits & 1023), sign = bits & 0x8000 ? -1 : 1;
    if (exponent == 31) return fraction > 0 ? (float)NAN : sign * (float)INFINITY;
    if (exponent == 0) return sign * ldexpf(fraction, -24);
    return sign * ldexpf(fraction + 1024, exponent - 25);
}

static float number(const struct tsr_npy *npy, const unsigned char *from) {
    uint64_t bits = 0;
    const uint16_t one = 1;
    bool big = (*(const unsigned char *)&one == 1) == npy->swapped;
    for (size_t i = 0; i < npy->width; i++)
        bits |= (uint64_t)from[big ? npy->width - 1 - i : i] << 8 * i;
    if (npy->kind == 'f' && npy->width == 8) {
        double value;
        memcpy(&value, &bits, sizeof value);
        return (float)value;
    }
    if (npy->kind == 'f' && npy->width == 4) {
        uint32_t narrow = (uint32_t)bits;
        float value;
        memcpy(&value, &narrow, sizeof value);
        return value;
    }
    if (npy->kind == 'f') return half((uint16_t)bits);
    if (npy->kind == 'i') {
        size_t unused = (64 - 8 * npy->width) & 63;
        return (float)((int64_t)(bits << unused) >> unused);
    }
    return (float)bits;
}

/* The numbers of an image, which begins at `bytes`, in row-major order. */
static void convert(const struct tsr_npy *npy, const struct tsr_view *view,
                    const unsigned char *bytes, void *values) {
    size_t rank = npy->array.rank, at[TSR_ARRAY_MAX_RANK] = {0}, offset = 0;
    size_t n = tsr_view_values(view);
    for (size_t k = 0; k < n; k++) {
        const unsigned char *from = bytes + offset * npy->width;
        if (!view->narrow)
            ((float *)values)[k] = number(npy, from);
        else
            ((unsigned char *)values)[k] = npy->kind != 'b' ? *from : *from ? 255 : 0;
        for (size_t i = rank; i-- > 0;) {
            if ((int)i == view->axis) continue;
            offset += npy->step[i];
            if (++at[i] < npy->array.dims[i]) break;
            offset -= npy->array.dims[i] * npy->step[i];
            at[i] = 0;
        }
    }
}

/* From the first number of an image to its last. */
static size_t span_of(const struct tsr_npy *npy, const struct tsr_view *view) {
    size_t span = 1;
    for (size_t i = 0; i < npy->array.rank; i++)
        if ((int)i != view->axis) span += (npy->array.dims[i] - 1) * npy->step[i];
    return span;
}

enum tsr_status tsr_npy_prepare(struct tsr_npy *npy, const struct tsr_view *view,
                                struct tsr_error *err) {
    void *bytes;
    if (npy->fd < 0 || span_of(npy, view) == tsr_view_values(view)) return TSR_OK;
    TSR_TRY(tsr_alloc(&bytes, npy->size, 1, npy->name, err));
    enum tsr_status status = read_at(npy, 0, npy->size, bytes, err);
    if (status != TSR_OK) {
        free(bytes);
        return status;
    }
    (void)close(npy->fd);
    npy->fd = -1;
    npy->bytes = bytes;
    return TSR_OK;
}

enum tsr_status tsr_npy_values(const struct tsr_npy *npy, const struct tsr_view *view, size_t index,
                               void *values, struct tsr_error *err) {
    size_t step = view->axis < 0 ? 0 : npy->step[view->axis];
    size_t first = npy->at + index * step * npy->width;
    if (npy->fd < 0) {
        convert(npy, view, npy->bytes + first, values);
        return TSR_OK;
    }
    size_t span = span_of(npy, view);
    void *bytes;
    TSR_TRY(tsr_alloc(&bytes, span, npy->width, npy->name, err));
    enum tsr_status status = read_at(npy, first, span * npy->width, bytes, err);
    if (status == TSR_OK) convert(npy, view, bytes, values);
    free(bytes);
    return status;
}
