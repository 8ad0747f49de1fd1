/* SPDX-License-Identifier: MIT */
#include "partition/superpixels.h"

#include <stdlib.h>
#include <string.h>
#include <vl/slic.h>

#include "base/memory.h"

/* Squared Lab distance that weighs as much as a displacement by the side of a superpixel. */
#define REGULARIZATION 40.0f
#define MAX_REDUCTION 8
#define DONE 0x80000000u

/* Mean colour and position (in pixels of the whole image) of a superpixel. */
struct seed {
    float lab[3], row, col;
    uint32_t area;
};

struct work {
    const struct tsr_lab *lab;
    struct tsr_picture picture;
    size_t reduction, side; /* side: of a superpixel, in reduced pixels */
    size_t height, width;   /* of the reduced image */
    float *planes;          /* [channels, height, width] */
    uint32_t *small;        /* [height, width] */
    size_t n_seeds;
    struct seed *seeds; /* [n_seeds] */
};

/* Lab of the mean of each reduction x reduction block, one plane for each channel. */
static void reduce(const struct work *w) {
    const struct tsr_picture *p = &w->picture;
    size_t f = w->reduction, plane = w->height * w->width;
    for (size_t r = 0; r < p->height; r++)
        for (size_t c = 0; c < p->width; c++) {
            float lab[3];
            tsr_lab_of(w->lab, p->pixels + (r * p->width + c) * p->channels, p->channels, lab);
            float *out = w->planes + r / f * w->width + c / f;
            for (size_t k = 0; k < p->channels; k++)
                out[k * plane] += lab[k];
        }
    for (size_t r = 0; r < w->height; r++)
        for (size_t c = 0; c < w->width; c++) {
            size_t h = p->height - r * f < f ? p->height - r * f : f;
            size_t v = p->width - c * f < f ? p->width - c * f : f;
            for (size_t k = 0; k < p->channels; k++)
                w->planes[k * plane + r * w->width + c] /= (float)(h * v);
        }
}

static void find_seeds(const struct work *w) {
    size_t plane = w->height * w->width;
    for (size_t r = 0; r < w->height; r++)
        for (size_t c = 0; c < w->width; c++) {
            size_t i = r * w->width + c;
            struct seed *s = &w->seeds[w->small[i]];
            for (size_t k = 0; k < w->picture.channels; k++)
                s->lab[k] += w->planes[k * plane + i];
            s->row += (float)r, s->col += (float)c;
            s->area++;
        }
    float f = (float)w->reduction;
    for (size_t i = 0; i < w->n_seeds; i++) {
        struct seed *s = &w->seeds[i];
        if (s->area == 0) continue;
        float n = (float)s->area;
        for (size_t k = 0; k < 3; k++)
            s->lab[k] /= n;
        s->row = (s->row / n + 0.5f) * f - 0.5f, s->col = (s->col / n + 0.5f) * f - 0.5f;
    }
}

static void enlarge(const struct work *w, uint32_t *labels) {
    for (size_t r = 0; r < w->picture.height; r++)
        for (size_t c = 0; c < w->picture.width; c++)
            labels[r * w->picture.width + c] =
                w->small[r / w->reduction * w->width + c / w->reduction];
}

static float color_distance(const float *a, const float *b) {
    float d = 0;
    for (int k = 0; k < 3; k++)
        d += (a[k] - b[k]) * (a[k] - b[k]);
    return d;
}

/* The best of the labels of a border pixel and its neighbours (the first on ties). */
static uint32_t best_label(const struct work *w, size_t row, size_t col, const uint32_t label[5]) {
    const struct tsr_picture *p = &w->picture;
    float lab[3], smallest = 0, side = (float)(w->side * w->reduction);
    uint32_t best = label[0];
    tsr_lab_of(w->lab, p->pixels + (row * p->width + col) * p->channels, p->channels, lab);
    for (int i = 0; i < 5; i++) {
        if (i > 0 && label[i] == label[0]) continue;
        const struct seed *s = &w->seeds[label[i]];
        float dy = (float)row - s->row, dx = (float)col - s->col;
        float d =
            color_distance(lab, s->lab) + REGULARIZATION / (side * side) * (dy * dy + dx * dx);
        if (i == 0 || d < smallest) smallest = d, best = label[i];
    }
    return best;
}

/* Every border pixel goes to the best superpixel that it touches, all at once: `old` [2, width]
 * holds what the rows above and here were. Returns how many changed. */
static size_t move_borders(const struct work *w, uint32_t *labels, uint32_t *old) {
    size_t height = w->picture.height, width = w->picture.width, changed = 0;
    uint32_t *above = old, *here = old + width;
    for (size_t r = 0; r < height; r++) {
        uint32_t *row = labels + r * width;
        memcpy(here, row, width * sizeof *row);
        if (r == 0) memcpy(above, row, width * sizeof *row);
        const uint32_t *below = r + 1 < height ? row + width : here;
        for (size_t c = 0; c < width; c++) {
            uint32_t label[5] = {here[c], above[c], here[c > 0 ? c - 1 : c],
                                 here[c + 1 < width ? c + 1 : c], below[c]};
            if (label[1] == label[0] && label[2] == label[0] && label[3] == label[0] &&
                label[4] == label[0])
                continue;
            row[c] = best_label(w, r, c, label);
            changed += row[c] != label[0];
        }
        uint32_t *swap = above;
        above = here, here = swap;
    }
    return changed;
}

