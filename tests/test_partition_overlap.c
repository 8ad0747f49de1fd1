/* SPDX-License-Identifier: MIT
 *
 * Overlapping regions of random partitions: contexts against a brute-force dilation, blending
 * weights against their definition, relabelled partitions against new ones.
 */
#include "tests/check.h"

#include "partition/partition.h"

/* Larger than some cells, and than some images. */
static const size_t overlaps[] = {0, 1, 2, 4, 9};
enum { N_OVERLAPS = sizeof overlaps / sizeof *overlaps };

/* ---- partitions ---------------------------------------------------------------------------------
 */

/* Blotches rather than noise, so that regions have an inside; labels from `used` on do not occur,
 * and label 1 seldom does. */
static void random_labels(uint32_t *labels, size_t height, size_t width, size_t used) {
    size_t side = draw_size(1, 6);
    uint32_t tile[64];
    for (size_t i = 0; i < 64; i++)
        tile[i] = (uint32_t)draw_size(0, used - 1);
    for (size_t i = 0; i < height * width; i++) {
        size_t row = i / width / side, col = i % width / side;
        labels[i] = tile[(5 * row + col) % 64];
        if (labels[i] == 1 && draw(0, 1) < 0.9) labels[i] = 0;
    }
}

static struct tsr_partition *labelled(size_t height, size_t width, size_t n, size_t overlap) {
    uint32_t *labels = make(height * width, sizeof *labels);
    struct tsr_partition *p;
    random_labels(labels, height, width, draw_size(1, n));
    MUST(tsr_partition_from_labels(labels, height, width, n, overlap, &p, err));
    free(labels);
    return p;
}

/* One of each kind in turn, of random size; an overlap of each size. */
static struct tsr_partition *some_partition(size_t i) {
    size_t height = draw_size(1, 26), width = draw_size(1, 26);
    struct tsr_partition_rule rule = {.overlap = overlaps[i / 4 % N_OVERLAPS]};
    struct tsr_partition *p;
    if (i % 4 == 0) {
        rule.kind = TSR_RULE_GRID;
        rule.rows = draw_size(1, height), rule.cols = draw_size(1, width);
    } else if (i % 4 == 1) {
        rule.kind = TSR_RULE_CELL;
        rule.cell_height = draw_size(1, 12), rule.cell_width = draw_size(1, 30);
    } else if (i % 4 == 2) {
        return labelled(height, width, draw_size(1, 9), rule.overlap);
    }
    MUST(tsr_partition_create(&rule, height, width, &p, err));
    return p;
}

/* The context pixels of a region, in the order of their coordinates; returns how many. */
static size_t context_of(const struct tsr_partition *p, size_t region, uint32_t *out) {
    const struct tsr_region *g = &p->regions[region];
    if (p->labels) {
        memcpy(out, p->context + p->context_first[region], g->n_context * sizeof *out);
        return g->n_context;
    }
    size_t n = 0;
    for (size_t row = 0; row < g->window.height; row++)
        for (size_t col = 0; col < g->window.width; col++)
            out[n++] = (uint32_t)((g->window.row + row) * p->width + g->window.col + col);
    return n;
}

/* weight [n_regions, H, W], 0 outside of a context. */
static float *weights_of(const struct tsr_partition *p) {
    size_t n = p->height * p->width;
    float *out = make(p->n_regions * n, sizeof *out), *weight = make(n, sizeof *weight);
    uint32_t *pixel = make(n, sizeof *pixel);
    for (size_t r = 0; r < p->n_regions; r++) {
        size_t context = context_of(p, r, pixel);
        assert_int_equal(context, p->regions[r].n_context);
        tsr_partition_weights(p, r, weight);
        for (size_t i = 0; i < context; i++)
            out[r * n + pixel[i]] = weight[i];
    }
    free(weight);
    free(pixel);
    return out;
}

/* ---- distances, naively -------------------------------------------------------------------------
 */

