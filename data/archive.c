/* SPDX-License-Identifier: MIT
 *
 * Archives that libarchive reads, from their beginning to their end: tar, plain or compressed, and
 * 7z. Nothing is unpacked to disk. The first pass lists the names; the second gives the members in
 * the order of the archive, and keeps in memory what is asked for later only.
 */
#define _POSIX_C_SOURCE 200809L
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "data/listing.h"
#include "data/source_kinds.h"

static bool begins(const unsigned char *bytes, size_t size, const char *with, size_t length) {
    return size >= length && memcmp(bytes, with, length) == 0;
}

/* gzip, bzip2, xz, Zstandard, 7z, RAR and tar by their marks, tar before POSIX by its name. */
static bool takes(const char *path, const unsigned char *bytes, size_t size) {
    const char *dot = strrchr(path, '.');
    return begins(bytes, size, "\x1f\x8b", 2) || begins(bytes, size, "BZh", 3) ||
           begins(bytes, size,
                  "\xfd"
                  "7zXZ",
                  6) ||
           begins(bytes, size, "\x28\xb5\x2f\xfd", 4) ||
           begins(bytes, size, "7z\xbc\xaf\x27\x1c", 6) || begins(bytes, size, "Rar!", 4) ||
           (size >= 262 && memcmp(bytes + 257, "ustar", 5) == 0) ||
           (dot && strcasecmp(dot, ".tar") == 0);
}

#ifdef TSR_NO_ARCHIVE

static enum tsr_status refuse(const char *path, struct tsr_error *err) {
    return TSR_ERROR(err, TSR_ERR_FORMAT,
                     "%s: is an archive that this tessera cannot read: it was built without "
                     "libarchive; unpack it",
                     path);
}

static enum tsr_status open_archive(const char *path, struct tsr_listing *listing, size_t source,
                                    void **state, struct tsr_error *err) {
    (void)listing;
    (void)source;
    (void)state;
    return refuse(path, err);
}

static enum tsr_status read_member(const char *path, const char *member, size_t limit,
                                   unsigned char **bytes, size_t *size, struct tsr_error *err) {
    (void)member;
    (void)limit;
    (void)bytes;
    (void)size;
    return refuse(path, err);
}

const char *tsr_archive_library(void) {
    return "none";
}

const struct tsr_source_kind tsr_archive_source = {
    .name = "archive", .takes = takes, .open = open_archive, .read_member = read_member};

#else

#include <archive.h>
#include <archive_entry.h>

#define BLOCK ((size_t)1 << 18)
#define MOST_MEMBERS ((size_t)1 << 24)
#define MOST_KEPT ((size_t)1 << 30) /* bytes in memory of what is asked for later */
/* No archive of images is worth more of its bytes: those of deflate stand for 1032 at most. */
#define MOST_UNPACKED 1032

struct kept {
    size_t member, size;
    unsigned char *bytes;
};

struct stream {
    char *path;
    uint64_t size;          /* of the file */
    struct archive *handle; /* NULL: before the beginning */
    size_t next;            /* the member that comes next */
    unsigned char *wanted;  /* [n]: will be asked for, and was not yet */
    size_t n;
    struct kept *kept; /* [n_kept], in the order of the archive */
    size_t n_kept, bytes_kept;
};

const char *tsr_archive_library(void) {
    return archive_version_string();
}

/* ---- one pass -------------------------------------------------------------------------------- */

static enum tsr_status failure(const struct stream *s, struct tsr_error *err) {
    const char *text = archive_error_string(s->handle);
    return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: cannot be read as an archive (%s)", s->path,
                     text ? text : "no reason is given");
}

static void rewind_stream(struct stream *s) {
    if (s->handle) (void)archive_read_free(s->handle);
    s->handle = NULL;
    s->next = 0;
}

static enum tsr_status begin(struct stream *s, struct tsr_error *err) {
    rewind_stream(s);
    s->handle = archive_read_new();
    if (!s->handle) return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: no memory to open it", s->path);
    (void)archive_read_support_filter_all(s->handle);
    (void)archive_read_support_format_tar(s->handle);
    (void)archive_read_support_format_7zip(s->handle);
    if (archive_read_open_filename(s->handle, s->path, BLOCK) != ARCHIVE_OK) return failure(s, err);
    return TSR_OK;
}

