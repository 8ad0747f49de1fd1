/* SPDX-License-Identifier: MIT
 *
 * Features of regions, optimal assignment against trying everything, anchors on scenes whose
 * regions are known.
 */
#include "tests/check.h"

#include "partition/anchors.h"
#include "partition/segmentation.h"

#define F TSR_REGION_FEATURES

/* ---- assignment ---------------------------------------------------------------------------------
 */

/* Smallest total over all permutations of columns row..n-1. */
static double try_all(const double *cost, size_t n, size_t row, size_t *column) {
    if (row == n) return 0;
    double best = INFINITY;
    for (size_t k = row; k < n; k++) {
        size_t swap = column[row];
        column[row] = column[k], column[k] = swap;
        double total = cost[row * n + column[row]] + try_all(cost, n, row + 1, column);
        if (total < best) best = total;
        swap = column[row];
        column[row] = column[k], column[k] = swap;
    }
    return best;
}

/* The total of a permutation; fails if it is none. */
static double total_of(const double *cost, size_t n, const size_t *column_of_row) {
    bool *taken = make(n, sizeof *taken);
    double total = 0;
    for (size_t i = 0; i < n; i++) {
        assert_true(column_of_row[i] < n);
        assert_false(taken[column_of_row[i]]);
        taken[column_of_row[i]] = true;
        total += cost[i * n + column_of_row[i]];
    }
    free(taken);
    return total;
}

static void assignment_is_optimal(void **state) {
    (void)state;
    for (int i = 0; i < 400; i++) {
        size_t n = draw_size(1, 7), found[7], again[7], column[7];
        double cost[49];
        for (size_t k = 0; k < n * n; k++)
            cost[k] = i % 3 == 0   ? (double)draw_size(0, 3) /* ties */
                      : i % 3 == 1 ? draw(-5, 5)
                                   : pow(10, draw(-6, 6));
        for (size_t k = 0; k < n; k++)
            column[k] = k;
        MUST(tsr_assign(cost, n, found, err));
        MUST(tsr_assign(cost, n, again, err));
        assert_memory_equal(found, again, n * sizeof *found);
        double best = try_all(cost, n, 0, column);
        assert_true(fabs(total_of(cost, n, found) - best) <= 1e-12 * (1 + fabs(best)) * 10);
    }
}

/* Large: no exchange of two rows helps, and a hidden permutation of cost 0 is found. */
static void large_assignments(void **state) {
    (void)state;
    const size_t n = 64;
    double *cost = make(n * n, sizeof *cost);
    size_t found[64];
    uint32_t hidden[64];
    for (size_t k = 0; k < n * n; k++)
        cost[k] = draw(0, 1);
    MUST(tsr_assign(cost, n, found, err));
    total_of(cost, n, found);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++)
            assert_true(cost[i * n + found[i]] + cost[j * n + found[j]] <=
                        cost[i * n + found[j]] + cost[j * n + found[i]] + 1e-12);
    tsr_random_permutation(3, TSR_STREAM_USER, n, hidden);
    for (size_t i = 0; i < n; i++)
        cost[i * n + hidden[i]] = 0;
    MUST(tsr_assign(cost, n, found, err));
    for (size_t i = 0; i < n; i++)
        assert_int_equal(found[i], hidden[i]);
    for (size_t k = 0; k < n * n; k++)
        cost[k] = 1; /* nothing but ties */
    MUST(tsr_assign(cost, n, found, err));
    total_of(cost, n, found);
    MUST(tsr_assign(cost, 0, found, err));
    free(cost);
}

static void costs_must_be_finite(void **state) {
    (void)state;
    double cost[4] = {1, 2, (double)NAN, 4};
    size_t found[2];
    MUST_FAIL(tsr_assign(cost, 2, found, err), TSR_ERR_NUMERIC, "row 1 in column 0 is nan");
    cost[2] = (double)INFINITY;
    MUST_FAIL(tsr_assign(cost, 2, found, err), TSR_ERR_NUMERIC, "is inf");
}

/* ---- features -----------------------------------------------------------------------------------
 */

static void features_of_known_regions(void **state) {
    (void)state;
    /* left half red, right half white; label 2 does not occur */
    uint8_t pixels[4 * 6 * 3];
    uint32_t labels[4 * 6];
    double f[3 * F];
    for (size_t i = 0; i < 24; i++) {
        labels[i] = i % 6 >= 3;
        pixels[3 * i] = 255;
        pixels[3 * i + 1] = pixels[3 * i + 2] = labels[i] ? 255 : 0;
    }
    tsr_region_features(pixels, 4, 6, 3, labels, 3, f);
    const double expected[3 * F] = {0.5, 0.25, 0.5324, 0.8009, 0.6720, sqrt(0.5), /**/
                                    0.5, 0.75, 1,      0,      0,      sqrt(0.5)};
    for (size_t k = 0; k < 3 * F; k++)
        assert_true(fabs(f[k] - expected[k]) < 2e-4);
    for (size_t i = 0; i < 24; i++)
        pixels[i] = labels[i] ? 255 : 0;
    tsr_region_features(pixels, 4, 6, 1, labels, 2, f);
    assert_true(fabs(f[2]) < 1e-4 && f[3] == 0 && f[4] == 0);
    assert_true(fabs(f[F + 2] - 1) < 1e-4 && f[F + 3] == 0 && f[F + 4] == 0);
}

