/* SPDX-License-Identifier: MIT
 *
 * Pictures gathered from the outputs of overlapping regions, and the seam metric: against plain
 * loops over pixels and regions, and known answers.
 */
#include "tests/test_meta_helper.h"

#include "meta/blend.h"

/* ---- geometries ---------------------------------------------------------------------------------
 */

enum { CHANNELS = 3 };

struct scene {
    struct tsr_model *model;
    struct tsr_geometry geometry;
    struct tsr_blend blend;
    struct tsr_arena arena;
};

static struct scene *scene_of(const struct tsr_partition_rule *rule, size_t height, size_t width,
                              const uint32_t *labels) {
    struct scene *s = make(1, sizeof *s);
    struct tsr_model_config config = toy_config(height, width, CHANNELS);
    config.partition = *rule;
    s->model = toy_model(&config, 1);
    MUST(tsr_geometry_create(s->model, height, width, &s->geometry, err));
    struct tsr_arena measure = {0};
    tsr_blend_layout(&s->blend, &s->geometry, &measure);
    MUST(tsr_arena_create(&s->arena, measure.used, "blend", err));
    tsr_blend_layout(&s->blend, &s->geometry, &s->arena);
    if (labels) MUST(tsr_geometry_follow(&s->geometry, labels, err));
    return s;
}

static void clear(struct scene *s) {
    tsr_arena_free(&s->arena);
    tsr_geometry_clear(&s->geometry);
    tsr_model_free(s->model);
    free(s);
}

/* Blotches of n labels, of which label 1 does not occur. */
static uint32_t *some_labels(size_t height, size_t width, size_t n) {
    uint32_t *labels = make(height * width, sizeof *labels), tile[32];
    for (size_t i = 0; i < 32; i++)
        do
            tile[i] = (uint32_t)draw_size(0, n - 1);
        while (tile[i] == 1);
    for (size_t i = 0; i < height * width; i++)
        labels[i] = tile[(i / width / 5 * 7 + i % width / 4) % 32];
    return labels;
}

/* Grids, cells, the whole and label maps, with and without overlap. */
static struct scene *some_scene(int i, size_t height, size_t width) {
    struct tsr_partition_rule rule = {.overlap = (size_t)(i / 4) % 4};
    uint32_t *labels = NULL;
    if (i % 4 == 1) {
        rule.kind = TSR_RULE_GRID, rule.rows = 4, rule.cols = 3;
    } else if (i % 4 == 2) {
        rule.kind = TSR_RULE_CELL, rule.cell_height = 6, rule.cell_width = 7;
    } else if (i % 4 == 3) {
        rule.kind = TSR_RULE_LABELS, rule.n_regions = 5;
        labels = some_labels(height, width, 5);
    }
    struct scene *s = scene_of(&rule, height, width, labels);
    tsr_blend_prepare(&s->blend);
    free(labels);
    return s;
}

/* ---- pictures -----------------------------------------------------------------------------------
 */

/* The definition in double: for each pixel and region the point of the region that is this pixel.
 */
static double *gather_plainly(const struct scene *s, const tsr_real *out) {
    const struct tsr_partition *p = s->geometry.partition;
    size_t n = p->height * p->width;
    double *picture = make(n * CHANNELS, sizeof *picture);
    for (size_t r = 0; r < p->n_regions; r++) {
        const struct tsr_box *w = &p->regions[r].window;
        for (size_t i = 0; i < p->regions[r].n_context; i++) {
            size_t pixel = p->labels ? p->context[p->context_first[r] + i]
                                     : (w->row + i / w->width) * p->width + w->col + i % w->width;
            double weight = tsr_partition_weight_at(p, r, (double)(pixel / p->width),
                                                    (double)(pixel % p->width));
            for (size_t j = 0; j < CHANNELS; j++)
                picture[pixel * CHANNELS + j] += weight * (double)out[i * CHANNELS + j];
        }
        out += p->regions[r].n_context * CHANNELS;
    }
    return picture;
}

