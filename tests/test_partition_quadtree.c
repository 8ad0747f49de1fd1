/* SPDX-License-Identifier: MIT
 *
 * Quadtree: exactly as many rectangles as asked for, that cover any image, small where it deviates.
 */
#include "tests/check.h"

#include "partition/partition.h"

/* The map of an image: N rectangles that cover it, numbered by their first pixels. */
static uint32_t *map_of(const uint8_t *pixels, size_t height, size_t width, size_t channels,
                        size_t n) {
    const struct tsr_partition_rule rule = {.rule = TSR_RULE(quadtree, n)};
    const struct tsr_picture picture = {pixels, height, width, channels};
    uint32_t *labels = make(height * width, sizeof *labels);
    struct tsr_partition *p;
    size_t area = 0;
    MUST(tsr_partition_rule_label(&rule, &picture, NULL, labels, err));
    MUST(tsr_partition_from_labels(labels, height, width, n, 0, &p, err));
    for (size_t r = 0; r < n; r++) {
        const struct tsr_region *g = &p->regions[r];
        assert_true(g->n_pixels > 0);
        assert_int_equal(g->n_pixels, g->height * g->width); /* its bounding box is full */
        if (r > 0) assert_true(p->pixels[p->first[r]] > p->pixels[p->first[r - 1]]);
        area += g->n_pixels;
    }
    assert_int_equal(area, height * width);
    tsr_partition_free(p);
    return labels;
}

static void rectangles_that_cover(void **state) {
    (void)state;
    for (int i = 0; i < 300; i++) {
        size_t height = draw_size(1, i % 3 ? 24 : 4), width = draw_size(1, i % 5 ? 24 : 2);
        size_t channels = i % 4 ? 3 : 1, n = height * width;
        size_t wanted = i % 7 == 0 ? n : i % 7 == 1 ? 1 : draw_size(1, n);
        uint8_t *pixels = make(n * channels, 1);
        for (size_t k = 0; k < n * channels && i % 6; k++) /* each sixth is flat */
            pixels[k] = (uint8_t)draw_size(0, 255);
        uint32_t *a = map_of(pixels, height, width, channels, wanted);
        uint32_t *b = map_of(pixels, height, width, channels, wanted);
        assert_memory_equal(a, b, n * sizeof *a);
        free(a);
        free(b);
        free(pixels);
    }
}

/* A flat image is cut evenly: 4^k cells of one size. */
static void flat_is_even(void **state) {
    (void)state;
    uint8_t *pixels = make(32 * 64 * 3, 1);
    memset(pixels, 200, 32 * 64 * 3);
    uint32_t *labels = map_of(pixels, 32, 64, 3, 64);
    for (size_t r = 0; r < 32; r++)
        for (size_t c = 0; c < 64; c++)
            assert_int_equal(labels[r * 64 + c], r / 4 * 8 + c / 8);
    free(labels);
    free(pixels);
}

/* All of the detail lies in the lower right quarter: there are all but three cells. */
static void splits_where_it_deviates(void **state) {
    (void)state;
    uint8_t *pixels = make(32 * 32, 1);
    for (size_t r = 16; r < 32; r++)
        for (size_t c = 16; c < 32; c++)
            pixels[r * 32 + c] = (uint8_t)draw_size(0, 255);
    for (size_t n = 4; n < 60; n++) {
        uint32_t *labels = map_of(pixels, 32, 32, 1, n);
        assert_int_equal(labels[0], labels[15 * 32 + 15]);
        assert_int_equal(labels[16], labels[15 * 32 + 31]);
        assert_int_equal(labels[16 * 32], labels[31 * 32 + 15]);
        free(labels);
    }
    /* The last of two halves goes across the side that leaves less: an edge between columns. */
    for (size_t i = 0; i < 32 * 32; i++)
        pixels[i] = i % 32 < 16 ? 0 : 255;
    uint32_t *labels = map_of(pixels, 32, 32, 1, 2);
    for (size_t i = 0; i < 32 * 32; i++)
        assert_int_equal(labels[i], i % 32 >= 16);
    free(labels);
    free(pixels);
}

static void refused(void **state) {
    (void)state;
    const uint8_t pixels[12] = {0};
    const struct tsr_picture picture = {pixels, 3, 4, 1};
    uint32_t labels[12];
    struct tsr_partition_rule rule = {.rule = TSR_RULE(quadtree, 13)};
    MUST_FAIL(tsr_partition_rule_label(&rule, &picture, NULL, labels, err), TSR_ERR_CONFIG,
              "quadtree 13: an image of 3x4 pixels has 1 to 12 regions");
    rule.rule.value[0] = 0;
    MUST_FAIL(tsr_partition_rule_check(&rule, err), TSR_ERR_CONFIG, "quadtree: n_regions is 0");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rectangles_that_cover),
        cmocka_unit_test(flat_is_even),
        cmocka_unit_test(splits_where_it_deviates),
        cmocka_unit_test(refused),
    };
    return cmocka_run_group_tests_name("quadtree", tests, NULL, NULL);
}
