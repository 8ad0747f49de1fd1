/* SPDX-License-Identifier: MIT
 *
 * The format: APPNOTE.TXT of PKWARE, version 6.3.10.
 */
#define _POSIX_C_SOURCE 200809L
#include "data/zip.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/memory.h"
#include "data/file.h"

#define MOST_MEMBERS ((uint64_t)1 << 24)
#define DEFLATE_AT_MOST 1032 /* what a byte of deflate can stand for; a property of the format */

enum { LOCAL_SIZE = 30, CENTRAL_SIZE = 46, END_SIZE = 22, LOCATOR_SIZE = 20, END64_SIZE = 56 };

struct tsr_zip {
    int file;
    uint64_t size;
    char *path;
    unsigned char *directory; /* names are views of it, terminated in place */
    struct tsr_zip_member *members;
    size_t n;
};

bool tsr_zip_is(const unsigned char *bytes, size_t size) {
    return size >= 4 && (memcmp(bytes, "PK\3\4", 4) == 0 || memcmp(bytes, "PK\5\6", 4) == 0);
}

/* ---- bytes ----------------------------------------------------------------------------------- */

static uint64_t little(const unsigned char *p, int n) {
    uint64_t value = 0;
    for (int i = n - 1; i >= 0; i--)
        value = value << 8 | p[i];
    return value;
}

static enum tsr_status read_at(const struct tsr_zip *zip, uint64_t at, void *out, size_t size,
                               struct tsr_error *err) {
    if (at > zip->size || size > zip->size - at)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: damaged zip file (it ends before it should)",
                         zip->path);
    return tsr_file_read_at(zip->file, zip->path, at, out, size, err);
}

static enum tsr_status damaged(const struct tsr_zip *zip, const char *what, struct tsr_error *err) {
    return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: damaged zip file (%s)", zip->path, what);
}

/* ---- the directory --------------------------------------------------------------------------- */

struct place {
    uint64_t at, size, members;
    uint64_t shift; /* what lies before the archive: a program that unpacks it, say */
};

/* The last record of the file, behind which there may be a comment. */
static enum tsr_status find_end(const struct tsr_zip *zip, unsigned char end[END_SIZE],
                                uint64_t *at, struct tsr_error *err) {
    enum tsr_status status = TSR_OK;
    size_t size = zip->size < 0xffff + END_SIZE ? (size_t)zip->size : 0xffff + END_SIZE;
    unsigned char *tail;
    if (size < END_SIZE) return damaged(zip, "it is too short", err);
    TSR_TRY(TSR_ALLOC(&tail, size, zip->path, err));
    TSR_CHECK(read_at(zip, zip->size - size, tail, size, err));
    for (size_t i = size - END_SIZE + 1; i-- > 0;) {
        if (memcmp(tail + i, "PK\5\6", 4) != 0) continue;
        memcpy(end, tail + i, END_SIZE);
        *at = zip->size - size + i;
        goto done;
    }
    status = damaged(zip, "it has no directory: part of it is missing", err);
done:
    free(tail);
    return status;
}

/* Of large files the record that the locator before the end leads to says it. */
static enum tsr_status find_end64(const struct tsr_zip *zip, uint64_t *end, struct place *out,
                                  struct tsr_error *err) {
    unsigned char locator[LOCATOR_SIZE], record[END64_SIZE];
    if (*end < LOCATOR_SIZE) return TSR_OK;
    TSR_TRY(read_at(zip, *end - LOCATOR_SIZE, locator, sizeof locator, err));
    if (memcmp(locator, "PK\6\7", 4) != 0) return TSR_OK;
    uint64_t at = little(locator + 8, 8);
    TSR_TRY(read_at(zip, at, record, sizeof record, err));
    if (memcmp(record, "PK\6\6", 4) != 0) return damaged(zip, "its directory is not found", err);
    *end = at;
    out->members = little(record + 32, 8);
    out->size = little(record + 40, 8);
    out->at = little(record + 48, 8);
    return TSR_OK;
}

static enum tsr_status find_directory(const struct tsr_zip *zip, struct place *out,
                                      struct tsr_error *err) {
    unsigned char end[END_SIZE];
    uint64_t at = 0;
    TSR_TRY(find_end(zip, end, &at, err));
    uint64_t disk = little(end + 4, 2);
    *out = (struct place){
        .members = little(end + 10, 2), .size = little(end + 12, 4), .at = little(end + 16, 4)};
    bool large = out->members == 0xffff || out->size == UINT32_MAX || out->at == UINT32_MAX;
    if (large) TSR_TRY(find_end64(zip, &at, out, err));
    if (disk != 0 && disk != 0xffff)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: is one of several volumes of a zip file",
                         zip->path);
    if (out->size > at || out->at > at - out->size)
        return damaged(zip, "its directory is not found", err);
    out->shift = at - out->size - out->at;
    out->at += out->shift;
    if (out->members > out->size / CENTRAL_SIZE)
        return damaged(zip, "its directory is too short", err);
    if (out->members > MOST_MEMBERS)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: has more than %llu members", zip->path,
                         (unsigned long long)MOST_MEMBERS);
    return TSR_OK;
}

