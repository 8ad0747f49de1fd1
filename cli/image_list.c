/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "cli/image_list.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "base/spread.h"
#include "cli/isolate.h"
#include "cli/later.h"
#include "cli/outputs.h"
#include "cli/paths.h"
#include "cli/shown.h"
#include "cli/signals.h"
#include "data/image_bytes.h"

#define INR ".inr.h5"

static enum tsr_status no_memory(struct tsr_error *err) {
    return TSR_ERROR(err, TSR_ERR_NO_MEMORY, "no memory for paths");
}

/* ---- names ----------------------------------------------------------------------------------- */

/* How outputs are named, the plainest first. */
struct naming {
    bool whole_path; /* below the folder that all images are in, else below its source */
    bool ending;     /* keep it */
};

/* Characters up to and with the last slash before which all paths are equal. */
static size_t common_folder(const struct tsr_listing *listing) {
    const char *first = listing->items[0].path;
    size_t n = strlen(first);
    for (size_t i = 1; i < listing->n; i++)
        for (size_t k = 0; k < n; k++)
            if (listing->items[i].path[k] != first[k]) n = k;
    while (n > 0 && first[n - 1] != '/')
        n--;
    return n;
}

/* `name` without empty, "." and ".." components, which would lead out of the folder. */
static char *inside(const char *name, bool ending) {
    char *out = malloc(strlen(name) + 1);
    size_t n = 0;
    for (const char *at = name; out && *at;) {
        size_t length = strcspn(at, "/");
        bool skipped = length == 0 || (length == 1 && at[0] == '.') ||
                       (length == 2 && at[0] == '.' && at[1] == '.');
        if (!skipped) {
            if (n) out[n++] = '/';
            memcpy(out + n, at, length);
            n += length;
        }
        at += length + (at[length] == '/');
    }
    if (!out) return NULL;
    out[n] = '\0';
    char *file = strrchr(out, '/'), *dot;
    file = file ? file + 1 : out;
    dot = strrchr(file, '.');
    if (!ending && dot && dot != file) *dot = '\0';
    return out;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Two names that are one, or NULL. sorted [n] is scratch. */
static const char *twice(const struct cli_images *images, char **sorted) {
    memcpy(sorted, images->stem, images->n * sizeof *sorted);
    qsort(sorted, images->n, sizeof *sorted, by_text);
    for (size_t i = 1; i < images->n; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0) return sorted[i];
    return NULL;
}

static enum tsr_status set_names(struct cli_images *images, struct naming naming,
                                 struct tsr_error *err) {
    size_t common = naming.whole_path ? common_folder(&images->listing) : 0;
    for (size_t i = 0; i < images->n; i++) {
        const struct tsr_listed *item = &images->listing.items[i];
        free(images->stem[i]);
        images->stem[i] =
            inside(naming.whole_path ? item->path + common : item->name, naming.ending);
        if (!images->stem[i]) return no_memory(err);
    }
    return TSR_OK;
}

static enum tsr_status name_outputs(struct cli_images *images, struct tsr_error *err) {
    static const struct naming namings[] = {
        {false, false}, {false, true}, {true, false}, {true, true}};
    enum tsr_status status = TSR_OK;
    const char *same = NULL;
    char **sorted;
    TSR_TRY(TSR_ALLOC(&images->stem, images->n, "paths", err));
    TSR_TRY(TSR_ALLOC(&sorted, images->n, "paths", err));
    for (size_t i = 0; i < sizeof namings / sizeof *namings && status == TSR_OK; i++) {
        status = set_names(images, namings[i], err);
        same = status == TSR_OK ? twice(images, sorted) : NULL;
        if (!same) break;
    }
    if (same)
        status = TSR_ERROR(err, TSR_ERR_CONFIG, "%s is given twice: both would be written to %s%s",
                           same, same, INR);
    free(sorted);
    return status;
}

/* ---- the list -------------------------------------------------------------------------------- */

static enum tsr_status add_missing(struct tsr_listing *listing, const char *path,
                                   struct tsr_error *err) {
    size_t size = strlen(path) + 1;
    char *kept = tsr_pool_take(&listing->pool, size);
    if (!kept) return no_memory(err);
    memcpy(kept, path, size);
    const struct tsr_listed item = {.path = kept,
                                    .name = tsr_last_component(kept),
                                    .split = TSR_UNDECIDED,
                                    .source = TSR_NO_SOURCE};
    return tsr_listing_add_item(listing, &item, err);
}

static enum tsr_status add_operand(struct cli_images *images, const char *operand,
                                   struct tsr_error *err) {
    struct tsr_listing *listing = &images->listing;
    struct stat info;
    size_t before = listing->n;
    if (stat(operand, &info) != 0) return add_missing(listing, operand, err);
    TSR_TRY(tsr_listing_add(listing, operand, err));
    bool file = listing->n == before + 1 && !S_ISDIR(info.st_mode) &&
                listing->items[before].source == TSR_NO_SOURCE;
    images->folders += !file;
    if (listing->n == before)
        return TSR_ERROR(err, TSR_ERR_NOT_FOUND, "%s: no image found in it", operand);
    return TSR_OK;
}

enum tsr_status cli_images_list(const char *const *operands, size_t n, const char *output,
                                struct cli_images *out, struct tsr_error *err) {
    *out = (struct cli_images){0};
    for (size_t i = 0; i < n; i++)
        TSR_TRY(add_operand(out, operands[i], err));
    out->n = out->listing.n;
    if (!output) return TSR_OK;
    out->one =
        n == 1 && out->folders == 0 && output[strlen(output) - 1] != '/' && !cli_is_folder(output);
    return name_outputs(out, err);
}

void cli_images_limit(struct cli_images *images, size_t limit) {
    size_t n = tsr_spread_count(images->n, limit);
    for (size_t i = 0; i < n; i++)
        images->listing.items[i] = images->listing.items[tsr_spread(i, images->n, n)];
    images->n = images->listing.n = n;
}

bool cli_holds_images(const char *path) {
    unsigned char bytes[8];
    if (cli_is_folder(path)) return true;
    FILE *file = fopen(path, "rb");
    size_t n = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file) (void)fclose(file);
    return tsr_image_kind(bytes, n) != TSR_KIND_UNKNOWN;
}

