/* SPDX-License-Identifier: MIT
 *
 * Exactly N rectangles, small where the image has detail: a quadtree (Finkel and Bentley, 1974)
 * whose cells are split where the image deviates from one colour, the splitting half of
 * split-and-merge (Horowitz and Pavlidis, Journal of the ACM 23, 1976); ACORN (arXiv 2105.02788)
 * places coordinate networks so, by the error of their fit.
 *
 * From the whole image on, always the cell with the largest sum of squared deviations from its mean
 * colour (over pixels and channels) is split; among equals the largest, then the first row-major,
 * so a flat image is cut evenly. A split halves both sides (rounded down for the upper and left
 * half) and adds three cells. Two cases halve one side only, as in a k-d tree, and add one: a cell
 * that is one pixel high or wide, and any cell once fewer than three cells are missing, across the
 * side that leaves less deviation (across its height when both leave the same). So every number
 * from one to that of the pixels is met exactly: as long as cells are missing, one has two pixels.
 */
#include <stdlib.h>

#include "base/memory.h"
#include "partition/rules.h"

struct cell {
    size_t row, col, height, width;
    double deviation; /* sum of squared deviations from the mean */
};

/* A heap: the cell to split next is the first. */
struct tree {
    const struct tsr_picture *picture;
    struct cell *cell; /* [capacity] */
    size_t n, capacity;
};

/* About the mean rounded down, in whole numbers: exactly 0 where all pixels are alike. */
static double deviation_of(const struct tsr_picture *p, const struct cell *cell) {
    uint64_t n = (uint64_t)cell->height * cell->width;
    double total = 0;
    for (size_t k = 0; k < p->channels; k++) {
        uint64_t sum = 0, squares = 0;
        for (size_t r = 0; r < cell->height; r++) {
            const uint8_t *at =
                p->pixels + ((cell->row + r) * p->width + cell->col) * p->channels + k;
            for (size_t c = 0; c < cell->width; c++, at += p->channels)
                sum += *at, squares += (uint64_t)*at * *at;
        }
        uint64_t mean = sum / n, rest = sum % n;
        uint64_t about = squares - 2 * mean * sum + n * mean * mean;
        total += (double)about - (double)(rest * rest) / (double)n;
    }
    return total > 0 ? total : 0;
}

static struct cell make_cell(const struct tsr_picture *p, size_t row, size_t col, size_t height,
                             size_t width) {
    struct cell cell = {row, col, height, width, 0};
    cell.deviation = deviation_of(p, &cell);
    return cell;
}

/* Is `a` to be split before `b`? */
static bool comes_before(const struct cell *a, const struct cell *b) {
    if (a->deviation != b->deviation) return a->deviation > b->deviation;
    if (a->height * a->width != b->height * b->width)
        return a->height * a->width > b->height * b->width;
    return a->row != b->row ? a->row < b->row : a->col < b->col;
}

static void push(struct tree *t, struct cell cell) {
    size_t i = t->n++;
    for (; i > 0 && comes_before(&cell, &t->cell[(i - 1) / 2]); i = (i - 1) / 2)
        t->cell[i] = t->cell[(i - 1) / 2];
    t->cell[i] = cell;
}

static struct cell pop(struct tree *t) {
    struct cell first = t->cell[0], last = t->cell[--t->n];
    size_t i = 0;
    for (size_t child = 1; child < t->n; child = 2 * i + 1) {
        if (child + 1 < t->n && comes_before(&t->cell[child + 1], &t->cell[child])) child++;
        if (!comes_before(&t->cell[child], &last)) break;
        t->cell[i] = t->cell[child];
        i = child;
    }
    t->cell[i] = last;
    return first;
}

/* Halves the height or the width of a cell that has two pixels there. */
static void halve(const struct tsr_picture *p, const struct cell *c, bool height,
                  struct cell out[2]) {
    size_t h = height ? c->height / 2 : 0, w = height ? 0 : c->width / 2;
    out[0] = make_cell(p, c->row, c->col, height ? h : c->height, height ? c->width : w);
    out[1] = make_cell(p, c->row + h, c->col + w, c->height - h, c->width - w);
}

