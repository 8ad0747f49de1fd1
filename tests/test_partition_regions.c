/* SPDX-License-Identifier: MIT
 *
 * Partitions of random sizes under random rules, and of random label maps: the properties that the
 * rest relies on, each recomputed from the pixels.
 */
#include "tests/check.h"

#include "partition/partition.h"

/* The region of every pixel by the lists; each pixel must be in exactly one, in ascending order. */
static size_t *owners(const struct tsr_partition *p) {
    size_t n = p->height * p->width, covered = 0;
    size_t *owner = make(n, sizeof *owner);
    uint32_t *list = make(n, sizeof *list);
    for (size_t i = 0; i < n; i++)
        owner[i] = SIZE_MAX;
    for (size_t r = 0; r < p->n_regions; r++) {
        assert_true(p->regions[r].n_pixels <= n);
        tsr_partition_pixels(p, r, list);
        for (size_t i = 0; i < p->regions[r].n_pixels; i++) {
            assert_true(list[i] < n);
            if (i > 0) assert_true(list[i - 1] < list[i]);
            assert_int_equal(owner[list[i]], SIZE_MAX);
            owner[list[i]] = r;
            covered++;
        }
    }
    assert_int_equal(covered, n);
    free(list);
    return owner;
}

/* The smallest box around the pixels of a region, naively. */
static struct tsr_region box_of(const struct tsr_partition *p, const size_t *owner, size_t region) {
    struct tsr_region box = {0};
    size_t top = SIZE_MAX, left = SIZE_MAX, bottom = 0, right = 0;
    for (size_t i = 0; i < p->height * p->width; i++) {
        size_t row = i / p->width, col = i % p->width;
        if (owner[i] != region) continue;
        if (row < top) top = row;
        if (col < left) left = col;
        if (row + 1 > bottom) bottom = row + 1;
        if (col + 1 > right) right = col + 1;
        box.n_pixels++;
    }
    if (box.n_pixels == 0) return box;
    box.row = top, box.col = left, box.height = bottom - top, box.width = right - left;
    return box;
}

static void check_partition(const struct tsr_partition *p) {
    size_t *owner = owners(p);
    for (size_t i = 0; i < p->height * p->width; i++)
        assert_int_equal(tsr_partition_region_at(p, i / p->width, i % p->width), owner[i]);
    for (size_t r = 0; r < p->n_regions; r++) {
        struct tsr_region box = box_of(p, owner, r);
        assert_int_equal(p->regions[r].n_pixels, box.n_pixels);
        assert_int_equal(p->regions[r].height, box.height);
        assert_int_equal(p->regions[r].width, box.width);
        assert_int_equal(p->regions[r].row, box.row);
        assert_int_equal(p->regions[r].col, box.col);
    }
    free(owner);
}

static struct tsr_partition *partition_of(const struct tsr_partition_rule *rule, size_t height,
                                          size_t width) {
    struct tsr_partition *p;
    MUST(tsr_partition_create(rule, height, width, &p, err));
    assert_int_equal(p->height, height);
    assert_int_equal(p->width, width);
    assert_int_equal(p->n_regions, tsr_partition_rule_regions(rule, height, width));
    check_partition(p);
    return p;
}

static void whole_is_one_region(void **state) {
    (void)state;
    struct tsr_partition_rule rule = {.rule = TSR_RULE(whole, 0)};
    for (int i = 0; i < 20; i++) {
        size_t height = draw_size(1, 30), width = draw_size(1, 30);
        struct tsr_partition *p = partition_of(&rule, height, width);
        assert_int_equal(p->n_regions, 1);
        assert_int_equal(p->regions[0].n_pixels, height * width);
        tsr_partition_free(p);
    }
}

static void assert_balanced(size_t cell, size_t length, size_t n) {
    assert_true(cell == length / n || cell == length / n + (length % n != 0));
}

static void grids_are_balanced(void **state) {
    (void)state;
    for (int i = 0; i < 200; i++) {
        size_t height = draw_size(1, 40), width = draw_size(1, 40);
        size_t rows = draw_size(1, height), cols = draw_size(1, width);
        struct tsr_partition_rule rule = {.rule = TSR_RULE(grid, rows, cols)};
        struct tsr_partition *p = partition_of(&rule, height, width);
        assert_int_equal(p->n_regions, rows * cols);
        for (size_t r = 0; r < p->n_regions; r++) {
            const struct tsr_region *g = &p->regions[r];
            assert_balanced(g->height, height, rows);
            assert_balanced(g->width, width, cols);
            assert_int_equal(g->row, r / cols * height / rows);
            assert_int_equal(g->col, r % cols * width / cols);
        }
        tsr_partition_free(p);
    }
}