void cli_images_clear(struct cli_images *images) {
    for (size_t i = 0; images->stem && i < images->n; i++)
        free(images->stem[i]);
    free(images->stem);
    tsr_listing_clear(&images->listing);
    *images = (struct cli_images){0};
}

const char *cli_images_path(const struct cli_images *images, size_t i) {
    return images->listing.items[i].path;
}

char *cli_images_output(const struct cli_images *images, size_t i, const char *option,
                        const char *suffix) {
    return images->one ? strdup(option) : cli_join(option, images->stem[i], suffix);
}

/* ---- files ----------------------------------------------------------------------------------- */

/* The folders between the output folder and a file below it. */
static enum tsr_status make_folders(struct cli_call *call, const char *folder, const char *stem) {
    enum tsr_status status = TSR_OK;
    char *path = cli_join(folder, stem, "");
    if (!path) return no_memory(&call->err);
    char *at = path + strlen(path) - strlen(stem);
    while (status == TSR_OK && (at = strchr(at, '/')) != NULL) {
        *at = '\0';
        status = cli_files_folder(call, path);
        *at++ = '/';
    }
    free(path);
    return status;
}

enum tsr_status cli_images_files(struct cli_call *call, const struct cli_images *images,
                                 const char *folder) {
    const char *last = ""; /* whose folders are there */
    if (!images->one) TSR_TRY(cli_files_folder(call, folder));
    for (size_t i = 0; i < images->n; i++) {
        const char *stem = images->stem[i], *slash = strrchr(stem, '/');
        TSR_TRY(cli_files_reads(call, cli_images_path(images, i)));
        size_t length = slash ? (size_t)(slash - stem) + 1 : 0;
        if (images->one || strncmp(last, stem, length) == 0) continue;
        TSR_TRY(make_folders(call, folder, stem));
        last = stem;
    }
    return TSR_OK;
}

/* ---- one after the other --------------------------------------------------------------------- */

/* An image that is decoded while another one is worked on. */
struct cli_ahead {
    struct cli_later *later;
    const struct cli_images *images;
    const struct cli_isolate *isolate;
    struct tsr_image_as as;
    size_t i;
    bool there; /* it has been begun */
    struct tsr_image image;
    enum tsr_status status;
    struct tsr_error err;
};

static enum tsr_status decode(const struct cli_images *images, size_t i,
                              const struct cli_isolate *isolate, const struct tsr_image_as *as,
                              struct tsr_image *out, struct tsr_error *err) {
    const struct tsr_listed *item = &images->listing.items[i];
    struct tsr_image_as by = *as;
    struct tsr_fetched fetched;
    by.by = cli_isolate_decoding(isolate);
    TSR_TRY(tsr_source_fetch(&images->listing, item, &fetched, err));
    return tsr_source_decode(&images->listing, item, &fetched, &by, out, err);
}

static void decode_ahead(void *user) {
    struct cli_ahead *a = user;
    a->status = decode(a->images, a->i, a->isolate, &a->as, &a->image, &a->err);
}