static size_t apart(size_t a, size_t b) {
    return a > b ? a - b : b - a;
}

/* The larger of the distances in rows and in columns to the nearest pixel of a region; SIZE_MAX
 * without one. */
static size_t distance_to(const struct tsr_partition *p, size_t region, size_t pixel) {
    size_t least = SIZE_MAX;
    for (size_t i = 0; i < p->height * p->width; i++) {
        if (tsr_partition_region_at(p, i / p->width, i % p->width) != region) continue;
        size_t rows = apart(i / p->width, pixel / p->width);
        size_t cols = apart(i % p->width, pixel % p->width), far = rows > cols ? rows : cols;
        if (far < least) least = far;
    }
    return least;
}

static double fade(size_t distance, size_t overlap) {
    double c = cos(acos(0.0) * (double)distance / (double)(overlap + 1));
    return distance > overlap ? 0 : c * c;
}

/* ---- properties ---------------------------------------------------------------------------------
 */

static void contexts_are_dilations(void **state) {
    (void)state;
    for (size_t i = 0; i < 60; i++) {
        size_t height = draw_size(1, 14), width = draw_size(1, 14);
        size_t overlap = overlaps[i % N_OVERLAPS];
        struct tsr_partition *p = labelled(height, width, draw_size(1, 7), overlap);
        float *weight = weights_of(p);
        size_t n = height * width, *at = make(p->n_regions, sizeof *at);
        for (size_t pixel = 0; pixel < n; pixel++) {
            double sum = 0;
            for (size_t r = 0; r < p->n_regions; r++)
                sum += fade(distance_to(p, r, pixel), overlap);
            for (size_t r = 0; r < p->n_regions; r++) {
                size_t distance = distance_to(p, r, pixel);
                double want = fade(distance, overlap) / sum;
                assert_true(fabs((double)weight[r * n + pixel] - want) < 1e-6);
                if (distance > overlap) continue;
                assert_true(at[r] < p->regions[r].n_context);
                assert_int_equal(p->context[p->context_first[r] + at[r]++], pixel);
            }
        }
        for (size_t r = 0; r < p->n_regions; r++)
            assert_int_equal(at[r], p->regions[r].n_context);
        free(at);
        free(weight);
        tsr_partition_free(p);
    }
}

/* Rows and columns of a grid have distances of their own. */
static void rectangles_by_definition(void **state) {
    (void)state;
    for (size_t i = 0; i < 60; i++) {
        struct tsr_partition *p = some_partition(4 * i + i % 2);
        size_t n = p->height * p->width, overlap = p->overlap;
        float *weight = weights_of(p);
        for (size_t j = 0; j < n * p->n_regions; j++) {
            double part[2] = {0, 0}, sum[2] = {0, 0};
            size_t at[2] = {j % n / p->width, j % n % p->width};
            for (size_t side = 0; side < 2; side++) {
                const size_t *edge = side ? p->col_edge : p->row_edge;
                size_t cells = side ? p->n_cols : p->n_rows;
                size_t own = side ? j / n % p->n_cols : j / n / p->n_cols;
                for (size_t cell = 0; cell < cells; cell++) {
                    size_t low = edge[cell], high = edge[cell + 1] - 1, x = at[side];
                    size_t distance = x < low ? low - x : x > high ? x - high : 0;
                    sum[side] += fade(distance, overlap);
                    if (cell == own) part[side] = fade(distance, overlap);
                }
            }
            double want = part[0] / sum[0] * (part[1] / sum[1]);
            assert_true(fabs((double)weight[j] - want) < 1e-6);
        }
        free(weight);
        tsr_partition_free(p);
    }
}