static void split_in_two(struct tree *t, const struct cell *c) {
    struct cell halves[2][2];
    bool possible[2] = {c->height > 1, c->width > 1};
    double left[2] = {0, 0};
    for (int i = 0; i < 2; i++) {
        if (!possible[i]) continue;
        halve(t->picture, c, i == 0, halves[i]);
        left[i] = halves[i][0].deviation + halves[i][1].deviation;
    }
    int best = possible[0] && (!possible[1] || left[0] <= left[1]) ? 0 : 1;
    push(t, halves[best][0]);
    push(t, halves[best][1]);
}

static void split_in_four(struct tree *t, const struct cell *c) {
    size_t h = c->height / 2, w = c->width / 2;
    push(t, make_cell(t->picture, c->row, c->col, h, w));
    push(t, make_cell(t->picture, c->row, c->col + w, h, c->width - w));
    push(t, make_cell(t->picture, c->row + h, c->col, c->height - h, w));
    push(t, make_cell(t->picture, c->row + h, c->col + w, c->height - h, c->width - w));
}

static void grow(struct tree *t) {
    push(t, make_cell(t->picture, 0, 0, t->picture->height, t->picture->width));
    while (t->n < t->capacity) {
        size_t missing = t->capacity - t->n;
        struct cell c = pop(t);
        if (missing < 3 || c.height == 1 || c.width == 1)
            split_in_two(t, &c);
        else
            split_in_four(t, &c);
    }
}

static int by_place(const void *a, const void *b) {
    const struct cell *x = a, *y = b;
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    return x->col < y->col ? -1 : x->col > y->col;
}

/* Numbers the cells by their first pixels, row-major. */
static void paint(const struct tree *t, uint32_t *labels) {
    qsort(t->cell, t->n, sizeof *t->cell, by_place);
    for (size_t i = 0; i < t->n; i++) {
        const struct cell *c = &t->cell[i];
        for (size_t r = c->row; r < c->row + c->height; r++)
            for (size_t k = c->col; k < c->col + c->width; k++)
                labels[r * t->picture->width + k] = (uint32_t)i;
    }
}

/* Time: each level of the tree looks at every pixel once more; 48 bytes for each region. */
static enum tsr_status label(const double *value, const struct tsr_picture *picture,
                             uint32_t *labels, struct tsr_error *err) {
    struct tree tree = {.picture = picture, .capacity = (size_t)value[0]};
    size_t height = picture->height, width = picture->width;
    if (height < 1 || width < 1 || height > INT32_MAX / width)
        return TSR_ERROR(err, TSR_ERR_ARGUMENT,
                         "an image of %zux%zu pixels: a quadtree takes 1 to 2^31-1", height, width);
    if (tree.capacity < 1 || tree.capacity > height * width)
        return TSR_ERROR(err, TSR_ERR_CONFIG,
                         "quadtree %zu: an image of %zux%zu pixels has 1 to %zu regions",
                         tree.capacity, height, width, height * width);
    TSR_TRY(TSR_ALLOC(&tree.cell, tree.capacity, "quadtree", err));
    grow(&tree);
    paint(&tree, labels);
    free(tree.cell);
    return TSR_OK;
}

static const struct tsr_param params[] = {
    {.name = "n_regions",
     .metavar = "N",
     .type = TSR_PARAM_COUNT,
     .fallback = 64,
     .lo = 1,
     .hi = TSR_MAX_LABELS,
     .positional = true,
     .help = "rectangles of each image"},
};

const struct tsr_rule tsr_rule_quadtree = {
    .object = {.name = "quadtree",
               .about = "N rectangles, small where the image has detail",
               .params = TSR_PARAMS(params)},
    .label = label,
};