static bool same_look(const struct tsr_image_as *a, const struct tsr_image_as *b) {
    return a->channels == b->channels &&
           memcmp(&a->background, &b->background, sizeof a->background) == 0;
}

/* Takes the image that was decoded ahead, if it is this one; false: it was not. */
static bool take_ahead(struct cli_ahead *a, size_t i, const struct tsr_image_as *as,
                       struct tsr_image *out, enum tsr_status *status, struct tsr_error *err) {
    if (!a || !a->there) return false;
    cli_later_wait(a->later);
    a->there = false;
    bool right = a->i == i && same_look(&a->as, as);
    if (right) {
        *out = a->image;
        *status = a->status;
        if (a->status != TSR_OK) tsr_error_copy(err, &a->err);
    } else {
        tsr_image_clear(&a->image);
    }
    a->image = (struct tsr_image){0};
    return right;
}

static void begin_ahead(struct cli_ahead *a, size_t i, const struct tsr_image_as *as) {
    if (!a || i >= a->images->n) return;
    a->as = *as;
    a->i = i;
    a->there = true;
    cli_later_do(a->later, decode_ahead, a);
}

enum tsr_status cli_images_read(struct cli_call *call, const struct cli_images *images, size_t i,
                                const struct tsr_image_as *as, struct tsr_image *out) {
    enum tsr_status status;
    if (!take_ahead(images->ahead, i, as, out, &status, &call->err))
        status = decode(images, i, call->isolate, as, out, &call->err);
    begin_ahead(images->ahead, i + 1, as);
    if (status == TSR_OK && out->remark[0])
        cli_complain(call, "%s: %s", cli_shown(cli_images_path(images, i)), out->remark);
    return status;
}

/* One image alone is not worth a thread. */
static enum tsr_status start_ahead(struct cli_call *call, struct cli_images *images) {
    if (images->n < 2) return TSR_OK;
    TSR_TRY(TSR_ALLOC(&images->ahead, 1, "the next image", &call->err));
    *images->ahead = (struct cli_ahead){.images = images, .isolate = call->isolate};
    return cli_later_start(&images->ahead->later, &call->err);
}

static void end_ahead(struct cli_images *images) {
    struct cli_ahead *a = images->ahead;
    if (!a) return;
    cli_later_end(a->later);
    if (a->there) tsr_image_clear(&a->image);
    free(a);
    images->ahead = NULL;
}

/* Names of images left out, as many as there is room for. */
struct left_out {
    size_t n;
    char names[512];
};

static void add_name(struct left_out *l, const char *path) {
    size_t used = strlen(l->names), length = strlen(path);
    const char *more = l->n ? ", " : "";
    l->n++;
    if (used + length + 8 < sizeof l->names) {
        (void)snprintf(l->names + used, sizeof l->names - used, "%s%s", more, path);
    } else if (used < 4 || strcmp(l->names + used - 3, "...") != 0) {
        (void)snprintf(l->names + used, sizeof l->names - used, "%s...", more);
    }
}

static enum tsr_status each(struct cli_call *call, const struct cli_images *images, bool strict,
                            enum tsr_status (*one)(void *user, size_t i), void *user) {
    struct left_out bad = {0};
    size_t n = images->n;
    for (size_t i = 0; i < n; i++) {
        call->phase = CLI_READING;
        enum tsr_status status = one(user, i);
        if (n == 1) return status;
        if (status == TSR_ERR_INTERRUPTED || (status == TSR_OK && cli_interrupted() && i + 1 < n))
            return TSR_ERROR(&call->err, TSR_ERR_INTERRUPTED, "interrupted after %zu of %zu images",
                             i + (status == TSR_OK), n);
        if (status == TSR_OK) continue;
        bool of_image = call->phase == CLI_READING && status != TSR_ERR_NO_MEMORY;
        if (strict || !of_image) return status;
        cli_complain(call, "%s; left out", cli_shown(call->err.message));
        add_name(&bad, cli_images_path(images, i));
    }
    call->phase = CLI_RUNNING;
    if (bad.n == 0) return TSR_OK;
    return TSR_ERROR(&call->err, TSR_ERR_IO, "%zu of %zu images were left out: %s", bad.n, n,
                     bad.names);
}

enum tsr_status cli_images_each(struct cli_call *call, struct cli_images *images, bool strict,
                                enum tsr_status (*one)(void *user, size_t i), void *user) {
    enum tsr_status status = start_ahead(call, images);
    if (status == TSR_OK) status = each(call, images, strict, one, user);
    end_ahead(images);
    return status;
}
