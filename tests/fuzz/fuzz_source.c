/* SPDX-License-Identifier: MIT
 *
 * What many images come from: zip files, other archives, arrays of numpy, alone and many to a file.
 * The first byte says what the file is called, and which of its arrays are asked for. HDF5 files
 * have a target of their own.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "data/listing.h"
#include "fuzz.h"

enum { ITEMS = 8 };

static void look(const struct tsr_listing *listing) {
    const struct tsr_image_as as = {.channels = 3};
    struct tsr_error err;
    size_t n = listing->n < ITEMS ? listing->n : ITEMS;
    for (size_t i = 0; i < n; i++)
        tsr_source_want(listing, &listing->items[i]);
    for (size_t i = 0; i < n; i++) {
        struct tsr_fetched fetched;
        struct tsr_image image;
        (void)strlen(listing->items[i].path);
        if (tsr_source_fetch(listing, &listing->items[i], &fetched, &err) != TSR_OK) continue;
        if (tsr_source_decode(listing, &listing->items[i], &fetched, &as, &image, &err) != TSR_OK)
            continue;
        if (!image.pixels || image.channels != 3) abort();
        tsr_image_clear(&image);
    }
}

/* A member that is asked for by its name, as a split file in an archive is. */
static void read_member(const char *archive) {
    char path[128];
    unsigned char *bytes;
    size_t size;
    struct tsr_error err;
    (void)snprintf(path, sizeof path, "%s/a.txt", archive);
    if (tsr_source_read_file(path, 1 << 16, &bytes, &size, &err) != TSR_OK) return;
    if (size > 1 << 16) abort();
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const endings[] = {"", ".npz", ".tar", ".zip"};
    struct tsr_listing listing = {0};
    struct tsr_error err;
    if (size < 1 || (size > 4 && memcmp(data + 1, "\x89HDF", 4) == 0)) return 0;
    const char *path = fuzz_file_as(data + 1, size - 1, endings[data[0] & 3]);
    if (data[0] & 4) listing.view.images = "x";
    if (tsr_listing_add(&listing, path, &err) == TSR_OK) look(&listing);
    tsr_listing_clear(&listing);
    if (!(data[0] & 4)) read_member(path);
    return 0;
}
