/* SPDX-License-Identifier: MIT
 *
 * Coordinates against the formulas of partition/coords.h, written once more here.
 */
#include "tests/check.h"

#include "partition/coords.h"

static const double range[2] = {-0.75, 1.5};

static struct tsr_coords coords_of(int sampling, int frame) {
    return (struct tsr_coords){range[0], range[1], (enum tsr_sampling)sampling,
                               (enum tsr_frame)frame};
}

/* lo + (hi - lo) t, pixel i of n. */
static double expected(enum tsr_sampling sampling, double i, size_t n) {
    double t = sampling == TSR_SAMPLING_EDGE     ? i / (double)n
               : sampling == TSR_SAMPLING_CENTER ? (i + 0.5) / (double)n
               : n == 1                          ? 0.5
                                                 : i / ((double)n - 1);
    return range[0] + (range[1] - range[0]) * t;
}

static void assert_near(tsr_real found, double value) {
    if (!(fabs((double)found - value) <= 4e-7)) fail_msg("%.9g, not %.9g", (double)found, value);
}

static struct tsr_partition *random_partition(void) {
    size_t height = draw_size(1, 20), width = draw_size(1, 20);
    struct tsr_partition *p;
    if (draw(0, 1) < 0.4) {
        uint32_t labels[400];
        size_t n = draw_size(1, 6);
        for (size_t i = 0; i < height * width; i++)
            labels[i] = (uint32_t)draw_size(0, n - 1);
        MUST(tsr_partition_from_labels(labels, height, width, n + 1, 0, &p, err));
        return p;
    }
    const struct tsr_partition_rule rules[] = {
        {.rule = TSR_RULE(whole, 0)},
        {.rule = TSR_RULE(grid, draw_size(1, height), draw_size(1, width))},
        {.rule = TSR_RULE(cell, draw_size(1, 22), draw_size(1, 22))}};
    struct tsr_partition_rule rule = rules[draw_size(0, 2)];
    MUST(tsr_partition_create(&rule, height, width, &p, err));
    return p;
}

/* The context pixels of a region, ascending: those of its window, or of its label. */
static size_t context_pixels(const struct tsr_partition *p, size_t region, uint32_t *pixel) {
    const struct tsr_box *w = &p->regions[region].window;
    size_t n = 0;
    if (p->labels) {
        tsr_partition_pixels(p, region, pixel);
        return p->regions[region].n_pixels;
    }
    for (size_t r = w->row; r < w->row + w->height; r++)
        for (size_t c = w->col; c < w->col + w->width; c++)
            pixel[n++] = (uint32_t)(r * p->width + c);
    return n;
}

static void check_region(const struct tsr_coords *c, const struct tsr_partition *p, size_t region,
                         const tsr_real *x) {
    const struct tsr_box *w = &p->regions[region].window;
    bool whole = c->frame == TSR_FRAME_IMAGE;
    size_t row0 = whole ? 0 : w->row, col0 = whole ? 0 : w->col;
    size_t rows = whole ? p->height : w->height, cols = whole ? p->width : w->width;
    uint32_t *pixel = make(p->height * p->width, sizeof *pixel);
    assert_int_equal(context_pixels(p, region, pixel), p->regions[region].n_context);
    for (size_t i = 0; i < p->regions[region].n_context; i++) {
        size_t row = pixel[i] / p->width, col = pixel[i] % p->width;
        assert_near(x[2 * i], expected(c->sampling, (double)(row - row0), rows));
        assert_near(x[2 * i + 1], expected(c->sampling, (double)(col - col0), cols));
    }
    free(pixel);
}

/* A window holds its region, lies in the image, and is a whole cell where the image is large
 * enough. */
static void windows(void **state) {
    (void)state;
    for (int i = 0; i < 200; i++) {
        struct tsr_partition_rule rule = {.rule =
                                              TSR_RULE(cell, draw_size(1, 12), draw_size(1, 12))};
        size_t height = draw_size(1, 30), width = draw_size(1, 30);
        struct tsr_partition *p;
        MUST(tsr_partition_create(&rule, height, width, &p, err));
        for (size_t r = 0; r < p->n_regions; r++) {
            const struct tsr_region *g = &p->regions[r];
            const struct tsr_box *w = &g->window;
            assert_true(w->row <= g->row && g->row + g->height <= w->row + w->height);
            assert_true(w->col <= g->col && g->col + g->width <= w->col + w->width);
            assert_true(w->row + w->height <= height && w->col + w->width <= width);
            assert_int_equal(w->height, rule.rule.value[0] < height ? rule.rule.value[0] : height);
            assert_int_equal(w->width, rule.rule.value[1] < width ? rule.rule.value[1] : width);
            assert_int_equal(g->n_context, w->height * w->width);
        }
        tsr_partition_free(p);
    }
}

static void formulas(void **state) {
    (void)state;
    tsr_real x[800];
    for (int i = 0; i < 120; i++) {
        struct tsr_coords c = coords_of(i % 3, i / 3 % 2);
        struct tsr_partition *p = random_partition();
        for (size_t r = 0; r < p->n_regions; r++) {
            tsr_coords_fill(&c, p, r, x);
            check_region(&c, p, r, x);
        }
        tsr_partition_free(p);
    }
}

/* One pixel a side: the middle of the range, for `endpoints` as for `center`. */
static void one_pixel(void **state) {
    (void)state;
    struct tsr_partition_rule rule = {.rule = TSR_RULE(cell, 1, 1)};
    struct tsr_partition *p;
    tsr_real x[2];
    MUST(tsr_partition_create(&rule, 3, 4, &p, err));
    for (size_t r = 0; r < p->n_regions; r++)
        for (int sampling = 0; sampling < 3; sampling++) {
            struct tsr_coords c = coords_of(sampling, TSR_FRAME_REGION);
            double value = sampling == TSR_SAMPLING_EDGE ? range[0] : 0.5 * (range[0] + range[1]);
            tsr_coords_fill(&c, p, r, x);
            assert_near(x[0], value);
            assert_near(x[1], value);
        }
    tsr_partition_free(p);
}

