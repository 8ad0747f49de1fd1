/* SPDX-License-Identifier: MIT
 *
 * Margins and blending weights, against their definition pixel by pixel.
 */
#include "tests/check.h"

#include "partition/partition.h"

/* A partition of random kind; `labels` is its label map where it came from one. */
struct scene {
    struct tsr_partition *p;
    uint32_t *labels; /* NULL for rectangles */
};

static const size_t overlaps[] = {0, 1, 2, 4, 11, 64};
enum { N_OVERLAPS = sizeof overlaps / sizeof *overlaps };

/* Patches of random labels: single pixels, blobs, stray ones; only labels below `used` occur. */
static void random_labels(uint32_t *labels, size_t height, size_t width, size_t used) {
    size_t patch = draw_size(1, 9);
    for (size_t i = 0; i < height * width; i++)
        labels[i] = 0;
    for (size_t n = draw_size(1, 40); n > 0; n--) {
        size_t row = draw_size(0, height - 1), col = draw_size(0, width - 1);
        uint32_t label = (uint32_t)draw_size(0, used - 1);
        for (size_t r = row; r < row + patch && r < height; r++)
            for (size_t c = col; c < col + patch && c < width; c++)
                labels[r * width + c] = label;
    }
}

static struct scene some_scene(int i, size_t overlap, size_t side) {
    size_t height = draw_size(1, side), width = draw_size(1, side);
    struct tsr_partition_rule rule = {.rule = TSR_RULE(whole, 0), .overlap = overlap};
    struct scene s = {0};
    if (i % 4 == 3) {
        size_t n = draw_size(1, 12);
        s.labels = make(height * width, sizeof *s.labels);
        random_labels(s.labels, height, width, draw_size(1, n)); /* the others are absent */
        MUST(tsr_partition_from_labels(s.labels, height, width, n, overlap, &s.p, err));
        return s;
    }
    if (i % 4 == 1) {
        rule.rule = (struct tsr_choice)TSR_RULE(grid, draw_size(1, height), draw_size(1, width));
    } else if (i % 4 == 2) {
        rule.rule = (struct tsr_choice)TSR_RULE(cell, draw_size(1, 12), draw_size(1, 12));
    }
    MUST(tsr_partition_create(&rule, height, width, &s.p, err));
    return s;
}

static void clear_scene(struct scene *s) {
    tsr_partition_free(s->p);
    free(s->labels);
}

/* The context pixels of a region in the order of its coordinates: out [n_context]. */
static void context_of(const struct tsr_partition *p, size_t region, uint32_t *out) {
    const struct tsr_box *w = &p->regions[region].window;
    if (p->labels) {
        memcpy(out, p->context + p->context_first[region],
               p->regions[region].n_context * sizeof *out);
        return;
    }
    for (size_t row = w->row; row < w->row + w->height; row++)
        for (size_t col = w->col; col < w->col + w->width; col++)
            *out++ = (uint32_t)(row * p->width + col);
}

/* The weights of a region as a picture [H, W], zero outside its context. */
static float *weight_picture(const struct tsr_partition *p, size_t region) {
    size_t n = p->regions[region].n_context;
    float *weight = make(n, sizeof *weight), *picture = make(p->height * p->width, sizeof *picture);
    uint32_t *context = make(n, sizeof *context);
    if (n) tsr_partition_weights(p, region, weight);
    if (n) context_of(p, region, context);
    for (size_t i = 0; i < n; i++) {
        assert_true(weight[i] >= 0 && weight[i] <= 1);
        picture[context[i]] = weight[i];
    }
    free(weight);
    free(context);
    return picture;
}

static size_t apart(size_t a, size_t b) {
    return a < b ? b - a : a - b;
}

/* Distances from a pixel to the nearest pixel of a region, by looking at all: the larger of rows
 * and columns, rows alone, columns alone. SIZE_MAX for a region without pixels. */