/* What does not fit into four bytes stands in an extra field, in this order. */
static void read_extra64(const unsigned char *extra, size_t size, struct tsr_zip_member *m) {
    while (size >= 4) {
        size_t length = (size_t)little(extra + 2, 2);
        if (length > size - 4) return;
        const unsigned char *at = extra + 4, *end = at + length;
        uint64_t *const values[] = {&m->size, &m->stored, &m->at};
        for (int i = 0; little(extra, 2) == 1 && i < 3; i++)
            if (*values[i] == UINT32_MAX && end - at >= 8) {
                *values[i] = little(at, 8);
                at += 8;
            }
        extra += 4 + length;
        size -= 4 + length;
    }
}

/* The entry at `at` of the directory. The byte behind its name, which is made its end, is one of
 * fields that are read before, or of the next entry, whose first byte is known. */
static enum tsr_status read_entry(struct tsr_zip *zip, const struct place *place, size_t *at,
                                  struct tsr_error *err) {
    unsigned char *e = zip->directory + *at;
    size_t left = (size_t)place->size - *at;
    bool first_is_known = *at > 0;
    if (left < CENTRAL_SIZE ||
        memcmp(e + first_is_known, &"PK\1\2"[first_is_known], 4 - (size_t)first_is_known) != 0)
        return damaged(zip, "an entry of its directory is not one", err);
    size_t name = (size_t)little(e + 28, 2), extra = (size_t)little(e + 30, 2);
    size_t length = CENTRAL_SIZE + name + extra + (size_t)little(e + 32, 2);
    if (length > left) return damaged(zip, "an entry of its directory is too long", err);
    struct tsr_zip_member m = {.name = (char *)e + CENTRAL_SIZE,
                               .size = little(e + 24, 4),
                               .stored = little(e + 20, 4),
                               .at = little(e + 42, 4),
                               .crc = (uint32_t)little(e + 16, 4),
                               .method = (uint16_t)little(e + 10, 2),
                               .encrypted = little(e + 8, 2) & 1};
    read_extra64(e + CENTRAL_SIZE + name, extra, &m);
    e[CENTRAL_SIZE + name] = 0;
    m.at += place->shift;
    zip->members[zip->n++] = m;
    *at += length;
    return TSR_OK;
}

static enum tsr_status read_directory(struct tsr_zip *zip, struct tsr_error *err) {
    struct place place;
    TSR_TRY(find_directory(zip, &place, err));
    TSR_TRY(TSR_ALLOC(&zip->directory, (size_t)place.size + 1, zip->path, err));
    TSR_TRY(read_at(zip, place.at, zip->directory, (size_t)place.size, err));
    TSR_TRY(TSR_ALLOC(&zip->members, (size_t)place.members, zip->path, err));
    for (size_t i = 0, at = 0; i < place.members; i++)
        TSR_TRY(read_entry(zip, &place, &at, err));
    return TSR_OK;
}

enum tsr_status tsr_zip_open(const char *path, struct tsr_zip **out, struct tsr_error *err) {
    struct tsr_zip *zip;
    struct stat info;
    *out = NULL;
    TSR_TRY(TSR_ALLOC(&zip, 1, path, err));
    enum tsr_status status = TSR_OK;
    zip->path = strdup(path);
    zip->file = open(path, O_RDONLY | O_CLOEXEC);
    if (!zip->path)
        status = TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: no memory to open it", path);
    else if (zip->file < 0 || fstat(zip->file, &info) != 0)
        status = TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    if (status == TSR_OK) zip->size = (uint64_t)info.st_size;
    if (status == TSR_OK) status = read_directory(zip, err);
    if (status == TSR_OK)
        *out = zip;
    else
        tsr_zip_close(zip);
    return status;
}

void tsr_zip_close(struct tsr_zip *zip) {
    if (!zip) return;
    if (zip->file >= 0) (void)close(zip->file);
    free(zip->path);
    free(zip->directory);
    free(zip->members);
    free(zip);
}

