/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L
#include "data/array_item.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "data/dataset.h"
#include "data/listing.h"
#include "data/pixels.h"
#include "data/splits.h"

/* ---- names ----------------------------------------------------------------------------------- */

uint8_t tsr_array_split(const char *name) {
    uint8_t found = TSR_UNDECIDED;
    while (*name) {
        size_t length = 0;
        while (isalpha((unsigned char)name[length]))
            length++;
        uint8_t split = TSR_UNDECIDED;
        (void)tsr_split_of_word(name, length, &split);
        if (split != TSR_UNDECIDED && found != TSR_UNDECIDED && split != found)
            return TSR_UNDECIDED; /* it names two */
        if (split != TSR_UNDECIDED) found = split;
        name += length ? length : 1;
    }
    return found;
}

bool tsr_array_named_labels(const char *name) {
    static const char *const words[] = {"label", "mask", "depth", "seg", "target", "anno"};
    const char *slash = strrchr(name, '/'), *last = slash ? slash + 1 : name;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(last, words[i])) return true;
    return false;
}

void tsr_array_note(struct tsr_source *source, const char *name) {
    size_t at = strlen(source->label_arrays), room = sizeof source->label_arrays - at;
    if (strlen(name) + 3 > room) return;
    (void)snprintf(source->label_arrays + at, room, "%s%s", at ? ", " : "", name);
}

size_t tsr_array_next_name(const char *list, const char **rest) {
    const char *comma = strchr(list, ',');
    *rest = comma ? comma + 1 : NULL;
    return comma ? (size_t)(comma - list) : strlen(list);
}

/* ---- pixels ---------------------------------------------------------------------------------- */

/* Before the values in the bytes that were fetched. */
struct header {
    bool encoded; /* they are an image file */
    struct tsr_view view;
};
#define VALUES_AT TSR_ALIGNMENT *((sizeof(struct header) + TSR_ALIGNMENT - 1) / TSR_ALIGNMENT)

enum tsr_status tsr_array_item_create(const struct tsr_view *view, size_t bytes, const char *name,
                                      struct tsr_fetched *out, void **values,
                                      struct tsr_error *err) {
    void *memory;
    size_t size = view ? tsr_view_values(view) * (view->narrow ? 1 : sizeof(float)) : bytes;
    if (size > SIZE_MAX - VALUES_AT) size = SIZE_MAX - VALUES_AT;
    TSR_TRY(tsr_alloc(&memory, size + VALUES_AT, 1, name, err));
    struct header *header = memory;
    header->encoded = !view;
    if (view) header->view = *view;
    *out = (struct tsr_fetched){.bytes = memory, .size = size + VALUES_AT};
    *values = out->bytes + VALUES_AT;
    return TSR_OK;
}

/* To 8 bits and the channels that are wanted. */
static enum tsr_status finish(struct tsr_pixels pixels, const struct tsr_view *view,
                              size_t channels, struct tsr_image *out, struct tsr_error *err) {
    size_t area = view->height * view->width, stored = view->channels;
    TSR_TRY(tsr_image_create(out, view->height, view->width, channels ? channels : stored, err));
    if (out->channels == stored) {
        const uint8_t *bytes = tsr_pixels_bytes(pixels, area * stored, out->pixels);
        if (bytes != out->pixels) memcpy(out->pixels, bytes, area * stored);
        return TSR_OK;
    }
    for (size_t i = 0; i < area; i++) {
        uint8_t room[3];
        const uint8_t *pixel = tsr_pixels_bytes(tsr_pixels_at(pixels, i * stored), stored, room);
        if (stored == 1)
            memset(out->pixels + 3 * i, pixel[0], 3);
        else
            out->pixels[i] = tsr_grey(pixel[0], pixel[1], pixel[2]);
    }
    return TSR_OK;
}

static enum tsr_status see(const struct tsr_view *view, const char *name, const void *values,
                           size_t channels, struct tsr_image *out, struct tsr_error *err) {
    void *pixels;
    size_t n = view->height * view->width * view->channels;
    if (view->as_it_lies) return finish(TSR_BYTES(values), view, channels, out, err);
    TSR_TRY(tsr_alloc(&pixels, n, view->floats ? sizeof(float) : 1, name, err));
    /* The name has the index in it. */
    enum tsr_status status = tsr_view_image(view, name, 0, values, pixels, err);
    struct tsr_pixels image = TSR_BYTES(pixels);
    if (view->floats) image = (struct tsr_pixels){.floats = pixels};
    if (status == TSR_OK) status = finish(image, view, channels, out, err);
    free(pixels);
    return status;
}

enum tsr_status tsr_array_item_decode(const void *state, const struct tsr_listed *item,
                                      struct tsr_fetched *fetched, const struct tsr_image_as *as,
                                      struct tsr_image *out, struct tsr_error *err) {
    const struct header *header = (const void *)fetched->bytes;
    unsigned char *values = fetched->bytes + VALUES_AT;
    (void)state;
    if (header->encoded)
        return tsr_image_decode(item->path, values, fetched->size - VALUES_AT, as, out, err);
    return see(&header->view, item->path, values, as ? as->channels : 0, out, err);
}

enum tsr_status tsr_array_item_label_map(const char *name, const struct tsr_fetched *fetched,
                                         const struct tsr_decoding *by, struct tsr_label_map *out,
                                         struct tsr_error *err) {
    const struct header *header = (const void *)fetched->bytes;
    unsigned char *values = fetched->bytes + VALUES_AT;
    const struct tsr_view *v = &header->view;
    *out = (struct tsr_label_map){0};
    if (header->encoded)
        return tsr_label_map_decode(name, values, fetched->size - VALUES_AT, by, out, err);
    TSR_TRY(TSR_ALLOC(&out->labels, v->height * v->width, name, err));
    out->height = v->height;
    out->width = v->width;
    out->most = v->narrow ? UINT8_MAX : UINT16_MAX;
    enum tsr_status status = tsr_view_label_map(v, name, values, out->labels, &out->negative, err);
    if (status != TSR_OK) tsr_label_map_clear(out);
    return status;
}