struct distances {
    size_t both, rows, cols;
};
static struct distances distances_to(const struct tsr_partition *p, size_t region, size_t pixel) {
    struct distances d = {SIZE_MAX, SIZE_MAX, SIZE_MAX};
    for (size_t i = 0; i < p->height * p->width; i++) {
        if (tsr_partition_region_at(p, i / p->width, i % p->width) != region) continue;
        size_t rows = apart(i / p->width, pixel / p->width);
        size_t cols = apart(i % p->width, pixel % p->width), both = rows > cols ? rows : cols;
        d.both = both < d.both ? both : d.both;
        d.rows = rows < d.rows ? rows : d.rows;
        d.cols = cols < d.cols ? cols : d.cols;
    }
    return d;
}

static double fade(size_t distance, size_t overlap) {
    if (distance > overlap) return 0;
    double c = cos(acos(-1.0) / 2 * (double)distance / (double)(overlap + 1));
    return c * c;
}

/* ---- tests -------------------------------------------------------------------------------------
 */

static void weights_sum_to_one(void **state) {
    (void)state;
    for (int i = 0; i < 240; i++) {
        struct scene s = some_scene(i, overlaps[i / 4 % N_OVERLAPS], 34);
        size_t n = s.p->height * s.p->width;
        double *sum = make(n, sizeof *sum);
        for (size_t r = 0; r < s.p->n_regions; r++) {
            float *weight = weight_picture(s.p, r);
            for (size_t j = 0; j < n; j++)
                sum[j] += (double)weight[j];
            free(weight);
        }
        for (size_t j = 0; j < n; j++)
            assert_true(fabs(sum[j] - 1) < 2e-6);
        free(sum);
        clear_scene(&s);
    }
}

/* Of the definition: fade by distance, divided by the sum; rectangles: rows times columns. */
static void weights_by_definition(void **state) {
    (void)state;
    for (int i = 0; i < 48; i++) {
        struct scene s = some_scene(i, overlaps[i / 4 % N_OVERLAPS], 15);
        size_t n = s.p->height * s.p->width, overlap = s.p->overlap;
        double *want = make(n * s.p->n_regions, sizeof *want);
        for (size_t j = 0; j < n; j++) {
            double sum = 0;
            for (size_t r = 0; r < s.p->n_regions; r++) {
                struct distances d = distances_to(s.p, r, j);
                double w = s.labels ? fade(d.both, overlap)
                                    : fade(d.rows, overlap) * fade(d.cols, overlap);
                want[r * n + j] = w;
                sum += w;
            }
            for (size_t r = 0; r < s.p->n_regions; r++)
                want[r * n + j] /= sum;
        }
        for (size_t r = 0; r < s.p->n_regions; r++) {
            float *weight = weight_picture(s.p, r);
            for (size_t j = 0; j < n; j++)
                assert_true(fabs((double)weight[j] - want[r * n + j]) < 1e-6);
            free(weight);
        }
        free(want);
        clear_scene(&s);
    }
}

/* At pixels the same as the weights; between them all regions together have 1, also beyond the
 * edge. */
static void weights_between_pixels(void **state) {
    (void)state;
    for (int i = 0; i < 96; i++) {
        struct scene s = some_scene(i, overlaps[i / 4 % N_OVERLAPS], 34);
        const struct tsr_partition *p = s.p;
        for (size_t r = 0; r < p->n_regions; r++) {
            float *weight = weight_picture(p, r);
            for (size_t j = 0; j < 20; j++) {
                size_t row = draw_size(0, p->height - 1), col = draw_size(0, p->width - 1);
                double at = tsr_partition_weight_at(p, r, (double)row, (double)col);
                assert_true(fabs(at - (double)weight[row * p->width + col]) < 1e-6);
                if (p->labels) assert_true((float)at == weight[row * p->width + col]);
            }
            free(weight);
        }
        for (size_t j = 0; j < 20; j++) {
            double row = draw(-1, (double)p->height), col = draw(-1, (double)p->width), sum = 0;
            for (size_t r = 0; r < p->n_regions; r++)
                sum += tsr_partition_weight_at(p, r, row, col);
            assert_true(fabs(sum - 1) < 2e-6);
        }
        clear_scene(&s);
    }
}

