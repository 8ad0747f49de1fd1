/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "data/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "data/file.h"
#include "data/listing.h"
#include "data/source_kinds.h"

/* ---- the registry ---------------------------------------------------------------------------- */

static const struct tsr_source_kind *const kinds[] = {
    &tsr_h5_source, &tsr_npy_source, &tsr_npz_source, &tsr_zip_source, &tsr_archive_source, NULL};

#define LOOKED_AT 512 /* bytes; the mark of a tar archive lies at 257 */

enum tsr_status tsr_source_find(const char *path, const struct tsr_source_kind **out,
                                struct tsr_error *err) {
    unsigned char bytes[LOOKED_AT];
    *out = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t size = -1;
    while (fd >= 0 && (size = pread(fd, bytes, sizeof bytes, 0)) < 0 && errno == EINTR) {
    }
    int number = errno;
    if (fd >= 0) (void)close(fd);
    if (size < 0)
        return TSR_ERROR(err, TSR_ERR_IO, "%s: cannot be %s: %s", path, fd < 0 ? "opened" : "read",
                         strerror(number));
    for (const struct tsr_source_kind *const *kind = kinds; *kind && size > 0 && !*out; kind++)
        if ((*kind)->takes(path, bytes, (size_t)size)) *out = *kind;
    return TSR_OK;
}

enum tsr_status tsr_source_find_archive(const char *path, const struct tsr_source_kind **out,
                                        struct tsr_error *err) {
    TSR_TRY(tsr_source_find(path, out, err));
    if (*out && (*out)->read_member) return TSR_OK;
    return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: is no archive", path);
}

/* ---- paths into archives --------------------------------------------------------------------- */

const char *tsr_source_inside(const char *path) {
    struct stat info;
    const char *inside = NULL;
    char *prefix = stat(path, &info) != 0 ? strdup(path) : NULL;
    for (char *at = prefix; at && (at = strchr(at, '/')) != NULL && !inside; at++) {
        *at = 0;
        const struct tsr_source_kind *kind;
        bool file = at > prefix && stat(prefix, &info) == 0 && S_ISREG(info.st_mode);
        if (file && at[1] && tsr_source_find_archive(prefix, &kind, NULL) == TSR_OK)
            inside = path + (at - prefix) + 1;
        *at = '/';
    }
    free(prefix);
    return inside;
}

bool tsr_is_member(const char *name, const char *member) {
    while (name[0] == '.' && name[1] == '/')
        name += 2;
    return strcmp(name, member) == 0;
}

enum tsr_status tsr_no_member(const char *archive, const char *member, struct tsr_error *err) {
    return TSR_ERROR(err, TSR_ERR_NOT_FOUND, "%s: has no member %s", archive, member);
}

enum tsr_status tsr_source_read_file(const char *path, size_t limit, unsigned char **bytes,
                                     size_t *size, struct tsr_error *err) {
    const char *inside = tsr_source_inside(path);
    if (!inside) return tsr_file_read(path, limit, bytes, size, err);
    char *archive = strndup(path, (size_t)(inside - path) - 1);
    if (!archive) return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "%s: no memory to open it", path);
    const struct tsr_source_kind *kind;
    enum tsr_status status = tsr_source_find_archive(archive, &kind, err);
    if (status == TSR_OK) status = kind->read_member(archive, inside, limit, bytes, size, err);
    free(archive);
    return status;
}

/* ---- items ----------------------------------------------------------------------------------- */

void tsr_fetched_clear(struct tsr_fetched *fetched) {
    free(fetched->bytes);
    *fetched = (struct tsr_fetched){0};
}

static const struct tsr_source *source_of(const struct tsr_listing *listing,
                                          const struct tsr_listed *item) {
    return item->source == TSR_NO_SOURCE ? NULL : &listing->sources[item->source];
}

void tsr_source_want(const struct tsr_listing *listing, const struct tsr_listed *item) {
    const struct tsr_source *source = source_of(listing, item);
    if (source && source->kind->want) source->kind->want(source->state, item->index);
}

enum tsr_status tsr_source_fetch(const struct tsr_listing *listing, const struct tsr_listed *item,
                                 struct tsr_fetched *fetched, struct tsr_error *err) {
    const struct tsr_source *source = source_of(listing, item);
    *fetched = (struct tsr_fetched){0};
    return source ? source->kind->fetch(source->state, item, fetched, err) : TSR_OK;
}

enum tsr_status tsr_source_decode(const struct tsr_listing *listing, const struct tsr_listed *item,
                                  struct tsr_fetched *fetched, const struct tsr_image_as *as,
                                  struct tsr_image *out, struct tsr_error *err) {
    const struct tsr_source *source = source_of(listing, item);
    if (!source) return tsr_image_read(item->path, as, out, err);
    enum tsr_status status =
        source->kind->decode
            ? source->kind->decode(source->state, item, fetched, as, out, err)
            : tsr_image_decode(item->path, fetched->bytes, fetched->size, as, out, err);
    tsr_fetched_clear(fetched);
    return status;
}
