/* SPDX-License-Identifier: MIT */
#include "data/label_reader.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "data/array_item.h"

#ifdef _OPENMP
#define OMP(directive) _Pragma(#directive)
#else
#define OMP(directive)
#endif

#define VALUES 65536
#define WITHOUT_NAMES 256
#define MASK_FROM 128 /* of the values of a part: this and more is the part */
#define NO_CLASS "void"

/* ---- what values mean ------------------------------------------------------------------------ */

/* `known`: labels that have a class. */
static enum tsr_status set_meaning(struct tsr_label_reader *r, size_t known,
                                   struct tsr_error *err) {
    const struct tsr_pack_config *c = r->config;
    for (size_t v = 0; v < VALUES; v++)
        r->meaning[v] = !c->n_label_values && v < known ? (int32_t)v : -1;
    for (size_t i = 0; i < c->n_label_values; i++)
        r->meaning[c->label_values[i]] = (int32_t)i;
    r->bound = known;
    r->no_class = -1;
    if (!c->n_ignored_labels && r->sheet.of_void < 0) return TSR_OK;
    r->no_class = (int32_t)known;
    r->bound = known + 1;
    if (r->sheet.of_void >= 0) r->meaning[r->sheet.of_void] = r->no_class;
    for (size_t i = 0; i < c->n_ignored_labels; i++)
        if (c->ignored_labels[i] >= 0)
            r->meaning[c->ignored_labels[i]] = r->no_class;
        else
            r->ignores_largest = true;
    if (r->bound > VALUES)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "%zu labels and one for pixels of no class are more "
                         "than %d",
                         known, VALUES);
    return TSR_OK;
}

static enum tsr_status read_names(struct tsr_label_reader *r, struct tsr_error *err) {
    const struct tsr_pack_config *c = r->config;
    if (c->label_parts) {
        TSR_TRY(tsr_label_names_read(c->label_parts, &r->parts, err));
        r->rules.parts = &r->parts;
    }
    const char *file = c->label_names ? c->label_names : c->label_parts;
    if (!file) return TSR_OK;
    TSR_TRY(tsr_label_names_read(file, &r->names, err));
    if (c->n_label_values && r->names.n != c->n_label_values)
        return TSR_ERROR(err, TSR_ERR_CONFIG, "%s names %zu labels; %zu values of labels are given",
                         file, r->names.n, c->n_label_values);
    return TSR_OK;
}

enum tsr_status tsr_label_reader_open(const struct tsr_pack_config *config,
                                      struct tsr_label_reader *out, struct tsr_error *err) {
    *out = (struct tsr_label_reader){
        .config = config, .no_class = -1, .active = true, .array = config->label_array};
    out->sheet = (struct tsr_label_sheet){.of_void = -1, .rule = "labels"};
    out->arrays = config->label_array || (config->labels && tsr_label_arrays_at(config->labels));
    out->rules = (struct tsr_label_rules){.folder = config->labels,
                                          .suffix = config->label_suffix,
                                          .image_suffix = config->image_suffix};
    TSR_TRY(TSR_ALLOC(&out->meaning, VALUES, "values of labels", err));
    TSR_TRY(read_names(out, err));
    size_t known = out->names.n             ? out->names.n
                   : config->n_label_values ? config->n_label_values
                                            : WITHOUT_NAMES;
    return set_meaning(out, known, err);
}

void tsr_label_reader_clear(struct tsr_label_reader *reader) {
    free(reader->meaning);
    tsr_label_names_clear(&reader->names);
    tsr_label_names_clear(&reader->parts);
    tsr_label_files_clear(&reader->files);
    tsr_label_sheet_clear(&reader->sheet);
}

/* ---- arrays ---------------------------------------------------------------------------------- */

/* What the file says of its labels holds where nothing else was said. */
static enum tsr_status take_sheet(struct tsr_label_reader *r, struct tsr_error *err) {
    const struct tsr_pack_config *c = r->config;
    struct tsr_label_sheet *s = &r->sheet;
    TSR_TRY(tsr_label_arrays_sheet(&r->files, r->array, s, err));
    if (s->of_void >= 0 && (size_t)s->of_void + 1 == s->count) {
        s->count--; /* the last label is no class */
        if (s->names.n > 0) s->names.n--;
    }
    if (r->names.n == 0 && !c->n_label_values && s->names.n > 0) {
        r->names = s->names;
        s->names = (struct tsr_label_names){0};
    }
    return set_meaning(r,
                       r->names.n          ? r->names.n
                       : c->n_label_values ? c->n_label_values
                       : s->count          ? s->count
                                           : WITHOUT_NAMES,
                       err);
}