/* Halfway between two pixels, the mean of their weights. */
static void weights_are_bilinear(void **state) {
    (void)state;
    for (int i = 0; i < 40; i++) {
        struct scene s = some_scene(i, overlaps[i / 4 % N_OVERLAPS], 34);
        const struct tsr_partition *p = s.p;
        for (size_t r = 0; r < p->n_regions && p->height > 1; r++) {
            float *weight = weight_picture(p, r);
            size_t row = draw_size(0, p->height - 2), col = draw_size(0, p->width - 1);
            size_t at = row * p->width + col;
            double mean = ((double)weight[at] + (double)weight[at + p->width]) / 2;
            double found = tsr_partition_weight_at(p, r, (double)row + 0.5, (double)col);
            assert_true(fabs(found - mean) < 1e-6);
            free(weight);
        }
        clear_scene(&s);
    }
}

/* The pixels up to `overlap` away, found one by one, and their bounding box. */
static void context_is_the_dilated_region(void **state) {
    (void)state;
    for (int i = 3; i < 120; i += 4) {
        struct scene s = some_scene(i, overlaps[i / 4 % N_OVERLAPS], 15);
        const struct tsr_partition *p = s.p;
        assert_int_equal(p->context_first[0], 0);
        for (size_t r = 0; r < p->n_regions; r++) {
            const struct tsr_region *g = &p->regions[r];
            const uint32_t *context = p->context + p->context_first[r];
            size_t n = 0, top = SIZE_MAX, left = SIZE_MAX, bottom = 0, right = 0;
            for (size_t j = 0; j < p->height * p->width; j++) {
                size_t d = distances_to(p, r, j).both, row = j / p->width, col = j % p->width;
                if (d > p->overlap) continue;
                assert_true(n < g->n_context && context[n] == j);
                n++;
                top = row < top ? row : top, left = col < left ? col : left;
                bottom = row >= bottom ? row + 1 : bottom;
                right = col >= right ? col + 1 : right;
            }
            assert_int_equal(n, g->n_context);
            assert_int_equal(p->context_first[r + 1] - p->context_first[r], n);
            assert_int_equal(tsr_region_is_cut(g), n != g->n_pixels);
            struct tsr_box box = {top, left, bottom - top, right - left};
            if (n == 0) box = (struct tsr_box){0};
            assert_memory_equal(&g->window, &box, sizeof box);
        }
        clear_scene(&s);
    }
}

static void same_partition(const struct tsr_partition *a, const struct tsr_partition *b) {
    size_t n = a->height * a->width;
    assert_memory_equal(a->regions, b->regions, a->n_regions * sizeof *a->regions);
    assert_memory_equal(a->labels, b->labels, n * sizeof *a->labels);
    assert_memory_equal(a->pixels, b->pixels, n * sizeof *a->pixels);
    assert_memory_equal(a->first, b->first, (a->n_regions + 1) * sizeof *a->first);
    assert_memory_equal(a->context_first, b->context_first,
                        (a->n_regions + 1) * sizeof *a->context_first);
    size_t points = a->context_first[a->n_regions];
    assert_memory_equal(a->context, b->context, points * sizeof *a->context);
    if (a->weight) ASSERT_SAME_BITS("weight", a->weight, b->weight, points);
}

static void relabelled_as_made_anew(void **state) {
    (void)state;
    for (int i = 0; i < 30; i++) {
        size_t height = draw_size(1, 30), width = draw_size(1, 30), n = draw_size(1, 9);
        size_t overlap = overlaps[i % N_OVERLAPS];
        uint32_t *labels = make(height * width, sizeof *labels);
        struct tsr_partition *kept, *anew;
        MUST(tsr_partition_from_labels(labels, height, width, n, overlap, &kept, err));
        for (int j = 0; j < 8; j++) {
            random_labels(labels, height, width, draw_size(1, n));
            MUST(tsr_partition_relabel(kept, labels, err));
            MUST(tsr_partition_from_labels(labels, height, width, n, overlap, &anew, err));
            same_partition(kept, anew);
            tsr_partition_free(anew);
        }
        labels[height * width - 1] = (uint32_t)n;
        MUST_FAIL(tsr_partition_relabel(kept, labels, err), TSR_ERR_ARGUMENT, "must be below");
        tsr_partition_free(kept);
        free(labels);
    }
}