static enum tsr_status check_bounds(const struct stream *s, struct tsr_error *err) {
    int64_t unpacked = archive_filter_bytes(s->handle, 0);
    if (s->next > MOST_MEMBERS)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: has more than %zu members", s->path,
                         MOST_MEMBERS);
    /* The last one only hands the file on. */
    if (archive_filter_count(s->handle) > 2)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: is compressed more than once", s->path);
    if (unpacked > 0 && (uint64_t)unpacked / MOST_UNPACKED > s->size)
        return TSR_ERROR(err, TSR_ERR_FORMAT,
                         "%s: unpacks to more than %d times its size, which is refused", s->path,
                         MOST_UNPACKED);
    return TSR_OK;
}

/* The next member; *entry is NULL at the end. */
static enum tsr_status advance(struct stream *s, struct archive_entry **entry,
                               struct tsr_error *err) {
    int result = archive_read_next_header(s->handle, entry);
    TSR_TRY(check_bounds(s, err));
    if (result == ARCHIVE_EOF) {
        *entry = NULL;
        return TSR_OK;
    }
    if (result != ARCHIVE_OK && result != ARCHIVE_WARN) return failure(s, err);
    s->next++;
    return TSR_OK;
}

/* Its name, or NULL for what is no file. */
static const char *name_of(struct archive_entry *entry) {
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry)) return NULL;
    const char *name = archive_entry_pathname_utf8(entry);
    return name ? name : archive_entry_pathname(entry);
}

/* The bytes of the member at hand. */
static enum tsr_status read_entry(const struct stream *s, struct archive_entry *entry, size_t limit,
                                  unsigned char **bytes, size_t *size, struct tsr_error *err) {
    int64_t length = archive_entry_size(entry);
    const char *name = name_of(entry);
    if (length < 0 || (uint64_t)length > limit)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s/%s: has %lld bytes; at most %zu are read",
                         s->path, name ? name : "", (long long)length, limit);
    /* What is claimed is not trusted before it is there. */
    if ((uint64_t)length / MOST_UNPACKED > s->size)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s/%s: is said to have %lld bytes, which cannot be",
                         s->path, name ? name : "", (long long)length);
    TSR_TRY(TSR_ALLOC(bytes, (size_t)length + 1, s->path, err));
    *size = 0;
    while (*size < (size_t)length) {
        la_ssize_t got = archive_read_data(s->handle, *bytes + *size, (size_t)length - *size);
        if (got <= 0) break;
        *size += (size_t)got;
    }
    if (*size == (size_t)length) return TSR_OK;
    free(*bytes);
    *bytes = NULL;
    return failure(s, err);
}

/* ---- the list -------------------------------------------------------------------------------- */

static enum tsr_status list_members(struct stream *s, struct tsr_listing *listing, size_t source,
                                    struct tsr_error *err) {
    struct archive_entry *entry;
    for (;;) {
        TSR_TRY(advance(s, &entry, err));
        if (!entry) break;
        const char *name = name_of(entry);
        if (!name) continue;
        size_t listed = listing->n;
        TSR_TRY(tsr_listing_add_member(listing, s->path, name, source, s->next - 1, err));
        if (listing->n > listed && archive_entry_is_encrypted(entry))
            return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: %s is encrypted; unpack it", s->path, name);
    }
    s->n = s->next;
    rewind_stream(s);
    return TSR_ALLOC(&s->wanted, s->n + 1, s->path, err);
}

static void close_archive(void *state) {
    struct stream *s = state;
    rewind_stream(s);
    for (size_t i = 0; i < s->n_kept; i++)
        free(s->kept[i].bytes);
    free(s->kept);
    free(s->wanted);
    free(s->path);
    free(s);
}