enum tsr_status tsr_label_reader_list(struct tsr_label_reader *r, const struct tsr_listing *images,
                                      struct tsr_error *err) {
    TSR_TRY(tsr_label_arrays_list(r->config->labels, r->array, images, &r->files, err));
    return take_sheet(r, err);
}

static bool is_fitted(const struct tsr_pack_config *c, const struct tsr_listing *images) {
    for (size_t s = 0; s < images->n_sources && c->height > 0; s++)
        if (images->sources[s].height != c->height || images->sources[s].width != c->width)
            return true;
    return false;
}

enum tsr_status tsr_label_reader_carry(struct tsr_label_reader *r,
                                       const struct tsr_pack_config *config,
                                       const struct tsr_listing *images,
                                       const struct tsr_notice *notice, struct tsr_error *err) {
    bool beside = tsr_label_arrays_beside(images) && !config->view.images;
    tsr_label_arrays_offer(images, !beside, notice);
    if (!beside) return TSR_OK;
    TSR_TRY(tsr_label_reader_open(config, r, err));
    r->arrays = true;
    r->array = "labels";
    TSR_TRY(tsr_label_reader_list(r, images, err));
    if (strcmp(r->sheet.rule, "labels") == 0 || !is_fitted(config, images)) return TSR_OK;
    tsr_notice(notice,
               "the label maps are left out: \"%s\" has found them in images of another size, "
               "and finds others now",
               r->sheet.rule);
    r->active = false;
    return TSR_OK;
}

/* ---- files ----------------------------------------------------------------------------------- */

static const struct tsr_label_file *files_of(const struct tsr_label_reader *r,
                                             const struct tsr_listed *image) {
    return r->files.assigned + image->first_map;
}

enum tsr_status tsr_label_reader_find(struct tsr_label_reader *r, struct tsr_listing *images,
                                      const struct tsr_notice *notice, size_t *missing,
                                      struct tsr_error *err) {
    const char *first = "";
    size_t listed = images->n;
    *missing = 0;
    if (r->arrays) return tsr_label_arrays_match(images, &r->files, err);
    TSR_TRY(tsr_label_files_match(&r->rules, images, &r->files, missing, &first, err));
    if (*missing && r->config->strict)
        return TSR_ERROR(err, TSR_ERR_NOT_FOUND,
                         "%s: has no label map (%zu of %zu images have none)", first, *missing,
                         listed);
    if (*missing)
        tsr_notice(notice, "%zu of %zu images have no label map and are left out; the first is %s",
                   *missing, listed, first);
    return TSR_OK;
}

void tsr_label_reader_want(const struct tsr_label_reader *r, const struct tsr_listed *image) {
    for (size_t k = 0; k < image->maps; k++)
        tsr_source_want(&r->files.listing, files_of(r, image)[k].file);
}

static void discard(struct tsr_fetched *fetched, size_t n) {
    for (size_t i = 0; i < n; i++)
        tsr_fetched_clear(&fetched[i]);
}

enum tsr_status tsr_label_reader_fetch(const struct tsr_label_reader *r,
                                       const struct tsr_listed *image, struct tsr_fetched *fetched,
                                       struct tsr_error *err) {
    const struct tsr_label_file *files = files_of(r, image);
    enum tsr_status status = TSR_OK;
    for (size_t i = 0; i < image->maps && status == TSR_OK; i++)
        status = tsr_source_fetch(&r->files.listing, files[i].file, &fetched[i], err);
    if (status != TSR_OK) discard(fetched, image->maps);
    return status;
}

/* ---- values ---------------------------------------------------------------------------------- */

static enum tsr_status decode(const struct tsr_label_reader *r, const struct tsr_label_file *file,
                              struct tsr_fetched *fetched, struct tsr_label_map *out,
                              struct tsr_error *err) {
    const char *path = file->file->path;
    const struct tsr_decoding *by = r->config->decoding;
    if (r->arrays) return tsr_array_item_label_map(path, fetched, by, out, err);
    if (!fetched->bytes) return tsr_label_map_read(path, by, out, err);
    return tsr_label_map_decode(path, fetched->bytes, fetched->size, by, out, err);
}

static enum tsr_status compose(const struct tsr_label_reader *r, const struct tsr_listed *image,
                               struct tsr_fetched *fetched, struct tsr_label_map *out,
                               struct tsr_error *err) {
    const struct tsr_label_file *files = files_of(r, image);
    struct tsr_label_map part;
    for (size_t i = 0; i < image->maps; i++) {
        TSR_TRY(decode(r, &files[i], &fetched[i], &part, err));
        if (i == 0) {
            *out = part;
            memset(&part, 0, sizeof part);
            for (size_t k = 0; k < out->height * out->width; k++)
                out->labels[k] = out->labels[k] >= MASK_FROM ? (uint16_t)files[i].part : 0;
            continue;
        }
        bool fits = part.height == out->height && part.width == out->width;
        for (size_t k = 0; fits && k < out->height * out->width; k++)
            if (part.labels[k] >= MASK_FROM) out->labels[k] = (uint16_t)files[i].part;
        tsr_label_map_clear(&part);
        if (!fits)
            return TSR_ERROR(err, TSR_ERR_SHAPE, "%s: is not of the size of %s",
                             files[i].file->path, files[0].file->path);
    }
    return TSR_OK;
}