static void weights_sum_to_one(void **state) {
    (void)state;
    for (size_t i = 0; i < 400; i++) {
        struct tsr_partition *p = some_partition(i);
        size_t n = p->height * p->width;
        float *weight = weights_of(p);
        for (size_t pixel = 0; pixel < n; pixel++) {
            size_t own = tsr_partition_region_at(p, pixel / p->width, pixel % p->width);
            double sum = 0;
            for (size_t r = 0; r < p->n_regions; r++) {
                double w = (double)weight[r * n + pixel];
                assert_true(w >= 0 && w <= 1);
                assert_true(w <= (double)weight[own * n + pixel] + 1e-6);
                if (p->overlap == 0) assert_true(w == (r == own));
                sum += w;
            }
            assert_true(fabs(sum - 1) < 1e-6);
        }
        free(weight);
        tsr_partition_free(p);
    }
}

static void weights_between_the_pixels(void **state) {
    (void)state;
    for (size_t i = 0; i < 120; i++) {
        struct tsr_partition *p = some_partition(i);
        size_t n = p->height * p->width;
        float *weight = weights_of(p);
        for (int k = 0; k < 40; k++) {
            double row = draw(-2, (double)p->height + 1), col = draw(-2, (double)p->width + 1);
            double sum = 0;
            for (size_t r = 0; r < p->n_regions; r++) {
                double w = tsr_partition_weight_at(p, r, row, col);
                assert_true(w >= 0 && w <= 1 + 1e-6);
                if (p->regions[r].n_pixels == 0) assert_true(w == 0);
                sum += w;
                if (p->labels) continue;
                double factors =
                    tsr_partition_weight_of_row(p, r, row) * tsr_partition_weight_of_col(p, r, col);
                assert_true(w == factors);
            }
            assert_true(fabs(sum - 1) < 1e-5);
        }
        for (size_t j = 0; j < n * p->n_regions; j++) {
            double w = tsr_partition_weight_at(p, j / n, (double)(j % n / p->width),
                                               (double)(j % n % p->width));
            assert_true(fabs(w - (double)weight[j]) <= 1e-6);
            /* a quarter of the way to the next pixel of the row */
            if (j % n % p->width + 1 == p->width) continue;
            double next = 0.75 * (double)weight[j] + 0.25 * (double)weight[j + 1];
            w = tsr_partition_weight_at(p, j / n, (double)(j % n / p->width),
                                        (double)(j % n % p->width) + 0.25);
            assert_true(fabs(w - next) <= 1e-6);
        }
        free(weight);
        tsr_partition_free(p);
    }
}

/* Windows lie in the image and hold every pixel with weight; those of rectangles have the size that
 * the rule says, unless the image is smaller. */
static void windows(void **state) {
    (void)state;
    for (size_t i = 0; i < 200; i++) {
        struct tsr_partition *p = some_partition(i);
        size_t n = p->height * p->width;
        float *weight = weights_of(p);
        uint32_t *own = make(n, sizeof *own), *context = make(n, sizeof *context);
        for (size_t r = 0; r < p->n_regions; r++) {
            const struct tsr_region *g = &p->regions[r];
            const struct tsr_box *w = &g->window;
            assert_true(w->row + w->height <= p->height && w->col + w->width <= p->width);
            assert_int_equal(tsr_region_is_cut(g), g->n_context != g->n_pixels);
            assert_true(g->n_context >= g->n_pixels && g->n_context <= w->height * w->width);
            for (size_t j = 0; j < n; j++) {
                size_t row = j / p->width, col = j % p->width;
                bool inside = row >= w->row && row < w->row + w->height && col >= w->col &&
                              col < w->col + w->width;
                assert_true(inside || weight[r * n + j] == 0);
            }
            /* a region's own pixels are among its context's */
            tsr_partition_pixels(p, r, own);
            size_t n_context = context_of(p, r, context), at = 0;
            for (size_t j = 0; j < g->n_pixels; j++) {
                while (at < n_context && context[at] < own[j])
                    at++;
                assert_true(at < n_context && context[at] == own[j]);
            }
        }
        free(own);
        free(context);
        free(weight);
        tsr_partition_free(p);
    }
}