/* The piece of old label labels[first] around pixel `first`: marks it as `mark`, lists it. */
static size_t flood(uint32_t *labels, size_t height, size_t width, size_t first, uint32_t mark,
                    uint32_t *list) {
    uint32_t label = labels[first];
    size_t n = 0;
    labels[first] = mark;
    list[n++] = (uint32_t)first;
    for (size_t i = 0; i < n; i++) {
        size_t at = list[i], r = at / width, c = at - r * width;
        size_t next[4] = {r > 0 ? at - width : at, c > 0 ? at - 1 : at, c + 1 < width ? at + 1 : at,
                          r + 1 < height ? at + width : at};
        for (int k = 0; k < 4; k++)
            if (labels[next[k]] == label) {
                labels[next[k]] = mark;
                list[n++] = (uint32_t)next[k];
            }
    }
    return n;
}

/* The finished piece above or left of pixel `first` whose colour is nearer to the old label's. */
static uint32_t neighbour_of_speck(const struct work *w, const uint32_t *labels, size_t first,
                                   uint32_t label, const uint32_t *origin) {
    size_t width = w->picture.width;
    if (first < width) return labels[first - 1] & ~DONE;
    uint32_t up = labels[first - width] & ~DONE;
    if (first % width == 0) return up;
    uint32_t left = labels[first - 1] & ~DONE;
    const float *color = w->seeds[label].lab;
    return color_distance(color, w->seeds[origin[left]].lab) <
                   color_distance(color, w->seeds[origin[up]].lab)
               ? left
               : up;
}

/* Each connected piece of a label becomes a superpixel of its own, numbered in order, but specks
 * join a piece that they touch. */
static enum tsr_status connect(const struct work *w, uint32_t *labels, size_t *count,
                               struct tsr_error *err) {
    size_t height = w->picture.height, width = w->picture.width, n = height * width, largest = 0;
    size_t side = w->side * w->reduction, speck = side * side / 6;
    if (speck < 2) speck = 2;
    void *block = NULL;
    uint32_t *list = NULL, *origin = NULL; /* origin: the old label of a piece */
    enum tsr_status status;
    for (size_t i = 0; i < w->n_seeds; i++)
        w->seeds[i].area = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t area = ++w->seeds[labels[i]].area;
        if (area > largest) largest = area;
    }
    TSR_CHECK(tsr_alloc(&block, largest, sizeof *list, "superpixels", err));
    list = block;
    TSR_CHECK(tsr_alloc(&block, n / speck + 2, sizeof *origin, "superpixels", err));
    origin = block;
    *count = 0;
    for (size_t i = 0; i < n; i++) {
        if (labels[i] & DONE) continue;
        uint32_t label = labels[i], mark = (uint32_t)*count;
        size_t area = flood(labels, height, width, i, mark | DONE, list);
        if (area >= speck || i == 0) {
            origin[(*count)++] = label;
            continue;
        }
        mark = neighbour_of_speck(w, labels, i, label, origin) | DONE;
        for (size_t k = 0; k < area; k++)
            labels[list[k]] = mark;
    }
    for (size_t i = 0; i < n; i++)
        labels[i] &= ~DONE;
done:
    free(list);
    free(origin);
    return status;
}

static enum tsr_status run_slic(struct work *w, struct tsr_error *err) {
    size_t n = w->height * w->width;
    void *block;
    TSR_TRY(tsr_alloc(&block, n * w->picture.channels, sizeof *w->planes, "superpixels", err));
    w->planes = block;
    TSR_TRY(tsr_alloc(&block, n, sizeof *w->small, "superpixels", err));
    w->small = block;
    reduce(w);
    vl_slic_segment(w->small, w->planes, w->width, w->height, w->picture.channels, w->side,
                    REGULARIZATION, 0);
    for (size_t i = 0; i < n; i++)
        if (w->small[i] >= w->n_seeds) w->n_seeds = w->small[i] + (size_t)1;
    TSR_TRY(tsr_alloc(&block, w->n_seeds, sizeof *w->seeds, "superpixels", err));
    w->seeds = block;
    find_seeds(w);
    return TSR_OK;
}

enum tsr_status tsr_superpixels_slic(const struct tsr_lab *lab, const struct tsr_picture *picture,
                                     size_t side, uint32_t *labels, size_t *count,
                                     struct tsr_error *err) {
    struct work w = {.lab = lab, .picture = *picture};
    void *old = NULL;
    enum tsr_status status;
    w.reduction = side < 8 ? 2 : side / 4;
    if (w.reduction > MAX_REDUCTION) w.reduction = MAX_REDUCTION;
    w.side = side / w.reduction;
    w.height = (picture->height + w.reduction - 1) / w.reduction;
    w.width = (picture->width + w.reduction - 1) / w.reduction;
    TSR_CHECK(run_slic(&w, err));
    enlarge(&w, labels);
    TSR_CHECK(tsr_alloc(&old, 2 * picture->width, sizeof *labels, "superpixels", err));
    for (size_t i = 0; i < w.reduction; i++)
        if (move_borders(&w, labels, old) == 0) break;
    TSR_CHECK(connect(&w, labels, count, err));
done:
    free(w.planes);
    free(w.small);
    free(w.seeds);
    free(old);
    return status;
}

size_t tsr_superpixels_grid(const struct tsr_picture *picture, size_t side, uint32_t *labels) {
    size_t rows = (picture->height + side - 1) / side, cols = (picture->width + side - 1) / side;
    for (size_t r = 0; r < picture->height; r++)
        for (size_t c = 0; c < picture->width; c++)
            labels[r * picture->width + c] = (uint32_t)(r / side * cols + c / side);
    return rows * cols;
}