static void endpoints_touch_the_ends(void **state) {
    (void)state;
    struct tsr_coords c = coords_of(TSR_SAMPLING_ENDPOINTS, TSR_FRAME_IMAGE);
    struct tsr_partition_rule rule = {.rule = TSR_RULE(whole, 0)};
    struct tsr_partition *p;
    tsr_real x[2 * 5 * 7];
    MUST(tsr_partition_create(&rule, 5, 7, &p, err));
    tsr_coords_fill(&c, p, 0, x);
    assert_near(x[0], range[0]);
    assert_near(x[1], range[0]);
    assert_near(x[2 * 34], range[1]);
    assert_near(x[2 * 34 + 1], range[1]);
    tsr_partition_free(p);
}

/* Between and beyond the pixels: on the line through two neighbours. */
static void affine(void **state) {
    (void)state;
    for (int i = 0; i < 120; i++) {
        struct tsr_coords c = coords_of(i % 3, i / 3 % 2);
        struct tsr_partition *p = random_partition();
        size_t region = draw_size(0, p->n_regions - 1);
        if (p->regions[region].n_pixels > 0) {
            tsr_real a[2], b[2], between[2];
            double row = draw(-2, 20), col = draw(-2, 20), t = draw(-0.5, 1.5);
            tsr_coords_at(&c, p, region, row, col, a);
            tsr_coords_at(&c, p, region, row + 1, col + 1, b);
            tsr_coords_at(&c, p, region, row + t, col + t, between);
            for (int j = 0; j < 2; j++) {
                double want = (double)a[j] + t * ((double)b[j] - (double)a[j]);
                assert_true(fabs((double)between[j] - want) <= 1e-6 * (1 + fabs(want)));
            }
        }
        tsr_partition_free(p);
    }
}

static void table_has_the_values(void **state) {
    (void)state;
    tsr_real x[800];
    for (int i = 0; i < 120; i++) {
        struct tsr_coords c = coords_of(i % 3, i / 3 % 2);
        struct tsr_partition *p = random_partition();
        struct tsr_coord_table table;
        MUST(tsr_coord_table_create(&c, p, &table, err));
        assert_int_equal(table.n_regions, p->n_regions);
        for (size_t r = 0; r < p->n_regions; r++) {
            tsr_coords_fill(&c, p, r, x);
            ASSERT_SAME_BITS("table", table.x[r], x, 2 * p->regions[r].n_pixels);
        }
        tsr_coord_table_clear(&table);
        assert_null(table.x);
        tsr_partition_free(p);
    }
}

/* Frame `region`: one array for each size of cell; frame `image`: one for each region. */
static void table_shares(void **state) {
    (void)state;
    struct tsr_partition_rule rule = {.rule = TSR_RULE(cell, 4, 3)};
    struct tsr_partition *p;
    MUST(tsr_partition_create(&rule, 14, 10, &p, err));
    for (int frame = 0; frame < 2; frame++) {
        struct tsr_coords c = coords_of(TSR_SAMPLING_CENTER, frame);
        struct tsr_coord_table table;
        MUST(tsr_coord_table_create(&c, p, &table, err));
        for (size_t a = 0; a < p->n_regions; a++)
            for (size_t b = 0; b < p->n_regions; b++) {
                const struct tsr_region *ga = &p->regions[a], *gb = &p->regions[b];
                bool twins =
                    ga->window.height == gb->window.height && ga->window.width == gb->window.width;
                bool shared = a == b || (frame == TSR_FRAME_REGION && twins);
                assert_int_equal(table.x[a] == table.x[b], shared);
            }
        tsr_coord_table_clear(&table);
    }
    tsr_partition_free(p);
}

static void checks_and_names(void **state) {
    (void)state;
    const double bad[][2] = {{1, 1}, {1, -1}, {NAN, 1}, {0, NAN}, {-INFINITY, 0}, {0, INFINITY}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tsr_coords c = {.lo = bad[i][0], .hi = bad[i][1]};
        MUST_FAIL(tsr_coords_check(&c, err), TSR_ERR_CONFIG, "both ends must be finite");
    }
    MUST(tsr_coords_check(&(struct tsr_coords){.lo = 0, .hi = 1e-9}, err));
    enum tsr_sampling sampling;
    enum tsr_frame frame;
    for (int i = 0; i < 3; i++) {
        MUST(tsr_sampling_parse(tsr_sampling_name((enum tsr_sampling)i), &sampling, err));
        assert_int_equal(sampling, i);
    }
    for (int i = 0; i < 2; i++) {
        MUST(tsr_frame_parse(tsr_frame_name((enum tsr_frame)i), &frame, err));
        assert_int_equal(frame, i);
    }
    MUST_FAIL(tsr_sampling_parse("centre", &sampling, err), TSR_ERR_NOT_FOUND,
              "edge, center, endpoints");
    MUST_FAIL(tsr_frame_parse("cell", &frame, err), TSR_ERR_NOT_FOUND, "image, region");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(formulas),     cmocka_unit_test(windows),
        cmocka_unit_test(one_pixel),    cmocka_unit_test(endpoints_touch_the_ends),
        cmocka_unit_test(affine),       cmocka_unit_test(table_has_the_values),
        cmocka_unit_test(table_shares), cmocka_unit_test(checks_and_names),
    };
    return cmocka_run_group_tests_name("coords", tests, NULL, NULL);
}