/* Cells that the edge cuts off, with a margin: all networks have the same task. */
static void windows_of_cut_cells(void **state) {
    (void)state;
    struct tsr_partition_rule rule = {
        .kind = TSR_RULE_CELL, .cell_height = 5, .cell_width = 6, .overlap = 2};
    struct tsr_partition *p;
    MUST(tsr_partition_create(&rule, 13, 17, &p, err));
    assert_int_equal(p->n_regions, 9);
    const size_t rows[3] = {0, 3, 4}, cols[3] = {0, 4, 7};
    for (size_t r = 0; r < 9; r++) {
        const struct tsr_box want = {rows[r / 3], cols[r % 3], 9, 10};
        assert_memory_equal(&p->regions[r].window, &want, sizeof want);
        assert_int_equal(p->regions[r].n_context, 90);
    }
    tsr_partition_free(p);
}

/* ---- relabelling --------------------------------------------------------------------------------
 */

static void same_partition(const struct tsr_partition *a, const struct tsr_partition *b) {
    size_t n = a->height * a->width, total = a->context_first[a->n_regions];
    assert_int_equal(a->n_regions, b->n_regions);
    assert_memory_equal(a->regions, b->regions, a->n_regions * sizeof *a->regions);
    assert_memory_equal(a->labels, b->labels, n * sizeof *a->labels);
    assert_memory_equal(a->pixels, b->pixels, n * sizeof *a->pixels);
    assert_memory_equal(a->first, b->first, (a->n_regions + 1) * sizeof *a->first);
    assert_memory_equal(a->context_first, b->context_first,
                        (a->n_regions + 1) * sizeof *a->context_first);
    assert_memory_equal(a->context, b->context, total * sizeof *a->context);
    assert_int_equal(a->weight != NULL, b->weight != NULL);
    if (a->weight) assert_memory_equal(a->weight, b->weight, total * sizeof *a->weight);
}

static void relabelled_equals_new(void **state) {
    (void)state;
    for (size_t i = 0; i < 30; i++) {
        size_t height = draw_size(1, 20), width = draw_size(1, 20), n = draw_size(1, 8);
        size_t overlap = overlaps[i % N_OVERLAPS];
        uint32_t *labels = make(height * width, sizeof *labels);
        struct tsr_partition_rule rule = {
            .kind = i % 2 ? TSR_RULE_SEGMENT : TSR_RULE_LABELS, .n_regions = n, .overlap = overlap};
        struct tsr_partition *p, *fresh;
        MUST(tsr_partition_create(&rule, height, width, &p, err));
        MUST(tsr_partition_from_labels(labels, height, width, n, overlap, &fresh, err));
        same_partition(p, fresh); /* all pixels in region 0 */
        tsr_partition_free(fresh);
        for (int k = 0; k < 6; k++) { /* many and few borders in turn */
            random_labels(labels, height, width, k % 2 ? 1 : n);
            MUST(tsr_partition_relabel(p, labels, err));
            MUST(tsr_partition_from_labels(labels, height, width, n, overlap, &fresh, err));
            same_partition(p, fresh);
            tsr_partition_free(fresh);
        }
        MUST(tsr_partition_relabel(p, p->labels, err)); /* its own map */
        labels[height * width - 1] = (uint32_t)n;
        MUST_FAIL(tsr_partition_relabel(p, labels, err), TSR_ERR_ARGUMENT, "labels must be below");
        tsr_partition_free(p);
        free(labels);
    }
}

/* ---- rules --------------------------------------------------------------------------------------
 */

static enum tsr_status try_rule(struct tsr_partition_rule rule, struct tsr_error *err) {
    struct tsr_partition *p;
    enum tsr_status checked = tsr_partition_rule_check(&rule, err);
    enum tsr_status status = tsr_partition_create(&rule, 12, 12, &p, err);
    assert_int_equal(status, checked);
    if (status != TSR_OK) assert_null(p);
    tsr_partition_free(p);
    return status;
}