/* ---- anchors ------------------------------------------------------------------------------------
 */

/* A scene: ground and four patches of fixed meaning, each shifted and coloured a little anew. */
enum { SIDE = 64, PATCHES = 5, SCENES = 30 };

struct scene {
    uint8_t pixels[SIDE * SIDE * 3];
    uint32_t truth[SIDE * SIDE], labels[SIDE * SIDE];
};

static void draw_scene(struct scene *s) {
    static const int box[PATCHES][4] = {
        {0, 0, 64, 64}, {5, 6, 20, 22}, {8, 38, 24, 18}, {36, 8, 20, 16}, {38, 36, 18, 22}};
    static const int color[PATCHES][3] = {
        {100, 110, 120}, {200, 60, 60}, {60, 180, 70}, {190, 70, 50}, {240, 240, 230}};
    for (uint32_t p = 0; p < PATCHES; p++) {
        int dr = p ? (int)draw_size(0, 6) - 3 : 0, dc = p ? (int)draw_size(0, 6) - 3 : 0;
        uint8_t rgb[3];
        for (int k = 0; k < 3; k++)
            rgb[k] = (uint8_t)(color[p][k] - 10 + (int)draw_size(0, 20));
        for (int r = box[p][0]; r < box[p][0] + box[p][2]; r++)
            for (int c = box[p][1]; c < box[p][1] + box[p][3]; c++) {
                int i = (r + dr) * SIDE + c + dc;
                s->truth[i] = p;
                memcpy(s->pixels + 3 * i, rgb, 3);
            }
    }
}

/* Random numbers for the regions: the labels that segmentation might have given. */
static void shuffle_labels(struct scene *s, uint64_t key) {
    uint32_t name[PATCHES];
    tsr_random_permutation(key, TSR_STREAM_USER, PATCHES, name);
    for (size_t i = 0; i < SIDE * SIDE; i++)
        s->labels[i] = name[s->truth[i]];
}

/* Does every scene's label r mean the same patch? */
static bool labels_agree(const struct scene *scenes, size_t n) {
    uint32_t meaning[PATCHES];
    for (size_t i = 0; i < n; i++)
        for (size_t p = 0; p < SIDE * SIDE; p++) {
            if (i == 0) meaning[scenes[0].labels[p]] = scenes[0].truth[p];
            if (i > 0 && meaning[scenes[i].labels[p]] != scenes[i].truth[p]) return false;
        }
    return true;
}

static struct scene *make_scenes(void) {
    struct scene *scenes = make(SCENES, sizeof *scenes);
    for (uint64_t i = 0; i < SCENES; i++) {
        draw_scene(&scenes[i]);
        shuffle_labels(&scenes[i], i);
    }
    return scenes;
}

static void learn_from(const struct scene *scenes, size_t n, struct tsr_anchors *anchors) {
    double *features = make(n * PATCHES * F, sizeof *features);
    for (size_t i = 0; i < n; i++)
        tsr_region_features(scenes[i].pixels, SIDE, SIDE, 3, scenes[i].labels, PATCHES,
                            features + i * PATCHES * F);
    MUST(tsr_anchors_learn(features, n, PATCHES, anchors, err));
    free(features);
}

static void shuffled_regions_come_back(void **state) {
    (void)state;
    struct scene *scenes = make_scenes();
    struct tsr_anchors anchors, again;
    assert_false(labels_agree(scenes, SCENES)); /* the control */
    learn_from(scenes, 20, &anchors);
    learn_from(scenes, 20, &again);
    assert_memory_equal(anchors.mean, again.mean, PATCHES * F * sizeof *anchors.mean);
    assert_memory_equal(anchors.weight, again.weight, sizeof anchors.weight);
    for (size_t i = 0; i < SCENES; i++) /* ten of them new */
        MUST(tsr_anchors_match(&anchors, scenes[i].pixels, SIDE, SIDE, 3, scenes[i].labels, err));
    assert_true(labels_agree(scenes, SCENES));
    /* matching what is matched changes nothing */
    uint32_t *before = make(SIDE * SIDE, sizeof *before);
    memcpy(before, scenes[7].labels, sizeof scenes[7].labels);
    MUST(tsr_anchors_match(&anchors, scenes[7].pixels, SIDE, SIDE, 3, scenes[7].labels, err));
    assert_memory_equal(before, scenes[7].labels, sizeof scenes[7].labels);
    tsr_anchors_clear(&anchors);
    tsr_anchors_clear(&again);
    free(before);
    free(scenes);
}

