/* SPDX-License-Identifier: MIT
 *
 * Zip files as sources of images: the list is that of the folder which they would unpack to.
 */
#define _POSIX_C_SOURCE 200809L
#include <limits.h>
#include <string.h>
#include <strings.h>

#include "data/listing.h"
#include "data/source_kinds.h"
#include "data/zip.h"

static bool takes(const char *path, const unsigned char *bytes, size_t size) {
    const char *dot = strrchr(path, '.'); /* a program may lie before the archive */
    return tsr_zip_is(bytes, size) || (dot && strcasecmp(dot, ".zip") == 0);
}

static enum tsr_status open_zip(const char *path, struct tsr_listing *listing, size_t source,
                                void **state, struct tsr_error *err) {
    struct tsr_zip *zip;
    size_t n, first = listing->n;
    TSR_TRY(tsr_zip_open(path, &zip, err));
    *state = zip;
    const struct tsr_zip_member *members = tsr_zip_members(zip, &n);
    for (size_t i = 0; i < n; i++) {
        size_t listed = listing->n;
        TSR_TRY(tsr_listing_add_member(listing, path, members[i].name, source, i, err));
        const char *obstacle = listing->n > listed ? tsr_zip_obstacle(&members[i]) : NULL;
        if (obstacle)
            return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: %s %s; unpack it", path, members[i].name,
                             obstacle);
    }
    tsr_listing_sort(listing, first);
    return TSR_OK;
}

static enum tsr_status fetch(void *state, const struct tsr_listed *item, struct tsr_fetched *out,
                             struct tsr_error *err) {
    return tsr_zip_read(state, item->index, INT_MAX, &out->bytes, &out->size, err);
}

static enum tsr_status read_text(const char *path, const char *member, size_t limit,
                                 unsigned char **bytes, size_t *size, struct tsr_error *err) {
    struct tsr_zip *zip;
    size_t n, i = 0;
    TSR_TRY(tsr_zip_open(path, &zip, err));
    const struct tsr_zip_member *members = tsr_zip_members(zip, &n);
    while (i < n && !tsr_is_member(members[i].name, member))
        i++;
    enum tsr_status status =
        i < n ? tsr_zip_read(zip, i, limit, bytes, size, err) : tsr_no_member(path, member, err);
    tsr_zip_close(zip);
    return status;
}

static void close_zip(void *state) {
    tsr_zip_close(state);
}

const struct tsr_source_kind tsr_zip_source = {
    .takes = takes,
    .open = open_zip,
    .fetch = fetch,
    .read_member = read_text,
    .close = close_zip,
};