static size_t rest(size_t length, size_t at, size_t cell) {
    return length - at < cell ? length - at : cell;
}

static void cells_have_their_size(void **state) {
    (void)state;
    for (int i = 0; i < 200; i++) {
        size_t height = draw_size(1, 40), width = draw_size(1, 40), next = 0;
        size_t cell_height = draw_size(1, 50), cell_width = draw_size(1, 50);
        struct tsr_partition_rule rule = {.rule = TSR_RULE(cell, cell_height, cell_width)};
        struct tsr_partition *p = partition_of(&rule, height, width);
        for (size_t row = 0; row < height; row += cell_height)
            for (size_t col = 0; col < width; col += cell_width) {
                const struct tsr_region *g = &p->regions[next++];
                assert_int_equal(g->row, row);
                assert_int_equal(g->col, col);
                assert_int_equal(g->height, rest(height, row, cell_height));
                assert_int_equal(g->width, rest(width, col, cell_width));
            }
        assert_int_equal(next, p->n_regions);
        tsr_partition_free(p);
    }
}

static void label_maps(void **state) {
    (void)state;
    for (int i = 0; i < 100; i++) {
        size_t height = draw_size(1, 25), width = draw_size(1, 25), n = draw_size(1, 12);
        size_t used = draw_size(1, n); /* the labels above it are empty */
        uint32_t *labels = make(height * width, sizeof *labels);
        for (size_t j = 0; j < height * width; j++)
            labels[j] = (uint32_t)draw_size(0, used - 1);
        struct tsr_partition *p;
        MUST(tsr_partition_from_labels(labels, height, width, n, 0, &p, err));
        assert_int_equal(p->n_regions, n);
        check_partition(p);
        for (size_t j = 0; j < height * width; j++)
            assert_int_equal(tsr_partition_region_at(p, j / width, j % width), labels[j]);
        for (size_t r = used; r < n; r++)
            assert_int_equal(p->regions[r].n_pixels, 0);
        tsr_partition_free(p);
        free(labels);
    }
}

/* Label 1 is two pixels in opposite corners, label 2 one pixel, label 3 nowhere. */
static void stray_pixels(void **state) {
    (void)state;
    uint32_t labels[6 * 7] = {0};
    struct tsr_partition *p;
    labels[0 * 7 + 6] = labels[5 * 7 + 0] = 1;
    labels[2 * 7 + 3] = 2;
    MUST(tsr_partition_from_labels(labels, 6, 7, 4, 0, &p, err));
    check_partition(p);
    const struct tsr_region expected[4] = {
        {0, 0, 6, 7, 39, {0, 0, 6, 7}, 39},
        {0, 0, 6, 7, 2, {0, 0, 6, 7}, 2},
        {2, 3, 1, 1, 1, {2, 3, 1, 1}, 1},
        {0, 0, 0, 0, 0, {0, 0, 0, 0}, 0},
    };
    assert_memory_equal(p->regions, expected, sizeof expected);
    labels[0] = 3; /* the partition has its own copy */
    assert_int_equal(tsr_partition_region_at(p, 0, 0), 0);
    tsr_partition_free(p);
}

static enum tsr_status try_rule(struct tsr_partition_rule rule, size_t height, size_t width,
                                struct tsr_error *err) {
    struct tsr_partition *p;
    enum tsr_status status = tsr_partition_create(&rule, height, width, &p, err);
    if (status != TSR_OK) assert_null(p);
    tsr_partition_free(p);
    return status;
}

#define GRID(R, C) ((struct tsr_partition_rule){.rule = TSR_RULE(grid, (R), (C))})
#define CELL(H, W) ((struct tsr_partition_rule){.rule = TSR_RULE(cell, (H), (W))})