#define RULE(...) ((struct tsr_partition_rule){__VA_ARGS__})

static void rules_out_of_range(void **state) {
    (void)state;
    const uint32_t labels[4] = {0, 1, 1, 0};
    struct tsr_partition *p;
    MUST(try_rule(RULE(.kind = TSR_RULE_WHOLE, .overlap = 64), err));
    MUST(try_rule(RULE(.kind = TSR_RULE_GRID, .rows = 12, .cols = 1, .overlap = 64), err));
    MUST(try_rule(RULE(.kind = TSR_RULE_SEGMENT, .n_regions = 65535), err));
    MUST_FAIL(try_rule(RULE(.kind = TSR_RULE_WHOLE, .overlap = 65), err), TSR_ERR_CONFIG,
              "overlap of 65 pixels: at most 64 are allowed");
    MUST_FAIL(try_rule(RULE(.kind = TSR_RULE_LABELS, .n_regions = 2, .overlap = SIZE_MAX), err),
              TSR_ERR_CONFIG, "overlap of");
    MUST_FAIL(try_rule(RULE(.kind = TSR_RULE_SEGMENT), err), TSR_ERR_CONFIG,
              "segment 0 color: the number of regions must be 1 to 65535");
    MUST_FAIL(try_rule(RULE(.kind = TSR_RULE_LABELS, .n_regions = 65536), err), TSR_ERR_CONFIG,
              "labels 65536: the number of regions must be 1 to 65535");
    MUST_FAIL(tsr_partition_from_labels(labels, 2, 2, 2, 65, &p, err), TSR_ERR_ARGUMENT,
              "overlap of 65 pixels");
    assert_null(p);
}

static void describe(struct tsr_partition_rule rule, const char *want) {
    char text[64];
    tsr_partition_rule_describe(&rule, text, sizeof text);
    assert_string_equal(text, want);
}

static void names(void **state) {
    (void)state;
    enum tsr_rule rule;
    enum tsr_slots slots;
    describe(RULE(.kind = TSR_RULE_SEGMENT, .n_regions = 9), "segment 9 color");
    describe(RULE(.kind = TSR_RULE_SEGMENT, .n_regions = 4, .merge = TSR_MERGE_AREA, .overlap = 3),
             "segment 4 area overlap 3");
    describe(RULE(.kind = TSR_RULE_LABELS, .n_regions = 19), "labels 19");
    describe(RULE(.kind = TSR_RULE_WHOLE, .overlap = 1), "whole overlap 1");
    describe(RULE(.kind = TSR_RULE_GRID, .rows = 8, .cols = 8, .overlap = 2), "grid 8x8 overlap 2");
    for (int i = TSR_RULE_WHOLE; i <= TSR_RULE_LABELS; i++) {
        MUST(tsr_rule_parse(tsr_rule_name((enum tsr_rule)i), &rule, err));
        assert_int_equal(rule, i);
        assert_int_equal(tsr_rule_follows_image(rule), i >= TSR_RULE_SEGMENT);
    }
    MUST(tsr_slots_parse("per-class", &slots, err));
    assert_int_equal(slots, TSR_SLOTS_PER_CLASS);
    assert_int_equal(tsr_slot_of_region(slots, 7), 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contexts_are_dilations),
        cmocka_unit_test(rectangles_by_definition),
        cmocka_unit_test(weights_sum_to_one),
        cmocka_unit_test(weights_between_the_pixels),
        cmocka_unit_test(windows),
        cmocka_unit_test(windows_of_cut_cells),
        cmocka_unit_test(relabelled_equals_new),
        cmocka_unit_test(rules_out_of_range),
        cmocka_unit_test(names),
    };
    return cmocka_run_group_tests_name("overlap", tests, NULL, NULL);
}
