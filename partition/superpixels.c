/* SPDX-License-Identifier: MIT */
#include "partition/superpixels.h"

#include <stdlib.h>
#include <string.h>
#include <vl/slic.h>

#include "base/memory.h"

/* Squared Lab distance that weighs as much as a displacement by the side of a superpixel. */
#define REGULARIZATION 40.0f
/* The same when borders are moved: colour decides. */
#define BORDER_REGULARIZATION 4.0f
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

static void enlarge(const struct work *w, uint32_t *labels) {
    for (size_t r = 0; r < w->picture.height; r++)
        for (size_t c = 0; c < w->picture.width; c++)
            labels[r * w->picture.width + c] =
                w->small[r / w->reduction * w->width + c / w->reduction];
}

/* Mean colour and position of every superpixel. */
static void find_seeds(const struct work *w, const uint32_t *labels) {
    const struct tsr_picture *p = &w->picture;
    for (size_t i = 0; i < w->n_seeds; i++)
        w->seeds[i] = (struct seed){0};
    for (size_t r = 0, i = 0; r < p->height; r++)
        for (size_t c = 0; c < p->width; c++, i++) {
            struct seed *s = &w->seeds[labels[i]];
            float lab[3];
            tsr_lab_of(w->lab, p->pixels + i * p->channels, p->channels, lab);
            for (int k = 0; k < 3; k++)
                s->lab[k] += lab[k];
            s->row += (float)r, s->col += (float)c;
            s->area++;
        }
    for (struct seed *s = w->seeds; s < w->seeds + w->n_seeds; s++) {
        float n = s->area ? (float)s->area : 1;
        for (int k = 0; k < 3; k++)
            s->lab[k] /= n;
        s->row /= n, s->col /= n;
    }
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
        float d = color_distance(lab, s->lab) +
                  BORDER_REGULARIZATION / (side * side) * (dy * dy + dx * dx);
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
            size_t left = c > 0 ? c - 1 : c, right = c + 1 < width ? c + 1 : c;
            if (((here[c] ^ above[c]) | (here[c] ^ below[c]) | (here[c] ^ here[left]) |
                 (here[c] ^ here[right])) == 0)
                continue;
            uint32_t label[5] = {here[c], above[c], here[left], here[right], below[c]};
            row[c] = best_label(w, r, c, label);
            changed += row[c] != here[c];
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
    find_seeds(w, labels);
    for (size_t i = 0; i < w->n_seeds; i++)
        if (w->seeds[i].area > largest) largest = w->seeds[i].area;
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
    for (int round = 0; round < 2; round++) {
        find_seeds(&w, labels);
        for (size_t i = 0; i < w.reduction + 2; i++)
            if (move_borders(&w, labels, old) == 0) break;
    }
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