/* A rule that follows the image begins with all pixels in region 0. */
static void empty_until_relabelled(void **state) {
    (void)state;
    struct tsr_partition_rule rule = {.rule = TSR_RULE(labels, 4), .overlap = 2};
    uint32_t labels[5 * 6] = {0};
    struct tsr_partition *p, *zero;
    MUST(tsr_partition_create(&rule, 5, 6, &p, err));
    MUST(tsr_partition_from_labels(labels, 5, 6, 4, 2, &zero, err));
    same_partition(p, zero);
    assert_int_equal(p->regions[0].n_context, 30);
    assert_int_equal(p->regions[3].n_context, 0);
    tsr_partition_free(p);
    tsr_partition_free(zero);
}

static void no_overlap_is_one_or_nothing(void **state) {
    (void)state;
    for (int i = 0; i < 60; i++) {
        struct scene s = some_scene(i, 0, 34);
        const struct tsr_partition *p = s.p;
        for (size_t r = 0; r < p->n_regions; r++) {
            float *weight = weight_picture(p, r);
            for (size_t j = 0; j < p->height * p->width; j++) {
                bool own = tsr_partition_region_at(p, j / p->width, j % p->width) == r;
                assert_true(weight[j] == (own ? 1.0f : 0.0f));
            }
            free(weight);
        }
        clear_scene(&s);
    }
}

/* The window of a cell that the edge cuts off reaches further than its weight. */
static void margin_of_a_cut_cell(void **state) {
    (void)state;
    struct tsr_partition_rule rule = {.rule = TSR_RULE(cell, 8, 8), .overlap = 2};
    struct tsr_partition *p;
    MUST(tsr_partition_create(&rule, 20, 8, &p, err)); /* the third cell has 4 rows */
    assert_int_equal(p->n_regions, 3);
    const struct tsr_box *w = &p->regions[2].window;
    assert_int_equal(w->row, 8);
    assert_int_equal(w->height, 12);
    float *weight = weight_picture(p, 2);
    assert_true(weight[8 * 8] == 0 && weight[13 * 8] == 0);
    assert_true(weight[14 * 8] > 0 && weight[14 * 8] < weight[15 * 8]);
    assert_true(weight[16 * 8] > 0.5f && weight[16 * 8] < 1 && weight[18 * 8] == 1);
    free(weight);
    tsr_partition_free(p);
}

static enum tsr_status try_rule(struct tsr_partition_rule rule, struct tsr_error *err) {
    struct tsr_partition *p;
    enum tsr_status status = tsr_partition_create(&rule, 5, 6, &p, err);
    if (status != TSR_OK) assert_null(p);
    tsr_partition_free(p);
    return status;
}

#define RULE(KIND, N, P) ((struct tsr_partition_rule){.rule = TSR_RULE(KIND, (N)), .overlap = (P)})

static void rules_refused(void **state) {
    (void)state;
    const uint32_t labels[30] = {0};
    struct tsr_partition *p;
    MUST(try_rule(RULE(whole, 0, 64), err));
    MUST(try_rule(RULE(labels, 65535, 0), err));
    MUST_FAIL(try_rule(RULE(whole, 0, 65), err), TSR_ERR_CONFIG,
              "overlap of 65 pixels: at most 64 are allowed");
    MUST_FAIL(try_rule(RULE(labels, 0, 0), err), TSR_ERR_CONFIG,
              "labels: n_regions is 0; it must be a whole number, 1 to 65535");
    MUST_FAIL(try_rule(RULE(segment, 65536, 0), err), TSR_ERR_CONFIG,
              "segment: n_regions is 65536; it must be a whole number, 1 to 65535");
    MUST_FAIL(tsr_partition_from_labels(labels, 5, 6, 1, 65, &p, err), TSR_ERR_ARGUMENT,
              "overlap of 65");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(weights_sum_to_one),
        cmocka_unit_test(weights_by_definition),
        cmocka_unit_test(weights_between_pixels),
        cmocka_unit_test(weights_are_bilinear),
        cmocka_unit_test(context_is_the_dilated_region),
        cmocka_unit_test(relabelled_as_made_anew),
        cmocka_unit_test(empty_until_relabelled),
        cmocka_unit_test(no_overlap_is_one_or_nothing),
        cmocka_unit_test(margin_of_a_cut_cell),
        cmocka_unit_test(rules_refused),
    };
    return cmocka_run_group_tests_name("overlap", tests, NULL, NULL);
}
