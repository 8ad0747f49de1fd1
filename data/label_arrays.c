/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "data/label_arrays.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/memory.h"
#include "data/array_item.h"
#include "data/h5_images.h"
#include "data/source_kinds.h"

bool tsr_label_arrays_at(const char *path) {
    const struct tsr_source_kind *kind = NULL;
    struct stat info;
    return stat(path, &info) == 0 && S_ISREG(info.st_mode) &&
           tsr_source_find(path, &kind, NULL) == TSR_OK && kind && !kind->read_member;
}

/* ---- the list -------------------------------------------------------------------------------- */

static enum tsr_status check_images(const struct tsr_listing *images, struct tsr_error *err) {
    for (size_t i = 0; i < images->n; i++) {
        size_t source = images->items[i].source;
        if (source == TSR_NO_SOURCE || images->sources[source].kind->read_member)
            return TSR_ERROR(err, TSR_ERR_CONFIG,
                             "%s: is an image in a file, and label maps in arrays are for images "
                             "in arrays",
                             images->items[i].path);
    }
    return TSR_OK;
}

static enum tsr_status wrong_number(const char *path, size_t maps, size_t of,
                                    struct tsr_error *err) {
    return TSR_ERROR(err, TSR_ERR_FORMAT, "%s: holds %zu label maps for %zu images", path, maps,
                     of);
}

/* Of images [n] of the size of a source. */
static enum tsr_status list_file(const char *path, const char *array, size_t n,
                                 const struct tsr_source *of, struct tsr_listing *out,
                                 struct tsr_error *err) {
    bool several = array && strchr(array, ',');
    size_t before = out->n;
    out->view = (struct tsr_view_options){.images = array,
                                          .labels = true,
                                          .of_n = several ? 0 : n,
                                          .of_height = of->height,
                                          .of_width = of->width};
    TSR_TRY(tsr_listing_add(out, path, err));
    return out->n - before == n ? TSR_OK : wrong_number(path, out->n - before, n, err);
}

enum tsr_status tsr_label_arrays_list(const char *path, const char *array,
                                      const struct tsr_listing *images, struct tsr_label_files *out,
                                      struct tsr_error *err) {
    size_t n = 0;
    TSR_TRY(check_images(images, err));
    for (size_t s = 0; s < images->n_sources; s++) {
        const struct tsr_source *source = &images->sources[s];
        n += source->n;
        if (!path) TSR_TRY(list_file(source->path, array, source->n, source, &out->listing, err));
    }
    return path ? list_file(path, array, n, images->sources, &out->listing, err) : TSR_OK;
}

/* ---- pairs ----------------------------------------------------------------------------------- */

/* Names that tell: of splits, and of arrays that are one image each. */
static bool contradict(const char *image, const char *map) {
    uint8_t a = tsr_array_split(image), b = tsr_array_split(map);
    if (a != TSR_UNDECIDED && b != TSR_UNDECIDED && a != b) return true;
    return !strchr(image, '#') && !strchr(map, '#') &&
           strcmp(tsr_last_component(image), tsr_last_component(map)) != 0;
}

enum tsr_status tsr_label_arrays_match(struct tsr_listing *images, struct tsr_label_files *files,
                                       struct tsr_error *err) {
    TSR_TRY(TSR_ALLOC(&files->assigned, images->n, "label maps", err));
    files->n = images->n;
    for (size_t i = 0; i < images->n; i++) {
        struct tsr_listed *image = &images->items[i];
        size_t at = image->index;
        for (size_t s = 0; s < image->source; s++)
            at += images->sources[s].n;
        const struct tsr_listed *map = &files->listing.items[at];
        if (contradict(image->name, map->name))
            return TSR_ERROR(err, TSR_ERR_FORMAT,
                             "%s would be the label map of %s: the arrays are to be given in one "
                             "order (--images A,B --label-array C,D)",
                             map->path, image->path);
        files->assigned[i] = (struct tsr_label_file){.file = map};
        image->first_map = i;
        image->maps = 1;
    }
    return TSR_OK;
}

/* ---- what files say of them ------------------------------------------------------------------ */

void tsr_label_sheet_clear(struct tsr_label_sheet *sheet) {
    tsr_label_names_clear(&sheet->names);
}