static enum tsr_status unknown_label(const struct tsr_label_reader *r, const char *path,
                                     const struct tsr_label_map *map, size_t at,
                                     struct tsr_error *err) {
    const struct tsr_pack_config *c = r->config;
    size_t known = r->bound - (r->no_class >= 0);
    if (map->negative && map->labels[at] == UINT16_MAX)
        return TSR_ERROR(
            err, TSR_ERR_FORMAT,
            "%s: has the value -1 at row %zu, column %zu; --ignore-label -1 gives such "
            "pixels to no class",
            path, at / map->width, at % map->width);
    if (c->n_label_values)
        return TSR_ERROR(
            err, TSR_ERR_FORMAT,
            "%s: has the value %u at row %zu, column %zu, which is none of the %zu that "
            "stand for labels; --ignore-label %u gives such pixels to no class",
            path, map->labels[at], at / map->width, at % map->width, known, map->labels[at]);
    return TSR_ERROR(err, TSR_ERR_FORMAT,
                     "%s: has the label %u at row %zu, column %zu; %s%s labels 0..%zu; "
                     "--ignore-label %u gives such pixels to no class",
                     path, map->labels[at], at / map->width, at % map->width,
                     c->label_names ? c->label_names : "without names there are",
                     c->label_names ? " names the" : "", known - 1, map->labels[at]);
}

/* 0 and 255, of a mask of two values, or 255 for what has no label: as labels they would make 256
 * classes, of which hardly any occurs. */
static enum tsr_status check_largest(const struct tsr_label_reader *r, const char *path,
                                     const struct tsr_label_map *map, struct tsr_error *err) {
    bool largest = false, between = false, small = false;
    if (r->names.n || r->config->n_label_values || r->config->n_ignored_labels) return TSR_OK;
    for (size_t i = 0; i < map->height * map->width; i++) {
        uint16_t label = map->labels[i];
        largest = largest || label == UINT8_MAX;
        between = between || (label >= MASK_FROM && label != UINT8_MAX);
        small = small || (label > 0 && label < MASK_FROM);
    }
    if (!largest || between) return TSR_OK;
    if (!small)
        return TSR_ERROR(
            err, TSR_ERR_FORMAT,
            "%s: is a mask of the values 0 and 255; --label-values 0,255 takes them for "
            "two classes, --ignore-label 255 takes 255 for no class, --label-names for "
            "the last of 256",
            path);
    return TSR_ERROR(
        err, TSR_ERR_FORMAT,
        "%s: has 255 beside labels below %d; --ignore-label 255 takes it for no class, "
        "--label-names for the last of 256",
        path, MASK_FROM);
}

static enum tsr_status translate(const struct tsr_label_reader *r, const char *path,
                                 struct tsr_label_map *map, struct tsr_error *err) {
    TSR_TRY(check_largest(r, path, map, err));
    for (size_t i = 0; i < map->height * map->width; i++) {
        int32_t label = r->meaning[map->labels[i]];
        if (r->ignores_largest && map->labels[i] == map->most) label = r->no_class;
        if (label < 0) return unknown_label(r, path, map, i, err);
        map->labels[i] = (uint16_t)label;
    }
    return TSR_OK;
}

/* To the size of its image, unless the two are of different aspects by more than a pixel. */
static enum tsr_status fit_size(const struct tsr_label_reader *r, const struct tsr_listed *image,
                                size_t height, size_t width, struct tsr_label_map *map,
                                struct tsr_error *err) {
    const char *path = files_of(r, image)->file->path;
    if (map->height == height && map->width == width) return TSR_OK;
    if (!r->config->labels_fit)
        return TSR_ERROR(err, TSR_ERR_SHAPE,
                         "%s: is %zux%zu (height x width); its image %s is %zux%zu; --labels-fit "
                         "scales label maps to their images",
                         path, map->height, map->width, image->path, height, width);
    size_t a = map->height * width, b = map->width * height;
    size_t slack =
        map->height + map->width > height + width ? map->height + map->width : height + width;
    if ((a > b ? a - b : b - a) > slack)
        return TSR_ERROR(err, TSR_ERR_SHAPE,
                         "%s: is %zux%zu (height x width), of another aspect than its image %s, "
                         "%zux%zu",
                         path, map->height, map->width, image->path, height, width);
    uint16_t *labels;
    TSR_TRY(TSR_ALLOC(&labels, height * width, path, err));
    enum tsr_status status = tsr_fit_labels(map, TSR_FIT_SQUASH, 0, height, width, labels, err);
    free(map->labels);
    map->labels = labels;
    map->height = height;
    map->width = width;
    return status;
}