static void errors_name_what_is_wrong(void **state) {
    (void)state;
    MUST(try_rule(GRID(5, 4), 5, 4, err));
    MUST_FAIL(try_rule(GRID(6, 4), 5, 4, err), TSR_ERR_CONFIG,
              "grid 6x4: an image of 5x4 pixels has at most 5x4 cells");
    MUST_FAIL(try_rule(GRID(5, 5), 5, 4, err), TSR_ERR_CONFIG, "grid 5x5");
    MUST_FAIL(try_rule(GRID(0, 4), 5, 4, err), TSR_ERR_CONFIG,
              "grid: rows is 0; it must be a whole number, 1 to 65535");
    MUST_FAIL(try_rule(GRID(4, 0), 5, 4, err), TSR_ERR_CONFIG, "grid: cols is 0");
    MUST_FAIL(try_rule(GRID(65536, 1), 5, 4, err), TSR_ERR_CONFIG, "grid: rows is 65536");
    MUST_FAIL(try_rule(CELL(0, 4), 5, 4, err), TSR_ERR_CONFIG, "cell: cell_height is 0");
    MUST_FAIL(try_rule(CELL(4, 0), 5, 4, err), TSR_ERR_CONFIG, "cell: cell_width is 0");
    MUST_FAIL(try_rule(CELL(4, 70000), 5, 4, err), TSR_ERR_CONFIG, "cell: cell_width is 70000");
    MUST_FAIL(try_rule(CELL(4, 4), 0, 4, err), TSR_ERR_ARGUMENT, "0x4 pixels");
    MUST_FAIL(try_rule(CELL(4, 4), 4, 0, err), TSR_ERR_ARGUMENT, "4x0 pixels");
    MUST_FAIL(try_rule(CELL(4, 4), 65536, 65536, err), TSR_ERR_ARGUMENT, "1 to 2^32-1");
    MUST_FAIL(try_rule(CELL(4, 4), SIZE_MAX, 2, err), TSR_ERR_ARGUMENT, "1 to 2^32-1");
}

static void labels_out_of_range(void **state) {
    (void)state;
    const uint32_t labels[6] = {0, 1, 2, 0, 3, 1};
    struct tsr_partition *p;
    MUST_FAIL(tsr_partition_from_labels(labels, 2, 3, 3, 0, &p, err), TSR_ERR_ARGUMENT,
              "pixel (1, 1) has label 3; labels must be below 3");
    assert_null(p);
    MUST_FAIL(tsr_partition_from_labels(labels, 2, 3, 0, 0, &p, err), TSR_ERR_ARGUMENT,
              "pixel (0, 0) has label 0");
    MUST_FAIL(tsr_partition_from_labels(labels, 0, 3, 3, 0, &p, err), TSR_ERR_ARGUMENT, "0x3");
    MUST(tsr_partition_from_labels(labels, 2, 3, 4, 0, &p, err));
    tsr_partition_free(p);
    tsr_partition_free(NULL);
}

static void names(void **state) {
    (void)state;
    const struct tsr_object *rule;
    enum tsr_slots slots;
    char text[64];
    for (size_t i = 0; i < tsr_rules.n; i++) {
        MUST(tsr_registry_find(&tsr_rules, tsr_rules.object[i]->name, &rule, err));
        assert_ptr_equal(rule, tsr_rules.object[i]);
    }
    MUST_FAIL(tsr_registry_find(&tsr_rules, "Grid", &rule, err), TSR_ERR_NOT_FOUND,
              "whole, grid, cell");
    MUST_FAIL(tsr_registry_find(&tsr_rules, "", &rule, err), TSR_ERR_NOT_FOUND, "partition rule");
    MUST(tsr_slots_parse("shared", &slots, err));
    assert_int_equal(slots, TSR_SLOTS_SHARED);
    MUST(tsr_slots_parse("per-region", &slots, err));
    assert_int_equal(slots, TSR_SLOTS_PER_REGION);
    MUST_FAIL(tsr_slots_parse("perregion", &slots, err), TSR_ERR_NOT_FOUND, "shared, per-region");
    tsr_partition_rule_describe(&GRID(8, 12), text, sizeof text);
    assert_string_equal(text, "grid 8x12");
    tsr_partition_rule_describe(&CELL(7, 9), text, sizeof text);
    assert_string_equal(text, "cell 7x9");
    tsr_partition_rule_describe(&(struct tsr_partition_rule){.rule = TSR_RULE(whole, 0)}, text, 4);
    assert_string_equal(text, "who");
}

static void slots_of_regions(void **state) {
    (void)state;
    for (size_t r = 0; r < 10; r++) {
        assert_int_equal(tsr_slot_of_region(TSR_SLOTS_SHARED, r), 0);
        assert_int_equal(tsr_slot_of_region(TSR_SLOTS_PER_REGION, r), r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_is_one_region),   cmocka_unit_test(grids_are_balanced),
        cmocka_unit_test(cells_have_their_size), cmocka_unit_test(label_maps),
        cmocka_unit_test(stray_pixels),          cmocka_unit_test(errors_name_what_is_wrong),
        cmocka_unit_test(labels_out_of_range),   cmocka_unit_test(names),
        cmocka_unit_test(slots_of_regions),
    };
    return cmocka_run_group_tests_name("regions", tests, NULL, NULL);
}