/* The same with segmentation in place of the known labels. */
static void segmented_regions_come_back(void **state) {
    (void)state;
    struct scene *scenes = make_scenes();
    struct tsr_anchors anchors;
    for (size_t i = 0; i < SCENES; i++)
        MUST(tsr_segment(scenes[i].pixels, SIDE, SIDE, 3, PATCHES, TSR_MERGE_COLOR,
                         scenes[i].labels, err));
    learn_from(scenes, SCENES, &anchors);
    for (size_t i = 0; i < SCENES; i++)
        MUST(tsr_anchors_match(&anchors, scenes[i].pixels, SIDE, SIDE, 3, scenes[i].labels, err));
    assert_true(labels_agree(scenes, SCENES));
    tsr_anchors_clear(&anchors);
    free(scenes);
}

/* The anchors are the means of what is matched to them, and matching again changes nothing. */
static void anchors_are_a_fixed_point(void **state) {
    (void)state;
    enum { IMAGES = 40, N = 6 };
    double features[IMAGES * N * F], mean[N * F] = {0};
    struct tsr_anchors anchors;
    for (size_t i = 0; i < IMAGES * N * F; i++)
        features[i] = i % F == 4 ? 0.25 : draw(0, 1); /* one feature says nothing */
    MUST(tsr_anchors_learn(features, IMAGES, N, &anchors, err));
    assert_int_equal(anchors.n, N);
    for (size_t k = 0; k < F; k++)
        assert_true(k == 4 ? anchors.weight[k] == 0 : anchors.weight[k] > 0);
    for (size_t i = 0; i < IMAGES; i++) {
        double cost[N * N] = {0};
        size_t region[N];
        for (size_t a = 0; a < N; a++)
            for (size_t r = 0; r < N; r++)
                for (size_t k = 0; k < F; k++)
                    cost[a * N + r] +=
                        anchors.weight[k] *
                        pow(anchors.mean[a * F + k] - features[(i * N + r) * F + k], 2);
        MUST(tsr_assign(cost, N, region, err));
        for (size_t a = 0; a < N; a++)
            for (size_t k = 0; k < F; k++)
                mean[a * F + k] += features[(i * N + region[a]) * F + k] / IMAGES;
    }
    for (size_t k = 0; k < N * F; k++)
        assert_true(fabs(mean[k] - anchors.mean[k]) < 1e-12);
    tsr_anchors_clear(&anchors);
}

static void odd_cases(void **state) {
    (void)state;
    struct tsr_anchors anchors;
    double features[2 * F] = {0.5, 0.5, 0.2, 0, 0, 1, 0.5, 0.5, 0.9, 0, 0, 1};
    uint8_t pixels[6] = {9, 9, 9, 200, 200, 200};
    uint32_t labels[6] = {1, 1, 1, 0, 0, 0};
    /* one image: its regions are the anchors */
    MUST(tsr_anchors_learn(features, 1, 2, &anchors, err));
    assert_memory_equal(anchors.mean, features, sizeof features);
    MUST(tsr_anchors_match(&anchors, pixels, 2, 3, 1, labels, err));
    assert_int_equal(labels[0], 0);
    assert_int_equal(labels[5], 1);
    labels[4] = 2;
    MUST_FAIL(tsr_anchors_match(&anchors, pixels, 2, 3, 1, labels, err), TSR_ERR_ARGUMENT,
              "pixel (1, 1) has label 2; there are 2 anchors");
    tsr_anchors_clear(&anchors);
    assert_null(anchors.mean);
    /* images of one region */
    MUST(tsr_anchors_learn(features, 2, 1, &anchors, err));
    assert_true(fabs(anchors.mean[2] - 0.55) < 1e-12);
    tsr_anchors_clear(&anchors);
    MUST_FAIL(tsr_anchors_learn(features, 0, 2, &anchors, err), TSR_ERR_ARGUMENT, "0 images");
    MUST_FAIL(tsr_anchors_learn(features, 1, 0, &anchors, err), TSR_ERR_ARGUMENT, "0 regions");
    features[8] = (double)NAN;
    MUST_FAIL(tsr_anchors_learn(features, 1, 2, &anchors, err), TSR_ERR_NUMERIC,
              "feature 2 of region 1 of image 0 is nan");
    assert_null(anchors.mean);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(assignment_is_optimal),      cmocka_unit_test(large_assignments),
        cmocka_unit_test(costs_must_be_finite),       cmocka_unit_test(features_of_known_regions),
        cmocka_unit_test(shuffled_regions_come_back), cmocka_unit_test(segmented_regions_come_back),
        cmocka_unit_test(anchors_are_a_fixed_point),  cmocka_unit_test(odd_cases),
    };
    return cmocka_run_group_tests_name("anchors", tests, NULL, NULL);
}