static enum tsr_status read_attributes(struct tsr_h5 *f, const char *object,
                                       struct tsr_label_sheet *out, struct tsr_error *err) {
    int64_t count = 0;
    if (tsr_h5_has_attr(f, object, "label_names"))
        TSR_TRY(tsr_h5_read_attr_strings(f, object, "label_names", &out->names.n, &out->names.names,
                                         err));
    if (tsr_h5_has_attr(f, object, "count"))
        TSR_TRY(tsr_h5_read_attr_i64(f, object, "count", &count, err));
    if (tsr_h5_has_attr(f, object, "void"))
        TSR_TRY(tsr_h5_read_attr_i64(f, object, "void", &out->of_void, err));
    if (tsr_h5_has_attr(f, object, "rule"))
        TSR_TRY(tsr_h5_read_attr_str(f, object, "rule", out->rule, sizeof out->rule, err));
    out->count = count > 0 ? (size_t)count : out->names.n;
    if (count < 0 || count > UINT16_MAX + 1 || out->of_void < -1 || out->of_void > UINT16_MAX ||
        (out->names.n > 0 && out->names.n != out->count))
        return TSR_ERROR(err, TSR_ERR_FORMAT,
                         "%s: %s says that there are %lld labels, %zu names and void as %lld",
                         tsr_h5_path(f), object, (long long)count, out->names.n,
                         (long long)out->of_void);
    return TSR_OK;
}

static enum tsr_status read_sheet(const char *path, const char *array, struct tsr_label_sheet *out,
                                  struct tsr_error *err) {
    struct tsr_h5 *f = NULL;
    char *object = NULL;
    enum tsr_status status;
    *out = (struct tsr_label_sheet){.of_void = -1, .rule = "labels"};
    TSR_CHECK(tsr_h5_open(path, &f, err));
    TSR_CHECK(tsr_h5_images_path(array ? array : "labels", &object, err));
    if (tsr_h5_exists(f, object)) TSR_CHECK(read_attributes(f, object, out, err));
done:
    free(object);
    tsr_h5_close(f);
    return status;
}

static bool same_sheet(const struct tsr_label_sheet *a, const struct tsr_label_sheet *b) {
    bool same = a->names.n == b->names.n && a->count == b->count && a->of_void == b->of_void &&
                strcmp(a->rule, b->rule) == 0;
    for (size_t i = 0; same && i < a->names.n; i++)
        same = strcmp(a->names.names[i], b->names.names[i]) == 0;
    return same;
}

enum tsr_status tsr_label_arrays_sheet(const struct tsr_label_files *files, const char *array,
                                       struct tsr_label_sheet *out, struct tsr_error *err) {
    *out = (struct tsr_label_sheet){.of_void = -1, .rule = "labels"};
    const struct tsr_listing *l = &files->listing;
    for (size_t s = 0; s < l->n_sources; s++) {
        struct tsr_label_sheet other;
        if (l->sources[s].kind != &tsr_h5_source) continue;
        enum tsr_status status = read_sheet(l->sources[s].path, array, &other, err);
        if (status == TSR_OK && s > 0 && !same_sheet(out, &other))
            status =
                TSR_ERROR(err, TSR_ERR_FORMAT,
                          "%s and %s have label maps of different labels (numbers, names, void)",
                          l->sources[0].path, l->sources[s].path);
        tsr_label_sheet_clear(s > 0 || status != TSR_OK ? &other : out);
        TSR_TRY(status);
        if (s == 0) *out = other;
    }
    return TSR_OK;
}

/* ---- what nobody asked for ------------------------------------------------------------------- */

bool tsr_label_arrays_beside(const struct tsr_listing *images) {
    bool beside = images->n > 0;
    for (size_t i = 0; beside && i < images->n; i++) {
        size_t source = images->items[i].source;
        beside = source != TSR_NO_SOURCE && images->sources[source].has_label_maps;
    }
    return beside;
}

void tsr_label_arrays_offer(const struct tsr_listing *images, bool beside,
                            const struct tsr_notice *notice) {
    for (size_t s = 0; s < images->n_sources; s++) {
        const struct tsr_source *source = &images->sources[s];
        if (source->label_arrays[0])
            tsr_notice(notice, "%s: what may be label maps is left out: %s (--label-array NAME)",
                       source->path, source->label_arrays);
        if (source->has_label_maps && beside)
            tsr_notice(notice, "%s: its label maps are left out (--label-array labels)",
                       source->path);
    }
}
