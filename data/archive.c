/* SPDX-License-Identifier: MIT
 *
 * Archives that libarchive reads, from their beginning to their end: tar, plain or compressed, and
 * 7z; and tar archives within them, as the folders they would unpack to (ImageNet comes as one of a
 * thousand). Nothing is unpacked to disk. The first pass lists the names; the second gives the
 * members in the order of the archive, and keeps in memory what is asked for later only.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <limits.h>
#include <stdio.h>
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
    .takes = takes, .open = open_archive, .read_member = read_member};

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
    struct archive *inner;  /* one that is a member of it; NULL: none is open */
    char *inner_name;       /* its path in the other */
    unsigned char *block;   /* [BLOCK] of it */
    char *name;             /* of the member at hand, in both */
    bool begun, unended;    /* a member has come; the last of a tar archive, without the mark of the
                               end behind it */
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

/* The archive that has the member at hand. */
static struct archive *at_hand(const struct stream *s) {
    return s->inner ? s->inner : s->handle;
}

static enum tsr_status failure(const struct stream *s, struct tsr_error *err) {
    const char *text = archive_error_string(at_hand(s));
    return TSR_ERROR(err, TSR_ERR_FORMAT, "%s%s%s: cannot be read as an archive (%s)", s->path,
                     s->inner ? "/" : "", s->inner ? s->inner_name : "",
                     text ? text : "no reason is given");
}

static void close_inner(struct stream *s) {
    if (s->inner) (void)archive_read_free(s->inner);
    s->inner = NULL;
    free(s->inner_name);
    s->inner_name = NULL;
}

static void rewind_stream(struct stream *s) {
    close_inner(s);
    if (s->handle) (void)archive_read_free(s->handle);
    s->handle = NULL;
    s->begun = false;
    s->next = 0;
}

static enum tsr_status new_reader(const struct stream *s, struct archive **out,
                                  struct tsr_error *err) {
    *out = archive_read_new();
    if (!*out) return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: no memory to open it", s->path);
    (void)archive_read_support_filter_all(*out);
    (void)archive_read_support_format_tar(*out);
    return TSR_OK;
}

static enum tsr_status begin(struct stream *s, struct tsr_error *err) {
    rewind_stream(s);
    TSR_TRY(new_reader(s, &s->handle, err));
    (void)archive_read_support_format_7zip(s->handle);
    if (archive_read_open_filename(s->handle, s->path, BLOCK) != ARCHIVE_OK) return failure(s, err);
    return TSR_OK;
}

static enum tsr_status check_bounds(const struct stream *s, struct tsr_error *err) {
    int64_t unpacked = archive_filter_bytes(at_hand(s), 0);
    if (s->next > MOST_MEMBERS)
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: has more than %zu members", s->path,
                         MOST_MEMBERS);
    /* The last one only hands the file on. */
    if (archive_filter_count(at_hand(s)) > 2 ||
        (s->inner && archive_filter_count(s->inner) > 1 && archive_filter_count(s->handle) > 1))
        return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: is compressed more than once", s->path);
    if (unpacked > 0 && (uint64_t)unpacked / MOST_UNPACKED > s->size)
        return TSR_ERROR(err, TSR_ERR_FORMAT,
                         "%s: unpacks to more than %d times its size, which is refused", s->path,
                         MOST_UNPACKED);
    return TSR_OK;
}

/* Its name, or NULL for what is no file. */
static const char *entry_name(struct archive_entry *entry) {
    if (archive_entry_filetype(entry) != AE_IFREG || archive_entry_hardlink(entry)) return NULL;
    const char *name = archive_entry_pathname_utf8(entry);
    return name ? name : archive_entry_pathname(entry);
}

/* Length of a tar archive's name without its ending; 0: it is no name of one. */
static size_t tar_stem(const char *name) {
    static const char *const endings[] = {".tar",     ".tgz",    ".tar.gz",
                                          ".tar.bz2", ".tar.xz", ".tar.zst"};
    size_t length = name ? strlen(name) : 0;
    if (length == 0 || tsr_last_component(name)[0] == '.') return 0;
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t ending = strlen(endings[i]);
        if (length > ending && strcasecmp(name + length - ending, endings[i]) == 0)
            return length - ending;
    }
    return 0;
}