const struct tsr_zip_member *tsr_zip_members(const struct tsr_zip *zip, size_t *n) {
    *n = zip->n;
    return zip->members;
}

/* ---- members --------------------------------------------------------------------------------- */

const char *tsr_zip_obstacle(const struct tsr_zip_member *member) {
    static const struct {
        uint16_t method;
        const char *text;
    } known[] = {{9, "is compressed with Deflate64, which cannot be read"},
                 {12, "is compressed with bzip2, which in a zip file cannot be read"},
                 {14, "is compressed with LZMA, which in a zip file cannot be read"},
                 {93, "is compressed with Zstandard, which in a zip file cannot be read"},
                 {95, "is compressed with xz, which in a zip file cannot be read"}};
    if (member->encrypted || member->method == 99) return "is encrypted";
    if (member->method == 0 || member->method == 8) return NULL;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].method == member->method) return known[i].text;
    return "is compressed with a method that cannot be read";
}

/* Inflates in [stored] to out [size], neither more nor less. */
static bool inflate_all(const unsigned char *in, size_t stored, unsigned char *out, size_t size) {
    z_stream stream = {0};
    if (inflateInit2(&stream, -MAX_WBITS) != Z_OK) return false;
    stream.next_in = (unsigned char *)in;
    stream.avail_in = (uInt)stored;
    stream.next_out = out;
    stream.avail_out = (uInt)size;
    int result = inflate(&stream, Z_FINISH);
    bool all = result == Z_STREAM_END && stream.total_out == size;
    (void)inflateEnd(&stream);
    return all;
}

static enum tsr_status wrong_member(const struct tsr_zip *zip, const struct tsr_zip_member *m,
                                    const char *what, struct tsr_error *err) {
    return TSR_ERROR(err, TSR_ERR_FORMAT, "%s/%s: %s", zip->path, m->name, what);
}

static enum tsr_status check_sizes(const struct tsr_zip *zip, const struct tsr_zip_member *m,
                                   size_t limit, struct tsr_error *err) {
    const char *obstacle = tsr_zip_obstacle(m);
    if (obstacle) return wrong_member(zip, m, obstacle, err);
    if (limit > INT32_MAX) limit = INT32_MAX;
    if (m->size > limit)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s/%s: has %llu bytes; at most %zu are read",
                         zip->path, m->name, (unsigned long long)m->size, limit);
    if (m->stored > zip->size || (m->method == 0 && m->stored != m->size) ||
        m->size / DEFLATE_AT_MOST > m->stored)
        return wrong_member(zip, m, "damaged zip file (its sizes cannot be)", err);
    return TSR_OK;
}

static enum tsr_status find_data(const struct tsr_zip *zip, const struct tsr_zip_member *m,
                                 uint64_t *at, struct tsr_error *err) {
    unsigned char header[LOCAL_SIZE];
    TSR_TRY(read_at(zip, m->at, header, sizeof header, err));
    if (memcmp(header, "PK\3\4", 4) != 0)
        return wrong_member(zip, m, "damaged zip file (it is not where it should be)", err);
    *at = m->at + LOCAL_SIZE + little(header + 26, 2) + little(header + 28, 2);
    return TSR_OK;
}

enum tsr_status tsr_zip_read(const struct tsr_zip *zip, size_t member, size_t limit,
                             unsigned char **bytes, size_t *size, struct tsr_error *err) {
    const struct tsr_zip_member *m = &zip->members[member];
    enum tsr_status status;
    unsigned char *stored = NULL, *data = NULL;
    uint64_t at = 0;
    TSR_CHECK(check_sizes(zip, m, limit, err));
    TSR_CHECK(find_data(zip, m, &at, err));
    TSR_CHECK(TSR_ALLOC(&stored, (size_t)m->stored + 1, m->name, err));
    TSR_CHECK(read_at(zip, at, stored, (size_t)m->stored, err));
    if (m->method == 0) {
        data = stored;
        stored = NULL;
    } else {
        TSR_CHECK(TSR_ALLOC(&data, (size_t)m->size + 1, m->name, err));
        if (!inflate_all(stored, (size_t)m->stored, data, (size_t)m->size))
            status = wrong_member(zip, m, "damaged zip file (it cannot be inflated)", err);
    }
    if (status == TSR_OK && crc32(0, data, (uInt)m->size) != m->crc)
        status = wrong_member(zip, m, "damaged zip file (wrong checksum)", err);
done:
    free(stored);
    if (status != TSR_OK) free(data);
    if (status == TSR_OK) *bytes = data;
    if (status == TSR_OK) *size = (size_t)m->size;
    return status;
}
