/* SPDX-License-Identifier: MIT */
#include "partition/superpixels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

/* Squared Lab distance that weighs as much as a displacement by the side of a superpixel. */
#define REGULARIZATION 40.0f
/* The same when borders are moved: colour decides. */
#define BORDER_REGULARIZATION 4.0f
#define MAX_REDUCTION 8
#define DONE 0x80000000u

static float color_distance(const float *a, const float *b) {
    float d = 0;
    for (int k = 0; k < 3; k++)
        d += (a[k] - b[k]) * (a[k] - b[k]);
    return d;
}

/* Mean colour and position (in pixels of the whole image, or of the reduced one) of a superpixel.
 */
struct seed {
    float lab[3], row, col;
    uint32_t area;
};

struct work {
    const struct tsr_lab *lab;
    struct tsr_picture picture;
    size_t reduction, side; /* side: of a superpixel, in reduced pixels */
    size_t height, width;   /* of the reduced image */
    float *colors;          /* [height, width, 3] Lab of the reduced image */
    uint32_t *small;        /* [height, width] */
    size_t seed_rows, seed_cols, n_seeds;
    struct seed *seeds, *sums; /* [n_seeds] each, one block */
};

/* Mean Lab of each reduction x reduction block. */
static void reduce(const struct work *w) {
    const struct tsr_picture *p = &w->picture;
    size_t f = w->reduction;
    for (size_t r = 0; r < p->height; r++)
        for (size_t c = 0; c < p->width; c++) {
            float lab[3], *out = w->colors + 3 * (r / f * w->width + c / f);
            tsr_lab_of(w->lab, p->pixels + (r * p->width + c) * p->channels, p->channels, lab);
            for (int k = 0; k < 3; k++)
                out[k] += lab[k];
        }
    for (size_t r = 0; r < w->height; r++)
        for (size_t c = 0; c < w->width; c++) {
            size_t h = p->height - r * f < f ? p->height - r * f : f;
            size_t v = p->width - c * f < f ? p->width - c * f : f;
            for (int k = 0; k < 3; k++)
                w->colors[3 * (r * w->width + c) + (size_t)k] /= (float)(h * v);
        }
}

static void enlarge(const struct work *w, uint32_t *labels) {
    for (size_t r = 0; r < w->picture.height; r++)
        for (size_t c = 0; c < w->picture.width; c++)
            labels[r * w->picture.width + c] =
                w->small[r / w->reduction * w->width + c / w->reduction];
}

/* Sums to means. */
static struct seed mean_of(const struct seed *sum) {
    struct seed mean = *sum;
    float n = sum->area ? (float)sum->area : 1;
    for (int k = 0; k < 3; k++)
        mean.lab[k] /= n;
    mean.row /= n, mean.col /= n;
    return mean;
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
    for (struct seed *s = w->seeds; s < w->seeds + w->n_seeds; s++)
        *s = mean_of(s);
}

/* ---- SLIC ---------------------------------------------------------------------------------------
 */

/* Rounds of k-means: "10 iterations suffices for most images" (Achanta et al., 2012). */
#define MAX_ROUNDS 10

/* Squared contrast of the neighbours of a pixel of the reduced image, at least one from its edge.
 */
static float edge_at(const struct work *w, size_t row, size_t col) {
    const float *at = w->colors + 3 * (row * w->width + col);
    return color_distance(at - 3, at + 3) + color_distance(at - 3 * w->width, at + 3 * w->width);
}

/* The pixel of the 3x3 around (row, col) where the contrast is least, the first on ties: a seed
 * should not begin on an edge. */
static void place_seed(const struct work *w, size_t row, size_t col, struct seed *out) {
    size_t best_row = row, best_col = col;
    float least = INFINITY;
    for (size_t r = row > 1 ? row - 1 : 1; r <= row + 1 && r + 1 < w->height; r++)
        for (size_t c = col > 1 ? col - 1 : 1; c <= col + 1 && c + 1 < w->width; c++) {
            float edge = edge_at(w, r, c);
            if (edge < least) least = edge, best_row = r, best_col = c;
        }
    *out = (struct seed){.row = (float)best_row, .col = (float)best_col};
    memcpy(out->lab, w->colors + 3 * (best_row * w->width + best_col), sizeof out->lab);
}

static void place_seeds(const struct work *w) {
    for (size_t v = 0; v < w->seed_rows; v++)
        for (size_t u = 0; u < w->seed_cols; u++) {
            size_t row = v * w->side + w->side / 2, col = u * w->side + w->side / 2;
            place_seed(w, row < w->height ? row : w->height - 1,
                       col < w->width ? col : w->width - 1, &w->seeds[v * w->seed_cols + u]);
        }
}