static la_ssize_t read_inner(struct archive *inner, void *user, const void **bytes) {
    struct stream *s = user;
    la_ssize_t got = archive_read_data(s->handle, s->block, BLOCK);
    *bytes = s->block;
    if (got < 0) archive_set_error(inner, EIO, "%s", archive_error_string(s->handle));
    return got;
}

/* Of the member at hand, which is an archive. */
static enum tsr_status open_inner(struct stream *s, const char *name, struct tsr_error *err) {
    struct archive *inner;
    if (!s->block) TSR_TRY(TSR_ALLOC(&s->block, BLOCK, s->path, err));
    TSR_TRY(new_reader(s, &inner, err));
    s->inner = inner;
    s->inner_name = strdup(name);
    if (!s->inner_name)
        return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: no memory to open it", s->path);
    return archive_read_open(inner, s, NULL, read_inner, NULL) == ARCHIVE_OK ? TSR_OK
                                                                             : failure(s, err);
}

/* The next member, of the archive or of one in it; *entry is NULL at the end. */
static enum tsr_status advance(struct stream *s, struct archive_entry **entry,
                               struct tsr_error *err) {
    for (;;) {
        if (!s->inner && s->begun) (void)archive_read_data_skip(s->handle);
        int64_t behind = archive_filter_bytes(s->handle, 0);
        int result = archive_read_next_header(at_hand(s), entry);
        TSR_TRY(check_bounds(s, err));
        if (result == ARCHIVE_EOF && !s->inner) {
            bool tar = (archive_format(s->handle) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_TAR;
            s->unended = tar && s->begun && archive_filter_bytes(s->handle, 0) == behind;
            *entry = NULL;
            return TSR_OK;
        }
        if (result == ARCHIVE_EOF) {
            close_inner(s);
            continue;
        }
        if (result != ARCHIVE_OK && result != ARCHIVE_WARN) return failure(s, err);
        s->begun = true;
        const char *name = s->inner ? NULL : entry_name(*entry);
        if (!name || tar_stem(name) == 0) break;
        TSR_TRY(open_inner(s, name, err));
    }
    s->next++;
    return TSR_OK;
}

/* Its path in the archive, *out NULL for what is no file. Good until the next one is asked for. */
static enum tsr_status name_of(struct stream *s, struct archive_entry *entry, const char **out,
                               struct tsr_error *err) {
    *out = entry_name(entry);
    if (!*out || !s->inner) return TSR_OK;
    int stem = (int)tar_stem(s->inner_name);
    size_t size = (size_t)stem + strlen(*out) + 2;
    free(s->name);
    s->name = NULL;
    TSR_TRY(TSR_ALLOC(&s->name, size, s->path, err));
    (void)snprintf(s->name, size, "%.*s/%s", stem, s->inner_name, *out);
    *out = s->name;
    return TSR_OK;
}

/* The bytes of the member at hand. */
static enum tsr_status read_entry(struct stream *s, struct archive_entry *entry, size_t limit,
                                  unsigned char **bytes, size_t *size, struct tsr_error *err) {
    int64_t length = archive_entry_size(entry);
    const char *name;
    TSR_TRY(name_of(s, entry, &name, err));
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
        la_ssize_t got = archive_read_data(at_hand(s), *bytes + *size, (size_t)length - *size);
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
    const char *name;
    for (;;) {
        TSR_TRY(advance(s, &entry, err));
        if (!entry) break;
        TSR_TRY(name_of(s, entry, &name, err));
        if (!name) continue;
        size_t listed = listing->n;
        TSR_TRY(tsr_listing_add_member(listing, s->path, name, source, s->next - 1, err));
        if (listing->n > listed && archive_entry_is_encrypted(entry))
            return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: %s is encrypted; unpack it", s->path, name);
    }
    s->n = s->next;
    if (s->unended) listing->unended = s->path;
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
    free(s->block);
    free(s->name);
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
        const char *name = NULL;
        status = advance(s, &entry, err);
        if (status != TSR_OK || !entry) break;
        status = name_of(s, entry, &name, err);
        if (status == TSR_OK && name && tsr_is_member(name, member)) break;
    }
    if (status == TSR_OK)
        status = entry ? read_entry(s, entry, limit, bytes, size, err)
                       : tsr_no_member(path, member, err);
    if (s) close_archive(s);
    return status;
}

const struct tsr_source_kind tsr_archive_source = {
    .takes = takes,
    .open = open_archive,
    .want = want,
    .fetch = fetch,
    .read_member = read_member,
    .close = close_archive,
};

#endif