static void gathered_by_plain_loops(void **state) {
    (void)state;
    for (int i = 0; i < 32; i++) {
        size_t height = draw_size(6, 50), width = draw_size(6, 40), n = height * width * CHANNELS;
        struct scene *s = some_scene(i, height, width);
        size_t total = s->blend.first[s->geometry.partition->n_regions];
        assert_true(total <= s->geometry.total_context);
        tsr_real *out = make(total * CHANNELS, sizeof *out), *picture = make(n, sizeof *picture);
        tsr_real *again = make(n, sizeof *again);
        draw_all(out, total * CHANNELS, -1, 2);
        draw_all(picture, n, 5, 6); /* overwritten */
        double *want = gather_plainly(s, out);
        tsr_blend_gather(&s->blend, out, 1, picture);
        ASSERT_CLOSE("picture", picture, want, n, 1e-6);
        for (size_t threads = 2; threads <= 3; threads++) {
            draw_all(again, n, 5, 6);
            tsr_blend_gather(&s->blend, out, threads, again);
            ASSERT_SAME_BITS("threads", again, picture, n);
        }
        free(want);
        free(again);
        free(picture);
        free(out);
        clear(s);
    }
}

/* Regions that agree are invisible. */
static void a_constant_stays(void **state) {
    (void)state;
    for (int i = 0; i < 16; i++) {
        struct scene *s = some_scene(i, 23, 31);
        size_t total = s->blend.first[s->geometry.partition->n_regions], n = 23 * 31 * CHANNELS;
        tsr_real *out = make(total * CHANNELS, sizeof *out), *picture = make(n, sizeof *picture);
        for (size_t j = 0; j < total * CHANNELS; j++)
            out[j] = (tsr_real)0.7;
        tsr_blend_gather(&s->blend, out, 2, picture);
        for (size_t j = 0; j < n; j++)
            assert_true(fabs((double)picture[j] - 0.7) < 1e-6);
        free(picture);
        free(out);
        clear(s);
    }
}

/* Other regions: the second label map leaves nothing of the first. */
static void prepared_again(void **state) {
    (void)state;
    const struct tsr_partition_rule rule = {.kind = TSR_RULE_LABELS, .n_regions = 6, .overlap = 2};
    struct scene *s = scene_of(&rule, 20, 24, NULL);
    for (int k = 0; k < 4; k++) {
        uint32_t *labels = some_labels(20, 24, 6);
        MUST(tsr_geometry_follow(&s->geometry, labels, err));
        tsr_blend_prepare(&s->blend);
        struct scene *fresh = scene_of(&rule, 20, 24, labels);
        tsr_blend_prepare(&fresh->blend);
        size_t total = fresh->blend.first[6];
        assert_memory_equal(s->blend.first, fresh->blend.first, 7 * sizeof *s->blend.first);
        assert_memory_equal(s->blend.owner, labels, 20 * 24 * sizeof *labels);
        ASSERT_SAME_BITS("weight", s->blend.weight, fresh->blend.weight, total);
        free(labels);
        clear(fresh);
    }
    clear(s);
}

static void compared_by_plain_loops(void **state) {
    (void)state;
    for (int i = 0; i < 16; i++) {
        struct scene *s = some_scene(i, 21, 18);
        const struct tsr_partition *p = s->geometry.partition;
        size_t n = 21 * 18 * CHANNELS;
        uint8_t *pixels = toy_images(1, 21, 18, CHANNELS);
        tsr_real *picture = make(n, sizeof *picture), *one = make(n, sizeof *one);
        double *want = make(p->n_regions, sizeof *want), *residual = make(n, sizeof *residual);
        double *error = make(p->n_regions, sizeof *error), *two = make(p->n_regions, sizeof *two);
        draw_all(picture, n, 0, 1);
        memcpy(one, picture, n * sizeof *one);
        for (size_t j = 0; j < n; j++) {
            size_t pixel = j / CHANNELS;
            residual[j] = (double)picture[j] - pixels[j] / 255.0;
            want[tsr_partition_region_at(p, pixel / 18, pixel % 18)] += residual[j] * residual[j];
        }
        tsr_blend_compare(&s->blend, pixels, 1, picture, error);
        tsr_blend_compare(&s->blend, pixels, 2, one, two);
        ASSERT_CLOSE("residual", picture, residual, n, 1e-6);
        ASSERT_SAME_BITS("threads", one, picture, n);
        ASSERT_SAME_BITS("threads", two, error, p->n_regions);
        for (size_t r = 0; r < p->n_regions; r++)
            assert_true(fabs(error[r] - want[r]) <= 1e-5 * want[r]);
        free(two);
        free(error);
        free(residual);
        free(want);
        free(one);
        free(picture);
        free(pixels);
        clear(s);
    }
}

/* ---- seams --------------------------------------------------------------------------------------
 */