/* The pixels along a side that lie between the places where seed i and seed i + 1 of n were put
 * (i = -1: before the first; n - 1: behind the last), and which of the two there are. */
struct stretch {
    size_t from, to, first, last;
};

static struct stretch between_seeds(size_t i_plus_1, size_t n, size_t side, size_t length) {
    struct stretch s = {.first = i_plus_1 > 0 ? i_plus_1 - 1 : 0,
                        .last = i_plus_1 < n ? i_plus_1 : n - 1};
    s.from = i_plus_1 > 0 ? (i_plus_1 - 1) * side + side / 2 : 0;
    s.to = i_plus_1 < n ? i_plus_1 * side + side / 2 : length;
    if (s.from > length) s.from = length;
    if (s.to > length) s.to = length;
    return s;
}

static uint32_t nearest_seed(const struct work *w, size_t row, size_t col, const struct stretch *v,
                             const struct stretch *u) {
    const float *color = w->colors + 3 * (row * w->width + col);
    float weight = REGULARIZATION / (float)(w->side * w->side), smallest = INFINITY;
    size_t best = v->first * w->seed_cols + u->first;
    for (size_t i = v->first; i <= v->last; i++)
        for (size_t j = u->first; j <= u->last; j++) {
            const struct seed *s = &w->seeds[i * w->seed_cols + j];
            float dy = (float)row - s->row, dx = (float)col - s->col;
            float d = color_distance(color, s->lab) + weight * (dy * dy + dx * dx);
            if (d < smallest) smallest = d, best = i * w->seed_cols + j;
        }
    return (uint32_t)best;
}

/* Every pixel goes to the nearest of the (at most four) seeds that were put around it; returns how
 * many changed. */
static size_t assign_pixels(const struct work *w) {
    size_t changed = 0;
    for (size_t i = 0; i <= w->seed_rows; i++) {
        struct stretch v = between_seeds(i, w->seed_rows, w->side, w->height);
        for (size_t j = 0; j <= w->seed_cols; j++) {
            struct stretch u = between_seeds(j, w->seed_cols, w->side, w->width);
            for (size_t r = v.from; r < v.to; r++)
                for (size_t c = u.from; c < u.to; c++) {
                    uint32_t *label = &w->small[r * w->width + c];
                    uint32_t nearest = nearest_seed(w, r, c, &v, &u);
                    changed += *label != nearest;
                    *label = nearest;
                }
        }
    }
    return changed;
}

/* Moves every seed to the mean of its pixels; one without any stays. */
static void move_seeds(const struct work *w) {
    for (size_t i = 0; i < w->n_seeds; i++)
        w->sums[i] = (struct seed){0};
    for (size_t r = 0, i = 0; r < w->height; r++)
        for (size_t c = 0; c < w->width; c++, i++) {
            struct seed *s = &w->sums[w->small[i]];
            for (int k = 0; k < 3; k++)
                s->lab[k] += w->colors[3 * i + (size_t)k];
            s->row += (float)r, s->col += (float)c;
            s->area++;
        }
    for (size_t i = 0; i < w->n_seeds; i++)
        if (w->sums[i].area > 0) w->seeds[i] = mean_of(&w->sums[i]);
}

static enum tsr_status run_slic(struct work *w, struct tsr_error *err) {
    size_t n = w->height * w->width;
    void *block;
    w->seed_rows = (w->height + w->side - 1) / w->side;
    w->seed_cols = (w->width + w->side - 1) / w->side;
    w->n_seeds = w->seed_rows * w->seed_cols;
    TSR_TRY(tsr_alloc(&block, n, 3 * sizeof *w->colors, "superpixels", err));
    w->colors = block;
    TSR_TRY(tsr_alloc(&block, n, sizeof *w->small, "superpixels", err));
    w->small = block;
    TSR_TRY(tsr_alloc(&block, w->n_seeds, 2 * sizeof *w->seeds, "superpixels", err));
    w->seeds = block;
    w->sums = w->seeds + w->n_seeds;
    reduce(w);
    place_seeds(w);
    memset(w->small, 0xff, n * sizeof *w->small); /* nobody's */
    for (int round = 0; round < MAX_ROUNDS && assign_pixels(w) > 0; round++)
        move_seeds(w);
    return TSR_OK;
}

/* ---- borders at full size
 * ------------------------------------------------------------------------
 */

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
    free(w.colors);
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
