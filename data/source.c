/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "data/source.h"

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

const struct tsr_source_kind *tsr_source_kind_of(const char *path) {
    unsigned char bytes[LOOKED_AT];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t size = fd < 0 ? -1 : pread(fd, bytes, sizeof bytes, 0);
    if (fd >= 0) (void)close(fd);
    for (const struct tsr_source_kind *const *kind = kinds; *kind && size > 0; kind++)
        if ((*kind)->takes(path, bytes, (size_t)size)) return *kind;
    return NULL;
}

/* ---- paths into archives --------------------------------------------------------------------- */

const char *tsr_source_inside(const char *path) {
    struct stat info;
    const char *inside = NULL;
    char *prefix = stat(path, &info) != 0 ? strdup(path) : NULL;
    for (char *at = prefix; at && (at = strchr(at, '/')) != NULL && !inside; at++) {
        *at = 0;
        bool file = at > prefix && stat(prefix, &info) == 0 && S_ISREG(info.st_mode);
        const struct tsr_source_kind *kind = file ? tsr_source_kind_of(prefix) : NULL;
        if (kind && kind->read_member && at[1]) inside = path + (at - prefix) + 1;
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
    const struct tsr_source_kind *kind = tsr_source_kind_of(archive);
    enum tsr_status status = kind && kind->read_member
                                 ? kind->read_member(archive, inside, limit, bytes, size, err)
                                 : tsr_no_member(archive, inside, err);
    free(archive);
    return status;
}

/* ---- items ----------------------------------------------------------------------------------- */

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
    free(fetched->bytes);
    *fetched = (struct tsr_fetched){0};
    return status;
}