static double mean_of_jumps(const struct scene *s, const tsr_real *residual, bool across) {
    const struct tsr_partition *p = s->geometry.partition;
    double sum = 0;
    size_t n = 0;
    for (size_t a = 0; a < p->height * p->width; a++)
        for (size_t b = a + 1; b < p->height * p->width; b++) {
            size_t rows = b / p->width - a / p->width;
            long cols = (long)(b % p->width) - (long)(a % p->width);
            if (rows + (size_t)labs(cols) != 1) continue;
            if (across == (s->blend.owner[a] == s->blend.owner[b])) continue;
            for (size_t j = 0; j < CHANNELS; j++, n++)
                sum +=
                    fabs((double)residual[a * CHANNELS + j] - (double)residual[b * CHANNELS + j]);
        }
    return sum / (double)n;
}

static void seams_by_plain_loops(void **state) {
    (void)state;
    for (int i = 1; i < 16; i += i % 4 == 3 ? 2 : 1) {
        struct scene *s = some_scene(i, 17, 16);
        tsr_real residual[17 * 16 * CHANNELS];
        draw_all(residual, 17 * 16 * CHANNELS, -1, 1);
        double want = mean_of_jumps(s, residual, true) / mean_of_jumps(s, residual, false);
        assert_true(fabs(tsr_blend_seam(&s->blend, residual) - want) < 1e-12);
        clear(s);
    }
}

/* A ramp of 1 a column and, in the right half, an offset: 1 between columns, 0 between rows, and 1
 * + offset across the border of 8 rows. */
static void seam_of_an_offset(void **state) {
    (void)state;
    enum { H = 8, W = 10 };
    const struct tsr_partition_rule rule = {.kind = TSR_RULE_GRID, .rows = 1, .cols = 2};
    struct scene *s = scene_of(&rule, H, W, NULL);
    tsr_real residual[H * W * CHANNELS];
    tsr_blend_prepare(&s->blend);
    for (int offset = 0; offset < 4; offset++) {
        for (size_t i = 0; i < H * W * CHANNELS; i++) {
            size_t col = i / CHANNELS % W;
            residual[i] = (tsr_real)(col + (col < 5 ? 0 : (size_t)offset));
        }
        double within = H * 8.0 / (H * 8.0 + (H - 1) * W); /* pairs of columns among all pairs */
        assert_true(fabs(tsr_blend_seam(&s->blend, residual) - (1 + offset) / within) < 1e-12);
    }
    clear(s);
}

/* Nothing to compare: one region, regions of single pixels, no jump within regions. */
static void seams_without_pairs(void **state) {
    (void)state;
    static const size_t sides[3] = {1, 6, 2};
    tsr_real residual[6 * 6 * CHANNELS];
    draw_all(residual, 6 * 6 * CHANNELS, -1, 1);
    for (size_t i = 0; i < 3; i++) {
        const struct tsr_partition_rule rule = {
            .kind = TSR_RULE_GRID, .rows = sides[i], .cols = sides[i]};
        struct scene *s = scene_of(&rule, 6, 6, NULL);
        tsr_blend_prepare(&s->blend);
        for (size_t j = 0; i == 2 && j < 6 * 6 * CHANNELS; j++)
            residual[j] = (tsr_real)s->blend.owner[j / CHANNELS];
        assert_true(isnan(tsr_blend_seam(&s->blend, residual)));
        clear(s);
    }
}

/* A label map that is the grid. */
static void seam_of_a_map_like_a_grid(void **state) {
    (void)state;
    const struct tsr_partition_rule grid = {.kind = TSR_RULE_GRID, .rows = 3, .cols = 4},
                                    map = {.kind = TSR_RULE_LABELS, .n_regions = 12};
    struct scene *a = scene_of(&grid, 20, 22, NULL);
    tsr_blend_prepare(&a->blend);
    struct scene *b = scene_of(&map, 20, 22, a->blend.owner);
    tsr_blend_prepare(&b->blend);
    tsr_real residual[20 * 22 * CHANNELS];
    for (int k = 0; k < 5; k++) {
        draw_all(residual, 20 * 22 * CHANNELS, -1, 1);
        assert_true(tsr_blend_seam(&a->blend, residual) == tsr_blend_seam(&b->blend, residual));
    }
    clear(a);
    clear(b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gathered_by_plain_loops), cmocka_unit_test(a_constant_stays),
        cmocka_unit_test(prepared_again),          cmocka_unit_test(compared_by_plain_loops),
        cmocka_unit_test(seams_by_plain_loops),    cmocka_unit_test(seam_of_an_offset),
        cmocka_unit_test(seams_without_pairs),     cmocka_unit_test(seam_of_a_map_like_a_grid),
    };
    return cmocka_run_group_tests_name("blend", tests, NULL, NULL);
}