static enum tsr_status create(const char *path, struct stream **out, struct tsr_error *err) {
    struct stat info;
    TSR_TRY(TSR_ALLOC(out, 1, path, err));
    struct stream *s = *out;
    s->path = strdup(path);
    if (!s->path) return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: no memory to open it", path);
    s->size = stat(path, &info) == 0 ? (uint64_t)info.st_size : 0;
    return begin(s, err);
}

static enum tsr_status open_archive(const char *path, struct tsr_listing *listing, size_t source,
                                    void **state, struct tsr_error *err) {
    struct stream *s = NULL;
    enum tsr_status status = create(path, &s, err);
    *state = s;
    return status == TSR_OK ? list_members(s, listing, source, err) : status;
}

/* ---- members --------------------------------------------------------------------------------- */

static void want(void *state, size_t index) {
    struct stream *s = state;
    if (index < s->n) s->wanted[index] = 1;
}

static enum tsr_status keep(struct stream *s, size_t member, struct archive_entry *entry,
                            struct tsr_error *err) {
    TSR_TRY(TSR_GROW(&s->kept, s->n_kept, s->path, err));
    struct kept *k = &s->kept[s->n_kept];
    *k = (struct kept){.member = member};
    s->wanted[member] = 0;
    TSR_TRY(read_entry(s, entry, INT_MAX, &k->bytes, &k->size, err));
    s->n_kept++;
    s->bytes_kept += k->size;
    if (s->bytes_kept > MOST_KEPT)
        return TSR_ERROR(
            err, TSR_ERR_FORMAT,
            "%s: is in another order than it is needed in, and more of it than %zu MiB "
            "would have to be kept in memory; unpack it",
            s->path, MOST_KEPT >> 20);
    return TSR_OK;
}

static bool take_kept(struct stream *s, size_t member, struct tsr_fetched *out) {
    size_t low = 0, high = s->n_kept;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->kept[middle].member < member)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == s->n_kept || s->kept[low].member != member || !s->kept[low].bytes) return false;
    *out = (struct tsr_fetched){.bytes = s->kept[low].bytes, .size = s->kept[low].size};
    s->bytes_kept -= s->kept[low].size;
    s->kept[low].bytes = NULL; /* the place stays, for the order */
    return true;
}

static enum tsr_status fetch(void *state, const struct tsr_listed *item, struct tsr_fetched *out,
                             struct tsr_error *err) {
    struct stream *s = state;
    struct archive_entry *entry;
    s->wanted[item->index] = 0;
    if (take_kept(s, item->index, out)) return TSR_OK;
    if (!s->handle) TSR_TRY(begin(s, err));
    if (s->next > item->index)
        return TSR_ERROR(err, TSR_ERR_ARGUMENT, "%s: was not asked for in time", item->path);
    for (;;) {
        TSR_TRY(advance(s, &entry, err));
        if (!entry) return TSR_ERROR(err, TSR_ERR_IO, "%s: has fewer members than before", s->path);
        size_t member = s->next - 1;
        if (member == item->index)
            return read_entry(s, entry, INT_MAX, &out->bytes, &out->size, err);
        if (s->wanted[member]) TSR_TRY(keep(s, member, entry, err));
    }
}

static enum tsr_status read_member(const char *path, const char *member, size_t limit,
                                   unsigned char **bytes, size_t *size, struct tsr_error *err) {
    struct stream *s = NULL;
    struct archive_entry *entry = NULL;
    enum tsr_status status = create(path, &s, err);
    while (status == TSR_OK) {
        status = advance(s, &entry, err);
        if (status != TSR_OK || !entry) break;
        const char *name = name_of(entry);
        if (name && tsr_is_member(name, member)) break;
    }
    if (status == TSR_OK)
        status = entry ? read_entry(s, entry, limit, bytes, size, err)
                       : tsr_no_member(path, member, err);
    if (s) close_archive(s);
    return status;
}

const struct tsr_source_kind tsr_archive_source = {
    .name = "archive",
    .takes = takes,
    .open = open_archive,
    .want = want,
    .fetch = fetch,
    .read_member = read_member,
    .close = close_archive,
};

#endif
