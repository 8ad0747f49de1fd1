/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "data/source.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "data/listing.h"
#include "data/source_kinds.h"

/* ---- the registry ---------------------------------------------------------------------------- */

static const struct tsr_source_kind *const kinds[] = {&tsr_h5_source, &tsr_npy_source,
                                                      &tsr_npz_source, NULL};

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

/* ---- items ----------------------------------------------------------------------------------- */

static const struct tsr_source *source_of(const struct tsr_listing *listing,
                                          const struct tsr_listed *item) {
    return item->source == TSR_NO_SOURCE ? NULL : &listing->sources[item->source];
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