/* As the files have it. */
static enum tsr_status read_values(const struct tsr_label_reader *r, const struct tsr_listed *image,
                                   struct tsr_fetched *fetched, struct tsr_label_map *out,
                                   struct tsr_error *err) {
    *out = (struct tsr_label_map){0};
    enum tsr_status status = r->parts.n ? compose(r, image, fetched, out, err)
                                        : decode(r, files_of(r, image), fetched, out, err);
    discard(fetched, image->maps);
    return status;
}

enum tsr_status tsr_label_reader_read(const struct tsr_label_reader *r,
                                      const struct tsr_listed *image, struct tsr_fetched *fetched,
                                      size_t height, size_t width, struct tsr_label_map *out,
                                      struct tsr_error *err) {
    enum tsr_status status = read_values(r, image, fetched, out, err);
    if (status == TSR_OK) status = fit_size(r, image, height, width, out, err);
    if (status == TSR_OK) status = translate(r, files_of(r, image)->file->path, out, err);
    if (status != TSR_OK) tsr_label_map_clear(out);
    return status;
}

/* ---- how many there are ---------------------------------------------------------------------- */

static enum tsr_status largest_of(const struct tsr_label_reader *r, const struct tsr_listed *image,
                                  int32_t *largest, struct tsr_error *err) {
    struct tsr_fetched fetched = {0};
    struct tsr_label_map map;
    enum tsr_status status;
    OMP(omp critical(tsr_label_reader))
    status = tsr_label_reader_fetch(r, image, &fetched, err);
    if (status == TSR_OK) status = read_values(r, image, &fetched, &map, err);
    if (status != TSR_OK) return status;
    for (size_t i = 0; i < map.height * map.width; i++) {
        bool ignored = r->meaning[map.labels[i]] == r->no_class ||
                       (r->ignores_largest && map.labels[i] == map.most);
        if (!ignored && map.labels[i] > *largest) *largest = map.labels[i];
    }
    tsr_label_map_clear(&map);
    return TSR_OK;
}

static bool is_stream(const struct tsr_label_reader *r) {
    const struct tsr_listing *files = &r->files.listing;
    return files->n_sources > 0 && files->sources[0].kind->want;
}

enum tsr_status tsr_label_reader_count(struct tsr_label_reader *r, const struct tsr_listing *images,
                                       struct tsr_error *err) {
    int32_t most = 0;
    enum tsr_status status = TSR_OK;
    size_t threads = tsr_thread_count(r->config->threads);
    (void)threads;
    if (r->no_class < 0 || r->names.n || r->sheet.count || r->config->n_label_values) return TSR_OK;
    if (is_stream(r))
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "%s: is read only once: --ignore-label needs --label-names or "
                         "--label-values here, which say how many labels there are",
                         r->config->labels);
    OMP(omp parallel for num_threads((int)threads) schedule(dynamic, 16) reduction(max : most))
    for (size_t i = 0; i < images->n; i++) {
        struct tsr_error own = {0};
        enum tsr_status result = largest_of(r, &images->items[i], &most, &own);
        if (result != TSR_OK) {
            OMP(omp critical(tsr_label_reader_error)) {
                if (status == TSR_OK) tsr_error_copy(err, &own);
                status = result;
            }
        }
    }
    return status == TSR_OK ? set_meaning(r, (size_t)most + 1, err) : status;
}

/* Its number gives the new name its room. */
static enum tsr_status append_void(struct tsr_label_names *names, struct tsr_error *err) {
    struct tsr_label_names longer;
    size_t n = names->n;
    TSR_TRY(tsr_label_names_number(n + 1, &longer, err));
    for (size_t i = 0; i < n; i++)
        longer.names[i] = names->names[i];
    memcpy(longer.names[n], NO_CLASS, sizeof NO_CLASS);
    longer.kept = names->names;
    *names = longer;
    return TSR_OK;
}

enum tsr_status tsr_label_reader_names(struct tsr_label_reader *r, size_t largest,
                                       const struct tsr_label_names **out, struct tsr_error *err) {
    const struct tsr_pack_config *c = r->config;
    *out = &r->names;
    if (!r->names.n) {
        size_t known = r->no_class >= 0    ? (size_t)r->no_class
                       : c->n_label_values ? c->n_label_values
                       : r->sheet.count    ? r->sheet.count
                                           : largest + 1;
        TSR_TRY(tsr_label_names_number(known, &r->names, err));
    }
    return r->no_class >= 0 ? append_void(&r->names, err) : TSR_OK;
}
